"""Reduction and table: what a naive count says, in any order, a day in memory, across shards, years and 180 degrees."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.contract import Batch, Unit, to_table
from carbonray.io import table_store
from carbonray.io.grid_layout import HOTSPOT_VARIABLES, NO2_LATTICE, GridLayout, GridRules
from carbonray.science.no2.hotspots import PersistenceRules
from carbonray.stages import hotspots
from carbonray.stages.hotspots import EncodeShard, ReduceShard, TabulateHotspots, hotspot_rows
from carbonray.vocab import tables

SIDE, CUT = 360, 0.2
SHARD = (6, 11)
TOP, LEFT = SHARD[0] * SIDE, SHARD[1] * SIDE
NEW_YEAR = 18_993  # 2022-01-01
DAY = 18_833  # 2021-07-25


@dataclass(frozen=True)
class Pixel:
    """One judged pixel of one orbit."""

    row: int
    col: int
    day: int
    rel: float
    coverage: float


def orbit(pixels: list[Pixel]) -> Batch:
    return {
        "row": np.array([TOP + p.row for p in pixels], np.int16),
        "col": np.array([LEFT + p.col for p in pixels], np.int16),
        "day": np.array([p.day for p in pixels], np.int32),
        "rel_emission": np.array([p.rel for p in pixels], np.float32),
        "coverage": np.array([p.coverage for p in pixels], np.float32),
        "no2_umol_m2": np.array([100.0 * p.rel for p in pixels], np.float32),
    }


def reduced(folder: Path, orbits: list[Batch], year: int = 2021) -> Batch:
    """The shard's rows, from partials as orbits leave them, in the order the pipeline gives: by first day."""
    urls = []
    for number, batch in enumerate(sorted(orbits, key=lambda batch: batch["day"].min())):
        path = folder / f"{number}.parquet"
        path.write_bytes(table_store.encode_pixels(to_table(batch, tables.DETECTIONS, stage="test"), SIDE))
        urls.append(str(path))
    unit = Unit("reduce", "id", "s", {"year": year, "shard_row": SHARD[0], "shard_col": SHARD[1]}, tuple(urls), ())
    return ReduceShard(SIDE, CUT)(unit).batch


def naive(orbits: list[Batch], year: int = 2021) -> dict[tuple[int, int], list[float]]:
    """Lattice pixel -> its relative emission on each valid day, from the orbit with most coverage."""
    first, last = (int(np.datetime64(f"{y}-01-01").astype(int)) for y in (year, year + 1))
    best: dict[tuple[int, int, int], tuple[float, float]] = {}
    for batch in orbits:
        for row, col, day, rel, coverage in zip(
            *(batch[name] for name in ("row", "col", "day", "rel_emission", "coverage")), strict=True
        ):
            key = (int(row), int(col), int(day))
            if first <= day < last and coverage > best.get(key, (-1.0, 0.0))[0]:
                best[key] = (float(coverage), float(rel))
    days: dict[tuple[int, int], list[float]] = {}
    for (row, col, _), (_, rel) in sorted(best.items()):
        days.setdefault((row, col), []).append(rel)
    return days


@st.composite
def some_orbits(draw) -> list[Batch]:
    """Orbits over a few pixels and days, each coverage once, so that the best orbit is always one."""
    count = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**16))
    start = draw(st.sampled_from([DAY, NEW_YEAR - 2]))
    rng = np.random.default_rng(seed)
    coverages = iter(rng.permutation(np.linspace(0.5, 1.0, 500)))
    return [a_pass(rng, start + int(rng.integers(0, 4)), coverages) for _ in range(count)]


def a_pass(rng: np.random.Generator, first_day: int, coverages: Iterator[float]) -> Batch:
    """Some pixels of one orbit, a part of them on the day after its first, as on either side of midnight."""
    places = [(r, c) for r in range(4) for c in range(5) if rng.random() < 0.7] or [(0, 0)]
    split = rng.integers(0, 6)
    return orbit([Pixel(r, c, first_day + (c >= split), round(rng.random(), 3), next(coverages)) for r, c in places])


@settings(max_examples=40)
@given(orbits=some_orbits())
def test_a_shard_is_what_a_naive_count_says(tmp_path_factory, orbits):
    rows, expected = reduced(tmp_path_factory.mktemp("o"), orbits), naive(orbits)
    keys = list(zip(rows["row"].tolist(), rows["col"].tolist(), strict=True))
    assert keys == sorted(expected)
    days = [expected[key] for key in keys]
    hits = [[rel for rel in some if np.float32(rel) >= CUT] for some in days]
    np.testing.assert_array_equal(rows["n_valid_days"], [len(some) for some in days])
    np.testing.assert_array_equal(rows["n_detections"], [len(some) for some in hits])
    np.testing.assert_allclose(rows["detect_freq"], rows["n_detections"] / rows["n_valid_days"], rtol=1e-6)
    np.testing.assert_allclose(rows["rel_emission"], [np.mean(some) for some in days], atol=2e-6)
    np.testing.assert_allclose(rows["no2_umol_m2"], [100 * np.mean(some) for some in days], atol=2e-3)
    spread = [np.std(some, ddof=1) if len(some) > 1 else np.nan for some in days]
    np.testing.assert_allclose(rows["rel_emission_sd"], spread, atol=2e-5)
    strongest = [np.mean(some) if some else np.nan for some in hits]
    np.testing.assert_allclose(rows["rel_emission_detected"], strongest, atol=2e-6)


@settings(max_examples=40)
@given(orbits=some_orbits(), seed=st.integers(0, 100))
def test_the_order_of_the_orbits_changes_no_byte(tmp_path_factory, orbits, seed):
    order = np.random.default_rng(seed).permutation(len(orbits))
    one, other = (reduced(tmp_path_factory.mktemp("o"), some) for some in (orbits, [orbits[place] for place in order]))
    assert {name: values.tobytes() for name, values in one.items()} == {k: v.tobytes() for k, v in other.items()}


def test_the_orbit_with_most_coverage_wins_a_pixels_day(tmp_path):
    early, late = Pixel(1, 1, DAY, 0.9, 0.6), Pixel(1, 1, DAY, 0.1, 0.7)
    for orbits in ([early, late], [late, early]):
        rows = reduced(tmp_path, [orbit([pixel]) for pixel in orbits])
        assert rows["rel_emission"] == pytest.approx(0.1, abs=1e-6) and rows["n_detections"] == 0
        assert rows["n_valid_days"] == 1


def test_a_pixel_is_judged_once_a_local_day_even_where_midnight_lies_between_two_orbits(tmp_path):
    before = orbit([Pixel(1, 1, DAY, 0.5, 0.9), Pixel(1, 2, DAY, 0.5, 0.9)])
    across = orbit([Pixel(1, 1, DAY, 0.3, 0.8), Pixel(1, 2, DAY + 1, 0.3, 0.8)])
    rows = reduced(tmp_path, [before, across])
    np.testing.assert_array_equal(rows["n_valid_days"], [1, 2])
    np.testing.assert_allclose(rows["rel_emission"], [0.5, 0.4], atol=1e-6)


def test_each_year_takes_its_own_days(tmp_path):
    across = [orbit([Pixel(0, 0, NEW_YEAR - 1, 0.4, 1.0), Pixel(0, 1, NEW_YEAR, 0.6, 1.0)])]
    (tmp_path / "21").mkdir()
    (tmp_path / "22").mkdir()
    old, new = reduced(tmp_path / "21", across, 2021), reduced(tmp_path / "22", across, 2022)
    assert (old["col"] - LEFT, new["col"] - LEFT) == (0, 1)
    assert len(reduced(tmp_path, across, 2020)["row"]) == 0


def test_rows_of_other_shards_are_not_taken(tmp_path):
    inside, beside = Pixel(0, 0, DAY, 0.4, 1.0), Pixel(0, SIDE, DAY, 0.6, 1.0)
    rows = reduced(tmp_path, [orbit([inside, beside])])
    assert rows["col"].tolist() == [LEFT]


@pytest.mark.parametrize("days", [5, 40])
def test_a_day_or_two_of_orbits_wait_in_memory_however_long_the_year(tmp_path, monkeypatch, days):
    waited: list[int] = []
    complete = hotspots._complete_days

    def counted(waiting: list[pa.Table], *, before: int) -> Iterator[pa.Table]:
        waited.append(sum(table.num_rows for table in waiting))
        yield from complete(waiting, before=before)

    monkeypatch.setattr(hotspots, "_complete_days", counted)
    per_orbit = 10
    orbits = [
        orbit([Pixel(r, c, DAY + day + (c > 2), 0.3, 0.9) for r in range(2) for c in range(5)])
        for day in range(days)
        for _ in range(2)
    ]
    rows = reduced(tmp_path, orbits)
    assert rows["n_valid_days"].max() == days
    assert max(waited) <= 4 * per_orbit


def pixels(places: list[tuple[int, int]], year: int = 2021, strength: float = 0.5, days: int = 10) -> pa.Table:
    n = len(places)
    batch = {
        "year": np.full(n, year, np.int16),
        "row": np.array([row for row, _ in places], np.int16),
        "col": np.array([col for _, col in places], np.int16),
        "n_valid_days": np.full(n, days, np.int32),
        "n_detections": np.full(n, days // 2, np.int32),
        "rel_emission": np.full(n, strength, np.float32),
        "rel_emission_sd": np.full(n, 0.1, np.float32),
        "rel_emission_detected": np.full(n, strength + 0.1, np.float32),
        "no2_umol_m2": np.full(n, 80.0, np.float32),
    }
    return to_table(batch, tables.HOTSPOT_PIXELS, stage="test")


def tabulated(folder: Path, parts: list[pa.Table]) -> Batch:
    urls = []
    for number, part in enumerate(parts):
        path = folder / f"pixels-{number}.parquet"
        path.write_bytes(table_store.encode_table(part, ("year", "row", "col")))
        urls.append(str(path))
    return TabulateHotspots("unet 0", "REAL")(Unit("tabulate", "id", "hotspots", {}, tuple(urls), ())).batch


BORDERS = {
    "beside": ([(TOP, LEFT - 1)], [(TOP, LEFT)]),
    "above": ([(TOP - 1, LEFT)], [(TOP, LEFT)]),
    "across the corner": ([(TOP - 1, LEFT - 1)], [(TOP, LEFT)]),
    "across 180 degrees": ([(2000, 7199), (2001, 7199)], [(2000, 0), (2001, 0)]),
}


@pytest.mark.parametrize("case", BORDERS)
def test_a_region_across_a_border_is_one_hotspot(tmp_path, case):
    one, other = BORDERS[case]
    rows = tabulated(tmp_path, [pixels(one), pixels(other)])
    assert rows["n_pixels"].tolist() == [len(one) + len(other)]
    whole = tabulated(tmp_path, [pixels([*other, *one])])
    assert {name: list(v) for name, v in rows.items()} == {name: list(v) for name, v in whole.items()}
    if "180" in case:
        assert abs(rows["lon"][0]) == pytest.approx(180.0, abs=1e-6)
        assert rows["area_km2"] == pytest.approx(
            tabulated(tmp_path, [pixels([(2000, 10), (2001, 10)])])["area_km2"] * 2
        )


def test_years_and_regions_apart_stay_apart(tmp_path):
    rows = tabulated(tmp_path, [pixels([(100, 100)]), pixels([(100, 100)], year=2022), pixels([(100, 102)])])
    assert sorted(rows["hotspot_id"]) == ["2021-r0100-c0100", "2021-r0100-c0102", "2022-r0100-c0100"]


def test_a_hotspot_is_told_by_its_strongest_pixel(tmp_path):
    rows = tabulated(tmp_path, [pixels([(50, 50), (50, 51)]), pixels([(50, 52)], strength=0.8, days=4)])
    assert rows["hotspot_id"] == ["2021-r0050-c0052"]
    assert (rows["n_valid_days"], rows["n_detections"], rows["detect_freq"]) == (4, 2, 0.5)
    assert rows["rel_emission"] == pytest.approx(0.8)
    assert rows["rel_emission_p05"] < 0.8 < rows["rel_emission_p95"] <= 1.0
    assert 0.0 < rows["detect_freq_p05"] < 0.5 < rows["detect_freq_p95"] < 1.0
    assert 50.9 < (rows["lon"][0] + 180.0) / 0.05 - 0.5 < 51.5


def test_one_day_has_no_interval_and_no_pixels_no_hotspots(tmp_path):
    rows = tabulated(tmp_path, [pixels([(50, 50)], days=1)])
    assert np.isnan(rows["rel_emission_p05"]).all() and np.isnan(rows["rel_emission_p95"]).all()
    nothing = tabulated(tmp_path, [pixels([])])
    assert to_table(nothing, tables.HOTSPOTS, stage="test").num_rows == 0
    assert to_table(tabulated(tmp_path, []), tables.HOTSPOTS, stage="test").num_rows == 0


@given(seed=st.integers(0, 1000))
def test_hotspots_hold_every_persistent_pixel_once(seed):
    rng = np.random.default_rng(seed)
    places = sorted({(int(r), int(c)) for r, c in rng.integers(0, 12, (40, 2))})
    batch = {name: column.to_numpy() for name, column in zip(*columns_of(pixels(places)), strict=True)}
    rows = hotspot_rows(batch, bundle="b", data_tier="REAL")
    assert rows["n_pixels"].sum() == len(places)
    assert len(set(rows["hotspot_id"])) == len(rows["hotspot_id"])


def columns_of(table: pa.Table) -> tuple[list[str], list[pa.ChunkedArray]]:
    return table.column_names, table.columns


def test_a_shard_writes_its_grid_and_only_the_persistent_pixels(tmp_path):
    often = [
        orbit([Pixel(0, 0, DAY + d, 0.5, 1.0), Pixel(0, 9, DAY + d, 0.5 if d == 0 else 0.0, 1.0)]) for d in range(20)
    ]
    rows = reduced(tmp_path, often)
    layout = GridLayout((2021,), HOTSPOT_VARIABLES, NO2_LATTICE, GridRules())
    unit = Unit("reduce", "id", "shard", {"year": 2021, "shard_row": SHARD[0], "shard_col": SHARD[1]}, (), ())
    encoded = EncodeShard(layout, "grid.zarr", PersistenceRules(min_frequency=0.1))(unit, rows, {})
    assert (encoded.facts["pixels"], encoded.facts["hotspot_pixels"]) == (2, 1)
    kept = table_store.decode_table(encoded.objects["hotspot_pixels/shard.parquet"], tables.HOTSPOT_PIXELS)
    assert kept.column("col").to_pylist() == [LEFT]
    assert {key.split("/")[1] for key in encoded.objects if key.startswith("grid.zarr/")} == {
        variable.name for variable in HOTSPOT_VARIABLES
    }
    assert encoded == EncodeShard(layout, "grid.zarr", PersistenceRules(min_frequency=0.1))(unit, rows, {})

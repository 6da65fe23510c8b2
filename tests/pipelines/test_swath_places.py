"""Swaths at the edges: of completeness, of the map at 180 degrees, of the lattice near a pole; through the whole job.

Source: LESSONS 5 (74.9 and 75.1 % coverage, tile at +-180 degrees and at the poles), SCIENCE 3.6 (75 % rule).
"""

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carbonray.engine.run import Run
from carbonray.io import grid_store, ledger
from tests.io.granules import FILL, FIRST_MS, GEO, NO2, put
from tests.pipelines.small_inputs import LINES, PIXELS, Inputs, granule, local, partial, prepare, weather

TILE = 64
HALF_PAST_ONE_MS = 5_400_000  # UTC at which the orbit sees 180 degrees at half past one in the afternoon


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return prepare(tmp_path_factory.mktemp("places"))


def one_tile(valid: int) -> bytes:
    """Exactly the 64 by 64 lattice pixels of one tile, so many of them measured: whole columns left out, then a few."""
    edges_lat, edges_lon = -28.2 + 0.05 * np.arange(TILE + 1), 26.0 + 0.05 * np.arange(TILE + 1)
    centres = np.meshgrid((edges_lat[1:] + edges_lat[:-1]) / 2, (edges_lon[1:] + edges_lon[:-1]) / 2, indexing="ij")
    i, j = np.indices((TILE, TILE))
    corners = [np.stack([edges[k + d] for d in turn], -1) for edges, k, turn in
               ((edges_lat, i, (0, 0, 1, 1)), (edges_lon, j, (0, 1, 1, 0)))]  # fmt: skip
    columns = np.full((TILE, TILE), 1e-4, np.float32)
    columns[:, 5:54:3] = FILL  # 17 of 64 columns: 73.4 % are left
    spare = np.argwhere(columns == FILL)[:: 1088 // 128][: valid - (TILE - 17) * TILE]
    columns[tuple(spare.T)] = 1e-4

    def change(file: h5py.File) -> None:
        named = {NO2: columns, "PRODUCT/latitude": centres[0], "PRODUCT/longitude": centres[1]}
        named |= {f"{GEO}/latitude_bounds": corners[0], f"{GEO}/longitude_bounds": corners[1]}
        named["PRODUCT/qa_value"] = np.full((TILE, TILE), 100, np.uint8)
        for path, values in named.items():
            put(path, values[None])(file)

    return granule(change, lines=TILE, pixels=TILE)


@pytest.mark.parametrize(("valid", "judged"), [(3068, 0), (3076, 3076)], ids=["74.9 %", "75.1 %"])
def test_a_tile_is_judged_when_more_than_three_quarters_of_it_are_covered(inputs, valid, judged):
    inputs.put(f"tile-{valid}/tile.nc", one_tile(valid))
    run = inputs.run(f"tile-{valid}", f"tile-{valid}/*.nc")
    assert detected(run).rows["kept"] == valid
    assert len(partial(run, "tile")) == judged
    assert run.facts["summary"]["pixels judged"] == judged
    assert run.facts["units"]["quarantined"] == 0


def test_a_run_that_judges_nothing_is_complete_and_empty(inputs):
    inputs.put("nothing/tile.nc", one_tile(3068))
    run = inputs.run("nothing", "nothing/*.nc")
    assert len(pq.read_table(local(run) / "hotspots.parquet")) == 0
    grid = grid_store.open_grid(str(local(run) / "hotspots.zarr"))
    assert not (grid["n_valid_days"].isel(lat=slice(2300, 2400), lon=slice(4000, 4200)) > 0).any()


def at_longitude(lon0: float, *, eastward_only: bool = False) -> bytes:
    """The same swath from another longitude, at half past one UTC; longitudes of 0 to 360 where asked."""

    def change(file: h5py.File) -> None:
        file["PRODUCT/delta_time"][...] += HALF_PAST_ONE_MS - FIRST_MS
        for path in ("PRODUCT/longitude", f"{GEO}/longitude_bounds"):
            lon = file[path][()]
            file[path][...] = lon % 360.0 if eastward_only else (lon + 180.0) % 360.0 - 180.0

    return granule(change, lon0=lon0)


def ran_at(inputs: Inputs, name: str, data: bytes, lons: tuple[float, float], *more: str) -> Run:
    inputs.put(f"{name}/swath.nc", data)
    inputs.put(f"{name}.weather", weather(lons=lons, hours=(0, 4)))
    return inputs.run(name, f"{name}/*.nc", f"inputs.weather={inputs.folder}/{name}.weather", *more)


def test_a_swath_across_180_degrees_gives_what_it_gives_elsewhere(inputs):
    plain = partial(ran_at(inputs, "elsewhere", at_longitude(138.0), (130.0, 150.0)), "swath")
    cut = f"hotspots.cut={np.quantile(plain.column('rel_emission'), 0.6)}"
    elsewhere = ran_at(inputs, "elsewhere-cut", at_longitude(138.0), (130.0, 150.0), cut)
    across = ran_at(inputs, "across", at_longitude(178.0), (170.0, 190.0), cut)
    shift = 40 * 20  # degrees times pixels
    here, there = (partial(run, "swath") for run in (across, elsewhere))
    moved = np.mod(there.column("col").to_numpy().astype(int) + shift, 7200)
    assert (moved < 100).any() and (moved > 7100).any()
    order = np.lexsort((moved, there.column("row").to_numpy()))
    ours = np.lexsort((here.column("col").to_numpy(), here.column("row").to_numpy()))
    np.testing.assert_array_equal(here.column("row").to_numpy()[ours], there.column("row").to_numpy()[order])
    np.testing.assert_array_equal(here.column("col").to_numpy()[ours], moved[order])
    for name in ("rel_emission", "no2_umol_m2", "coverage"):
        found, expected = (table.column(name).to_numpy()[i] for table, i in ((here, ours), (there, order)))
        np.testing.assert_allclose(found, expected, atol=3e-3 * max(1.0, expected.max()))
    days = here.column("day").to_numpy()[ours]
    west = moved[order] < 3600  # east of the date line it is the day before
    assert (days[~west] - 1 == days[west].max()).all() and len(np.unique(days)) == 2
    assert_same_hotspots(across, elsewhere, 40.0)


def assert_same_hotspots(across: Run, elsewhere: Run, shift_deg: float) -> None:
    """As many hotspots, as large; the largest, which lies across the line, in the shifted place."""
    here, there = (pq.read_table(local(run) / "hotspots.parquet").to_pandas() for run in (across, elsewhere))
    assert len(here) == pytest.approx(len(there), rel=0.01)  # corners are float32: a pixel at the cut may flip
    assert here["n_pixels"].sum() == pytest.approx(there["n_pixels"].sum(), rel=0.01)
    ours, theirs = (frame.loc[frame["n_pixels"].idxmax()] for frame in (here, there))
    assert theirs["n_pixels"] > 1000
    assert ours["n_pixels"] == pytest.approx(theirs["n_pixels"], rel=0.01)
    assert ours["lat"] == pytest.approx(theirs["lat"], abs=0.02)
    assert (ours["lon"] - theirs["lon"]) % 360.0 == pytest.approx(shift_deg, abs=0.02)


def test_longitudes_of_0_to_360_are_those_of_180(inputs):
    signed = ran_at(inputs, "signed", at_longitude(178.0), (170.0, 190.0))
    eastward = ran_at(inputs, "eastward", at_longitude(178.0, eastward_only=True), (170.0, 190.0))
    here, there = partial(signed, "swath"), partial(eastward, "swath")
    for name in ("row", "col", "day"):
        assert here.column(name).equals(there.column(name))
    np.testing.assert_allclose(here.column("rel_emission"), there.column("rel_emission"), atol=3e-3)


def test_near_a_pole_pixels_are_rejected_by_a_named_rule_and_the_rest_is_judged(inputs):
    inputs.put("arctic/swath.nc", granule(lat0=84.9))
    inputs.put("arctic.weather", weather(lats=(80.0, 90.0)))
    run = inputs.run("arctic", "arctic/*.nc", f"inputs.weather={inputs.folder}/arctic.weather")
    rows = detected(run).rows
    rejected = {name: n for name, n in rows.items() if name.startswith("rejected") and "pole" in name}
    assert rows["read"] == LINES * PIXELS and sum(rejected.values()) > 500
    row = partial(run, "swath").column("row").to_numpy()
    assert len(row) > 0 and row.min() >= 20 * (90 - 88)


def test_a_wind_that_covers_a_part_is_no_reason_to_drop_the_swath(inputs):
    inputs.put("half/swath.nc", granule())
    inputs.put("half.weather", weather(lons=(15.0, 26.0)))
    run = inputs.run("half", "half/*.nc", f"inputs.weather={inputs.folder}/half.weather")
    windless = detected(run).facts["pixels_without_wind"]
    assert 0 < windless < run.facts["summary"]["pixels judged"]


def detected(run: Run) -> ledger.Commit:
    """The record of the one granule."""
    [commit] = ledger.read(run.url, "detect").values()
    return commit


def test_the_days_of_a_swath_are_those_of_its_longitude(inputs):
    run = ran_at(inputs, "days", at_longitude(178.0), (170.0, 190.0))
    table: pa.Table = partial(run, "swath")
    east = table.column("col").to_numpy() < 3600
    assert set(table.column("day").to_numpy()[~east]) == {18_833}  # 2021-07-25
    assert set(table.column("day").to_numpy()[east]) == {18_832}

"""Plants and images are kept or rejected by name in bulk, and counted in the form of the paper's table 1."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.io.image_store import ImageStack, PlantYear
from carbonray.io.imagery.image import FLAG_BITS, RegionGrid, Structure
from carbonray.science.power.image_rules import ImageRules
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS
from carbonray.stages.plant_generation import plant_records
from carbonray.stages.plant_selection import FGD_USE, SelectPlants, plant_years
from carbonray.stages.rejections import PAPER_TABLE_1, rejection_counts
from carbonray.stages.selection import CANDIDATES, SelectImages, candidates
from carbonray.vocab.plant_tables import IMAGES, PLANT_WEATHER, REJECTIONS, REPORTED, STRUCTURES, UNITS
from carbonray.vocab.sensors import IMAGERS

T0 = int(np.datetime64("2020-01-10T10", "ns").astype(np.int64))
IMAGE = {
    "plant_id": "p", "imager": "sentinel2", "image_id": "i", "time_utc_ns": T0, "cloud_fraction": 0.1,
    "haze_fraction": np.nan, "clear_fraction": 0.9, "valid_fraction": 1.0, "covered_km2": 100.0,
    "sun_elevation_deg": 40.0, "sun_azimuth_deg": 150.0, "downloaded_utc_ns": T0, "quality": 0, "source_url": "u",
    "data_tier": "SYNTHETIC-T0",
}  # fmt: skip


def images(*changes: dict[str, object]) -> pa.Table:
    rows = [
        {**IMAGE, "image_id": f"i{n}", "time_utc_ns": T0 + n * DAY_NS, **change} for n, change in enumerate(changes)
    ]
    return pa.Table.from_pylist(rows, schema=IMAGES)


def of(table: pa.Table, *kinds: str, inside: bool = True, **scores: float) -> pa.Table:
    rows = [
        {
            **{name: row[name] for name in ("plant_id", "imager", "image_id")},
            "structure_kind": kind, "structures_inside": inside, "brightness": scores.get("brightness", np.nan),
            "cloudiness": scores.get("cloudiness", np.nan),
        }
        for row in table.to_pylist()
        for kind in kinds
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=CANDIDATES)


def weather(temperature_c: float, humidity_pct: float, days: int = 10) -> pa.Table:
    rows = [
        {
            "plant_id": "p", "time_utc_ns": T0 + day * DAY_NS + hour * HOUR_NS, "temperature_c": temperature_c,
            "relative_humidity_pct": humidity_pct, "wind_u_m_s": 0.0, "wind_v_m_s": 0.0, "cloud_cover": 0.0,
        }
        for day in range(days)
        for hour in (-1, 1)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=PLANT_WEATHER)


def rules(rejected: pa.Table) -> dict[tuple[str, str], str]:
    assert rejected.schema.equals(REJECTIONS)
    return {(row["image_id"], row["structure_kind"]): row["rule"] for row in rejected.to_pylist()}


def test_each_rule_of_images_in_its_order_and_weather_for_stacks_only() -> None:
    table = images(
        {}, {"cloud_fraction": 0.3}, {"time_utc_ns": T0, "covered_km2": 50.0}, {"time_utc_ns": T0 + 99 * DAY_NS}
    )
    done = SelectImages()(table, of(table, "NDT", "FGD"), weather(20.0, 20.0))
    assert rules(done.rejected) == {
        ("i0", "FGD"): "weather",
        ("i1", "NDT"): "cloud",
        ("i1", "FGD"): "cloud",
        ("i2", "NDT"): "duplicate",
        ("i2", "FGD"): "duplicate",
        ("i3", "FGD"): "weather unknown",
    }
    kept = sorted(
        zip(done.kept.column("image_id").to_pylist(), done.kept.column("structure_kind").to_pylist(), strict=True)
    )
    assert kept == [("i0", "NDT"), ("i3", "NDT")]
    assert done.kept.num_rows + done.rejected.num_rows == 8


def test_a_copy_that_cannot_be_used_does_not_beat_one_that_can() -> None:
    table = images({"covered_km2": 500.0, "cloud_fraction": 0.9}, {"time_utc_ns": T0})
    done = SelectImages()(table, of(table, "NDT"), weather(5.0, 80.0))
    assert rules(done.rejected) == {("i0", "NDT"): "cloud"}


def test_structures_outside_and_planetscope_scores() -> None:
    table = images({"imager": "planetscope", "haze_fraction": 0.1})
    assert rules(SelectImages()(table, of(table, "NDT", inside=False), weather(5.0, 80.0)).rejected) == {
        ("i0", "NDT"): "structures outside"
    }
    dark = of(table, "NDT", brightness=0.01, cloudiness=0.0)
    assert rules(SelectImages()(table, dark, weather(5.0, 80.0)).rejected) == {("i0", "NDT"): "dark"}


def test_no_images_at_all() -> None:
    done = SelectImages()(IMAGES.empty_table(), CANDIDATES.empty_table(), PLANT_WEATHER.empty_table())
    assert done.kept.num_rows == done.rejected.num_rows == 0


def stack(imager: str, dn: np.ndarray, flags: np.ndarray, kinds: tuple[str, ...], row: list[int]) -> ImageStack:
    n, bands = dn.shape[:2]
    return ImageStack(
        of=PlantYear("p", imager, 2020),
        image_ids=tuple(f"i{k}" for k in range(n)),
        dn=dn,
        flags=flags,
        scale=np.full((n, bands), 1e-4),
        offset=np.zeros((n, bands)),
        k1=np.full((n, bands), np.nan),
        k2=np.full((n, bands), np.nan),
        time_utc_ns=np.full(n, T0),
        bands=tuple(band.name for band in IMAGERS[imager].bands),
        grid=RegionGrid(32632, 0.0, 0.0, 3.0, *dn.shape[2:]),
        structures=tuple(Structure(f"s{k}", kind, 0.0, 0.0) for k, kind in enumerate(kinds)),
        row=np.array(row),
        col=np.array(row),
        data_tier="SYNTHETIC-T0",
    )


def test_candidates_are_images_by_kind_with_the_scores_of_scored_imagers() -> None:
    dn = np.full((2, 4, 8, 8), 1000, np.uint16)
    dn[1] = 5000  # white, bright and bare: a cloud
    flags = np.zeros((2, 8, 8), np.uint8)
    flags[1, 6, 6] = FLAG_BITS["nodata"]
    found = candidates(stack("planetscope", dn, flags, ("NDT", "FGD"), [2, 6]), ImageRules()).to_pylist()
    inside = {(row["image_id"], row["structure_kind"]): row["structures_inside"] for row in found}
    assert inside == {("i0", "NDT"): True, ("i1", "NDT"): True, ("i0", "FGD"): True, ("i1", "FGD"): False}
    scores = {row["image_id"]: (row["brightness"], row["cloudiness"]) for row in found}
    assert scores["i0"] == pytest.approx((0.1, 0.0))
    assert scores["i1"] == pytest.approx((0.5, 1.0))
    thirteen = np.full((1, 13, 8, 8), 1000, np.uint16)
    plain = candidates(stack("sentinel2", thirteen, flags[:1], ("NDT",), [2]), ImageRules()).to_pylist()
    assert np.isnan(plain[0]["brightness"])


def test_rejections_are_counted_by_kind_imager_and_rule() -> None:
    table = pa.concat_tables(
        [
            images({}, {"cloud_fraction": 0.3}),
            images({"imager": "landsat8"}, {"imager": "landsat8", "cloud_fraction": 0.5}),
        ]
    )
    asked = of(table, "NDT", "FGD")
    done = SelectImages()(table, asked, weather(20.0, 20.0))
    counts = {
        (r["structure_kind"], r["imager"], r["rule"]): r["rows"] for r in rejection_counts(done.rejected).to_pylist()
    }
    assert counts["FGD", "landsat8", "weather"] == 1
    assert sum(counts.values()) == 6


def test_the_paper_s_table_1_filters_more_images_of_stacks_than_of_towers() -> None:
    # SCIENCE 4.4 gives the same counts; weather rules hold for stacks only
    for ndt_before, ndt_after, fgd_before, fgd_after in PAPER_TABLE_1.values():
        assert fgd_after / fgd_before < ndt_after / ndt_before < 1


YEAR_NS = {year: int(np.datetime64(f"{year}-01-01", "ns").astype(np.int64)) for year in range(2014, 2026)}


def unit(plant: str, mw: float, **changed: object) -> dict[str, object]:
    return {
        "plant_id": plant, "unit_id": f"{plant}-{mw}", "name": "u", "fuel": "bituminous", "prime_mover": "ST",
        "capacity_mw": mw, "start_utc_ns": None, "end_utc_ns": None, "cooling_type": "natural_draft", "wet_fgd": True,
        "source": "s", "source_id": "u", **changed,
    }  # fmt: skip


def units(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=UNITS)


def structures(*plants: str) -> pa.Table:
    rows = [
        {
            "plant_id": plant,
            "structure_id": f"{plant}{kind}",
            "structure_kind": kind,
            "lat": 0.0,
            "lon": 0.0,
            "source": "x",
        }
        for plant in plants
        for kind in ("NDT", "FGD")
    ]
    return pa.Table.from_pylist(rows, schema=STRUCTURES)


def generation(plant: str, hours: int, mwh: float = 100.0, first: int = YEAR_NS[2016]) -> pa.Table:
    start = first + np.arange(hours) * HOUR_NS
    n = len(start)
    columns = {
        "plant_id": [plant] * n, "source": ["S"] * n, "source_id": ["u"] * n, "start_utc_ns": start,
        "end_utc_ns": start + HOUR_NS, "generation_mwh": np.full(n, mwh), "emissions_t_co2": np.full(n, np.nan),
        "gross": np.ones(n, bool),
    }  # fmt: skip
    return pa.table(columns, schema=REPORTED)


def test_shares_are_of_the_units_in_service_on_the_first_of_july() -> None:
    july = YEAR_NS[2016] + 182 * DAY_NS  # 2016 is a leap year
    fleet = units(
        unit("p", 600.0, cooling_type="natural_draft"),
        unit("p", 200.0, cooling_type="once_through", wet_fgd=None),
        unit("p", 200.0, fuel="gas", prime_mover="GT", cooling_type="", wet_fgd=False),
        unit("p", 500.0, end_utc_ns=july),
        unit("p", 500.0, start_utc_ns=july + 1),
    )
    row = plant_years(fleet, structures("p"), [2016]).frame.iloc[0]
    assert row["capacity_mw"] == 1000.0
    assert row["coal_share"] == pytest.approx(0.8)
    assert row["ndt_share"] == pytest.approx(0.75)  # a gas turbine needs no cooling
    assert row["fgd_generation_share"] == pytest.approx(0.6)
    assert row["fgd_coal_share"] == pytest.approx(0.75)
    assert (row["structures_NDT"], row["structures_FGD"]) == (1, 1)


def test_training_needs_reported_hours_and_names_plant_year_and_rule() -> None:
    fleet = units(unit("good", 600.0), unit("silent", 600.0), unit("small", 400.0), unit("bare", 600.0))
    told = pa.concat_tables([generation(plant, 8784) for plant in ("good", "small", "bare")])
    known = plant_years(fleet, structures("good", "silent", "small"), [2016, 2017], plant_records(told, fleet))
    done = SelectPlants().for_training(known, "NDT")
    assert done.kept.to_dict("records") == [{"plant_id": "good", "year": 2016}]
    named = {(row["plant_id"], row["reason"][3:7]): row["rule"] for row in done.rejected.to_pylist()}
    assert named[("silent", "2016")] == "reported generation"
    assert named[("good", "2017")] == "reported generation"
    assert named[("small", "2016")] == "capacity"
    assert named[("bare", "2016")] == "structures"
    assert len(done.kept) + done.rejected.num_rows == 8


def test_generation_long_after_the_last_unit_retired_is_named() -> None:
    fleet = units(unit("p", 600.0, end_utc_ns=YEAR_NS[2017]))
    told = plant_records(pa.concat_tables([generation("p", 8784 + 90 * 24)]), fleet)
    done = SelectPlants().for_training(plant_years(fleet, structures("p"), [2016], told), "NDT")
    assert done.rejected.column("rule").to_pylist() == ["reported past retirement"]


def test_sporadic_use_of_the_scrubber_is_named() -> None:
    fleet = units(unit("p", 600.0))
    use = pa.table({"plant_id": ["p"], "share": [0.2], "images": [40]}, schema=FGD_USE)
    known = plant_years(fleet, structures("p"), [2016], plant_records(generation("p", 8784), fleet), use)
    assert SelectPlants().for_training(known, "FGD").rejected.column("rule").to_pylist() == ["sporadic FGD"]
    assert len(SelectPlants().for_training(known, "NDT").kept) == 1


def test_inference_asks_for_every_year_of_the_range() -> None:
    fleet = units(unit("whole", 60.0), unit("young", 60.0, start_utc_ns=YEAR_NS[2018]), unit("unknown", np.nan))
    known = plant_years(fleet, structures("whole", "young", "unknown"), range(2015, 2023))
    done = SelectPlants().for_inference(known, "NDT")
    assert done.kept["plant_id"].tolist() == ["whole"]
    told = {row["plant_id"]: (row["rule"], row["reason"][:8]) for row in done.rejected.to_pylist()}
    assert told == {"young": ("coal share", "in 2015:"), "unknown": ("coal share", "in 2015:")}
    assert SelectPlants().for_inference(known, "FGD").kept.empty  # 500 MW still

"""Labels are capacity factors, or on and off labels of the nearest plant; no image disappears without a name."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.io.reported.on_off import OnOffLabels
from carbonray.science.power.label_rules import LabelRules
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.stages.labels import LabelImages, PlaceLabels
from carbonray.stages.plant_generation import plant_records
from carbonray.vocab.plant_tables import LABELS, REJECTIONS, REPORTED, STRUCTURES, UNITS

T0 = int(np.datetime64("2020-01-01", "ns").astype(np.int64))


def units(*rows: tuple[str, str, float, int | None, int | None]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "plant_id": plant, "unit_id": unit, "name": unit, "fuel": "coal", "prime_mover": "ST",
                "capacity_mw": mw, "start_utc_ns": start, "end_utc_ns": end, "cooling_type": "", "wet_fgd": None,
                "source": "s", "source_id": unit,
            }
            for plant, unit, mw, start, end in rows
        ],
        schema=UNITS,
    )  # fmt: skip


def reported(*rows: tuple[str, str, float, float], source: str = "S") -> pa.Table:
    """(plant, unit, hour, MWh) rows."""
    return pa.Table.from_pylist(
        [
            {
                "plant_id": plant, "source": source, "source_id": unit, "start_utc_ns": T0 + int(hour * HOUR_NS),
                "end_utc_ns": T0 + int(hour * HOUR_NS) + HOUR_NS, "generation_mwh": mwh, "emissions_t_co2": np.nan,
                "gross": True,
            }
            for plant, unit, hour, mwh in rows
        ],
        schema=REPORTED,
    )  # fmt: skip


def images(*rows: tuple[str, float], **more: list[float | None]) -> pa.Table:
    """(plant, hour) rows."""
    columns = {
        "plant_id": [plant for plant, _ in rows],
        "structure_kind": ["NDT"] * len(rows),
        "imager": ["sentinel2"] * len(rows),
        "image_id": [f"i{n}" for n in range(len(rows))],
        "time_utc_ns": [T0 + int(hour * HOUR_NS) for _, hour in rows],
    }
    return pa.table({**columns, **more})


def test_a_plant_is_the_sum_of_its_units_over_the_capacity_of_the_date() -> None:
    fleet = units(("p", "u1", 100.0, None, None), ("p", "u2", 300.0, T0 + HOUR_NS, None), ("p", "u0", 900.0, None, T0))
    rows = reported(
        ("p", "u1", 0, 50.0), ("p", "u1", 1, 50.0), ("p", "u2", 1, 150.0), ("p", "u1", 2, 100.0), ("p", "u2", 2, 300.0)
    )
    records = plant_records(rows, fleet).records
    assert records.capacity_mw.tolist() == [100.0, 400.0, 400.0]
    assert records.capacity_factor().tolist() == [0.5, 0.5, 1.0]


def test_a_silent_unit_makes_its_plant_unknown_until_it_has_reported_for_the_last_time() -> None:
    rows = reported(
        *(("p", "a", hour, 10.0) for hour in range(6)),
        *(("p", "b", hour, 10.0) for hour in (1, 3)),
        ("p", "c", 4, np.nan),
    )
    known = plant_records(rows, units(("p", "a", 100.0, None, None))).records.generation_mwh
    assert known == pytest.approx([10.0, 20.0, np.nan, 20.0, np.nan, 10.0], nan_ok=True)


def test_of_two_sources_the_one_that_tells_more_counts() -> None:
    more = reported(("p", "a", 0, 10.0), ("p", "a", 1, 10.0))
    less = reported(("p", "x", 0, 99.0), source="T")
    found = plant_records(pa.concat_tables([less, more]), units(("p", "a", 100.0, None, None)))
    assert found.source.tolist() == ["S"]
    assert found.records.generation_mwh.tolist() == [10.0, 10.0]


def test_labels_and_rejections_are_all_images() -> None:
    generation = plant_records(
        reported(("p", "a", 0, 50.0), ("p", "a", 1, 4.0), ("p", "a", 2, 120.0), ("q", "b", 0, 1.0)),
        units(("p", "a", 100.0, None, None)),
    )
    asked = images(("p", 0.5), ("p", 1.5), ("p", 2.5), ("p", 4.5), ("p", -1.0), ("q", 0.5), ("r", 0.5))
    found = LabelImages()(asked, generation)
    assert found.labels.schema.equals(LABELS)
    assert found.rejected.schema.equals(REJECTIONS)
    assert [(row["image_id"], row["on"]) for row in found.labels.to_pylist()] == [
        ("i0", True),
        ("i1", False),
        ("i2", True),
    ]
    assert found.labels.column("capacity_factor").to_pylist() == pytest.approx([0.5, 0.04, 1.0])
    assert found.labels.column("record_age_s").to_pylist() == [-1800.0] * 3
    assert {row["image_id"]: row["rule"] for row in found.rejected.to_pylist()} == {
        "i3": "record too old",
        "i4": "no record",
        "i5": "generation unknown",  # the inventory has no unit of this plant
        "i6": "no record",
    }


def test_what_a_person_saw_can_contradict_the_report() -> None:
    generation = plant_records(reported(("p", "a", 0, 0.0), ("p", "a", 1, 0.0)), units(("p", "a", 100.0, None, None)))
    asked = images(("p", 1.5), ("p", 1.6), vapor_seen=[1.0, None])
    found = LabelImages(LabelRules())(asked, generation)
    assert found.rejected.column("rule").to_pylist() == ["vapor while off"]
    assert found.labels.column("image_id").to_pylist() == ["i1"]


def test_without_any_report_every_image_is_named() -> None:
    found = LabelImages()(images(("p", 0.5)), plant_records(REPORTED.empty_table(), UNITS.empty_table()))
    assert found.labels.num_rows == 0
    assert found.rejected.column("rule").to_pylist() == ["no record"]


PLANTS = pa.table({"plant_id": ["p", "q"], "lat": [50.0, 50.2], "lon": [10.0, 10.0]})


def seen(*rows: tuple[float, float, int, bool]) -> OnOffLabels:
    lat, lon, hour, on = (np.array(column) for column in zip(*rows, strict=True))
    return OnOffLabels(T0 + hour.astype(np.int64) * HOUR_NS, lat, lon, on.astype(np.bool_), ())


def structures(*rows: tuple[str, str]) -> pa.Table:
    columns = {"plant_id": [p for p, _ in rows], "structure_kind": [k for _, k in rows]}
    more = {
        "structure_id": ["s"] * len(rows),
        "lat": [0.0] * len(rows),
        "lon": [0.0] * len(rows),
        "source": ["x"] * len(rows),
    }
    return pa.table({name: {**columns, **more}[name] for name in STRUCTURES.names}, schema=STRUCTURES)


def test_on_off_labels_go_to_the_nearest_plant_once_for_each_kind_it_has() -> None:
    given_labels = seen((50.01, 10.0, 1, True), (49.99, 10.01, 1, True), (50.19, 10.0, 1, False), (51.0, 10.0, 2, True))
    found = PlaceLabels()(given_labels, PLANTS, structures(("p", "NDT"), ("p", "NDT"), ("p", "FGD")))
    assert found.labels.schema.equals(LABELS)
    told = [(row["plant_id"], row["structure_kind"], row["on"]) for row in found.labels.to_pylist()]
    assert sorted(told) == [("p", "FGD", True), ("p", "NDT", True), ("q", "", False)]
    assert np.isnan(found.labels.column("capacity_factor").to_numpy()).all()
    assert [row["rule"] for row in found.rejected.to_pylist()] == ["no plant near"]
    assert found.labels.column("image_id").to_pylist()[0] == "2020-01-01T01:00:00.000Z"


def test_places_of_a_plant_that_disagree_give_no_label() -> None:
    found = PlaceLabels()(seen((50.01, 10.0, 1, True), (49.99, 10.0, 1, False)), PLANTS, structures())
    assert found.labels.num_rows == 0
    assert [row["rule"] for row in found.rejected.to_pylist()] == ["labels disagree"]


def test_where_every_label_finds_its_plant_nothing_is_rejected() -> None:
    found = PlaceLabels()(seen((50.01, 10.0, 1, True)), PLANTS, structures())
    assert found.labels.num_rows == 1
    assert found.rejected.equals(REJECTIONS.empty_table())


def test_without_plants_every_label_is_far() -> None:
    found = PlaceLabels()(seen((50.01, 10.0, 1, True)), PLANTS.slice(0, 0), structures())
    assert found.rejected.column("rule").to_pylist() == ["no plant near"]


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_images_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{p}", f"u{u}", float(h), float(rng.integers(0, 90))) for p in range(2) for u in range(2) for h in range(5)
    ]
    fleet = units(*((f"p{p}", f"u{p}{u}", 100.0, None, None) for p in range(2) for u in range(2)))
    asked = images(*((f"p{rng.integers(0, 3)}", float(rng.uniform(-1, 8))) for _ in range(12)))
    one = LabelImages()(asked, plant_records(reported(*rows), fleet))
    mixed = [rows[index] for index in rng.permutation(len(rows))]
    order = pa.array(rng.permutation(asked.num_rows))
    other = LabelImages()(asked.take(order), plant_records(reported(*mixed), fleet))
    assert one.labels.num_rows + one.rejected.num_rows == asked.num_rows
    assert one.labels.sort_by("image_id").equals(other.labels.sort_by("image_id"))
    assert one.rejected.sort_by("image_id").equals(other.rejected.sort_by("image_id"))

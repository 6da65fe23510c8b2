"""The plants' part of the page: escaped, whole without pictures, published counts apart."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.publish.report import ReportFacts, render_report
from carbonray.publish.report_plants import ImageSample, PlantFacts
from carbonray.vocab import plant_tables
from tests.publish.example import NASTY, run_facts
from tests.publish.test_report import Outline

KEY = ("NDT", "planetscope")


def plants(count: int = 3) -> pa.Table:
    rows = [
        {"plant_id": f"P{k}", "name": NASTY, "country": "USA", "lat": 40.0 + k, "lon": -80.0, "capacity_mw": 1000.0,
         "primary_fuel": "coal", "source": "gppd", "source_ids": "{}", "fold": k % 4, "data_tier": "SYNTHETIC-T1"}
        for k in range(count)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=plant_tables.PLANTS)


def structures() -> pa.Table:
    rows = [{"plant_id": "P0", "structure_id": "s", "structure_kind": "NDT", "lat": 40.0, "lon": -80.0, "source": "x"}]
    return pa.Table.from_pylist(rows, schema=plant_tables.STRUCTURES)


def facts(**changes: object) -> PlantFacts:
    told = {"entity": ["image"], "structure_kind": ["NDT"], "imager": ["planetscope"], "rule": [NASTY], "rows": [7]}
    sample = ImageSample(NASTY, 0, "on", np.zeros((8, 8, 3), np.uint8), np.array([[2.0, 3.0]]))
    whole = {
        "plants": plants(), "structures": structures(),
        "conflicts": plant_tables.INVENTORY_CONFLICTS.empty_table(), "rejections": pa.table(told),
        "images": {KEY: (10, 3)}, "published": {KEY: (69_533, 54_136)}, "labels": {KEY: (2, 1)}, "samples": (sample,),
    }  # fmt: skip
    return PlantFacts(**{**whole, **changes})  # type: ignore[arg-type]


def page(of: PlantFacts) -> str:
    return render_report(ReportFacts(title="Power plants", run=run_facts("SYNTHETIC-T1"), plants=of)).decode()


def test_the_page_of_plants_is_whole_and_escaped():
    text = page(facts())
    outline = Outline(text)
    assert outline.open == []
    assert NASTY not in text
    assert {"plants", "images", "rules", "pictures"} <= set(outline.values("id"))
    assert "conflicts" not in outline.values("id")
    assert "3 of 10 images passed the rules on images" in outline.text
    assert "Relative emission" not in outline.text


def test_published_counts_stand_in_columns_of_their_own():
    text = page(facts())
    head, body = text.split("published, on other data")
    assert "69,533" not in head
    assert 'class="published' in body.split("69,533")[0][-60:]


def test_a_picture_holds_its_pixels_and_a_ring_for_each_structure():
    outline = Outline(page(facts()))
    rings = [attrs for name, attrs in outline.tags if name == "circle" and attrs.get("class") == "ring"]
    assert [(ring["cx"], ring["cy"]) for ring in rings] == [("3.5", "2.5")]


@pytest.mark.parametrize("count", [0, 1, 2500])
def test_any_number_of_plants_and_nothing_else_makes_a_page(count):
    bare = facts(plants=plants(count), rejections=facts().rejections.slice(0, 0), images={}, labels={}, samples=())
    outline = Outline(page(bare))
    assert outline.open == []
    assert f"{count:,} power plants" in outline.text

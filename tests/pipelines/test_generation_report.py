"""The facts of the page of plants' years, gathered from folders laid out as the jobs leave them."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.engine.run import Run
from carbonray.execution import EngineRules
from carbonray.io import ledger, objectstore
from carbonray.io.inventory.store import INVENTORY
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.io.table_store import encode_table
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.pipelines.generation_report import generation_facts, generation_report
from carbonray.pipelines.plant_tables import ANNUAL, DAYS
from carbonray.publish.geoparquet import encode_geoparquet
from carbonray.publish.report import render_report
from carbonray.settings import load
from carbonray.stages.soundings import FOLDER as SOUNDINGS
from carbonray.vocab import plant_tables
from carbonray.vocab.product_tables import PLANTS_ANNUAL
from tests.publish.example import NASTY, run_facts
from tests.publish.example_generation import KINDS, annual_rows, days_of, soundings_of
from tests.stages.small_years import reports

COUNT = 4
MODEL = "sentinel2_ben_fgd"


def put(url: str, commit: str, pass_name: str, key: str, data: bytes, **facts: object) -> None:
    """An object and the commit that lists it."""
    objectstore.put_bytes(objectstore.join(url, key), data)
    listed = ObjectRecord(key, objectstore.sha256(data), len(data))
    ledger.record(url, Commit(pass_name, commit, commit, "committed", objects=(listed,), facts=facts))


def inventory() -> bytes:
    unit = {"unit_id": "u", "name": "u", "fuel": "lignite", "prime_mover": "ST", "capacity_mw": 100.0,
            "start_utc_ns": None, "end_utc_ns": None, "cooling_type": "", "wet_fgd": None, "source": "x",
            "source_id": "u"}  # fmt: skip
    rows = [
        {"plant_id": f"P{k:07d}", "name": NASTY, "country": "POL", "lat": 50.0, "lon": 10.0, "capacity_mw": 100.0,
         "primary_fuel": "lignite", "source": "x", "source_ids": "{}", "fold": -1, "data_tier": "SYNTHETIC-T1",
         "units": [unit], "structures": []}
        for k in range(COUNT)
    ]  # fmt: skip
    return encode_table(pa.Table.from_pylist(rows, schema=plant_tables.INVENTORY), ("plant_id",))


@pytest.fixture
def run(tmp_path) -> Run:
    """A run over four plants of which two report, beside the store that it read."""
    store, url = str(tmp_path / "store"), str(tmp_path / "years")
    objectstore.put_bytes(objectstore.join(store, INVENTORY), inventory())
    for k in (0, 1):
        plant_id = f"P{k:07d}"
        told = pa.concat_tables([reports(plant_id, 0.5, year=2020), reports(plant_id, 0.5, year=2021, tons=0.8)])
        data = encode_table(told, ("plant_id", "source_id", "start_utc_ns"))
        put(store, f"campd-{k}", "reported", f"reported/campd-{k}.parquet", data, plants=[plant_id])
    put(store, "other", "reported", "reported/other.parquet", b"of a plant that was not scored", plants=["P9999999"])
    annual = pa.Table.from_pylist(annual_rows(COUNT), schema=PLANTS_ANNUAL)
    objectstore.put_bytes(objectstore.join(url, ANNUAL), encode_geoparquet(annual, ("plant_id", "year", "unit_id")))
    for k in range(COUNT):
        plant_id, kind = f"P{k:07d}", KINDS[k % 3]
        days = encode_geoparquet(days_of(k, kind), ("plant_id", "date"))
        put(url, f"{plant_id}-2020", "generation", f"{DAYS}/2020/{plant_id}.parquet", days)
        for year in (2019, 2020):
            heard = encode_table(soundings_of(k, kind, 5), ("image_id",))
            key = f"{plant_id}-sentinel2-{year}"
            put(url, key, "soundings", f"{SOUNDINGS}/{key}.parquet", heard)
    instances = [{"instance": k, "sha256": f"{k}" * 64} for k in range(4)]
    facts = run_facts() | {
        "store_url": store,
        "bundles": [
            {"name": "plants.json", "sha256": "e" * 64},
            {"name": MODEL, "initialisation": "random", "instances": instances},
        ],
        "missing_models": ["landsat8_xgb_ndt: no images"],
    }
    return Run(url, "plants", "d" * 64, EngineRules(), dict(facts))


def test_everything_is_read_from_the_run_and_its_store(run):
    facts = generation_facts(run)

    assert facts.annual.schema == PLANTS_ANNUAL
    assert facts.annual.num_rows == 4 * COUNT
    assert set(facts.chosen) <= {f"P{k:07d}" for k in range(COUNT)}
    assert set(facts.days) == set(facts.soundings) == set(facts.chosen)
    kind = KINDS[int(next(iter(facts.chosen))[1:]) % 3]
    heard = next(iter(facts.soundings.values()))
    assert heard.num_rows == 5 * 4 * (2 if kind == "BOTH" else 1)  # the year before is not of the annual table
    told = {(row["plant_id"], row["year"]): row for row in facts.reported_annual.to_pylist()}
    assert set(told) == {(f"P{k:07d}", year) for k in (0, 1) for year in (2020, 2021)}
    assert told["P0000000", 2021]["capacity_factor"] == pytest.approx(0.5)
    assert told["P0000000", 2021]["emissions_t_co2"] == pytest.approx(0.8 * 50.0 * 8760)
    assert np.isnan(told["P0000000", 2020]["emissions_t_co2"])
    assert set(facts.reported_days) == {"P0000000", "P0000001"} & set(facts.chosen)


def test_models_are_told_with_their_pins_and_the_missing_with_the_reason(run):
    facts = generation_facts(run)

    model = next(model for model in facts.models if model["name"] == MODEL)
    assert (model["instances"], model["initialisation"]) == ("0,1,2,3", "random")
    assert model["sha256"].split(",")[3] == "3" * 64
    assert facts.missing[0] == "landsat8_xgb_ndt: no images"
    assert len(facts.missing) == len(SOUNDING_MODELS) - 1
    assert "sentinel2_xgb_ndt: not trained in this run" in facts.missing


def test_the_page_is_made_and_made_again_the_same(run):
    settings = load(overrides=["plants.store_url=store", "plants.selection.years=[2020, 2021]"])
    page = render_report(generation_report(run, settings))
    text = page.decode()

    assert NASTY not in text
    assert "1 of the paper&#x27;s 16 sounding models" in text
    assert "plants.store_url=store" in text
    assert render_report(generation_report(run, settings)) == page


def test_a_run_without_plants_has_a_page_that_says_so(run):
    bare = Run(run.url + "-bare", "plants", "d" * 64, EngineRules(), run.facts)
    assert "No plant has a year" in render_report(generation_report(bare, load())).decode()

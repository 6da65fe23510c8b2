"""A search for generation models sees one fold, each part of it held out once; its winner is judged on another."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.inventory.store import INVENTORY
from carbonray.io.ledger import ObjectRecord
from carbonray.io.table_store import encode_table
from carbonray.models.generation_peers import PRODUCTION, TRAIN_MEAN
from carbonray.science.spatial.folds import rotation
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS
from carbonray.stages.generation_folds import (
    GenerationFoldRules,
    LabelledSoundings,
    ensemble_of,
    fit_rotations,
)
from carbonray.stages.generation_search import GenerationSources, held_out_fold, search_rmse
from carbonray.stages.generation_targets import TargetRules, labelled_soundings, reported_by_plant, reported_days
from carbonray.vocab import plant_tables
from tests.stages.small_soundings import PAIRS, TIER, fleet, unit_rows

RULES, TARGETS = GenerationFoldRules(), TargetRules()
MW, FLEET = 100.0, fleet(plants=16, years=(2020,), every=12)
FOLDS = {name: number % 4 for number, name in enumerate(FLEET.plants)}


def sources(root, soundings=FLEET.soundings, daily=FLEET.daily, apart_deg=3.0):
    """Tables as runs of ingest and train leave them: a plant every few degrees, daily reports, soundings by year."""
    tables = {INVENTORY: inventory(apart_deg)}
    for number, name in enumerate(FLEET.plants):
        tables[f"reported/{name}.parquet"] = reports(name, daily[number])
        own = soundings.filter(pc.equal(soundings["plant_id"], name))
        tables[f"soundings.parquet/{name}-sentinel2-2020.parquet"] = own
    records = {}
    for key, rows in tables.items():
        data = encode_table(rows, ())
        objectstore.put_bytes(f"{root}/{key}", data)
        records[f"{root}/{key}"] = ObjectRecord(key, objectstore.sha256(data), len(data))
    inputs = {url: record for url, record in records.items() if INVENTORY not in url}
    return GenerationSources("NDT", f"{root}/{INVENTORY}", PAIRS, ("sha",), FOLDS, inputs)


def inventory(apart_deg):
    rows = []
    for number, name in enumerate(FLEET.plants):
        (unit,) = unit_rows((f"{name} unit", "lignite", "ST", MW), plant=name).drop_columns("plant_id").to_pylist()
        rows.append(
            {"plant_id": name, "name": name, "country": "USA", "lat": 40.0, "lon": -100.0 + apart_deg * number,
             "capacity_mw": MW, "primary_fuel": "lignite", "source": "test", "source_ids": "{}",
             "fold": FOLDS[name], "data_tier": TIER, "units": [unit], "structures": []}
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=plant_tables.INVENTORY)


def reports(name, factor):
    start = (FLEET.first_day + np.arange(len(factor))) * DAY_NS
    columns = {
        "plant_id": [name] * len(factor), "source": ["test"] * len(factor), "source_id": ["u"] * len(factor),
        "start_utc_ns": start, "end_utc_ns": start + 24 * HOUR_NS, "generation_mwh": factor * MW * 24.0,
        "emissions_t_co2": np.full(len(factor), np.nan), "gross": [False] * len(factor),
    }  # fmt: skip
    return pa.table(columns, schema=plant_tables.REPORTED)


def perturbed(folds, instances=range(4)):
    """Soundings and truth, those of the plants of some folds and of some instances turned upside down."""
    names = pa.array([name for name, fold in FOLDS.items() if fold in folds])
    told = pc.and_(
        pc.is_in(FLEET.soundings["plant_id"], names),
        pc.is_in(FLEET.soundings["instance"], pa.array(list(instances), FLEET.soundings["instance"].type)),
    )
    value = pc.if_else(
        told, pc.subtract(pa.scalar(1.0, pa.float32()), FLEET.soundings["value"]), FLEET.soundings["value"]
    )
    at = FLEET.soundings.column_names.index("value")
    own = np.isin(np.array(list(FOLDS.values())), list(folds))[:, None]
    return FLEET.soundings.set_column(at, FLEET.soundings.schema.field(at), value), np.where(
        own, 1.0 - FLEET.daily, FLEET.daily
    )


def whole(its: GenerationSources) -> LabelledSoundings:
    """All folds and instances, as the pass of the product reads them."""
    urls = [url for url in its.inputs if "/reported/" in url]
    units = pa.concat_tables([unit_rows((f"{name} unit", "lignite", "ST", MW), plant=name) for name in FOLDS])
    return labelled_soundings(
        "NDT", PAIRS, FLEET.soundings, FOLDS, reported_days(reported_by_plant(urls, FOLDS), units)
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return sources(str(tmp_path_factory.mktemp("search")))


@pytest.fixture(scope="module")
def judged(small):
    """What four rotations say, and the ensemble of them."""
    data = whole(small)
    held_out = fit_rotations(data, (PRODUCTION, TRAIN_MEAN), RULES)
    return held_out, ensemble_of(data, held_out, RULES, data_tier=TIER)


def test_soundings_say_more_than_the_mean_of_the_other_plants(small):
    data = whole(small)
    for test in range(4):
        own = np.array([FOLDS[data.plants[number]] == (test + 1) % 4 for number in data.plant])
        assert search_rmse(small, test, RULES, TARGETS) < 0.9 * data.target[own].std()


@pytest.mark.parametrize("test", [0, 3])
def test_a_search_reads_the_fold_that_its_instance_learns_from_and_no_other(test, small, tmp_path):
    before = search_rmse(small, test, RULES, TARGETS)
    fold = rotation(test).generation_train
    others = [f for f in range(4) if f != fold]
    assert test in others
    changed = perturbed(others)
    assert not FLEET.soundings.equals(changed[0])
    assert search_rmse(sources(f"{tmp_path}/others", *changed), test, RULES, TARGETS) == before
    of_others = perturbed([fold], [k for k in range(4) if k != test])[0]
    assert search_rmse(sources(f"{tmp_path}/instances", of_others), test, RULES, TARGETS) == before
    # the same test fails where the fold itself is changed: it looks
    heard, reported = perturbed([fold])
    assert search_rmse(sources(f"{tmp_path}/heard", heard), test, RULES, TARGETS) != before
    assert search_rmse(sources(f"{tmp_path}/told", daily=reported), test, RULES, TARGETS) != before


def test_nothing_of_a_plant_is_known_to_the_fit_that_answers_for_it(tmp_path):
    """Plants of a fold alike in all but one report: the fit to others cannot know of it."""
    number = list(FOLDS.values()).index(1)
    daily = np.full_like(FLEET.daily, 0.5)
    daily[number] = 0.9
    at = FLEET.soundings.column_names.index("value")
    alike = pa.array(np.full(FLEET.soundings.num_rows, 0.5, np.float32))
    deaf = FLEET.soundings.set_column(at, FLEET.soundings.schema.field(at), alike)
    found = search_rmse(sources(str(tmp_path), deaf, daily), 0, RULES, TARGETS)
    # one plant in four is answered for by 0.5 where 0.9 was; the three others by a mean of 0.5, 0.5 and 0.9
    assert found == pytest.approx(np.sqrt((0.4**2 + 3 * (0.4 / 3) ** 2) / 4), rel=0.02)


def test_plants_of_one_block_are_held_out_together_and_a_fold_of_one_block_cannot_be_searched(tmp_path):
    with pytest.raises(DataError, match="4 plants of fold 1 lie in 1 groups of blocks"):
        search_rmse(sources(str(tmp_path), apart_deg=0.01), 0, RULES, TARGETS)


def test_an_instance_answers_for_its_own_fold_as_the_rotations_do(small, judged):
    all_folds, ensemble = judged
    for k in range(4):
        told = held_out_fold(small, ensemble, k, RULES, TARGETS)
        assert {FOLDS[name] for name in told.plant} == {k}
        rows = np.array([FOLDS[all_folds.plants[number]] == k for number in all_folds.plant])
        assert told.plant == tuple(all_folds.plants[number] for number in all_folds.plant[rows])
        np.testing.assert_array_equal(told.observed, all_folds.observed[rows])
        np.testing.assert_array_equal(told.predicted, all_folds.predicted[PRODUCTION][rows])
        np.testing.assert_array_equal(told.trivial, all_folds.predicted[TRAIN_MEAN][rows])


def test_a_fold_without_plants_is_bad_data(small, judged):
    none = GenerationSources(
        small.kind, small.inventory_url, small.pairs, small.bundles,
        {name: fold for name, fold in FOLDS.items() if fold}, small.inputs,
    )  # fmt: skip
    with pytest.raises(DataError, match="fold 0 holds no plant"):
        held_out_fold(none, judged[1], 0, RULES, TARGETS)

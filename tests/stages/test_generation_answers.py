"""Generation answers beside reports: the product is the refit, plants outside are averages, perfection has no error."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.models.generation import GenerationRules, PlantDays
from carbonray.models.generation_peers import PRODUCTION, TRAIN_MEAN
from carbonray.science.power.lookback import LookbackRules
from carbonray.science.power.sounding_series import Series
from carbonray.stages.generation import SoundingsToGeneration
from carbonray.stages.generation_answers import (
    FittedPeers,
    by_tier,
    day_answers,
    outside_days,
    product_days,
    with_product,
)
from carbonray.stages.generation_folds import (
    LITERAL_WEIGHTS,
    ORACLE,
    GenerationFoldRules,
    ensemble_of,
    fit_rotations,
    oracle_table,
)
from carbonray.stages.plant_score_tables import generation_answers, generation_scores
from carbonray.vocab.product_tables import PLANTS_30DAY
from tests.stages.small_soundings import TIER, fleet, plant_row, unit_rows

RULES = GenerationFoldRules(
    LookbackRules(ndt_windows_days=(30, 60)), GenerationRules(first_year=2019, last_year=2020, tolerance=1e-4)
)
NAMES = (PRODUCTION, TRAIN_MEAN, "last sounding")


@pytest.fixture(scope="module")
def small():
    """A fleet, its labelled soundings, and the rotations with the oracle."""
    made = fleet(plants=8)
    data = made.labelled(step=14)
    oracle = oracle_table(made.soundings, made.truth, 0.05)
    return made, data, fit_rotations(data, NAMES, RULES, oracle)


def days_table(plants, days, values, kind="NDT"):
    rows = [
        {
            "plant_id": plant, "date": np.datetime64(int(day), "D").astype(object), "structure_kind": kind,
            "capacity_factor": float(value),
        }
        for plant, day, value in zip(plants, days, values, strict=True)
    ]  # fmt: skip
    schema = pa.schema([PLANTS_30DAY.field(name) for name in rows[0]])
    return pa.Table.from_pylist(rows, schema=schema)


def test_a_perfect_product_has_no_error_and_the_baseline_is_the_training_mean(small):
    _, _, held = small
    plants = np.array(held.plants)[held.plant]
    days = days_table(plants, held.day, held.observed)

    merged, apart = with_product(held, product_days(days, "NDT"))
    scores = generation_scores(
        generation_answers(merged, {"validation": "cross", "structure_kind": "NDT", "data_tier": TIER})
    )

    rows = {row["model"]: row for row in scores.to_pylist()}
    assert (rows[PRODUCTION]["rmse"], rows[PRODUCTION]["mbe"]) == (0.0, 0.0)
    assert rows[PRODUCTION]["published_rmse"] == 0.149
    assert np.isnan(rows[TRAIN_MEAN]["published_rmse"])
    assert rows[PRODUCTION]["baseline_rmse"] == pytest.approx(rows[TRAIN_MEAN]["rmse"])
    assert rows[PRODUCTION]["n_plants"] == 8
    assert rows[ORACLE]["role"] == "oracle"
    assert apart == pytest.approx(np.max(np.abs(held.predicted[PRODUCTION] - held.observed)))


def test_only_days_of_the_product_and_of_the_kind_are_judged(small):
    _, _, held = small
    plants = np.array(held.plants)[held.plant]
    towers = days_table(plants[:10], held.day[:10], held.observed[:10])
    stacks = days_table(plants, held.day, held.observed, "FGD")

    merged, _ = with_product(held, product_days(pa.concat_tables([towers, stacks]), "NDT"))

    assert len(merged.observed) == 10
    assert all(len(values) == 10 for values in merged.predicted.values())


def test_the_product_of_a_training_plant_is_what_the_rotations_say_of_it(small):
    made, data, held = small
    ensemble = ensemble_of(data, held, RULES, data_tier=TIER)
    name = made.plants[3]
    units = unit_rows(("u", "lignite", "ST", 100.0), plant=name)
    own = SoundingsToGeneration([ensemble])(made.soundings, plant_row(name), units, ("NDT",), 2020)

    merged, apart = with_product(held, product_days(own.days, "NDT"))

    assert len(merged.observed) > 20
    assert apart < 1e-12


def test_plants_outside_get_the_mean_of_four_instances_of_averaged_soundings(small):
    held = small[2]
    outside = fleet(seed=5, plants=3)
    data = outside.labelled(step=28)
    oracle = oracle_table(outside.soundings, outside.truth, 0.05)
    found = outside_days(data, FittedPeers(held.fitted, RULES.lookback), oracle)

    assert set(found.predicted) == {*NAMES, LITERAL_WEIGHTS, ORACLE}
    means = [model.predict(nothing_read(found)) for model in held.fitted[TRAIN_MEAN]]
    assert found.predicted[TRAIN_MEAN] == pytest.approx(np.mean(means, axis=0))
    ensemble = ensemble_of(small[1], held, RULES, data_tier=TIER)
    units = unit_rows(("u", "lignite", "ST", 100.0))
    # a plant of another name than any in training: all four answer
    table = outside.soundings.set_column(
        0, "plant_id", pa.array([f"new {n}" for n in outside.soundings["plant_id"].to_pylist()])
    )
    table = table.cast(outside.soundings.schema)
    own = SoundingsToGeneration([ensemble])(table, plant_row("new plant 00"), units, ("NDT",), 2020)
    product = product_days(own.days, "NDT").rename(index=lambda name: name.removeprefix("new "), level=0)
    _, apart = with_product(found, product)
    assert apart < 1e-12
    without = outside_days(data, FittedPeers(held.fitted, RULES.lookback), None)
    assert ORACLE not in without.predicted


def nothing_read(found):
    """Rows without any sounding."""
    empty = Series(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    return PlantDays(found.plant, found.day, np.zeros((len(found.day), 0)), empty)


def test_answers_split_by_tier_and_travel_as_one_long_table(small):
    _, _, held = small
    tiers = {name: "SYNTHETIC-T2" if number < 2 else TIER for number, name in enumerate(held.plants)}
    parts = dict(by_tier(held, tiers))

    assert set(parts) == {TIER, "SYNTHETIC-T2"}
    assert {held.plants[number] for number in np.unique(parts["SYNTHETIC-T2"].plant)} == {"plant 00", "plant 01"}
    assert sum(len(part.observed) for part in parts.values()) == len(held.observed)
    table = day_answers(held, "NDT")
    assert table.num_rows == len(held.observed) * len(held.predicted)
    first = table.filter(pa.compute.field("model") == PRODUCTION).to_pylist()[0]
    row = np.flatnonzero((held.plant == 0) & (held.day == first["day"]))
    assert first["capacity_factor"] == held.predicted[PRODUCTION][row[0]]

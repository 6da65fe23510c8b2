"""Rotations leak nothing: what is fitted depends on its own fold and instance alone; all methods stand in one table."""

import dataclasses
import functools
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from carbonray.errors import DataError
from carbonray.models.generation import GenerationRules
from carbonray.models.generation_ensemble import encode_ensemble
from carbonray.models.generation_peers import GENERATION_MODELS, PRODUCTION
from carbonray.models.sounding_trees import TreeRules
from carbonray.science.power.lookback import LookbackRules, feature_names, outputs_of
from carbonray.science.spatial.folds import rotation
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.stages.averaged_soundings import averaged_soundings
from carbonray.stages.generation_folds import (
    LITERAL_WEIGHTS,
    ORACLE,
    GenerationFoldRules,
    ensemble_of,
    fit_rotations,
    held_out_years,
    oracle_table,
)
from carbonray.stages.plant_score_tables import PlantScoreRules, generation_answers, generation_scores
from tests.stages.small_soundings import PAIRS, TIER, fleet

RULES = GenerationFoldRules(
    generation=GenerationRules(
        trees=TreeRules(rounds=20, max_depth=2, stop_rounds=0), kernel_days=(20.0,), memory_days=(60.0,), priors=(1.0,)
    )
)


@functools.cache
def small_fleet():
    return fleet()


@functools.cache
def judged():
    data = small_fleet().labelled()
    oracle = oracle_table(data.soundings, small_fleet().truth, 0.05)
    return data, fit_rotations(data, rules=RULES, oracle=oracle)


def rmse(held_out, name):
    return float(np.sqrt(np.mean((held_out.predicted[name] - held_out.observed) ** 2)))


def test_every_row_is_judged_once_by_every_method_and_soundings_beat_the_mean() -> None:
    data, held_out = judged()
    assert set(held_out.predicted) == {*GENERATION_MODELS, LITERAL_WEIGHTS, ORACLE}
    rows = set(zip(held_out.plant.tolist(), held_out.day.tolist(), strict=True))
    assert len(rows) == len(held_out.day) == len(data.day)
    assert rmse(held_out, PRODUCTION) < 0.6 * rmse(held_out, "train mean")
    assert rmse(held_out, ORACLE) < rmse(held_out, PRODUCTION)
    assert all(
        rmse(held_out, name) < rmse(held_out, "train mean") for name in ("ridge", "Kalman filter", "boosted trees")
    )


def test_table_5_holds_all_of_them_beside_the_training_mean() -> None:
    _, held_out = judged()
    keys = {"validation": "cross", "structure_kind": "NDT", "data_tier": TIER}
    rules = PlantScoreRules(BootstrapRules(resamples=30))
    rows = {row["model"]: row for row in generation_scores(generation_answers(held_out, keys), rules).to_pylist()}
    assert {name for name, row in rows.items() if row["published_n_plants"]} == {PRODUCTION}
    assert {row["role"] for row in rows.values()} == {"model", "variant", "trivial", "peer", "oracle"}
    for name, row in rows.items():
        assert row["rmse"] == pytest.approx(rmse(held_out, name))
        assert row["baseline_rmse"] == pytest.approx(rmse(held_out, "train mean"))
    assert rows[PRODUCTION]["rmse_significant"]
    assert not rows["train mean"]["rmse_significant"]


def perturbed(soundings, where):
    value = pc.if_else(pa.array(where), pc.subtract(1.0, soundings.column("value")), soundings.column("value"))
    at = soundings.schema.get_field_index("value")
    return soundings.set_column(at, soundings.schema.field(at), value.cast(pa.float32()))


@pytest.mark.parametrize("k", range(4))
def test_an_instance_depends_on_its_own_fold_and_its_own_soundings_alone(k) -> None:
    data, held_out = judged()
    names = (PRODUCTION, "Gaussian kernel")
    fold = np.array([data.folds[name] for name in data.soundings.column("plant_id").to_pylist()])
    other = data.soundings.column("instance").to_numpy() != k
    changed = dataclasses.replace(
        data,
        soundings=perturbed(data.soundings, other | (fold != rotation(k).generation_train)),
        target=np.where(np.isin(data.plant % 4, rotation(k).generation_train), data.target, 1 - data.target),
    )
    again = fit_rotations(changed, names, RULES)
    for name in names:
        facts = [json.dumps(of.fitted[name][k].facts(), sort_keys=True) for of in (held_out, again)]
        assert facts[0] == facts[1]
    own = dataclasses.replace(data, soundings=perturbed(data.soundings, ~other))
    assert fit_rotations(own, names, RULES).fitted[PRODUCTION][k].facts() != held_out.fitted[PRODUCTION][k].facts()


def test_oracle_soundings_say_the_truth_and_nothing_of_images_without_one() -> None:
    data, truth = small_fleet().labelled(), small_fleet().truth
    table = oracle_table(data.soundings, truth.slice(1), 0.05)
    told = averaged_soundings(table, outputs_of(PAIRS), data.plants, range(4))
    regressor = np.array([output.head == "reg" for output in outputs_of(PAIRS)])[told.output]
    daily = small_fleet().daily[told.plant, told.day - small_fleet().first_day]
    assert told.value[regressor] == pytest.approx(daily[regressor], abs=1e-7)
    assert told.value[~regressor] == pytest.approx((daily[~regressor] > 0.05).astype(float))
    first = truth.slice(0, 1).to_pylist()[0]
    silent = pc.and_(
        pc.equal(data.soundings.column("plant_id"), first["plant_id"]),
        pc.equal(data.soundings.column("image_id"), first["image_id"]),
    )
    assert np.isnan(table.filter(silent).column("value").to_numpy()).all()


def test_years_compare_the_same_days_and_only_where_enough_is_reported() -> None:
    data, _ = judged()
    daily = small_fleet().labelled(step=1)
    some = np.isin(daily.plant, [0, 1])
    partly = some & ~((daily.plant == 1) & (daily.day > daily.day.min() + 150))  # plant 1 falls silent in 2019
    held_out = dataclasses.replace(
        judged()[1],
        plant=daily.plant[partly],
        day=daily.day[partly],
        observed=daily.target[partly],
        predicted={PRODUCTION: daily.target[partly] + 0.1},
    )
    years = held_out_years(held_out, PRODUCTION)
    assert list(zip(years.plant.tolist(), years.year.tolist(), strict=True)) == [(0, 2020)]  # 2019 begins on day 60
    whole = small_fleet().daily[0, 365 : 365 + 366].mean()
    assert years.observed == pytest.approx(whole, abs=0.01)  # windows reach into 2019 and 2021
    assert years.predicted == pytest.approx(years.observed + 0.1, abs=1e-9)
    assert data.plants[0] == "plant 00"


def test_the_ensemble_knows_its_lineage_and_its_width_covers_its_own_held_out_plants() -> None:
    data, held_out = judged()
    ensemble = ensemble_of(data, held_out, RULES, sounding_bundles=("sha",), data_tier=TIER)
    assert dict(ensemble.training_folds) == data.folds
    error = np.abs(held_out.predicted[PRODUCTION] - held_out.observed)
    assert 0.0 < ensemble.width_30d < 1.0
    assert np.mean(error <= ensemble.width_30d) > 0.9
    assert encode_ensemble(ensemble) == encode_ensemble(
        ensemble_of(data, held_out, RULES, sounding_bundles=("sha",), data_tier=TIER)
    )
    names = feature_names(ensemble.outputs, ensemble.windows_days, indicators=False)
    assert ensemble.instances[0].scaling.names == names


def test_both_readings_of_appendix_c_are_fitted_by_the_same_call() -> None:
    data = small_fleet().labelled(step=20)
    found = {}
    for heads, weighting in (("paper_count", "normalised"), ("literal", "literal")):
        rules = dataclasses.replace(RULES, lookback=LookbackRules(heads=heads, weighting=weighting))
        held_out = fit_rotations(data, (PRODUCTION,), rules)
        found[heads] = len(held_out.fitted[PRODUCTION][0].coefficients)
        assert rmse(held_out, PRODUCTION) < 0.2
    assert found["paper_count"] - found["literal"] == 3 * 2  # one auxiliary head: its mean and its share above 0.5


def test_a_value_that_is_said_twice_is_named() -> None:
    table = small_fleet().soundings
    twice = pa.concat_tables([table.slice(0, 5), table.slice(2, 1)])
    with pytest.raises(DataError, match=r"two values of \w+ (xgb|resisc) \w+"):
        averaged_soundings(twice, outputs_of(PAIRS), small_fleet().plants, range(4))


def test_means_over_instances_depend_on_no_order() -> None:
    table = small_fleet().soundings.slice(0, 400)
    shuffled = table.take(np.random.default_rng(0).permutation(400))
    for instances in ([2], range(4)):
        one, other = (
            averaged_soundings(of, outputs_of(PAIRS), small_fleet().plants, instances) for of in (table, shuffled)
        )
        for name in ("plant", "day", "image", "output", "value"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
    alone = averaged_soundings(table, outputs_of(PAIRS), small_fleet().plants, [2]).value
    assert np.sort(alone) == pytest.approx(np.sort(table.filter(pc.equal(table.column("instance"), 2)).column("value")))

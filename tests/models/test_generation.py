"""Imputation, scaling and regression from the training fold alone; all models of one table; JSON to the last bit."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError, DataError
from carbonray.models.generation import GenerationRules, PlantDays, fit_lasso, fit_scaling
from carbonray.models.generation_ensemble import (
    GenerationEnsemble,
    encode_ensemble,
    ensemble_sha256,
    opened_ensemble,
)
from carbonray.models.generation_peers import GENERATION_MODELS, PRODUCTION
from carbonray.models.sounding_trees import TreeRules
from carbonray.science.power.lookback import LookbackRules, ModelPair, feature_names, outputs_of
from carbonray.science.power.sounding_series import Series
from tests.golden_numbers import golden

PAPER = golden("plume_paper")["generation_models"]
NAMES = tuple(f"f{number}" for number in range(6))
RULES = GenerationRules(trees=TreeRules(rounds=20, max_depth=2, stop_rounds=0, min_child_weight=1.0))
SEEDS = st.integers(0, 2**32 - 1)


def plant_days(seed, n=120, plants=4, missing=0.2):
    """Rows whose target leans on two features; a quarter of the features is missing."""
    rng = np.random.default_rng(seed)
    features = rng.random((n, len(NAMES)))
    target = np.clip(0.2 + 0.5 * features[:, 0] + 0.1 * features[:, 3] + rng.normal(0, 0.02, n), 0, 1)
    features[rng.random(features.shape) < missing] = np.nan
    plant, day = np.arange(n) % plants, 18_000 + np.arange(n) // plants
    seen = rng.random(n) < 0.5
    series = Series(plant[seen], day[seen], np.clip(target[seen] + rng.normal(0, 0.1, seen.sum()), 0, 1))
    return PlantDays(plant, day, features, series), target


def test_penalties_and_years_are_the_paper_s() -> None:
    rules = GenerationRules()
    assert (rules.l1("NDT"), rules.l1("FGD")) == (PAPER["ndt_l1"], PAPER["fgd_l1"])
    assert (rules.first_year, rules.last_year) == (PAPER["first_year"], PAPER["last_year"])


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.booleans())
def test_an_imputed_value_is_zero_after_scaling_and_the_rest_has_no_mean_and_unit_spread(seed, indicators) -> None:
    rows, _ = plant_days(seed)
    scaling = fit_scaling(rows.features, NAMES, indicators=indicators)
    scaled = scaling.apply(rows.features)
    missing = np.isnan(rows.features)
    assert scaled[:, : len(NAMES)][missing] == pytest.approx(0.0, abs=1e-12)
    assert scaled.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert scaled.std(axis=0) == pytest.approx(1.0)
    assert len(scaling.names) == scaled.shape[1] == len(NAMES) * (1 + indicators)
    if indicators:
        flags = scaled[:, len(NAMES) :] * scaling.sd[len(NAMES) :] + scaling.mean[len(NAMES) :]
        assert flags == pytest.approx(missing.astype(float))


def test_without_any_sounding_everything_is_imputed_and_every_flag_is_up() -> None:
    rows, _ = plant_days(0)
    scaling = fit_scaling(rows.features, NAMES, indicators=True)
    scaled = scaling.apply(np.full((2, len(NAMES)), np.nan))
    assert scaled[:, : len(NAMES)] == pytest.approx(0.0, abs=1e-12)
    assert scaled[:, len(NAMES) :] * scaling.sd[len(NAMES) :] + scaling.mean[len(NAMES) :] == pytest.approx(1.0)


def test_a_feature_that_no_training_row_knows_has_no_effect_later() -> None:
    rows, target = plant_days(1)
    features = rows.features.copy()
    features[:, 2] = np.nan
    model = fit_lasso(dataclasses.replace(rows, features=features), target, NAMES, "FGD", RULES)
    later = features.copy()
    later[:, 2] = 1e3
    told, untold = (model.predict(dataclasses.replace(rows, features=of)) for of in (later, features))
    assert model.coefficients[2] == model.coefficients[2 + len(NAMES)] == 0.0
    assert np.array_equal(told, untold)


def test_the_lasso_is_sparse_and_finds_what_matters_and_towers_have_no_flags() -> None:
    rows, target = plant_days(2, n=600, missing=0.0)
    model = fit_lasso(rows, target, NAMES, "NDT", GenerationRules(ndt_l1=0.02))
    assert set(np.flatnonzero(model.coefficients)) <= {0, 3}
    assert model.coefficients[0] > 0.05
    assert np.sqrt(np.mean((model.predict(rows) - target) ** 2)) < 0.05
    assert len(model.coefficients) == len(NAMES)
    assert len(fit_lasso(rows, target, NAMES, "FGD", RULES).coefficients) == 2 * len(NAMES)


def test_the_objective_is_scikit_learn_s() -> None:
    """min 1/(2n) |y - Xb - b0|^2 + l |b|_1: no coordinate may be improved upon (SCIENCE 4.6)."""
    rows, target = plant_days(3, n=300)
    model = fit_lasso(rows, target, NAMES, "NDT", GenerationRules(tolerance=1e-10))
    scaled = model.scaling.apply(rows.features)
    gradient = scaled.T @ (target - scaled @ model.coefficients - model.intercept) / len(target)
    used = model.coefficients != 0.0
    assert gradient[used] == pytest.approx(0.005 * np.sign(model.coefficients[used]), abs=1e-6)
    assert (np.abs(gradient[~used]) <= 0.005 + 1e-6).all()


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_rows_of_other_plants_and_their_number_change_no_bit_of_an_answer(seed) -> None:
    """Leak test: scaling, imputation and answers come from the training rows alone."""
    train, target = plant_days(seed)
    test, _ = plant_days(seed + 1, n=37)
    model = fit_lasso(train, target, NAMES, "FGD", RULES)
    whole = model.predict(test)
    one = model.predict(PlantDays(test.plant[5:6], test.day[5:6], test.features[5:6], test.series))
    assert one[0] == whole[5]


@pytest.mark.parametrize("name", GENERATION_MODELS)
@pytest.mark.parametrize("kind", ["NDT", "FGD"])
def test_every_model_answers_every_row_and_comes_back_from_json_to_the_last_bit(name, kind) -> None:
    train, target = plant_days(4)
    test, _ = plant_days(5, n=60)
    unseen = dataclasses.replace(test, plant=test.plant + 50, features=np.full_like(test.features, np.nan))
    entry = GENERATION_MODELS[name]
    model = entry.fit(train, target, NAMES, kind, RULES)
    again = entry.opened(json.loads(json.dumps(model.facts(), allow_nan=False)))
    for rows in (test, unseen):
        answer = model.predict(rows)
        assert answer.shape == rows.day.shape
        assert ((answer >= 0.0) & (answer <= 1.0)).all()
        assert np.array_equal(answer, again.predict(rows))
    assert len(model.predict(PlantDays(test.plant[:0], test.day[:0], test.features[:0], test.series))) == 0


@pytest.mark.parametrize("name", ["train mean", "last sounding", "mean of 30 days", "Gaussian kernel", "Kalman filter"])
def test_a_plant_without_soundings_gets_the_training_mean_from_the_classical_peers(name) -> None:
    train, target = plant_days(6)
    model = GENERATION_MODELS[name].fit(train, target, NAMES, "NDT", RULES)
    nobody = PlantDays(np.array([99]), np.array([18_010]), np.full((1, len(NAMES)), np.nan), train.series)
    assert model.predict(nobody) == pytest.approx(target.mean())


@pytest.mark.parametrize("name", GENERATION_MODELS)
def test_nothing_is_fitted_to_unknown_targets(name) -> None:
    rows, target = plant_days(7)
    for bad in (np.append(target[1:], np.nan), target[:0]):
        with pytest.raises(DataError, match="targets are known"):
            GENERATION_MODELS[name].fit(rows, bad, NAMES, "NDT", RULES)


def test_features_of_another_layout_are_refused() -> None:
    rows, target = plant_days(8)
    model = fit_lasso(rows, target, NAMES, "NDT", RULES)
    with pytest.raises(ContractError, match="features of shape"):
        model.predict(dataclasses.replace(rows, features=rows.features[:, :-1]))


def small_ensemble(**changes):
    pairs = (ModelPair("sentinel2", "xgb", False),)
    lookback = LookbackRules()
    names = feature_names(outputs_of(pairs), lookback.windows_days("NDT"), indicators=False)
    rng = np.random.default_rng(0)
    rows, target = plant_days(9)
    rows = dataclasses.replace(rows, features=rng.random((len(target), len(names))))
    instances = tuple(fit_lasso(rows, target + k / 100, names, "NDT", RULES) for k in range(4))
    fields = {
        "structure_kind": "NDT",
        "model": PRODUCTION,
        "instances": instances,
        "pairs": pairs,
        "lookback": lookback,
        "training_folds": {"p1": 2, "p2": 0},
        "width_30d": 0.31,
        "width_annual": 0.1 + 0.2,
        "sounding_bundles": ("a", "b"),
        "data_tier": "SYNTHETIC-T1",
    }
    return GenerationEnsemble(**fields | changes), rows


def test_an_ensemble_comes_back_from_its_document_to_the_last_bit() -> None:
    ensemble, rows = small_ensemble()
    again = opened_ensemble(json.loads(encode_ensemble(ensemble)), where="test")
    assert encode_ensemble(again) == encode_ensemble(ensemble)
    assert ensemble_sha256(again) == ensemble_sha256(ensemble)
    every = np.arange(4)
    assert np.array_equal(again.predict(rows, every), ensemble.predict(rows, every))
    assert (again.outputs, again.windows_days) == (ensemble.outputs, (30, 60, 180))


def test_training_plants_are_answered_by_their_held_out_instance_and_others_by_the_mean() -> None:
    ensemble, rows = small_ensemble()
    assert ensemble.instances_for("p1").tolist() == [2]
    assert ensemble.instances_for("p2").tolist() == [0]
    assert ensemble.instances_for("new").tolist() == [0, 1, 2, 3]
    each = [instance.predict(rows) for instance in ensemble.instances]
    assert np.array_equal(ensemble.predict(rows, ensemble.instances_for("p1")), each[2])
    assert ensemble.predict(rows, ensemble.instances_for("new")) == pytest.approx(np.mean(each, axis=0))


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("instances"),
        lambda d: d["instances"].pop(),
        lambda d: d.update(format=2),
        lambda d: d.update(model="of nobody"),
        lambda d: d["lookback"].update(unknown=1),
        lambda d: d["instances"][0].pop("mean"),
        lambda d: d.update(training_folds=[1]),
    ],
)
def test_a_damaged_document_is_refused(damage) -> None:
    document = json.loads(encode_ensemble(small_ensemble()[0]))
    damage(document)
    with pytest.raises(ContractError, match="holds no generation models"):
        opened_ensemble(document, where="test")

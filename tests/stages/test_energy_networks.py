"""How networks between energy and emissions are fitted: rules, scales of what teaches, hulls, errors, too few rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from carbonray.errors import ContractError, DataError, SettingsError
from carbonray.models.clean import Clean, CleanConfig, scaled_to
from carbonray.models.clean_fit import CleanFitRules
from carbonray.models.clean_registry import CLEAN_MODELS
from carbonray.models.fit import Workers
from carbonray.science.energy.hull import hull
from carbonray.science.energy.mix import proportions, stacked
from carbonray.stages.energy_bundles import TASKS
from carbonray.stages.energy_hulls import measured, spread_rows, told_hulls
from carbonray.stages.energy_networks import CleanTrainRules, energy_fit, fitted_energy, stream_answers
from carbonray.stages.fit_checkpoints import run_here
from tests.models.small_mixes import batch
from tests.stages.small_energy import COMPOSITES, HULL, RULES, UNION, divided, land, stored

LAND = land()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return stored(LAND, str(tmp_path_factory.mktemp("land")))


def fit_of(data, rules=RULES, model="clean_mlp", instance=2, **split):
    of = divided(data, **split)
    return energy_fit(rules, model, of, of.turn(instance))


def test_settings_stand_over_the_registry():
    assert CleanTrainRules().network_fit("clean_mlp") == CleanFitRules()
    told = CleanTrainRules(fit={"epochs": 5, "loss": {"lambda_cycle": 10.0}}).network_fit("clean_mlp")
    assert (told.epochs, told.loss.lambda_cycle, told.loss.lambda_latent) == (5, 10.0, 0.1)
    for name, entry in CLEAN_MODELS.items():
        made = CleanTrainRules(config={"d": 16, "include_total": True}).network(name)
        assert made == replace(entry.config, d=16, include_total=True, cycle=entry.fit.loss.decodes)
    assert not CleanTrainRules(fit={"loss": {"lambda_cycle": 0.0}}).network("clean_mlp").cycle


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"config": {"sources": 5}}, "tells sources"),
        ({"config": {"energy_center": [0.0]}}, "tells energy_center"),
        ({"config": {"cycle": False}}, "tells cycle"),
        ({"config": {"depth": 3}}, r"unknown setting energy\.training\.config\.depth"),
        ({"config": {"encoder": "gnn"}}, "cannot be"),
        ({"fit": {"loss": {"beta": 1.0}}}, r"unknown setting energy\.training\.fit\.loss\.beta"),
        ({"fit": {"epochs": "many"}}, "epochs = 'many'"),
    ],
    ids=str,
)
def test_what_cannot_be_told_is_named(data, rules, said):
    with pytest.raises(SettingsError, match=said):
        fit_of(data, replace(RULES, **rules))
    with pytest.raises(ContractError, match="no network of energy"):
        RULES.network_fit("opencarbon")


@pytest.mark.parametrize("shares", [False, True])
def test_scales_of_rows_as_they_come_are_those_of_all_at_once(shares):
    parts = [LAND.rows(np.arange(first, min(first + 7, len(LAND)))) for first in range(0, len(LAND), 7)]
    found, whole = measured(CleanConfig(), parts, shares=shares), scaled_to(CleanConfig(), batch(LAND), shares=shares)
    for name in ("energy_center", "energy_spread", "emissions_center", "emissions_spread"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=1e-5)


def test_scales_and_hulls_are_of_the_rows_that_teach(data):
    fit = fit_of(data)
    taught = stacked(list(fit.train.parts()))
    assert fit.config.energy_center[-1] == pytest.approx(np.log(taught.energy.sum(axis=1)).mean())
    assert fit.config.emissions_spread[-1] == pytest.approx(np.log(taught.emissions.sum(axis=1)).std())
    *_, last = fit.epochs(Workers())
    fitted = fitted_energy(fit, last.state, RULES, HULL)
    amounts = {"emissions": "energy", "energy": "emissions"}
    tested = LAND.rows(LAND.region == "Borduria")
    for task in TASKS:
        told = fitted.told[task]
        mixes, strange = (proportions(getattr(rows, amounts[task]))[0] for rows in (taught, tested))
        assert not told.hull.outside(mixes).any() and told.hull.outside(strange).max() > 0.0
        assert 0.0 < told.threshold < np.sqrt(2.0)


def test_hulls_of_rows_as_they_come_are_those_of_all_at_once():
    own = LAND.rows(LAND.region != UNION)
    found = told_hulls([LAND], [own.rows(np.arange(100)), own.rows(np.arange(100, len(own)))], HULL, COMPOSITES)
    whole = hull(proportions(own.energy)[0], HULL)
    assert np.array_equal(found["emissions"].hull.directions, whole.directions)
    np.testing.assert_allclose(found["emissions"].hull.support, whole.support, rtol=1e-12)
    with pytest.raises(DataError, match="fewer than two regions"):
        told_hulls([LAND.rows(np.isin(LAND.region.astype(str), ["Aland", UNION]))], [], HULL, COMPOSITES)


def test_some_rows_of_each_region_are_spread_over_its_time():
    at = spread_rows(LAND.region, 10)
    assert len(at) == 70 and np.all(np.diff(at) > 0)
    own = LAND.start_ns[at][LAND.region[at] == "Florin"]
    whole = LAND.start_ns[LAND.region == "Florin"]
    assert (own[0], own[-1]) == (whole[0], whole[-1]) and np.diff(own).max() <= 1.3 * np.diff(own).min()
    assert len(spread_rows(LAND.region, 10_000)) == len(LAND) and not len(spread_rows(LAND.region[:0], 10))


def test_too_few_rows_are_refused_by_name(data):
    with pytest.raises(DataError, match=r"rows to learn from and \d+ to validate on") as found:
        fit_of(data, replace(RULES, least_rows=500))
    assert found.value.where == "tested on Borduria"


def test_the_digest_holds_everything_that_can_change_the_weights(data, tmp_path):
    fit = fit_of(data)
    changed = [
        fit_of(data, replace(RULES, fit={**RULES.fit, "seed": 7})),
        fit_of(data, replace(RULES, config={**RULES.config, "d": 5})),
        fit_of(data, replace(RULES, window_rows=9)),
        fit_of(data, instance=1),
        fit_of(stored(land(seed=4), str(tmp_path))),
    ]
    assert fit.name == "clean_mlp-2" and fit.digest() == fit_of(data).digest()
    assert len({fit.digest(), *(one.digest() for one in changed)}) == 6


def test_a_fit_taken_up_again_ends_in_the_same_bytes(data, tmp_path):
    fit = fit_of(data)

    def die(_metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_here(fit, f"{tmp_path}/killed", on_epoch=die)
    whole, again = (run_here(fit, f"{tmp_path}/{name}") for name in ("whole", "killed"))
    assert again.epoch == 2 and all(torch.equal(again.tensors[name], value) for name, value in whole.tensors.items())


@pytest.mark.parametrize("protocol", ["region", "time"])
def test_what_is_stored_is_the_best_epoch_and_its_errors_by_group(data, protocol):
    fit = fit_of(data, protocol=protocol, instance=1)
    *_, last = fit.epochs(Workers())
    fitted = fitted_energy(fit, last.state, RULES, HULL)
    best = min(epoch["validation_mape"] for epoch in last.state.facts["history"])
    assert fitted.scores["mape"] == pytest.approx(best, rel=1e-4)
    halves = fitted_energy(fit, last.state, replace(RULES, weights="fp16"), HULL)
    assert {value.dtype for value in halves.tensors.values()} == {np.dtype("float16")}
    assert halves.scores["mape"] == pytest.approx(best, rel=0.02)
    validated = set(stacked(list(fit.validation.parts())).region)
    groups = {"region": validated, "time": {"2020-02"}}[protocol]
    for task in TASKS:
        assert set(fitted.errors[task]) == groups
        assert all(len(values) == 8 and min(values) >= 0.0 for values in fitted.errors[task].values())


def test_answers_are_beside_the_rows_they_are_of(data):
    fit = fit_of(data)
    told = stream_answers(Clean(fit.config), replace(fit.validation, batch_size=17), "cpu")
    rows = stacked(list(fit.validation.parts()))
    assert told.rows.region.tolist() == rows.region.tolist() and told.answer.shape == told.truth.shape
    np.testing.assert_allclose(np.exp(told.truth[:, 0]), rows.emissions.sum(axis=1))
    np.testing.assert_allclose(np.exp(told.truth[:, 1]), rows.energy.sum(axis=1))
    scores = told.scores()
    off = np.abs(np.expm1(told.answer - told.truth)).mean(axis=0)
    assert scores["mape_emissions"] == pytest.approx(off[0]) and scores["mape"] == pytest.approx(off.mean())

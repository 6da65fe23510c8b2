"""No fit of mixes sees the region it is judged on, nor does a search; each check fails where such a leak is planted."""

import dataclasses
import itertools

import numpy as np
import pytest

from carbonray.execution import TrackRules, TrainRules
from carbonray.models.fit import FitState
from carbonray.science.energy.splits import TEST, TRAIN, VALIDATE, roles
from carbonray.science.energy.synthesis import recipes
from carbonray.stages.energy_hulls import measured
from carbonray.stages.energy_networks import energy_fit, fitted_energy
from carbonray.stages.energy_roles import divided_energy
from carbonray.stages.fit_checkpoints import run_here
from carbonray.training.energy_learner import EnergyTrial
from tests.stages.small_energy import HULL, NAMES, RULES, SPLIT, SYNTHESIS, UNION, land, stored
from tests.training.leaks import check_leaks, plant

MODEL, OUT = "clean_mlp", "Aland"  # a member of the sum
INSTANCE = NAMES.index(OUT)
QUICK = dataclasses.replace(RULES, fit={**RULES.fit, "epochs": 1})
NUMBERS = itertools.count()
LAND = land(30)


def turned(of, region):
    """Other amounts of a region, and of the sum that it is in."""
    chosen = np.isin(of.region.astype(str), [region, UNION] if region == OUT else [region])
    energy = np.where(chosen[:, None], of.energy[:, ::-1] * 3.0, of.energy)
    return dataclasses.replace(of, energy=energy, emissions=np.where(chosen[:, None], of.emissions * 0.2, of.emissions))


def placed(of, folder):
    return stored(of, f"{folder}/land-{next(NUMBERS)}")


def left(of, folder):
    """Everything that a fit without Aland leaves: weights, scales, hulls, errors and scores."""
    data = placed(of, folder)
    divided = divided_energy(data, SPLIT, SYNTHESIS)
    fit = energy_fit(QUICK, MODEL, divided, divided.turn(INSTANCE))
    state: FitState = run_here(fit, f"{data.url}/states")
    found = fitted_energy(fit, state, QUICK, HULL)
    tensors = {name: value.tobytes() for name, value in found.tensors.items()}
    hulls = {task: (told.hull.support.tobytes(), told.threshold) for task, told in found.told.items()}
    return tensors, dataclasses.asdict(fit.config), hulls, found.errors, found.scores


def check_fits(folder, unseen=(OUT,), seen=()):
    check_leaks(lambda of: left(of, folder), LAND, turned, unseen=unseen, seen=seen)


def reports(of, folder):
    """What a trial of a search tells where Aland is the test turn."""
    trial = EnergyTrial(MODEL, QUICK, placed(of, folder), SPLIT, SYNTHESIS, INSTANCE, 2, TrainRules(), TrackRules())
    told = []
    trial.run(told.append)
    assert told and all("seconds" not in report for report in told)
    return told


def test_fits_pass(tmp_path):
    check_fits(tmp_path, seen=("Elbonia",))


@pytest.mark.parametrize("leak", [TRAIN, VALIDATE], ids=["teaches", "validates"])
def test_a_region_in_another_role_is_found(leak, tmp_path, monkeypatch):
    def leaky(*told):
        role = roles(*told)
        return np.where(role == TEST, leak, role).astype(np.int8)

    plant(monkeypatch, roles, leaky)
    with pytest.raises(AssertionError, match="Aland leaks into the fit"):
        check_fits(tmp_path)


def test_a_sum_of_regions_that_teaches_is_found(tmp_path, monkeypatch):
    plant(monkeypatch, roles, lambda rows, turn, rules, _composites: roles(rows, turn, rules, {}))
    with pytest.raises(AssertionError, match="Aland leaks into the fit"):
        check_fits(tmp_path)


def test_a_synthesised_country_made_of_the_region_is_found(tmp_path, monkeypatch):
    def leaky(rows, rules):
        return tuple(dataclasses.replace(one, regions=(OUT, *one.regions[1:])) for one in recipes(rows, rules))

    plant(monkeypatch, recipes, leaky)
    with pytest.raises(AssertionError, match="Aland leaks into the fit"):
        check_fits(tmp_path)


def test_scales_measured_over_all_rows_are_found(tmp_path, monkeypatch):
    now = {}
    real = left

    def told(of, folder):
        now["rows"] = of
        return real(of, folder)

    monkeypatch.setitem(globals(), "left", told)
    plant(monkeypatch, measured, lambda config, _parts, shares: measured(config, [now["rows"]], shares=shares))
    with pytest.raises(AssertionError, match="Aland leaks into the fit"):
        check_fits(tmp_path)


def test_trials_pass(tmp_path):
    check_leaks(lambda of: reports(of, tmp_path), LAND, turned, unseen=(OUT,), seen=("Elbonia",))


def test_trials_that_validate_on_the_region_are_found(tmp_path, monkeypatch):
    def leaky(*told):
        role = roles(*told)
        return np.where(role == TEST, VALIDATE, role).astype(np.int8)

    plant(monkeypatch, roles, leaky)
    with pytest.raises(AssertionError, match="Aland leaks into the fit"):
        check_leaks(lambda of: reports(of, tmp_path), LAND, turned, unseen=(OUT,), seen=())

"""No fit of cells sees those it is judged on, nor does a search; and each check fails where such a leak is planted."""

import dataclasses
import itertools

import numpy as np
import pytest

from carbonray.execution import TrackRules, TrainRules
from carbonray.models.fit import FitState
from carbonray.science.spatial.folds import rotation, search_turns
from carbonray.science.urban.cell_splits import TEST as TESTS
from carbonray.science.urban.cell_splits import TRAIN, VALIDATE, cell_folds, roles
from carbonray.stages.cell_networks import cell_fit, fitted_cells
from carbonray.stages.cell_roles import DividedCells, divided_cells
from carbonray.stages.fit_checkpoints import run_here
from carbonray.training.cell_learner import CellTrial
from tests.stages.small_cells import RULES, stored, town
from tests.training.leaks import check_leaks, plant

MODEL, QUICK, TEST = "opencarbon", "opencarbon_no_image", 0  # where a leak is planted, points and windows suffice
NUMBERS = itertools.count()
TOWN = town()
FOLDS = cell_folds(TOWN.cell_id, TOWN.city.tolist(), RULES.split).fold


def turned(of, fold):
    return of.turned(fold == FOLDS)


def other_look(of, fold):
    """Other images and points, the same labels."""
    return of.turned(fold == FOLDS, labels=False)


def weights(of, folder, model):
    """Everything that a fit of instance 0 leaves: weights, the centre of its answers, its band and its scores."""
    data = stored(of, f"{folder}/town-{next(NUMBERS)}")
    divided = divided_cells(data, RULES.split)
    fit = cell_fit(RULES, model, data, divided, divided.turn(TEST))
    state: FitState = run_here(fit, f"{data.url}/states")
    fitted = fitted_cells(fit, state, RULES)
    told = {name: value.tobytes() for name, value in fitted.tensors.items()}
    return told, dataclasses.asdict(fit.config), dataclasses.asdict(fitted.back), fitted.scores


def check_fits(folder, unseen, seen=(), changed=turned, model=QUICK):
    check_leaks(lambda of: weights(of, folder, model), TOWN, changed, unseen=unseen, seen=seen)


def reports(of, folder):
    """What a trial of a search tells, the test fold being 0."""
    data = stored(of, f"{folder}/town-{next(NUMBERS)}")
    trial = CellTrial(QUICK, RULES, data, TEST, 1, TrainRules(), TrackRules())
    told = []
    trial.run(told.append)
    assert told and all("seconds" not in report for report in told)
    return told


def check_trials(folder, unseen, seen=()):
    check_leaks(lambda of: reports(of, folder), TOWN, turned, unseen=unseen, seen=seen)


def test_fits_pass(tmp_path):
    check_fits(tmp_path, (TEST,), seen=(2,), model=MODEL)


@pytest.mark.parametrize("leak", [TRAIN, VALIDATE], ids=["teaches", "validates"])
def test_a_test_fold_in_another_role_is_found(leak, tmp_path, monkeypatch):
    def leaky(*told):
        role = roles(*told)
        return np.where(role == TESTS, leak, role)

    plant(monkeypatch, roles, leaky)
    with pytest.raises(AssertionError, match="0 leaks into the fit"):
        check_fits(tmp_path, (TEST,))


def test_a_buffer_that_is_forgotten_is_found(tmp_path, monkeypatch):
    """Without it windows of cells beside the test fold show its images, whatever their labels."""

    def leaky(cell, fold, turn, split):
        return roles(cell, fold, turn, dataclasses.replace(split, buffer_cells=0))

    plant(monkeypatch, roles, leaky)
    with pytest.raises(AssertionError, match="0 leaks into the fit"):
        check_fits(tmp_path, (TEST,), changed=other_look)


def test_a_centre_measured_over_all_cells_is_found(tmp_path, monkeypatch):
    real = cell_fit

    def leaky(rules, model, data, divided, turn, *more):
        ln = divided.rows.ln_t_co2
        told = {**rules.config, "ln_center": float(ln.mean()), "ln_spread": float(ln.std())}
        return real(dataclasses.replace(rules, config=told), model, data, divided, turn, *more)

    monkeypatch.setitem(globals(), "cell_fit", leaky)
    with pytest.raises(AssertionError, match="0 leaks into the fit"):
        check_fits(tmp_path, (TEST,))


def test_trials_pass(tmp_path):
    check_trials(tmp_path, (TEST,), seen=(1,))


def test_trials_that_see_the_test_fold_are_found(tmp_path, monkeypatch):
    crossed = (rotation(1), rotation(2))
    plant(monkeypatch, search_turns, lambda *_: crossed)
    with pytest.raises(AssertionError, match="0 leaks into the fit"):
        check_trials(tmp_path, (TEST,))


def test_the_town_has_cells_in_every_role_and_in_the_buffer(tmp_path):
    divided: DividedCells = divided_cells(stored(TOWN, str(tmp_path)), RULES.split)
    role = roles(divided.rows.cell_id, divided.folds.fold, rotation(TEST), RULES.split)
    assert set(np.unique(role).tolist()) == {-1, 0, 1, 2}
    np.testing.assert_array_equal(divided.folds.fold, FOLDS)

"""Trials of every kind of model report the same whatever the test fold holds; turns that leak are found."""

import dataclasses
import itertools

import pytest

from carbonray.io.ledger import ObjectRecord
from carbonray.science.spatial.folds import rotation, search_turns
from carbonray.settings import load
from carbonray.training.plant_samples import Samples
from carbonray.training.scene_learner import SceneLearner, Scenes, job_of
from carbonray.training.sounding_learner import SoundingLearner
from tests.stages import small_stores, test_sounding_fits
from tests.stages.test_sounding_fits import NETWORK, TREES
from tests.training.leaks import check_leaks, plant
from tests.training.small_scenes import SHARE, perturbed, scenes

TEST, OTHERS = 2, (0, 1, 3)
TARGET = "capacity_factor"  # its RMSE tells any change; the mAP of a few images may not
SOUNDINGS = (
    "soundings.fit.trees={rounds: 4, min_child_weight: 0.1, features_share: 1.0, stop_rounds: 2}",
    "soundings.fit.fit={epochs: 1, batch_size: 8, augment: {magnitude: 0.0}}",
    "soundings.fit.config={width: 4, attention_width: 4}",
)
SCENES = ("model=unet", "training.fit={epochs: 1, batch_size: 4}", "training.config={width: 4}")
NUMBERS = itertools.count()


def settings(*told, splits=3):
    return load(overrides=[*told, f"tune.test_fold={TEST}", f"tune.splits={splits}"])


def told_by(trial):
    reports = []
    trial.run(reports.append)
    assert reports and all("seconds" not in report for report in reports)
    return reports


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Samples of four rendered plants, one a fold: what trees read, and what networks read."""
    return dict(zip((TREES, NETWORK), small_stores.samples(str(tmp_path_factory.mktemp("samples"))), strict=True))


def check_soundings(name, urls, folder, seen=()):
    def fitted(of):
        records = {"/".join(url.rsplit("/", 3)[1:]): ObjectRecord("", "", 0) for url in of}
        folds = {plant.plant_id: fold for fold, plant in enumerate(small_stores.plants())}
        prepared = Samples(of[0].rsplit("/", 3)[0], folds, records, records, small_stores.TIER)
        trial = SoundingLearner().trial(prepared, settings(f"model={name}", *SOUNDINGS), TARGET)
        if name == NETWORK:
            trial = dataclasses.replace(trial, run_url=f"{folder}/states-{next(NUMBERS)}")
        return told_by(trial)

    def changed(of, fold):
        return test_sounding_fits.perturbed(name, of, fold, folder / f"fold-{fold}-{next(NUMBERS)}")

    check_leaks(fitted, urls, changed, unseen=(TEST,), seen=seen)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return scenes(str(tmp_path_factory.mktemp("scenes")))


def check_scenes(shards, folder, splits=3, seen=()):
    def fitted(of):
        told = settings(*SCENES, splits=splits)
        prepared = Scenes(job_of(told, "out", "run"), of, f"{folder}/run-{next(NUMBERS)}")
        return told_by(SceneLearner().trial(prepared, told, "hotspots"))

    def changed(of, part):
        return perturbed(of, part, folder / f"other-{next(NUMBERS)}")

    check_leaks(fitted, shards, changed, unseen=(TEST, SHARE), seen=seen)


@pytest.mark.parametrize(("name", "seen"), [(TREES, OTHERS), (NETWORK, (0,))])
def test_trials_of_soundings_pass(name, seen, made, tmp_path):
    check_soundings(name, made[name], tmp_path, seen=seen)


def test_trials_of_scenes_pass(shards, tmp_path):
    check_scenes(shards, tmp_path, splits=1, seen=(3,))


def leaky_turns(monkeypatch, turns):
    plant(monkeypatch, search_turns, lambda *_: tuple(turns))


SCORED = [dataclasses.replace(turn, val=turn.test) for turn in search_turns(TEST)]
CROSSED = [rotation(k) for k in range(4)]


@pytest.mark.parametrize(
    ("name", "turns"),
    [(TREES, SCORED), (TREES, CROSSED), (NETWORK, SCORED)],
    ids=["trees scored on the test fold", "trees in plain cross-validation", "networks scored on the test fold"],
)
def test_trials_of_soundings_that_see_the_test_fold_are_found(name, turns, made, tmp_path, monkeypatch):
    leaky_turns(monkeypatch, turns)
    with pytest.raises(AssertionError, match=f"{TEST} leaks into the fit"):
        check_soundings(name, made[name], tmp_path)


def test_trials_of_scenes_that_see_the_test_fold_are_found(shards, tmp_path, monkeypatch):
    leaky_turns(monkeypatch, SCORED)
    with pytest.raises(AssertionError, match=f"{TEST} leaks into the fit"):
        check_scenes(shards, tmp_path, splits=1)

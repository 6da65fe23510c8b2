"""No fit on scenes sees those it is judged on, neither the test share nor a fold; planted leaks are found."""

import dataclasses
import itertools

import pytest

from carbonray.execution import TrainRules
from carbonray.models.fit import FitRules
from carbonray.science.spatial.folds import rotation
from carbonray.stages.fit_checkpoints import run_here
from carbonray.training.scene_fit import fold_shards, saved_bundle, scene_encoding, scene_fit
from carbonray.training.train_job import TrainJob
from tests.training.leaks import check_leaks
from tests.training.small_scenes import SAMPLES, SHARE, perturbed, scenes

FIT = FitRules(epochs=1, batch_size=4, learning_rate=1e-3)
NUMBERS = itertools.count()
INSTANCE, TURN = 1, rotation(1)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return scenes(str(tmp_path_factory.mktemp("scenes")))


def job(model="unet", **run):
    config = {"width": 4} if model == "unet" else {}
    facts = {"run_id": "r", "out_url": "", "scenes_url": "", "command": "train", "settings_digest": "d"}
    return TrainJob(model=model, samples=SAMPLES, fit=FIT, config=config, train=TrainRules(**run), **facts)


def encoded(model, **run):
    """What the network of a model reads, which holds the range of the column over some scenes."""
    return lambda train, validation, everything: scene_encoding(job(model, **run), train, everything)


def check_scenes(shards, folder, unseen, seen=(), *, turn=TURN, made=None):
    """Of one instance, by the digest of its bundle or by what is `made` of its splits."""

    def bundle(train, validation, everything):
        encoding = scene_encoding(job(), train, everything)
        state = run_here(scene_fit(job(), encoding, train, validation, name="fit"), f"{folder}/states-{next(NUMBERS)}")
        return saved_bundle(job(), f"{folder}/bundle-{next(NUMBERS)}", encoding, train, validation, state).sha256

    def fitted(of):
        train, validation, _ = fold_shards(of, turn)
        return (made or bundle)(train, validation, of)

    def changed(of, part):
        return perturbed(of, part, folder / f"other-{next(NUMBERS)}")

    check_leaks(fitted, shards, changed, unseen=unseen, seen=seen)


def test_an_instance_sees_its_own_folds_and_nothing_else(shards, tmp_path):
    check_scenes(shards, tmp_path, unseen=(INSTANCE, SHARE), seen=(2, 3))


@pytest.mark.parametrize("roles", [{"train": (3, 0, INSTANCE)}, {"val": INSTANCE}], ids=["trains", "stops"])
def test_an_instance_that_sees_its_test_fold_is_found(roles, shards, tmp_path):
    with pytest.raises(AssertionError, match=f"{INSTANCE} leaks into the fit"):
        check_scenes(shards, tmp_path, (INSTANCE,), turn=dataclasses.replace(TURN, **roles))


def test_the_range_of_the_column_is_that_of_the_training_folds(shards, tmp_path):
    made = encoded("plume_net_paper", column_range="train_only")
    check_scenes(shards, tmp_path, unseen=(INSTANCE, 2, SHARE), seen=(3, 0), made=made)


@pytest.mark.parametrize("part", [INSTANCE, SHARE])
def test_the_papers_range_over_everything_is_the_leak_that_it_is(part, shards, tmp_path):
    with pytest.raises(AssertionError, match=f"{part} leaks into the fit"):
        check_scenes(shards, tmp_path, (part,), made=encoded("plume_net_paper", column_range="all_samples"))

"""No fit sees the rows it is judged on, nor does a search; and each check fails where such a leak is planted."""

import dataclasses
import functools
import itertools
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from carbonray.io.inventory.store import read_inventory
from carbonray.io.objectstore import listing
from carbonray.models.generation import GenerationRules
from carbonray.models.generation_peers import PRODUCTION
from carbonray.models.sounding_trees import TreeRules, fit_trees
from carbonray.science.spatial.folds import rotation, search_turns
from carbonray.science.stats.metrics import rmse
from carbonray.stages.averaged_soundings import averaged_soundings
from carbonray.stages.generation_folds import GenerationFoldRules, LabelledSoundings, fit_rotations
from carbonray.stages.generation_search import search_rmse
from carbonray.stages.generation_targets import TargetRules
from carbonray.stages.sounding_streams import bag_files, band_scaling
from tests.stages import test_generation_folds, test_sounding_fits
from tests.stages.small_soundings import fleet
from tests.stages.small_stores import samples
from tests.stages.test_sounding_fits import NETWORK, TREES
from tests.training.leaks import check_leaks, plant, plant_rotation

TEST, OTHERS = 0, (1, 2, 3)
TRAINED_ON_TEST = ("trained on the test fold", lambda turn: {"train": (*turn.train, turn.test)})
STOPPED_ON_TEST = ("stopped on the test fold", lambda turn: {"val": turn.test})
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Samples of four rendered plants, one a fold: what trees read, and what networks read."""
    return dict(zip((TREES, NETWORK), samples(str(tmp_path_factory.mktemp("samples"))), strict=True))


def check_soundings(name, urls, folder, unseen=(TEST,), seen=()):
    """Of instance 0, by the digest of its bundle."""

    def fitted(of):
        return test_sounding_fits.digest(test_sounding_fits.fit(name, TEST, of, folder / f"states-{next(NUMBERS)}"))

    def perturbed(of, fold):
        return test_sounding_fits.perturbed(name, of, fold, folder / f"fold-{fold}-{next(NUMBERS)}")

    check_leaks(fitted, urls, perturbed, unseen=unseen, seen=seen)


@pytest.mark.parametrize(("name", "seen"), [(TREES, OTHERS), (NETWORK, (1,))])
def test_fits_of_soundings_pass(name, seen, made, tmp_path):
    check_soundings(name, made[name], tmp_path, seen=seen)


@pytest.mark.parametrize("name", [TREES, NETWORK])
@pytest.mark.parametrize("leak", [TRAINED_ON_TEST, STOPPED_ON_TEST], ids=lambda leak: leak[0])
def test_a_rotation_that_leaks_is_found(name, leak, made, tmp_path, monkeypatch):
    plant_rotation(monkeypatch, leak[1])
    with pytest.raises(AssertionError, match="0 leaks into the fit"):
        check_soundings(name, made[name], tmp_path)


def test_bands_scaled_over_all_folds_are_found(made, tmp_path, monkeypatch):
    def leaky(stream):
        folder = stream.files[0].url.rpartition("/")[0]
        files = bag_files([f"{folder}/{key}" for key in listing(folder)], stream.kind, with_loads=stream.with_loads)
        return band_scaling(dataclasses.replace(stream, files=files))

    plant(monkeypatch, band_scaling, leaky)
    with pytest.raises(AssertionError, match="0 leaks into the fit"):
        check_soundings(NETWORK, made[NETWORK], tmp_path)


def test_a_fit_that_reads_nothing_does_not_pass(made, tmp_path):
    with pytest.raises(AssertionError, match="1 has no part in the fit"):
        check_leaks(lambda rows: "same", [], lambda rows, part: rows, unseen=(TEST,), seen=(1,))


GENERATION = GenerationFoldRules(generation=GenerationRules(kernel_days=(20.0,), memory_days=(60.0,), priors=(1.0,)))


@functools.cache
def labelled():
    return fleet(plants=8).labelled(step=14)


def other_soundings(data, part):
    """The soundings of a fold's plants and their targets, or the soundings of an instance, turned around."""
    kind, number = part
    if kind == "fold":
        told = np.array([data.folds[name] for name in data.soundings.column("plant_id").to_pylist()])
        target = np.where(data.plant % 4 == number, 1 - data.target, data.target)
    else:
        told, target = data.soundings.column("instance").to_numpy(), data.target
    soundings = test_generation_folds.perturbed(data.soundings, told == number)
    return dataclasses.replace(data, soundings=soundings, target=target)


def check_generation(unseen, seen=()):
    """Of instance 0, by everything that was fitted; parts are folds, and instances of sounding models."""

    def fitted(data):
        return json.dumps(fit_rotations(data, (PRODUCTION,), GENERATION).fitted[PRODUCTION][TEST].facts())

    check_leaks(fitted, labelled(), other_soundings, unseen=unseen, seen=seen)


def test_fits_of_generation_pass():
    """Instance 0 learns from what sounding instance 0 says of fold 1: of other plants it knows nothing."""
    unseen = [("fold", 0), ("fold", 2), ("fold", 3), ("instance", 1), ("instance", 2), ("instance", 3)]
    check_generation(unseen, seen=[("fold", 1), ("instance", 0)])


def test_generation_that_learns_from_the_test_fold_is_found(monkeypatch):
    plant_rotation(monkeypatch, lambda turn: {"generation_train": turn.test})
    with pytest.raises(AssertionError, match=r"'fold', 0\) leaks into the fit"):
        check_generation([("fold", TEST)])


def test_generation_that_reads_soundings_of_models_that_knew_its_plants_is_found(monkeypatch):
    def leaky(rows, outputs, plants, _instances):
        return averaged_soundings(rows, outputs, plants, range(4))

    plant(monkeypatch, averaged_soundings, leaky)
    with pytest.raises(AssertionError, match=r"'instance', 2\) leaks into the fit"):
        check_generation([("instance", 2)])


@dataclasses.dataclass(frozen=True)
class Sources:
    """Soundings and reports in memory, of plants in a row along the equator."""

    data: LabelledSoundings
    kind: str = "NDT"
    inventory_url: str = ""

    def of_fold(self, fold, instance, _targets):
        del fold  # whoever keeps rows of other plants must not be the one that guards them
        own = pc.equal(self.data.soundings.column("instance"), instance)
        return dataclasses.replace(self.data, soundings=self.data.soundings.filter(own))


@pytest.fixture
def equator(monkeypatch):
    columns = {"plant_id": list(labelled().plants), "lat": [0.0] * 8, "lon": [5.0 * number for number in range(8)]}
    plant(monkeypatch, read_inventory, lambda _: (pa.table(columns), None, None))


def check_generation_search(unseen, seen=()):
    """Of the search whose test fold is 0: it has the fold that instance 0 learns from, and no other."""

    def reports(data):
        return search_rmse(Sources(data), TEST, GENERATION, TargetRules())

    check_leaks(reports, labelled(), other_soundings, unseen=unseen, seen=seen)


@pytest.mark.usefixtures("equator")
def test_searches_of_generation_pass():
    unseen = [("fold", 0), ("fold", 2), ("fold", 3), ("instance", 1)]
    check_generation_search(unseen, seen=[("fold", 1), ("instance", 0)])


@pytest.mark.usefixtures("equator")
def test_a_search_of_generation_that_sees_the_test_fold_is_found(monkeypatch):
    plant_rotation(monkeypatch, lambda turn: {"generation_train": turn.test})
    with pytest.raises(AssertionError, match=r"'fold', 0\) leaks into the fit"):
        check_generation_search([("fold", TEST)])


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows as trees read them."""

    features: np.ndarray
    target: np.ndarray
    fold: np.ndarray


def table(rows=240):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(rows, 3)).astype(np.float32)
    target = np.clip(0.5 + 0.2 * features[:, 0] + 0.1 * rng.normal(size=rows), 0, 1)
    return Table(features, target, np.arange(rows) % 4)


def other_table(of, fold):
    there = of.fold == fold
    features = np.where(there[:, None], of.features[:, ::-1], of.features)
    return Table(features, np.where(there, 1 - of.target, of.target), of.fold)


def reports(of, turns):
    """What a trial of a search over some turns reports: a score of each, and their mean."""
    scores = {}
    for number, turn in enumerate(turns):
        train, val = (np.flatnonzero(np.isin(of.fold, folds)) for folds in (turn.train, (turn.val,)))
        rules = TreeRules(rounds=4, min_child_weight=0.1, stop_rounds=0)
        names = ("a", "b", "c")
        trees = fit_trees(
            "capacity_factor", of.features, of.target, train=train, validation=val, names=names, rules=rules
        )
        scores[f"validation_rmse/{number}"] = float(rmse(of.target[val], trees.predict(of.features[val])))
    return scores | {"validation_rmse": float(np.mean(list(scores.values())))}


@pytest.mark.parametrize("splits", [1, 2, 3])
@pytest.mark.parametrize("test", range(4))
def test_a_search_reports_the_same_whatever_its_test_fold_holds(test, splits):
    others = sorted(set(range(4)) - {test})
    check_leaks(
        lambda rows: reports(rows, search_turns(test)[:splits]), table(), other_table, unseen=(test,), seen=others
    )


@pytest.mark.parametrize(
    "turns",
    [
        [dataclasses.replace(turn, val=turn.test) for turn in search_turns(TEST)],  # scored on the test fold
        [*search_turns(TEST)[:2], dataclasses.replace(search_turns(TEST)[2], train=(TEST, 1))],  # fitted on it, once
        [rotation(k) for k in range(4)],  # plain cross-validation, in which no fold is left untouched
    ],
    ids=["scores on the test fold", "fits on it in one turn", "turns over all folds"],
)
def test_a_search_that_sees_its_test_fold_is_found(turns):
    with pytest.raises(AssertionError, match="0 leaks into the fit"):
        check_leaks(lambda rows: reports(rows, turns), table(), other_table, unseen=(TEST,), seen=OTHERS)

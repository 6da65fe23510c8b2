"""Sounding models as learners: trials tell of every split, see no plant of the test fold, go on when killed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray import cloudpickle

from carbonray.io import objectstore
from carbonray.io.bag_store import encode_bags, read_bags
from carbonray.io.ledger import ObjectRecord
from carbonray.io.table_store import decode_table, encode_table
from carbonray.settings import Settings, load
from carbonray.training.learners import LEARNERS, learner_of
from carbonray.training.plant_samples import Samples
from carbonray.training.sounding_learner import NetworkTrial, TreeTrial
from carbonray.vocab.sample_tables import SAMPLES
from tests.stages.small_stores import TIER, plants, samples

NETWORK, TREES = "landsat8_resisc_ndt", "landsat8_xgb_ndt"
SETS = (
    "soundings.fit.trees.rounds=6",
    "soundings.fit.trees.min_child_weight=0.1",
    "soundings.fit.config={width: 4, attention_width: 4}",
    "soundings.fit.fit.epochs=2",
    "soundings.fit.fit.batch_size=8",
    "soundings.fit.fit.augment.magnitude=0.0",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Samples of four rendered plants, one a fold."""
    root = str(tmp_path_factory.mktemp("samples"))
    return prepared(root, samples(root))


def prepared(root: str, urls: list[list[str]]) -> Samples:
    tables, bags = ({url.removeprefix(f"{root}/"): _record(url, root) for url in own} for own in urls)
    return Samples(root, {plant.plant_id: fold for fold, plant in enumerate(plants())}, tables, bags, TIER)


def _record(url: str, root: str) -> ObjectRecord:
    data = objectstore.read_bytes(url)
    return ObjectRecord(url.removeprefix(f"{root}/"), objectstore.sha256(data), len(data))


def settings_of(model: str, *more: str) -> Settings:
    return load([], [f"model={model}", *SETS, *more])


def reports(made: Samples, model: str, target: str, *more: str) -> list[dict[str, float]]:
    """What a trial tells, as a process of its own would be given it."""
    trial = learner_of(model).trial(made, settings_of(model, *more), target)
    told: list[dict[str, float]] = []
    cloudpickle.loads(cloudpickle.dumps(trial)).run(told.append)
    return told


def scores(told: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name.startswith("validation")} for row in told]


@pytest.mark.parametrize(("model", "epochs"), [(NETWORK, 2), (TREES, 1)])
@pytest.mark.parametrize("target", ["on", "capacity_factor"])
def test_a_trial_tells_the_mean_of_the_splits(made: Samples, model: str, epochs: int, target: str) -> None:
    told = reports(made, model, target)
    goal = next(each for each in learner_of(model).targets(model) if each.name == target)
    assert len(told) == epochs and goal.by_epoch == (epochs > 1)
    for row in told:
        of_split = [row[f"{goal.metric}/{number}"] for number in range(3)]
        assert row[goal.metric] == pytest.approx(np.mean(of_split))


def test_fewer_splits_are_the_first_ones(made: Samples) -> None:
    every, first = (reports(made, TREES, "on", f"tune.splits={count}")[-1] for count in (3, 1))
    assert first["validation_map"] == first["validation_map/0"] == every["validation_map/0"]


@pytest.mark.parametrize("model", [NETWORK, TREES])
@pytest.mark.parametrize("fold", [0, 1])
def test_plants_of_the_test_fold_change_no_report(made: Samples, tmp_path: Path, model: str, fold: int) -> None:
    """Perturbing the test fold changes nothing; perturbing another one does, or the check could not fail."""
    clean = scores(reports(made, model, "capacity_factor", "tune.test_fold=0"))
    bent = scores(reports(perturbed(made, tmp_path, fold), model, "capacity_factor", "tune.test_fold=0"))
    assert (clean == bent) == (fold == 0)


def perturbed(made: Samples, folder: Path, fold: int) -> Samples:
    """The same samples in another folder, labels and pixels of a fold's plant turned round."""
    name = plants()[fold].plant_id
    changed: dict[str, Callable[[bytes], bytes]] = {"samples": _other_table, "bags": _other_bags}
    urls = []
    for part, records in (("samples", made.tables), ("bags", made.bags)):
        for key in records:
            data = objectstore.read_bytes(objectstore.join(made.url, key))
            objectstore.put_bytes(f"{folder}/{key}", changed[part](data) if f"/{name}-" in key else data)
        urls.append([f"{folder}/{key}" for key in records])
    return prepared(str(folder), urls)


def _other_table(data: bytes) -> bytes:
    table = decode_table(data, SAMPLES)
    at = table.schema.get_field_index("capacity_factor")
    flipped = 1.0 - np.asarray(table["capacity_factor"].to_numpy(), np.float32)
    other = table.set_column(at, table.schema.field(at), [flipped])
    return encode_table(other, ("structure_kind", "imager", "time_utc_ns"))


def _other_bags(data: bytes) -> bytes:
    bags = read_bags(data, "NDT", where="test")
    assert bags is not None
    return encode_bags({"NDT": replace(bags, dn=(bags.dn[..., ::-1] // 2).copy())})


def test_a_trial_that_died_goes_on_and_tells_all_again(made: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = scores(reports(made, NETWORK, "on", "soundings.fit.fit.seed=5"))
    again = learner_of(NETWORK).trial(made, settings_of(NETWORK, "soundings.fit.fit.seed=6"), "on")
    told: list[dict[str, float]] = []

    def die(metrics: dict[str, float]) -> None:
        told.append(metrics)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        again.run(die)
    resumed: list[dict[str, float]] = []
    again.run(resumed.append)
    assert resumed[0] == told[0] and len(resumed) == 2, "the first epoch is told from its checkpoint, seconds and all"
    assert scores(resumed) != clean, "another seed is another fit"


def test_what_is_searched_has_a_default_at_its_path(made: Samples) -> None:
    found = learner_of(NETWORK).defaults(settings_of(NETWORK), "on")
    assert found[f"soundings.fit.tuned.{NETWORK}.on.learning_rate"] == 3e-4
    assert found[f"soundings.fit.tuned.{NETWORK}.on.augment.magnitude"] == 0.0
    assert found[f"soundings.fit.tuned.{NETWORK}.on.truncation"] == "block2_pool"
    trees = learner_of(TREES).defaults(settings_of(TREES), "on")
    assert trees[f"soundings.fit.tuned.{TREES}.on.max_depth"] == 5


def test_every_model_has_one_learner() -> None:
    names = [name for learner in LEARNERS.values() for name in learner.names]
    assert len(names) == len(set(names)) == 39
    for name in names:
        assert [target.mode for target in learner_of(name).targets(name)]


def test_trials_know_their_kind(made: Samples) -> None:
    kinds: dict[str, Any] = {NETWORK: NetworkTrial, TREES: TreeTrial}
    for model, kind in kinds.items():
        assert isinstance(learner_of(model).trial(made, settings_of(model), "on"), kind)

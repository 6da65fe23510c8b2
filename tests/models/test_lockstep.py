"""Fits that advance together end where each would end alone, whenever they are stopped and taken up again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import torch

from carbonray.models.augment import AugmentRules
from carbonray.models.bags import BandScaling
from carbonray.models.fit import Epoch, EpochFit, FitRules, FitState, Workers, fit_epochs
from carbonray.models.lockstep import Lockstep, part
from carbonray.models.registry import map_pair
from carbonray.models.sounding_cnn import SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_fit import SoundingFitRules, sounding_epochs
from tests.models.test_fit import ENCODING, Dropping, samples
from tests.models.test_sounding_fit import batches

SCALING = BandScaling((0.3, 0.3, 0.3), (0.2, 0.2, 0.2))


@dataclass(frozen=True)
class Scenes:
    """A network with dropout, its tiles turned at will: as much randomness as there is."""

    rules: FitRules
    name: str = "scenes"

    def digest(self) -> str:
        return str(self.rules)

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        torch.manual_seed(self.rules.seed)
        pair = lambda tiles: map_pair(tiles, ENCODING, None)
        return fit_epochs(Dropping(), pair, samples, lambda: samples(99), self.rules, state=state, workers=workers)


@dataclass(frozen=True)
class Soundings:
    rules: SoundingFitRules
    name: str = "soundings"

    def digest(self) -> str:
        return str(self.rules)

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        torch.manual_seed(self.rules.seed)
        network = SoundingCnn(SoundingCnnConfig(task="on", width=4, attention_width=4, patch_px=8))
        told = {"scaling": SCALING, "counts": (20, 30), "state": state, "workers": workers}
        return sounding_epochs(network, lambda epoch: batches(epoch, 2), lambda: batches(99, 1), self.rules, **told)


SCENES = FitRules(epochs=3, batch_size=4, learning_rate=1e-2, augment=True, seed=5)
BAGS = SoundingFitRules(epochs=4, learning_rate=1e-2, patience=0, seed=4, augment=AugmentRules(magnitude=0.5))
FITS: tuple[EpochFit, ...] = (
    Scenes(SCENES),
    Soundings(BAGS),
    Scenes(replace(SCENES, seed=6, epochs=2)),
    Soundings(replace(BAGS, patience=1, learning_rate=0.0, weight_decay=0.0, freeze_trunk=True)),
)
TOGETHER = Lockstep("together", FITS, "validation_loss", "min")


@pytest.fixture(scope="module")
def alone() -> list[FitState]:
    return [list(fit.epochs(Workers()))[-1].state for fit in FITS]


def through_a_checkpoint(state: FitState) -> FitState:
    """As files hold it."""
    return FitState(state.epoch, state.tensors, json.loads(json.dumps(state.facts)))


@pytest.mark.parametrize("stopped_after", [None, 1, 2, 3, 4])
def test_together_is_one_after_the_other(alone: list[FitState], stopped_after: int | None) -> None:
    state = None
    if stopped_after:
        running = TOGETHER.epochs(Workers())
        state = through_a_checkpoint([next(running) for _ in range(stopped_after)][-1].state)
        torch.rand(17)
    for epoch in TOGETHER.epochs(Workers(), state):
        state = epoch.state
        torch.rand(3)
    assert state and state.epoch == 4
    for number, expected in enumerate(alone):
        found = part(state, number)
        assert found.epoch == expected.epoch == (3, 4, 2, 2)[number]
        assert found.tensors.keys() == expected.tensors.keys()
        assert all(torch.equal(found.tensors[name], value) for name, value in expected.tensors.items())


def test_metrics_are_the_best_so_far_of_every_fit_and_their_mean(alone: list[FitState]) -> None:
    epochs = [metrics for metrics, _ in TOGETHER.epochs(Workers())]
    for number, state in enumerate(alone):
        losses = [entry["validation_loss"] for entry in state.facts["history"]]
        expected = [min(losses[: epoch + 1]) for epoch in range(4)]
        assert [metrics[f"validation_loss/{number}"] for metrics in epochs] == expected
    for epoch, metrics in enumerate(epochs, 1):
        each = [metrics[f"validation_loss/{number}"] for number in range(4)]
        assert metrics["validation_loss"] == pytest.approx(sum(each) / 4) and metrics["epoch"] == epoch


def test_the_largest_counts_where_large_is_good() -> None:
    bags = replace(BAGS, epochs=2)
    best = replace(TOGETHER, fits=(Soundings(bags),), metric="validation_map", mode="max")
    [state] = [epoch.state for epoch in Soundings(bags).epochs(Workers())][-1:]
    *_, last = best.epochs(Workers())
    assert last.metrics["validation_map"] == max(entry["validation_map"] for entry in state.facts["history"])
    assert last.state.facts["history"][-1] == last.metrics and len(last.state.facts["history"]) == 2


def test_a_digest_follows_from_the_fits_in_their_order() -> None:
    assert TOGETHER.digest() == replace(TOGETHER, name="other").digest()
    assert TOGETHER.digest() != replace(TOGETHER, fits=FITS[::-1]).digest()

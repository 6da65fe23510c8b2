"""The fit loop: it learns, it repeats itself, and stopped after any epoch it ends in the same weights."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from carbonray.models.encoding import CHANNELS, Encoding
from carbonray.models.fit import FitRules, FitState, fit_epochs, weights_of
from carbonray.models.neural_peers import UNet, UNetConfig
from carbonray.models.registry import map_pair
from carbonray.models.tiles import PackedTiles, TileBatch, packed

RULES = FitRules(epochs=4, batch_size=4, learning_rate=1e-2, augment=True, seed=5)
ENCODING = Encoding(channels=CHANNELS, no2="asinh", target="sqrt")


def samples(epoch: int, batches: int = 3) -> Iterable[PackedTiles]:
    """Tiles whose column is high where there is emission: learnable in a few steps."""
    generator = torch.Generator().manual_seed(epoch)
    for _ in range(batches):
        truth = (torch.rand(4, 16, 16, generator=generator) > 0.9).float() * 0.5
        no2 = 20 + 300 * truth + 5 * torch.randn(4, 16, 16, generator=generator)
        wind = torch.rand(4, 16, 16, generator=generator)
        yield packed(TileBatch(no2, torch.ones_like(no2), wind, -wind, truth))


class Dropping(nn.Module):
    """A U-Net behind dropout, so that its randomness is under test."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.unet = nn.Dropout(0.3), UNet(UNetConfig(width=4))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.unet(self.drop(x))
        return out


def run(rules: FitRules = RULES, state: FitState | None = None, stop_after: int = 99) -> tuple[FitState, list[dict]]:
    torch.manual_seed(rules.seed)
    network, seen = Dropping(), []
    reached = FitState()
    pair = lambda tiles: map_pair(tiles, ENCODING, None)
    for metrics, reached in fit_epochs(network, pair, samples, lambda: samples(99), rules, state=state):
        seen.append(metrics)
        torch.rand(17)  # whatever else draws random numbers between epochs
        if reached.epoch == stop_after:
            break
    return reached, seen


def same(a: FitState, b: FitState) -> bool:
    return a.tensors.keys() == b.tensors.keys() and all(torch.equal(a.tensors[k], b.tensors[k]) for k in a.tensors)


def test_learns() -> None:
    _, seen = run(replace(RULES, augment=False))
    assert seen[-1]["validation_loss"] < 0.8 * seen[0]["validation_loss"]
    assert seen[-1]["validation_positive_mse"] < seen[0]["validation_positive_mse"]


def test_same_seed_same_weights_and_another_seed_others() -> None:
    first, again, other = run()[0], run()[0], run(replace(RULES, seed=6))[0]
    assert same(first, again) and not same(first, other)


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
@pytest.mark.parametrize("stopped_after", [1, 3])
def test_a_fit_taken_up_again_ends_in_the_same_weights(stopped_after: int, schedule: str) -> None:
    rules = replace(RULES, schedule=schedule, plateau_patience=0, accumulate=2)
    whole, _ = run(rules)
    part, _ = run(rules, stop_after=stopped_after)
    assert part.epoch == stopped_after
    resumed, seen = run(rules, state=part)
    assert same(resumed, whole) and resumed.facts["plateau"] == whole.facts["plateau"]
    assert [m["epoch"] for m in seen] == list(range(stopped_after + 1, 5))
    assert len(resumed.facts["history"]) == 4


def test_a_finished_fit_taken_up_again_does_nothing() -> None:
    state, _ = run()
    assert run(state=state)[1] == []


def test_step_size_falls_from_first_to_last() -> None:
    _, seen = run(replace(RULES, schedule="cosine"))
    rates = [m["learning_rate"] for m in seen]
    assert rates[0] == pytest.approx(1e-2) and rates[-1] == pytest.approx(1e-5) and rates == sorted(rates)[::-1]


class Constant(nn.Module):
    """Answers zero and never learns, so that every epoch after the first is a plateau."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0] * 0 + self.nothing * 0


def test_plateau_halves_the_step_size_down_to_its_floor() -> None:
    rules = replace(RULES, epochs=5, learning_rate=1.0, min_learning_rate=0.3, plateau_patience=0)
    epochs = fit_epochs(Constant(), lambda t: map_pair(t, ENCODING, None), samples, lambda: samples(9), rules)
    rates = [epoch.metrics["learning_rate"] for epoch in epochs]
    assert rates == [1.0, 1.0, 0.5, 0.3, 0.3]


def test_stops_early_when_the_validation_loss_stalls() -> None:
    _, seen = run(replace(RULES, epochs=60, learning_rate=0.5, stop_patience=2))
    losses = [m["validation_loss"] for m in seen]
    assert len(seen) < 60 and len(losses) - 1 - losses.index(min(losses)) == 2


def test_accumulated_batches_step_like_one_large_batch() -> None:
    """Without BatchNorm the gradient of two batches' mean is the mean of their gradients."""

    def fitted(rules: FitRules, batches: list[PackedTiles]) -> dict[str, Tensor]:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(4, 1, 3, padding=1), nn.Flatten(0, 1))
        pair = lambda tiles: map_pair(tiles, ENCODING, None)
        [epoch] = fit_epochs(network, pair, lambda _: batches, lambda: batches, rules)
        return weights_of(epoch.state)

    two = list(samples(0, batches=2))
    one = [PackedTiles(*(torch.cat(pair) for pair in zip(*(vars(t).values() for t in two), strict=True)))]
    rules = replace(RULES, epochs=1, augment=False)
    small, large = fitted(replace(rules, accumulate=2), two), fitted(rules, one)
    for name, value in small.items():
        torch.testing.assert_close(value, large[name], rtol=1e-4, atol=1e-6)


def test_bf16_changes_little() -> None:
    exact, mixed = run()[1][-1], run(replace(RULES, precision="bf16"))[1][-1]
    assert mixed["validation_loss"] == pytest.approx(exact["validation_loss"], rel=0.2)

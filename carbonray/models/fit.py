"""The fit loop: epochs of a network over batches of tiles, on whatever device; it knows no files and no Ray.

Source: Adam from 1e-3 to 1e-5 by reduce-on-plateau, batch 32 and 200 epochs are the NO2 hotspot paper's (Remote Sensing
17, 1167, 2025). All randomness of an epoch (shuffle, symmetry, dropout) comes from (seed, epoch, lane), so that a fit
taken up again after any epoch ends in the same bytes as one that was never stopped, whatever was fitted in between.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from carbonray.models.fit_tensors import captured_tensors, restore_tensors, under
from carbonray.models.layers import channels_last
from carbonray.models.losses import LOSSES, positive_mse
from carbonray.models.stepping import autocast, denormals_flushed, epoch_seed, in_steps
from carbonray.models.tiles import PackedTiles, TileBatch, augmented

LARGEST = 1e30  # stands for a loss not judged yet
Pair = Callable[[TileBatch], tuple[Tensor, Tensor]]
Score = Callable[[nn.Module, Iterable[PackedTiles]], dict[str, float]]


@dataclass(frozen=True)
class FitRules:
    """How a network is fitted; the defaults are the paper's.

    Attributes:
        epochs: passes over the training tiles.
        batch_size: tiles a batch and lane: a worker, where the lanes are not set.
        loss: 'mse', 'weighted_mse' or 'cross_entropy'.
        learning_rate: Adam's first step size.
        min_learning_rate: where the schedule ends.
        schedule: 'plateau' (the paper's) or 'cosine' over the epochs.
        plateau_factor: by what the step size is multiplied on a plateau, inferred.
        plateau_patience: epochs without a better validation loss that make a plateau, inferred.
        stop_patience: epochs without a better validation loss that end the fit, 0 for never.
        accumulate: batches whose gradients make one step.
        precision: 'fp32', or 'bf16' for automatic mixed precision.
        augment: draw one of the square's eight symmetries for every tile, the wind turned along.
        seed: of initialisation, shuffle, symmetry and dropout.
    """

    epochs: int = 200
    batch_size: int = 32
    loss: str = "mse"
    learning_rate: float = 1e-3
    min_learning_rate: float = 1e-5
    schedule: str = "plateau"
    plateau_factor: float = 0.5
    plateau_patience: int = 10
    stop_patience: int = 0
    accumulate: int = 1
    precision: str = "fp32"
    augment: bool = False
    seed: int = 0


@dataclass
class FitState:
    """Everything needed to go on after an epoch: tensors by name, and facts that JSON holds."""

    epoch: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Workers:
    """Where a fit runs, and how several workers act as one.

    Attributes:
        rank: this worker.
        world: workers.
        device: of this worker.
        wrap: makes a network one whose gradients are the workers' mean.
        total: sums numbers over the workers.
        alone: while it holds, gradients of a wrapped network stay with the worker, for another batch of the same step.
    """

    rank: int = 0
    world: int = 1
    device: str = "cpu"
    wrap: Callable[[nn.Module], nn.Module] = lambda network: network
    total: Callable[[Tensor], Tensor] = lambda numbers: numbers
    alone: Callable[[nn.Module], AbstractContextManager[Any]] = lambda _network: nullcontext()

    def shares(self, counts: list[int]) -> list[float]:
        """What each batch of this worker counts in a step: with it the workers' mean is the mean of all samples."""
        everywhere = self.total(torch.tensor([sum(counts)], dtype=torch.float64)).item()
        return [count * self.world / everywhere for count in counts]

    def average(self, network: nn.Module) -> None:
        """Makes running statistics the workers' mean: each has seen its own batches."""
        for buffer in network.buffers():
            if self.world > 1 and buffer.is_floating_point():
                buffer.copy_(self.total(buffer.double()) / self.world)


class Epoch(NamedTuple):
    """What an epoch leaves: its metrics, and the state to go on from."""

    metrics: dict[str, float]
    state: FitState


class EpochFit(Protocol):
    """A fit in plain values: it travels to where it runs, and goes on there from any of its states.

    The metrics of all epochs so far are `state.facts["history"]`.
    """

    @property
    def name(self) -> str:
        """For people, such as 'sentinel2_resisc_ndt-2-on'."""
        ...

    def digest(self) -> str:
        """Of everything that can change the weights: a state of another digest is not gone on from."""
        ...

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        """The epochs after a state, as they are fitted; they end by themselves."""
        ...


def fit_epochs(
    network: nn.Module,
    pair: Pair,
    train: Callable[[int], Iterable[PackedTiles]],
    validation: Callable[[], Iterable[PackedTiles]],
    rules: FitRules,
    *,
    state: FitState | None = None,
    workers: Workers | None = None,
    lanes: tuple[int, ...] = (),
    score: Score | None = None,
) -> Iterator[Epoch]:
    """Fits a network in place, an epoch whenever one is asked for.

    Args:
        network: its parameters are changed.
        pair: tiles -> (network input, target).
        train: epoch -> its batches, in an order that follows from the epoch; as many on every worker.
        validation: the batches judged after every epoch, those of this worker.
        rules: the settings.
        state: where an earlier fit stopped.
        workers: the device, and how several workers act as one.
        lanes: whose tiles a batch holds, one after the other and equally many; the worker's own where none is given.
        score: further metrics of a network on the validation batches.

    Yields:
        The metrics of each epoch, and the state after it.
    """
    workers, state = workers or Workers(), state or FitState()
    channels_last(network.to(workers.device))
    optimiser = torch.optim.Adam(network.parameters(), lr=rules.learning_rate, fused=True)
    plateau = _plateau(optimiser, rules)
    if state.epoch:
        _restore(state, network, optimiser, plateau)
    fitted = _Fit(network, workers.wrap(network), pair, optimiser, rules, workers, lanes or (workers.rank,))
    while state.epoch < rules.epochs and not _stalled(state, rules):
        epoch, started = state.epoch, time.perf_counter()
        with denormals_flushed():
            _set_learning_rate(optimiser, rules, epoch)
            metrics = {"epoch": float(epoch + 1), "learning_rate": float(optimiser.param_groups[0]["lr"])}
            metrics |= fitted.train(train(epoch), epoch) | fitted.judge(validation())
            metrics |= score(network, validation()) if score else {}
            if rules.schedule == "plateau":
                plateau.step(metrics["validation_loss"])
            metrics["seconds"] = time.perf_counter() - started
            state = _captured(epoch + 1, network, optimiser, plateau, [*state.facts.get("history", []), metrics])
        yield Epoch(metrics, state)


@dataclass(frozen=True)
class _Fit:
    network: nn.Module
    parallel: nn.Module
    pair: Pair
    optimiser: torch.optim.Optimizer
    rules: FitRules
    workers: Workers
    lanes: tuple[int, ...]

    @property
    def device(self) -> torch.device:
        return torch.device(self.workers.device)

    def train(self, batches: Iterable[PackedTiles], epoch: int) -> dict[str, float]:
        """One pass with steps."""
        seeds = [epoch_seed(self.rules.seed, epoch, lane) for lane in self.lanes]
        draws = [torch.Generator().manual_seed(seed) for seed in seeds]
        torch.manual_seed(seeds[0])  # dropout draws from the global one
        self.network.train()
        sums = torch.zeros(2, dtype=torch.float64)
        for step in in_steps(batches, self.rules.accumulate):
            pairs = [self._drawn(batch, draws) for batch in step]
            shares = self.workers.shares([len(inputs) for inputs, _ in pairs])
            self.optimiser.zero_grad(set_to_none=True)
            for number, ((inputs, target), share) in enumerate(zip(pairs, shares, strict=True), 1):
                with nullcontext() if number == len(pairs) else self.workers.alone(self.parallel):
                    loss = LOSSES[self.rules.loss](self._output(self.parallel, inputs), target)
                    (loss * share).backward()  # type: ignore[no-untyped-call]
                sums += torch.tensor([loss.item() * len(inputs), len(inputs)], dtype=torch.float64)
            self.optimiser.step()
        self.workers.average(self.network)
        total, count = self.workers.total(sums).tolist()
        return {"train_loss": total / count, "train_samples": count}

    def judge(self, batches: Iterable[PackedTiles]) -> dict[str, float]:
        """One pass without steps, over all workers' tiles: the loss, and for maps the error where there is emission."""
        self.network.eval()
        sums = torch.zeros(4, dtype=torch.float64)
        with torch.inference_mode():
            for batch in batches:
                inputs, target = self.pair(batch.unpacked(self.device))
                # not the wrapped one: workers hold as many batches as they do
                output = self._output(self.network, inputs)
                loss = LOSSES[self.rules.loss](output, target).item()
                positive = int((target > 0).sum()) if output.shape == target.shape else 0
                error = positive_mse(output, target).item() * positive if positive else 0.0
                sums += torch.tensor([loss * len(inputs), len(inputs), error, positive], dtype=torch.float64)
        loss_sum, count, error_sum, positives = self.workers.total(sums).tolist()
        metrics = {"validation_loss": loss_sum / count}
        return metrics | ({"validation_positive_mse": error_sum / positives} if positives else {})

    def _drawn(self, batch: PackedTiles, draws: list[torch.Generator]) -> tuple[Tensor, Tensor]:
        """A batch as the network reads it, the tiles of each lane turned by the draws of that lane."""
        if not self.rules.augment:
            return self.pair(batch.unpacked(self.device))
        size = len(batch) // len(draws)
        rows = (torch.arange(first, first + size) for first in range(0, len(batch), size))
        parts = [augmented(batch.rows(own).unpacked(self.device), draw) for own, draw in zip(rows, draws, strict=True)]
        inputs, targets = zip(*(self.pair(part) for part in parts), strict=True)
        return torch.cat(inputs), torch.cat(targets)

    def _output(self, network: nn.Module, inputs: Tensor) -> Tensor:
        with autocast(self.device, self.rules.precision):
            output: Tensor = network(inputs.contiguous(memory_format=torch.channels_last))
        return output.float()


def _plateau(optimiser: torch.optim.Optimizer, rules: FitRules) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=rules.plateau_factor, patience=rules.plateau_patience, min_lr=rules.min_learning_rate
    )


def _set_learning_rate(optimiser: torch.optim.Optimizer, rules: FitRules, epoch: int) -> None:
    if rules.schedule == "cosine":
        share = 0.5 * (1.0 + math.cos(math.pi * epoch / max(rules.epochs - 1, 1)))
        optimiser.param_groups[0]["lr"] = (
            rules.min_learning_rate + (rules.learning_rate - rules.min_learning_rate) * share
        )


def _stalled(state: FitState, rules: FitRules) -> bool:
    losses = [entry["validation_loss"] for entry in state.facts.get("history", [])]
    return bool(rules.stop_patience and losses) and len(losses) - 1 - losses.index(min(losses)) >= rules.stop_patience


def _captured(
    epoch: int,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    plateau: torch.optim.lr_scheduler.ReduceLROnPlateau,
    history: list[dict[str, float]],
) -> FitState:
    facts = {
        "history": history,
        "learning_rate": float(optimiser.param_groups[0]["lr"]),
        # nothing has been judged yet under another schedule, and JSON knows no infinity
        "plateau": {"best": min(float(plateau.best), LARGEST), "num_bad_epochs": plateau.num_bad_epochs},
    }
    return FitState(epoch, captured_tensors(network, optimiser), facts)


def _restore(
    state: FitState,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    plateau: torch.optim.lr_scheduler.ReduceLROnPlateau,
) -> None:
    restore_tensors(state.tensors, network, optimiser)
    optimiser.param_groups[0]["lr"] = state.facts["learning_rate"]
    plateau.best = state.facts["plateau"]["best"]
    plateau.num_bad_epochs = state.facts["plateau"]["num_bad_epochs"]


def weights_of(state: FitState) -> dict[str, Tensor]:
    """The network's own tensors in a state, under the network's names."""
    return under(state.tensors, "model")

"""The fit loop: epochs of a network over batches of tiles, on whatever device; it knows no files and no Ray.

Source: Adam from 1e-3 to 1e-5 by reduce-on-plateau, batch 32 and 200 epochs are the NO2 hotspot paper's (Remote Sensing
17, 1167, 2025). All randomness of an epoch (shuffle, symmetry, dropout) comes from (seed, epoch, worker), so that a fit
taken up again after any epoch ends in the same bytes as one that was never stopped.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from carbonray.models.layers import channels_last
from carbonray.models.losses import LOSSES, positive_mse
from carbonray.models.tiles import PackedTiles, TileBatch, augmented

LARGEST = 1e30  # stands for a loss not judged yet
Pair = Callable[[TileBatch], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class FitRules:
    """How a network is fitted; the defaults are the paper's.

    Attributes:
        epochs: passes over the training tiles.
        batch_size: tiles a step and worker.
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
    """Where a fit runs: this worker's rank and device, how networks are wrapped and numbers summed over workers."""

    rank: int = 0
    device: str = "cpu"
    wrap: Callable[[nn.Module], nn.Module] = lambda network: network
    total: Callable[[Tensor], Tensor] = lambda numbers: numbers


def seed_everything(rules: FitRules) -> None:
    """Seeds torch before a network is built, so that its first weights follow from the settings."""
    torch.manual_seed(rules.seed)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Gradients of empty maps are mostly denormal, ten times slower on a CPU; the switch is the whole process's."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@denormals_flushed()
def fit(
    network: nn.Module,
    pair: Pair,
    train: Callable[[int], Iterable[PackedTiles]],
    validation: Callable[[], Iterable[PackedTiles]],
    rules: FitRules,
    *,
    on_epoch: Callable[[dict[str, float], FitState], None],
    state: FitState | None = None,
    workers: Workers | None = None,
) -> FitState:
    """Fits a network in place.

    Args:
        network: its parameters are changed.
        pair: tiles -> (network input, target).
        train: epoch -> its batches, in an order that follows from the epoch.
        validation: the batches judged after every epoch.
        rules: the settings.
        on_epoch: called after every epoch with its metrics and the state to go on from.
        state: where an earlier fit stopped.
        workers: the device, and how several workers act as one.

    Returns:
        The state after the last epoch.
    """
    workers = workers or Workers()
    channels_last(network.to(workers.device))
    optimiser = torch.optim.Adam(network.parameters(), lr=rules.learning_rate, fused=True)
    plateau = _plateau(optimiser, rules)
    state = state or FitState()
    if state.epoch:
        _restore(state, network, optimiser, plateau)
    fitted = _Fit(network, workers.wrap(network), pair, optimiser, rules, torch.device(workers.device), workers)
    while state.epoch < rules.epochs and not _stalled(state, rules):
        epoch, started = state.epoch, time.perf_counter()
        _set_learning_rate(optimiser, rules, epoch)
        metrics = {"epoch": float(epoch + 1), "learning_rate": float(optimiser.param_groups[0]["lr"])}
        metrics |= fitted.train(train(epoch), epoch) | fitted.judge(validation())
        if rules.schedule == "plateau":
            plateau.step(metrics["validation_loss"])
        metrics["seconds"] = time.perf_counter() - started
        state = _captured(epoch + 1, network, optimiser, plateau, [*state.facts.get("history", []), metrics])
        on_epoch(metrics, state)
    return state


@dataclass(frozen=True)
class _Fit:
    network: nn.Module
    parallel: nn.Module
    pair: Pair
    optimiser: torch.optim.Optimizer
    rules: FitRules
    device: torch.device
    workers: Workers

    def train(self, batches: Iterable[PackedTiles], epoch: int) -> dict[str, float]:
        """One pass with steps."""
        generator = torch.Generator().manual_seed(epoch_seed(self.rules.seed, epoch, self.workers.rank))
        torch.manual_seed(epoch_seed(self.rules.seed, epoch, self.workers.rank))  # dropout draws from the global one
        self.network.train()
        sums = torch.zeros(2, dtype=torch.float64)
        self.optimiser.zero_grad(set_to_none=True)
        for number, batch in enumerate(batches):
            tiles = batch.unpacked(self.device)
            inputs, target = self.pair(augmented(tiles, generator) if self.rules.augment else tiles)
            loss = self._loss(inputs, target)
            (loss / self.rules.accumulate).backward()  # type: ignore[no-untyped-call]
            if (number + 1) % self.rules.accumulate == 0:
                self.optimiser.step()
                self.optimiser.zero_grad(set_to_none=True)
            sums += torch.tensor([loss.item() * len(inputs), len(inputs)], dtype=torch.float64)
        total, count = self.workers.total(sums).tolist()
        return {"train_loss": total / count, "train_samples": count}

    def judge(self, batches: Iterable[PackedTiles]) -> dict[str, float]:
        """One pass without steps: the loss, and for maps the error where there is emission."""
        self.network.eval()
        sums = torch.zeros(4, dtype=torch.float64)
        with torch.inference_mode():
            for batch in batches:
                inputs, target = self.pair(batch.unpacked(self.device))
                output = self._output(inputs)
                loss = LOSSES[self.rules.loss](output, target).item()
                positive = int((target > 0).sum()) if output.shape == target.shape else 0
                error = positive_mse(output, target).item() * positive if positive else 0.0
                sums += torch.tensor([loss * len(inputs), len(inputs), error, positive], dtype=torch.float64)
        loss_sum, count, error_sum, positives = self.workers.total(sums).tolist()
        metrics = {"validation_loss": loss_sum / count}
        return metrics | ({"validation_positive_mse": error_sum / positives} if positives else {})

    def _loss(self, inputs: Tensor, target: Tensor) -> Tensor:
        return LOSSES[self.rules.loss](self._output(inputs), target)

    def _output(self, inputs: Tensor) -> Tensor:
        with autocast(self.device, self.rules.precision):
            output: Tensor = self.parallel(inputs.contiguous(memory_format=torch.channels_last))
        return output.float()


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Mixed precision where 'bf16' is asked for, plain float32 otherwise."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def epoch_seed(seed: int, epoch: int, rank: int) -> int:
    """Seed of everything random in one epoch of one worker."""
    return (seed * 1_000_003 + epoch) * 1_009 + rank + 1


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


def captured_tensors(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of a network's tensors as `model.NAME` and of Adam's moments as `adam.NUMBER.SLOT`."""
    tensors = {f"model.{name}": plain_copy(value) for name, value in network.state_dict().items()}
    for number, slots in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{slot}": plain_copy(value) for slot, value in slots.items()}
    return tensors


def plain_copy(tensor: Tensor) -> Tensor:
    """A copy on the CPU, not channels last: files hold plain tensors."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    # the fused step walks moments and weights side by side in memory, so their layouts must be one
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value


def _restore(
    state: FitState,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    plateau: torch.optim.lr_scheduler.ReduceLROnPlateau,
) -> None:
    restore_tensors(state, network, optimiser)
    optimiser.param_groups[0]["lr"] = state.facts["learning_rate"]
    plateau.best = state.facts["plateau"]["best"]
    plateau.num_bad_epochs = state.facts["plateau"]["num_bad_epochs"]


def restore_tensors(state: FitState, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Puts what `captured_tensors` copied back into a network and its optimiser, which was made of its parameters."""
    network.load_state_dict(weights_of(state))
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in state.tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "adam":
            number, _, slot = rest.partition(".")
            slots.setdefault(int(number), {})[slot] = _laid_out_like(parameters[int(number)], value)
    optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})


def weights_of(state: FitState) -> dict[str, Tensor]:
    """The network's own tensors in a state, under the network's names."""
    return {name.removeprefix("model."): value for name, value in state.tensors.items() if name.startswith("model.")}

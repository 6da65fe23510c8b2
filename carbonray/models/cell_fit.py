"""The fit loop of OpenCarbon: epochs over batches of cells, judged by R2 of ln E, the best network kept.

Source: SCIENCE 1.4, after the authors' code: Adam with weight decay, batches of 32, at most 3000 epochs, a validation
every 5, an end after more than 30 that brought nothing. Batches come from iterators and are never held. All that is
random in an epoch comes from (seed, epoch, worker), so that a fit taken up again after any epoch ends in the same bytes
as one that was never stopped.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.errors import DataError
from carbonray.models.cell_batches import SYMMETRIES, CellBatch
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.models.fit_tensors import captured_with_best, restore_tensors
from carbonray.models.layers import channels_last
from carbonray.models.opencarbon import MODALITIES, CellAnswer, OpenCarbon
from carbonray.models.opencarbon_losses import CellLoss
from carbonray.models.stepping import autocast, denormals_flushed, epoch_seed, in_steps
from carbonray.science.stats.metrics import mae, r2, rmse

SCORE = "validation_r2"


@dataclass(frozen=True)
class CellFitRules:
    """How a network of cells is fitted; the defaults are the authors' for London.

    Attributes:
        epochs: most passes over the training cells.
        batch_size: cells a batch of all workers together.
        learning_rate: Adam's step size: 0.001 in London and Beijing, 0.0005 in Yinchuan.
        weight_decay: of Adam, added to the gradients.
        loss: what is minimised; contrasts are drawn among a worker's own cells.
        validate_every: epochs from one validation to the next; the first and the last epoch are judged (inferred).
        stop_after: validations without a better R2 that are borne, one more ends the fit; 0 for never.
        stop_from: epochs before which nothing ends the fit.
        stop_reset: whether a better R2 sets their count back to none; the authors' never is.
        augment: draw for every batch one of the square's eight symmetries, for images, points and windows alike.
        accumulate: batches whose gradients make one step.
        precision: 'fp32', or 'bf16' for automatic mixed precision of the encoders.
        seed: of first weights, shuffle and symmetries.
    """

    epochs: int = 3000
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 5e-3
    loss: CellLoss = field(default_factory=CellLoss)
    validate_every: int = 5
    stop_after: int = 30
    stop_from: int = 100
    stop_reset: bool = False
    augment: bool = False
    accumulate: int = 1
    precision: str = "fp32"
    seed: int = 42


RECIPES: Mapping[str, CellFitRules] = {
    "london": CellFitRules(),
    "beijing": CellFitRules(),
    "yinchuan": CellFitRules(learning_rate=5e-4, loss=CellLoss(alpha=1e-2)),
}


def cell_epochs(
    network: OpenCarbon,
    train: Callable[[int], Iterable[CellBatch]],
    validation: Callable[[], Iterable[CellBatch]],
    rules: CellFitRules,
    *,
    state: FitState | None = None,
    workers: Workers | None = None,
) -> Iterator[Epoch]:
    """Fits a network in place, an epoch whenever one is asked for.

    Args:
        network: its parameters are changed; afterwards they are the last epoch's, the best are in the state.
        train: epoch -> this worker's rows of its batches, in an order that follows from the epoch, two cells or more
            in each.
        validation: the batches judged, the same in every worker.
        rules: the settings.
        state: where an earlier fit stopped.
        workers: the device, and how several workers act as one.

    Yields:
        The metrics of each epoch and the state after it: `best_weights(state.tensors)` and `state.facts['history']`.
        Where an epoch is not judged (`judged` 0), its validation metrics are those of the last that was.

    Raises:
        DataError: an epoch is empty, a batch cannot be learnt from, or the validation R2 is no number.
    """
    workers, state = workers or Workers(), state or FitState()
    channels_last(network.to(workers.device))
    optimiser = torch.optim.Adam(
        network.parameters(), lr=rules.learning_rate, weight_decay=rules.weight_decay, fused=True
    )
    if state.epoch:
        restore_tensors(state.tensors, network, optimiser)
    fitted = _Fit(network, optimiser, rules, workers)
    while state.epoch < rules.epochs and not stopped(state.facts.get("history", []), rules):
        epoch, started = state.epoch, time.perf_counter()
        with denormals_flushed():
            metrics = {"epoch": float(epoch + 1)} | fitted.train(train(epoch), epoch)
            if epoch % rules.validate_every == 0 or epoch + 1 == rules.epochs:
                metrics |= {"judged": 1.0} | fitted.judge(validation())
            else:
                metrics |= {"judged": 0.0} | _last_judgement(state)
            metrics["seconds"] = time.perf_counter() - started
            state = _advanced(state, metrics, network, optimiser)
        yield Epoch(metrics, state)


def best_epoch(history: list[dict[str, float]]) -> int:
    """Position of the epoch with the highest validation R2, the earliest of equals."""
    scores = [entry[SCORE] for entry in history]
    return scores.index(max(scores))


def stopped(history: list[dict[str, float]], rules: CellFitRules) -> bool:
    """Whether more than `stop_after` validations have brought no better R2."""
    best, idle = -np.inf, 0
    for score in (entry[SCORE] for entry in history if entry["judged"]):
        idle = (0 if rules.stop_reset else idle) if score > best else idle + 1
        best = max(best, score)
    return bool(rules.stop_after) and idle > rules.stop_after and len(history) > rules.stop_from


def predicted_ln_e(
    network: OpenCarbon, batches: Iterable[CellBatch], *, device: str = "cpu", precision: str = "fp32"
) -> NDArray[np.float64]:
    """(n,) answers to the cells of some batches, in their order; the network is left judging."""
    network.eval()
    with torch.inference_mode():
        found = [_answer(network, _ready(batch, network, device), precision).ln_e for batch in batches]
    return torch.cat([part.double().cpu() for part in found]).numpy() if found else np.empty(0)


class _Fit:
    def __init__(
        self, network: OpenCarbon, optimiser: torch.optim.Optimizer, rules: CellFitRules, workers: Workers
    ) -> None:
        self.network, self.parallel = network, workers.wrap(network)
        self.optimiser, self.rules, self.workers = optimiser, rules, workers

    def train(self, batches: Iterable[CellBatch], epoch: int) -> dict[str, float]:
        """One pass with steps."""
        seed = epoch_seed(self.rules.seed, epoch, self.workers.rank)
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.network.train()
        sums = torch.zeros(4, dtype=torch.float64)
        for step in in_steps(batches, self.rules.accumulate):
            shares = self.workers.shares([len(batch) for batch in step])
            self.optimiser.zero_grad(set_to_none=True)
            for number, (batch, share) in enumerate(zip(step, shares, strict=True), 1):
                ready = _ready(
                    self._drawn(_learnable(batch, self.network), generator), self.network, self.workers.device
                )
                with nullcontext() if number == len(step) else self.workers.alone(self.parallel):
                    error, contrast = self._losses(ready, epoch)
                    self._weighed(error, contrast, len(ready), share).backward()  # type: ignore[no-untyped-call]
                told = [error.item(), contrast.item() * len(ready), len(ready), len(ready.images)]
                sums += torch.tensor(told, dtype=torch.float64)
            self.optimiser.step()
        self.workers.average(self.network)
        errors, contrasts, cells, tiles = self.workers.total(sums).tolist()
        some = _some(cells, "training")
        means = {"train_loss": errors / some, "train_contrast": contrasts / some}
        return means | {"train_cells": cells, "train_tiles": tiles}

    def judge(self, batches: Iterable[CellBatch]) -> dict[str, float]:
        """One pass without steps: scores of ln E."""
        truth: list[NDArray[np.float64]] = []

        def told() -> Iterator[CellBatch]:
            for batch in batches:
                truth.append(batch.ln_e.double().numpy())
                yield batch

        answer = predicted_ln_e(self.network, told(), device=self.workers.device, precision=self.rules.precision)
        _some(answer.size, "validation")
        observed = np.concatenate(truth)
        scores = [score(observed, answer) for score in (mae, rmse, r2)]
        if not np.isfinite(scores).all():
            raise DataError(
                f"MAE, RMSE and R2 of {answer.size} validation cells are {scores}",
                where="cell_epochs",
                expected="labels that differ, image or points in every cell, and a network that did not diverge",
                remedy="Validate on more cells, or fit with a smaller learning rate.",
            )
        shared = self.workers.total(torch.tensor([*scores, 1.0], dtype=torch.float64)).tolist()
        return {
            f"validation_{name}": s / shared[-1] for name, s in zip(("mae", "rmse", "r2"), shared[:-1], strict=True)
        }

    def _drawn(self, batch: CellBatch, generator: torch.Generator) -> CellBatch:
        if not self.rules.augment:
            return batch
        # one draw a batch: cells share their tiles, and a tile is encoded once
        return replace(batch, symmetry=int(torch.randint(SYMMETRIES, (), generator=generator)))

    def _losses(self, batch: CellBatch, epoch: int) -> tuple[Tensor, Tensor]:
        """Sum of the errors, and the contrastive term: 0 where it does not count."""
        answer = _answer(self.parallel, batch, self.rules.precision)
        error = self.rules.loss.error(answer, batch.ln_e)
        if self.network.config.modalities != MODALITIES or not self.rules.loss.contrasts(epoch):
            return error, error.new_zeros(())
        return error, self.rules.loss.contrast(answer, _own(batch).all(1))

    def _weighed(self, error: Tensor, contrast: Tensor, cells: int, share: float) -> Tensor:
        """What a batch gives to its step: the workers' mean of the gradients is then that of all their cells."""
        loss = self.rules.loss
        errors = error * self.workers.world if loss.reduction == "sum" else error / cells * share
        return errors + loss.alpha * share * contrast


def _ready(batch: CellBatch, network: OpenCarbon, device: str) -> CellBatch:
    """A batch on the device, with the tiles that the network reads."""
    return batch.cropped(network.config.reach).to(torch.device(device))


def _answer(network: torch.nn.Module, batch: CellBatch, precision: str) -> CellAnswer:
    with autocast(batch.images.device, precision):
        answer: CellAnswer = network(batch)
    return answer


def _own(batch: CellBatch) -> Tensor:
    """(b, 2) bool, whether the cells themselves have image and points."""
    return batch.present()[:, batch.size, batch.size]


def _learnable(batch: CellBatch, network: OpenCarbon) -> CellBatch:
    """The batch itself, if each of its cells can be learnt from."""
    names, pad = network.config.modalities, network.config.pad
    own = _own(batch)[:, [MODALITIES.index(name) for name in names]].any(1)
    known = torch.isfinite(batch.ln_e)
    if len(batch) < 2 or not bool(known.all()) or not (pad == "authors" or bool(own.all())):
        raise DataError(
            f"{len(batch)} cells, {int((~known).sum())} without a label, {int((~own).sum())} without any of {names}",
            where="cell_epochs",
            expected="two cells or more, for their statistics, each with a label and something to see",
            remedy="Leave such cells out where batches are made, and give a lone last cell to the batch before.",
        )
    return batch


def _some(count: float, split: str) -> float:
    if count < 1:
        raise DataError(
            f"no {split} cells",
            where="cell_epochs",
            expected="at least one batch an epoch",
            remedy="Look at the splits: no cell with a label was left.",
        )
    return count


def _last_judgement(state: FitState) -> dict[str, float]:
    last = state.facts["history"][-1]
    return {name: value for name, value in last.items() if name.startswith("validation_")}


def _advanced(
    state: FitState, metrics: dict[str, float], network: OpenCarbon, optimiser: torch.optim.Optimizer
) -> FitState:
    history = [*state.facts.get("history", []), metrics]
    best = best_epoch(history) == len(history) - 1
    tensors = captured_with_best(network, optimiser, state.tensors, best=best)
    return FitState(state.epoch + 1, tensors, {"history": history})

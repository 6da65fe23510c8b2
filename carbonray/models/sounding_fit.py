"""The fit loop of the sounding networks: epochs over batches of bags, ended by patience, the best epoch kept.

Source: plume paper, appendix B (AdamW, early stopping, class weighting, augmentation of one magnitude; its search space
is in SCIENCE 4.5); the objective on the validation folds is mAP for on/off and RMSE for the capacity factor. Batches
come from iterators and are never held. Everything random in an epoch (augmentation, dropout) comes from (seed, epoch,
worker), so that a fit taken up again after any epoch ends in the same bytes as one that was never stopped.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from carbonray.errors import DataError
from carbonray.models.augment import AugmentRules, augmented
from carbonray.models.bags import BagBatch, BandScaling
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.models.fit_tensors import captured_with_best, restore_tensors
from carbonray.models.layers import channels_last
from carbonray.models.sounding_cnn import Sounding, SoundingCnn
from carbonray.models.sounding_losses import SoundingLoss, class_weights
from carbonray.models.stepping import autocast, denormals_flushed, epoch_seed, in_steps
from carbonray.science.stats.metrics import rmse, two_class_map

SCORES = {"on": "validation_map", "capacity_factor": "validation_rmse"}


@dataclass(frozen=True)
class SoundingFitRules:
    """How a sounding network is fitted; the paper publishes the ranges searched, the defaults in them are inferred.

    Attributes:
        epochs: most passes over the training images, 40 to 100.
        batch_size: images a batch of all workers together, of 32, 54 (as printed, perhaps 64) and 128.
        learning_rate: AdamW's step size, 1e-5 to 1e-2.
        weight_decay: of AdamW, 1e-6 to 1e-3.
        patience: epochs without a better validation score that end the fit, 10 to 30; 0 for never.
        loss: what is minimised.
        augment: how training patches are changed.
        freeze_trunk: fit attention and dense layer only, the trunk as it came.
        accumulate: batches whose gradients make one step.
        precision: 'fp32', or 'bf16' for automatic mixed precision.
        seed: of first weights, shuffle, augmentation and dropout.
    """

    epochs: int = 60
    batch_size: int = 32
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    patience: int = 10
    loss: SoundingLoss = field(default_factory=SoundingLoss)
    augment: AugmentRules = field(default_factory=AugmentRules)
    freeze_trunk: bool = False
    accumulate: int = 1
    precision: str = "fp32"
    seed: int = 0


def sounding_epochs(
    network: SoundingCnn,
    train: Callable[[int], Iterable[BagBatch]],
    validation: Callable[[], Iterable[BagBatch]],
    rules: SoundingFitRules,
    *,
    scaling: BandScaling,
    counts: tuple[int, int],
    state: FitState | None = None,
    workers: Workers | None = None,
) -> Iterator[Epoch]:
    """Fits a sounding network in place, an epoch whenever one is asked for.

    Args:
        network: its parameters are changed; afterwards they are the last epoch's, the best are in the state.
        train: epoch -> this worker's rows of its batches, in an order that follows from the epoch.
        validation: the batches judged after every epoch, the same in every worker.
        rules: the settings.
        scaling: statistics of the bands over the training folds.
        counts: training images of plants that are off and on.
        state: where an earlier fit stopped.
        workers: the device, and how several workers act as one.

    Yields:
        The metrics of each epoch and the state after it: `best_weights(state.tensors)` and `state.facts['history']`.

    Raises:
        DataError: a class is absent from the training or (for on/off) the validation images, or an epoch is empty.
    """
    workers, state = workers or Workers(), state or FitState()
    channels_last(network.to(workers.device))
    network.trunk.requires_grad_(not rules.freeze_trunk)
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=rules.learning_rate, weight_decay=rules.weight_decay, fused=True)
    if state.epoch:
        restore_tensors(state.tensors, network, optimiser)
    fitted = _Fit(network, optimiser, rules, scaling, class_weights(*counts), workers)
    while state.epoch < rules.epochs and not _stalled(state, rules, network):
        epoch, started = state.epoch, time.perf_counter()
        with denormals_flushed():
            metrics = {"epoch": float(epoch + 1)} | fitted.train(train(epoch), epoch) | fitted.judge(validation())
            metrics["seconds"] = time.perf_counter() - started
            state = _advanced(state, metrics, network, optimiser)
        yield Epoch(metrics, state)


def best_epoch(history: list[dict[str, float]], task: str) -> int:
    """Position of the best epoch: of the highest mAP or the smallest RMSE, the earliest of equals."""
    sign = -1.0 if task == "on" else 1.0
    scores = [sign * entry[SCORES[task]] for entry in history]
    return scores.index(min(scores))


class _Fit:
    def __init__(
        self,
        network: SoundingCnn,
        optimiser: torch.optim.Optimizer,
        rules: SoundingFitRules,
        scaling: BandScaling,
        weights: Tensor,
        workers: Workers,
    ) -> None:
        self.network, self.parallel = network, workers.wrap(network)
        self.optimiser, self.rules, self.scaling, self.weights = optimiser, rules, scaling, weights
        self.workers, self.device = workers, torch.device(workers.device)
        self.task = network.config.task

    def train(self, batches: Iterable[BagBatch], epoch: int) -> dict[str, float]:
        """One pass with steps."""
        seed = epoch_seed(self.rules.seed, epoch, self.workers.rank)
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # dropout draws from the global one
        self.network.train()
        if self.rules.freeze_trunk:
            self.network.trunk.eval()  # nor do its running statistics move
        sums = torch.zeros(2, dtype=torch.float64)
        for step in in_steps(batches, self.rules.accumulate):
            shares = self.workers.shares([len(batch) for batch in step])
            self.optimiser.zero_grad(set_to_none=True)
            for number, (batch, share) in enumerate(zip(step, shares, strict=True), 1):
                bag = batch.to(self.device)
                patches = augmented(self.scaling.standardised(bag.patches), self.rules.augment, generator)
                with nullcontext() if number == len(step) else self.workers.alone(self.parallel):
                    loss = self._loss(self._sounding(self.parallel, patches, bag.mask), bag)
                    (loss * share).backward()  # type: ignore[no-untyped-call]
                sums += torch.tensor([loss.item() * len(bag), len(bag)], dtype=torch.float64)
            self.optimiser.step()
        self.workers.average(self.network)
        total, count = self.workers.total(sums).tolist()
        return {"train_loss": total / _some(count, "training"), "train_samples": count}

    def judge(self, batches: Iterable[BagBatch]) -> dict[str, float]:
        """One pass without steps: the loss and the score that patience watches, every worker's of the same images."""
        self.network.eval()
        losses, found = 0.0, []
        with torch.inference_mode():
            for batch in batches:
                bag = batch.to(self.device)
                sounding = self._sounding(self.network, self.scaling.standardised(bag.patches), bag.mask)
                losses += self._loss(sounding, bag).item() * len(bag)
                truth, answer = (bag.on, sounding.on_score()) if self.task == "on" else self._loads(bag, sounding)
                found.append(np.stack([truth.double().cpu().numpy(), answer.double().cpu().numpy()]))
        count = _some(sum(part.shape[1] for part in found), "validation")
        score = _score(self.task, np.concatenate(found, 1))
        means = torch.tensor([losses / count, score, 1.0], dtype=torch.float64)
        loss, shared, workers = self.workers.total(means).tolist()
        return {"validation_loss": loss / workers, SCORES[self.task]: shared / workers}

    def _loads(self, bag: BagBatch, sounding: Sounding) -> tuple[Tensor, Tensor]:
        return bag.capacity_factor.clamp(0.0, 1.0), sounding.capacity_factor

    def _sounding(self, network: torch.nn.Module, patches: Tensor, mask: Tensor) -> Sounding:
        with autocast(self.device, self.rules.precision):
            found: Sounding = network(patches, mask)
        return Sounding(*(part.float() for part in found))

    def _loss(self, sounding: Sounding, bag: BagBatch) -> Tensor:
        return self.rules.loss(sounding, bag.capacity_factor, bag.on, self.weights, self.task)


def _score(task: str, pairs: np.ndarray) -> float:
    truth, answer = pairs
    score = two_class_map(truth > 0.0, answer) if task == "on" else rmse(truth, answer)
    if not np.isfinite(score):
        raise DataError(
            f"the validation score of {truth.size} images is {score}, {int((truth > 0.0).sum())} of them on",
            where="sounding_epochs",
            expected="plants that are on and plants that are off, and a network that did not diverge",
            remedy="Validate on more plants, or fit with a smaller learning rate.",
        )
    return score


def _some(count: float, split: str) -> float:
    if count < 1:
        raise DataError(
            f"no {split} images",
            where="sounding_epochs",
            expected="at least one batch an epoch",
            remedy="Look at the folds and at the rejections: no image of these plants was kept.",
        )
    return count


def _advanced(
    state: FitState, metrics: dict[str, float], network: SoundingCnn, optimiser: torch.optim.Optimizer
) -> FitState:
    history = [*state.facts.get("history", []), metrics]
    best = best_epoch(history, network.config.task) == len(history) - 1
    tensors = captured_with_best(network, optimiser, state.tensors, best=best)
    return FitState(state.epoch + 1, tensors, {"history": history})


def _stalled(state: FitState, rules: SoundingFitRules, network: SoundingCnn) -> bool:
    history = state.facts.get("history", [])
    return bool(rules.patience and history) and (
        len(history) - 1 - best_epoch(history, network.config.task) >= rules.patience
    )

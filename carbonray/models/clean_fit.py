"""The fit loop of CLEAN: epochs over batches of rows, judged by MAPE of both totals, the best network kept.

Source: SCIENCE 2.3, inferred: AdamW 1e-3 with a weight decay of 1e-4, batches of 256, at most 300 epochs, an early end
on the MAPE of the validation rows. All that is random in an epoch comes from (seed, epoch, worker), so that a fit taken
up again after any epoch ends in the same bytes as one that was never stopped.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carbonray.errors import ContractError, DataError
from carbonray.models.clean import Clean, CleanAnswer, CleanConfig, MixBatch, scaled_to
from carbonray.models.clean_losses import CleanLoss, CleanTerms
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.models.fit_tensors import captured_with_best, restore_tensors
from carbonray.models.stepping import denormals_flushed, epoch_seed

Floats = NDArray[np.float64]

SCORE = "validation_mape"


@dataclass(frozen=True)
class CleanFitRules:
    """How a network of mixes is fitted; all inferred.

    Attributes:
        epochs: most passes over the rows that teach.
        batch_size: rows a batch of all workers together.
        learning_rate: AdamW's step size.
        weight_decay: of AdamW.
        loss: what is minimised.
        stop_after: epochs without a better MAPE on the validation rows that end the fit; 0 for never.
        scale_shares: whether shares are brought to mean 0 and spread 1 on the rows that teach, as totals always are.
        seed: of first weights, shuffle and dropout.
    """

    epochs: int = 300
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    loss: CleanLoss = field(default_factory=CleanLoss)
    stop_after: int = 30
    scale_shares: bool = False
    seed: int = 42


def clean_network(config: CleanConfig, rules: CleanFitRules, train: MixBatch) -> Clean:
    """The network to fit: scales measured on the rows that teach, decoders where the loss asks for them.

    Raises:
        DataError: there are no such rows.
    """
    _some(len(train), "training")
    shaped = replace(config, cycle=rules.loss.decodes)
    return Clean(scaled_to(shaped, train, shares=rules.scale_shares), rules.seed)


def shuffled(whole: MixBatch, rules: CleanFitRules, epoch: int, rank: int = 0, world: int = 1) -> Iterator[MixBatch]:
    """A worker's rows of every batch of an epoch, in an order that follows from seed and epoch.

    Rows of a last batch that cannot go round all workers are left to other epochs.
    """
    generator = torch.Generator().manual_seed(epoch_seed(rules.seed, epoch, 0))
    order = torch.randperm(len(whole), generator=generator)
    for first in range(0, len(order), rules.batch_size):
        chosen = order[first : first + rules.batch_size]
        if len(chosen) >= world:
            yield whole.rows(chosen[rank::world])


def in_order(whole: MixBatch, size: int) -> Iterator[MixBatch]:
    """The rows as they come, some at a time."""
    for first in range(0, len(whole), size):
        yield whole.rows(slice(first, first + size))


def clean_epochs(
    network: Clean,
    train: Callable[[int], Iterable[MixBatch]],
    validation: Callable[[], Iterable[MixBatch]],
    rules: CleanFitRules,
    *,
    state: FitState | None = None,
    workers: Workers | None = None,
) -> Iterator[Epoch]:
    """Fits a network in place, an epoch whenever one is asked for.

    Args:
        network: its parameters are changed; afterwards they are the last epoch's, the best are in the state.
        train: epoch -> this worker's rows of its batches, as many batches on every worker.
        validation: the batches judged after every epoch, the same in every worker or this worker's part.
        rules: the settings.
        state: where an earlier fit stopped.
        workers: the device, and how several workers act as one.

    Yields:
        The metrics of each epoch and the state after it: `best_weights(state.tensors)` and `state.facts['history']`.

    Raises:
        ContractError: the network has decoders that the loss does not teach, or lacks those that it needs.
        DataError: an epoch is empty, or the validation MAPE is no number.
    """
    workers, state = workers or Workers(), state or FitState()
    _check_decoders(network.config, rules.loss)
    network.to(workers.device)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=rules.learning_rate, weight_decay=rules.weight_decay, fused=True
    )
    if state.epoch:
        restore_tensors(state.tensors, network, optimiser)
    fitted = _Fit(network, workers.wrap(network), optimiser, rules, workers)
    while state.epoch < rules.epochs and not stopped(state.facts.get("history", []), rules):
        epoch, started = state.epoch, time.perf_counter()
        with denormals_flushed():
            metrics = {"epoch": float(epoch + 1)} | fitted.train(train(epoch), epoch) | fitted.judge(validation())
            metrics["seconds"] = time.perf_counter() - started
            state = _advanced(state, metrics, network, optimiser)
        yield Epoch(metrics, state)


def best_epoch(history: list[dict[str, float]]) -> int:
    """Position of the epoch with the lowest validation MAPE, the earliest of equals."""
    scores = [entry[SCORE] for entry in history]
    return scores.index(min(scores))


def stopped(history: list[dict[str, float]], rules: CleanFitRules) -> bool:
    """Whether `stop_after` epochs have brought no better MAPE."""
    return bool(rules.stop_after and history) and len(history) - 1 - best_epoch(history) >= rules.stop_after


def predicted_totals(network: Clean, batches: Iterable[MixBatch], *, device: str = "cpu") -> tuple[Floats, Floats]:
    """(n,) ln E told by the mixes of energy and (n,) ln G told by those of sectors; the network is left judging."""
    network.eval()
    with torch.inference_mode():
        found = [_told(network, batch.to(device)) for batch in batches]
    if not found:
        return np.empty(0), np.empty(0)
    ln_e, ln_g = (torch.cat(parts).double().cpu().numpy() for parts in zip(*found, strict=True))
    return ln_e, ln_g


@dataclass(frozen=True)
class _Fit:
    network: Clean
    parallel: nn.Module
    optimiser: torch.optim.Optimizer
    rules: CleanFitRules
    workers: Workers

    def train(self, batches: Iterable[MixBatch], epoch: int) -> dict[str, float]:
        """One pass with steps: means of the terms of the loss."""
        torch.manual_seed(epoch_seed(self.rules.seed, epoch, self.workers.rank))  # dropout draws from the global one
        self.network.train()
        sums = torch.zeros(len(CleanTerms._fields) + 2, dtype=torch.float64, device=self.workers.device)
        for batch in batches:
            share = self.workers.shares([len(batch)])[0]
            ready = batch.to(self.workers.device)
            answer: CleanAnswer = self.parallel(ready)
            terms = self.rules.loss.terms(answer, ready)
            loss = self.rules.loss.weighed(terms)
            self.optimiser.zero_grad(set_to_none=True)
            (loss * share).backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            told = torch.stack([loss, *terms]).detach().double()
            sums += torch.cat([told, told.new_ones(1)]) * len(batch)
        *totals, rows = self.workers.total(sums.cpu()).tolist()
        some = _some(rows, "training")
        names = ("loss", *CleanTerms._fields)
        return {f"train_{name}": total / some for name, total in zip(names, totals, strict=True)} | {"train_rows": rows}

    def judge(self, batches: Iterable[MixBatch]) -> dict[str, float]:
        """One pass without steps: MAPE of both tasks and their mean."""
        self.network.eval()
        sums = torch.zeros(3, dtype=torch.float64)
        with torch.inference_mode():
            for batch in batches:
                ln_e, ln_g = _told(self.network, batch.to(self.workers.device))
                gaps = torch.stack([ln_e.cpu() - batch.ln_e, ln_g.cpu() - batch.ln_g]).double()
                percentage = torch.expm1(gaps).abs().sum(1)
                sums += torch.cat([percentage, percentage.new_tensor([len(batch)])])
        emissions, energy, rows = self.workers.total(sums).tolist()
        some = _some(rows, "validation")
        scores = {"_emissions": emissions / some, "_energy": energy / some, "": 0.5 * (emissions + energy) / some}
        if not np.isfinite(scores[""]):
            raise DataError(
                f"MAPE of {rows:.0f} validation rows is {scores}",
                where="clean_epochs",
                expected="known totals, and a network that did not diverge",
                remedy="Leave out rows without totals, or fit with a smaller learning rate.",
            )
        return {SCORE + name: score for name, score in scores.items()}


def _told(network: Clean, batch: MixBatch) -> tuple[Tensor, Tensor]:
    return network.emissions(batch.source_share, batch.ln_g), network.energy(batch.sector_share, batch.ln_e)


def _check_decoders(config: CleanConfig, loss: CleanLoss) -> None:
    if config.cycle != loss.decodes:
        raise ContractError(
            f"a network with cycle={config.cycle} and {loss}",
            where="clean_epochs",
            expected="decoders exactly where the loss teaches them",
            remedy="Build the network with `clean_network`.",
        )


def _some(count: float, split: str) -> float:
    if count < 1:
        raise DataError(
            f"no {split} rows",
            where="clean_epochs",
            expected="at least one batch an epoch",
            remedy="Look at the splits: no complete row was left.",
        )
    return count


def _advanced(state: FitState, metrics: dict[str, float], network: Clean, optimiser: torch.optim.Optimizer) -> FitState:
    history = [*state.facts.get("history", []), metrics]
    best = best_epoch(history) == len(history) - 1
    tensors = captured_with_best(network, optimiser, state.tensors, best=best)
    return FitState(state.epoch + 1, tensors, {"history": history})

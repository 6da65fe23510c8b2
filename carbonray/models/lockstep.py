"""Several fits as one: they advance epoch by epoch together, and are judged by the mean of their best scores.

Source: SCIENCE 4.5 and 4.7; hyperparameters are judged by the mean score over several validation folds, and a search
that stops poor trials early wants that mean after every epoch. A fit that has ended keeps its best score.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from carbonray.models.fit import Epoch, EpochFit, FitState, Workers
from carbonray.models.fit_tensors import under


@dataclass(frozen=True)
class Lockstep:
    """Fits that advance together; each ends in the state that it would end in alone.

    Attributes:
        name: for people.
        fits: one a split, say.
        metric: of the fits' epochs.
        mode: whether a small or a large one is good.
    """

    name: str
    fits: tuple[EpochFit, ...]
    metric: str
    mode: Literal["min", "max"]

    def digest(self) -> str:
        """Of the fits' digests in their order."""
        return hashlib.sha256(" ".join(fit.digest() for fit in self.fits).encode()).hexdigest()

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        """An epoch of every fit that has not ended: METRIC the mean of the best so far, METRIC/NUMBER each fit's."""
        state = state or FitState()
        states = [part(state, number) for number in range(len(self.fits))]
        running = [fit.epochs(workers, one if one.epoch else None) for fit, one in zip(self.fits, states, strict=True)]
        while advanced := {n: epoch.state for n, fit in enumerate(running) if (epoch := next(fit, None))}:
            states = [advanced.get(number, one) for number, one in enumerate(states)]
            metrics = {"epoch": float(state.epoch + 1)} | self._scores(states)
            state = _joined(state.epoch + 1, states, [*state.facts.get("history", []), metrics])
            yield Epoch(metrics, state)

    def _scores(self, states: list[FitState]) -> dict[str, float]:
        choose = min if self.mode == "min" else max
        best = [choose(epoch[self.metric] for epoch in one.facts["history"]) for one in states]
        return {self.metric: sum(best) / len(best)} | {f"{self.metric}/{n}": score for n, score in enumerate(best)}


def part(state: FitState, number: int) -> FitState:
    """The state of one of the fits; that of none where it has no epoch yet."""
    told: dict[str, Any] = state.facts.get("fits", {}).get(str(number), {"epoch": 0, "facts": {}})
    return FitState(told["epoch"], under(state.tensors, str(number)), told["facts"])


def _joined(epoch: int, states: list[FitState], history: list[dict[str, float]]) -> FitState:
    tensors = {f"{n}.{name}": value for n, one in enumerate(states) for name, value in one.tensors.items()}
    told = {str(n): {"epoch": one.epoch, "facts": one.facts} for n, one in enumerate(states)}
    return FitState(epoch, tensors, {"history": history, "fits": told})

"""What a kind of model must say of itself to be trained, cross-validated and searched like any other.

A learner is one module and one line in `training.learners`; jobs and searches know nothing else of a model. The
hyperparameters of a model are settings: what a search tries is an overlay over the settings' tree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from carbonray.contract import Unit
from carbonray.engine.run import Run
from carbonray.overlays import at, paths
from carbonray.settings import Settings

Floats = NDArray[np.float64]
Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class Target:
    """What a search optimises.

    Attributes:
        name: of the task, such as 'on'.
        metric: its score on validation folds, as reports name it.
        mode: whether a small or a large score is good.
        by_epoch: whether a trial reports after every epoch, and so can be stopped early.
    """

    name: str
    metric: str
    mode: Literal["min", "max"]
    by_epoch: bool


class Trial(Protocol):
    """One trial of a search in plain values: it travels to a process of its own, and runs there."""

    def run(self, report: Report) -> None:
        """Fits on every split of the search; each report holds the target's metric, the last one is final."""
        ...


@dataclass(frozen=True)
class HeldOutAnswers:
    """What a fitted model and a trivial one say of the fold that no fit of theirs saw.

    Attributes:
        group: (row,) what is drawn together in a bootstrap, such as the plant.
        truth: (row, ...) labels.
        answer: (row, ...) of the model.
        trivial: (row, ...) of what knows only the training labels.
        score: truth and an answer, rows of them drawn anew in a bootstrap -> the target's metric.
    """

    group: tuple[str, ...]
    truth: Floats
    answer: Floats
    trivial: Floats
    score: Callable[[Floats, Floats], float]


class Learner(Protocol):
    """A kind of model; the model itself is `settings.model`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Models of this kind."""
        ...

    @property
    def sections(self) -> tuple[str, ...]:
        """Dotted paths of the settings that can change the bytes of a fit."""
        ...

    def targets(self, model: str) -> tuple[Target, ...]:
        """What a search of this model optimises, one after the other."""
        ...

    def defaults(self, settings: Settings, target: str) -> Mapping[str, Any]:
        """Dotted path -> value of everything of a target that can be searched, as the settings have it."""
        ...

    def plan(self, settings: Settings, digest: str) -> tuple[Unit, ...]:
        """The units that can be planned before anything is read."""
        ...

    def prepare(self, run: Run, settings: Settings) -> Any:
        """Makes the data that fits read, in passes of the run; answers where it is, in plain values."""
        ...

    def instances(self, prepared: Any, settings: Settings) -> tuple[int, ...]:
        """Every rotation there is of the folds of the data."""
        ...

    def trial(self, prepared: Any, settings: Settings, target: str) -> Trial:
        """A trial of these settings; rows of the search's test fold change none of its reports."""
        ...

    def fit(self, run: Run, prepared: Any, settings: Settings, instances: tuple[int, ...], folder: str) -> None:
        """Fits instances of the model in passes of the run, into `FOLDER/MODEL/K/`."""
        ...

    def held_out(
        self, prepared: Any, settings: Settings, target: str, folder_url: str, instance: int
    ) -> HeldOutAnswers:
        """Answers of one fitted instance about the fold that it held out."""
        ...


def flat(values: Mapping[str, Any], before: str) -> dict[str, Any]:
    """Dotted path -> value of nested mappings."""
    return {f"{before}.{path}": at(dict(values), path) for path in paths(values)}

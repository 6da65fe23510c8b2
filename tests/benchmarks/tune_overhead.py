"""What Ray Tune adds to a trial: searches of trials that do nothing, beside the same searches in one process.

The trials are a formula: one kind reports once, the other ten epochs. Both searches ask the same study,
kept in a journal on disk, and tell it what came out; Tune's runs each trial in a process of its own, one at a time, as
a sweep on one CPU does. The pace is from the end of the first trial to the end of the last; what comes before, Tune's
own start and the first process, stands apart.
"""

import math
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import ray
from optuna.study import Study

from carbonray.engine import cluster
from carbonray.execution import LocalRules
from carbonray.settings import Settings, load
from carbonray.training.learner import Report, Target
from tune.overlay import overlaid, overlay_of
from tune.spaces import Choice, Space, log_uniform
from tune.storage import opened, storage_at
from tune.study import counted, draw
from tune.trials import Search, run_study

TRIALS = 24  # the least that a sweep of the evidence has
REPORTS = {"once": 1, "epochs": 10}
AT_ONCE = Target("once", "error", "min", by_epoch=False)
BY_EPOCH = Target("epochs", "error", "min", by_epoch=True)
SPACE = Space("training.config", {"rate": log_uniform(1e-3, 1.0), "width": Choice((1, 3, 9))})
Row = dict[str, Any]


@dataclass(frozen=True)
class Idle:
    """A trial that does nothing but report."""

    error: float
    reports: int

    def run(self, report: Report) -> None:
        """One error, so often."""
        for _ in range(self.reports):
            report({"error": self.error})


@dataclass(frozen=True)
class IdleLearner:
    """As much of a learner as a search of trials needs."""

    def trial(self, _prepared: None, settings: Settings, target: str) -> Idle:
        """Whose error is a formula of the parameters."""
        told = settings.training.config
        return Idle((told["rate"] - 0.1) ** 2 + told["width"] / 100, REPORTS[target])


def searched(target: Target) -> Search:
    """A search of trials that do nothing, none stopped early."""
    settings = load([], ["tune.trials_at_once=1", f"tune.grace_epochs={max(REPORTS.values()) + 1}"])
    return Search(IdleLearner(), None, settings, target, SPACE)


def study_at(path: Path, target: Target) -> Study:
    """A new study in a journal."""
    return opened(storage_at(str(path)), path.stem, target)


def in_process(search: Search, study: Study, trials: int) -> None:
    """The same search without Tune: ask, run, tell."""
    metric = search.target.metric
    while len(counted(study)) < trials:
        trial, told = draw(study, search.space, search.settings.tune), list[float]()
        settings = overlaid(search.settings, overlay_of(search.space, trial.params))
        search.learner.trial(search.prepared, settings, search.target.name).run(
            lambda metrics, told=told: told.append(metrics[metric])
        )
        for epoch, value in enumerate(told, 1):
            trial.report(value, epoch)
        study.tell(trial, told[-1])


def pace(study: Study, called: datetime) -> tuple[float, float]:
    """Seconds from one trial's end to the next's, the median; and from the call to the first one's end.

    Raises:
        AssertionError: a trial did not come to its end.
    """
    states = {trial.state.name for trial in counted(study)}
    assert states == {"COMPLETE"}, f"trials ended {sorted(states)}"
    ends = sorted(trial.datetime_complete for trial in counted(study) if trial.datetime_complete)
    return statistics.median(seconds(ends)), (ends[0] - called).total_seconds()


def seconds(times: Sequence[datetime]) -> list[float]:
    """Between one and the next."""
    return [(after - before).total_seconds() for before, after in pairwise(times)]


def measure(folder: Path, target: Target, trials: int = TRIALS) -> list[Row]:
    """Both searches of one target; Ray runs."""
    search = searched(target)
    plain, tuned = (study_at(folder / f"{kind}-{target.name}.journal", target) for kind in ("plain", "tuned"))
    in_process(search, plain, trials)
    called = datetime.now(UTC).astimezone().replace(tzinfo=None)  # as Optuna tells time
    run_study(search, tuned, trials, math.inf)
    plain_s, _ = pace(plain, called)
    tuned_s, first_s = pace(tuned, called)
    title = f"a trial of {REPORTS[target.name]} report{'s' * target.by_epoch}"
    against = f"asked, run and told in one process, {1000 * plain_s:.0f} ms"
    return [
        row(f"Tune: {title}, one at a time", tuned_s, against, tuned_s / plain_s),
        row(f"Tune: {title}, to the end of the first", first_s, "", None),
    ]


def rows() -> list[Row]:
    """Both targets."""
    with tempfile.TemporaryDirectory() as name:
        cluster.connect(LocalRules(num_cpus=2, object_store_mb=256))
        try:
            return [found for target in (AT_ONCE, BY_EPOCH) for found in measure(Path(name), target)]
        finally:
            ray.shutdown()


def row(name: str, value: float, against: str, ratio: float | None) -> Row:
    return {"name": name, "value": value, "unit": "s", "against": against, "ratio": ratio}


if __name__ == "__main__":
    import json

    print(json.dumps(rows(), indent=1))

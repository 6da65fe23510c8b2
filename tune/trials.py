"""Runs the trials of one study on Ray Tune: each in a process of its own, stopped early where it is not promising.

Sources: Li et al. 2020 (ASHA); Ray's advice to give the tuner a function and no trainer, whose workers would take the
CPUs of other trials. Resources are values. Tune's own folder is temporary: the study is the truth.
"""

import logging
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from optuna.study import Study
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from carbonray.errors import CarbonrayError, IncompleteError, SettingsError
from carbonray.execution import TrainRules, TuneRules
from carbonray.settings import Settings
from carbonray.training.learner import Learner, Target
from tune.overlay import overlaid, overlay_of
from tune.search import ENDED, EPOCH, FAILED, StudySearch
from tune.spaces import Space
from tune.study import counted

LONGEST_FIT = 10_000  # epochs; no fit is longer, so no trial is stopped for its length
# no output and no files of Tune's own; a trial's process stays in the driver's folder, where relative paths hold; a
# trial that failed has no score to report
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
}


@dataclass(frozen=True)
class Search:
    """All that a trial's process needs, in plain values."""

    learner: Learner
    prepared: Any
    settings: Settings
    target: Target
    space: Space


def run_study(search: Search, study: Study, trials: int, deadline_s: float) -> None:
    """Runs trials until the study counts as many as asked for, or time is up; Ray must be initialised.

    Args:
        search: what is searched.
        study: with what is to be tried first.
        trials: how many the study shall count in all.
        deadline_s: on `time.monotonic()`; no trial but the first starts after it.

    Raises:
        SettingsError: the cluster has no room for a trial.
        IncompleteError: the search was stopped from outside.
    """
    rules, target = search.settings.tune, search.target
    at_once = rules.trials_at_once or trials_at_once(cluster_resources(), rules, search.settings.training.run)
    searcher = StudySearch(study, search.space, target.metric, target.mode, rules, trials=trials, deadline_s=deadline_s)
    trainable = tune.with_resources(partial(_try, search), {"cpu": rules.cpus, "gpu": rules.gpus})
    with _quiet(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=scheduler_of(study, target, rules),
                num_samples=-1,  # the searcher says when it is enough
                max_concurrent_trials=at_once,
                trial_name_creator=_name,
                trial_dirname_creator=_name,
            ),
            run_config=tune.RunConfig(
                name=study.study_name,
                storage_path=folder,
                stop=_ended,
                failure_config=tune.FailureConfig(max_failures=rules.max_failures),
                verbose=0,
            ),
        ).fit()
    if searcher.open_trials():
        raise IncompleteError(
            f"the search was stopped with {searcher.open_trials()} trials under way",
            where=study.study_name,
            expected=f"{trials} trials, {len(counted(study))} have ended",
            remedy="Run again under the same --study: what has ended is kept.",
        )


def cluster_resources() -> dict[str, float]:
    """What the cluster has, as Ray names it."""
    return dict(ray.cluster_resources())  # type: ignore[no-untyped-call]


def trials_at_once(resources: Mapping[str, float], rules: TuneRules, train: TrainRules) -> int:
    """How many trials a cluster has room for.

    Args:
        resources: of the cluster, as Ray names them.
        rules: what a trial takes.
        train: a trial whose fits have several workers takes theirs too.

    Raises:
        SettingsError: it has room for none.
    """
    nested = train.workers if train.workers > 1 else 0
    needs = {
        "CPU": rules.cpus + nested * train.threads,
        "GPU": rules.gpus + (nested if train.gpu else 0),
    }
    room = min(math.floor(resources.get(name, 0.0) / need) for name, need in needs.items() if need > 0)
    if room < 1:
        raise SettingsError(
            f"a trial takes {needs}, the cluster has { ({name: resources.get(name, 0.0) for name in needs}) }",
            where="tune.cpus, tune.gpus, training.run",
            expected="room for one trial",
            remedy="Ask for less, join a larger cluster, or set tune.trials_at_once where a cluster grows on demand.",
        )
    return room


def _try(search: Search, config: dict[str, Any]) -> None:
    """One trial: runs in a process of its own."""
    last: dict[str, Any] = {}

    def report(metrics: dict[str, float]) -> None:
        last.update({EPOCH: last.get(EPOCH, 0) + 1}, **metrics)
        tune.report(dict(last))

    try:
        settings = overlaid(search.settings, overlay_of(search.space, config["parameters"]))
        search.learner.trial(search.prepared, settings, search.target.name).run(report)
    except CarbonrayError as error:  # would fail again: a diverged fit, a fold of one class, a setting that cannot be
        last[FAILED] = str(error)
    tune.report({**last, ENDED: True})


def _ended(_trial_id: str, result: Mapping[str, Any]) -> bool:
    return bool(result.get(ENDED))


def scheduler_of(study: Study, target: Target, rules: TuneRules) -> TrialScheduler:
    """ASHA, which a resumed search finds as it was left; every trial to its end where it reports but once."""
    if not target.by_epoch:
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    asha: Any = AsyncHyperBandScheduler(
        EPOCH,
        target.metric,
        target.mode,
        max_t=LONGEST_FIT,
        grace_period=rules.grace_epochs,
        reduction_factor=rules.reduction_factor,
        stop_last_trials=False,
    )
    for trial in counted(study):
        known = _Known(f"{study.study_name}-{trial.number}")
        asha.on_trial_add(None, known)
        for epoch, value in sorted(trial.intermediate_values.items()):
            asha.on_trial_result(None, known, {EPOCH: epoch, target.metric: value})
    found: TrialScheduler = asha
    return found


@dataclass(frozen=True)
class _Known:
    """A trial of an earlier attempt, as much of it as a scheduler looks at."""

    trial_id: str


def _name(trial: Any) -> str:
    return f"trial-{trial.config['number']}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Tune with no voice of its own: the searcher logs a line a trial."""
    logger = logging.getLogger("ray.tune")
    level, before = logger.level, {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

"""Runs the networks of one trial: in the trial's own process, or as a run of Ray Train where it has several workers.

A run of Ray Train takes some 13 s to start, more than many a fit: one worker needs none. Either way a trial that died
goes on from its last epoch, and tells again what it had told before.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Literal

import torch

from carbonray.execution import TrackRules, TrainRules
from carbonray.io import objectstore
from carbonray.models.fit import EpochFit
from carbonray.stages.fit_checkpoints import FitCheckpoints, run_here
from carbonray.training.launch import on_train
from carbonray.training.learner import Report
from carbonray.training.tracking import Tracked, open_tracker

POLL_S = 0.5  # between two looks at a fit elsewhere


@dataclass(frozen=True)
class TrialPlace:
    """Where a trial runs and leaves its traces.

    Attributes:
        run_url: of the sweep; states are under its `checkpoints`, metrics under its `tracking`.
        train: workers.
        tracking: who else is told.
        parameters: of the trial.
        device: of a fit in this process.
    """

    run_url: str
    train: TrainRules
    tracking: TrackRules
    parameters: Mapping[str, Any]
    device: Literal["cpu", "cuda"] = "cpu"


def run_trial(fit: EpochFit, place: TrialPlace, report: Report) -> None:
    """Runs a fit to its end and reports every epoch, those of an earlier attempt first.

    Args:
        fit: of all splits of the search.
        place: where.
        report: takes the metrics of an epoch.
    """
    digest = fit.digest()
    name = f"{fit.name}-{digest[:16]}"
    folder = objectstore.join(place.run_url, "tracking", "trials")
    lineage = {"sweep": place.run_url, "fit_digest": digest}
    watched = Tracked(fit, open_tracker(place.tracking, folder, name, place.parameters, lineage))
    url = objectstore.join(place.run_url, "checkpoints", name)
    if on_train(place.train):
        _run_on_train(watched, url, place.train, report)
        return
    torch.set_num_threads(place.train.threads)
    run_here(watched, url, device=place.device, on_epoch=report)


def _run_on_train(fit: EpochFit, url: str, rules: TrainRules, report: Report) -> None:
    """Workers elsewhere keep a state after every epoch: what it tells is reported from here."""
    from carbonray.training.torch_fit import run_on_train  # noqa: PLC0415  # seconds that other trials save

    kept, told = FitCheckpoints(url, fit.digest()), 0
    with ThreadPoolExecutor(1) as beside:
        fitting, running = beside.submit(run_on_train, fit, url, rules), True
        while running:
            running = not wait([fitting], timeout=POLL_S).done
            for metrics in kept.history()[told:]:
                report(metrics)
                told += 1
        fitting.result()

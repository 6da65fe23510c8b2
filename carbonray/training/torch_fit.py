"""Fits of torch models on Ray Train: one training loop for all of them, with workers, checkpoints and failures.

Source: Ray Train v2. What is fitted, and how, is an `EpochFit`; here it gets a process a worker that act as one. States
are kept as where a fit runs alone (safetensors and JSON), before Ray hears of the epoch: Ray registers what is reported
to it some seconds later, and a node that dies meanwhile would take those epochs with it. When a worker, a node or the
driver died, the fit goes on from the last state and ends in the same bytes.
"""

from typing import Any

import ray.train
import ray.train.torch
import torch
from ray.train import TrainingFailedError

from carbonray.errors import CarbonrayError
from carbonray.execution import TrainRules
from carbonray.io.objectstore import absolute
from carbonray.models.fit import EpochFit, FitState
from carbonray.stages.fit_checkpoints import FitCheckpoints
from carbonray.training.ddp import grouped_workers


def run_on_train(fit: EpochFit, url: str, rules: TrainRules) -> FitState:
    """Runs a fit as a run of Ray Train, going on from its last checkpoint.

    Ray must be initialised.

    Args:
        fit: the fit.
        url: folder of its checkpoints, which all nodes reach.
        rules: workers, and what they hold.

    Returns:
        The state after the last epoch.

    Raises:
        CarbonrayError: what the fit itself found wrong, as where it runs alone.
        TrainingFailedError: workers died more often than the rules allow.
    """
    digest, folder = fit.digest(), absolute(url)
    trainer = ray.train.torch.TorchTrainer(
        train_loop,
        train_loop_config={"fit": fit, "url": folder, "digest": digest, "threads": rules.threads},
        scaling_config=ray.train.ScalingConfig(
            num_workers=rules.workers,
            use_gpu=rules.gpu,
            resources_per_worker={"CPU": rules.threads} | ({"GPU": 1} if rules.gpu else {}),
        ),
        run_config=ray.train.RunConfig(
            name=f"{fit.name}-{digest[:16]}",
            storage_path=folder,
            failure_config=ray.train.FailureConfig(max_failures=rules.max_failures),
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        said = _said(error)
        if said is None:
            raise
        raise said from error
    return FitCheckpoints(folder, digest).read() or FitState()


def train_loop(loop: dict[str, Any]) -> None:
    """One worker's part of a fit: runs in a process of Ray Train."""
    fit: EpochFit = loop["fit"]
    torch.set_num_threads(loop["threads"])
    context, kept = ray.train.get_context(), FitCheckpoints(loop["url"], loop["digest"])
    rank = context.get_world_rank()
    workers = grouped_workers(rank, context.get_world_size(), str(ray.train.torch.get_device()))
    for metrics, state in fit.epochs(workers, kept.read()):
        if rank == 0:
            kept.put(state)
        ray.train.report(metrics)  # waits for all workers: the next epoch starts once this one is kept


def _said(error: TrainingFailedError) -> CarbonrayError | None:
    """What a worker found wrong, out of Ray's wrapping."""
    failures = getattr(error, "worker_failures", {}).values()
    causes = (getattr(failure, "_base_exc", failure) for failure in failures)
    return next((cause for cause in causes if isinstance(cause, CarbonrayError)), None)

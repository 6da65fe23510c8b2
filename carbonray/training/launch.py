"""Where fits run: in this process, as a task of Ray, or as a run of Ray Train; and how many at a time.

Source: measured, a trivial run of Ray Train takes some 13 s to start, more than many a fit: one worker needs none.
Resources are values: what a cluster has free and what a fit holds decide how many fits run at once.
"""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import ray
import torch

from carbonray.execution import TrainRules
from carbonray.models.fit import EpochFit, FitState
from carbonray.stages.fit_checkpoints import RunFit, run_here


def runner(rules: TrainRules, *, device: str = "") -> RunFit:
    """What runs a fit whose states are in a folder, and waits for it; it travels to other processes.

    Args:
        rules: workers, and what they hold.
        device: of a fit in the process that calls, 'cpu' or 'cuda'; as the rules say where not given.
    """
    if on_train(rules):
        return partial(_on_train, rules=rules)
    return partial(_alone, rules=rules, device=device or ("cuda" if rules.gpu else "cpu"))


def on_train(rules: TrainRules) -> bool:
    """Whether a fit is a run of Ray Train."""
    return rules.workers > 1 or rules.ray_train


def fits_at_once(available: Mapping[str, float], rules: TrainRules, fits: int) -> int:
    """How many of some fits run at a time: all where there is room, one after the other where there is not.

    Args:
        available: resources of the cluster, by Ray's names: what others hold for a moment is waited for.
        rules: workers, and what they hold.
        fits: to be run, at least 1.
    """
    held = {"CPU": float(rules.workers * rules.threads), "GPU": float(rules.workers * rules.gpu)}
    room = min(math.floor(available.get(name, 0.0) / amount) for name, amount in held.items() if amount)
    return max(1, min(room, fits))


def run_fits(fits: Sequence[EpochFit], urls: Sequence[str], rules: TrainRules) -> list[FitState]:
    """Runs several fits, each in processes of its own, as many at once as the cluster has room for.

    Ray must be initialised. A fit whose process dies goes on from its last epoch.

    Args:
        fits: the fits.
        urls: folder of the states of each.
        rules: workers, and what they hold.

    Returns:
        The state of each after its last epoch.
    """
    if not fits:
        return []
    at_once = fits_at_once(ray.cluster_resources(), rules, len(fits))  # type: ignore[no-untyped-call]
    cpus, gpus = (0, 0) if on_train(rules) else (rules.threads, int(rules.gpu))  # the workers hold them
    task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=rules.max_failures)(_called)

    def run(fit: EpochFit, url: str) -> FitState:
        state: FitState = ray.get(task.remote(runner(rules), fit, url))
        return state

    with ThreadPoolExecutor(at_once) as waiting:
        return list(waiting.map(run, fits, urls))


def _called(run: RunFit, fit: EpochFit, url: str) -> FitState:
    return run(fit, url)


def _on_train(fit: EpochFit, url: str, *, rules: TrainRules) -> FitState:
    from carbonray.training.torch_fit import run_on_train  # noqa: PLC0415  # seconds that a fit on its own saves

    return run_on_train(fit, url, rules)


def _alone(fit: EpochFit, url: str, *, rules: TrainRules, device: str) -> FitState:
    torch.set_num_threads(rules.threads)
    return run_here(fit, url, device=device)

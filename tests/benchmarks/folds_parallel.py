"""Four small fits at once against one after the other, through `training.launch.run_fits` on the CPUs there are.

The fits are of a scene network (`unet`) on the same streamed shards, seeds apart, as the four rotations of a model are.
Both ways each fit is a task of Ray with one thread, keeps a checkpoint an epoch and begins in a process that has torch
loaded; `run_fits` itself chooses how many run at a time. Both ways end in the same weights, which is checked.
"""

import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
import torch

from carbonray.engine import cluster
from carbonray.execution import LocalRules, SampleRules, TrainRules
from carbonray.models.fit import FitState
from carbonray.training.launch import fits_at_once, run_fits
from tests.benchmarks.training_stream import SceneLoop, scene_loop

FITS = 4
SCENES = SampleRules(scenes=512, test_share=0.0, validation_share=0.0, shard_scenes=64, window_shards=4)
EPOCHS, WARM_EPOCHS, REPEATS = 3, 1, 2
LONGEST_WAIT_S = 60.0
RULES = TrainRules()
Row = dict[str, Any]


def four_fits(loop: SceneLoop) -> list[SceneLoop]:
    """Seeds apart."""
    return [replace(loop, rules=replace(loop.rules, seed=seed)) for seed in range(FITS)]


def timed(fits: list[SceneLoop], folder: Path, at_a_time: int) -> tuple[float, list[FitState]]:
    """Seconds of all fits, so many of them given to `run_fits` at a time, and their last states."""
    all_free()
    urls = [str(folder / str(number)) for number in range(len(fits))]
    started, states = time.perf_counter(), list[FitState]()
    for first in range(0, len(fits), at_a_time):
        chosen = slice(first, first + at_a_time)
        states += run_fits(fits[chosen], urls[chosen], RULES)
    return time.perf_counter() - started, states


def all_free() -> None:
    """Waits until Ray counts the CPUs of finished tasks as free again, a second or so after they are."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while ray.available_resources().get("CPU", 0.0) < ray.cluster_resources()["CPU"]:
        assert time.monotonic() < deadline, f"something holds CPUs: {ray.available_resources()}"
        time.sleep(0.1)


def same(some: list[FitState], others: list[FitState]) -> bool:
    """Whether fits ended in the same bytes."""
    pairs = [(a.tensors, b.tensors) for a, b in zip(some, others, strict=True)]
    return all(a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in pairs)


def measure(folder: Path, loop: SceneLoop) -> list[Row]:
    """Both ways; Ray runs."""
    fits = four_fits(loop)
    warm = [replace(fit, rules=replace(fit.rules, epochs=WARM_EPOCHS)) for fit in fits]
    timed(warm, folder / "warm", FITS)
    took: dict[int, list[float]] = {1: [], FITS: []}
    for repeat in range(REPEATS):  # in turn, so that a machine that drifts drifts for both
        ways = {at: timed(fits, folder / f"{repeat}-{at}", at) for at in took}
        assert same(*(states for _, states in ways.values())), "fits at once end in other weights"
        for at, (seconds, _) in ways.items():
            took[at].append(seconds)
    after_s, at_once_s = (statistics.median(seconds) for seconds in took.values())
    room = fits_at_once(ray.cluster_resources(), RULES, FITS)
    cpus = int(ray.cluster_resources()["CPU"])
    return [row(60 * FITS / at_once_s, 60 * FITS / after_s, room, cpus)]


def rows() -> list[Row]:
    """On all CPUs of this machine."""
    with tempfile.TemporaryDirectory() as name:
        cluster.connect(LocalRules(num_cpus=os.cpu_count() or 1, object_store_mb=256))
        try:
            return measure(Path(name), scene_loop(Path(name), SCENES, EPOCHS))
        finally:
            ray.shutdown()


def row(at_once: float, after: float, room: int, cpus: int) -> Row:
    name = f"four fits of a fold each, {room} at a time on {cpus} CPUs"
    against = f"one after the other, {after:.2f} fits/min; at best {room}"
    return {"name": name, "value": at_once, "unit": "fits/min", "against": against, "ratio": at_once / after}


if __name__ == "__main__":
    import json

    print(json.dumps(rows(), indent=1))

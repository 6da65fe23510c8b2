"""Each way of computing the sounding networks against float32: images a second, and how far the answers are apart.

Both tasks of a model in turn, at the sizes of the registry, on images of four structures. One thread, in a process with
the environment that Ray gives its workers; CPU time, the ways in turn, medians of the rounds. Differences are the
gate's: the largest of an on score or capacity factor on its probe bags, for weights as they are first drawn.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from carbonray.models.bags import BandScaling
from carbonray.models.sounding_cnn import TASKS, SoundingCnn
from carbonray.models.sounding_detector import SoundingDetector
from carbonray.models.sounding_registry import cnn_config
from carbonray.models.sounding_runtime import REFERENCE, RUNTIMES, Runtime, RuntimeRules, gate
from tests.benchmarks.worker_process import in_one_process

MODELS = ("sentinel2_resisc_ndt", "sentinel2_ben_ndt", "planetscope_resisc_ndt")
IMAGES, STRUCTURES, ROUNDS = 16, 4, 7
Row = dict[str, Any]
Networks = Mapping[str, SoundingCnn]


def rows() -> list[Row]:
    """The figures of all models."""
    return [row for model in MODELS for row in in_one_process(of_model, model)]


def of_model(model: str) -> list[Row]:
    """Rates and differences of one model; its process computes on one thread."""
    torch.set_num_threads(1)
    return compared(model, networks_of(model))


def networks_of(model: str) -> dict[str, SoundingCnn]:
    """Task -> network with weights as they are first drawn."""
    torch.manual_seed(0)
    return {task: SoundingCnn(cnn_config(model, task)) for task in TASKS}


def compared(model: str, networks: Networks, images: int = IMAGES, rounds: int = ROUNDS) -> list[Row]:
    """A rate for every runtime, and a difference for all but the reference."""
    work = {name: both_tasks(networks, name, images) for name in RUNTIMES}
    found: dict[str, list[float]] = {name: [] for name in RUNTIMES}
    for _ in range(rounds):
        for name, run in work.items():
            started = time.process_time()
            run()
            found[name].append(images / (time.process_time() - started))
    rates = {name: statistics.median(each) for name, each in found.items()}
    limit = RuntimeRules().max_difference
    made = []
    for name in RUNTIMES:
        ratio = None if name == REFERENCE else rates[name] / rates[REFERENCE]
        against = "" if name == REFERENCE else REFERENCE
        made.append(_row(f"sounding runtime {name}: {model}, both tasks", rates[name], "images/s/core", against, ratio))
        if name != REFERENCE:
            apart = max(difference(network, name) for network in networks.values())
            words = f"the gate's limit, {limit}"
            made.append(_row(f"sounding runtime {name}: {model}, difference", apart, "score", words, apart / limit))
    return made


def both_tasks(networks: Networks, name: str, images: int) -> Callable[[], None]:
    """One call of every network over the same number of images, warmed up."""
    calls = []
    for network in networks.values():
        config = network.config
        scaling = asdict(BandScaling((0.2,) * len(config.bands), (0.1,) * len(config.bands)))
        tensors = {key: value.numpy() for key, value in network.state_dict().items()}
        detector = SoundingDetector(asdict(config), scaling, tensors, where="benchmark", runtime=RuntimeRules(name))
        shape = (images, STRUCTURES, len(config.bands), config.patch_px, config.patch_px)
        patches = np.random.default_rng(0).normal(0.2, 0.1, shape).astype(np.float32)
        calls.append((detector, patches, np.ones(shape[:2], np.bool_)))

    def run() -> None:
        for detector, patches, mask in calls:
            detector(patches, mask)

    run()
    return run


def difference(network: SoundingCnn, name: str) -> float:
    """What the gate measures."""
    return gate(Runtime(network, name), Runtime(network, REFERENCE), network, RuntimeRules(name), where="benchmark")


def _row(name: str, value: float, unit: str, against: str, ratio: float | None) -> Row:
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio}

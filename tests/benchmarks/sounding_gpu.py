"""Images a second of all ten sounding networks on one device, and the hours that the paper's observations take there.

    python -m tests.benchmarks.sounding_gpu [--device cuda] [--images 256] [--runtimes fp32 bf16 folded]

Plain torch: standardised patches lie on the device, both tasks of a model answer them in turn, and wall time counts
until the answers are back. The plume paper made 1,198,167 observations; hours are for each of them through every
network and instance, an upper bound, since an image has one imager and few plants have both kinds of structure.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from carbonray.models.sounding_cnn import TASKS, SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_registry import SOUNDING_MODELS, cnn_config
from carbonray.models.sounding_runtime import REFERENCE, RUNTIMES, Runtime, RuntimeRules, gate

OBSERVATIONS = 1_198_167
INSTANCES = 4
SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True)
class Load:
    """What is measured: images a call, structures an image, calls, and the width of the trunks."""

    images: int = 256
    structures: int = 4
    rounds: int = 5
    width: int = 64


def rates_of(name: str, device: str, runtimes: Sequence[str], load: Load) -> dict[str, Any]:
    """Images a second of both tasks of a model by runtime, and the largest difference from the reference."""
    torch.manual_seed(0)
    networks = [SoundingCnn(replace(cnn_config(name, task), width=load.width)).eval() for task in TASKS]
    found: dict[str, Any] = {"model": name}
    for runtime in runtimes:
        seconds = sum(seconds_a_call(network, runtime, device, load) for network in networks)
        found[runtime] = {"images_per_s": load.images / seconds}
        if runtime != REFERENCE:
            found[runtime]["difference"] = max(apart(network, runtime, device) for network in networks)
    return found


def seconds_a_call(network: SoundingCnn, runtime: str, device: str, load: Load) -> float:
    """Median over some calls, after two to warm up."""
    ready = Runtime(network, runtime, device)
    patches, mask = bag(network.config, device, load)
    seconds = []
    for number in range(load.rounds + 2):
        started = time.perf_counter()
        ready(patches, mask)  # waits for the answers
        if number > 1:
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def bag(config: SoundingCnnConfig, device: str, load: Load) -> tuple[torch.Tensor, torch.Tensor]:
    """Standardised noise in full bags, on the device."""
    shape = (load.images, load.structures, len(config.bands), config.patch_px, config.patch_px)
    return 0.5 + 0.25 * torch.randn(shape, device=device), torch.ones(shape[:2], dtype=torch.bool, device=device)


def apart(network: SoundingCnn, runtime: str, device: str) -> float:
    """What the gate measures on the device."""
    rules = RuntimeRules(runtime, max_difference=1.0)
    return gate(Runtime(network, runtime, device), Runtime(network, REFERENCE, device), network, rules, where=device)


def hours(rates: Sequence[float]) -> float:
    """Of one device for every observation through every network, all instances."""
    return OBSERVATIONS * INSTANCES * sum(1.0 / rate for rate in rates) / SECONDS_AN_HOUR


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measures and prints one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sounding_gpu")
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--runtimes", nargs="+", default=list(RUNTIMES), choices=RUNTIMES)
    for name, value in vars(Load()).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args(arguments)
    load = Load(options.images, options.structures, options.rounds, options.width)
    names = [name for name, entry in SOUNDING_MODELS.items() if entry.trunk]
    models = [rates_of(name, options.device, options.runtimes, load) for name in names]
    found = {
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
        "torch": torch.__version__,
        "load": vars(load),
        "models": models,
        "device_hours": {
            runtime: hours([model[runtime]["images_per_s"] for model in models]) for runtime in options.runtimes
        },
        "observations": OBSERVATIONS,
        "instances": INSTANCES,
    }
    print(json.dumps(found, indent=1))
    return found


if __name__ == "__main__":
    main()

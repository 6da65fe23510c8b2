"""Networks on one thread of this machine: tiles a second in use and in training, beside the small U-Net and float32.

CPU time of the process, so that neighbours on the machine count for little; the best of three repeats.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from carbonray.models.detector import detect, network_of
from carbonray.models.fit import FitRules, fit_epochs
from carbonray.models.layers import channels_last
from carbonray.models.registry import MODELS
from carbonray.models.tiles import PackedTiles, TileBatch, packed

TILES = 32
REPEATS = 3


def tiles_of(seed: int = 0) -> PackedTiles:
    """One batch of random tiles."""
    rng = np.random.default_rng(seed)
    column, seen = rng.normal(30, 10, (TILES, 64, 64)), rng.random((TILES, 64, 64)) > 0.1
    fields = (column, seen, *rng.normal(0, 5, (2, TILES, 64, 64)), rng.random((TILES, 64, 64)) ** 20)
    return packed(TileBatch(*(torch.from_numpy(f.astype(np.float32)) for f in fields)))


def tiles_per_s(work: Callable[[], Any]) -> float:
    """Tiles a second of CPU time, after one call to warm up."""
    work()
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return TILES / min(seconds)


def inference(name: str) -> float:
    """Detection in float32, channels last."""
    network = channels_last(network_of(name)).eval()
    tiles = tiles_of().unpacked(torch.device("cpu"))
    with torch.inference_mode():
        return tiles_per_s(lambda: detect(network, tiles, MODELS[name].encoding))


def training(precision: str) -> float:
    """One epoch of one batch of the small U-Net: a step with augmentation, and a validation pass."""
    entry, batch = MODELS["unet"], tiles_of()
    network = network_of("unet")
    rules = FitRules(epochs=1, precision=precision, augment=True)

    def pair(tiles: TileBatch) -> tuple[torch.Tensor, torch.Tensor]:
        return entry.pair(tiles, entry.encoding, entry.config)

    def step() -> None:
        next(fit_epochs(network, pair, lambda _: [batch], lambda: [batch], rules))

    return tiles_per_s(step)


def rows() -> list[dict[str, Any]]:
    """Rows of the benchmark table."""
    torch.set_num_threads(1)
    speeds = {name: inference(name) for name in ("unet", "plume_net", "unet_large", "finch")}
    found = [
        {
            "name": f"detect, {name}",
            "value": speed,
            "unit": "tiles/s",
            "against": "unet",
            "ratio": speed / speeds["unet"],
        }
        for name, speed in speeds.items()
    ]
    exact, mixed = training("fp32"), training("bf16")
    found.append({"name": "fit, unet, fp32", "value": exact, "unit": "tiles/s", "against": "", "ratio": None})
    found.append(
        {"name": "fit, unet, bf16", "value": mixed, "unit": "tiles/s", "against": "fp32", "ratio": mixed / exact}
    )
    return found

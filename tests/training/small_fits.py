"""Fits of seconds for tests of workers: scenes and soundings from small files, with and without what depends on them.

What a batch's neighbours change (BatchNorm) and what is drawn by each worker (dropout, the augmentation of soundings)
is left out of the plain fits, so that two workers must answer like one; the usual fits have it all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
from torch import nn

from carbonray.execution import SampleRules, ThresholdRules
from carbonray.io.bag_store import encode_bags
from carbonray.io.objectstore import put_bytes
from carbonray.models.augment import AugmentRules
from carbonray.models.encoding import CHANNELS, Encoding
from carbonray.models.fit import Epoch, EpochFit, FitRules, FitState, Workers
from carbonray.models.lockstep import Lockstep
from carbonray.models.neural_peers import UNet, UNetConfig
from carbonray.models.registry import MODELS
from carbonray.models.sounding_cnn import SoundingCnnConfig
from carbonray.models.sounding_fit import SoundingFitRules
from carbonray.science.no2.scenes import SceneRules
from carbonray.science.spatial.tiling import TileRules
from carbonray.stages.sounding_networks import SoundingFit
from carbonray.stages.sounding_streams import BagStream, bag_files
from carbonray.training.samples import SceneShard, planned_shards, written_shard
from carbonray.training.scene_fit import SceneFit
from tests.io.test_bag_store import bags

SAMPLES = SampleRules(scenes=120, test_share=0.0, validation_share=0.4, shard_scenes=12, window_shards=2)
ENCODING = Encoding(channels=CHANNELS, no2="asinh", target="sqrt")
FROZEN = "unet_frozen"
LANES = 2


class FrozenNorm(nn.BatchNorm2d):
    """BatchNorm that keeps the statistics it was made with."""

    def train(self, mode: bool = True) -> "FrozenNorm":
        super().train(False)
        return self


def frozen_unet(config: UNetConfig) -> UNet:
    network = UNet(config)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, FrozenNorm(child.num_features))
    return network


@dataclass(frozen=True)
class WithFrozen:
    """A fit of a model that is in the registry for as long as its network is built."""

    fit: SceneFit

    @property
    def name(self) -> str:
        return self.fit.name

    def digest(self) -> str:
        return self.fit.digest()

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        with mock.patch.dict(MODELS, {FROZEN: replace(MODELS["unet"], build=frozen_unet)}):
            return self.fit.epochs(workers, state)


def scene_shards(folder: Path) -> dict[str, tuple[SceneShard, ...]]:
    plan = planned_shards(SAMPLES, SceneRules(), TileRules(), f"{folder}/scenes")
    return {split: tuple(written_shard(s, SAMPLES, SceneRules(), TileRules()) for s in plan[split]) for split in plan}


def scenes(folder: Path, model: str, epochs: int = 2) -> SceneFit:
    shards = scene_shards(folder)
    rules = FitRules(epochs=epochs, batch_size=4, learning_rate=1e-3, schedule="cosine", augment=True, accumulate=2)
    splits = (shards["train"], shards["validation"])
    return SceneFit(model, model, {"width": 4}, rules, ENCODING, *splits, 2, LANES, ThresholdRules(step=0.1))


def bag_urls(folder: Path) -> list[str]:
    """Eight files of seven images, of one to three structures."""
    urls = [f"{folder}/bags/P{number}-2021.arrow" for number in range(8)]
    rng = np.random.default_rng(0)
    for number, url in enumerate(urls):
        if not Path(url).exists():
            held = bags(7, 1 + number % 3, side=8, seed=number, fold=number % 4)
            loads = np.where(held.keys["on"].to_numpy(zero_copy_only=False), rng.uniform(0.2, 1.0, 7), 0.0)
            keys = held.keys.set_column(5, "capacity_factor", [loads.astype(np.float32)])
            put_bytes(url, encode_bags({"NDT": type(held)(keys, held.dn, held.numbers, held.bands)}))
    return urls


def soundings(folder: Path, config: SoundingCnnConfig, rules: SoundingFitRules) -> SoundingFit:
    files = bag_files(bag_urls(folder), "NDT", with_loads=False)
    streams = [
        BagStream(tuple(file for file in files if file.fold in folds), "NDT", config.bands, config.patch_px,
                  rules.batch_size, with_loads=False, window_files=2, seed=rules.seed)
        for folds in ((0, 1, 2), (3,))
    ]  # fmt: skip
    return SoundingFit(f"{config.trunk}-{config.task}", config, *streams, rules)


def plain(folder: Path, epochs: int = 2) -> Lockstep:
    """No BatchNorm, no dropout; tiles are turned by the draws of their lane."""
    config = SoundingCnnConfig(
        task="capacity_factor", trunk="vgg16", width=8, attention_width=8, dropout=0.0, patch_px=8,
        bands=("B3", "B4"), stands_for=("green", "red"),
    )  # fmt: skip
    rules = SoundingFitRules(
        epochs=epochs, batch_size=8, learning_rate=1e-3, accumulate=2, augment=AugmentRules(magnitude=0.0)
    )
    fits: tuple[EpochFit, ...] = (WithFrozen(scenes(folder, FROZEN, epochs)), soundings(folder, config, rules))
    return Lockstep("plain", fits, "validation_loss", "min")


def usual(folder: Path, epochs: int = 2) -> Lockstep:
    """BatchNorm by worker, dropout, augmentation."""
    config = SoundingCnnConfig(
        task="on", trunk="resnet50", width=8, attention_width=8, patch_px=8, bands=("B3", "B4"),
        stands_for=("green", "red"),
    )  # fmt: skip
    rules = SoundingFitRules(epochs=epochs, batch_size=8, learning_rate=1e-3)
    fits: tuple[EpochFit, ...] = (scenes(folder, "unet", epochs), soundings(folder, config, rules))
    return Lockstep("usual", fits, "validation_loss", "min")

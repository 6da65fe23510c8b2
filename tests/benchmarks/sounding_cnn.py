"""Sounding networks on one thread of this machine: patches a second through ResNet-50 to conv2_x, by memory layout.

Eager float32, 64 x 64 pixels, three bands, 1/4 of the patches of a bag padding. CPU time of the process, so that
neighbours on the machine count for little; the best of three repeats. Rates are images a second, three real patches
each.
"""

import time
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from carbonray.models.layers import channels_last
from carbonray.models.sounding_cnn import SoundingCnn, SoundingCnnConfig

IMAGES, PATCHES, PADDED = 8, 3, 4
REPEATS = 3
CONFIG = SoundingCnnConfig(patch_px=64)


class Dense(SoundingCnn):
    """The peer that computes padding too."""

    def forward(self, patches: Tensor, mask: Tensor) -> Any:
        """Every patch through the trunk."""
        return self.pooled(self.embedded(patches.flatten(0, 1)).view(*mask.shape, -1), mask)


class Nchw(SoundingCnn):
    """The peer that leaves patches as they are stored, bands apart."""

    def embedded(self, patches: Tensor) -> Tensor:
        """The same trunk, without a change of layout."""
        features: Tensor = self.trunk(patches * self.get_buffer("gain") + self.get_buffer("offset")).mean((-2, -1))
        return features


def images_per_s(network: SoundingCnn, images: int = IMAGES) -> float:
    """Images a second of CPU time, after one call to warm up."""
    patches = torch.rand(images, PADDED, len(network.config.bands), *2 * [network.config.patch_px])
    mask = (torch.arange(PADDED) < PATCHES).expand(images, -1)
    network.eval()
    seconds = []
    with torch.inference_mode():
        network(patches, mask)
        for _ in range(REPEATS):
            started = time.process_time()
            network(patches, mask)
            seconds.append(time.process_time() - started)
    return images / min(seconds)


def rows(config: SoundingCnnConfig = CONFIG, images: int = IMAGES) -> list[dict[str, Any]]:
    """Rows of the benchmark table."""
    torch.set_num_threads(1)
    found = []
    peers = {
        "NCHW": Nchw(config),
        "padding computed": channels_last(Dense(config)),
        "VGG-16": channels_last(SoundingCnn(replace(config, trunk="vgg16"))),
    }
    speed = images_per_s(channels_last(SoundingCnn(config)), images)  # type: ignore[arg-type]
    name = "soundings, ResNet-50 to block2_pool, 3 patches of 64 px, channels last"
    found.append({"name": name, "value": speed, "unit": "images/s", "against": "", "ratio": None})
    for peer, network in peers.items():
        other = images_per_s(network, images)  # type: ignore[arg-type]
        found.append({"name": name, "value": speed, "unit": "images/s", "against": peer, "ratio": speed / other})
    return found

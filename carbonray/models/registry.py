"""Every model by name: how it is built, what it reads, what it is asked for, how it is fitted by default.

A new model is one file in this folder and one entry here. `plume_net_paper` is the NO2 hotspot paper's set-up as
written (Remote Sensing 17, 1167, 2025); `plume_net` is our production variant of the same network; the rest are peers.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from carbonray.models.encoding import CHANNELS, Encoding, encode_inputs, encode_target
from carbonray.models.fit import FitRules
from carbonray.models.neural_peers import FinchCNN, FinchConfig, UNet, UNetConfig, presence_pair
from carbonray.models.plume_net import PlumeNet, PlumeNetConfig
from carbonray.models.tiles import TileBatch


@dataclass(frozen=True)
class ModelEntry:
    """One line of the registry.

    Attributes:
        build: config -> network.
        config: the network's shape.
        encoding: channels, scaling and target.
        fit: defaults of record of the fit.
        accepts: what one sample is, in words.
        pair: (tiles, encoding, config) -> (network input, target).
    """

    build: Callable[[Any], nn.Module]
    config: Any
    encoding: Encoding
    fit: FitRules
    accepts: str
    pair: Callable[[TileBatch, Encoding, Any], tuple[Tensor, Tensor]]


def map_pair(tiles: TileBatch, encoding: Encoding, _config: object) -> tuple[Tensor, Tensor]:
    """(n, channel, y, x) inputs and (n, y, x) targets of a network that draws the emission map."""
    return encode_inputs(tiles, encoding), encode_target(tiles.truth(), encoding)


_TILE = "NO2 tile (64, 64) in umol m-2"
_PRODUCTION = Encoding(channels=CHANNELS, no2="asinh", target="sqrt")
_PRODUCTION_FIT = FitRules(epochs=5, learning_rate=2e-3, schedule="cosine", precision="bf16", augment=True)

MODELS: dict[str, ModelEntry] = {
    "plume_net_paper": ModelEntry(PlumeNet, PlumeNetConfig(), Encoding(), FitRules(), _TILE, map_pair),
    "plume_net": ModelEntry(
        PlumeNet,
        PlumeNetConfig(in_channels=4, head_init="zero"),
        _PRODUCTION,
        replace(_PRODUCTION_FIT, loss="weighted_mse", learning_rate=5e-4),
        f"{_TILE}, its mask, wind toward east and north in m s-1",
        map_pair,
    ),
    "unet": ModelEntry(
        UNet,
        UNetConfig(),
        _PRODUCTION,
        _PRODUCTION_FIT,
        f"{_TILE}, its mask, wind toward east and north in m s-1; any size in multiples of 16",
        map_pair,
    ),
    "unet_large": ModelEntry(
        UNet,
        UNetConfig(width=81),
        _PRODUCTION,
        _PRODUCTION_FIT,
        f"{_TILE}, its mask, wind toward east and north in m s-1; any size in multiples of 16",
        map_pair,
    ),
    "finch": ModelEntry(
        FinchCNN,
        FinchConfig(),
        Encoding(no2="tile_max"),
        # 50 epochs of batches of 32 windows (8 tiles of four windows): the script's
        FitRules(epochs=50, batch_size=8, loss="cross_entropy", learning_rate=1e-3, augment=False),
        "NO2 window (28, 28), at least 300 of its pixels valid; cut from tiles by the pair",
        presence_pair,
    ),
}

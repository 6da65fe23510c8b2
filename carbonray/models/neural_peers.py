"""The networks that PlumeNet is compared with: a U-Net of the same or of a small size, and Finch's plume classifier.

Sources: U-Net, Ronneberger et al. 2015 (arXiv 1505.04597), here with nearest-neighbour upsampling and, to save time at
full resolution, 2x2 pixels folded into channels on the way in and out; Finch et al., AMT 15, 721-733, 2022, with the
layer sizes of its public script. U-Net: (n, channel, y, x) -> (n, y, x); Finch: (n, 1, 28, 28) -> (n, 2) logits.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from carbonray.models.encoding import Encoding, encode_inputs
from carbonray.models.layers import double_conv
from carbonray.models.tiles import TileBatch


@dataclass(frozen=True)
class UNetConfig:
    """Shape of the U-Net; width 32 is the small production size, width 81 that of PlumeNet.

    Attributes:
        in_channels: input channels.
        width: channels of the two upper levels; the two lower have twice as many, inferred.
        fold: pixels of a side folded into channels, 1 for none, inferred.
    """

    in_channels: int = 4
    width: int = 32
    fold: int = 2


class UNet(nn.Module):
    """Four levels, each joined to its twin on the way up; translation-equivariant but for the poolings' phase."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        widths = (w, w, 2 * w, 2 * w)
        inputs = (config.in_channels * config.fold**2, *widths[:-1])
        self.down = nn.ModuleList(double_conv(i, o) for i, o in zip(inputs, widths, strict=True))
        ups = tuple(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(double_conv(below + level, level) for below, level in ups)
        self.head = nn.Conv2d(w, config.fold**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channel, y, x) -> (n, y, x); y and x multiples of 8 x fold."""
        x = functional.pixel_unshuffle(x, self.config.fold)
        levels: list[Tensor] = []
        for number, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if number else x)
            levels.append(x)
        for block, level in zip(self.up, levels[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), level], 1))
        return functional.pixel_shuffle(self.head(x), self.config.fold)[:, 0]


@dataclass(frozen=True)
class FinchConfig:
    """Shape of Finch's classifier; the defaults are the public script's.

    Attributes:
        input_px: side of a tile.
        min_valid: fewest valid pixels of a tile, of 784.
        presence_score: softmax score above which a tile holds a plume.
        presence_cut: relative emission that makes a training tile one with a plume, inferred.
        stride: step of the tiles over a larger field, inferred.
    """

    input_px: int = 28
    min_valid: int = 300
    presence_score: float = 0.9
    presence_cut: float = 0.05
    stride: int = 12


class FinchCNN(nn.Module):
    """Is there a plume in the tile? Two pairs of 2x2 convolutions, a dense layer of 512 and two classes."""

    def __init__(self, config: FinchConfig) -> None:
        super().__init__()
        self.config = config
        side = ((config.input_px - 1) // 2 - 1) // 2
        self.features = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 32, 2), nn.ReLU(),
            nn.Conv2d(32, 64, 2), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout(0.5),
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(64, 128, 2), nn.ReLU(),
            nn.Conv2d(128, 256, 2), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout(0.75),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Linear(256 * side * side, 512), nn.ReLU(), nn.Dropout(0.75), nn.Linear(512, 2))

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, 28, 28) tiles over their own maximum -> (n, 2) logits of nothing and plume."""
        out: Tensor = self.dense(torch.flatten(self.features(x).contiguous(), 1))
        return out


def presence_windows(pixels: Tensor, origins: Tensor, side: int) -> Tensor:
    """(n, y, x) tiles and (w, 2) corners -> (n * w, side, side) windows, the windows of one tile together."""
    windows = [pixels[:, r : r + side, c : c + side] for r, c in origins.tolist()]
    return torch.stack(windows, 1).flatten(0, 1)


def window_origins(size: int, side: int, stride: int) -> Tensor:
    """Corners (w, 2) of windows at a stride, the last flush with the edge."""
    starts = torch.unique(torch.cat([torch.arange(0, size - side + 1, stride), torch.tensor([size - side])]))
    return torch.cartesian_prod(starts, starts)


def presence_pair(tiles: TileBatch, encoding: Encoding, config: FinchConfig) -> tuple[Tensor, Tensor]:
    """Four 28x28 windows of every tile with the label whether a source above the cut lies in them."""
    side = config.input_px
    origins = window_origins(tiles.no2_umol_m2.shape[-1], side, tiles.no2_umol_m2.shape[-1] - side)
    truth = presence_windows(tiles.truth(), origins, side)
    return _presence_input(tiles, encoding, origins, side), (truth.amax((-2, -1)) > config.presence_cut).long()


def presence_map(network: nn.Module, tiles: TileBatch, encoding: Encoding) -> Tensor:
    """Finch's detections as a map: the score, on 4x4 pixels about the largest column of every window with a plume.

    The script places a plume at its window's largest pixel; 4x4 pixels are the footprint the maps are judged by.
    """
    config: FinchConfig = network.config  # type: ignore[assignment]
    side, size = config.input_px, tiles.no2_umol_m2.shape[-1]
    origins = window_origins(size, side, config.stride)
    inputs = _presence_input(tiles, encoding, origins, side)
    score = torch.softmax(network(inputs).float(), 1)[:, 1]
    valid = presence_windows(tiles.mask, origins, side).sum((-2, -1)) >= config.min_valid
    found = torch.where(valid & (score > config.presence_score), score, 0.0).view(len(tiles), -1)
    peak = inputs[:, 0].flatten(1).argmax(1).view(len(tiles), -1)
    rows, cols = origins[:, 0] + peak // side, origins[:, 1] + peak % side
    out = torch.zeros_like(tiles.no2_umol_m2)
    for d in range(16):
        r, c = (rows - 1 + d // 4).clamp(0, size - 1), (cols - 1 + d % 4).clamp(0, size - 1)
        out.view(len(tiles), -1).scatter_reduce_(1, r * size + c, found, "amax")
    return out


def _presence_input(tiles: TileBatch, encoding: Encoding, origins: Tensor, side: int) -> Tensor:
    measured = torch.where(tiles.mask > 0, tiles.no2_umol_m2, torch.nan)
    no2, mask = (presence_windows(pixels, origins, side) for pixels in (measured, tiles.mask))
    return encode_inputs(TileBatch(no2, mask, tiles.wind_u_m_s, tiles.wind_v_m_s), encoding)

"""The NO2 hotspot paper's network: spatial attention, residual blocks, and a fully connected map of emissions.

Source: Remote Sensing 17(7), 1167, 2025, section 3 (spatial attention, residual blocks, flatten, fully connected layer,
3x3 kernels, BatchNorm and MaxPooling in each module, dropout 0.05, about 2 160 000 parameters); the number of blocks,
their width and the 64x64 output are inferred from that count. Input (n, channel, 64, 64), output (n, 64, 64).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from carbonray.errors import ContractError
from carbonray.models.layers import ResidualBlock, SpatialAttention


@dataclass(frozen=True)
class PlumeNetConfig:
    """Shape of the network; the defaults are the paper's, 2 157 523 parameters.

    Attributes:
        in_channels: input channels, 1 for NO2 alone.
        width: channels of every convolution, inferred.
        blocks: residual blocks, each followed by a 2x2 max pooling, inferred.
        dropout: probability of dropping an activation after each block.
        input_px: pixels of a tile's side.
        output_px: pixels of the answer's side, inferred.
        head_init: 'default' (torch's) or 'zero', which starts from the empty map instead of the head's own noise.
    """

    in_channels: int = 1
    width: int = 32
    blocks: int = 3
    dropout: float = 0.05
    input_px: int = 64
    output_px: int = 64
    head_init: str = "default"


class PlumeNet(nn.Module):
    """NO2 tile in, emission map out; no activation on the output: it is clipped when decoded."""

    def __init__(self, config: PlumeNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Sequential(
            nn.Conv2d(config.in_channels, config.width, 3, padding=1),
            nn.BatchNorm2d(config.width),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.attention = SpatialAttention()
        self.blocks = nn.Sequential(
            *(nn.Sequential(ResidualBlock(config.width, config.dropout), nn.MaxPool2d(2)) for _ in range(config.blocks))
        )
        side = config.input_px // 2 ** (config.blocks + 1)
        self.head = nn.Linear(config.width * side * side, config.output_px**2)
        _initialise(self.head, config.head_init)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channel, input_px, input_px) -> (n, output_px, output_px)."""
        features = self.blocks(self.attention(self.stem(x)))
        # flattened in (channel, y, x) order whatever the memory layout, so that weights fit either
        flat = torch.flatten(features.contiguous(), 1)
        out: Tensor = self.head(flat)
        return out.view(-1, self.config.output_px, self.config.output_px)


def _initialise(head: nn.Linear, how: str) -> None:
    if how == "zero":
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    elif how != "default":
        raise ContractError(
            f"unknown initialisation {how!r}",
            where="PlumeNetConfig.head_init",
            expected="'default' or 'zero'",
            remedy="Name one of the two.",
        )

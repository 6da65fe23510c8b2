"""Building blocks of the convolutional networks: residual blocks, spatial attention, pairs of convolutions.

Sources: residual block y = F(x) + x and spatial attention A(x) * x of the NO2 hotspot paper (Remote Sensing 17, 1167,
2025), the attention in the mean-and-max form of CBAM (Woo et al., 2018), inferred. Tensors are (n, channel, y, x).
"""

import torch
from torch import Tensor, nn


class SpatialAttention(nn.Module):
    """Weighs every pixel by sigmoid(conv3x3([channel mean, channel max])), the same weight for all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, y, x) -> the same shape."""
        pooled = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        weight: Tensor = torch.sigmoid(self.conv(pooled))
        return x * weight


class ResidualBlock(nn.Module):
    """ReLU(F(x) + x) with F = conv-BN-ReLU-conv-BN of 3x3 kernels, then dropout; channels kept."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, y, x) -> the same shape."""
        out: Tensor = self.dropout(torch.relu(self.residual(x) + x))
        return out


def conv_bn_relu(channels_in: int, channels_out: int) -> nn.Sequential:
    """A 3x3 convolution (its bias is the BatchNorm's), BatchNorm and ReLU; size kept."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU()
    )


def double_conv(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two `conv_bn_relu` in a row: one level of a U-Net (Ronneberger et al., 2015)."""
    return nn.Sequential(conv_bn_relu(channels_in, channels_out), conv_bn_relu(channels_out, channels_out))


def channels_last(network: nn.Module) -> nn.Module:
    """The network with its weights laid out channels last, a quarter faster on a CPU (docs/numbers.md)."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

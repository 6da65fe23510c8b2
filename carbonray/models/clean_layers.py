"""The parts of CLEAN: encoders of a mix, as a table row or as a short sequence, and the decoder of the other mix.

Source: SCIENCE 2.3, inferred. An encoder leads (n, k) scaled shares, ln of the total among them where it is included,
to (n, d); a decoder leads (n, d) to (n, k) shares that sum to 1, followed by ln of the total where it is included.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


class MlpEncoder(nn.Module):
    """Two times linear layer, GELU, LayerNorm and dropout, then a linear layer."""

    def __init__(self, parts: int, width: int, d: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_hidden(nn.Linear(parts, width), dropout), *_hidden(nn.Linear(width, width), dropout), nn.Linear(width, d)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, parts) -> (n, d)."""
        z: Tensor = self.layers(x)
        return z


class CnnEncoder(nn.Module):
    """The parts as a sequence: two convolutions of three neighbours and d channels with GELU, then their mean.

    The mean forgets where a part stood but for what its neighbours and the padded ends tell; as SCIENCE 2.3 has it.
    """

    def __init__(self, parts: int, width: int, d: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, d, 3, padding=1),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Conv1d(d, d, 3, padding=1),
            nn.GELU(),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, parts) -> (n, d)."""
        z: Tensor = self.layers(x[:, None]).mean(2)
        return z


class Decoder(nn.Module):
    """One hidden layer with GELU, then a softmax over the parts."""

    def __init__(self, width: int, d: int, parts: int, total: int) -> None:
        super().__init__()
        self.parts = parts
        self.layers = nn.Sequential(nn.Linear(d, width), nn.GELU(), nn.Linear(width, parts + total))

    def forward(self, z: Tensor, scale: Tensor) -> Tensor:
        """(n, d) and the (2, parts + 1) centres and spreads of the mix -> (n, parts (+ 1))."""
        out = self.layers(z)
        center, spread = scale[:, -1]
        return torch.cat([torch.softmax(out[:, : self.parts], 1), center + spread * out[:, self.parts :]], 1)


# (parts, width, d, dropout) -> the encoder
ENCODERS: Mapping[str, Callable[[int, int, int, float], nn.Module]] = {"mlp": MlpEncoder, "cnn": CnnEncoder}


def _hidden(linear: nn.Linear, dropout: float) -> tuple[nn.Module, ...]:
    return linear, nn.GELU(), nn.LayerNorm(linear.out_features), nn.Dropout(dropout)

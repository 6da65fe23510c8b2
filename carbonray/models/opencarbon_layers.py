"""The parts of OpenCarbon: the SE-CNN of points of interest, fusions of modalities, neighbourhood and cross-attention.

Source: SCIENCE 1.3, after the authors' code; squeeze-and-excitation after Hu et al. 2018 (arXiv 1709.01507). Rasters
are (n, C, y, x) counts, embeddings (n, d), windows (n, M, M, d); modalities stand in the order image, points.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from carbonray.errors import ContractError

POI_WIDTH = 32  # channels of the convolutions of points of interest
SE_LEAST = 8  # hidden channels of a gate: a sixteenth of its channels, and at least these
ATTENTION_WIDTH = 32
NEIGHBOR_WIDTHS = (64, 128)


class Kernel(NamedTuple):
    """Side, stride and padding of a convolution."""

    side: int
    stride: int
    padding: int

    def size_after(self, px: int) -> int:
        """Side of the answer to a square of `px`; below 1 where the kernel does not fit."""
        return (px + 2 * self.padding - self.side) // self.stride + 1


class PoiForm(NamedTuple):
    """Kernels of the convolutions that keep 32 channels, and of the last, which leaves one."""

    body: tuple[Kernel, ...]
    last: Kernel

    def size_after(self, px: int) -> int:
        """Side of the one map left of a raster of `px`; below 1 where a kernel does not fit."""
        for kernel in (*self.body, self.last):
            px = kernel.size_after(px)
        return px


POI_FORMS: dict[str, PoiForm] = {
    "london": PoiForm((Kernel(7, 3, 3), Kernel(7, 3, 1)), Kernel(3, 3, 1)),
    "beijing": PoiForm((Kernel(37, 3, 3),), Kernel(37, 3, 1)),
}


class ChannelGate(nn.Module):
    """Squeeze and excitation: a = sigmoid(W2 ReLU(W1 mean(x) + b1) + b2) weighs every channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 16, SE_LEAST)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def gate(self, x: Tensor) -> Tensor:
        """(n, c, y, x) -> (n, c) in 0 to 1."""
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((-2, -1))))))

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, y, x) -> the same shape."""
        return x * self.gate(x)[..., None, None]


class PoiEncoder(nn.Module):
    """Counts of points of interest to a vector; every convolution is without a bias."""

    def __init__(self, categories: int, px: int, d: int, form: str, *, se: bool) -> None:
        """Builds the encoder.

        Args:
            categories: of points of interest.
            px: side of a raster.
            d: length of the answer.
            form: key of `POI_FORMS`.
            se: whether channels are gated.

        Raises:
            ContractError: the rasters are too small for the kernels.
        """
        super().__init__()
        kernels = POI_FORMS[form]
        side = kernels.size_after(px)
        if side < 1:
            raise ContractError(
                f"rasters of {px} pixels under the kernels of {form!r}",
                where="PoiEncoder",
                expected="at least one pixel after the last convolution",
                remedy="Use larger rasters, or poi_form='london'.",
            )
        channels = (categories, *([POI_WIDTH] * len(kernels.body)))
        pairs = zip(channels[:-1], channels[1:], kernels.body, strict=True)
        self.body = nn.ModuleList(_conv_bn_relu(before, after, kernel) for before, after, kernel in pairs)
        self.gates = nn.ModuleList(ChannelGate(POI_WIDTH) for _ in kernels.body) if se else None
        self.last = nn.Conv2d(POI_WIDTH, 1, kernels.last.side, kernels.last.stride, kernels.last.padding, bias=False)
        self.fc = nn.Linear(side * side, d)

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, y, x) -> (n, d)."""
        for number, layer in enumerate(self.body):
            x = layer(x)
            x = self.gates[number](x) if self.gates is not None else x
        out: Tensor = self.fc(self.last(x).flatten(1))
        return out

    def category_weights(self, x: Tensor) -> Tensor:
        """(n, C, y, x) -> (n, C), sums 1: the first gates carried back through the size of the filters (inferred)."""
        filters: Tensor = self.get_parameter("body.0.0.weight").abs().sum((-2, -1))  # (32, C)
        carried = self.channel_gates(x)[0] @ filters
        return carried / carried.sum(1, keepdim=True)

    def channel_gates(self, x: Tensor) -> list[Tensor]:
        """(n, C, y, x) -> (n, 32) in 0 to 1 of every gate; empty without squeeze and excitation."""
        found: list[Tensor] = []
        for layer, gate in zip(self.body, self.gates or (), strict=False):
            assert isinstance(gate, ChannelGate)
            x = layer(x)
            found.append(gate.gate(x))
            x = x * found[-1][..., None, None]
        return found


class AttentionFusion(nn.Module):
    """Modalities weighed by e_m = v tanh(W x_m + b), softmax over those present; Xavier's first weights."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.w = nn.Linear(d, ATTENTION_WIDTH)
        self.v = nn.Linear(ATTENTION_WIDTH, 1, bias=False)
        nn.init.xavier_uniform_(self.w.weight)
        nn.init.xavier_uniform_(self.v.weight)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """(n, m, d) and (n, m) bool -> (n, d), and weights (n, m) that sum to 1; NaN where none is present."""
        scores = self.v(torch.tanh(self.w(x)))[..., 0].masked_fill(~present, -torch.inf)
        weights = torch.softmax(scores, -1)
        return torch.einsum("nm,nmd->nd", weights, x), weights


class ConcatFusion(nn.Module):
    """Modalities side by side through one linear layer: the plain way to join them."""

    def __init__(self, d: int, modalities: int) -> None:
        super().__init__()
        self.fc = nn.Linear(modalities * d, d)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """(n, m, d) -> (n, d), and NaN (n, m): nothing is weighed."""
        return self.fc(x.flatten(1)), x.new_full(present.shape, torch.nan)


class OneModality(nn.Module):
    """What stands in place of a fusion where there is but one modality."""

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 1, d) -> (n, d), and weights (n, 1) of 1."""
        return x[:, 0], torch.ones_like(x[..., 0])


class NeighborCnn(nn.Module):
    """A window of embeddings to one: two 3 x 3 convolutions, the mean over the places that count, a linear layer."""

    def __init__(self, d: int) -> None:
        super().__init__()
        first, second = NEIGHBOR_WIDTHS
        self.conv1 = nn.Conv2d(d, first, 3, padding=1)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1)
        self.fc = nn.Linear(second, d)

    def forward(self, window: Tensor, counts: Tensor) -> Tensor:
        """Embeddings of windows, zero wherever `counts` says no, to one vector each.

        Places that do not count are as those beyond the window: zeros to both convolutions, and not in the mean.

        Args:
            window: (n, M, M, d).
            counts: (n, M, M) bool.

        Returns:
            (n, d).
        """
        weight = counts[:, None].to(window.dtype)
        x = torch.relu(self.conv1(window.movedim(-1, 1))) * weight
        x = torch.relu(self.conv2(x)) * weight
        out: Tensor = self.fc(x.sum((-2, -1)) / weight.sum((-2, -1)).clamp(min=1.0))
        return out


class TokenAttention(nn.Module):
    """Attention between vectors read as d tokens of one number each; the heads' answers are mixed to one."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(1, heads) for _ in "qkv")
        self.out = nn.Linear(heads, 1)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(n, d) each -> (n, d)."""
        q, k, v = (
            layer(x[..., None]).mT for layer, x in ((self.q, query), (self.k, key), (self.v, value))
        )  # (n, heads, d)
        weights = torch.softmax(q[..., :, None] * k[..., None, :], -1)  # a token is one number: no scale but 1
        mixed: Tensor = self.out(torch.einsum("nhij,nhj->nih", weights, v))
        return mixed[..., 0]


def _conv_bn_relu(before: int, after: int, kernel: Kernel) -> nn.Sequential:
    conv = nn.Conv2d(before, after, kernel.side, kernel.stride, kernel.padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())

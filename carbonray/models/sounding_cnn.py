"""The sounding network: patches of one image through a truncated trunk, pooled by attention, to on/off or a load.

Source: SCIENCE 4.5 and the plume paper's section 3.5 and appendix B; attention pooling after Ilse, Tomczak and Welling
2018 (arXiv 1802.04712): a_k = softmax_k(w tanh(V h_k)), gated w (tanh(V h_k) * sigmoid(U h_k)), z = sum a_k h_k. A bag
is (n, K, band, s, s), standardised to mean 0.5 and standard deviation 0.25, with a mask (n, K); padding is never
computed.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from carbonray.errors import ContractError
from carbonray.models.backbones import STRIDES, WIDTH, trunk_of

TASKS = ("on", "capacity_factor")
HEADS = (1, 8)
# what a published trunk was fed, from bands of mean 0.5 and sd 0.25: gain and offset by role, '' for every other band
PREPROCESSING: dict[str, dict[str, tuple[float, float]]] = {
    "unit": {"": (1.0, 0.0)},
    "z_score": {"": (4.0, -2.0)},  # BigEarthNet's authors
    "torchvision": {
        "red": (1 / 0.229, -0.485 / 0.229),
        "green": (1 / 0.224, -0.456 / 0.224),
        "blue": (1 / 0.225, -0.406 / 0.225),
        "": (1 / 0.226, -0.449 / 0.226),
    },
    "keras": {
        "red": (255.0, -123.68),
        "green": (255.0, -116.779),
        "blue": (255.0, -103.939),
        "": (255.0, -114.799),
    },
}


class PatchTooSmallError(ContractError):
    """A patch leaves the trunk with fewer than 2 x 2 pixels: such combinations are pruned from every search."""


@dataclass(frozen=True)
class SoundingCnnConfig:
    """Shape of the network.

    Attributes:
        task: 'on' (softmax of two classes) or 'capacity_factor' (sigmoid, with an on/off head beside it).
        trunk: 'resnet50' or 'vgg16'.
        truncation: 'block2_pool', 'block3_pool' or 'block4_pool'.
        heads: attention heads, 1 or 8, each with its own weights; their sums are concatenated (inferred).
        gated: gated attention; the paper does not say (inferred).
        attention_width: length of the vector that attention scores, inferred (Ilse's).
        dropout: before the dense layer, inferred.
        patch_px: side of a patch, at least twice the trunk's stride.
        bands: the imager's bands in the order of the input.
        stands_for: of each of them the band of the published trunk whose filters it takes, empty where random.
        width: channels of the trunk's first convolution, 64 as published.
        stride_on: which convolution of ResNet-50's blocks strides: 'conv2' (torchvision) or 'conv1' (Keras).
        preprocessing: what the published trunk was fed, key of `PREPROCESSING`.
        init: where the first weights came from, 'random' or a name with the file's sha256; said in every table.

    Raises:
        ContractError: a choice is unknown or the bands do not pair.
        PatchTooSmallError: the patch is smaller than twice the stride.
    """

    task: str = "on"
    trunk: str = "resnet50"
    truncation: str = "block2_pool"
    heads: int = 1
    gated: bool = False
    attention_width: int = 128
    dropout: float = 0.2
    patch_px: int = 32
    bands: tuple[str, ...] = ("B4", "B3", "B2")
    stands_for: tuple[str, ...] = ("red", "green", "blue")
    width: int = WIDTH
    stride_on: str = "conv2"
    preprocessing: str = "unit"
    init: str = "random"

    def __post_init__(self) -> None:
        choices = self.task in TASKS and self.heads in HEADS and self.preprocessing in PREPROCESSING
        paired = bool(self.bands) and len(self.stands_for) in (0, len(self.bands))
        if not (choices and paired and self.truncation in STRIDES):
            raise ContractError(
                f"no such sounding network: {self}",
                where="SoundingCnnConfig",
                expected=f"task of {TASKS}, heads of {HEADS}, truncation of {tuple(STRIDES)}, preprocessing of "
                f"{tuple(PREPROCESSING)}, at least one band and for each one that it stands for",
                remedy="Correct the configuration, or install the version of carbonray that wrote the bundle.",
            )
        if not patch_fits(self.patch_px, self.truncation):
            raise PatchTooSmallError(
                f"a patch of {self.patch_px} pixels at stride {STRIDES[self.truncation]}",
                where="SoundingCnnConfig.patch_px",
                expected=f"at least {2 * STRIDES[self.truncation]} pixels, so that the trunk answers with 2 x 2",
                remedy="Choose a larger patch or truncate the trunk earlier.",
            )


def patch_fits(patch_px: int, truncation: str) -> bool:
    """Whether a patch is at least twice the stride of a truncation: searches keep only such pairs (inferred)."""
    return patch_px >= 2 * STRIDES[truncation]


class Sounding(NamedTuple):
    """What the network says of n images.

    Attributes:
        on_logits: (n, 2) of off and on; softmax gives the on score.
        capacity_factor: (n,) in 0 to 1; NaN of a network for 'on'.
        attention: (n, heads, K), sums to 1 over the structures of an image, 0 for padding.
    """

    on_logits: Tensor
    capacity_factor: Tensor
    attention: Tensor

    def on_score(self) -> Tensor:
        """(n,) probability of on."""
        return torch.softmax(self.on_logits, 1)[:, 1]


class AttentionPool(nn.Module):
    """Weighted sums of the patches' features, one for every head."""

    def __init__(self, channels: int, width: int, heads: int, *, gated: bool) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.v = nn.Linear(channels, heads * width, bias=False)
        self.u = nn.Linear(channels, heads * width, bias=False) if gated else None
        self.w = nn.Parameter(torch.empty(heads, width))
        nn.init.uniform_(self.w, -(width**-0.5), width**-0.5)

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(n, K, channels) and (n, K) -> z (n, heads * channels) and attention (n, heads, K)."""
        hidden = torch.tanh(self.v(features))
        if self.u is not None:
            hidden = hidden * torch.sigmoid(self.u(features))
        scores = torch.einsum("nkhw,hw->nhk", hidden.view(*mask.shape, self.heads, self.width), self.w)
        attention = torch.softmax(scores.masked_fill(~mask[:, None], -torch.inf), -1)
        return torch.einsum("nhk,nkc->nhc", attention, features).flatten(1), attention


class SoundingCnn(nn.Module):
    """A bag of patches in, an on/off score and for the other task a capacity factor out."""

    def __init__(self, config: SoundingCnnConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = trunk_of(config.trunk, len(config.bands), config.truncation, config.width, config.stride_on)
        self.attention = AttentionPool(self.trunk.channels, config.attention_width, config.heads, gated=config.gated)
        self.dropout = nn.Dropout(config.dropout)
        pooled = config.heads * self.trunk.channels
        self.on_head = nn.Linear(pooled, 2)
        self.cf_head = nn.Linear(pooled, 1) if config.task == "capacity_factor" else None
        gain, offset = _preprocessing(config)
        self.register_buffer("gain", gain, persistent=False)  # follows from the configuration
        self.register_buffer("offset", offset, persistent=False)

    def forward(self, patches: Tensor, mask: Tensor) -> Sounding:
        """Soundings of a batch of images.

        Args:
            patches: (n, K, band, s, s) standardised; what stands in padding is never looked at.
            mask: (n, K) bool, True where there is a structure.

        Raises:
            ContractError: an image has no patch, or bands or sides are not the configuration's.
        """
        self._check(patches, mask)
        embedded = self.embedded(patches[mask])
        features = embedded.new_zeros(*mask.shape, self.trunk.channels)
        features[mask] = embedded
        return self.pooled(features, mask)

    def embedded(self, patches: Tensor) -> Tensor:
        """Patches (p, band, s, s) -> their features h (p, channels): the trunk, averaged over its pixels."""
        ready = patches * self.get_buffer("gain") + self.get_buffer("offset")
        precision = next(self.trunk.parameters()).dtype  # a runtime may keep the trunk alone in fewer bits
        features: Tensor = self.trunk(ready.to(precision, memory_format=torch.channels_last))
        return features.float().mean((-2, -1))

    def pooled(self, features: Tensor, mask: Tensor) -> Sounding:
        """Features (n, K, channels) and mask (n, K) -> soundings of n images."""
        z, attention = self.attention(features, mask)
        z = self.dropout(z)
        on_logits = self.on_head(z)
        if self.cf_head is None:
            return Sounding(on_logits, on_logits.new_full((len(z),), torch.nan), attention)
        return Sounding(on_logits, torch.sigmoid(self.cf_head(z)[:, 0]), attention)

    def _check(self, patches: Tensor, mask: Tensor) -> None:
        config = self.config
        shape = (*mask.shape, len(config.bands), config.patch_px, config.patch_px)
        if tuple(patches.shape) != shape or mask.dtype != torch.bool or not bool(mask.any(1).all()):
            raise ContractError(
                f"a bag of shape {tuple(patches.shape)} with a mask {tuple(mask.shape)} of {mask.dtype}",
                where="SoundingCnn",
                expected=f"(n, K, {len(config.bands)}, {config.patch_px}, {config.patch_px}), a bool mask (n, K), and "
                "at least one patch an image",
                remedy="Cut patches of the network's bands and size, and drop images without a structure inside.",
            )


def _preprocessing(config: SoundingCnnConfig) -> tuple[Tensor, Tensor]:
    table = PREPROCESSING[config.preprocessing]
    roles = config.stands_for or ("",) * len(config.bands)
    pairs = torch.tensor([table.get(role, table[""]) for role in roles])
    return pairs[:, 0, None, None], pairs[:, 1, None, None]

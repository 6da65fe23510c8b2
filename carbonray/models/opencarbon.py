"""OpenCarbon: yearly CO2 of a 1 km cell from its image and points of interest, and from those of the cells around it.

Source: Zeng et al. 2025 (arXiv 2506.03224) and the authors' code, as SCIENCE 1.3 has them. A cell alone is encoded to
vectors of d numbers, one a modality; a window of M x M such vectors is all that the regression reads, so that each cell
of a planet is encoded once. Answers are ln of t CO2 a year. What is absent has no influence (SCIENCE 1.6, pitfall 1).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from carbonray.errors import ContractError
from carbonray.models.cell_batches import CellBatch, gathered
from carbonray.models.opencarbon_layers import (
    POI_FORMS,
    AttentionFusion,
    ConcatFusion,
    NeighborCnn,
    OneModality,
    PoiEncoder,
    TokenAttention,
)
from carbonray.models.resnet18 import WIDTH, ResNet18

MODALITIES = ("image", "poi")
FUSIONS = ("attention", "concat")
PADS = ("mask", "learned_mask", "authors")
REGRESSOR_WIDTH = 32
TOKEN_SD = 0.02  # of a mask token's first numbers, inferred: masked autoencoders' (arXiv 2111.06377)


class ImageNorm(NamedTuple):
    """What the image encoder is fed: (red, green, blue of 0 to 255 - mean) / sd, perhaps in reverse order."""

    mean: tuple[float, float, float]
    sd: tuple[float, float, float]
    reverse: bool = False


IMAGE_NORMS: dict[str, ImageNorm] = {
    "imagenet": ImageNorm((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),  # torchvision's, times 255
    "unit": ImageNorm((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "authors": ImageNorm((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), reverse=True),
}


@dataclass(frozen=True)
class OpenCarbonConfig:
    """Shape of the network; the defaults are the authors' but for images and for what is absent.

    Attributes:
        poi_categories: of points of interest.
        image_px: side of images and rasters.
        width: channels of ResNet-18's first convolution, 64 as published.
        d: length of an embedding.
        heads: of the attention between the numbers of embeddings.
        neighbor_size: rings of neighbours, 1 for 3 x 3.
        poi_form: key of `opencarbon_layers.POI_FORMS`: 'london' or 'beijing'.
        se: whether channels of points of interest are gated; without is an ablation.
        neighborhood: whether the cells around are looked at; without, the cell's own attention answers (inferred).
        fusion: 'attention', or 'concat' for a linear layer over both.
        modalities: 'image', 'poi' or both, in this order.
        pad: what stands in place of absent neighbours and modalities: 'mask' (nothing: as beyond the window),
            'learned_mask' (one token of d a modality), 'authors' (tile 0 for neighbours, nothing is ever absent).
        image_norm: key of `IMAGE_NORMS`.
        ln_center: added to the answer: the mean ln t CO2 of the training cells spares hundreds of epochs; authors 0.
        ln_spread: by which the answer is multiplied; authors 1.
        init: where the image encoder's first weights came from, 'random' or 'resnet18 sha256:' and the file's.

    Raises:
        ContractError: a choice is unknown.
    """

    poi_categories: int = 15
    image_px: int = 256
    width: int = WIDTH
    d: int = 32
    heads: int = 2
    neighbor_size: int = 1
    poi_form: str = "london"
    se: bool = True
    neighborhood: bool = True
    fusion: str = "attention"
    modalities: tuple[str, ...] = MODALITIES
    pad: str = "mask"
    image_norm: str = "imagenet"
    ln_center: float = 0.0
    ln_spread: float = 1.0
    init: str = "random"

    def __post_init__(self) -> None:
        # a bundle's JSON holds a list
        object.__setattr__(self, "modalities", tuple(self.modalities))
        sizes = min(self.poi_categories, self.image_px, self.width, self.d, self.heads) >= 1
        known = self.poi_form in POI_FORMS and self.fusion in FUSIONS and self.pad in PADS
        chosen = bool(self.modalities) and self.modalities in (MODALITIES, MODALITIES[:1], MODALITIES[1:])
        if not (sizes and known and chosen and self.image_norm in IMAGE_NORMS and self.neighbor_size >= 0):
            raise ContractError(
                f"no such network: {self}",
                where="OpenCarbonConfig",
                expected=f"poi_form of {tuple(POI_FORMS)}, fusion of {FUSIONS}, modalities of {MODALITIES} in this "
                f"order, pad of {PADS}, image_norm of {tuple(IMAGE_NORMS)}, sizes above 0",
                remedy="Correct the configuration, or install the version of carbonray that wrote the bundle.",
            )

    @property
    def reach(self) -> int:
        """Rings of neighbours that the network reads."""
        return self.neighbor_size if self.neighborhood else 0


class CellAnswer(NamedTuple):
    """What the network says of b cells.

    Attributes:
        ln_e: (b,) ln of t CO2 a year; NaN where a cell has neither image nor points.
        grid_attention: (b, 2) weights of image and points of the cell, 0 for what is absent; NaN without attention.
        neighbor_attention: (b, 2) those of the window; NaN also without neighbourhood.
        image: (b, d) embedding of the cell's own image; zeros where there is none.
        poi: (b, d) that of its points.
    """

    ln_e: Tensor
    grid_attention: Tensor
    neighbor_attention: Tensor
    image: Tensor
    poi: Tensor


class OpenCarbon(nn.Module):
    """Encodes cells one by one, then regresses windows of what the encoders said."""

    def __init__(self, config: OpenCarbonConfig) -> None:
        super().__init__()
        self.config = config
        count = len(config.modalities)
        if "image" in config.modalities:
            self.image_encoder = ResNet18(config.d, config.width)
        if "poi" in config.modalities:
            self.poi_encoder = PoiEncoder(
                config.poi_categories, config.image_px, config.d, config.poi_form, se=config.se
            )
        self.grid_fusion = _fusion(config)
        self.grid_attention = TokenAttention(config.heads)
        if config.neighborhood:
            self.neighbor_cnns = nn.ModuleList(NeighborCnn(config.d) for _ in range(count))
            self.neighbor_fusion = _fusion(config)
            self.neighbor_attention = TokenAttention(config.heads)
            self.cross_attention = TokenAttention(config.heads)
        self.regressor = nn.Sequential(
            nn.Linear(config.d * (2 if config.neighborhood else 1), REGRESSOR_WIDTH),
            nn.ReLU(),
            nn.BatchNorm1d(REGRESSOR_WIDTH),
            nn.Linear(REGRESSOR_WIDTH, 1),
        )
        # attention leaves out what is absent in a cell itself, so that tokens speak only in windows or concatenated
        speaking = config.pad == "learned_mask" and (config.neighborhood or config.fusion == "concat")
        self.mask_tokens = nn.Parameter(TOKEN_SD * torch.randn(count, config.d)) if speaking else None

    def encode_image(self, images: Tensor) -> Tensor:
        """(n, 3, s, s) red, green, blue of 0 to 255, integers or floats -> (n, d)."""
        norm = IMAGE_NORMS[self.config.image_norm]
        mean, sd = (images.new_tensor(v, dtype=torch.float32)[:, None, None] for v in (norm.mean, norm.sd))
        ready = (images.float() - mean) / sd
        ready = ready.flip(1) if norm.reverse else ready
        out: Tensor = self.image_encoder(ready.contiguous(memory_format=torch.channels_last))
        return out

    def encode_poi(self, counts: Tensor) -> Tensor:
        """(n, C, s, s) counts of points of interest -> (n, d)."""
        out: Tensor = self.poi_encoder(counts.float().contiguous(memory_format=torch.channels_last))
        return out

    def category_weights(self, counts: Tensor) -> Tensor:
        """(n, C, s, s) counts -> (n, C) share of each category in what the first gates let through."""
        return self.poi_encoder.category_weights(counts.float())

    def encoded(self, batch: CellBatch) -> tuple[Tensor, Tensor]:
        """Embeddings of image and points of a batch's tiles, (t, d) each; zeros where absent or not read.

        Raises:
            ContractError: images are not of the network's size.
        """
        config, side = self.config, batch.images.shape[-1]
        image, poi = (torch.zeros(len(batch.images), config.d, device=batch.images.device) for _ in MODALITIES)
        if "image" in config.modalities and side != config.image_px:
            raise ContractError(
                f"images of {side} pixels",
                where="OpenCarbon",
                expected=f"{config.image_px} pixels, as the network was built for",
                remedy="Read the images at the network's size, or build the network for theirs.",
            )
        # an absent tile is never encoded: it would move the statistics of BatchNorm
        if "image" in config.modalities and bool(batch.image_present.any()):
            seen = _only(batch.pixels(), batch.image_present)
            image[batch.image_present] = self.encode_image(seen).float()
        if "poi" in config.modalities and bool(batch.poi_present.any()):
            counts = _only(batch.raster(config.poi_categories, config.image_px), batch.poi_present)
            poi[batch.poi_present] = self.encode_poi(counts).float()
        return image, poi

    def regress(self, image: Tensor, poi: Tensor, present: Tensor) -> CellAnswer:
        """Answers to windows of embeddings, in float32 at any precision of the encoders.

        Args:
            image: (b, M, M, d) from `encode_image`; anything where there is none, or where the network reads none.
            poi: (b, M, M, d) from `encode_poi`, likewise.
            present: (b, M, M, 2) bool, whether image and points are there.
        """
        config, centre = self.config, image.shape[1] // 2
        there = torch.ones_like(present) if config.pad == "authors" else present
        there = there[..., [MODALITIES.index(name) for name in config.modalities]]
        with torch.autocast(image.device.type, enabled=False):
            pair = {"image": image.float(), "poi": poi.float()}
            cubes = torch.stack([pair[name] for name in config.modalities], 3)
            own, own_there = self._covered(cubes[:, centre, centre], there[:, centre, centre]), there[:, centre, centre]
            grid, weights = self.grid_fusion(own, own_there)
            seen = self.grid_attention(grid, grid, grid) + grid
            around = torch.full_like(weights, torch.nan)
            if config.neighborhood:
                window, around = self._neighborhood(cubes, there)
                seen = torch.cat([self.cross_attention(window, seen, seen), window], 1)
            ln_e = config.ln_center + config.ln_spread * self.regressor(seen)[:, 0]
        known = torch.where(own_there.any(1), ln_e, torch.nan)
        centres = (
            torch.where(present[:, centre, centre, k, None], pair[name][:, centre, centre], 0.0)
            for k, name in enumerate(MODALITIES)
        )
        return CellAnswer(known, self._of_both(weights), self._of_both(around), *centres)

    def forward(self, batch: CellBatch) -> CellAnswer:
        """Answers to a batch whose every tile is encoded once, whatever number of windows show it."""
        batch = batch.cropped(self.config.reach)
        windows, (image, poi) = batch.windows(), self.encoded(batch)
        return self.regress(gathered(image, windows), gathered(poi, windows), batch.present())

    def _neighborhood(self, cubes: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """(b, M, M, m, d) and (b, M, M, m) -> the window's vector (b, d) and the weights (b, m) of its modalities."""
        side = 2 * self.config.neighbor_size + 1
        if cubes.shape[1:3] != (side, side):
            raise ContractError(
                f"windows of {cubes.shape[1]} x {cubes.shape[2]} cells",
                where="OpenCarbon",
                expected=f"{side} x {side}, as the network was built for",
                remedy="Gather as many rings of neighbours as the network reads: `config.reach`.",
            )
        covered = self._covered(cubes, there)
        counts = there if self.config.pad == "mask" else torch.ones_like(there)
        each = [cnn(covered[..., k, :], counts[..., k]) for k, cnn in enumerate(self.neighbor_cnns)]
        fused, weights = self.neighbor_fusion(torch.stack(each, 1), there.flatten(1, 2).any(1))
        return self.neighbor_attention(fused, fused, fused) + fused, weights

    def _covered(self, x: Tensor, there: Tensor) -> Tensor:
        """(..., m, d) with what is absent under the tokens, or zero where there are none."""
        cover = x.new_zeros(()) if self.mask_tokens is None else self.mask_tokens
        return torch.where(there[..., None], x, cover)

    def _of_both(self, weights: Tensor) -> Tensor:
        """Weights (b, m) of the modalities read -> (b, 2) of image and points."""
        names = self.config.modalities
        rest = 0.0 * weights[:, 0]  # nothing, or NaN beside NaN
        return torch.stack([weights[:, names.index(name)] if name in names else rest for name in MODALITIES], 1)


def parameter_count(module: nn.Module) -> int:
    """Numbers that a fit changes."""
    return sum(parameter.numel() for parameter in module.parameters())


def _only(tiles: Tensor, present: Tensor) -> Tensor:
    return tiles if bool(present.all()) else tiles[present]  # no copy of large rasters without need


def _fusion(config: OpenCarbonConfig) -> nn.Module:
    count = len(config.modalities)
    if count == 1:
        return OneModality()
    return AttentionFusion(config.d) if config.fusion == "attention" else ConcatFusion(config.d, count)

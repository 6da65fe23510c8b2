"""Changed views of a plant's patches for training: turned, moved, zoomed, brighter, paler, darker or blurred.

Source: plume paper, appendix B: flips, rotation, brightness, contrast, darkness, Gaussian blur and a little translation
and zoom, under one magnitude of {0.5, 1, 1.5, 2, 2.5, 3}; the ranges at magnitude 1 are not published (inferred). Bags
are (n, K, band, s, s), standardised to mean 0.5 and standard deviation 0.25; all bands of a patch move together, and
all patches of an image share its light.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

FLIP_SHARE = 0.5  # no orientation is favoured once the magnitude is 1


@dataclass(frozen=True)
class AugmentRules:
    """Ranges at magnitude 1, all inferred; they grow in proportion to it, and 0 changes nothing.

    Attributes:
        magnitude: the one knob, 0 for none.
        rotation_deg: largest turn either way.
        translation: largest shift either way, share of the patch's side.
        zoom: largest change of size either way, share.
        brightness: largest offset added, of bands whose standard deviation is 0.25.
        contrast: largest change of contrast either way, share.
        darkness: largest share of light taken away.
        blur_px: largest standard deviation of the Gaussian.
    """

    magnitude: float = 1.0
    rotation_deg: float = 30.0
    translation: float = 0.03
    zoom: float = 0.04
    brightness: float = 0.05
    contrast: float = 0.1
    darkness: float = 0.1
    blur_px: float = 0.3


def augmented(patches: Tensor, rules: AugmentRules, generator: torch.Generator) -> Tensor:
    """A changed copy of a bag.

    Args:
        patches: (n, K, band, s, s).
        rules: how far.
        generator: on the CPU; the same state gives the same views on every device.

    Returns:
        The shape given; the patches themselves where the magnitude is 0.
    """
    if rules.magnitude <= 0.0:
        return patches
    images, most = patches.shape[:2]
    turned = _moved(_flipped(patches.flatten(0, 1), rules, generator), rules, generator)
    return _relit(turned, rules, generator, images, most).view(patches.shape)


def _flipped(patches: Tensor, rules: AugmentRules, generator: torch.Generator) -> Tensor:
    share = FLIP_SHARE * min(rules.magnitude, 1.0)
    for axis in (-1, -2):
        chosen = (torch.rand(len(patches), generator=generator) < share).to(patches.device)
        patches = torch.where(chosen[:, None, None, None], patches.flip(axis), patches)
    return patches


def _moved(patches: Tensor, rules: AugmentRules, generator: torch.Generator) -> Tensor:
    """Rotation, translation and zoom in one resampling; what comes in from outside is the mirrored patch."""
    from kornia.geometry.transform import get_affine_matrix2d, warp_affine  # noqa: PLC0415  # seconds that inference saves

    count, side = len(patches), patches.shape[-1]
    angle = _either_way(count, rules.rotation_deg * rules.magnitude, generator)
    shift = torch.stack([_either_way(count, rules.translation * rules.magnitude * side, generator) for _ in "xy"], 1)
    scale = 1.0 + _either_way(count, min(rules.zoom * rules.magnitude, 0.5), generator)
    centre = torch.full((count, 2), (side - 1) / 2.0)
    matrix = get_affine_matrix2d(shift, centre, scale[:, None].expand(-1, 2), angle)[:, :2]
    moved: Tensor = warp_affine(patches, matrix.to(patches), (side, side), padding_mode="reflection")
    return moved


def _relit(patches: Tensor, rules: AugmentRules, generator: torch.Generator, images: int, most: int) -> Tensor:
    """Blur, contrast about the mean of a band, brightness and darkness, one draw for the patches of an image."""
    from kornia.filters import gaussian_blur2d  # noqa: PLC0415

    def drawn(values: Tensor) -> Tensor:
        return values.repeat_interleave(most).to(patches)[:, None, None, None]

    contrast = drawn(1.0 + _either_way(images, min(rules.contrast * rules.magnitude, 1.0), generator))
    brightness = drawn(_either_way(images, rules.brightness * rules.magnitude, generator))
    light = drawn(1.0 - torch.rand(images, generator=generator) * min(rules.darkness * rules.magnitude, 1.0))
    sigma = torch.rand(images, generator=generator) * rules.blur_px * rules.magnitude
    width = 2 * max(1, round(2.0 * rules.blur_px * rules.magnitude)) + 1
    sigmas = drawn(sigma.clamp(min=1e-3))[:, :, 0, 0].expand(-1, 2)
    blurred: Tensor = gaussian_blur2d(patches, width, sigmas)
    mean = blurred.mean((-2, -1), keepdim=True)
    return (mean + (blurred - mean) * contrast + brightness) * light


def _either_way(count: int, most: float, generator: torch.Generator) -> Tensor:
    return (2.0 * torch.rand(count, generator=generator) - 1.0) * most

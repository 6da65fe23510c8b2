"""Which pixels of an NO2 field belong to a plume: a z-test against the background, joined to its source.

Source: the plume detection of the package ddeq (SCIENCE 3.7): local Gaussian mean minus background over
sqrt(sd_random^2 / n + sd_systematic^2), compared with a normal quantile. Fields are (..., y, x) in umol m-2 with NaN
where invalid; leading axes are scenes and never mix.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.special import ndtri

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TRUNCATE_SD = 4.0  # the local mean's kernel ends here, as in scipy's own Gaussian filter


@dataclass(frozen=True)
class MaskRules:
    """The z-test.

    Attributes:
        quantile: confidence that a pixel in the mask is no background [DDEQ].
        smoothing_px: sd of the local Gaussian mean, pixels [DDEQ].
        sd_random_umol_m2: noise of one pixel; 15 is the TROPOMI anchor of SCIENCE 3.10.
        sd_systematic_umol_m2: error that averaging does not shrink [DDEQ].
        background_px: sd of the smoothing that gives the background (inferred).
        background_rounds: how often plume pixels are taken out of the background again (inferred).
    """

    quantile: float = 0.99
    smoothing_px: float = 0.5
    sd_random_umol_m2: float = 15.0
    sd_systematic_umol_m2: float = 0.0
    background_px: float = 12.0
    background_rounds: int = 2


def plume_mask_ztest(no2_umol_m2: NDArray[Any], background_umol_m2: ArrayLike, rules: MaskRules) -> Bools:
    """Pixels whose local mean stands significantly above the background.

    Args:
        no2_umol_m2: (..., y, x) column, NaN where invalid.
        background_umol_m2: a number, or an array that broadcasts to the field.
        rules: the test.

    Returns:
        (..., y, x) True within plumes; never where the column itself is invalid.
    """
    field = np.asarray(no2_umol_m2, np.float64)
    valid = ~np.isnan(field)
    excess = np.where(valid, field - np.asarray(background_umol_m2, np.float64), 0.0)
    weight = _smooth(valid.astype(np.float64), rules.smoothing_px)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _smooth(excess, rules.smoothing_px) / weight
        n_effective = weight**2 / _smooth(valid.astype(np.float64), rules.smoothing_px, power=2)
        sd = np.sqrt(rules.sd_random_umol_m2**2 / n_effective + rules.sd_systematic_umol_m2**2)
        significant = mean / sd > ndtri(rules.quantile)
    return np.asarray(significant & valid)


def smooth_background(no2_umol_m2: NDArray[Any], left_out: Bools, smoothing_px: float) -> Floats:
    """The field smoothed from its valid pixels outside a mask (normalised convolution).

    Args:
        no2_umol_m2: (..., y, x) column, NaN where invalid.
        left_out: (..., y, x) pixels that must not enter, such as plumes.
        smoothing_px: sd of the Gaussian, pixels.

    Returns:
        (..., y, x) background, NaN where no admitted pixel lies within the kernel.
    """
    field = np.asarray(no2_umol_m2, np.float64)
    admitted = ~np.isnan(field) & ~left_out
    weight = _smooth(admitted.astype(np.float64), smoothing_px)
    total = _smooth(np.where(admitted, field, 0.0), smoothing_px)
    return np.where(weight > 0.0, total / np.where(weight > 0.0, weight, 1.0), np.nan)


def plume_mask(no2_umol_m2: NDArray[Any], rules: MaskRules) -> Bools:
    """The z-test against a background estimated from the field itself, plume pixels taken out round by round."""
    field = np.asarray(no2_umol_m2, np.float64)
    mask = np.zeros(field.shape, np.bool_)
    for _ in range(rules.background_rounds + 1):
        mask = plume_mask_ztest(field, smooth_background(field, mask, rules.background_px), rules)
    return mask


def touching(mask: Bools, disc: Bools) -> Bools:
    """The connected regions of one (y, x) mask (eight neighbours) that reach into a disc about the source."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    inside = np.unique(labels[disc & mask])
    return np.asarray(np.isin(labels, inside[inside > 0]))


def source_disc(x_m: Floats, y_m: Floats, source_x_m: float, source_y_m: float, radius_m: float) -> Bools:
    """(y, x) pixels whose centre lies within a radius of the source."""
    return np.asarray(np.hypot(x_m - source_x_m, y_m - source_y_m) <= radius_m)


def _smooth(field: Floats, sd_px: float, power: int = 1) -> Floats:
    """Gaussian mean over the last two axes; `power` 2 sums the squared weights instead."""
    reach = max(1, int(TRUNCATE_SD * sd_px + 0.5))
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sd_px) ** 2)
    kernel = (kernel / kernel.sum()) ** power
    along_y = ndimage.convolve1d(field, kernel, axis=-2, mode="constant")
    return np.asarray(ndimage.convolve1d(along_y, kernel, axis=-1, mode="constant"), np.float64)

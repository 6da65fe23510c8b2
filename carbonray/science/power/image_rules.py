"""Which acquisitions can be looked at: whole over the structures, not under cloud or haze, not dark.

Source: plume paper section 3.4 (image selection), SCIENCE 4.4. The paper names a brightness and a cloudiness score for
PlanetScope without numbers: theirs are inferred. Fractions are of the plant's region; arrays are (n,), one an image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.power.selection import Bools, Broken, Verdict, verdict


@dataclass(frozen=True)
class ImageRules:
    """Limits of what an image may be.

    Attributes:
        max_cloud_fraction: of the plant's region, exclusive; wide, for plumes are taken for clouds [paper].
        max_haze_fraction: heavy haze, exclusive [paper, PlanetScope's UDM2].
        scored_imagers: imagers judged by brightness and cloudiness too [paper].
        min_brightness: mean reflectance of blue, green and red (inferred: vegetation has 0.05, deep shadow 0.02).
        max_cloudiness: share of cloud-like pixels, exclusive (inferred).
        cloud_min_hot: a cloud-like pixel is above it, reflectance (inferred; Fmask has HOT > 0.08 for haze) ...
        cloud_max_whiteness: ... and below this whiteness (Fmask's 0.7 passes grass; inferred) ...
        cloud_max_ndvi: ... and below this vegetation index (Fmask's 0.8 passes most; inferred).
    """

    max_cloud_fraction: float = 0.2
    max_haze_fraction: float = 0.8
    scored_imagers: tuple[str, ...] = ("planetscope",)
    min_brightness: float = 0.03
    max_cloudiness: float = 0.5
    cloud_min_hot: float = 0.13
    cloud_max_whiteness: float = 0.3
    cloud_max_ndvi: float = 0.2


@dataclass(frozen=True)
class ImageFacts:
    """What is known of n images.

    Attributes:
        imager: (n,) keys of `IMAGERS`.
        structures_inside: (n,) whether every annotated structure of the plant lies in the measured image.
        cloud_fraction: (n,) NaN where the product has no mask: not judged.
        haze_fraction: (n,) NaN where the product has no such mask: not judged.
        brightness: (n,) mean reflectance of blue, green and red, NaN where not computed.
        cloudiness: (n,) share of cloud-like pixels, NaN where not computed.
    """

    imager: ArrayLike
    structures_inside: ArrayLike
    cloud_fraction: ArrayLike
    haze_fraction: ArrayLike
    brightness: ArrayLike
    cloudiness: ArrayLike


def image_verdict(facts: ImageFacts, rules: ImageRules) -> Verdict:
    """Rejects images that cannot be looked at; a fraction on the limit is rejected, as the paper keeps what is below.

    A scored imager's image without a cloud mask must have its scores: without either it is rejected as unjudged.
    """
    imager = np.asarray(facts.imager, object)
    scored = np.isin(imager.astype(str), rules.scored_imagers)
    cloud, haze, bright, cloudy = (
        np.asarray(a, np.float64)
        for a in (facts.cloud_fraction, facts.haze_fraction, facts.brightness, facts.cloudiness)
    )
    unjudged = np.isnan(cloud) & ~(scored & np.isfinite(bright) & np.isfinite(cloudy))
    inside = np.asarray(facts.structures_inside, np.bool_)
    return verdict(
        len(imager),
        [
            Broken("structures outside", ~inside, lambda _row: "an annotated structure is not in the measured image"),
            _below("cloud", cloud, rules.max_cloud_fraction, cloud >= rules.max_cloud_fraction),
            _below("haze", haze, rules.max_haze_fraction, haze >= rules.max_haze_fraction),
            Broken(
                "dark",
                scored & (bright < rules.min_brightness),
                lambda row: f"mean reflectance {bright[row]:.3f} (limit {rules.min_brightness:g})",
            ),
            _below("cloudiness", cloudy, rules.max_cloudiness, scored & (cloudy >= rules.max_cloudiness)),
            Broken("cloud unknown", unjudged, lambda _row: "neither a cloud mask nor a cloudiness score"),
        ],
    )


def structures_inside(row: ArrayLike, col: ArrayLike, measured: ArrayLike, half_px: int = 0) -> Bools:
    """Whether every structure of a plant lies, with so many pixels around it, in the measured part of each image.

    Args:
        row: (k,) rows of the structures, pixels, fractions allowed.
        col: (k,) columns.
        measured: (n, y, x) pixels that hold data.
        half_px: pixels that must be measured on every side of a structure's pixel.

    Returns:
        (n,) True where all are inside; True for a plant without structures, which another rule rejects.
    """
    pixels: NDArray[np.bool_] = np.asarray(measured, np.bool_)
    rows, cols = (np.floor(np.asarray(a, np.float64)).astype(np.int64) for a in (row, col))
    inside = np.ones(len(pixels), np.bool_)
    for r, c in zip(rows.tolist(), cols.tolist(), strict=True):
        low_r, low_c, high_r, high_c = r - half_px, c - half_px, r + half_px + 1, c + half_px + 1
        if low_r < 0 or low_c < 0 or high_r > pixels.shape[1] or high_c > pixels.shape[2]:
            return np.zeros(len(pixels), np.bool_)
        inside &= pixels[:, low_r:high_r, low_c:high_c].all(axis=(1, 2))
    return inside


def brightness(blue: ArrayLike, green: ArrayLike, red: ArrayLike) -> NDArray[np.float64]:
    """Mean reflectance of the visible bands over an image's measured (not NaN) pixels; (n, y, x) in, (n,) out."""
    visible = (np.asarray(blue, np.float64) + np.asarray(green) + np.asarray(red)) / 3.0
    return _mean(visible, np.isfinite(visible))


def cloudiness(hot: ArrayLike, whiteness: ArrayLike, ndvi: ArrayLike, rules: ImageRules) -> NDArray[np.float64]:
    """Share of an image's measured (not NaN) pixels that are bright in blue, white and bare; (n, y, x) in, (n,) out."""
    blue, grey, green = (np.asarray(a, np.float64) for a in (hot, whiteness, ndvi))
    known = np.isfinite(blue) & np.isfinite(grey) & np.isfinite(green)
    cloud = (blue > rules.cloud_min_hot) & (grey < rules.cloud_max_whiteness) & (green < rules.cloud_max_ndvi)
    return _mean(cloud.astype(np.float64), known)


def _below(name: str, value: NDArray[np.float64], limit: float, rows: Bools) -> Broken:
    return Broken(name, rows, lambda row: f"fraction {value[row]:.2f} (limit {limit:g})")


def _mean(values: NDArray[np.float64], known: Bools) -> NDArray[np.float64]:
    """Mean over the known pixels of each image, NaN where none is."""
    count = known.sum(axis=(1, 2))
    total = np.where(known, values, 0.0).sum(axis=(1, 2))
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean

"""What a spectrometer makes of the true columns: background, air mass factors, noise, stripes, clouds, lost lines.

Source: SCIENCE 3.10 (noise of 10 to 20 umol m-2, relative errors correlated over 30 km, stripes of 2 to 4 umol m-2 a
column of the detector, 1 % heavy tails, masks from thresholded random fields); values inside those ranges are inferred.
Fields are (y, x) on the fine grid, swath arrays (scanline, ground pixel), columns in umol m-2 until the last step.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from carbonray.synthetic.swaths import Retrieval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RetrievalRules:
    """Everything between the true column and the reported one.

    Attributes:
        background_umol_m2: level of the background, drawn once a day between these.
        background_relative_sd, background_range_km: its random part.
        amf_factor: retrieved over true column of a plume in a shallow layer, drawn once a day.
        amf_relative_sd, amf_range_km: its random part.
        noise_umol_m2: random error of a pixel.
        stripe_umol_m2: standard deviation of the offset of a detector column.
        outlier_share: pixels whose error is five times the usual.
        cloudiness: mean share of cloudy pixels; 0 gives clear days only.
        cloud_range_km: size of clouds.
        lost_line_share: scan lines without data.
    """

    background_umol_m2: tuple[float, float] = (8.0, 35.0)
    background_relative_sd: float = 0.15
    background_range_km: float = 100.0
    amf_factor: tuple[float, float] = (0.8, 1.1)
    amf_relative_sd: float = 0.15
    amf_range_km: float = 30.0
    noise_umol_m2: float = 12.0
    stripe_umol_m2: float = 3.0
    outlier_share: float = 0.01
    cloudiness: float = 0.2
    cloud_range_km: float = 60.0
    lost_line_share: float = 0.01


@dataclass(frozen=True)
class Sky:
    """A day over the region: (y, x) background in umol m-2, relative plume factor, cloud fraction 0 to 1."""

    background_umol_m2: Floats
    amf_factor: Floats
    cloud_fraction: Floats


def sky_of(rules: RetrievalRules, shape: tuple[int, int], cell_km: float, rng: np.random.Generator) -> Sky:
    """Draws a day's background, air mass factors and clouds on the fine grid."""
    level, factor = rng.uniform(*rules.background_umol_m2), rng.uniform(*rules.amf_factor)
    background = level * (1 + rules.background_relative_sd * _smooth(shape, rules.background_range_km / cell_km, rng))
    amf = factor * (1 + rules.amf_relative_sd * _smooth(shape, rules.amf_range_km / cell_km, rng))
    clouds = _smooth(shape, rules.cloud_range_km / cell_km, rng) + 0.5 * _smooth(shape, 8.0 / cell_km, rng)
    return Sky(background, np.maximum(amf, 0.3), _cloud_fraction(clouds, rules.cloudiness, rng))


def retrieved(
    plume_umol_m2: Floats,
    background_umol_m2: Floats,
    amf_factor: Floats,
    cloud_fraction: Floats,
    inside: NDArray[np.bool_],
    rules: RetrievalRules,
    rng: np.random.Generator,
) -> Retrieval:
    """The reported columns and their quality.

    Args:
        plume_umol_m2: (s, p) true enhancement, averaged over each pixel.
        background_umol_m2: (s, p) true background.
        amf_factor: (s, p) retrieved over true plume.
        cloud_fraction: (s, p) 0 to 1.
        inside: (s, p) pixels to report; the others are missing.
        rules: the retrieval.
        rng: the granule's generator.
    """
    shape = plume_umol_m2.shape
    column = amf_factor * plume_umol_m2 + background_umol_m2
    # clouds hide what is under them: the error of the correction grows as the light from the ground fades
    error = rules.noise_umol_m2 * (1 + cloud_fraction)
    noise = error * rng.standard_normal(shape) * np.where(rng.random(shape) < rules.outlier_share, 5.0, 1.0)
    stripes = rules.stripe_umol_m2 * rng.standard_normal(shape[1])
    radiance = np.clip(cloud_fraction * 1.6 / (0.6 + cloud_fraction), 0.0, 1.0)  # bright clouds outshine the ground
    quality = np.clip(1.0 - 0.5 * radiance - 0.03 * np.abs(rng.standard_normal(shape)), 0.0, 1.0)
    lost = rng.random(shape[:1]) < rules.lost_line_share
    keep = inside & ~lost[:, None]
    blank = np.where(keep, 1.0, np.nan)
    return Retrieval(
        no2_mol_m2=(column + noise + stripes) * 1e-6 * blank,
        precision_mol_m2=np.hypot(error, 0.2 * column) * 1e-6 * blank,
        qa_value=np.where(keep, quality, 0.0),
        cloud_fraction=cloud_fraction * blank,
        cloud_radiance_fraction=radiance * blank,
        amf_troposphere=1.3 * amf_factor * blank,
    )


def _cloud_fraction(clouds: Floats, cloudiness: float, rng: np.random.Generator) -> Floats:
    """Clouds where a random field is high, on a share of the region that changes from day to day."""
    share = rng.beta(1.2 * cloudiness + 1e-9, 1.2 * (1 - cloudiness) + 1e-9) if 0 < cloudiness < 1 else cloudiness
    cut = np.quantile(clouds, 1 - share)
    return np.clip((clouds - cut) / (0.5 * clouds.std()) + 0.35, 0.0, 1.0) if share > 0 else np.zeros_like(clouds)


def _smooth(shape: tuple[int, int], range_cells: float, rng: np.random.Generator) -> Floats:
    """A random field of unit variance whose values agree over about `range_cells`."""
    field = gaussian_filter(rng.standard_normal(shape), range_cells / 2, mode="wrap", truncate=3.0)
    return np.asarray(field / field.std(), np.float64)

"""What the peers of the sounding models read instead of patch statistics: an index, an area, the weather, the truth.

Source: SCIENCE 4.10; thresholds and sizes are inferred. Patches are (image, structure, band, s, s) of
`band_math.values`, their background (structure, band, s, s); what comes back is (image, column), NaN where unknown.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.power.band_math import derived
from carbonray.science.power.patch_features import central
from carbonray.science.spatial.geodesy import DAY_NS
from carbonray.vocab.sensors import Imager

Values = NDArray[np.float32]

INDEX_COLUMNS = ("hot", "white_brightness", "plume_area_m2")
WEATHER_COLUMNS = (
    "temperature_c", "relative_humidity_pct", "wind_speed_m_s", "cloud_cover", "season_sin", "season_cos",
)  # fmt: skip
LATENT_COLUMNS = ("vapor_m2", "vapor_depth_max")
YEAR_DAYS = 365.2425  # Gregorian mean


@dataclass(frozen=True)
class IndexRules:
    """How a patch becomes a number; inferred.

    Attributes:
        patch_m: side of the patch whose mean index is taken, as near as even numbers of pixels come.
        plume_contrast: reflectance in the visible above the background's from which a pixel is plume.
    """

    patch_m: float = 160.0
    plume_contrast: float = 0.05


def index_columns(imager: Imager, patches: Values, background: Values, rules: IndexRules | None = None) -> Values:
    """The images' `INDEX_COLUMNS`, (image, 3).

    HOT and white brightness (visible reflectance less what whiteness takes, v (1 - whiteness), so that whiter and
    brighter is more) are the mean in a patch, of the structure where it is largest; the plume's area is that of the
    pixels brighter than the background in the imager's largest patch, m2, summed over structures.

    Args:
        imager: its bands must include the visible ones.
        patches: of the imager's largest size or more.
        background: of the same size.
        rules: sizes and thresholds.
    """
    rules = rules or IndexRules()
    size = min(2 * max(1, round(rules.patch_m / imager.pixel_m / 2)), patches.shape[-1])
    near = central(patches, size)
    white = visible(imager, near) * (1.0 - derived(imager, "whiteness", near))
    whole = max(imager.patch_px)
    brighter = visible(imager, central(patches, whole)) - visible(imager, central(background, whole))
    area = (brighter > rules.plume_contrast).sum(axis=(1, 2, 3)) * imager.pixel_m**2
    known = np.isfinite(brighter).any(axis=(1, 2, 3))
    return np.stack(
        [_largest_mean(derived(imager, "hot", near)), _largest_mean(white), np.where(known, area, np.nan)], axis=-1
    ).astype(np.float32)


def visible(imager: Imager, patches: Values) -> Values:
    """Mean of blue, green and red, (..., y, x) of (..., band, y, x)."""
    places = [imager.band_index(common) for common in ("blue", "green", "red")]
    seen: Values = patches[..., places, :, :].mean(axis=-3, dtype=np.float32)
    return seen


def weather_columns(
    temperature_c: ArrayLike,
    relative_humidity_pct: ArrayLike,
    wind_u_m_s: ArrayLike,
    wind_v_m_s: ArrayLike,
    cloud_cover: ArrayLike,
    time_utc_ns: ArrayLike,
    lat: ArrayLike,
) -> Values:
    """The images' `WEATHER_COLUMNS`, (image, 6): no pixel goes in.

    Args:
        temperature_c: (image,) at 2 m.
        relative_humidity_pct: (image,) at 2 m.
        wind_u_m_s, wind_v_m_s: (image,) at 10 m.
        cloud_cover: (image,) fraction of the sky.
        time_utc_ns: (image,) whose day of the year is the season.
        lat: degrees; south of the equator seasons are half a year apart.
    """
    years = np.asarray(time_utc_ns, np.int64) / DAY_NS / YEAR_DAYS + np.where(np.asarray(lat) < 0.0, 0.5, 0.0)
    angle = 2.0 * np.pi * years
    wind = np.hypot(np.asarray(wind_u_m_s, float), np.asarray(wind_v_m_s, float))
    told = (temperature_c, relative_humidity_pct, wind, cloud_cover, np.sin(angle), np.cos(angle))
    return np.stack(np.broadcast_arrays(*told), axis=-1).astype(np.float32)


def _largest_mean(index: Values) -> NDArray[np.float64]:
    """(image,) mean over the pixels of (image, structure, s, s), of the structure where it is largest."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        means = np.nanmean(index, axis=(-2, -1), dtype=np.float64)
    largest: NDArray[np.float64] = np.fmax.reduce(means, axis=1)
    return largest

"""From a product's integers to physical values, and the derived bands that show vapor, haze and plants.

Sources: SCIENCE 4.2; haze-optimised transform and whiteness after Zhu and Woodcock 2012 (Fmask), eq. 2 and 3; thermal
conversion from the Landsat 8 Data Users Handbook. Arrays are (..., band, y, x); values are the reflectance at the top
of the atmosphere, of a thermal band the brightness temperature in kelvin; what was not measured is NaN and stays so.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.vocab.sensors import Imager

Values = NDArray[np.float32]
Floats = NDArray[np.float64]

NODATA_DN = 0
LEAST_VISIBLE = 1e-3  # reflectance below which a pixel has no colour, nor a ratio of bands a meaning (inferred)
MEAN, SPREAD = 0.5, 0.25  # of a standardised band, plume paper section 3.2


def values(dn: NDArray[np.uint16], scale: Floats, offset: Floats, k1: Floats, k2: Floats) -> Values:
    """Reflectance, or brightness temperature where a band has thermal constants; NaN where nothing is measured.

    Args:
        dn: (..., band, y, x) integers of the product, 0 where nothing is measured.
        scale, offset: (..., band): dn * scale + offset is the reflectance or the radiance.
        k1, k2: (..., band) thermal constants, NaN for a reflective band.
    """
    measured = reflectance(dn, scale, offset)
    thermal = np.isfinite(k1) & np.isfinite(k2)
    if thermal.any():
        measured[thermal] = brightness_temperature(
            measured[thermal], k1[thermal][..., None, None], k2[thermal][..., None, None]
        )
    return measured


def reflectance(dn: NDArray[np.uint16], scale: Floats, offset: Floats) -> Values:
    """Reflectance or radiance: dn * scale + offset, (..., band, y, x); NaN where dn is 0."""
    physical = dn.astype(np.float32)
    physical *= np.asarray(scale, np.float32)[..., None, None]
    physical += np.asarray(offset, np.float32)[..., None, None]
    physical[dn == NODATA_DN] = np.nan
    return physical


def brightness_temperature(radiance: Values, k1: Floats, k2: Floats) -> Values:
    """K2 / ln(K1 / L + 1), kelvin; NaN where the radiance is not above zero.

    Args:
        radiance: W m-2 sr-1 um-1.
        k1: W m-2 sr-1 um-1, of a shape that broadcasts.
        k2: kelvin.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        temperature = k2 / np.log(k1 / radiance + 1.0)
    return np.where(radiance > 0.0, temperature, np.nan).astype(np.float32)


def hot(blue: Values, red: Values) -> Values:
    """Haze-optimised transform: blue - 0.5 red. Fmask's threshold of 0.08 is no part of it."""
    return blue - np.float32(0.5) * red


def whiteness(blue: Values, green: Values, red: Values) -> Values:
    """Sum of |band - mean| / mean of the visible bands, 0 for grey; NaN where the pixel is all but black."""
    visible = (blue + green + red) / np.float32(3.0)
    apart = np.abs(blue - visible) + np.abs(green - visible) + np.abs(red - visible)
    return _ratio(apart, visible)


def normalised_difference(first: Values, second: Values) -> Values:
    """(first - second) / (first + second) in [-1, 1]; NaN where a band is negative or both are all but zero."""
    negative = (first < 0.0) | (second < 0.0)
    return np.where(negative, np.float32(np.nan), _ratio(first - second, first + second))


# derived band -> the bands it needs, by common name, and what makes it of them; order as in SCIENCE 4.2
DERIVED: Mapping[str, tuple[tuple[str, ...], Callable[..., Values]]] = MappingProxyType(
    {
        "hot": (("blue", "red"), hot),
        "whiteness": (("blue", "green", "red"), whiteness),
        "ndvi": (("nir", "red"), normalised_difference),
        "ndswir": (("swir22", "swir16"), normalised_difference),
        "ndtir": (("lwir12", "lwir11"), normalised_difference),
    }
)


def channel_names(imager: Imager) -> tuple[str, ...]:
    """Names of the channels of `channels`, in order: the imager's bands, then its derived bands."""
    return (*(band.name for band in imager.bands), *imager.derived)


def channels(imager: Imager, physical: Values) -> Values:
    """Bands and derived bands, (..., channel, y, x), in the order of `channel_names`.

    Args:
        imager: declares the derived bands that its bands allow.
        physical: (..., band, y, x) of `values`, not standardised.

    Raises:
        ContractError: the imager declares a derived band that does not exist or that its bands do not allow.
    """
    added = [derived(imager, name, physical)[..., None, :, :] for name in imager.derived]
    return np.concatenate([physical, *added], axis=-3)


def derived(imager: Imager, name: str, physical: Values) -> Values:
    """One derived band, (..., y, x), of an imager's physical values (..., band, y, x).

    Raises:
        ContractError: there is no such derived band, or the imager lacks one of its inputs.
    """
    try:
        needs, make = DERIVED[name]
        places = [imager.band_index(common) for common in needs]
    except KeyError as error:
        raise ContractError(
            f"{imager.name} cannot have the derived band {name!r} ({error})",
            where="vocab.sensors",
            expected=f"one of {sorted(DERIVED)} whose bands the imager has",
            remedy="Correct `derived` of the imager, or the common names of its bands.",
        ) from error
    return make(*(physical[..., place, :, :] for place in places))


def standardised(physical: Values, mean: Floats, sd: Floats) -> Values:
    """Channels brought to mean 0.5 and standard deviation 0.25: 0.5 + 0.25 (x - mean) / sd, (..., channel, y, x).

    Args:
        physical: (..., channel, y, x).
        mean, sd: (channel,), fitted on training folds only.

    Raises:
        ContractError: a spread is not above zero.
    """
    if not (np.asarray(sd) > 0.0).all():
        raise ContractError(
            f"channels have the spreads {np.asarray(sd).tolist()}",
            where="standardise",
            expected="all above zero",
            remedy="Leave a constant channel out of the scaling.",
        )
    gain = (SPREAD / np.asarray(sd)).astype(np.float32)[:, None, None]
    return (physical - np.asarray(mean, np.float32)[:, None, None]) * gain + np.float32(MEAN)


def _ratio(above: Values, below: Values) -> Values:
    """The quotient, NaN where below is all but zero or negative."""
    safe = below > LEAST_VISIBLE
    return np.divide(above, below, out=np.full_like(below, np.nan), where=safe)

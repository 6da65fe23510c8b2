"""Scalings fitted on training data only: per-band standardisation and the global min-max of emissions.

Source: SCIENCE 0.4 (statistics from train only) and 3.3 (min-max over all pixels at once). A fitted scaling is a value
of plain numbers: it travels in the bundle, and two fits are equal when their numbers are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BandScaling:
    """Standardises every band by its own mean and standard deviation.

    Attributes:
        mean: one a band, in the units of the data.
        sd: one a band, positive.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    def apply(self, images: NDArray[Any]) -> Floats:
        """(..., band, y, x) -> the same shape, zero mean and unit variance on the training images; NaN stays NaN."""
        return (np.asarray(images, np.float64) - _by_band(self.mean)) / _by_band(self.sd)

    def invert(self, scaled: NDArray[Any]) -> Floats:
        """(..., band, y, x) standardised values back in the units of the data."""
        return np.asarray(scaled, np.float64) * _by_band(self.sd) + _by_band(self.mean)


@dataclass(frozen=True)
class MinMaxScaling:
    """Maps [low, high] to [0, 1], with one pair of numbers for all pixels of all scenes."""

    low: float
    high: float

    def normalise(self, values: NDArray[Any]) -> Floats:
        """Any shape -> the same shape; values beyond `high` become larger than one."""
        return (np.asarray(values, np.float64) - self.low) / (self.high - self.low)

    def denormalise(self, scaled: NDArray[Any]) -> Floats:
        """The inverse of `normalise`."""
        return np.asarray(scaled, np.float64) * (self.high - self.low) + self.low


def fit_band_scaling(training_images: NDArray[Any]) -> BandScaling:
    """Mean and standard deviation of every band of (n, band, y, x) training images, NaN left out.

    Raises:
        DataError: a band has no valid pixel, or does not vary.
    """
    pixels = np.moveaxis(np.asarray(training_images, np.float64), -3, 0)
    pixels = pixels.reshape(len(pixels), -1)
    seen = ~np.isnan(pixels)
    empty = np.flatnonzero(~seen.any(axis=1))
    if len(empty):
        raise _unfit(f"bands {empty.tolist()} hold no valid pixel")
    means, sds = np.nanmean(pixels, axis=1), np.nanstd(pixels, axis=1)
    if (sds == 0.0).any():
        raise _unfit(f"bands {np.flatnonzero(sds == 0.0).tolist()} do not vary")
    return BandScaling(tuple(map(float, means)), tuple(map(float, sds)))


def fit_min_max(training_values: NDArray[Any], low: float | None = None) -> MinMaxScaling:
    """The range of all training values together, NaN left out.

    Args:
        training_values: any shape.
        low: the lower end where it is known (0 for emissions), else the smallest value.

    Raises:
        DataError: there is no range to scale by.
    """
    seen = np.asarray(training_values, np.float64)
    seen = seen[~np.isnan(seen)]
    if not seen.size or float(seen.max()) <= (float(seen.min()) if low is None else low):
        raise _unfit("the values have no range")
    return MinMaxScaling(float(seen.min()) if low is None else low, float(seen.max()))


def _by_band(numbers: tuple[float, ...]) -> Floats:
    return np.asarray(numbers, np.float64)[:, None, None]


def _unfit(what: str) -> DataError:
    return DataError(
        what,
        where="fitting a scaling",
        expected="training data that vary in every band",
        remedy="Check the fill values and the selection of the training rows.",
    )

"""Sums over the globe as a monoid: integer fixed point, so that any order of adding gives the same bytes.

Source: docs/adr/0007 (integer fixed point: float sums do not associate); Wilson, JASA
22, 209, 1927, for the interval of a frequency. Arrays are int64, one element a pixel or key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from carbonray.errors import ContractError, DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST_QUANTA = 2**26  # its square leaves room for 2047 of them in int64
INTERVAL_LEVEL = 0.90  # percentiles 5 and 95, as everywhere in carbonray


@dataclass(frozen=True)
class Moments:
    """Count, sum and sum of squares of fixed-point values: a commutative monoid under `+`.

    Attributes:
        count: how many values were added.
        total: sum of the values, in quanta of 2**-bits.
        total_squares: sum of the squared quanta.
        bits: fractional bits of the fixed point; the same on both sides of a sum.
    """

    count: Ints
    total: Ints
    total_squares: Ints
    bits: int

    @classmethod
    def zero(cls, shape: int | tuple[int, ...], bits: int) -> Self:
        """The neutral element."""
        return cls(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64), bits)

    @classmethod
    def of(cls, values: ArrayLike, bits: int) -> Self:
        """One observation each; NaN is no observation.

        Raises:
            DataError: a value is infinite, or larger than the fixed point can square (2**26 quanta).
        """
        data = np.asarray(values, np.float64)
        seen = ~np.isnan(data)
        quanta = np.rint(np.where(seen, data, 0.0) * 2.0**bits)
        if (np.abs(quanta) > LARGEST_QUANTA).any():
            raise DataError(
                f"a value of {float(np.abs(data[seen]).max()):g} does not fit the fixed point",
                where=f"Moments.of with {bits} bits",
                expected=f"at most {LARGEST_QUANTA / 2.0**bits:g}",
                remedy="Look at where the value comes from, or use fewer bits.",
            )
        whole = quanta.astype(np.int64)
        return cls(seen.astype(np.int64), whole, whole * whole, bits)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Partials behind each other, not yet summed."""
        counts, totals, squares = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("count", "total", "total_squares")
        )
        return cls(counts, totals, squares, _same_bits(parts))

    def __add__(self, other: Self) -> Self:
        squares = self.total_squares + other.total_squares
        if (squares < 0).any():  # two sums of squares can only turn negative by overflow
            raise _overflow()
        bits = _same_bits([self, other])
        return type(self)(self.count + other.count, self.total + other.total, squares, bits)

    def mean(self) -> Floats:
        """Mean of the values; NaN where none was added."""
        mean = self.total / np.maximum(self.count, 1) / 2.0**self.bits
        return np.where(self.count > 0, mean, np.nan)

    def sd(self) -> Floats:
        """Standard deviation with n - 1; NaN below two values."""
        several = np.maximum(self.count, 1)
        whole, rest = np.divmod(self.total, several)
        with np.errstate(over="ignore"):  # deviations from the whole part of the mean: wrapped terms cancel exactly
            about_whole = self.total_squares - 2 * whole * self.total + self.count * whole * whole
        squares = np.maximum(about_whole - rest.astype(np.float64) ** 2 / several, 0.0)
        variance = np.where(self.count > 1, squares / np.maximum(several - 1, 1), np.nan)
        return np.asarray(np.sqrt(variance) / 2.0**self.bits)

    def mean_interval(self, level: float = INTERVAL_LEVEL) -> tuple[Floats, Floats]:
        """Student's interval of the mean, (low, high); NaN below two values."""
        return student_interval(self.mean(), self.sd(), self.count, level)


def student_interval(
    mean: ArrayLike, sd: ArrayLike, count: ArrayLike, level: float = INTERVAL_LEVEL
) -> tuple[Floats, Floats]:
    """Student's interval of a mean of `count` values with standard deviation `sd`, (low, high); NaN below two."""
    values = np.maximum(np.asarray(count, np.float64), 1.0)
    half = stdtrit(np.maximum(values - 1.0, 1.0), 0.5 + level / 2.0) * np.asarray(sd, np.float64) / np.sqrt(values)
    half = np.where(values > 1.0, half, np.nan)
    centre = np.asarray(mean, np.float64)
    return centre - half, centre + half


def group_sum(keys: NDArray[Any], moments: Moments) -> tuple[NDArray[Any], Moments]:
    """Adds the elements that share a key.

    Args:
        keys: (n,) integers.
        moments: n elements, single observations or partial sums.

    Returns:
        the distinct keys, ascending, and their moments: the same bytes for any order of the rows.
    """
    distinct, groups = np.unique(keys, return_inverse=True)
    if not len(distinct):
        return distinct, Moments.zero(0, moments.bits)
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(len(distinct)))
    magnitudes = np.add.reduceat(moments.total_squares[order].astype(np.float64), starts)
    if magnitudes.max() > 0.9999 * 2.0**63:  # a hair below, for the magnitudes are rounded
        raise _overflow()
    count, total, total_squares = (
        np.add.reduceat(column[order], starts) for column in (moments.count, moments.total, moments.total_squares)
    )
    return distinct, Moments(count, total, total_squares, moments.bits)


def wilson_interval(successes: ArrayLike, trials: ArrayLike, level: float = INTERVAL_LEVEL) -> tuple[Floats, Floats]:
    """Wilson's score interval of a frequency, (low, high) within [0, 1]; NaN where there were no trials."""
    hits, tries = np.asarray(successes, np.float64), np.asarray(trials, np.float64)
    z2 = float(ndtri(0.5 + level / 2.0)) ** 2
    tries = np.where(tries > 0.0, tries, np.nan)
    centre = (hits + z2 / 2.0) / (tries + z2)
    half = np.sqrt(z2 * (hits * (tries - hits) / tries + z2 / 4.0)) / (tries + z2)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def _same_bits(parts: Sequence[Moments]) -> int:
    bits = {part.bits for part in parts}
    if len(bits) != 1:
        raise ContractError(
            f"moments of {sorted(bits)} bits cannot be added",
            where="Moments",
            expected="one fixed point",
            remedy="Make all partials with the same number of bits.",
        )
    return bits.pop()


def _overflow() -> DataError:
    return DataError(
        "the sum of squares leaves int64",
        where="Moments",
        expected="at most 2047 values of the largest size a pixel",
        remedy="Use fewer fractional bits.",
    )

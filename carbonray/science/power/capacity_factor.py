"""Capacity factors: of an interval, over 30 days, over a year, and of a plant seen by its towers and its stacks.

Source: SCIENCE 4.3, 4.6 and 4.7, plume paper sections 3.3, 3.6 and 3.7. Times are UTC int64 ns, intervals [start, end);
a day is a UTC day, counted from 1970-01-01 (inferred: the paper does not say whose midnight). A capacity factor is
generation over what the capacity gives in the interval; NaN is unknown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS

WINDOW_DAYS = 30

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RunningMean:
    """Mean capacity factor of the 30 days that end with each day.

    Attributes:
        day: (d,) int64 days since 1970-01-01.
        capacity_factor: (d,) mean over the hours that are known, NaN where none is.
        coverage: (d,) share of the window's hours that are known.
    """

    day: Ints
    capacity_factor: Floats
    coverage: Floats


def capacity_factor(generation_mwh: ArrayLike, capacity_mw: ArrayLike, hours: ArrayLike) -> Floats:
    """Generation over capacity times hours, not clipped; NaN where the capacity or the interval is not positive."""
    generation, capacity, length = np.broadcast_arrays(
        *(np.asarray(a, np.float64) for a in (generation_mwh, capacity_mw, hours))
    )
    most = capacity * length
    known = (capacity > 0) & (length > 0)
    factor: Floats = np.divide(generation, most, out=np.full(generation.shape, np.nan), where=known)
    return factor


def running_mean(start_utc_ns: ArrayLike, end_utc_ns: ArrayLike, factor: ArrayLike, days: ArrayLike) -> RunningMean:
    """The target of the generation models (SCIENCE 4.6): mean capacity factor over the 30 days ending with each day.

    Intervals of any length count by the time they share with the window, so that 5 minutes, hours and local days mix.

    Args:
        start_utc_ns: (n,) starts, ascending.
        end_utc_ns: (n,) ends; intervals must not overlap.
        factor: (n,) capacity factors, NaN where unknown.
        days: (d,) days since 1970-01-01 at whose end the windows end.

    Raises:
        ValueError: intervals overlap, or are not in order.
    """
    start, end, value = np.asarray(start_utc_ns, np.int64), np.asarray(end_utc_ns, np.int64), np.asarray(factor)
    known = np.isfinite(value)
    start, end, value = start[known], end[known], value[known].astype(np.float64)
    if np.any(end <= start) or np.any(start[1:] < end[:-1]):
        raise ValueError("intervals must be in order and must not overlap")
    day = np.asarray(days, np.int64)
    first, last = (day + 1 - WINDOW_DAYS) * DAY_NS, (day + 1) * DAY_NS
    total = _between(start, end, value, first, last)
    hours = _between(start, end, np.ones_like(value), first, last)
    mean = np.divide(total, hours, out=np.full(len(day), np.nan), where=hours > 0)
    return RunningMean(day, mean, hours / (24.0 * WINDOW_DAYS))


def hours_in_year(year: ArrayLike) -> Ints:
    """8760, or 8784 in a leap year of the Gregorian calendar."""
    return days_in_year(year) * 24


def days_in_year(year: ArrayLike) -> Ints:
    """365 or 366."""
    return first_day(np.asarray(year) + 1) - first_day(year)


def first_day(year: ArrayLike) -> Ints:
    """1 January as days since 1970-01-01."""
    years = (np.asarray(year, np.int64) - 1970).astype("datetime64[Y]")
    return np.asarray(years.astype("datetime64[D]").astype(np.int64))


def annual_window_days(year: int) -> tuple[Ints, Ints]:
    """Days whose 30-day window touches the year, and how many of its days lie in the year (SCIENCE 4.7).

    The counts over 30 are the weights; they sum to the days of the year exactly.

    Returns:
        (n,) days since 1970-01-01, from 1 January to 29 January of the next year, and (n,) counts from 1 to 30.
    """
    first, after = int(first_day(year)), int(first_day(year + 1))
    day = np.arange(first, after + WINDOW_DAYS - 1, dtype=np.int64)
    return day, np.minimum(day, after - 1) - np.maximum(day - WINDOW_DAYS + 1, first) + 1


def annual_capacity_factor(day: ArrayLike, factor: ArrayLike, year: int) -> tuple[float, float]:
    """Weighted mean of 30-day capacity factors over a year, and the share of the weight that is known.

    Args:
        day: (n,) days since 1970-01-01 at which the windows end, each once.
        factor: (n,) their 30-day means, NaN where unknown.
        year: of the Gregorian calendar.

    Returns:
        The mean, NaN where nothing of the year is known, and its coverage from 0 to 1.
    """
    wanted, count = annual_window_days(year)
    given, value = np.asarray(day, np.int64), np.asarray(factor, np.float64)
    inside = np.isfinite(value) & (given >= wanted[0]) & (given <= wanted[-1])
    weight = count[given[inside] - wanted[0]]
    whole = int(weight.sum())
    mean = float((weight * value[inside]).sum() / whole) if whole else float("nan")
    return mean, whole / int(count.sum())


def blended_capacity_factor(ndt: ArrayLike, fgd: ArrayLike) -> Floats:
    """(2 NDT + FGD) / 3 of a plant that has both; where one is unknown, the other stands alone (SCIENCE 4.7)."""
    towers, stacks = np.asarray(ndt, np.float64), np.asarray(fgd, np.float64)
    both = (2.0 * towers + stacks) / 3.0
    return np.where(np.isnan(towers), stacks, np.where(np.isnan(stacks), towers, both))


def _between(start: Ints, end: Ints, value: Floats, first: Ints, last: Ints) -> Floats:
    """Integral over time, in hours, of a step function that is zero outside its intervals."""
    if not len(start):
        return np.zeros(len(first))
    origin = start[0]  # hours from here keep their digits
    edges = np.column_stack([start - origin, end - origin]).ravel() / HOUR_NS
    area = np.cumsum(value * ((end - start) / HOUR_NS))
    heights = np.column_stack([np.concatenate([[0.0], area[:-1]]), area]).ravel()
    low, high = (np.interp((at - origin) / HOUR_NS, edges, heights) for at in (first, last))
    return np.asarray(high - low)

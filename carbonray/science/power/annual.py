"""From 30-day capacity factors to a year of a plant: who may score it, how far off it may be, and the plain baseline.

Sources: SCIENCE 4.7 (instances, annual sums), 4.10 (country and fuel), plume paper sections 3.7 to 3.9 and 4.3. Arrays
over plants are (plant,), over units (unit,). How wide an interval is, is inferred: the paper gives none for a plant.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.power.capacity_factor import hours_in_year
from carbonray.science.spatial.folds import N_FOLDS, rotation
from carbonray.science.stats.conformal import conformal_half_width

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class IntervalRules:
    """How a plant's interval is made from errors on plants that no model had seen (inferred).

    Attributes:
        level: share of plants whose truth lies inside.
    """

    level: float = 0.9


@dataclass(frozen=True)
class Bounded:
    """A value and its interval, arrays of one shape."""

    value: Floats
    low: Floats
    high: Floats

    def scaled(self, factor: ArrayLike) -> "Bounded":
        """Each times a factor that is not negative."""
        by = np.asarray(factor, np.float64)
        return Bounded(self.value * by, self.low * by, self.high * by)


def scoring_instances(fold: ArrayLike, in_training: ArrayLike) -> Bools:
    """(plant, instance) which instances may score each plant (SCIENCE 4.7).

    A plant that models were trained on is scored by the one instance that tested on its fold and by no other; a plant
    that no model has seen is scored by all, whose predictions are averaged.

    Args:
        fold: (plant,) 0 to 3, or -1 where none is assigned.
        in_training: (plant,) whether any sounding or generation model was fitted, stopped or tuned on the plant.

    Raises:
        ValueError: a training plant has no fold: every instance may have seen it.
    """
    folds, trained = np.asarray(fold, np.int64), np.asarray(in_training, np.bool_)
    if np.any(trained & ((folds < 0) | (folds >= N_FOLDS))):
        raise ValueError("a training plant has no fold, so that no instance is held out for it")
    tests = np.array([rotation(k).test for k in range(N_FOLDS)])
    allowed: Bools = ~trained[:, None] | (folds[:, None] == tests)
    return allowed


def half_width(error: ArrayLike, plant: ArrayLike, rules: IntervalRules | None = None) -> float:
    """How far from its prediction the truth of a new plant lies at most, at the level of the rules.

    Split-conformal over plants, every plant of the same weight however many years or days it has. With too few plants
    (fewer than 9 at 90 %) nothing is known: the whole range, 1, which is also the most it can be.

    Args:
        error: (n,) predicted less observed capacity factor; NaN is left out.
        plant: (n,) the plant of each.
        rules: the level.
    """
    return conformal_half_width(error, plant, (rules or IntervalRules()).level, most=1.0)


def bounded_capacity_factor(factor: ArrayLike, width: ArrayLike) -> Bounded:
    """Capacity factors with their interval, cut off at 0 and 1; NaN where the factor is."""
    value, half = np.asarray(factor, np.float64), np.asarray(width, np.float64)
    return Bounded(value, np.clip(value - half, 0.0, 1.0), np.clip(value + half, 0.0, 1.0))


def unit_generation_mwh(factor: Bounded, capacity_mw: ArrayLike, year: int, service_share: ArrayLike = 1.0) -> Bounded:
    """MWh of units in a year: capacity factor times capacity times the hours of the year (plume paper, section 3.7).

    Args:
        factor: of the year; all units of a plant share the plant's, so their errors add up and do not cancel.
        capacity_mw: (unit,) MW.
        year: Gregorian.
        service_share: (unit,) part of the year in service.
    """
    share, capacity = np.asarray(service_share, np.float64), np.asarray(capacity_mw, np.float64)
    # a unit out of service gives nothing, even where its capacity or the plant's factor is unknown
    most = np.where(share > 0.0, capacity * float(hours_in_year(year)) * share, 0.0)
    found = factor.scaled(most)
    idle = np.broadcast_to(share <= 0.0, found.value.shape)
    return Bounded(*(np.where(idle, 0.0, part) for part in (found.value, found.low, found.high)))


def emissions_t_co2(generation_mwh: Bounded, intensity_t_per_mwh: ArrayLike) -> Bounded:
    """T CO2 of generation; 0 where nothing is generated.

    The interval is that of the activity: the factor is taken as known.
    """
    factor = np.asarray(intensity_t_per_mwh, np.float64)
    idle = generation_mwh.high == 0.0
    found = generation_mwh.scaled(factor)
    return Bounded(*(np.where(idle, 0.0, part) for part in (found.value, found.low, found.high)))


def service_share(start_utc_ns: ArrayLike, end_utc_ns: ArrayLike, first_utc_ns: int, after_utc_ns: int) -> Floats:
    """(unit,) part of an interval in which each unit, in service in [start, end), serves.

    Args:
        start_utc_ns: (unit,) commissioning, int64 ns.
        end_utc_ns: (unit,) retirement.
        first_utc_ns: start of the interval.
        after_utc_ns: its end.
    """
    start = np.clip(np.asarray(start_utc_ns, np.int64), first_utc_ns, after_utc_ns)
    end = np.clip(np.asarray(end_utc_ns, np.int64), first_utc_ns, after_utc_ns)
    return np.asarray(np.maximum(end - start, 0) / (after_utc_ns - first_utc_ns), np.float64)


def country_fuel_capacity_factor(
    group: ArrayLike, n_groups: int, generation_mwh: ArrayLike, capacity_mw: ArrayLike, hours: ArrayLike
) -> Floats:
    """(group,) the baseline of SCIENCE 4.10: all generation over all capacity times hours of a country, fuel and year.

    Args:
        group: (row,) number of the country, fuel and year of each row of national statistics.
        n_groups: how many there are.
        generation_mwh: (row,) generated; a row with an unknown number is left out.
        capacity_mw: (row,) installed.
        hours: (row,) of the year.

    Returns:
        Not clipped; NaN for a group without capacity.
    """
    index = np.asarray(group, np.int64)
    generated = np.asarray(generation_mwh, np.float64)
    most = np.asarray(capacity_mw, np.float64) * np.asarray(hours, np.float64)
    known = np.isfinite(generated) & np.isfinite(most)
    above, below = (np.bincount(index[known], column[known], minlength=n_groups) for column in (generated, most))
    ratio: Floats = np.divide(above, below, out=np.full(n_groups, np.nan), where=below > 0.0)
    return ratio


def plant_baseline(plant: ArrayLike, n_plants: int, unit_factor: ArrayLike, capacity_mw: ArrayLike) -> Floats:
    """(plant,) capacity factor of a plant whose every unit runs as its country's fuel does: their mean by capacity.

    NaN where a unit's is unknown, or where there is no capacity.
    """
    index = np.asarray(plant, np.int64)
    capacity, factor = np.asarray(capacity_mw, np.float64), np.asarray(unit_factor, np.float64)
    whole = np.bincount(index, capacity, minlength=n_plants)
    used = np.bincount(index, np.where(capacity == 0.0, 0.0, capacity * factor), minlength=n_plants)
    mean: Floats = np.divide(used, whole, out=np.full(n_plants, np.nan), where=whole > 0.0)
    return mean

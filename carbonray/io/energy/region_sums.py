"""Regions that are sums of others: declared composites against their members, and sums that nobody has declared.

Source: SCIENCE 2.6: a region that contains others leaks them across a split. A sum is found as ordinary least squares
over the regions that are nowhere larger, and believed only where the plain sum of those it chooses is the region
itself. Amounts are (row, 14): energy GWh a day, then emissions t CO2 a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.energy.mix import MixRows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Composites = Mapping[str, tuple[str, ...]]  # a region -> the regions that it contains


@dataclass(frozen=True)
class SumRules:
    """When a region is taken for the sum of others.

    Attributes:
        tolerance: relative difference below which amounts are the same (inferred: rounding in published files).
        intervals: spread over a region's rows, that are compared.
        min_intervals: below which nothing is said (inferred: fewer could agree by chance).
        max_regions: above which no sum is looked for, since the work grows with their square.
    """

    tolerance: float = 1e-3
    intervals: int = 48
    min_intervals: int = 3
    max_regions: int = 300


class RegionTimes:
    """Rows by region and interval: where each pair of them stands.

    Args:
        rows: of any regions and intervals, each pair once.
    """

    def __init__(self, rows: MixRows) -> None:
        self.names, self.region = np.unique(rows.region.astype(str), return_inverse=True)
        times = np.stack([rows.start_ns, rows.end_ns], axis=1)
        unique_times, self.time = np.unique(times, axis=0, return_inverse=True)
        self.time = self.time.ravel()
        self._span = len(unique_times)
        keys = self.region * self._span + self.time
        self._order = np.argsort(keys)
        self._keys = keys[self._order]
        self.amounts: Floats = np.hstack([rows.energy, rows.emissions])

    def of(self, regions: ArrayLike, times: Ints) -> Floats:
        """(region, time, 14) amounts of regions by number, NaN where one has no row."""
        wanted = np.asarray(regions, np.int64)[:, None] * self._span + times
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        found = self._keys[at] == wanted
        return np.where(found[..., None], self.amounts[self._order[at]], np.nan)


def undeclared_sums(rows: MixRows, composites: Composites, rules: SumRules) -> dict[str, str]:
    """Regions that are sums or copies of others without being declared, with the reason.

    Args:
        rows: complete ones, each region and interval once.
        composites: regions that are declared; none of them is reported, nor taken for a part beside its members.
        rules: when amounts are the same.
    """
    times = RegionTimes(rows)
    if not 1 < len(times.names) <= rules.max_regions:
        return {}
    copies = _copies(times, rules)
    numbers = [number for number, name in enumerate(times.names) if name not in copies]
    inner = {member for members in composites.values() for member in members}
    smallest = [number for number in numbers if times.names[number] not in composites]
    largest = [number for number in numbers if times.names[number] not in inner]
    found = {name: f"copy: the same amounts as {other}" for name, other in copies.items() if name not in composites}
    for number in smallest:
        parts = _parts(times, number, smallest, rules) or (_parts(times, number, largest, rules) if composites else [])
        if parts:
            names = " + ".join(times.names[part] for part in parts)
            found[str(times.names[number])] = f"sum: equals {names}, which is not declared among the composites"
    return found


def short_composites(rows: MixRows, composites: Composites, rules: SumRules) -> NDArray[np.object_]:
    """(row,) why a declared composite cannot contain its members: it has less than they have together."""
    reasons = np.full(len(rows), "", object)
    if not len(rows):
        return reasons
    times = RegionTimes(rows)
    number = {name: at for at, name in enumerate(times.names)}
    for name in composites.keys() & number.keys():
        mine = np.flatnonzero(times.region == number[name])
        present = [number[member] for member in composites[name] if member in number]
        together = np.nan_to_num(times.of(present, times.time[mine])).sum(axis=0)
        short = (together > times.amounts[mine] * (1.0 + rules.tolerance)).any(axis=1)
        reasons[mine[short]] = f"composite: less than {', '.join(times.names[part] for part in present)} together"
    return reasons


def _copies(times: RegionTimes, rules: SumRules) -> dict[str, str]:
    """Regions that say what an earlier one says."""
    copies: dict[str, str] = {}
    for number, name in enumerate(times.names):
        earlier = [other for other in range(number) if times.names[other] not in copies]
        own, fitting = _fitting(times, number, earlier, rules)
        same = [other for other, amounts in fitting.items() if _same(own, amounts, rules)]
        if same:
            copies[str(name)] = str(times.names[same[0]])
    return copies


def _parts(times: RegionTimes, number: int, others: Sequence[int], rules: SumRules) -> list[int]:
    """The regions whose sum a region is; none where there are no such."""
    own, fitting = _fitting(times, number, [other for other in others if other != number], rules)
    if len(fitting) < 2:
        return []
    stacked = np.stack(list(fitting.values()))
    shared = ~np.isnan(stacked).any(axis=(0, 2))
    if shared.sum() < rules.min_intervals or own[shared].size < len(fitting):
        return []
    mean = own[shared].mean(axis=0)
    scale = np.where(mean > 0, mean, 1.0)  # parts count alike, whatever their units
    columns = (stacked[:, shared] / scale).reshape(len(fitting), -1).T
    weights = np.linalg.lstsq(columns, (own[shared] / scale).ravel(), rcond=None)[0]
    parts = [other for other, weight in zip(fitting, weights, strict=True) if weight > 0.5]
    total = sum((fitting[part] for part in parts), np.zeros_like(own))
    return parts if len(parts) > 1 and _same(own, total, rules) else []


def _fitting(
    times: RegionTimes, number: int, others: Sequence[int], rules: SumRules
) -> tuple[Floats, dict[int, Floats]]:
    """(time, 14) amounts of a region in intervals spread over its own, and those of others that fit into it.

    One fits that is nowhere larger and is known in most of the intervals; three of them tell of most that they do not.
    """
    mine = np.sort(times.time[times.region == number])
    chosen = mine[np.linspace(0, len(mine) - 1, min(len(mine), rules.intervals)).astype(np.int64)]
    own = times.of([number], chosen)[0]
    limit = own * (1.0 + rules.tolerance)
    few = np.unique(np.linspace(0, len(chosen) - 1, 3).astype(np.int64))
    left = np.array(others, np.int64)
    left = left[~(times.of(left, chosen[few]) > limit[few]).any(axis=(1, 2))]
    amounts = times.of(left, chosen)
    known = ~np.isnan(amounts).any(axis=2)
    fits = ~(amounts > limit).any(axis=(1, 2)) & (known.mean(axis=1) > 0.5)
    return own, {int(other): amounts[at] for at, other in enumerate(left) if fits[at]}


def _same(own: Floats, other: Floats, rules: SumRules) -> bool:
    """Whether amounts agree in every interval that both have, of which there are enough."""
    known = ~np.isnan(other).any(axis=1)
    if known.sum() < rules.min_intervals:
        return False
    difference = np.abs(own[known] - other[known]).sum(axis=0)
    return bool((difference <= rules.tolerance * own[known].sum(axis=0)).all())

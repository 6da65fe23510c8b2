"""Rows of a mix against what can be true: parts that are not negative, totals in the units they claim, each time once.

Source: SCIENCE 2.2 and 2.6. Every check gives (row,) reasons, empty where nothing is wrong; energy is (row, 8) GWh a
day, emissions (row, 6) t CO2 a day. A slip of a unit is a factor of 1000: of generation alone it shows beyond the
largest system or in a series' own history, of both together in t CO2 a MWh.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.science.energy.mix import MixRows
from carbonray.vocab.energy import SECTORS, SOURCES

Reasons = NDArray[np.object_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PlausibleMix:
    """What is believed of a region's totals.

    Attributes:
        idle_share: part of generation up to which a negative source is the own consumption of units that stand still,
            and becomes 0; a more negative one is refused (inferred: months of idle Australian oil and gas).
        max_gwh: a day, above all the world's 80 TWh (inferred).
        max_t_co2: a day, above all the world's 1e8 (inferred).
        min_t_per_mwh: of a whole economy's emissions over its electricity; below, one of them is in another unit
            (inferred: countries stay above 0.1).
        max_t_per_mwh: above, one of them is in another unit (inferred: countries stay below 10).
        max_jump: factor by which a total may differ from the median of its region (inferred).
    """

    idle_share: float = 1e-3
    max_gwh: float = 1e5
    max_t_co2: float = 1.5e8
    min_t_per_mwh: float = 0.05
    max_t_per_mwh: float = 20.0
    max_jump: float = 50.0


def incomplete(rows: MixRows) -> Reasons:
    """Names the parts that a row has not got."""
    whole = [_missing(rows.energy, SOURCES, "energy"), _missing(rows.emissions, SECTORS, "emissions")]
    return np.where(whole[0] == "", whole[1], whole[0]).astype(object)


def without_idle(energy: Floats, idle_share: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Energy with small negative sources as 0, and (row,) whether there were any."""
    positive = np.where(energy > 0, energy, 0.0).sum(axis=1, keepdims=True)
    idle = (energy < 0) & (energy >= -idle_share * positive)
    return np.where(idle, 0.0, energy), idle.any(axis=1)


def negative(rows: MixRows) -> Reasons:
    """Names the first source or sector of a row that is below zero."""
    reasons = np.full(len(rows), "", object)
    for amounts, names, unit in ((rows.energy, SOURCES, "GWh"), (rows.emissions, SECTORS, "t CO2")):
        below = amounts < 0
        for row in np.flatnonzero(below.any(axis=1) & (reasons == "")):
            part = int(np.argmax(below[row]))
            reasons[row] = f"negative: {names[part]} of {amounts[row, part]:.6g} {unit} a day"
    return reasons


def implausible(rows: MixRows, limits: PlausibleMix, *, whole_economy: bool) -> Reasons:
    """Totals of nothing, beyond the world's, that do not fit each other, or that leap from their region's median.

    Args:
        rows: complete ones.
        limits: what is believed.
        whole_economy: whether emissions are those of all sectors; a power sector alone may emit next to
            nothing, and a hundred times as much when it does not rain.
    """
    energy, emissions = rows.energy.sum(axis=1), rows.emissions.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = emissions / (energy * 1e3)
    least = limits.min_t_per_mwh if whole_economy else 0.0
    leap = _leap(rows.region, energy)
    if whole_economy:
        leap = np.maximum(leap, _leap(rows.region, emissions))
    checks: tuple[tuple[NDArray[np.bool_], Callable[[int], str]], ...] = (
        (~(energy > 0), lambda _at: "total: no electricity"),
        (~(emissions > 0), lambda _at: "total: no emissions"),
        (energy > limits.max_gwh, lambda at: f"units: {energy[at]:.4g} GWh a day (limit {limits.max_gwh:g})"),
        (
            emissions > limits.max_t_co2,
            lambda at: f"units: {emissions[at]:.4g} t CO2 a day (limit {limits.max_t_co2:g})",
        ),
        (
            (ratio < least) | (ratio > limits.max_t_per_mwh),
            lambda at: f"units: {ratio[at]:.3g} t CO2 a MWh (limits {least:g} and {limits.max_t_per_mwh:g})",
        ),
        (
            leap > limits.max_jump,
            lambda at: f"units: a total {leap[at]:.4g} times off its region's median (limit {limits.max_jump:g})",
        ),
    )
    reasons = np.full(len(rows), "", object)
    for wrong, words in checks:
        for row in np.flatnonzero(wrong & (reasons == "")):
            reasons[row] = words(int(row))
    return reasons


def overlapping(rows: MixRows) -> Reasons:
    """Rows that begin before the last row of their region, that is itself without fault, has ended."""
    reasons = np.full(len(rows), "", object)
    order = np.lexsort((rows.end_ns, rows.start_ns, rows.region.astype(str)))
    region, start, end = rows.region[order], rows.start_ns[order], rows.end_ns[order]
    follows = (region[1:] == region[:-1]) & (start[1:] < end[:-1])
    for name in np.unique(region[1:][follows].astype(str)):  # few: only these are walked through
        free_from = np.iinfo(np.int64).min
        for at in np.flatnonzero(region == name):
            if start[at] < free_from:
                reasons[order[at]] = "overlap: begins before the interval before it has ended"
            else:
                free_from = end[at]
    return reasons


def _missing(amounts: Floats, names: tuple[str, ...], kind: str) -> Reasons:
    unknown = np.isnan(amounts)
    patterns, which = np.unique(unknown, axis=0, return_inverse=True)
    words = [
        f"missing: all {kind}" if gone.all() else f"missing: {', '.join(np.array(names)[gone])}" if gone.any() else ""
        for gone in patterns
    ]
    return np.array(words, object)[which.ravel()] if len(amounts) else np.full(0, "", object)


def _leap(region: NDArray[np.object_], total: Floats) -> Floats:
    """(row,) how many times a total is above or below its region's median; 1 where there is nothing to compare."""
    known = pd.Series(np.where(total > 0, total, np.nan))
    ratio = (known / known.groupby(region.astype(str)).transform("median")).to_numpy(np.float64)
    return np.where(np.isfinite(ratio), np.maximum(ratio, 1.0 / ratio), 1.0)

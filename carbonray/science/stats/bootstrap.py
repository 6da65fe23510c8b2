"""Intervals by resampling whole blocks: all rows of a drawn plant, scene or day travel together.

Source: the block bootstrap of Climate TRACE's plume paper (SCIENCE 0.2): blocks drawn with replacement, multiplicity
kept, 90 % interval = percentiles 5 and 95. The number of resamples is inferred.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BootstrapRules:
    """How intervals are drawn.

    Attributes:
        resamples: number of resamples (inferred).
        lower_pct: lower percentile of the interval.
        upper_pct: upper percentile of the interval.
    """

    resamples: int = 1000
    lower_pct: float = 5.0
    upper_pct: float = 95.0


@dataclass(frozen=True)
class Interval:
    """Percentiles of a resampled statistic, and in how many resamples it was undefined."""

    low: float
    high: float
    n_undefined: int

    def excludes(self, value: float) -> bool:
        """Whether a value lies outside: a difference from it is significant at this level."""
        return value < self.low or value > self.high


def block_bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    blocks: NDArray[Any],
    rules: BootstrapRules,
    rng: np.random.Generator,
) -> Floats:
    """The statistic of every resample.

    Args:
        statistic: a number from row indices (repeated where a block was drawn more than once).
        blocks: (n,) the block every row belongs to; blocks are never split.
        rules: number of resamples.
        rng: where the draws come from.

    Returns:
        (resamples,) values, NaN where the statistic was undefined.
    """
    names, inverse = np.unique(blocks, return_inverse=True)
    rows_by_block = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    draws = np.empty(rules.resamples)
    for index in range(rules.resamples):
        drawn = rng.integers(len(names), size=len(names))
        draws[index] = statistic(np.concatenate([rows_by_block[block] for block in drawn]).astype(np.int64))
    return draws


def block_bootstrap_sums(sums: NDArray[Any], rules: BootstrapRules, rng: np.random.Generator) -> Floats:
    """Resampled totals of additive counts, for statistics that are ratios of totals.

    Args:
        sums: (blocks, k) the additive counts of every block.
        rules: number of resamples.
        rng: where the draws come from; the same state draws the same blocks as `block_bootstrap`.

    Returns:
        (resamples, k) totals.
    """
    counts = np.asarray(sums, np.float64)
    totals = np.empty((rules.resamples, counts.shape[1]))
    for index in range(rules.resamples):
        drawn = rng.integers(len(counts), size=len(counts))
        totals[index] = np.bincount(drawn, minlength=len(counts)) @ counts
    return totals


def interval(draws: NDArray[Any], rules: BootstrapRules) -> Interval:
    """The percentile interval of resampled values; NaN where every resample was undefined."""
    defined = np.asarray(draws, np.float64)
    defined = defined[~np.isnan(defined)]
    if not defined.size:
        return Interval(float("nan"), float("nan"), len(draws))
    low, high = np.percentile(defined, [rules.lower_pct, rules.upper_pct])
    return Interval(float(low), float(high), len(draws) - defined.size)


@dataclass(frozen=True)
class BlockDraws:
    """Resamples of blocks, for scores that are computed from how often each was drawn.

    Attributes:
        block: (row,) position of each row's block among the different ones.
        times: (resample, block) how often each block was drawn.
        rules: percentiles.
    """

    block: NDArray[np.int64]
    times: Floats
    rules: BootstrapRules


def block_draws(block: NDArray[Any], rules: BootstrapRules, seed: int) -> BlockDraws:
    """Resamples of the blocks of some rows, such as plants; the same blocks and seed give the same draws.

    Args:
        block: (row,) the block of each row.
        rules: number of resamples.
        seed: of the draws.
    """
    names, position = np.unique(block, return_inverse=True)
    rng = np.random.default_rng(np.random.SeedSequence((seed, len(names))))
    times = block_bootstrap_sums(np.eye(len(names)), rules, rng) if len(names) else np.zeros((rules.resamples, 0))
    return BlockDraws(position.astype(np.int64), times, rules)

"""Differences of F1 between two methods on the same scenes, with intervals over resampled scenes.

Source: SCIENCE 0.2: comparisons are paired; a difference is significant where its 90 % interval excludes zero.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.science.stats.bootstrap import BootstrapRules, block_bootstrap_sums, interval
from carbonray.stages.held_out import DATA_TIERS
from carbonray.stages.score_tables import ScoreSheet

Floats = NDArray[np.float64]


def f1_differences(
    sheet: ScoreSheet, generator: str, methods: Sequence[str], theta: float, rules: BootstrapRules, seed: int
) -> Iterator[dict[str, Any]]:
    """Every pair of the given methods at their own cuts: first minus second."""
    rows = [sheet.keys.index((method, theta, "cut")) for method in methods]
    counts = np.concatenate([sheet.columns[name][rows] for name in ("tp", "fp", "fn")]).T.astype(np.float64)
    draws = block_bootstrap_sums(counts, rules, np.random.default_rng(np.random.SeedSequence((seed, len(methods)))))
    value, resampled = _f1(counts.sum(axis=0)), _f1(draws)
    for first, second in combinations(range(len(methods)), 2):
        limits = interval(resampled[:, first] - resampled[:, second], rules)
        yield {
            "generator": generator,
            "data_tier": DATA_TIERS[generator],
            "first": methods[first],
            "second": methods[second],
            "difference": float(value[first] - value[second]),
            "p05": limits.low,
            "p95": limits.high,
            "significant": limits.excludes(0.0),
        }


def _f1(counts: Floats) -> Floats:
    tp, fp, fn = np.split(counts, 3, axis=-1)
    return np.asarray(2.0 * tp / np.maximum(2.0 * tp + fp + fn, 1.0))

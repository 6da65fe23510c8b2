"""Scores of plants' models with 90 % intervals over resampled plants, and whether a baseline lies outside.

Source: SCIENCE 0.2 (two-class mAP, RMSE, MBE; all rows of a drawn plant travel together, multiplicity kept;
significant where the interval excludes the baseline), plume paper section 4. Rows are (row,), a resample is the
multiplicity of every plant: ranking and squares are done once, not once a resample. Sets of rows that hold the same
plants are resampled by the same draws, so that models are compared in pairs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.stats.bootstrap import BlockDraws, BootstrapRules, Interval, interval
from carbonray.science.stats.metrics import mbe, rmse, two_class_map

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """A score of all rows and its interval; NaN where it is undefined, an interval of no width for one plant."""

    value: float
    low: float
    high: float

    def excludes(self, baseline: float) -> bool:
        """Whether the score differs significantly from a baseline: its interval does not hold it."""
        return Interval(self.low, self.high, 0).excludes(baseline)


def map_score(is_on: ArrayLike, score: ArrayLike, draws: BlockDraws) -> Score:
    """Two-class mAP; resamples in which all rows are on, or all off, are left out.

    Raises:
        DataError: a score is NaN.
    """
    on, ranking = np.asarray(is_on, np.bool_), np.asarray(score, np.float64)
    value = two_class_map(on, ranking)
    order = np.argsort(-ranking, kind="stable")
    edge = np.flatnonzero(np.append(np.diff(ranking[order]) != 0.0, True)) if len(order) else order
    first = np.append(0, edge[:-1] + 1) if len(edge) else edge
    plant, positive = draws.block[order], on[order]
    resampled = np.full(len(draws.times), np.nan)
    for number, times in enumerate(draws.times if len(edge) else ()):
        of_row = times[plant]
        ons, all_ = (np.add.reduceat(column, first) for column in (of_row * positive, of_row))
        resampled[number] = 0.5 * (_precision(ons, all_) + _precision((all_ - ons)[::-1], all_[::-1]))
    return _score(value, resampled, draws.rules)


def error_scores(observed: ArrayLike, predicted: ArrayLike, draws: BlockDraws) -> tuple[Score, Score]:
    """RMSE and MBE, predicted less observed, in the units of the data."""
    truth, guess = np.asarray(observed, np.float64), np.asarray(predicted, np.float64)
    error, n_plants = guess - truth, draws.times.shape[1]
    sums = np.column_stack(
        [np.bincount(draws.block, of, minlength=n_plants) for of in (np.ones(len(error)), error, error**2)]
    )
    totals = draws.times @ sums
    with np.errstate(invalid="ignore"):
        bias, square = totals[:, 1] / totals[:, 0], totals[:, 2] / totals[:, 0]
    return (
        _score(rmse(truth, guess), np.sqrt(square), draws.rules),
        _score(mbe(truth, guess), bias, draws.rules),
    )


def _precision(positive: Floats, every: Floats) -> float:
    """Average precision from the multiplicities in each group of tied scores, best first; NaN without positives."""
    found, shown = np.cumsum(positive), np.cumsum(every)
    if not found[-1] > 0.0:
        return float("nan")
    precision = np.divide(found, shown, out=np.zeros(len(found)), where=shown > 0.0)
    return float(positive @ precision / found[-1])


def _score(value: float, resampled: Floats, rules: BootstrapRules) -> Score:
    ends = interval(resampled, rules)
    return Score(value, ends.low, ends.high)

"""Scores of every resample of blocks: errors from sums by block, rank correlation from multiplicities.

Source: SCIENCE 0.2. What `metrics` says of rows that are repeated as often as their block was drawn, without repeating
them: sums are made once. Arrays are (row,), draws are those of `bootstrap.block_draws`, whatever the blocks are.
Answers are (resample,), NaN where a score is undefined.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.stats.bootstrap import BlockDraws

Floats = NDArray[np.float64]

_NO_SPREAD = 1e-12  # of the squares about the mean of all rows: what rounding leaves of rows that are all alike


def resampled_errors(observed: ArrayLike, predicted: ArrayLike, draws: BlockDraws) -> Mapping[str, Floats]:
    """`mae`, `rmse`, `mbe`, `r2` and `mape`, as `metrics` has them, of every resample."""
    truth, guess = np.asarray(observed, np.float64), np.asarray(predicted, np.float64)
    error, about = guess - truth, truth - truth.mean() if len(truth) else truth
    some = truth != 0.0
    share = np.divide(np.abs(error), np.abs(truth), out=np.zeros(len(truth)), where=some)
    columns = (np.ones(len(truth)), np.abs(error), error, error**2, about, about**2, some, share)
    count, size, bias, square, shift, spread, counted, shares = _sums(columns, draws)
    count, counted = _positive(count), _positive(counted)
    squares = spread - shift**2 / count
    squares[~(squares > _NO_SPREAD * spread)] = np.nan
    return {
        "mae": size / count,
        "rmse": np.sqrt(square / count),
        "mbe": bias / count,
        "r2": 1.0 - square / squares,
        "mape": shares / counted,
    }


def resampled_mean(value: ArrayLike, draws: BlockDraws) -> Floats:
    """Mean of a value of each row, such as whether it lies in a band."""
    total, count = _sums((np.asarray(value, np.float64), np.ones(len(draws.block))), draws)
    return np.asarray(total / _positive(count), np.float64)


def resampled_spearman(observed: ArrayLike, predicted: ArrayLike, draws: BlockDraws) -> Floats:
    """Rank correlation, ties sharing their mean rank, as `metrics.spearman` has it."""
    if np.isnan(observed).any() or np.isnan(predicted).any():
        return np.full(len(draws.times), np.nan)
    sides = [np.unique(side, return_inverse=True)[1] for side in (observed, predicted)]
    found = np.full(len(draws.times), np.nan)
    for number, times in enumerate(draws.times):
        weight = times[draws.block]
        truth, guess = (_centred_ranks(side, weight) for side in sides)
        spread = float(weight @ truth**2) * float(weight @ guess**2)
        if spread > 0.0:
            found[number] = float(weight @ (truth * guess)) / np.sqrt(spread)
    return found


def _centred_ranks(place: NDArray[np.int64], weight: Floats) -> Floats:
    """(row,) rank among rows repeated by weight, less the mean rank; ranks are whole and half numbers, exact."""
    held = np.bincount(place, weight)
    rank = np.cumsum(held) - held + 0.5 * (held + 1.0)
    return np.asarray((rank - 0.5 * (held.sum() + 1.0))[place], np.float64)


def _sums(columns: tuple[NDArray[np.generic], ...], draws: BlockDraws) -> NDArray[np.float64]:
    """(column, resample) totals."""
    blocks = draws.times.shape[1]
    of_block = np.stack([np.bincount(draws.block, column, minlength=blocks) for column in columns], axis=1)
    return np.asarray((draws.times @ of_block).T, np.float64)


def _positive(count: Floats) -> Floats:
    return np.where(count > 0.0, count, np.nan)

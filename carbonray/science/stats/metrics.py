"""Scores of predictions, one implementation for all four products.

Source: SCIENCE 0.2. Arrays are one-dimensional and paired: element i of `observed` and of `predicted` are the same
case. Undefined scores (no rows, no positives, no spread) are NaN; a NaN among the predictions stays NaN, loudly.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from carbonray.errors import ContractError, DataError

Floats = NDArray[np.float64]


def mae(observed: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error, in the units of the data."""
    truth, guess = _paired(observed, predicted)
    return _mean(np.abs(guess - truth))


def rmse(observed: ArrayLike, predicted: ArrayLike) -> float:
    """Root mean squared error, in the units of the data."""
    truth, guess = _paired(observed, predicted)
    return float(np.sqrt(_mean((guess - truth) ** 2)))


def mbe(observed: ArrayLike, predicted: ArrayLike) -> float:
    """Mean bias error, predicted minus observed: negative means under-prediction."""
    truth, guess = _paired(observed, predicted)
    return _mean(guess - truth)


def r2(observed: ArrayLike, predicted: ArrayLike) -> float:
    """1 - SSE / SST, SST about the mean of the evaluated set; NaN where the observations do not vary."""
    truth, guess = _paired(observed, predicted)
    spread = float(np.sum((truth - _mean(truth)) ** 2))
    return 1.0 - float(np.sum((guess - truth) ** 2)) / spread if spread > 0.0 else float("nan")


def mape(observed: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute percentage error as a fraction, over the cases whose observation is not zero."""
    truth, guess = _paired(observed, predicted)
    some = truth != 0.0
    return _mean(np.abs(guess[some] - truth[some]) / np.abs(truth[some]))


def spearman(observed: ArrayLike, predicted: ArrayLike) -> float:
    """Rank correlation, ties sharing their mean rank; NaN where either side does not vary."""
    truth, guess = _paired(observed, predicted)
    if np.isnan(truth).any() or np.isnan(guess).any() or not _varies(truth) or not _varies(guess):
        return float("nan")
    return float(np.corrcoef(rankdata(truth), rankdata(guess))[0, 1])


def average_precision(is_positive: ArrayLike, score: ArrayLike) -> float:
    """Sum over n of (R_n - R_{n-1}) P_n: step interpolation, tied scores entering together.

    Args:
        is_positive: (n,) booleans.
        score: (n,) larger means more likely positive.

    Raises:
        DataError: a score is NaN: it has no place in the ranking.
    """
    truth, ranking = _paired(is_positive, score)
    if np.isnan(ranking).any():
        raise DataError(
            f"{int(np.isnan(ranking).sum())} of {len(ranking)} scores are NaN",
            where="average_precision",
            expected="finite scores",
            remedy="Leave out the unscored rows, and report how many there were.",
        )
    if not (truth > 0.0).any():
        return float("nan")
    order = np.argsort(-ranking, kind="stable")
    last_of_tie = np.flatnonzero(np.append(np.diff(ranking[order]) != 0.0, True))
    true_positives = np.cumsum(truth[order] > 0.0)[last_of_tie]
    precision = true_positives / (last_of_tie + 1)
    gained_recall = np.diff(true_positives, prepend=0) / true_positives[-1]
    return float(np.sum(gained_recall * precision))


def two_class_map(is_on: ArrayLike, score: ArrayLike) -> float:
    """Mean of AP(on, score) and AP(off, -score); a constant score gives 0.5 whatever the prevalence (inferred form).

    NaN where one of the two classes is absent.
    """
    truth, ranking = _paired(is_on, score)
    return 0.5 * (average_precision(truth > 0.0, ranking) + average_precision(truth <= 0.0, -ranking))


def _paired(observed: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    truth, guess = np.asarray(observed, np.float64), np.asarray(predicted, np.float64)
    if truth.shape != guess.shape or truth.ndim != 1:
        raise ContractError(
            f"shapes {truth.shape} and {guess.shape} are not paired",
            where="metrics",
            expected="two one-dimensional arrays of one length",
            remedy="Compare identical rows.",
        )
    return truth, guess


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def _varies(values: Floats) -> bool:
    return values.size > 1 and bool(values.min() != values.max())

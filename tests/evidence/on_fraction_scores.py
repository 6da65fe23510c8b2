"""How far the share of images in which a plant ran tells its capacity factor of the year: pairs of plant-years, scored.

Source: SCIENCE 0.2. Rows are plant-years: `x` is the on-fraction, `y` the reported capacity factor, both 0 to 1. Years
of one plant are no independent cases, so intervals draw whole plants, and a fitted line is judged on plants that it was
not fitted to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.science.stats.bootstrap import BootstrapRules, block_bootstrap, interval
from carbonray.science.stats.metrics import mbe, rmse

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OnFractionRules:
    """What is compared.

    Attributes:
        min_labels: least labels of a plant-year, one set of scores each (inferred).
        headline: the one that the page speaks of (inferred, and chosen before any score was seen).
        max_capacity_factor: reported generation beyond it is in other units or of another capacity (inferred).
        bootstrap: intervals over plants.
        seed: of their draws.
    """

    min_labels: tuple[int, ...] = (1, 3, 5, 8, 12)
    headline: int = 5
    max_capacity_factor: float = 1.0
    bootstrap: BootstrapRules = field(default_factory=BootstrapRules)
    seed: int = 0


def correlation(plant: NDArray[np.int64], x: Floats, y: Floats) -> float:
    """Pearson's, over all plant-years."""
    return _pearson(x, y)


def correlation_within(plant: NDArray[np.int64], x: Floats, y: Floats) -> float:
    """Pearson's of the deviations from each plant's own mean: do years differ as the labels say?"""
    return _pearson(_deviations(plant, x), _deviations(plant, y))


def slope(plant: NDArray[np.int64], x: Floats, y: Floats) -> float:
    """Of the least-squares line of the capacity factor on the on-fraction."""
    return float(_lines(_sums(x, y).sum(axis=0))[0])


def intercept(plant: NDArray[np.int64], x: Floats, y: Floats) -> float:
    """Of the same line."""
    return float(_lines(_sums(x, y).sum(axis=0))[1])


def rmse_as_it_is(plant: NDArray[np.int64], x: Floats, y: Floats) -> float:
    """Error of the on-fraction taken for the capacity factor."""
    return rmse(y, x)


def mbe_as_it_is(plant: NDArray[np.int64], x: Floats, y: Floats) -> float:
    """Bias of the same."""
    return mbe(y, x)


def rmse_line(plant: NDArray[np.int64], x: Floats, y: Floats) -> float:
    """Error of the line, on each plant that of the others."""
    found = _lines(_of_others(plant, _sums(x, y)))
    return rmse(y, found[:, 0] * x + found[:, 1])


def rmse_mean(plant: NDArray[np.int64], x: Floats, y: Floats) -> float:
    """Error of the mean, on each plant that of the others."""
    sums = _of_others(plant, _sums(x, y))
    return rmse(y, np.divide(sums[:, 2], sums[:, 0], out=np.full(len(y), np.nan), where=sums[:, 0] > 0))


def gain(plant: NDArray[np.int64], x: Floats, y: Floats) -> float:
    """1 - error of the line / error of the mean: positive where the labels tell something of a plant not seen."""
    base = rmse_mean(plant, x, y)
    return 1.0 - rmse_line(plant, x, y) / base if base > 0 else float("nan")


STATISTICS: Mapping[str, Callable[[NDArray[np.int64], Floats, Floats], float]] = {
    function.__name__: function
    for function in (
        correlation,
        correlation_within,
        slope,
        intercept,
        rmse_as_it_is,
        mbe_as_it_is,
        rmse_line,
        rmse_mean,
        gain,
    )
}


def scores(pairs: pd.DataFrame, rules: OnFractionRules) -> pd.DataFrame:
    """One row a minimum of labels and a statistic, with its interval over plants.

    Args:
        pairs: `plant_id`, `labels`, `on_fraction`, `capacity_factor` of plant-years.
        rules: minimums, resamples, seed.
    """
    rows = []
    for least in rules.min_labels:
        kept = pairs[pairs["labels"] >= least]
        plant = np.unique(kept["plant_id"].to_numpy(str), return_inverse=True)[1].astype(np.int64)
        x, y = (kept[name].to_numpy(np.float64) for name in ("on_fraction", "capacity_factor"))
        told = {"min_labels": least, "plants": len(set(plant.tolist())), "plant_years": len(kept)}
        for name, function in STATISTICS.items():
            low, high = _interval(function, plant, x, y, rules)
            value = function(plant, x, y) if len(kept) else float("nan")
            rows.append({**told, "labels": int(kept["labels"].sum()), "statistic": name, "value": value})
            rows[-1] |= {"low": low, "high": high}
    return pd.DataFrame(rows)


def _interval(
    function: Callable[[NDArray[np.int64], Floats, Floats], float],
    plant: NDArray[np.int64],
    x: Floats,
    y: Floats,
    rules: OnFractionRules,
) -> tuple[float, float]:
    if not len(x):
        return float("nan"), float("nan")
    draws = block_bootstrap(
        lambda rows: function(plant[rows], x[rows], y[rows]), plant, rules.bootstrap, np.random.default_rng(rules.seed)
    )
    found = interval(draws, rules.bootstrap)
    return found.low, found.high


def _pearson(x: Floats, y: Floats) -> float:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _deviations(plant: NDArray[np.int64], value: Floats) -> Floats:
    number = np.unique(plant, return_inverse=True)[1]
    mean = np.bincount(number, value) / np.bincount(number)
    return np.asarray(value - mean[number])


def _sums(x: Floats, y: Floats) -> Floats:
    """(n, 5) what a line is made of: count, x, y, x squared, x times y."""
    return np.column_stack([np.ones_like(x), x, y, x * x, x * y])


def _of_others(plant: NDArray[np.int64], sums: Floats) -> Floats:
    """(n, 5) sums over the rows of all other plants, for every row; of a plant drawn twice no copy is another."""
    number = np.unique(plant, return_inverse=True)[1]
    own = np.zeros((int(number.max()) + 1, sums.shape[1]))
    np.add.at(own, number, sums)
    return np.asarray(sums.sum(axis=0) - own[number])


def _lines(sums: Floats) -> Floats:
    """(..., 2) slope and intercept; without spread in x there is no line, NaN."""
    n, x, y, xx, xy = np.moveaxis(sums, -1, 0)
    spread = n * xx - x * x
    found = np.divide(n * xy - x * y, spread, out=np.full(spread.shape, np.nan), where=spread > 1e-9)
    return np.stack([found, np.divide(y - found * x, n, out=np.full(spread.shape, np.nan), where=n > 0)], axis=-1)

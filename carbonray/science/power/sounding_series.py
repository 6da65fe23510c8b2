"""What the soundings of a plant say of its last 30 days without any learned features: the classical peers.

Source: SCIENCE 4.10 (last sounding, mean of a window, Gaussian kernel, Kalman filter; their forms are inferred). A
series is one capacity factor an image, (n,) columns; a grid is (plant, day), every plant on the same days. Answers are
for the mean over the 30 days that end with a day, and use no sounding after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.power.capacity_factor import WINDOW_DAYS
from carbonray.science.power.lookback import REG, Output, Soundings

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

KERNEL_DAYS = 180  # a Gaussian of the bandwidths in use is nothing beyond it


@dataclass(frozen=True)
class Series:
    """One estimate an image.

    Attributes:
        plant: (n,) int64 number of the plant.
        day: (n,) int64 UTC days since 1970-01-01.
        value: (n,) capacity factor.
    """

    plant: Ints
    day: Ints
    value: Floats


@dataclass(frozen=True)
class DailyGrid:
    """Estimates of every day.

    Attributes:
        plant: (plant,) numbers, ascending.
        first_day: of the grid.
        count: (plant, day) images with an estimate.
        total: (plant, day) their sum.
    """

    plant: Ints
    first_day: int
    count: Floats
    total: Floats

    def at(self, grid: Floats, plant: ArrayLike, day: ArrayLike, otherwise: float) -> Floats:
        """(row,) values of a (plant, day) array; `otherwise` for plants and days outside."""
        names, column = np.asarray(plant, np.int64), np.asarray(day, np.int64) - self.first_day
        if not grid.size:
            return np.full(len(names), otherwise)
        row = np.minimum(np.searchsorted(self.plant, names), len(self.plant) - 1)
        inside = (self.plant[row] == names) & (column >= 0) & (column < grid.shape[1])
        return np.where(inside, grid[row, np.clip(column, 0, grid.shape[1] - 1)], otherwise)


def image_series(soundings: Soundings, outputs: Sequence[Output]) -> Series:
    """The mean capacity factor that the regressors say of each image."""
    regressors = [number for number, output in enumerate(outputs) if output.head == REG]
    here = np.flatnonzero(np.isin(soundings.output, regressors) & np.isfinite(soundings.value))
    _, first, image = np.unique(soundings.image[here], return_index=True, return_inverse=True)
    value = np.bincount(image, soundings.value[here]) / np.maximum(np.bincount(image), 1)
    return Series(soundings.plant[here[first]], soundings.day[here[first]], value)


def daily_grid(series: Series, last_day: int) -> DailyGrid:
    """Sums by plant and day, from the first sounding to a day."""
    early = series.day <= last_day
    plant, day, value = series.plant[early], series.day[early], series.value[early]
    names, row = np.unique(plant, return_inverse=True)
    first = int(day.min()) if len(day) else last_day
    shape = (len(names), last_day - first + 1)
    cell = row * shape[1] + day - first
    count, total = (np.bincount(cell, of, minlength=shape[0] * shape[1]).reshape(shape) for of in (None, value))
    return DailyGrid(names, first, count.astype(np.float64), total.astype(np.float64))


def last_estimate(grid: DailyGrid) -> Floats:
    """(plant, day) mean of the last day up to each day that has soundings; NaN before the first."""
    has = grid.count > 0
    last = np.maximum.accumulate(np.where(has, np.arange(has.shape[1]), -1), axis=1)
    mean = _ratio(grid.total, grid.count)
    return np.where(last >= 0, np.take_along_axis(mean, np.maximum(last, 0), axis=1), np.nan)


def window_mean(grid: DailyGrid, window_days: int = WINDOW_DAYS) -> Floats:
    """(plant, day) mean of the soundings of the window that ends with each day; NaN without any."""
    sums = []
    for daily in (grid.total, grid.count):
        whole = np.cumsum(daily, axis=1)
        whole[:, window_days:] -= whole[:, :-window_days].copy()
        sums.append(whole)
    return _ratio(*sums)


def kernel_anomaly(grid: DailyGrid, mean: float, bandwidth_days: float, prior_images: float) -> Floats:
    """(plant, day) Gaussian-weighted mean of soundings less `mean`, drawn towards 0 like `prior_images` zeros would.

    Args:
        grid: the soundings.
        mean: of soundings anywhere.
        bandwidth_days: of the Gaussian about the middle of the 30 days.
        prior_images: weight of knowing nothing.
    """
    lag = np.arange(KERNEL_DAYS)
    weight = np.exp(-0.5 * ((lag - (WINDOW_DAYS - 1) / 2) / bandwidth_days) ** 2)
    above, below = np.zeros(grid.count.shape), np.full(grid.count.shape, prior_images)
    days = grid.count.shape[1]
    for back in range(min(KERNEL_DAYS, days)):
        above[:, back:] += weight[back] * (grid.total - mean * grid.count)[:, : days - back]
        below[:, back:] += weight[back] * grid.count[:, : days - back]
    anomaly: Floats = above / below
    return anomaly


def kalman_anomaly(grid: DailyGrid, mean: float, memory_days: float, noise_ratio: float) -> Floats:
    """(plant, day) expectation of the 30-day mean less `mean`, given all soundings up to each day.

    Days are a stationary first-order autoregression, images see them with independent noise. The state holds the last
    30 days, so that the answer is exact: the fixed-lag smoother's.

    Args:
        grid: the soundings.
        mean: of soundings anywhere.
        memory_days: in which the correlation of days falls by e.
        noise_ratio: variance of an image's noise over that of days.
    """
    plants, days = grid.count.shape
    kept = float(np.exp(-1.0 / memory_days))
    lag = np.arange(WINDOW_DAYS)
    spread = np.broadcast_to(kept ** np.abs(lag[:, None] - lag), (plants, WINDOW_DAYS, WINDOW_DAYS)).copy()
    state, answer = np.zeros((plants, WINDOW_DAYS)), np.zeros((plants, days))
    for day in range(days):
        state[:, 1:], state[:, 0] = state[:, :-1].copy(), kept * state[:, 0]
        cross = kept * spread[:, 0, :-1]
        spread[:, 1:, 1:] = spread[:, :-1, :-1].copy()
        spread[:, 0, 0] = kept**2 * spread[:, 0, 0] + 1.0 - kept**2
        spread[:, 0, 1:] = spread[:, 1:, 0] = cross
        seen = np.flatnonzero(grid.count[:, day])
        if len(seen):
            count = grid.count[seen, day]
            gain = spread[seen, :, 0] / (spread[seen, 0, 0] + noise_ratio / count)[:, None]
            surprise = grid.total[seen, day] / count - mean - state[seen, 0]
            state[seen] += gain * surprise[:, None]
            spread[seen] -= gain[:, :, None] * spread[seen, 0, None, :]
        answer[:, day] = state.mean(axis=1)
    return answer


def _ratio(above: Floats, below: Floats) -> Floats:
    mean: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return mean

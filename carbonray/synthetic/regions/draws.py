"""Random numbers by key, noise that remembers, and days of the calendar: what the synthetic regions are drawn with.

Source: SCIENCE 2.8. Whatever is random comes from `SeedSequence((seed, region, part, turn))`, so that it is the same
whoever draws it, in any order. A day is a whole number of days since 1970-01-01, of the region's own calendar.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

PARTS = {"place": 1, "weather": 2, "demand": 3, "supply": 4, "sectors": 5, "reports": 6, "deal": 7, "span": 8}
YEAR_DAYS = 365.2425
HOURS = 24


def generator(seed: int, region: int, part: str, turn: int = 0) -> np.random.Generator:
    """The random numbers of one part of one region; turns beyond 0 are other fates of the same region."""
    return np.random.default_rng(np.random.SeedSequence((seed, region, PARTS[part], turn)))


def memory_noise(steps: int, memory: float, rng: np.random.Generator) -> Floats:
    """(step,) stationary noise of unit variance that forgets as exp(-t / memory), an AR(1) process."""
    kept = np.exp(-1.0 / memory)
    shocks = rng.standard_normal(steps)
    shocks[1:] *= np.sqrt(1.0 - kept**2)
    return np.asarray(lfilter([1.0], [1.0, -kept], shocks), np.float64)


def yearly_wave(days: Days, peak_day: float) -> Floats:
    """(day,) yearly wave, 1 on the day of the year `peak_day` and -1 half a year later."""
    return np.asarray(np.cos(2 * np.pi * (days % YEAR_DAYS - peak_day) / YEAR_DAYS), np.float64)

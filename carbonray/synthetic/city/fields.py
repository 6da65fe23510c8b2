"""Random numbers by key, smooth random fields, and their values at any place: what the synthetic cities are drawn with.

Source: SCIENCE 1.8. Whatever is random comes from `SeedSequence((seed, city, stream, key))` or, for the millions of
things in a picture, from a hash of their own numbers, so that everything is the same whoever draws it, in any order.
Fields are (y, x) float32 on a lattice whose row 0 is north; places in a city are metres south and east of a corner.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Field = NDArray[np.float32]
Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

STREAMS = {
    "geography": 1, "zones": 2, "activity": 3, "points": 4, "rates": 5, "scene": 6, "emissions": 7, "label": 8,
    "veil": 9, "shuffle": 10,
}  # fmt: skip
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the constants of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def generator(seed: int, city: int, stream: str, *key: int) -> np.random.Generator:
    """The random numbers of one part of one city."""
    return np.random.default_rng(np.random.SeedSequence((seed, city, STREAMS[stream], *key)))


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], step_m: tuple[float, float], range_m: float
) -> Field:
    """(y, x) Gaussian random field of zero mean and unit variance whose correlation falls to 1/e at about `range_m`."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    field = gaussian_filter(noise, [range_m / 2.0 / step for step in step_m], mode="wrap", truncate=3.0)
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def rank_of(field: Field) -> Field:
    """The share of values below each, from 0 to 1."""
    order = np.empty(field.size, np.float32)
    order[np.argsort(field, axis=None, kind="stable")] = (np.arange(field.size) + 0.5) / field.size
    return order.reshape(field.shape)


def interpolated(field: Field, rows: Floats, cols: Floats) -> Field:
    """(..., row, col) values at fractional places of a lattice, linear between its points and constant beyond them."""
    down, top = _hats(rows, field.shape[-2])
    along, left = _hats(cols, field.shape[-1])
    part = field[..., top : top + down.shape[1], left : left + along.shape[1]]
    return np.asarray(down @ part @ along.T, np.float32)


def hashed(salt: np.uint64, *keys: NDArray[np.int64]) -> Hashes:
    """Well mixed bits of whole numbers; any key changes them all."""
    with np.errstate(over="ignore"):
        bits = np.asarray(salt)
        for key in keys:
            bits = (bits ^ key.astype(np.uint64)) + _GOLDEN
            bits = (bits ^ (bits >> np.uint64(30))) * _MIX[0]
            bits = (bits ^ (bits >> np.uint64(27))) * _MIX[1]
            bits = bits ^ (bits >> np.uint64(31))
    return bits


def unit(bits: Hashes, part: int) -> Field:
    """One of the four independent uniform numbers from 0 to 1 that a hash holds."""
    return ((bits >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.float32) / np.float32(65536.0)


def _hats(places: Floats, size: int) -> tuple[Field, int]:
    """(place, point) weights of the few lattice points around sorted places, and the first of those points."""
    at = np.clip(places, 0.0, size - 1.0)
    first, last = int(at.min()), min(int(at.max()) + 1, size - 1)
    weights = 1.0 - np.abs(at[:, None] - np.arange(first, last + 1))
    return np.clip(weights, 0.0, 1.0).astype(np.float32), first

"""Patch statistics of a batch of images against a plain loop over the same pixels, and the trees that read them.

The loop does what SCIENCE 4.5 says one statistic after the other with NumPy's own functions, and must give the same
numbers. CPU seconds of one thread, best of a few rounds. The bare peer of the trees is XGBoost on the same array.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from carbonray.models.sounding_trees import SoundingTrees, TreeRules, fit_trees
from carbonray.science.power.band_math import channels
from carbonray.science.power.patch_features import feature_names, patch_features
from carbonray.vocab.sensors import IMAGERS, Imager

IMAGES = 48
LOOP_IMAGES = 6  # the loop is slow
STRUCTURES = 4
SIDE_PX = 96  # of a region
ROUNDS = 3
ROWS = 2000  # of features scored by trees


def rows() -> list[dict[str, Any]]:
    """Images a second of each imager, and rows a second of trees on a Sentinel-2 model's features."""
    return [row for name in IMAGERS for row in _features(IMAGERS[name])] + _trees(IMAGERS["sentinel2"])


def looped(imager: Imager, images: np.ndarray, background: np.ndarray, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """The same features, one number at a time."""
    features = []
    empty = channels(imager, background)
    for image in images:
        seen, numbers = channels(imager, image), []
        for view in (seen, seen - empty):
            for size in imager.patch_px:
                for channel in view:
                    patches = [
                        channel[r - size // 2 : r + size // 2, c - size // 2 : c + size // 2]
                        for r, c in zip(row, col, strict=True)
                    ]
                    for statistic in (np.nanmean, np.nanstd, lambda patch: np.nanpercentile(patch, 90)):
                        each = [statistic(patch.astype(float)) for patch in patches]
                        numbers += [np.mean(each), np.min(each), np.max(each)]
        features.append(numbers)
    return np.array(features)


def _features(imager: Imager) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    shape = (len(imager.bands), SIDE_PX, SIDE_PX)
    images = rng.uniform(0.05, 0.6, (IMAGES, *shape)).astype(np.float32)
    background = rng.uniform(0.05, 0.3, shape).astype(np.float32)
    row, col = rng.integers(32, SIDE_PX - 32, (2, STRUCTURES))
    few = images[:LOOP_IMAGES]
    expected = looped(imager, few, background, row, col)
    np.testing.assert_allclose(patch_features(imager, few, background, row, col), expected, rtol=1e-3, atol=1e-5)
    ours = IMAGES / _best(lambda: patch_features(imager, images, background, row, col))
    loop = LOOP_IMAGES / _best(lambda: looped(imager, few, background, row, col))
    values = STRUCTURES * 2 * expected.shape[1] / 72 * sum(size**2 for size in imager.patch_px)
    return [
        _row(f"patch features, {imager.name}", ours, "images/s/core", "a plain loop", ours / loop),
        _row(f"patch features, {imager.name}", ours * values / 1e6, "million pixels/s/core", None, None),
    ]


def _trees(imager: Imager) -> list[dict[str, Any]]:
    rng = np.random.default_rng(2)
    names = feature_names(imager)
    x = rng.normal(size=(ROWS, len(names))).astype(np.float32)
    on = x[:, :20].sum(axis=1) + rng.normal(0.0, 3.0, ROWS) > 0.0
    split = np.split(np.arange(ROWS), [ROWS * 2 // 3])

    def grow() -> SoundingTrees:
        rules = TreeRules(rounds=100, stop_rounds=0)
        return fit_trees("on", x, on, train=split[0], validation=split[1], names=names, rules=rules)

    trees = grow()
    ours = ROWS / _best(lambda: trees.predict(x))
    bare = ROWS / _best(lambda: trees.booster.inplace_predict(x))
    single = 100 / _best(lambda: [trees.predict(x[k : k + 1]) for k in range(100)])
    grown = len(split[0]) * 100 / _best(grow, 1)
    return [
        _row("sounding trees, 100 rounds, a batch a call", ours, "images/s/core", "XGBoost bare", ours / bare),
        _row("sounding trees, 100 rounds, an image a call", single, "images/s/core", "a batch a call", single / ours),
        _row("sounding trees, fit", grown, "images x rounds/s/core", None, None),
    ]


def _best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Least CPU seconds over some rounds: the machine is not ours alone."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def _row(name: str, value: float, unit: str, against: str | None, ratio: float | None) -> dict[str, Any]:
    return {"name": name, "value": float(value), "unit": unit, "against": against, "ratio": ratio}

"""All trees of a model over images, features and inference, against a plain loop over images.

A batch's statistics at once and one call a booster, both tasks and four instances, against the loop of `patch_features`
and a `DMatrix` and a call for every image and booster; both must answer alike. One thread, CPU time, best of a few
rounds; in a process with the environment that Ray gives its workers. Trees are grown on noise, 200 rounds each.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from carbonray.models.sounding_trees import OBJECTIVES, SoundingTrees, TreeRules, fit_trees
from carbonray.science.power.patch_features import feature_names, patch_features
from carbonray.vocab.sensors import IMAGERS, Imager
from tests.benchmarks.patch_features import looped
from tests.benchmarks.worker_process import in_one_process

IMAGES, LOOP_IMAGES, STRUCTURES, SIDE_PX, INSTANCES = 48, 4, 4, 96, 4
ROUNDS, TREES, TRAINED_ON = 5, 200, 400
Row = dict[str, Any]
Models = list[SoundingTrees]


def rows() -> list[Row]:
    """The figures of every imager's trees."""
    return [row for name in IMAGERS for row in in_one_process(of_imager, name)]


def of_imager(name: str, rounds: int = ROUNDS, trees: int = TREES, loop_images: int = LOOP_IMAGES) -> list[Row]:
    """Images a second with all of it, and what features and trees cost."""
    imager, rng = IMAGERS[name], np.random.default_rng(1)
    shape = (len(imager.bands), SIDE_PX, SIDE_PX)
    images = rng.uniform(0.05, 0.6, (IMAGES, *shape)).astype(np.float32)
    background = rng.uniform(0.05, 0.3, shape).astype(np.float32)
    row, col = rng.integers(32, SIDE_PX - 32, (2, STRUCTURES))
    models, few = grown(imager, trees), images[:loop_images]

    def features() -> NDArray[np.float32]:
        return patch_features(imager, images, background, row, col)

    def batched(pixels: NDArray[np.float32]) -> NDArray[np.float64]:
        table = patch_features(imager, pixels, background, row, col)
        return np.stack([model.predict(table) for model in models])

    def loop() -> NDArray[np.float64]:
        tables = (looped(imager, few[k : k + 1], background, row, col) for k in range(loop_images))
        return np.stack([[alone(model, table) for model in models] for table in tables], axis=1)

    differing = np.abs(batched(few) - loop())
    assert np.median(differing) < 1e-4, differing  # a split beside a rounded number may fall on its other side
    table = features()
    ours, plain = IMAGES / _best(lambda: batched(images), rounds), loop_images / _best(loop, 1)
    made, asked = _best(features, rounds), _best(lambda: [model.predict(table) for model in models], rounds)
    title = f"sounding trees, {name}"
    return [
        _row(f"{title}: features and {len(models)} models", ours, "images/s/core", "a plain loop", ours / plain),
        _row(f"{title}: features", 1000 * made / IMAGES, "ms/image", "all of it", made * ours / IMAGES),
        _row(f"{title}: {len(models)} models", 1000 * asked / IMAGES, "ms/image", "all of it", asked * ours / IMAGES),
    ]


def grown(imager: Imager, trees: int, instances: Iterable[int] = range(INSTANCES)) -> Models:
    """Both tasks of every instance, grown on noise that some features tell something of."""
    names, rng = feature_names(imager), np.random.default_rng(2)
    table = rng.uniform(0.0, 0.6, (TRAINED_ON, len(names))).astype(np.float32)
    target = table[:, :20].mean(axis=1) + rng.normal(0.3, 0.2, TRAINED_ON)
    train, validation = np.split(np.arange(TRAINED_ON), [TRAINED_ON * 2 // 3])
    return [
        fit_trees(
            task,  # type: ignore[arg-type]
            table,
            target > np.median(target) if task == "on" else target,
            train=train,
            validation=validation,
            names=names,
            rules=TreeRules(rounds=trees, stop_rounds=0, seed=instance),
        )
        for task in OBJECTIVES
        for instance in instances
    ]


def alone(model: SoundingTrees, features: NDArray[Any]) -> float:
    """The plain way: one image, one booster."""
    asked = xgboost.DMatrix(features.astype(np.float32), feature_names=list(model.features), nthread=1)
    return float(np.clip(model.booster.predict(asked)[0], 0.0, 1.0))


def _best(work: Callable[[], object], rounds: int) -> float:
    """Least CPU seconds over some rounds: the machine is not ours alone."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def _row(name: str, value: float, unit: str, against: str, ratio: float) -> Row:
    return {"name": name, "value": float(value), "unit": unit, "against": against, "ratio": float(ratio)}

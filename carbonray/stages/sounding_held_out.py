"""What a fitted sounding model says of the labelled images of a fold, straight from the samples.

Source: SCIENCE 4.7: a fold is scored by the instance that held it out. Rows are images, in the order of the files'
names; groups are plants.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.io import objectstore
from carbonray.io.bag_store import read_bag_keys
from carbonray.io.model_store import Bundle
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.models.sounding_trees import trees_from_bytes
from carbonray.stages.sounding_bundles import TREES, task_detector
from carbonray.stages.sounding_networks import stream_answers
from carbonray.stages.sounding_streams import BagStream, bag_files
from carbonray.stages.sounding_tree_fits import read_tree_rows

Floats = NDArray[np.float64]
KEY_BLOCK = 2**16  # bytes read at a time of a file of which only keys are wanted


@dataclass(frozen=True)
class FoldAnswers:
    """Images of a fold.

    Attributes:
        plants: (image,) ids.
        truth: (image,) 1 and 0 for on and off, or capacity factors.
        answer: (image,) on scores, or capacity factors.
    """

    plants: tuple[str, ...]
    truth: Floats
    answer: Floats


def held_out_answers(bundle: Bundle, task: str, urls: Sequence[str], fold: int, *, where: str) -> FoldAnswers:
    """Answers of one task about the images of a fold, float32 and one thread.

    Args:
        bundle: of trees or of networks.
        task: 'on' or 'capacity_factor'; images of unknown capacity factor tell of on and off alone.
        urls: files of patch statistics, or of patches; those of other folds are not read beyond their keys.
        fold: which was held out.
        where: URL of the bundle, for errors.
    """
    kind, networks = SOUNDING_MODELS[bundle.model].kind, bool(SOUNDING_MODELS[bundle.model].trunk)
    if not networks:
        rows = read_tree_rows(urls, kind, (fold,))
        trees = trees_from_bytes(bundle.tensors[f"{task}.{TREES}"].tobytes(), where=f"{where}: {task}")
        truth, answer = rows.numbers(task), trees.predict(rows.features)
        known = np.isfinite(truth)
        ids = np.array(rows.keys["plant_id"].to_pylist(), object)
        return FoldAnswers(tuple(ids[known]), np.clip(truth[known], 0.0, 1.0), answer[known])
    detector, loads = task_detector(bundle, task, where), task != "on"
    config, found = detector.config, [np.zeros((2, 0))]
    plants: list[str] = []
    for file in bag_files(urls, kind, with_loads=loads):
        if file.fold == fold:
            stream = BagStream((file,), kind, config.bands, config.patch_px, file.off + file.on, loads)
            found.append(stream_answers(detector, stream))
            plants += [file.plant_id] * found[-1].shape[1]
    truth, answer = np.concatenate(found, axis=1)
    return FoldAnswers(tuple(plants), np.clip(truth, 0.0, 1.0), answer)


def training_mean(name: str, task: str, urls: Sequence[str], folds: Sequence[int]) -> float:
    """Mean label of the images of some folds: what a model that looks at nothing answers.

    Args:
        name: of the model, whose files these are.
        task: 'on' or 'capacity_factor'.
        urls: as for `held_out_answers`.
        folds: that the model trained on.
    """
    kind = SOUNDING_MODELS[name].kind
    if not SOUNDING_MODELS[name].trunk:
        return float(np.nanmean(read_tree_rows(urls, kind, folds).numbers(task)))
    labels = []
    for url in urls:
        with objectstore.opened(url, block_bytes=KEY_BLOCK) as source:
            keys = read_bag_keys(source, kind, where=url)
        labels.append(keys[task].to_numpy(zero_copy_only=False).astype(np.float64))
    return float(np.nanmean(np.concatenate(labels)))

"""Grows the trees of one sounding model in one rotation, from tables of patch statistics.

Sources: SCIENCE 4.5 and 4.7. Rows are read file by file, those of the wanted structure kind and folds alone, and stand
in memory as one (row, feature) matrix: trees need them all at once. `training.trees` grows those of larger tables.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.table_store import read_rows
from carbonray.models.sounding_fit import SCORES
from carbonray.models.sounding_trees import OBJECTIVES, SoundingTrees, Task, TreeRules, fit_trees
from carbonray.science.spatial.folds import Rotation
from carbonray.science.stats.metrics import rmse, two_class_map
from carbonray.vocab.sample_tables import SAMPLES


@dataclass(frozen=True)
class TreeRows:
    """Samples of one model.

    Attributes:
        keys: the columns of `SAMPLES` that are no features.
        features: (row, feature) float32.
    """

    keys: pa.Table
    features: NDArray[np.float32]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """(row,) one of the keys."""
        return np.asarray(self.keys[name].to_numpy(zero_copy_only=False), np.float64)


@dataclass(frozen=True)
class TreeFit:
    """What a fit leaves.

    Attributes:
        trees: by task.
        scores: of the trees on the validation fold; one that is undefined there is left out.
        keys: the columns of `SAMPLES` that are no features, of the rows that were trained or stopped on.
    """

    trees: dict[str, SoundingTrees]
    scores: dict[str, float]
    keys: pa.Table


# urls, kind, turn, names, rules by task -> trees of these tasks: `grown_trees`, or the same work by several workers
GrowTrees = Callable[[Sequence[str], str, Rotation, Sequence[str], Mapping[str, TreeRules]], TreeFit]


def grown_trees(
    urls: Sequence[str], kind: str, turn: Rotation, names: Sequence[str], rules: Mapping[str, TreeRules]
) -> TreeFit:
    """Trees grown in this process.

    Args:
        urls: of tables of schema `SAMPLES`, each of one plant; files of other folds are passed over.
        kind: NDT or FGD.
        turn: which folds train, which one stops.
        names: of the features.
        rules: task -> hyperparameters; trees of these tasks are grown.

    Raises:
        DataError: a file is bad, a split has no row, or the training rows are of one class.
    """
    return fitted_trees(read_tree_rows(urls, kind, (*turn.train, turn.val)), turn, names, rules)


def read_tree_rows(urls: Iterable[str], kind: str, folds: Sequence[int]) -> TreeRows:
    """The rows of a structure kind and of some folds, in the order of the files' names.

    Args:
        urls: of tables of schema `SAMPLES`, in any order, each of one plant.
        kind: NDT or FGD.
        folds: of the plants.

    Raises:
        DataError: a file is bad, or there is no such row.
    """
    keys, features = [], []
    for url in sorted(urls, key=lambda url: url.rsplit("/", 2)[1:]):
        with objectstore.opened(url) as source:
            rows = read_rows(source, "structure_kind", kind, SAMPLES)
        if rows.num_rows and rows["fold"][0].as_py() in folds:
            flat = rows["features"].combine_chunks().flatten().to_numpy()
            features.append(flat.reshape(rows.num_rows, -1))
            keys.append(rows.drop_columns("features"))
    if not keys:
        raise DataError(
            f"no samples of {kind} in folds {sorted(folds)}",
            where="samples",
            expected="labelled images of plants in these folds",
            remedy="Look at the rejections of the samples, or leave the model out.",
        )
    return TreeRows(pa.concat_tables(keys), np.concatenate(features))


def fitted_trees(rows: TreeRows, turn: Rotation, names: Sequence[str], rules: Mapping[str, TreeRules]) -> TreeFit:
    """Trees of rows in memory; images of unknown capacity factor tell of on and off alone.

    Args:
        rows: of the folds of the rotation.
        turn: which folds train, which one stops.
        names: of the features.
        rules: task -> hyperparameters; trees of these tasks are grown.

    Raises:
        DataError: a split has no row, or the training rows are of one class.
    """
    fold = rows.numbers("fold")
    trees: dict[str, SoundingTrees] = {}
    scores: dict[str, float] = {}
    for task in (task for task in OBJECTIVES if task in rules):
        target = rows.numbers(task)
        train, stop = (
            np.flatnonzero(np.isfinite(target) & np.isin(fold, folds)) for folds in (turn.train, (turn.val,))
        )
        trees[task] = fit_trees(
            task, rows.features, target, train=train, validation=stop, names=names, rules=rules[task]
        )
        scores |= scored(task, target[stop], trees[task].predict(rows.features[stop]))
    return TreeFit(trees, scores, rows.keys)


def scored(task: Task, truth: NDArray[np.float64], said: NDArray[np.float64]) -> dict[str, float]:
    """The score of a task by name; none where it is undefined, as of rows of one class.

    Args:
        task: `on`, judged by the mean average precision of both classes, or `capacity_factor`, by its RMSE.
        truth: (row,) labels of the validation fold.
        said: (row,) answers.
    """
    score = two_class_map(truth > 0.5, said) if task == "on" else rmse(truth, said)
    return {SCORES[task]: float(score)} if np.isfinite(score) else {}

"""Grows the trees of sounding models where their table has room: in this process, or by workers of Ray Train.

Sources: SCIENCE 4.5 and 4.7. Footers tell how large a table is. Where it outgrows a process, keys and labels, which
are small, are read here, features by who grows on them; validation rows are judged file by file.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray

from carbonray.engine import cluster
from carbonray.errors import DataError, SettingsError
from carbonray.execution import LocalRules
from carbonray.io import objectstore
from carbonray.io.table_store import least, read_rows, row_count
from carbonray.models.sounding_trees import OBJECTIVES, SoundingTrees, Task, TreeRules, check_rows
from carbonray.models.tree_tables import GB, TreeTableRules, dealt, fit_gb, tree_workers
from carbonray.science.spatial.folds import Rotation
from carbonray.stages.sounding_tree_fits import GrowTrees, TreeFit, grown_trees, read_tree_rows, scored
from carbonray.training.tree_fit import Hands, TreeJob, TreeWorkers, trees_on_train
from carbonray.vocab.sample_tables import SAMPLES

_log = logging.getLogger(__name__)

READERS = 8  # files that are looked into at once
_KEYS = pa.schema([field for field in SAMPLES if field.name != "features"])
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class KeyedFiles:
    """Tables of samples by what their rows say of themselves, without features.

    Attributes:
        urls: of the tables that hold rows, in the order of their names.
        keys: the columns of `SAMPLES` that are no features, of all rows, table after table.
        file: (row,) position in `urls`.
        versions: of the tables.
    """

    urls: tuple[str, ...]
    keys: pa.Table
    file: Ints
    versions: tuple[str, ...]

    def numbers(self, name: str) -> Floats:
        """(row,) one of the keys."""
        return np.asarray(self.keys[name].to_numpy(zero_copy_only=False), np.float64)

    def dealt(self, rows: Ints, workers: int) -> Hands:
        """URLs of the tables that hold some rows, by worker."""
        held = np.bincount(self.file[rows], minlength=len(self.urls))
        files = np.flatnonzero(held).tolist()
        return tuple(
            tuple(self.urls[files[position]] for position in hand) for hand in dealt(held[files].tolist(), workers)
        )


def grower(rules: TreeTableRules, checkpoints_url: str) -> GrowTrees:
    """What grows trees as some rules say.

    Args:
        rules: what a process may take, and how others are made use of.
        checkpoints_url: folder of the states of fits that several workers share.
    """
    return partial(_grown, rules, checkpoints_url)


def _grown(
    table: TreeTableRules,
    url: str,
    urls: Sequence[str],
    kind: str,
    turn: Rotation,
    names: Sequence[str],
    rules: Mapping[str, TreeRules],
) -> TreeFit:
    found = rows_of_folds(urls, (*turn.train, turn.val))
    rows, bins = sum(found.values()), max(each.bins for each in rules.values())
    count = tree_workers(rows, len(names), bins, table)
    if count == 1:
        return grown_trees(urls, kind, turn, names, rules)
    _log.info("%d rows of %d features are dealt to %d workers", rows, len(names), count)
    gb = fit_gb(rows / count, len(names), bins)
    workers = TreeWorkers(count, table.cpus, gb, url, table.checkpoint_rounds, table.max_failures)
    return dealt_trees(keyed_files(tuple(found), kind), kind, turn, names, rules, workers)


def dealt_trees(
    files: KeyedFiles,
    kind: str,
    turn: Rotation,
    names: Sequence[str],
    rules: Mapping[str, TreeRules],
    workers: TreeWorkers,
) -> TreeFit:
    """Trees grown by several workers, none of which reads the whole table.

    Args:
        files: of the folds of the rotation.
        kind: NDT or FGD.
        turn: which folds train, which one stops.
        names: of the features.
        rules: task -> hyperparameters; trees of these tasks are grown.
        workers: who grows them.

    Raises:
        DataError: a split has no row, or the training rows are of one class.
        SettingsError: the cluster has no room for the workers.
    """
    cluster.connect(LocalRules())
    trees: dict[str, SoundingTrees] = {}
    scores: dict[str, float] = {}
    for task in (task for task in OBJECTIVES if task in rules):
        job = tree_job(files, task, kind, turn, names, rules[task], workers)
        require_room(ray.cluster_resources(), len(job.train), job.cpus, workers.gb)  # type: ignore[no-untyped-call]
        trees[task] = trees_on_train(job, workers)
        scores |= _score(trees[task], job)
    return TreeFit(trees, scores, files.keys)


def tree_job(
    files: KeyedFiles,
    task: Task,
    kind: str,
    turn: Rotation,
    names: Sequence[str],
    rules: TreeRules,
    workers: TreeWorkers,
) -> TreeJob:
    """The trees of one task in plain values: which worker reads which table, and what all rows together weigh.

    No worker is without a row to grow on, and one to stop on: there are no more than the folds have tables.

    Raises:
        DataError: a split has no row, or the training rows are of one class.
    """
    target, fold = np.clip(files.numbers(task), 0.0, 1.0), files.numbers("fold")
    known = np.isfinite(target)
    train, stop = (np.flatnonzero(known & np.isin(fold, folds)) for folds in (turn.train, (turn.val,)))
    check_rows(task, target, train, stop, stops=rules.stop_rounds > 0)
    needed = (train, stop) if rules.stop_rounds else (train,)
    count = min(workers.count, *(len(np.unique(files.file[rows])) for rows in needed))
    share, told = float(np.mean(target[train] > 0.5)), (task, kind, turn, tuple(names), rules)
    return TreeJob(*told, share, files.dealt(train, count), files.dealt(stop, count), files.versions, workers.cpus)


def rows_of_folds(urls: Sequence[str], folds: Sequence[int]) -> dict[str, int]:
    """Tables of some folds -> their rows, of any kind, in the order of their names: footers alone are read.

    Raises:
        DataError: a file is no table.
    """

    def footer(url: str) -> tuple[str, int, int]:
        with objectstore.opened(url) as source:
            rows = row_count(source)
            return url, rows, least(source, "fold") if rows else -1

    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(footer, sorted(urls, key=lambda url: url.rsplit("/", 2)[1:])))
    return {url: rows for url, rows, fold in found if fold in folds}


def keyed_files(urls: Sequence[str], kind: str) -> KeyedFiles:
    """Keys and labels of the rows of a structure kind.

    Raises:
        DataError: a file is bad, or there is no such row.
    """

    def keys(url: str) -> tuple[pa.Table, str]:
        with objectstore.opened(url) as source:
            return read_rows(source, "structure_kind", kind, _KEYS, _KEYS.names), objectstore.version(url)[0]

    with ThreadPoolExecutor(READERS) as pool:
        found = [(url, *told) for url, told in zip(urls, pool.map(keys, urls), strict=True) if told[0].num_rows]
    if not found:
        raise DataError(
            f"no samples of {kind}",
            where="samples",
            expected="labelled images of plants in the folds of the rotation",
            remedy="Look at the rejections of the samples, or leave the model out.",
        )
    tables = [table for _, table, _ in found]
    file = np.repeat(np.arange(len(found)), [table.num_rows for table in tables])
    return KeyedFiles(tuple(url for url, _, _ in found), pa.concat_tables(tables), file, tuple(v for _, _, v in found))


def require_room(resources: Mapping[str, float], workers: int, cpus: int, gb: float) -> None:
    """Checks that a cluster can ever start the workers.

    Args:
        resources: of the whole cluster, as Ray tells them: CPUs, and bytes of memory.
        workers: of the fit.
        cpus: of each.
        gb: memory of each.

    Raises:
        SettingsError: it cannot; Ray would wait without a word.
    """
    has = resources.get("CPU", 0.0), resources.get("memory", 0.0) / GB
    if has[0] < workers * cpus or has[1] < workers * gb:
        raise SettingsError(
            f"{workers} workers of {cpus} CPUs and {gb:.1f} GB do not fit a cluster of {has[0]:g} and {has[1]:.1f} GB",
            where="soundings.fit.distributed",
            expected="room for all workers at once",
            remedy="Join more nodes, ask for fewer workers, or raise max_local_gb.",
        )


def _score(trees: SoundingTrees, job: TreeJob) -> dict[str, float]:
    """On the validation rows, of which one table's features are in memory at a time."""
    truth, said = [np.zeros(0)], [np.zeros(0)]
    for url in sorted(url for hand in job.stop for url in hand):
        rows = read_tree_rows([url], job.kind, (job.turn.val,))
        known = np.isfinite(rows.numbers(job.task))
        truth.append(rows.numbers(job.task)[known])
        said.append(trees.predict(rows.features[known]))
    return scored(job.task, np.concatenate(truth), np.concatenate(said))

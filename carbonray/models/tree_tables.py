"""How much memory the trees of a table take, by how many workers they are grown, and who reads which file.

Decided from counts, before a row is read. A table is (row, feature) float32; XGBoost's histogram method keeps a bin
number of every value beside it, and a sketch of every feature's distribution. What they take is measured.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from carbonray.errors import SettingsError

GB = 10**9
VALUE_BYTES = 4
COPIES = 2.5  # peak of a fit over the table itself: its rows by split, and their bins (measured 2.1 to 2.5)
SKETCH_BYTES = 4_000  # of a feature and bin: the sketch that bins are made from (measured 2 600 to 5 700)
PROCESS_GB = 0.5  # libraries and what else a process holds (measured 0.2 without Ray)
MOST_WORKERS = 1024  # beyond it a table is taken for a mistake


@dataclass(frozen=True)
class TreeTableRules:
    """Where trees are grown: in one process, or by workers of Ray Train that each read files of their own.

    Attributes:
        max_local_gb: memory, GB, that a fit may take in a process; a table that needs more is dealt to workers.
        workers: of such a table, at least 2; 0 for as few as stay below that limit each.
        cpus: threads of a worker; with another number the last bits may differ.
        checkpoint_rounds: trees between two checkpoints, which a worker's death costs at most.
        max_failures: workers' deaths that are survived, each by going back to the last checkpoint.
    """

    max_local_gb: float = 8.0
    workers: int = 0
    cpus: int = 1
    checkpoint_rounds: int = 50
    max_failures: int = 3


def fit_gb(rows: float, features: int, bins: int) -> float:
    """Memory, GB, of a process that grows trees.

    Args:
        rows: that it reads, of training and validation.
        features: of a row.
        bins: of a feature's histogram.
    """
    table = COPIES * rows * features * VALUE_BYTES
    return PROCESS_GB + (table + SKETCH_BYTES * bins * features) / GB


def tree_workers(rows: int, features: int, bins: int, rules: TreeTableRules) -> int:
    """Workers that grow the trees of a table: 1 for this process alone.

    Args:
        rows: of the folds that train and stop, or more.
        features: of a row.
        bins: of a feature's histogram.
        rules: what a process may take.

    Raises:
        SettingsError: no number of workers keeps below the limit.
    """
    if fit_gb(rows, features, bins) <= rules.max_local_gb:
        return 1
    if rules.workers:
        return max(2, rules.workers)
    room = rules.max_local_gb - fit_gb(0, features, bins)
    needed = math.ceil((fit_gb(rows, features, bins) - fit_gb(0, features, bins)) / room) if room > 0 else math.inf
    if needed > MOST_WORKERS:
        raise SettingsError(
            f"no number of workers keeps {rows} rows of {features} features below {rules.max_local_gb:g} GB each",
            where="soundings.fit.distributed.max_local_gb",
            expected=f"more than {fit_gb(0, features, bins):.2f} GB, which {bins} bins of every feature take alone",
            remedy="Allow a process more memory, or take fewer bins.",
        )
    return max(2, int(needed))


def dealt(rows: Sequence[int], workers: int) -> tuple[tuple[int, ...], ...]:
    """Positions of the files of each worker, in order: the largest first, each to who has fewest rows by then.

    Args:
        rows: of each file.
        workers: no more than there are files.

    Returns:
        The same for the same numbers; no worker without a file.
    """
    held = np.zeros(workers, np.int64)
    hands: list[list[int]] = [[] for _ in range(workers)]
    for position in np.argsort(-np.asarray(rows, np.int64), kind="stable").tolist():
        worker = int(np.argmin(held))
        hands[worker].append(position)
        held[worker] += rows[position]
    return tuple(tuple(sorted(hand)) for hand in hands)

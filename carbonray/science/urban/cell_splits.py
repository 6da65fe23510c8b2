"""Who teaches and who tests among 1 km cells: at random, by blocks with a buffer, or a city left out.

Source: SCIENCE 1.5 (random 60/20/20 as the paper; blocks of 5 km and more with a buffer of 2 cells, for windows of two
cells overlap up to that distance; leave one city out) and 4.7 (rotations). Cells are told by their numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.science.spatial.cells import cell_centre, neighbor_ids, row_col
from carbonray.science.spatial.folds import N_FOLDS, FoldRules, Rotation, grouped_folds
from carbonray.science.spatial.splits import left_out, tile_blocks

Ints = NDArray[np.int64]

RANDOM_FOLDS = 5  # three train, one validates, one tests: the paper's 60/20/20
UNUSED, TRAIN, VALIDATE, TEST = -1, 0, 1, 2


@dataclass(frozen=True)
class CellSplitRules:
    """How cells are divided.

    Attributes:
        by: 'random' (every cell for itself), 'blocks' (squares of a size, four folds) or 'cities' (one left out).
        block_km: least side of a block.
        buffer_cells: cells nearer than this, or as near, to a cell that validates or tests do not teach; 0 at random.
        seed: of the random division.
    """

    by: str = "blocks"
    block_km: float = 5.0
    buffer_cells: int = 2
    seed: int = 42


@dataclass(frozen=True)
class CellFolds:
    """The division of some cells.

    Attributes:
        fold: (cell,) fold of each.
        table: name of a group -> its fold, as bundles keep it.
        n_folds: folds there are.
    """

    fold: Ints
    table: dict[str, int]
    n_folds: int


def group_names(cell: Ints, city: Sequence[str], rules: CellSplitRules) -> list[str]:
    """(cell,) the group that is never split: the cell itself, its block as 'band:column', or its city.

    Raises:
        ValueError: there is no such way of dividing.
    """
    if rules.by == "random":
        return [str(number) for number in cell.tolist()]
    if rules.by == "blocks":
        lat, lon = cell_centre(*row_col(cell))
        return [f"{band}:{column}" for band, column in tile_blocks(lat, lon, rules.block_km)]
    if rules.by == "cities":
        return list(city)
    raise ValueError(f"cells by {rules.by!r}: expected 'random', 'blocks' or 'cities'")


def cell_folds(cell: Ints, city: Sequence[str], rules: CellSplitRules) -> CellFolds:
    """Folds of cells, the same for the same cells in any order.

    Args:
        cell: (cell,) numbers, each once.
        city: (cell,) name of the urban area of each.
        rules: how they are divided.
    """
    names = group_names(cell, city, rules)
    if rules.by == "random":
        order = np.random.default_rng(rules.seed).permutation(len(cell))
        fold = np.empty(len(cell), np.int64)
        fold[np.argsort(cell)[order]] = np.arange(len(cell)) % RANDOM_FOLDS
        return CellFolds(fold, dict(zip(names, fold.tolist(), strict=True)), RANDOM_FOLDS)
    if rules.by == "cities":
        apart = left_out(names)
        return CellFolds(apart.fold, dict(apart.blocks), len(apart.blocks))
    lat, lon = cell_centre(*row_col(cell))
    # blocks of neighbouring cells touch: a buffer keeps them apart, where plants are tied by distance
    grouped = grouped_folds(names, lat, lon, np.ones(len(cell)), np.asarray(city), FoldRules(tie_km=0.0))
    return CellFolds(grouped.fold, dict(grouped.blocks), N_FOLDS)


def roles(cell: Ints, fold: Ints, turn: Rotation, rules: CellSplitRules) -> NDArray[np.int8]:
    """(cell,) TRAIN, VALIDATE or TEST; UNUSED for what lies in the buffer of a cell that is judged on.

    A cell that would teach is left out near one that validates or tests, one that would validate near one that tests.
    """
    role = np.full(len(cell), UNUSED, np.int8)
    for folds, name in ((turn.train, TRAIN), ((turn.val,), VALIDATE), ((turn.test,), TEST)):
        role[np.isin(fold, folds)] = name
    if rules.by == "random" or not rules.buffer_cells:
        return role
    dealt = role.copy()
    for name, keeps_off in ((TRAIN, (VALIDATE, TEST)), (VALIDATE, (TEST,))):
        own = np.flatnonzero(dealt == name)
        around = neighbor_ids(cell[own], rules.buffer_cells).reshape(len(own), (2 * rules.buffer_cells + 1) ** 2)
        near = np.isin(around, cell[np.isin(dealt, keeps_off)]).any(axis=1)
        role[own[near]] = UNUSED
    return role

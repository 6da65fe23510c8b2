"""Folds that never split a block, and who trains, validates and tests in each rotation of them.

Source: SCIENCE 4.7 (plants by 1 x 1 degree cells, cyclic rotation; the greedy balance and the 10 km are inferred). A
block is whatever belongs together: a square of one degree, a tile, a city, a region (`splits`). A square of one degree
is named by its south-western corner; a plant on an edge belongs to the one north and east of it. Blocks that hold items
close to each other are tied: no fold boundary runs between them. Blocks once assigned never change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM, wrapped_longitude

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Block = tuple[int, int]  # southern and western edge, whole degrees
Name = TypeVar("Name", Block, str, int)  # of a block

N_FOLDS = 4
MIN_FOLDS = 3  # one to train, one to validate, one to test


@dataclass(frozen=True)
class FoldRules:
    """How items, such as plants, are divided.

    Attributes:
        tie_km: items nearer than this, in different blocks, tie the blocks (inferred).
        region_weight: what an uneven region costs against an uneven total (inferred).
    """

    tie_km: float = 10.0
    region_weight: float = 1.0


@dataclass(frozen=True)
class Rotation:
    """Folds of one model instance; no weight is fitted on folds `val` and `test` (SCIENCE 4.7).

    Attributes:
        train: folds that models, such as those of soundings, are fitted on.
        val: fold for early stopping and search.
        test: fold that is scored.
        generation_train: fold whose soundings the generation model is fitted on.
    """

    train: tuple[int, ...]
    val: int
    test: int
    generation_train: int


@dataclass(frozen=True)
class BlockFolds(Generic[Name]):
    """Who is where.

    Attributes:
        blocks: block -> fold: those given, unchanged, and the new ones.
        fold: (item,) fold of every item.
        split_pairs: (pair, 2) items with weight nearer than `tie_km` in different folds: only where blocks assigned
            earlier, which cannot change, lie on both sides. Each pair once, the lower index first.
    """

    blocks: dict[Name, int]
    fold: Ints
    split_pairs: Ints


Folds = BlockFolds[Block]


def rotation(k: int, n_folds: int = N_FOLDS) -> Rotation:
    """Instance k: tested on fold k, validated on k+1, trained on the others, modulo the number of folds.

    Raises:
        ValueError: there is no such fold, or there are fewer than three.
    """
    return search_turns(k, n_folds)[0]


def search_turns(test: int, n_folds: int = N_FOLDS) -> tuple[Rotation, ...]:
    """The rotations over which a search scores that must not see its test fold: each other fold validates once.

    Args:
        test: the fold in no turn's `train` and `val`; what was found is judged on it, once.
        n_folds: folds there are.

    Returns:
        Validated on test+1, test+2 and so on; the first is `rotation(test)` itself, so that a model of the search is
        the instance that is judged.

    Raises:
        ValueError: there is no such fold, or there are fewer than three.
    """
    if n_folds < MIN_FOLDS or test not in range(n_folds):
        raise ValueError(f"rotation {test} of {n_folds} folds: expected 0 to {n_folds - 1} of {MIN_FOLDS} or more")
    others = [(test + step) % n_folds for step in range(1, n_folds)]
    # the folds that train follow the one that validates, around the circle
    turns = (others[at:] + others[:at] for at in range(len(others)))
    return tuple(Rotation(tuple(train), val, test, val) for val, *train in turns)


def plant_blocks(lat_deg: ArrayLike, lon_deg: ArrayLike) -> Ints:
    """(plant, 2) southern and western edge of the block of each plant; the north pole lies in the blocks from 89 N."""
    south = np.minimum(np.floor(np.asarray(lat_deg, np.float64)), 89.0)
    west = np.floor(wrapped_longitude(lon_deg))
    return np.column_stack([south, west]).astype(np.int64)


def assigned_folds(
    lat_deg: ArrayLike,
    lon_deg: ArrayLike,
    weight: ArrayLike,
    region: ArrayLike,
    rules: FoldRules | None = None,
    given: Mapping[Block, int] | None = None,
) -> Folds:
    """The four folds of plants by squares of one degree: `grouped_folds` of them."""
    squares = [(south, west) for south, west in plant_blocks(lat_deg, lon_deg).tolist()]
    return grouped_folds(squares, lat_deg, lon_deg, weight, region, rules, given)


def grouped_folds(
    block: Sequence[Name],
    lat_deg: ArrayLike,
    lon_deg: ArrayLike,
    weight: ArrayLike,
    region: ArrayLike,
    rules: FoldRules | None = None,
    given: Mapping[Name, int] | None = None,
    n_folds: int = N_FOLDS,
) -> BlockFolds[Name]:
    """Folds of items: tied blocks together, the heaviest first, each to the fold that stays most even.

    Args:
        block: (item,) name of the block of each.
        lat_deg: (item,) latitude.
        lon_deg: (item,) longitude.
        weight: (item,) what is balanced, such as images; an item of weight 0, which nobody will train or test on, gets
            the fold of its block and ties nothing.
        region: (item,) region, such as the country: every fold gets its share of each.
        rules: distances and weights; with `tie_km` 0 only items at one place tie.
        given: blocks assigned earlier, which keep their folds.
        n_folds: folds there are.

    Returns:
        The folds; the same for the same items in any order.
    """
    rules, earlier = rules or FoldRules(), dict(given or {})
    names, block_of = numbered(block)
    weights = np.asarray(weight, np.float64)
    pairs = close_pairs(lat_deg, lon_deg, rules.tie_km)
    pairs = pairs[(weights[pairs] > 0).all(axis=1)]
    shares = _shares(block_of, weights, np.asarray(region), len(names), rules)
    fold = np.array([earlier.get(name, -1) for name in names], np.int64)
    _fill(fold, _tied(block_of, pairs, fold, n_folds), shares, n_folds)
    of_item = fold[block_of]
    split = pairs[of_item[pairs[:, 0]] != of_item[pairs[:, 1]]]
    return BlockFolds(earlier | dict(zip(names, fold.tolist(), strict=True)), of_item, split)


def close_pairs(lat_deg: ArrayLike, lon_deg: ArrayLike, within_km: float) -> Ints:
    """(pair, 2) items within a distance of each other, sorted; across the date line and at the poles too."""
    phi, turn = np.radians(np.asarray(lat_deg, np.float64)), np.radians(np.asarray(lon_deg, np.float64))
    points = np.column_stack([np.cos(phi) * np.cos(turn), np.cos(phi) * np.sin(turn), np.sin(phi)])
    if not len(points):
        return np.zeros((0, 2), np.int64)
    chord = 2.0 * np.sin(within_km / EARTH_RADIUS_KM / 2.0)
    pairs = np.asarray(KDTree(points).query_pairs(chord, output_type="ndarray"), np.int64).reshape(-1, 2)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def numbered(block: Sequence[Name]) -> tuple[list[Name], Ints]:
    """Names of blocks in order, and (item,) the position of each item's among them."""
    names = sorted(set(block))
    number = {name: at for at, name in enumerate(names)}
    return names, np.array([number[name] for name in block], np.int64)


def _tied(block_of: Ints, pairs: Ints, fold: Ints, n_folds: int) -> Ints:
    """(block,) group of tied blocks; ties through blocks assigned already hold only with the one fold they have."""
    ends = block_of[pairs]
    free = (fold[ends] < 0).all(axis=1)
    n = len(fold)
    graph = coo_array((np.ones(int(free.sum())), (ends[free, 0], ends[free, 1])), shape=(n, n))
    group = np.asarray(connected_components(graph, directed=False)[1], np.int64)
    # a group of new blocks beside an old one takes its fold: that of the most close pairs, the lower of equal ones
    votes = np.zeros((n, n_folds))
    for new, old in ((0, 1), (1, 0)):
        beside = (fold[ends[:, new]] < 0) & (fold[ends[:, old]] >= 0)
        np.add.at(votes, (group[ends[beside, new]], fold[ends[beside, old]]), 1.0)
    bound = (fold < 0) & votes[group].any(axis=1)
    fold[bound] = votes[group[bound]].argmax(axis=1)
    return group


def _shares(block_of: Ints, weight: Floats, region: NDArray[np.generic], n_blocks: int, rules: FoldRules) -> Floats:
    """(block, 2 + region) share of each block in the total weight, in the items, and in the weight of each region."""
    names, index = np.unique(region, return_inverse=True)
    held = np.zeros((n_blocks, len(names)))
    np.add.at(held, (block_of, index), weight)
    items = np.bincount(block_of, minlength=n_blocks).astype(np.float64)[:, None]
    columns = np.hstack([held.sum(axis=1, keepdims=True), items, rules.region_weight * held])
    whole = np.hstack([[held.sum(), items.sum()], held.sum(axis=0)])
    # rounded, so that the order of adding items decides nothing
    return np.round(columns / np.where(whole > 0, whole, 1.0), 12)


def _fill(fold: Ints, group: Ints, shares: Floats, n_folds: int) -> None:
    """Gives every group of unassigned blocks the fold in which the squares of the shares grow least."""
    load = np.zeros((n_folds, shares.shape[1]))
    np.add.at(load, fold[fold >= 0], shares[fold >= 0])
    open_groups, members = np.unique(group[fold < 0], return_inverse=True)
    demand = np.zeros((len(open_groups), shares.shape[1]))
    np.add.at(demand, members, shares[fold < 0])
    chosen = np.zeros(len(open_groups), np.int64)
    for number in np.argsort(-demand[:, 0], kind="stable"):
        # (a + d)^2 - a^2 less its constant: most of it is 2 a d
        chosen[number] = int(np.argmin(load @ demand[number]))
        load[chosen[number]] += demand[number]
    fold[fold < 0] = chosen[members]

"""Four folds of plants by blocks of one degree, and who trains, validates and tests in each rotation.

Source: SCIENCE 4.7 (1 x 1 degree cells, cyclic rotation; the greedy balance and the 10 km are inferred). A block is
named by its south-western corner, whole degrees; a plant on an edge belongs to the block north and east of it. Blocks
that hold plants close to each other are tied: no fold boundary runs between them. Blocks once assigned never change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM, wrapped_longitude

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Block = tuple[int, int]  # southern and western edge, whole degrees

N_FOLDS = 4


@dataclass(frozen=True)
class FoldRules:
    """How plants are divided.

    Attributes:
        tie_km: plants nearer than this, in different blocks, tie the blocks (inferred).
        region_weight: what an uneven region costs against an uneven total (inferred).
    """

    tie_km: float = 10.0
    region_weight: float = 1.0


@dataclass(frozen=True)
class Rotation:
    """Folds of one model instance; sounding models never see folds `val` and `test` (SCIENCE 4.7).

    Attributes:
        train: folds the sounding models are fitted on.
        val: fold for early stopping and search.
        test: fold whose plants are scored.
        generation_train: fold whose soundings the generation model is fitted on.
    """

    train: tuple[int, int]
    val: int
    test: int
    generation_train: int


@dataclass(frozen=True)
class Folds:
    """Who is where.

    Attributes:
        blocks: block -> fold: those given, unchanged, and the new ones.
        fold: (plant,) fold of every plant.
        split_pairs: (pair, 2) plants with weight nearer than `tie_km` in different folds: only where blocks assigned
            earlier, which cannot change, lie on both sides. Each pair once, the lower index first.
    """

    blocks: dict[Block, int]
    fold: NDArray[np.int8]
    split_pairs: Ints


def rotation(k: int) -> Rotation:
    """Instance k: trained on folds k+2 and k+3, validated on k+1, tested on k, all modulo 4.

    Raises:
        ValueError: k is not 0 to 3.
    """
    if k not in range(N_FOLDS):
        raise ValueError(f"rotation {k}: expected 0 to {N_FOLDS - 1}")
    after = (k + 1) % N_FOLDS
    return Rotation(((k + 2) % N_FOLDS, (k + 3) % N_FOLDS), after, k, after)


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
    """Folds of plants: tied blocks together, the heaviest first, each to the fold that stays most even.

    Args:
        lat_deg: (plant,) latitude.
        lon_deg: (plant,) longitude.
        weight: (plant,) what is balanced, such as images; a plant of weight 0, which nobody will train or test on, gets
            the fold of its block and ties nothing.
        region: (plant,) region, such as the country: every fold gets its share of each.
        rules: distances and weights.
        given: blocks assigned earlier, which keep their folds.

    Returns:
        The folds; the same for the same plants in any order.
    """
    rules = rules or FoldRules()
    blocks, block_of = np.unique(plant_blocks(lat_deg, lon_deg), axis=0, return_inverse=True)
    names: list[Block] = [(int(south), int(west)) for south, west in blocks]
    weights = np.asarray(weight, np.float64)
    pairs = close_pairs(lat_deg, lon_deg, rules.tie_km)
    pairs = pairs[(weights[pairs] > 0).all(axis=1)]
    shares = _shares(block_of, weights, np.asarray(region), len(names), rules)
    fold = np.array([(given or {}).get(name, -1) for name in names], np.int64)
    _fill(fold, _tied(block_of, pairs, fold), shares)
    of_plant = fold[block_of].astype(np.int8)
    split = pairs[of_plant[pairs[:, 0]] != of_plant[pairs[:, 1]]]
    return Folds(dict(given or {}) | dict(zip(names, fold.tolist(), strict=True)), of_plant, split)


def close_pairs(lat_deg: ArrayLike, lon_deg: ArrayLike, within_km: float) -> Ints:
    """(pair, 2) plants within a distance of each other, sorted; across the date line and at the poles too."""
    phi, turn = np.radians(np.asarray(lat_deg, np.float64)), np.radians(np.asarray(lon_deg, np.float64))
    points = np.column_stack([np.cos(phi) * np.cos(turn), np.cos(phi) * np.sin(turn), np.sin(phi)])
    if not len(points):
        return np.zeros((0, 2), np.int64)
    chord = 2.0 * np.sin(within_km / EARTH_RADIUS_KM / 2.0)
    pairs = np.asarray(KDTree(points).query_pairs(chord, output_type="ndarray"), np.int64).reshape(-1, 2)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _tied(block_of: Ints, pairs: Ints, fold: Ints) -> Ints:
    """(block,) group of tied blocks; ties through blocks assigned already hold only with the one fold they have."""
    ends = block_of[pairs]
    free = (fold[ends] < 0).all(axis=1)
    n = len(fold)
    graph = coo_array((np.ones(int(free.sum())), (ends[free, 0], ends[free, 1])), shape=(n, n))
    group = np.asarray(connected_components(graph, directed=False)[1], np.int64)
    # a group of new blocks beside an old one takes its fold: that of the most close pairs, the lower of equal ones
    votes = np.zeros((n, N_FOLDS))
    for new, old in ((0, 1), (1, 0)):
        beside = (fold[ends[:, new]] < 0) & (fold[ends[:, old]] >= 0)
        np.add.at(votes, (group[ends[beside, new]], fold[ends[beside, old]]), 1.0)
    bound = (fold < 0) & votes[group].any(axis=1)
    fold[bound] = votes[group[bound]].argmax(axis=1)
    return group


def _shares(block_of: Ints, weight: Floats, region: NDArray[np.generic], n_blocks: int, rules: FoldRules) -> Floats:
    """(block, 2 + region) share of each block in the total weight, in the plants, and in the weight of each region."""
    names, index = np.unique(region, return_inverse=True)
    held = np.zeros((n_blocks, len(names)))
    np.add.at(held, (block_of, index), weight)
    plants = np.bincount(block_of, minlength=n_blocks).astype(np.float64)[:, None]
    columns = np.hstack([held.sum(axis=1, keepdims=True), plants, rules.region_weight * held])
    whole = np.hstack([[held.sum(), plants.sum()], held.sum(axis=0)])
    # rounded, so that the order of adding plants decides nothing
    return np.round(columns / np.where(whole > 0, whole, 1.0), 12)


def _fill(fold: Ints, group: Ints, shares: Floats) -> None:
    """Gives every group of unassigned blocks the fold in which the squares of the shares grow least."""
    load = np.zeros((N_FOLDS, shares.shape[1]))
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

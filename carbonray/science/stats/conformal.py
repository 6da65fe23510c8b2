"""How far off a prediction may be, from errors on items that no model had seen: split-conformal, groups kept whole.

Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; groups as in Dunn, Wasserman and
Ramdas, J. Am. Stat. Assoc. 118, 2491, 2023. Arrays are (item,).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def conformal_half_width(error: ArrayLike, group: ArrayLike, level: float, most: float = np.inf) -> float:
    """The distance within which the truth of an item of a new group lies, at the level or more often.

    The quantile of held-out absolute errors, every group of the same weight however many items it has, with one more
    group whose error is taken as unbounded. Nothing is assumed of how errors are distributed, only that new groups are
    like those held out. With too few groups (fewer than 9 at 90 %) nothing is known: `most`.

    Args:
        error: (item,) predicted less observed; NaN is left out.
        group: (item,) the group of each, such as a plant or a block of cells, whose errors go together.
        level: share of items whose truth lies inside, between 0 and 1.
        most: the largest distance there can be.
    """
    off = np.abs(np.asarray(error, np.float64))
    known: NDArray[np.bool_] = np.isfinite(off)
    _, of, count = np.unique(np.asarray(group)[known], return_inverse=True, return_counts=True)
    order = np.argsort(off[known], kind="stable")
    # each group weighs 1, its items share it; of n + 1 groups `level` must lie inside
    weight = np.cumsum((1.0 / count[of])[order])
    at = int(np.searchsorted(weight, level * (len(count) + 1) - 1e-9))
    return float(min(off[known][order][at], most)) if at < len(weight) else most

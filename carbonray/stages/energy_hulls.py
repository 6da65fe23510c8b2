"""What is measured on the rows that teach a network of energy and emissions: scales, and the hull of their mixes.

Sources: SCIENCE 2.3 (targets standardised on training rows) and 2.6 (distance to the training hull). Rows are streamed:
whatever their number, some of each region are held to choose directions by, and every row is looked at along them.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.models.clean import LEAST_SPREAD, CleanConfig
from carbonray.models.energy_readings import Reading, Task, ln_known
from carbonray.science.energy.hull import Hull, HullRules, hull, hull_threshold
from carbonray.science.energy.mix import MixRows, proportions, stacked
from carbonray.science.energy.splits import Composites
from carbonray.science.energy.synthesis import is_synthesised
from carbonray.stages.energy_bundles import TASKS, ToldHull

Floats = NDArray[np.float64]


def measured(config: CleanConfig, parts: Iterable[MixRows], *, shares: bool) -> CleanConfig:
    """The configuration with centres and spreads of rows: of the totals, and of the shares if asked for.

    Args:
        config: of the network.
        parts: the rows that teach, some at a time.
        shares: whether shares are scaled too; what does not vary keeps a spread of 1.
    """
    sums: dict[str, Floats] = {}
    for rows in parts:
        for side in ("energy", "emissions"):
            share, total = proportions(getattr(rows, side))
            table = np.column_stack([share, ln_known(total)])
            told = np.array([np.full(table.shape[1], len(table)), table.sum(axis=0), (table**2).sum(axis=0)])
            sums[side] = sums.get(side, np.zeros_like(told)) + told
    scales: dict[str, Any] = {}
    for side, (rows_seen, total, squares) in sums.items():
        center = total / rows_seen
        spread = np.sqrt(np.maximum(squares / rows_seen - center**2, 0.0))
        moved = np.append(np.full(len(center) - 1, shares), [True])
        spread = np.where(moved & (spread > LEAST_SPREAD), spread, 1.0)
        scales[f"{side}_center"] = tuple(np.where(moved, center, 0.0).tolist())
        scales[f"{side}_spread"] = tuple(spread.tolist())
    return replace(config, **scales)


def spread_rows(region: NDArray[np.object_], most: int) -> NDArray[np.int64]:
    """Positions of at most so many rows of each region, spread evenly over those it has."""
    names, number = np.unique(region.astype(str), return_inverse=True)
    own = [np.flatnonzero(number == at) for at in range(len(names))]
    spread = [at[np.linspace(0, len(at) - 1, min(most, len(at))).astype(np.int64)] for at in own]
    return np.sort(np.concatenate([np.zeros(0, np.int64), *spread]))


def told_hulls(
    some: Iterable[MixRows], every: Iterable[MixRows], rules: HullRules, composites: Composites
) -> dict[Task, ToldHull]:
    """Task -> hull of the mixes that it was taught with.

    Args:
        some: rows of each region that teaches, by which directions and threshold are chosen; sums of regions and
            synthesised countries among them are left out, they hide how far out regions lie.
        every: all rows that teach; none of them is outside.
        rules: from where hulls are looked at.
        composites: regions that are sums of others.

    Raises:
        DataError: fewer than two regions teach.
    """
    rows = stacked(list(some))
    own = rows.rows(~np.isin(rows.region.astype(str), list(composites)) & ~is_synthesised(rows.region))
    if len(np.unique(own.region.astype(str))) < 2:
        raise DataError(
            "fewer than two regions teach",
            where="the hull of mixes",
            expected="two and more, for each is seen from the others",
            remedy="Train on more regions.",
        )
    seen = {task: Reading(task).told(own)[0] for task in TASKS}
    directions = {task: hull(mixes, rules).directions for task, mixes in seen.items()}
    support = {task: np.full(len(along), -np.inf) for task, along in directions.items()}
    for part in every:
        for task, along in directions.items():
            support[task] = np.maximum(support[task], (Reading(task).told(part)[0] @ along.T).max(axis=0))
    return {
        task: ToldHull(Hull(directions[task], support[task]), hull_threshold(mixes, own.region, rules))
        for task, mixes in seen.items()
    }

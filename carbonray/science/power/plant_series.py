"""What a plant's series says at a moment: the row that began last, and values between rows.

Rows of several plants lie in one table: `plant` is an int64 number, times are UTC int64 ns, rows are ordered by plant,
then time. Questions are (n,) pairs of plant and time in any order.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def last_rows(row_plant: ArrayLike, row_time_ns: ArrayLike, plant: ArrayLike, time_ns: ArrayLike) -> Ints:
    """(n,) index of the plant's row with the latest time that is not after the moment; -1 where there is none."""
    rows, asked = np.asarray(row_plant, np.int64), np.asarray(plant, np.int64)
    # plant and time as one sorted axis: each plant's rows and moments in time, a row before a moment of its time
    both_plant = np.concatenate([rows, asked])
    both_time = np.concatenate([np.asarray(row_time_ns, np.int64), np.asarray(time_ns, np.int64)])
    is_moment = np.repeat([False, True], [len(rows), len(asked)])
    order = np.lexsort((is_moment, both_time, both_plant))
    last = np.maximum.accumulate(np.where(is_moment[order], -1, order))
    found = np.empty(len(asked), np.int64)
    found[order[is_moment[order]] - len(rows)] = last[is_moment[order]]
    same = np.append(rows, -1)[found] == asked
    return np.where((found >= 0) & same, found, -1)


def values_at(
    row_plant: ArrayLike,
    row_time_ns: ArrayLike,
    values: ArrayLike,
    plant: ArrayLike,
    time_ns: ArrayLike,
    max_gap_ns: int,
) -> Floats:
    """Values of a plant's series at moments, linear between its rows.

    Args:
        row_plant: (r,) plants.
        row_time_ns: (r,) times.
        values: (r, k) columns, NaN where unknown.
        plant: (n,) plants asked for.
        time_ns: (n,) moments.
        max_gap_ns: rows farther apart are not joined by a line.

    Returns:
        (n, k) values; NaN before the first and after the last row of a plant, and across a gap.
    """
    rows, time, table = np.asarray(row_plant, np.int64), np.asarray(row_time_ns, np.int64), np.asarray(values)
    asked, at = np.asarray(plant, np.int64), np.asarray(time_ns, np.int64)
    if not len(rows):
        return np.full((len(asked), table.shape[1]), np.nan)
    low = last_rows(rows, time, asked, at)
    exact = (low >= 0) & (time[low] == at)
    high = np.where(exact, low, np.minimum(low + 1, len(rows) - 1))
    width = time[high] - time[low]
    joined = (low >= 0) & (rows[high] == asked) & (exact | ((width > 0) & (width <= max_gap_ns)))
    weight = np.where(exact, 0.0, (at - time[low]) / np.where(width > 0, width, 1))[:, None]
    # a row that is met exactly must not inherit what its neighbour does not know
    between = np.where(weight > 0, table[low] + weight * (table[high] - table[low]), table[low])
    return np.where(joined[:, None], between, np.nan).astype(np.float64)

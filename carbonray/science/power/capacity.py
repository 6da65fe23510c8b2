"""Capacity in service at any moment, from the dates of the units.

Source: SCIENCE 4.11 (capacity changes in time). Times are UTC int64 ns, a unit serves in [start, end); arrays over
units are (unit,), over moments (time,). A unit of unknown start has always been there, one without an end still is.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALWAYS_NS = int(np.iinfo(np.int64).min)  # start of a unit whose commissioning is unknown
NEVER_NS = int(np.iinfo(np.int64).max)  # end of a unit that has none


def in_service(start_utc_ns: ArrayLike, end_utc_ns: ArrayLike, time_utc_ns: ArrayLike) -> NDArray[np.bool_]:
    """(unit, time) whether each unit serves at each moment."""
    start, end, time = (np.atleast_1d(np.asarray(axis, np.int64)) for axis in (start_utc_ns, end_utc_ns, time_utc_ns))
    serving: NDArray[np.bool_] = (start[:, None] <= time) & (time < end[:, None])
    return serving


def capacity_mw_on(
    start_utc_ns: ArrayLike, end_utc_ns: ArrayLike, capacity_mw: ArrayLike, time_utc_ns: ArrayLike
) -> NDArray[np.float64]:
    """(time,) MW in service at each moment.

    Args:
        start_utc_ns: (unit,) commissioning, `ALWAYS_NS` where unknown.
        end_utc_ns: (unit,) retirement, `NEVER_NS` where there is none.
        capacity_mw: (unit,) MW; NaN, an unknown capacity, makes every moment NaN in which the unit serves.
        time_utc_ns: (time,) moments.
    """
    capacity = np.atleast_1d(np.asarray(capacity_mw, np.float64))
    serving = in_service(start_utc_ns, end_utc_ns, time_utc_ns)
    # a product with 0 would let the unknown capacity of a retired unit through
    total: NDArray[np.float64] = np.where(serving, capacity[:, None], 0.0).sum(axis=0)
    return total

"""What an instance of CLEAN was fitted on, and so which rows it may be asked about as if they were new.

Source: SCIENCE 2.5 and 2.6: a region held out is not seen through a sum that it is in, either. Intervals are UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.science.energy.splits import CALENDAR, TRAIN, VALIDATE, EnergySplitRules, overlap
from carbonray.science.energy.synthesis import SynthesisRules

Names = NDArray[np.object_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """What an instance was fitted on and judged by while it was.

    Attributes:
        turn: what it held out, one of `science.energy.splits.turns`.
        split: how rows were divided.
        synthesis: countries that were made of what taught.
        composites: regions that are sums of others.
        taught: regions of the rows that taught or chose the epoch.
        table: region, or calendar block where time is divided -> role.
    """

    turn: str
    split: EnergySplitRules
    synthesis: SynthesisRules
    composites: Mapping[str, tuple[str, ...]]
    taught: tuple[str, ...]
    table: Mapping[str, int]

    def saw(self, region: Names, start_ns: Ints, end_ns: Ints) -> NDArray[np.bool_]:
        """(row,) whether rows of the region, or of one that shares a part with it, taught; at that time, if divided."""
        names = {str(name) for name in region}
        known = {name for name in names if any(overlap(name, other, self.composites) for other in self.taught)}
        seen = np.array([str(name) in known for name in region], np.bool_)
        if self.split.protocol != "time":
            return seen
        blocks = block_names(start_ns, end_ns, self.split)
        return seen & np.array([self.table.get(name) in (TRAIN, VALIDATE) for name in blocks], np.bool_)


def block_names(start_ns: Ints, end_ns: Ints, split: EnergySplitRules) -> list[str]:
    """(row,) calendar block of each interval, as turns of time name them."""
    middle = start_ns + (end_ns - start_ns) // 2
    return [str(name) for name in middle.astype("datetime64[ns]").astype(CALENDAR[split.blocks])]

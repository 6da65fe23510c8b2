"""What regions generate and emit, as rows: amounts, their proportions and totals, and logarithms of ratios for lines.

Sources: SCIENCE 2.2 (row, proportions, totals) and 2.6 (parts of a whole are bound to sum 1, so that a linear model
needs log-ratios); Aitchison, J. R. Stat. Soc. B 44, 139, 1982. Energy is (row, 8) GWh a day by source, emissions are
(row, 6) t CO2 a day by sector, both in the order of the vocabulary; NaN is unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MixRows:
    """Energy and emissions of regions over intervals of time.

    Attributes:
        region: (row,) names, as str objects.
        start_ns: (row,) UTC, begin of the interval.
        end_ns: (row,) UTC, its end, not in it.
        energy: (row, 8) GWh a day.
        emissions: (row, 6) t CO2 a day.

    Raises:
        ValueError: the five are not of one length.
    """

    region: NDArray[np.object_]
    start_ns: Ints
    end_ns: Ints
    energy: Floats
    emissions: Floats

    def __post_init__(self) -> None:
        lengths = [len(self.region), len(self.start_ns), len(self.end_ns), len(self.energy), len(self.emissions)]
        if len(set(lengths)) > 1:
            raise ValueError(f"rows of regions, starts, ends, energy and emissions: {lengths}, expected one length")

    def __len__(self) -> int:
        return len(self.region)

    def rows(self, chosen: ArrayLike) -> "MixRows":
        """The rows that a mask or an array of row numbers chooses, in that order."""
        at = np.asarray(chosen)
        at = at if at.dtype == np.bool_ else at.astype(np.int64)
        return MixRows(self.region[at], self.start_ns[at], self.end_ns[at], self.energy[at], self.emissions[at])


def stacked(parts: Sequence[MixRows]) -> MixRows:
    """Rows of several, one after the other.

    Raises:
        ValueError: there is none.
    """
    if not parts:
        raise ValueError("nothing to stack: expected at least one set of rows")
    return MixRows(
        np.concatenate([part.region for part in parts]),
        np.concatenate([part.start_ns for part in parts]),
        np.concatenate([part.end_ns for part in parts]),
        np.concatenate([part.energy for part in parts]),
        np.concatenate([part.emissions for part in parts]),
    )


def proportions(amounts: ArrayLike) -> tuple[Floats, Floats]:
    """(row, part) share of each part, and (row,) total.

    A row with an unknown part has neither; a row of nothing has the total 0 and no shares.

    Args:
        amounts: (row, part) of one unit.

    Raises:
        ValueError: an amount is negative or infinite, or there is but one axis.
    """
    values = np.asarray(amounts, np.float64)
    if values.ndim != 2:
        raise ValueError(f"amounts of shape {values.shape}: expected (row, part)")
    if np.any(values < 0.0) or np.any(np.isinf(values)):
        raise ValueError("a negative or infinite amount has no share: expected 0 and more, NaN where unknown")
    total = values.sum(axis=1)
    divisor = np.where(total > 0.0, total, np.nan)[:, None]
    return values / divisor, total


def log_ratio(shares: ArrayLike, floor: float, kind: Literal["centred", "additive"] = "centred") -> Floats:
    """Shares as logarithms of ratios: (row, part) to their geometric mean, or (row, part - 1) to the last part.

    Args:
        shares: (row, part) proportions.
        floor: what stands for a smaller share, zero above all, that has no logarithm.
        kind: which ratio; the k centred ones sum to 0, the additive ones are free.

    Raises:
        ValueError: the floor is not positive, or there is no such kind.
    """
    if not 0.0 < floor < 1.0:
        raise ValueError(f"a floor of {floor} below shares: expected more than 0 and less than 1")
    logs = np.log(np.maximum(np.asarray(shares, np.float64), floor))
    if kind == "centred":
        return np.asarray(logs - logs.mean(axis=-1, keepdims=True), np.float64)
    if kind == "additive":
        return np.asarray(logs[..., :-1] - logs[..., -1:], np.float64)
    raise ValueError(f"log-ratios of kind {kind!r}: expected 'centred' or 'additive'")

"""What if: amounts of sources or sectors moved, cut or scaled, one change after the other.

Sources: SCIENCE 2.1 (what-if on the mix of energy and on that of sectors) and 2.7 (no change gives the very same
numbers). Values are (row, part), amounts or proportions, in any unit; parts are told by their places. What is moved to
several parts goes to them in proportion to what they have (inferred).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Kind = Literal["replace", "cut", "scale"]

KINDS = ("replace", "cut", "scale")


@dataclass(frozen=True)
class Change:
    """One change, to the same share of each of its parts.

    Attributes:
        kind: 'replace' moves a share of the parts to others and keeps the total; 'cut' takes it away; 'scale'
            multiplies the parts.
        of: places of the parts that change.
        amount: the share, 0 to 1, that is moved or cut; the factor, 0 and more, of 'scale'.
        by: places of the parts that take what is moved; empty but for 'replace'.

    Raises:
        ValueError: any of them cannot be.
    """

    kind: Kind
    of: tuple[int, ...]
    amount: float
    by: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a change of kind {self.kind!r}: expected one of {', '.join(KINDS)}")
        if not 0.0 <= self.amount <= (np.inf if self.kind == "scale" else 1.0) or np.isinf(self.amount):
            raise ValueError(f"{self.kind} by {self.amount}: expected 0 to 1, and for 'scale' 0 and more")
        if not self.of or bool(self.by) != (self.kind == "replace"):
            raise ValueError(f"{self.kind} of {self.of} by {self.by}: expected parts, and others if they replace them")
        if len({*self.of, *self.by}) < len(self.of) + len(self.by) or min(self.of + self.by) < 0:
            raise ValueError(f"{self.kind} of {self.of} by {self.by}: expected places from 0, each once")


def applied(values: ArrayLike, changes: Sequence[Change]) -> Floats:
    """(row, part) values after the changes in their order; a share of 0 and a factor of 1 change no bit.

    Args:
        values: (row, part), untouched; NaN stays, and what is moved from or in proportion to it is NaN too.
        changes: what is done.

    Raises:
        ValueError: a change is of a part that there is not.
    """
    after = np.array(values, np.float64)
    for change in changes:
        if max(change.of + change.by) >= after.shape[-1]:
            raise ValueError(f"{change}: expected places below {after.shape[-1]}")
        of, by = list(change.of), list(change.by)
        if change.kind == "replace":
            moved = after[..., of] * change.amount
            after[..., of] -= moved
            after[..., by] += _divided(moved.sum(axis=-1), after[..., by])
        else:
            after[..., of] *= change.amount if change.kind == "scale" else 1.0 - change.amount
    return after


def _divided(moved: Floats, among: Floats) -> Floats:
    """What each of some parts takes: in proportion to what it has, evenly where none has anything."""
    total = among.sum(axis=-1, keepdims=True)
    share = np.full(among.shape, 1.0 / among.shape[-1])
    np.divide(among, total, out=share, where=total != 0.0)
    return np.asarray(moved[..., None] * share, np.float64)

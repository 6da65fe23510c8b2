"""How a rule answers: which rule rejected a row and why, the first in order where several would.

Source: SCIENCE 4.4; rule 8 of the house. A verdict speaks of n rows; an empty rule name means that the row is kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Words = NDArray[np.object_]


@dataclass(frozen=True)
class Broken:
    """One rule applied to all rows.

    Attributes:
        rule: its name.
        rows: (n,) rows that break it.
        reason: what was found and what the limit is, for a row; only asked for rows that break it.
    """

    rule: str
    rows: Bools
    reason: Callable[[int], str]


@dataclass(frozen=True)
class Verdict:
    """What became of every row.

    Attributes:
        rule: (n,) name of the rule that rejected, empty where the row is kept.
        reason: (n,) what was found and what the limit is, empty where the row is kept.
    """

    rule: Words
    reason: Words

    @property
    def kept(self) -> Bools:
        """(n,) rows that no rule rejected."""
        return np.asarray(self.rule == "", np.bool_)

    def counts(self) -> dict[str, int]:
        """Rows by the rule that rejected them, in the order of their names."""
        names, counts = np.unique(self.rule[~self.kept].astype(str), return_counts=True)
        return dict(zip(names.tolist(), counts.tolist(), strict=True))


def verdict(n_rows: int, rules: Iterable[Broken]) -> Verdict:
    """The first rule that each row breaks, in the order given."""
    rule, reason = (np.full(n_rows, "", dtype=object) for _ in range(2))
    for broken in rules:
        hit = np.flatnonzero(broken.rows & (rule == ""))
        rule[hit] = broken.rule
        reason[hit] = [broken.reason(int(row)) for row in hit]
    return Verdict(rule, reason)


def followed_by(first: Verdict, second: Verdict) -> Verdict:
    """Two verdicts on the same rows: what the first rejected stays rejected by it."""
    kept = first.kept
    return Verdict(np.where(kept, second.rule, first.rule), np.where(kept, second.reason, first.reason))

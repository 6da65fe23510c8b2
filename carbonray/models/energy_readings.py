"""What peers of CLEAN are told of a row and what they are asked, and the rows that they learn from and choose by.

Source: SCIENCE 2.1 (two tasks) and 2.3 (totals told or not). Rows are `MixRows`: GWh and t CO2 a day; answers are
natural logarithms of totals. What is unknown is NaN.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError, DataError
from carbonray.models.baselines import SplitRows
from carbonray.science.energy.mix import MixRows, log_ratio, proportions

Floats = NDArray[np.float64]
Task = Literal["emissions", "energy"]


@dataclass(frozen=True)
class Reading:
    """What a peer is told of a row, and what it is asked.

    Attributes:
        task: 'emissions', told the mix of energy, or 'energy', told the mix of sectors.
        include_total: whether the total of what is told is told too.
    """

    task: Task
    include_total: bool = False

    def told(self, rows: MixRows) -> tuple[Floats, Floats]:
        """(row, part) shares and (row,) totals of the told side."""
        return proportions(rows.energy if self.task == "emissions" else rows.emissions)

    def features(self, rows: MixRows, ratio_floor: float = 0.0) -> Floats:
        """(row, part (+ 1)) shares, then ln of the total if it is told.

        Args:
            rows: of regions and times.
            ratio_floor: share that smaller ones are taken for, in centred log-ratios; 0 for shares as they are.
        """
        share, total = self.told(rows)
        seen = log_ratio(share, ratio_floor) if ratio_floor else share
        return np.column_stack([seen, ln_known(total)]) if self.include_total else seen

    def asked(self, rows: MixRows) -> Floats:
        """(row,) ln of the total of the other side."""
        amounts = rows.emissions if self.task == "emissions" else rows.energy
        return ln_known(np.asarray(amounts.sum(axis=1), np.float64))


class FittedEnergyPeer(Protocol):
    """A peer that has learned."""

    def predict(self, rows: MixRows) -> Floats:
        """(row,) ln of t CO2 or of GWh a day; NaN where what is told is unknown or nothing."""
        ...


class EnergyPeer(Protocol):
    """A peer: a few rules, and how it learns."""

    def fit(self, rows: MixRows, split: SplitRows, reading: Reading) -> FittedEnergyPeer:
        """Learns from training rows and chooses by validation rows; no other row's total is read.

        Raises:
            ContractError: training and validation share rows.
            DataError: there is nothing to learn from or to choose by, or one of those rows is incomplete.
        """
        ...


def checked_roles(rows: MixRows, split: SplitRows, reading: Reading) -> tuple[MixRows, MixRows]:
    """Training and validation rows by region and time, so that the order of the table changes nothing.

    Raises:
        ContractError: they share rows.
        DataError: one is empty, or a row is incomplete or of nothing.
    """
    shared = int(np.intersect1d(split.train, split.validation).size)
    if shared:
        raise ContractError(
            f"{shared} rows are both learned from and chosen by",
            where="fit of a peer of energy and emissions",
            expected="rows of different roles",
            remedy="Divide them with science.energy.splits.",
        )
    train, judged = (_ordered(rows.rows(part)) for part in (split.train, split.validation))
    totals = [total for part in (train, judged) for total in (ln_known(reading.told(part)[1]), reading.asked(part))]
    unknown = sum(int(np.isnan(total).sum()) for total in totals)
    if not len(train) or not len(judged) or unknown:
        raise refused(
            f"{len(train)} rows to learn from, {len(judged)} to choose by, {unknown} totals unknown or nothing",
            "some of each, every one complete",
        )
    return train, judged


def _ordered(rows: MixRows) -> MixRows:
    return rows.rows(np.lexsort((rows.start_ns, rows.region.astype(str))))


def ln_known(total: Floats) -> Floats:
    """(row,) natural logarithm; NaN of what is unknown, and of nothing."""
    return np.log(total, out=np.full(total.shape, np.nan), where=total > 0.0)


def refused(what: str, expected: str) -> DataError:
    """The error of rows that a peer cannot learn from."""
    return DataError(
        what,
        where="fit of a peer of energy and emissions",
        expected=expected,
        remedy="Leave incomplete rows out, or choose another division.",
    )

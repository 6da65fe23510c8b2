"""Cells as rows of a table, as the peers read them that are no networks of images: points counted, lights, labels.

Source: SCIENCE 1.5 (LASSO and XGBoost on counts of points and their 3 x 3 sums). Arrays are (row,), a cell a row, in
any order: nothing that is learned or answered depends on it. Counts are (row, category). What is unknown is NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError, DataError
from carbonray.models.baselines import SplitRows
from carbonray.science.spatial.cells import cell_centre, neighbor_ids, positions, row_col
from carbonray.science.spatial.kriging import chord_places_km

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class CellRows:
    """Some cells: those that are learned from and answered for, and those around them whose points are counted too.

    Attributes:
        cell: (row,) numbers, each once.
        city: (row,) name of the urban area of each.
        ln_e: (row,) natural logarithm of a year's tonnes of CO2; NaN where there are none or nobody knows.
        counts: (row, category) points of interest; a row of NaN where none are known.
        radiance: (row,) night light; NaN where unknown.
    """

    cell: Ints
    city: NDArray[np.str_]
    ln_e: Floats
    counts: Floats
    radiance: Floats

    def only(self, rows: Ints) -> "CellRows":
        """Some of the rows; sums over neighbours see no others, so features are made before."""
        return CellRows(self.cell[rows], self.city[rows], self.ln_e[rows], self.counts[rows], self.radiance[rows])

    def places_km(self) -> Floats:
        """(row, 3) centres of the cells."""
        return chord_places_km(*cell_centre(*row_col(self.cell)))


class FittedCellPeer(Protocol):
    """A peer that has learned."""

    def predict(self, rows: CellRows) -> Floats:
        """(row,) ln of tonnes of CO2 of each cell, finite for every one; labels are not read."""
        ...


class CellPeer(Protocol):
    """A peer: a few rules, and how it learns."""

    def fit(self, rows: CellRows, split: SplitRows) -> FittedCellPeer:
        """Learns from labels of training rows and chooses by those of validation rows; no other label is read.

        Raises:
            ContractError: training and validation share rows.
            DataError: there is nothing to learn from or to choose by, or one of those labels is unknown.
        """
        ...


def checked_split(rows: CellRows, split: SplitRows) -> SplitRows:
    """The rows of a split in the order of their cells, so that the order of the table changes nothing.

    Raises:
        ContractError: training and validation share rows.
        DataError: one of them is empty, or a label is unknown.
    """
    train, validation = (part[np.argsort(rows.cell[part])] for part in (split.train, split.validation))
    if np.intersect1d(train, validation).size:
        raise ContractError(
            f"{np.intersect1d(train, validation).size} cells are both learned from and chosen by",
            where="fit of a peer of cells",
            expected="cells of different folds",
            remedy="Divide them with science.urban.cell_splits.",
        )
    unknown = int(np.isnan(rows.ln_e[np.concatenate([train, validation])]).sum())
    if not len(train) or not len(validation) or unknown:
        raise DataError(
            f"{len(train)} cells to learn from, {len(validation)} to choose by, {unknown} of them without label",
            where="fit of a peer of cells",
            expected="some of each, every one with its label",
            remedy="Leave out cells without label, or choose another division.",
        )
    return SplitRows(train, validation)


def poi_features(rows: CellRows) -> Floats:
    """(row, 2 x category) ln(1 + points) of each cell by category, then of it and the eight around it together.

    Cells that are not in the table count for nothing, as those outside the city do; NaN where no count is known.
    """
    order = np.argsort(rows.cell)
    counts = rows.counts[order]
    known = np.asarray(np.isfinite(counts).all(axis=1))
    around = positions(rows.cell[order], neighbor_ids(rows.cell).reshape(len(rows.cell), 9))
    total, seen = np.zeros(rows.counts.shape), np.zeros(len(rows.cell), np.int64)
    for place in around.T:  # one of the nine at a time: all at once are nine tables
        there = (place >= 0) & known[place]
        total[there] += counts[place[there]]
        seen += there
    sums = np.where(seen[:, None] > 0, total, np.nan)
    return np.asarray(np.log1p(np.concatenate([rows.counts, sums], axis=1)), np.float64)


def poi_feature_names(categories: int) -> tuple[str, ...]:
    """Names of the columns of `poi_features`."""
    return tuple(f"{where}/{number}" for where in ("cell", "around") for number in range(categories))


def best_on_validation(answers: Sequence[Floats], ln_e: Floats) -> int:
    """Which of some answers about the validation cells has the least squared error; the first of equal ones."""
    return int(np.argmin([float(np.mean((answer - ln_e) ** 2)) for answer in answers]))

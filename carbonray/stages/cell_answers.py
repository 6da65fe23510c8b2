"""What models of cells say of cells they did not learn from, fit by fit and seed by seed, and the peers' part of it.

Sources: SCIENCE 1.5 and 1.6. Every fit's tonnes carry the smearing and the band that its own validation cells call for;
the fits of a seed answer for different cells, each once, and are judged together. Arrays are (cell,).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.models.baselines import SplitRows
from carbonray.models.cell_peers import CELL_PEERS, TRAIN_MEAN, CellPeerRules
from carbonray.models.cell_rows import CellRows
from carbonray.science.spatial.cells import positions
from carbonray.science.urban.cell_splits import TEST, TRAIN, VALIDATE, CellSplitRules, group_names
from carbonray.science.urban.labels import BackTransform, BandRules, Tonnes, back_transform, tonnes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """The cells that are judged, all of one key of the tables.

    Attributes:
        keys: `city`, `split`, `judged_by` and `data_tier`.
        cell: (cell,) numbers, ascending.
        ln_e: (cell,) what is true, or what the label says, ln of tonnes of CO2.
    """

    keys: Mapping[str, str]
    cell: Ints
    ln_e: Floats


@dataclass(frozen=True)
class Said:
    """What the fits of one seed say, each of the cells that it held out.

    Attributes:
        cell: (cell,) numbers, ascending.
        ln_e: (cell,) ln of tonnes of CO2.
        tonnes: with the factor and the band of the fit that answered.
    """

    cell: Ints
    ln_e: Floats
    tonnes: Tonnes

    def of(self, cell: Ints, model: str) -> "Said":
        """The answers about some cells.

        Raises:
            ContractError: nothing was said of one of them.
        """
        at = positions(self.cell, cell)
        if np.any(at < 0):
            raise ContractError(
                f"{model} says nothing of {np.count_nonzero(at < 0)} of {len(cell)} cells",
                where="scores of cells",
                expected="all models judged by the same cells",
                remedy="Judge the cells that every model answered, and tell how many those are.",
            )
        amounts = self.tonnes
        parts = (amounts.mean_t_co2[at], amounts.low_t_co2[at], amounts.high_t_co2[at])
        return Said(self.cell[at], self.ln_e[at], Tonnes(*parts))


@dataclass(frozen=True)
class FitAnswers:
    """What one fit says of the cells it held out.

    Attributes:
        cell: (cell,) numbers.
        ln_e: (cell,) ln of tonnes of CO2.
        back: factor and band, from its validation cells.
    """

    cell: Ints
    ln_e: Floats
    back: BackTransform


def pooled(fits: Sequence[FitAnswers]) -> Said:
    """The answers of all rotations of one seed, together.

    Raises:
        ContractError: two of them answered about one cell.
    """
    cell = np.concatenate([fit.cell for fit in fits])
    order = np.argsort(cell)
    if np.any(np.diff(cell[order]) == 0):
        raise ContractError(
            f"{np.count_nonzero(np.diff(cell[order]) == 0)} cells were answered by two fits",
            where="scores of cells",
            expected="every cell held out by one rotation of a seed",
            remedy="Hand over the answers about each fit's own fold.",
        )
    parts = [tonnes(fit.ln_e, fit.back) for fit in fits]
    names = ("mean_t_co2", "low_t_co2", "high_t_co2")
    amounts = Tonnes(*(np.concatenate([getattr(part, name) for part in parts])[order] for name in names))
    return Said(cell[order], np.concatenate([fit.ln_e for fit in fits])[order], amounts)


@dataclass(frozen=True)
class ModelAnswers:
    """What a model says.

    Attributes:
        model: its name.
        role: model, ablation, peer, trivial or oracle.
        by_seed: seed -> answers; one entry for what has no seed, which then stands beside every seed of another.
    """

    model: str
    role: str
    by_seed: Mapping[int, Said]


def role_of(peer: str) -> str:
    """Role of a peer in the tables."""
    return "trivial" if peer == TRAIN_MEAN else "peer"


def cell_rows(samples: pa.Table) -> CellRows:
    """The rows that peers read.

    Args:
        samples: `cell_id`, `city`, `ln_t_co2`, `radiance` and `counts`, a list of as many numbers for every cell; cells
            without label are wanted too, for their points count in sums around others.
    """
    counts = samples.column("counts").combine_chunks()
    table = counts.flatten().to_numpy(zero_copy_only=False).reshape(samples.num_rows, -1)
    ln_e, radiance = (samples.column(name).to_numpy().astype(np.float64) for name in ("ln_t_co2", "radiance"))
    city = np.array(samples.column("city").to_pylist(), np.str_)
    return CellRows(samples.column("cell_id").to_numpy(), city, ln_e, table.astype(np.float64), radiance)


def peer_fits(
    rows: CellRows,
    role: NDArray[np.int8],
    names: Iterable[str] = tuple(CELL_PEERS),
    rules: CellPeerRules | None = None,
    band: BandRules | None = None,
    block_km: float = 5.0,
) -> dict[str, FitAnswers]:
    """What every peer says of the cells that test, learned in the same rotation as the networks.

    Args:
        rows: labelled cells, and what lies around them.
        role: (row,) of `science.urban.cell_splits.roles`; UNUSED for a cell without label.
        names: of the peers.
        rules: what they may choose from.
        band: how residuals on the validation cells become tonnes.
        block_km: least side of the blocks in which residuals go together.

    Raises:
        DataError: there are no cells to learn from or to choose by, or one of them has no label.
    """
    split = SplitRows(np.flatnonzero(role == TRAIN), np.flatnonzero(role == VALIDATE))
    test, judged = np.flatnonzero(role == TEST), split.validation
    blocks = group_names(rows.cell[judged], rows.city[judged].tolist(), CellSplitRules(by="blocks", block_km=block_km))
    fits = {}
    for name in names:
        said = CELL_PEERS[name](rules or CellPeerRules()).fit(rows, split).predict(rows)
        back = back_transform(rows.ln_e[judged] - said[judged], blocks, band)
        fits[name] = FitAnswers(rows.cell[test], said[test], back)
    return fits

"""Which labelled cells teach, validate and test a network: tables of samples divided, and shards with their cells.

Source: SCIENCE 0.4 and 1.5. Folds are dealt over all labelled cells, whatever a network can see of them, so that every
model and peer is judged on the same ones; of cells of the test fold a fit learns their numbers and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import DataError, SettingsError
from carbonray.io import objectstore
from carbonray.io.table_store import decode_table
from carbonray.models.opencarbon import MODALITIES
from carbonray.science.spatial.folds import MIN_FOLDS, Rotation, rotation
from carbonray.science.urban.cell_splits import TRAIN, VALIDATE, CellFolds, CellSplitRules, cell_folds, roles
from carbonray.stages.cell_streams import CellShard
from carbonray.vocab.cell_sample_tables import CELL_SAMPLES

Rows = NDArray[np.int64]
_READ = ("cell_id", "city", "ln_t_co2", "image_present", "poi_present", "data_tier")


@dataclass(frozen=True)
class TrainingCells:
    """What networks of cells are fitted on, in plain values.

    Attributes:
        url: folder of the run that holds the samples.
        shards: tiles with a labelled cell, in the order of their names; they ask for none yet.
        categories: names of the points' categories.
        image_px: side of images.
        ring: rings of neighbours that the samples hold.
        tier: data tier of the labels.
        generator_sha256: digest of the generator's sources, empty for real data.
    """

    url: str
    shards: tuple[CellShard, ...]
    categories: tuple[str, ...]
    image_px: int
    ring: int
    tier: str
    generator_sha256: str = ""


@dataclass(frozen=True)
class LabelledCells:
    """Labelled cells by number, and the shard of each.

    Attributes:
        cell_id: (n,) ascending numbers.
        city: (n,) urban area of each.
        ln_t_co2: (n,) label.
        present: (n, 2) whether there are an image and points of interest.
        shard: (n,) position of the shard that holds it.
    """

    cell_id: Rows
    city: tuple[str, ...]
    ln_t_co2: NDArray[np.float64]
    present: NDArray[np.bool_]
    shard: Rows


@dataclass(frozen=True)
class DividedCells:
    """Labelled cells with their folds.

    Attributes:
        rows: the cells.
        folds: fold of each, and of each group.
        split: how they were divided.
        shards: of the store.
    """

    rows: LabelledCells
    folds: CellFolds
    split: CellSplitRules
    shards: tuple[CellShard, ...]

    def of_role(self, turn: Rotation, role: int, modalities: Sequence[str]) -> Rows:
        """Positions of the cells of a role in a rotation of which a network that reads some modalities sees one."""
        seen = self.rows.present[:, [MODALITIES.index(name) for name in modalities]].any(axis=1)
        return np.flatnonzero((roles(self.rows.cell_id, self.folds.fold, turn, self.split) == role) & seen)

    def shards_with(self, chosen: Rows) -> tuple[CellShard, ...]:
        """The shards that hold some of the cells, asking for these."""
        own = self.rows.shard[chosen]
        cells = {at: self.rows.cell_id[chosen[own == at]] for at in np.unique(own).tolist()}
        return tuple(replace(self.shards[at], cells=tuple(asked.tolist())) for at, asked in cells.items())

    def turn(self, instance: int) -> Rotation:
        """Who teaches, validates and tests where a fold is tested on.

        Raises:
            SettingsError: there is no such fold.
        """
        self.require_fold(instance, "training.instances")
        return rotation(instance, self.folds.n_folds)

    def require_fold(self, fold: int, where: str) -> None:
        """Checks that a fold that settings name is one.

        Raises:
            SettingsError: it is not.
        """
        if fold not in range(self.folds.n_folds):
            raise SettingsError(
                f"there is no fold {fold}",
                where=where,
                expected=f"0 to {self.folds.n_folds - 1}: cells are dealt by {self.split.by!r}",
                remedy="Name one of them, or divide cells otherwise (grid.training.split.by).",
            )

    def table(self, turn: Rotation) -> dict[str, int]:
        """Group -> fold of those that a fit of the rotation saw."""
        return {name: fold for name, fold in self.folds.table.items() if fold in (*turn.train, turn.val)}

    def checked(self, turn: Rotation, modalities: Sequence[str], least: int) -> tuple[Rows, Rows]:
        """Positions of the cells that teach and that validate.

        Raises:
            DataError: there are fewer than `least` of either, or all those that teach are labelled alike.
        """
        train, validation = (self.of_role(turn, role, modalities) for role in (TRAIN, VALIDATE))
        if min(len(train), len(validation)) >= max(least, 2) and np.ptp(self.rows.ln_t_co2[train]) > 0.0:
            return train, validation
        raise DataError(
            f"{len(train)} cells to learn from and {len(validation)} to validate on, dealt by {self.split.by!r}",
            where=f"tested on fold {turn.test}, validated on fold {turn.val}, read {' and '.join(modalities)}",
            expected=f"{least} of either at least (grid.training.least_cells), with labels that differ",
            remedy="Train on more cells, or with smaller blocks or a narrower buffer (grid.training.split).",
        )


def read_labelled(shards: Sequence[CellShard]) -> LabelledCells:
    """The labelled cells of some shards.

    Raises:
        DataError: a table is bad, or there is no cell at all.
    """
    found = objectstore.read_many(shard.table_url for shard in shards)
    tables = [decode_table(found[shard.table_url], CELL_SAMPLES).select(_READ) for shard in shards]
    if not sum(table.num_rows for table in tables):
        raise DataError(
            "no cell has a label",
            where="samples",
            expected="cells of the mask with emissions above zero in inputs.co2_grid",
            remedy="Give grids of the year in grid.rules.year that cover the mask.",
        )
    every = pa.concat_tables(tables)
    shard = np.repeat(np.arange(len(tables)), [table.num_rows for table in tables])
    order = np.argsort(every.column("cell_id").to_numpy())
    city = every.column("city").to_numpy(zero_copy_only=False)[order]
    present = np.column_stack([every.column(f"{name}_present").to_numpy(zero_copy_only=False) for name in MODALITIES])
    numbers, ln = (every.column(name).to_numpy()[order] for name in ("cell_id", "ln_t_co2"))
    return LabelledCells(numbers, tuple(city.tolist()), ln, present[order], shard[order])


def divided_cells(data: TrainingCells, split: CellSplitRules) -> DividedCells:
    """The labelled cells of a store with their folds.

    Raises:
        DataError: a table is bad, there is no cell, or there are too few groups for a rotation.
    """
    rows = read_labelled(data.shards)
    folds = cell_folds(rows.cell_id, rows.city, split)
    filled = len(np.unique(folds.fold))
    if filled < max(folds.n_folds, MIN_FOLDS):
        raise DataError(
            f"{len(rows.cell_id)} cells in {len(folds.table)} groups fill {filled} folds",
            where=f"grid.training.split.by={split.by}",
            expected=f"cells in {max(folds.n_folds, MIN_FOLDS)} folds, to learn from, to validate and to test on",
            remedy="Train on more cities, or divide cells by 'blocks' or at 'random'.",
        )
    return DividedCells(rows, folds, split, data.shards)

"""A store of samples for the tests: a town of 20 x 20 cells in four shards, whose look and points tell emissions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.io import objectstore
from carbonray.io.cell_store import CellSamples, encode_samples
from carbonray.io.table_store import encode_table
from carbonray.science.spatial.cells import cell_id, neighbor_ids, positions, row_col
from carbonray.science.urban.cell_splits import CellSplitRules
from carbonray.stages.cell_networks import CellTrainRules
from carbonray.stages.cell_roles import TrainingCells
from carbonray.stages.cell_samples import FOLDER
from carbonray.stages.cell_streams import CellShard
from carbonray.vocab.cell_sample_tables import CELL_SAMPLES

SIDE, TILE, PX, CATEGORIES = 20, 10, 27, 4
CORNER = (10_440, 21_600)  # near the equator, where a cell is 0.9 km wide
TIER = "SYNTHETIC-T1"
CITIES = ("Arden", "Bohemia", "Cyprus")
RULES = CellTrainRules(
    fit={"epochs": 1, "batch_size": 16, "learning_rate": 3e-3},
    config={"width": 4, "d": 8},
    split=CellSplitRules(block_km=5.0),
    window_shards=3,
    least_cells=4,
)


@dataclass(frozen=True)
class Town:
    """What is drawn of every cell of the town."""

    cell_id: NDArray[np.int64]
    city: NDArray[Any]
    bright: NDArray[np.float64]
    busy: NDArray[np.int64]
    ln: NDArray[np.float64]
    seed: int = 0

    def turned(self, chosen: NDArray[np.bool_], *, labels: bool = True) -> "Town":
        """The town with another look and other points in some cells, and other labels."""
        flipped = np.where(chosen, 1.0 - self.bright, self.bright)
        busy = np.where(chosen, 30 - self.busy, self.busy)
        ln = np.where(chosen, 20.0 - self.ln, self.ln) if labels else self.ln
        return replace(self, bright=flipped, busy=busy, ln=ln)


def town(side: int = SIDE, *, seed: int = 0) -> Town:
    """Cells whose ln E grows with their brightness and with their points; cities are bands from north to south."""
    rng = np.random.default_rng(seed)
    y, x = (part.ravel() for part in np.mgrid[0:side, 0:side])
    bright, busy = rng.random(side * side), rng.integers(0, 30, side * side)
    numbers = cell_id(CORNER[0] + y, CORNER[1] + x)
    city = np.array([CITIES[at] for at in (3 * y // side).tolist()], object)
    return Town(numbers, city, bright, busy, 8.0 + 2.0 * bright + busy / 15.0, seed)


def samples_of(of: Town, chosen: NDArray[np.int64], own: NDArray[np.bool_]) -> CellSamples:
    """Samples of some cells: the same whoever asks for them."""
    images, points = [], []
    for at in chosen.tolist():
        rng = np.random.default_rng((of.seed, at))
        noise = rng.integers(0, 40, (3, PX, PX))
        images.append((noise + 200 * of.bright[at]).astype(np.uint8))
        drawn = [rng.integers(0, most, 30) for most in (CATEGORIES, 65_536, 65_536)]
        points.append(np.column_stack(drawn)[: of.busy[at]].astype(np.uint16))
    n = len(chosen)
    everywhere = np.ones(n, np.bool_)
    return CellSamples(
        cell_id=of.cell_id[chosen],
        own=own,
        image_present=everywhere,
        poi_present=everywhere,
        ln_t_co2=np.where(own, of.ln[chosen], np.nan),
        radiance=np.full(n, np.nan, np.float32),
        n_points=of.busy[chosen].astype(np.int32),
        images=np.stack(images),
        points=np.concatenate(points),
    )


def stored(of: Town, root: str, tile: int = TILE) -> TrainingCells:
    """The town's shards and tables under a folder."""
    row, col = row_col(of.cell_id)
    tiles = (row - CORNER[0]) // tile * 100 + (col - CORNER[1]) // tile
    shards = []
    for number in np.unique(tiles).tolist():
        own = np.flatnonzero(tiles == number)
        around = positions(of.cell_id, neighbor_ids(of.cell_id[own]))
        shown = np.unique(around[around >= 0])
        objects = encode_samples(samples_of(of, shown, np.isin(shown, own)), {"data_tier": TIER})
        url, table_url = (f"{root}/{FOLDER}/tile-{number:04d}.{end}" for end in ("zarr", "parquet"))
        for key, data in objects.items():
            objectstore.put_bytes(f"{url}/{key}", data)
        objectstore.put_bytes(table_url, encode_table(_table(of, own), ("cell_id",)))
        shards.append(CellShard(url, table_url, tuple(objects), objectstore.sha256(objects["zarr.json"])))
    names = tuple("abcdefgh"[:CATEGORIES])
    return TrainingCells(root, tuple(shards), names, PX, 1, TIER)


def _table(of: Town, own: NDArray[np.int64]) -> pa.Table:
    n = len(own)
    lists: Sequence[list[int]] = [[int(count)] + [0] * (CATEGORIES - 1) for count in of.busy[own]]
    return pa.table(
        {
            "cell_id": of.cell_id[own],
            "city": of.city[own].tolist(),
            "ln_t_co2": of.ln[own],
            "emissions_t_co2": np.exp(of.ln[own]),
            "radiance": np.full(n, np.nan, np.float32),
            "image_present": np.ones(n, np.bool_),
            "poi_present": np.ones(n, np.bool_),
            "counts": lists,
            "data_tier": [TIER] * n,
        },
        schema=CELL_SAMPLES,
    )

"""Reads the embeddings of one output shard and of the ring of cells around it: the only halo of the 1 km product.

Source: SCIENCE 1.2 (windows of 3 x 3). The tiles that touch the shard are read whole and those of the ring thinned to
it; columns go on across the date line, rows end at the poles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.contract import Batch, Reading, Unit
from carbonray.errors import DataError
from carbonray.io import embedding_store, objectstore
from carbonray.io.embedding_store import IMAGE, POI, EmbeddingLayout
from carbonray.science.spatial.cells import COLS, ROWS, cell_id, positions
from carbonray.science.urban.cell_splits import CellSplitRules, group_names
from carbonray.stages.cell_encoding import EMBEDDINGS
from carbonray.stages.cell_places import CELLS_FOLDER, PLACED_CELLS, first_of, read_tiles, tables_under

RING = 1  # cells around a shard that its windows show


def tiles_around(shard: tuple[int, int], shard_cells: int, tile_cells: int) -> list[tuple[int, int]]:
    """Every tile with a cell of a shard or of the ring around it, by row and column of tiles."""
    rows, cols = (
        np.arange(part * shard_cells - RING, (part + 1) * shard_cells + RING, dtype=np.int64) for part in shard
    )
    inside = rows[(rows >= 0) & (rows < ROWS)]
    down, across = (np.unique(lines // tile_cells) for lines in (inside, cols % COLS))
    return [(int(row), int(col)) for row in down for col in across]


@dataclass(frozen=True)
class ReadHalo:
    """Reader of one output shard: inputs are the tables of cells, then the objects of its tiles of embeddings.

    Attributes:
        layout: of the embeddings.
        shard_cells: side of an output shard.
        split: how the cells that the model was trained on were divided.
        table: name of a group of those cells -> fold.
    """

    layout: EmbeddingLayout
    shard_cells: int
    split: CellSplitRules
    table: Mapping[str, int]

    def __call__(self, unit: Unit) -> Reading:
        """Rows of `vocab.cell_tables.CELL_WINDOWS`, by cell.

        Raises:
            DataError: embeddings are absent or cannot be read.
        """
        shard = (int(unit.partition["shard_row"]), int(unit.partition["shard_col"]))
        objects = _by_tile([url for url in unit.inputs if f"/{EMBEDDINGS}/" in url])
        parts = [self._tile(tile, urls, shard) for tile, urls in sorted(objects.items())]
        batch = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        own = int(batch["own"].sum())
        if not own:
            raise DataError(
                "no cell of the shard was encoded",
                where=unit.key,
                expected="at least one",
                remedy="Plan only shards with cells.",
            )
        told = self._told(batch["cell_id"], tables_under(unit.inputs, CELLS_FOLDER), list(objects))
        rows = {"read": own, "kept": own, "quarantined": 0}
        return Reading(batch | told, rows, facts={"windows": own})

    def _tile(self, tile: tuple[int, int], urls: Mapping[str, str], shard: tuple[int, int]) -> Batch:
        """The cells of a tile that the shard answers for or looks at."""
        read = {key: objectstore.read_bytes(url) for key, url in urls.items()}
        cells = embedding_store.decode_tile(self.layout, *tile, read, f"tile {tile[0]}/{tile[1]}")
        side = self.shard_cells
        down, across = cells.row - shard[0] * side, (cells.col - shard[1] * side + RING) % COLS - RING
        near = (down >= -RING) & (down < side + RING) & (across < side + RING)
        own = near & (down >= 0) & (down < side) & (across >= 0) & (across < side)
        vectors = {name: [row.tobytes() for row in getattr(cells, name)[near]] for name in ("image", "poi")}
        return {
            "cell_id": cell_id(cells.row, cells.col)[near],
            "image_present": (cells.state[near] & IMAGE) > 0,
            "poi_present": (cells.state[near] & POI) > 0,
            "n_points": cells.n_points[near],
            **{f"{name}_vectors": np.array([*rows, b""], object)[:-1] for name, rows in vectors.items()},
            "own": own[near],
        }

    def _told(self, number: NDArray[np.int64], tables: Sequence[str], tiles: Sequence[tuple[int, int]]) -> Batch:
        """City, data tier and fold of each cell."""
        known = first_of(read_tiles(tables, tiles, self.layout.tile_cells, PLACED_CELLS), "cell_id")
        place = positions(known.column("cell_id").to_numpy(), number)
        city, tier = (known.column(name).to_numpy(zero_copy_only=False)[place] for name in ("city", "data_tier"))
        names = group_names(number, city.tolist(), self.split)
        fold = np.array([self.table.get(name, -1) for name in names], np.int8)
        return {"city": city, "data_tier": tier, "fold": fold}


def _by_tile(urls: Sequence[str]) -> dict[tuple[int, int], dict[str, str]]:
    """Tile -> key of each of its objects, relative to the store -> URL."""
    found: dict[tuple[int, int], dict[str, str]] = {}
    for url in urls:
        key = url.rsplit(f"/{EMBEDDINGS}/", 1)[1]
        name, _, *place = key.split("/")
        row, col = place[1:3] if name in embedding_store.VECTORS else place[:2]
        found.setdefault((int(row), int(col)), {})[key] = url
    return found

"""Cells and points of interest between the passes of the 1 km product: tables that are read a tile at a time.

A tile is a square of cells, the work unit of the encoders. Tables are cut at the borders of tiles, one row group a
tile, so that a unit reads its own rows of a planet's table and no others.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.io import objectstore, table_store
from carbonray.science.spatial.cells import COLS, row_col
from carbonray.vocab.columns import column
from carbonray.vocab.grid_tables import CELLS, POINTS

CELLS_FOLDER, POINTS_FOLDER = "cells/", "points/"
_PLACE = (
    column("row", pa.int32(), "1", "row of the cell, 0 at 90 N"),
    column("col", pa.int32(), "1", "column of the cell, 0 at 180 W"),
)
PLACED_CELLS = pa.schema([*CELLS, *_PLACE])
PLACED_POINTS = pa.schema([*POINTS, *_PLACE])


def encode_placed(table: pa.Table, tile_cells: int) -> bytes:
    """A table with a column `cell_id` as Parquet, cut at the borders of tiles."""
    row, col = row_col(table.column("cell_id").to_numpy())
    placed = table.append_column(_PLACE[0], pa.array(row, pa.int32())).append_column(
        _PLACE[1], pa.array(col, pa.int32())
    )
    return table_store.encode_pixels(placed, tile_cells)


def tables_under(urls: Sequence[str], folder: str) -> list[str]:
    """Those of some URLs that are tables of one of the folders, whatever the folders above are called."""
    return [url for url in urls if url.rsplit("/", 2)[-2] == folder.rstrip("/")]


def read_tiles(urls: Sequence[str], tiles: Collection[tuple[int, int]], tile_cells: int, schema: pa.Schema) -> pa.Table:
    """The rows of some tiles of several tables, in the order of the tables; each is opened once."""
    parts = [schema.empty_table()]
    for url in urls:
        with objectstore.opened(url) as file:
            parts.append(table_store.read_shards(file, set(tiles), tile_cells, schema))
    return pa.concat_tables(parts)


def first_of(table: pa.Table, name: str) -> pa.Table:
    """Rows by ascending number; of those with the same one the first stays."""
    numbers = table.column(name).to_numpy()
    _, first = np.unique(numbers, return_index=True)
    return table.take(pa.array(first))


def tiles_in(cell: NDArray[np.int64], tile_cells: int) -> list[tuple[int, int, int]]:
    """(tile row, tile column, cells) of every tile that holds some of the cells."""
    row, col = row_col(cell)
    across = COLS // tile_cells + 1
    tiles, counts = np.unique(row // tile_cells * across + col // tile_cells, return_counts=True)
    return [(tile // across, tile % across, n) for tile, n in zip(tiles.tolist(), counts.tolist(), strict=True)]


def tile_bounds(tile: tuple[int, int], tile_cells: int) -> tuple[float, float, float, float]:
    """(west, south, east, north) of a tile, degrees."""
    rows, cols = ((part * tile_cells, (part + 1) * tile_cells) for part in tile)
    return cols[0] / 120 - 180.0, 90.0 - rows[1] / 120, cols[1] / 120 - 180.0, 90.0 - rows[0] / 120

"""What encoders said of every cell, once, as one planet-wide Zarr array a modality: a shard a tile of cells.

Sources: Zarr v3 core and sharding specifications; SCIENCE 1.7 (a cell encoded once and read back is the cell encoded
again). Arrays are (instance, row, col, d) float32 on the lattice of `science.spatial.cells`, NaN where a modality is
absent; `state` (row, col) uint8 says what there is. Objects are (key, bytes) pairs as in `grid_store`: a tile is one
object an array, so that one unit writes it, and the units around it read it whole.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu
from zarr.codecs import BloscCodec
from zarr.storage import MemoryStore

from carbonray.errors import ContractError, DataError
from carbonray.science.spatial.cells import COLS, ROWS

PLANNED, IMAGE, POI = 1, 2, 4  # bits of `state`
VECTORS = ("image", "poi")
STATE, POINTS = "state", "n_points"


@dataclass(frozen=True)
class EmbeddingLayout:
    """Everything that decides the store's metadata.

    Attributes:
        instances: model instances, each with encoders of its own.
        width: d, the length of an embedding.
        tile_cells: side of a tile, a divisor of the lattice's rows and columns.
    """

    instances: int
    width: int
    tile_cells: int


@dataclass(frozen=True)
class TileEmbeddings:
    """The cells of one tile that were planned.

    Attributes:
        row: (n,) lattice row.
        col: (n,) lattice column.
        state: (n,) bits of what there is.
        n_points: (n,) points of interest, -1 where none are known.
        image: (n, instance, d) float32, NaN without an image.
        poi: (n, instance, d) float32, NaN without points of interest.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    state: NDArray[np.uint8]
    n_points: NDArray[np.int32]
    image: NDArray[np.float32]
    poi: NDArray[np.float32]


def template(layout: EmbeddingLayout) -> dict[str, bytes]:
    """The store's metadata objects by key: put once.

    Raises:
        ContractError: tiles do not divide the lattice.
    """
    return dict(_template(layout))


def encode_tile(layout: EmbeddingLayout, tile_row: int, tile_col: int, cells: TileEmbeddings) -> dict[str, bytes]:
    """One tile of every array as objects by key.

    Raises:
        ContractError: a cell lies outside the tile, or its embeddings are not (n, instance, d).
    """
    side = layout.tile_cells
    y, x = cells.row - tile_row * side, cells.col - tile_col * side
    shape = (len(y), layout.instances, layout.width)
    inside = bool(np.all((y >= 0) & (y < side) & (x >= 0) & (x < side)))
    if not inside or cells.image.shape != shape or cells.poi.shape != shape:
        raise ContractError(
            f"embeddings {cells.image.shape} and {cells.poi.shape}{'' if inside else ', some outside the tile'}",
            where=f"tile {tile_row}/{tile_col} of the embeddings",
            expected=f"{shape}, of cells in {side} x {side} from row {tile_row * side}, column {tile_col * side}",
            remedy="Let the unit of a tile encode its own cells, all instances.",
        )
    before = _template(layout)
    objects: dict[str, Buffer] = {key: cpu.Buffer.from_bytes(value) for key, value in before}
    rows, cols = _span(tile_row, side), _span(tile_col, side)
    # a modality that is absent in the whole tile is written too: a missing object is a fault
    with zarr.config.set({"array.write_empty_chunks": True}):
        group = zarr.open_group(MemoryStore(objects), mode="r+", zarr_format=3)
        for name, values in zip(VECTORS, (cells.image, cells.poi), strict=True):
            field = np.full((layout.instances, side, side, layout.width), np.nan, np.float32)
            field[:, y, x] = values.transpose(1, 0, 2)
            _array(group, name)[:, rows, cols] = field
        for name, numbers, fill in ((STATE, cells.state, 0), (POINTS, cells.n_points, -1)):
            plane = np.full((side, side), fill, numbers.dtype)
            plane[y, x] = numbers
            _array(group, name)[rows, cols] = plane
    return {key: objects[key].to_bytes() for key in sorted(objects.keys() - {key for key, _ in before})}


def decode_tile(
    layout: EmbeddingLayout, tile_row: int, tile_col: int, objects: Mapping[str, bytes], where: str
) -> TileEmbeddings:
    """The planned cells of a tile from its objects, in the order of their numbers.

    Args:
        layout: the store's.
        tile_row: of the tile.
        tile_col: of the tile.
        objects: by key, what `encode_tile` gave.
        where: for messages.

    Raises:
        DataError: an object is absent or cannot be read.
    """
    absent = sorted(set(tile_keys(tile_row, tile_col)) - set(objects))
    try:
        stored = [*_template(layout), *objects.items()]
        held: dict[str, Buffer] = {key: cpu.Buffer.from_bytes(value) for key, value in stored}
        group = zarr.open_group(MemoryStore(held), mode="r", zarr_format=3)
        rows, cols = (_span(tile, layout.tile_cells) for tile in (tile_row, tile_col))
        planes = [np.asarray(_array(group, name)[rows, cols]) for name in (STATE, POINTS)]
        fields = [np.asarray(_array(group, name)[:, rows, cols]) for name in VECTORS]
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        raise _unreadable(where, f"{type(error).__name__}: {error}") from error
    if absent:
        raise _unreadable(where, f"{absent} are absent")
    y, x = np.nonzero(planes[0] & PLANNED)
    image, poi = (np.ascontiguousarray(field[:, y, x].transpose(1, 0, 2)) for field in fields)
    first = (tile_row * layout.tile_cells, tile_col * layout.tile_cells)
    return TileEmbeddings(y + first[0], x + first[1], planes[0][y, x], planes[1][y, x], image, poi)


def tile_keys(tile_row: int, tile_col: int) -> tuple[str, ...]:
    """Keys of a tile's objects, relative to the store."""
    vectors = (f"{name}/c/0/{tile_row}/{tile_col}/0" for name in VECTORS)
    return (*vectors, *(f"{name}/c/{tile_row}/{tile_col}" for name in (STATE, POINTS)))


def _unreadable(where: str, what: str) -> DataError:
    return DataError(
        f"embeddings cannot be read ({what})",
        where=where,
        expected="a tile as the encoding pass committed it",
        remedy="Remove the tile's objects and its ledger record, and run the job again.",
    )


def _span(tile: int, side: int) -> slice:
    return slice(tile * side, (tile + 1) * side)


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is no array")
    return array


@functools.lru_cache(maxsize=8)
def _template(layout: EmbeddingLayout) -> tuple[tuple[str, bytes], ...]:
    side = layout.tile_cells
    if side < 1 or ROWS % side or COLS % side:
        raise ContractError(
            f"tiles of {side} cells on a lattice of {ROWS} x {COLS}",
            where="embedding_store.EmbeddingLayout",
            expected="a side that divides both",
            remedy="Choose 12, 20, 24, 30 or 40 for grid.tile_cells, say.",
        )
    objects: dict[str, Buffer] = {}
    group = zarr.create_group(MemoryStore(objects), zarr_format=3)
    group.attrs.put({"title": "embeddings of 1 km cells", "state": "bits: 1 planned, 2 image, 4 points of interest"})
    meaning = {"image": "embedding of the satellite image", "poi": "embedding of the points of interest"}
    for name in VECTORS:
        group.create_array(
            name,
            shape=(layout.instances, ROWS, COLS, layout.width),
            dtype=np.float32,
            chunks=(1, side, side, layout.width),
            shards=(layout.instances, side, side, layout.width),
            compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
            fill_value=np.nan,
            dimension_names=("instance", "row", "col", "d"),
            attributes={"units": "1", "long_name": meaning[name]},
        )
    for name, dtype, fill, told in (
        (STATE, np.uint8, 0, "what there is of the cell: bits"),
        (POINTS, np.int32, -1, "points of interest in the cell, -1 unknown"),
    ):
        group.create_array(
            name,
            shape=(ROWS, COLS),
            dtype=dtype,
            chunks=(side, side),
            fill_value=fill,
            dimension_names=("row", "col"),
            attributes={"units": "1", "long_name": told},
        )
    return tuple((key, objects[key].to_bytes()) for key in sorted(objects))

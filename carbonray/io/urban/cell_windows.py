"""Rasters brought onto the cells' lattice: blocks of neighbouring cells, and means by area over their pixels.

Source: area-weighted averaging, exact where the raster's axes run along meridians and parallels; GDAL's average
elsewhere. A cell is cut into size x size equal steps of degrees. Arrays are (band, y, x), row 0 north.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject, transform_bounds
from rasterio.windows import Window
from scipy.sparse import csr_array

from carbonray.errors import DataError
from carbonray.io.imagery.raster import footprint
from carbonray.science.spatial.cells import STEP_DEG, row_col

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bounds = tuple[float, float, float, float]  # west, south, east, north, degrees
Mean = tuple[NDArray[Any], NDArray[np.float32]]  # values (band, y, x), and the share (y, x) of each that is measured
# an open raster, a window, rows and columns to read it as -> values (band, y, x), and which pixels (y, x) are measured
Reading = Callable[[DatasetReader, Window, tuple[int, int]], tuple[NDArray[Any], NDArray[np.bool_]]]

FINER = 2  # a raster is read at no less than so many pixels a pixel wanted: coarser reads use its overviews (inferred)
_DENSIFIED = 21  # points on each side of a raster whose bounds are turned to degrees (inferred)
_ALIGNED = 1e-6  # pixels: edges closer than this coincide
# projections in which x follows from longitude, in proportion, and y from latitude alone
_CYLINDRICAL = frozenset(
    {
        "Popular Visualisation Pseudo Mercator",
        "Mercator (variant A)",
        "Mercator (variant B)",
        "Equidistant Cylindrical",
        "Equidistant Cylindrical (Spherical)",
        "Lambert Cylindrical Equal Area",
    }
)


@dataclass(frozen=True)
class CellBlock:
    """Some rows and columns of cells from a north-western one; no block crosses the date line."""

    row: int
    col: int
    rows: int
    cols: int

    @property
    def bounds(self) -> Bounds:
        """(west, south, east, north), degrees."""
        return (
            self.col / 120 - 180.0,
            90.0 - (self.row + self.rows) / 120,
            (self.col + self.cols) / 120 - 180.0,
            90.0 - self.row / 120,
        )

    def edges(self, size_px: int) -> tuple[Floats, Floats]:
        """Latitudes, southward, and longitudes, eastward, of the edges of pixels, size_px to a cell."""
        lat = 90.0 - (self.row + np.arange(self.rows * size_px + 1) / size_px) / 120
        return lat, (self.col + np.arange(self.cols * size_px + 1) / size_px) / 120 - 180.0


def cell_blocks(cells: ArrayLike, side: int) -> Iterator[tuple[CellBlock, Ints, Ints, Ints]]:
    """Blocks of at most side x side cells that hold all of (n,) cells, north to south and west to east.

    With each block: which of the n lie in it, and their row and column in the block. `side` divides 43200 columns.
    """
    row, col = row_col(np.asarray(cells, np.int64))
    of = (row // side) * 2**32 + col // side
    order = np.argsort(of, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(of[order])) + 1):
        if members.size:
            rows, cols = row[members], col[members]
            top, left = int(rows.min()), int(cols.min())
            block = CellBlock(top, left, int(rows.max()) - top + 1, int(cols.max()) - left + 1)
            yield block, members, rows - top, cols - left


def degree_bounds(dataset: DatasetReader, url: str) -> Bounds:
    """(west, south, east, north) of a raster, degrees; east is beyond 180 where it lies across it.

    Raises:
        DataError: it does not say where it lies, or lies nowhere on Earth.
    """
    footprint(dataset, url)
    try:
        found = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds, densify_pts=_DENSIFIED)
    except RasterioError as error:
        raise DataError(
            f"its bounds are no place on Earth ({error})",
            where=url,
            expected="a raster inside the range of its coordinate system",
            remedy="Correct the file's coordinate system, or leave the file out.",
        ) from error
    west, south, east, north = (float(edge) for edge in found)
    return west, south, east + 360.0 if east < west else east, north


def cells_mean(
    dataset: DatasetReader, url: str, block: CellBlock, size_px: int, reading: Reading, *, finer: int | None = FINER
) -> Mean | None:
    """Means over a block's pixels, (band, y, x), and the share (y, x) of each that the raster measures.

    None where the raster holds nothing of the block.

    Args:
        dataset: an open raster of any coordinate system; one that lies across 180 too.
        url: of the raster.
        block: of cells.
        size_px: pixels of a cell's side.
        reading: gives values and mask of a window.
        finer: read at no less than so many pixels for one; None reads the raster as fine as it is.

    Raises:
        DataError: the raster does not say where it lies.
    """
    where = footprint(dataset, url)
    transform = Affine(*where.transform)
    found: Mean | None = None
    for turn in _turns(where.wkt):
        x, y = _outline(where.wkt, block, turn)
        cols, rows = ~transform @ (x, y)
        window = _window(cols, rows, (dataset.width, dataset.height))
        if window is None:
            continue
        ratio = min(np.ptp(cols) / (block.cols * size_px), np.ptp(rows) / (block.rows * size_px))
        step = max(int(ratio // finer), 1) if finer else 1
        shape = (max(round(window.height / step), 1), max(round(window.width / step), 1))
        scale = Affine.scale(window.width / shape[1], window.height / shape[0])
        read_at = transform @ Affine.translation(window.col_off, window.row_off) @ scale
        piece = array_mean(*reading(dataset, window, shape), where.wkt, read_at, block, size_px, turn)
        found = piece if found is None else _joined(found, piece)
    return found


def _turns(wkt: str) -> tuple[float, ...]:
    """Degrees that may be added to a longitude: a raster may run on beyond 180."""
    return (0.0, -360.0, 360.0) if _separable(wkt) else (0.0,)


def array_mean(
    values: NDArray[Any],
    valid: NDArray[np.bool_],
    wkt: str,
    transform: Affine,
    block: CellBlock,
    size_px: int,
    turn: float = 0.0,
) -> Mean:
    """As `cells_mean`, of an array with its coordinate system and transform; `turn` is added to longitudes."""
    if transform.b or transform.d or not _separable(wkt):
        return _warped(values, valid, wkt, transform, block, size_px, turn)
    lat, lon = block.edges(size_px)
    x, y = _along_axes(wkt, lat, lon + turn)
    rows, cols = (y - transform.f) / transform.e, (x - transform.c) / transform.a
    top, left = _whole(rows, valid.shape[0]), _whole(cols, valid.shape[1])
    if top is not None and left is not None:  # the raster's pixels are the block's
        part = np.s_[top : top + len(rows) - 1, left : left + len(cols) - 1]
        return values[(slice(None), *part)], valid[part].astype(np.float32)
    down, across = _overlaps(rows, valid.shape[0]), _overlaps(cols, valid.shape[1])
    if valid.all():
        share = np.outer(down.sum(axis=1), across.sum(axis=1)).astype(np.float32)
    else:
        share = _both(down, across, valid.astype(np.float32))
        values = np.where(valid, values, values.dtype.type(0))
    sums = np.stack([_both(down, across, band) for band in values.astype(np.float32)])
    return np.divide(sums, share, out=np.zeros_like(sums), where=share > 0.0), share


def _both(down: csr_array, across: csr_array, band: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((across @ np.ascontiguousarray((down @ band).T)).T, np.float32)


def _overlaps(edges: Floats, size: int) -> csr_array:
    """(step, pixel): the share of each step between edges, in pixels, that each of so many pixels covers."""
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    first, last = (np.clip(part, 0, size).astype(np.int64) for part in (np.floor(low), np.ceil(high)))
    count = np.maximum(last - first, 0)
    step = np.repeat(np.arange(len(low)), count)
    pixel = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[step]
    covered = np.minimum(high[step], pixel + 1.0) - np.maximum(low[step], pixel)
    weight = (covered / (high - low)[step]).astype(np.float32)
    return csr_array((weight, (step, pixel)), shape=(len(low), size))


def _whole(edges: Floats, size: int) -> int | None:
    """First pixel, where the steps are pixels one by one, all inside; else None."""
    first = round(edges[0])
    inside = first >= 0 and first + len(edges) - 1 <= size
    return first if inside and np.abs(edges - first - np.arange(len(edges))).max() < _ALIGNED else None


def _warped(
    values: NDArray[Any],
    valid: NDArray[np.bool_],
    wkt: str,
    transform: Affine,
    block: CellBlock,
    size_px: int,
    turn: float,
) -> Mean:
    west, _, _, north = block.bounds
    step = STEP_DEG / size_px
    source = np.where(valid, values, np.nan).astype(np.float32)
    found = np.full((len(values), block.rows * size_px, block.cols * size_px), np.nan, np.float32)
    reproject(
        source, found, src_transform=transform, src_crs=wkt, src_nodata=np.nan,
        dst_transform=Affine(step, 0.0, west + turn, 0.0, -step, north), dst_crs="EPSG:4326", dst_nodata=np.nan,
        resampling=Resampling.average,
    )  # fmt: skip
    measured = np.isfinite(found[0])  # all bands are measured in the same places
    return np.where(measured, found, 0.0), measured.astype(np.float32)


def _joined(one: Mean, other: Mean) -> Mean:
    """The two sides of a raster's own seam: what the second covers more of is its."""
    more = other[1] > one[1]
    return np.where(more, other[0], one[0]), np.where(more, other[1], one[1])


def _outline(wkt: str, block: CellBlock, turn: float) -> tuple[Floats, Floats]:
    """X and y, in the raster's system, around and across a block: 3 x 3 places of every cell's edges will do."""
    lat, lon = block.edges(2)
    if _separable(wkt):
        x, y = _along_axes(wkt, lat, lon + turn)
        across, down = np.meshgrid(x, y)
        return across, down
    across, down = np.meshgrid(lon + turn, lat)
    x, y = _into(wkt).transform(across, down)
    return np.asarray(x), np.asarray(y)


def _along_axes(wkt: str, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
    """X of longitudes and y of latitudes; x is in proportion, so that longitudes beyond 180 have theirs."""
    if _crs(wkt).is_geographic:
        return lon, lat
    into = _into(wkt)
    (at_0, at_1), _ = into.transform([0.0, 1.0], [0.0, 0.0])
    _, y = into.transform(np.zeros_like(lat), lat)
    return at_0 + lon * (at_1 - at_0), np.asarray(y)


def _window(cols: Floats, rows: Floats, shape: tuple[int, int]) -> Window | None:
    """The raster's pixels about some places in pixels, with one to spare on every side; None where there are none."""
    if not (np.isfinite(cols).all() and np.isfinite(rows).all()):  # beyond what the projection can show
        return None
    spans = []
    for at, size in zip((cols, rows), shape, strict=True):
        if at.max() <= 0.0 or at.min() >= size:
            return None
        first = max(int(np.floor(at.min())) - 1, 0)
        spans.append((first, min(int(np.ceil(at.max())) + 1, size) - first))
    (left, width), (top, height) = spans
    return Window(left, top, width, height)


@lru_cache(maxsize=64)
def _into(wkt: str) -> Transformer:
    return Transformer.from_crs(4326, _crs(wkt), always_xy=True)


@lru_cache(maxsize=64)
def _separable(wkt: str) -> bool:
    """Whether meridians and parallels run along the axes of a coordinate system."""
    how = _crs(wkt).coordinate_operation
    return _crs(wkt).is_geographic or (how is not None and how.method_name in _CYLINDRICAL)


@lru_cache(maxsize=64)
def _crs(wkt: str) -> CRS:
    return CRS.from_user_input(wkt)

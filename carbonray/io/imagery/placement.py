"""Where a region's pixels lie in a raster: the window to read, and which of its pixels each takes.

A raster on the region's own lattice gives its pixels as they are; a coarser one repeats them, a finer one is averaged
by area; one of another lattice or coordinate system is sampled at the pixels' centres, nearest neighbour (inferred:
the store keeps the product's integers, and an interpolation would blur the plume's edge). Rows count from the north.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from carbonray.io.imagery.image import RegionGrid

ALIGNED = 1e-3  # pixels: edges closer than this coincide
_HALF = 0.5  # a pixel averaged from finer ones needs this share of it measured (inferred)


@dataclass(frozen=True)
class Footprint:
    """Where a raster lies.

    Attributes:
        wkt: its coordinate system.
        transform: (a, b, c, d, e, f): x = a col + b row + c, y = d col + e row + f.
        rows, cols: its shape.
    """

    wkt: str
    transform: tuple[float, ...]
    rows: int
    cols: int

    @property
    def area_km2(self) -> float:
        """Of the whole raster, in a projected coordinate system; NaN in a geographic one."""
        a, b, _, d, e, _ = self.transform
        return float("nan") if _crs(self.wkt).is_geographic else abs(a * e - b * d) * self.rows * self.cols / 1e6


@dataclass(frozen=True)
class Placement:
    """How a window of a raster becomes a region.

    Attributes:
        window: column, row, width and height of the window, in the file's own order of rows.
        flipped: whether the file's row 0 is south.
        row, col: (y, 1) and (1, x), or both (y, x): pixel of the window, row 0 north, that each region pixel takes.
        inside: (y, x): whether the raster holds it.
        weights: shares of the window's rows, (y, h), and columns, (x, w), where pixels are averaged; else None.
        warped: whether the raster's lattice is another.
        same: whether the window, row 0 north, is the region pixel by pixel.
    """

    window: tuple[int, int, int, int]
    flipped: bool
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    inside: NDArray[np.bool_]
    weights: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    warped: bool
    same: bool

    def values(self, window: NDArray[Any]) -> NDArray[Any]:
        """The region's pixels, (band, y, x), 0 outside, from the window as it was read."""
        north_up: NDArray[Any] = window[:, ::-1] if self.flipped else window
        if self.weights is not None:
            return _averaged(north_up, *self.weights)
        if self.same:
            return north_up
        if self.row.shape[1] == 1 and self.col.shape[0] == 1:  # separable: two cheap passes
            found: NDArray[Any] = north_up.take(self.row[:, 0], axis=1).take(self.col[0], axis=2)
        else:
            found = north_up[:, self.row, self.col]
        return found if self.inside.all() else np.where(self.inside, found, found.dtype.type(0))


@functools.lru_cache(maxsize=256)
def placement(where: Footprint, grid: RegionGrid) -> Placement | None:
    """How a raster is cut to a region; None where it holds nothing of it."""
    row, col, own = _positions(where, grid)
    a, _, _, _, e, _ = where.transform
    finer = own and round(grid.pixel_m / abs(a)) > 1
    warped = not own or not _aligned(row, col, grid.pixel_m / abs(a))
    inside = (row >= 0) & (row < where.rows) & (col >= 0) & (col < where.cols)
    if not inside.any():
        return None
    spread = (grid.pixel_m / abs(a) / 2.0 + 1.0) if finer else 0.0
    top, height = _span(row[_any(inside, row)], where.rows, spread)
    left, width = _span(col[_any(inside, col)], where.cols, spread)
    flipped = e > 0 and own
    first = where.rows - top - height if flipped else top
    weights = None
    if finer:
        ratio = grid.pixel_m / abs(a)
        weights = (_shares(row[:, 0] - top, ratio, height), _shares(col[0] - left, ratio, width))
    rows, cols = (np.floor(row).astype(np.int64) - top, np.floor(col).astype(np.int64) - left)
    return Placement(
        window=(left, first, width, height),
        flipped=flipped,
        row=np.clip(rows, 0, height - 1),
        col=np.clip(cols, 0, width - 1),
        inside=inside,
        weights=weights,
        warped=warped,
        same=own and np.array_equal(rows[:, 0], np.arange(height)) and np.array_equal(cols[0], np.arange(width)),
    )


def _averaged(window: NDArray[Any], rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[Any]:
    """Means of what is measured, rounded, 0 where less than half of a pixel is."""
    share = rows.sum(1)[:, None] * cols.sum(1) if window.all() else rows @ (window != 0).astype(np.float64) @ cols.T
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (rows @ window.astype(np.float64) @ cols.T) / share
    return np.where(share >= _HALF, np.rint(mean), 0.0).astype(window.dtype)


def _positions(where: Footprint, grid: RegionGrid) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Row and column, in the raster, of the centre of each region pixel; True where the axes are the raster's own."""
    a, b, c, d, e, f = where.transform
    x: NDArray[Any] = grid.left + grid.pixel_m * (np.arange(grid.cols) + 0.5)[None]
    y: NDArray[Any] = grid.top - grid.pixel_m * (np.arange(grid.rows) + 0.5)[:, None]
    if _is_epsg(where.wkt, grid.epsg) and b == d == 0.0 and a == abs(e):
        top = f if e < 0 else f + e * where.rows
        return (top - y) / abs(e), (x - c) / a, True
    x, y = Transformer.from_crs(grid.epsg, _crs(where.wkt), always_xy=True).transform(
        np.broadcast_to(x, (grid.rows, grid.cols)), np.broadcast_to(y, (grid.rows, grid.cols))
    )
    if _crs(where.wkt).is_geographic:  # a tile may end at 180 degrees or reach beyond
        west = c if a > 0 else c + a * where.cols
        x = west + (x - west) % 360.0
    det = a * e - b * d
    return (a * (y - f) - d * (x - c)) / det, (e * (x - c) - b * (y - f)) / det, False


def _aligned(row: NDArray[np.float64], col: NDArray[np.float64], ratio: float) -> bool:
    """Whether each region pixel is a whole pixel of the raster, a part of one, or the mean of whole parts of some."""
    whole = round(max(ratio, 1.0 / ratio))
    if abs(max(ratio, 1.0 / ratio) / whole - 1.0) > 1e-9:
        return False
    steps = 2.0 if ratio > 1.0 else whole  # edges of finer pixels may halve: panchromatic centres lie on the others'
    edges = [(positions.flat[0] - ratio / 2.0) * steps for positions in (row, col)]
    return all(abs(edge - round(edge)) < ALIGNED * steps for edge in edges)


def _span(positions: NDArray[np.float64], size: int, spread: float) -> tuple[int, int]:
    first = max(int(np.floor(positions.min() - spread)), 0)
    last = min(int(np.floor(positions.max() + spread)), size - 1)
    return first, last - first + 1


def _any(inside: NDArray[np.bool_], positions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Positions, of one row, one column or all pixels, at which a region pixel lies inside."""
    for axis, size in enumerate(positions.shape):
        inside = np.any(inside, axis=axis, keepdims=True) if size == 1 else inside
    return inside


def _shares(centres: NDArray[np.float64], ratio: float, size: int) -> NDArray[np.float64]:
    """(n, size): share of each region pixel that each of the window's pixels covers."""
    low, high = (centres - ratio / 2.0)[:, None], (centres + ratio / 2.0)[:, None]
    pixels = np.arange(size)[None]
    shares: NDArray[np.float64] = np.minimum(high, pixels + 1.0) - np.maximum(low, pixels)
    return shares.clip(0.0) / ratio


@functools.lru_cache(maxsize=256)
def _is_epsg(wkt: str, epsg: int) -> bool:
    return bool(_crs(wkt) == CRS.from_epsg(epsg))


@functools.lru_cache(maxsize=64)
def _crs(wkt: str) -> CRS:
    return CRS.from_wkt(wkt)

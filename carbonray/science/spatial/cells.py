"""The 1 km cells of the planet: squares of 30 arc seconds, stacked upon ODIAC's grid and each with a number of its own.

Source: the ODIAC data product description (30 arc seconds, 43200 x 21600 cells from 90 N, 180 W); HOUSE section 3; the
area between two parallels of the WGS84 ellipsoid as in Snyder, Map Projections, USGS PP 1395, eq. 3-12. Row 0 lies at
90 N and column 0 at 180 W. Columns wrap around the date line, rows end at the poles. A cell holds its northern and its
western edge. Functions broadcast; numbers of cells are int64.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

STEP_DEG = 1.0 / 120.0
ROWS, COLS = 21_600, 43_200
PARTS = 1 << 16  # of a cell's side: the steps in which a place inside a cell is told

_SNAP = 1e-6  # parts within which a place lies on an edge: 1e-9 of a cell is far below what a double degree resolves
_EQUATOR_KM = 6378.137  # WGS84
_FLATTENING = 1.0 / 298.257223563


def cell_at(lat_deg: ArrayLike, lon_deg: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(row, col) of the cell that holds each place; the south pole belongs to the last row, 180 E to column 0."""
    row, col, _, _ = place_at(lat_deg, lon_deg)
    return row, col


def place_at(
    lat_deg: ArrayLike, lon_deg: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16]]:
    """(row, col, y, x): the cell of each place, and where in it: parts of 65536 from its north-west corner.

    Raises:
        ValueError: a latitude beyond the poles, or a place that is not finite.
    """
    lat, lon = np.asarray(lat_deg, np.float64), np.asarray(lon_deg, np.float64)
    if not np.all((np.abs(lat) <= 90.0) & np.isfinite(lon)):
        raise ValueError("places off the globe: expected finite degrees, latitude within 90")
    down = np.minimum(_parts((90.0 - lat) / STEP_DEG), ROWS * PARTS - 1)
    along = _parts((lon + 180.0) / STEP_DEG) % (COLS * PARTS)
    y, x = (down % PARTS).astype(np.uint16), (along % PARTS).astype(np.uint16)
    return down // PARTS, along // PARTS, y, x


def _parts(cells: NDArray[np.float64]) -> NDArray[np.int64]:
    parts = cells * PARTS
    nearest = np.rint(parts)
    return np.where(np.abs(parts - nearest) < _SNAP, nearest, np.floor(parts)).astype(np.int64)


def cell_id(row: ArrayLike, col: ArrayLike) -> NDArray[np.int64]:
    """Number of each cell: row * 43200 + col; a column beyond the date line is the one around the globe.

    Raises:
        ValueError: a row beyond a pole.
    """
    rows = np.asarray(row, np.int64)
    if not np.all((rows >= 0) & (rows < ROWS)):
        raise ValueError(f"rows beyond a pole: expected 0 to {ROWS - 1}")
    return rows * COLS + np.asarray(col, np.int64) % COLS


def row_col(cell: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(row, col) of each number of a cell."""
    number = np.asarray(cell, np.int64)
    return number // COLS, number % COLS


def cell_bounds(
    row: ArrayLike, col: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(west, south, east, north) of each cell, degrees; the last column's east is 180."""
    rows, cols = np.broadcast_arrays(np.asarray(row, np.int64), np.asarray(col, np.int64))
    # by division: products with 1/120 would set the shared edge of two cells twice, a last digit apart
    return cols / 120 - 180.0, 90.0 - (rows + 1) / 120, (cols + 1) / 120 - 180.0, 90.0 - rows / 120


def cell_centre(row: ArrayLike, col: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(lat, lon) of the middle of each cell, degrees."""
    rows, cols = np.broadcast_arrays(np.asarray(row, np.int64), np.asarray(col, np.int64))
    return 90.0 - (2 * rows + 1) / 240, (2 * cols + 1) / 240 - 180.0


def area_km2(row: ArrayLike) -> NDArray[np.float64]:
    """Area of a cell of each row on the WGS84 ellipsoid, km2: 0.85 at the equator, half of it near 60 degrees."""
    rows = np.asarray(row, np.int64)
    squared = _FLATTENING * (2.0 - _FLATTENING)  # eccentricity
    polar_km2 = _EQUATOR_KM**2 * (1.0 - squared)
    # Simpson's rule over so thin a band is exact to 1e-14, and keeps the digits that a difference of sines would lose
    sines, cosines = ([f(np.radians(90.0 - (rows + half) / 120)) for half in (0.0, 0.5, 1.0)] for f in (np.sin, np.cos))
    north, middle, south = (c / (1.0 - squared * s**2) ** 2 for s, c in zip(sines, cosines, strict=True))
    return np.asarray(polar_km2 * np.radians(STEP_DEG) ** 2 * (north + 4.0 * middle + south) / 6.0, np.float64)


def neighbor_ids(cell: ArrayLike, size: int = 1) -> NDArray[np.int64]:
    """(n, M, M) numbers of the cells around each of (n,) cells, itself in the middle, M = 2 * size + 1.

    Row-major, north-west first; around the date line; -1 beyond a pole.
    """
    rows, cols = row_col(np.asarray(cell, np.int64).reshape(-1, 1, 1))
    steps = np.arange(-size, size + 1)
    beside = rows + steps[:, None]
    around = beside * COLS + (cols + steps[None, :]) % COLS
    return np.where((beside >= 0) & (beside < ROWS), around, -1)


def positions(values: NDArray[np.int64], wanted: ArrayLike) -> NDArray[np.int64]:
    """Where each wanted number stands among ascending (n,) values, -1 where it does not; any shape."""
    asked = np.asarray(wanted, np.int64)
    if not values.size:
        return np.full(asked.shape, -1, np.int64)
    found = np.minimum(np.searchsorted(values, asked), values.size - 1)
    return np.where(values[found] == asked, found, -1)

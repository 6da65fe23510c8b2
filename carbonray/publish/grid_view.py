"""The part of an annual grid that was looked at, small enough to draw: one year, cropped, thinned where it is large.

Arrays are (y, x), row 0 north; longitudes rise eastward without a break, beyond 180 where the part lies across it.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BAND_ROWS = 360  # rows read at a time: the height of a shard
_VARIABLES = ("rel_emission", "detect_freq", "n_valid_days", "no2_umol_m2")


@dataclass(frozen=True)
class GridView:
    """What the maps draw.

    Attributes:
        year: calendar year.
        lat: (y,) pixel centres, descending.
        lon: (x,) pixel centres, ascending.
        rel_emission: (y, x) mean relative emission over valid days, NaN where nobody looked.
        detect_freq: (y, x) detections over valid days.
        n_valid_days: (y, x) days judged, NaN where nobody looked.
        no2_umol_m2: (y, x) mean column.
    """

    year: int
    lat: Floats
    lon: Floats
    rel_emission: Floats
    detect_freq: Floats
    n_valid_days: Floats
    no2_umol_m2: Floats


def grid_view(grid: xr.Dataset, year: int, margin_px: int = 6, most_px: int = 900) -> GridView | None:
    """One year of a stored grid around the pixels that were judged, or None where none were.

    Args:
        grid: what `grid_store.open_grid` opened.
        year: calendar year.
        margin_px: pixels kept around the judged ones.
        most_px: longest side; longer ones are thinned by the largest value of each block.
    """
    step = grid.isel(time=int(np.flatnonzero(grid["time"].dt.year.values == year)[0]))
    rows, cols = _judged(step)
    if not rows.any():
        return None
    where_row = np.flatnonzero(rows)
    top, bottom = max(where_row[0] - margin_px, 0), min(where_row[-1] + margin_px, rows.size - 1)
    first, count = _circular_run(cols)
    first, count = first - margin_px, min(count + 2 * margin_px, cols.size)
    columns = np.arange(first, first + count)
    thin = -(-max(bottom - top + 1, count) // most_px)
    lon = grid["lon"].values[columns % cols.size] + 360.0 * np.floor_divide(columns, cols.size)
    lat = grid["lat"].values[top : bottom + 1]
    fields = (_window(step[name], top, bottom, columns % cols.size, thin) for name in _VARIABLES)
    return GridView(year, _means(lat, thin), _means(lon, thin), *fields)


def _judged(step: xr.Dataset) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows and columns of the lattice with at least one judged pixel, read a band of shards at a time."""
    days = step["n_valid_days"]
    rows, cols = np.zeros(days.shape[0], bool), np.zeros(days.shape[1], bool)
    for start in range(0, days.shape[0], _BAND_ROWS):
        seen = days[start : start + _BAND_ROWS].values > 0
        rows[start : start + _BAND_ROWS] = seen.any(axis=1)
        cols |= seen.any(axis=0)
    return rows, cols


def _circular_run(cols: NDArray[np.bool_]) -> tuple[int, int]:
    """First column and length of the shortest run around the circle that holds all marked columns."""
    marked = np.flatnonzero(cols)
    gaps = np.diff(np.append(marked, marked[0] + cols.size))
    widest = int(np.argmax(gaps))
    first = int(marked[(widest + 1) % marked.size])
    return first, int(cols.size - gaps[widest] + 1)


def _window(field: xr.DataArray, top: int, bottom: int, columns: NDArray[np.int64], thin: int) -> Floats:
    breaks = np.flatnonzero(np.diff(columns) != 1) + 1
    pieces = [field[top : bottom + 1, run[0] : run[-1] + 1].values for run in np.split(columns, breaks)]
    values = np.concatenate(pieces, axis=1).astype(np.float64)
    if thin == 1:
        return values
    padded = np.pad(values, [(0, -size % thin) for size in values.shape], constant_values=np.nan)
    blocks = padded.reshape(padded.shape[0] // thin, thin, -1, thin)
    return np.asarray(np.fmax.reduce(np.fmax.reduce(blocks, axis=3), axis=1), np.float64)


def _means(axis: Floats, thin: int) -> Floats:
    padded = np.pad(axis.astype(np.float64), (0, -axis.size % thin), mode="reflect", reflect_type="odd")
    return np.asarray(padded.reshape(-1, thin).mean(axis=1), np.float64)

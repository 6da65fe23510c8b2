"""Exact area-weighted regridding of swath pixels to the global 0.05 degree lattice.

Source: SCIENCE 3.6; the clipping is Green's theorem, edge by edge, over (longitude, sin latitude), where areas are
those of the sphere and lattice cells are rectangles. A swath pixel is the quadrilateral whose edges are straight in
that plane, so neighbours that share corners share edges, and nothing is lost or counted twice between them.
Lattice arrays are (row, col): row 0 at 90 N, col 0 at 180 W; swath arrays are flat, one row a pixel.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.errors import ContractError
from carbonray.science.spatial.geodesy import band_area_km2, longitude_difference

PIXEL_DEG = 0.05
LATTICE_SHAPE = (3600, 7200)

# what `quad_rejections` finds, by code; 0 is a pixel that can be gridded
REJECTIONS = ("", "corners missing", "near a pole", "pixel too large", "corners degenerate or crossing")

_QUADS_AT_ONCE = 1 << 16  # bounds memory; part of the order of summation, so a constant and no setting
_TERMS_AT_ONCE = 1 << 20  # (pixel, column, row edge) terms in flight: 8 MB an array
_SLIVER = 1e-12  # share of a lattice pixel under which an overlap is rounding

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class GridRules:
    """Which swath pixels can be laid on the lattice."""

    max_abs_lat_deg: float = 88.0  # inferred: nearer a pole a straight edge is no longer the pixel's edge
    max_extent_deg: float = 20.0  # inferred: a 15 km pixel spans 4 degrees of longitude at 88 N


@dataclass(frozen=True)
class GriddedPixels:
    """Lattice pixels touched by valid swath pixels, sorted by row, then col.

    Attributes:
        row, col: (m,) int16 position on the lattice.
        coverage: (m,) float32 fraction of the lattice pixel covered, 1 at most where swath pixels overlap.
        values: (m, k) float32 area-weighted mean of each channel, NaN where no covering pixel has it.
        rejected: valid swath pixels that could not be gridded, counted by the name of the rule.
    """

    row: NDArray[np.int16]
    col: NDArray[np.int16]
    coverage: NDArray[np.float32]
    values: NDArray[np.float32]
    rejected: dict[str, int]


def lattice_lat(row: ArrayLike) -> Floats:
    """Latitude of pixel centres, degrees north."""
    return 90.0 - (np.asarray(row, np.float64) + 0.5) * PIXEL_DEG


def lattice_lon(col: ArrayLike) -> Floats:
    """Longitude of pixel centres, degrees east; in [-180, 180) for columns of the lattice."""
    return -180.0 + (np.asarray(col, np.float64) + 0.5) * PIXEL_DEG


def lattice_row(lat_deg: ArrayLike) -> NDArray[np.int16]:
    """Row of the lattice pixel that holds a latitude; a pole belongs to the row beside it."""
    row = np.floor((90.0 - np.asarray(lat_deg, np.float64)) / PIXEL_DEG)
    return np.clip(row, 0, LATTICE_SHAPE[0] - 1).astype(np.int16)


def lattice_col(lon_deg: ArrayLike) -> NDArray[np.int16]:
    """Column of the lattice pixel that holds a longitude, any number of turns."""
    col = np.floor((np.asarray(lon_deg, np.float64) + 180.0) / PIXEL_DEG)
    return np.mod(col, LATTICE_SHAPE[1]).astype(np.int16)


def lattice_area_km2(row: ArrayLike) -> Floats:
    """Area of one lattice pixel of a row, km2, exact on the sphere."""
    north = 90.0 - np.asarray(row, np.float64) * PIXEL_DEG
    return band_area_km2(north - PIXEL_DEG, north, PIXEL_DEG)


def grid_swath(
    lat_corners: NDArray[np.floating],
    lon_corners: NDArray[np.floating],
    values: NDArray[np.floating],
    valid: NDArray[np.bool_],
    rules: GridRules = GridRules(),
) -> GriddedPixels:
    """Lays valid swath pixels on the lattice, every overlap area exact.

    Mass is conserved: value times overlap area, summed over the lattice, is the sum over the gridded pixels. Where
    pixels overlap (bow-tie) the value is their area-weighted mean.

    Args:
        lat_corners: (n, 4) corner latitudes, degrees, around the pixel in either direction.
        lon_corners: (n, 4) corner longitudes, degrees, any number of turns; a pixel may lie across +-180.
        values: (n, k) channels; NaN leaves a pixel out of that channel only.
        valid: (n,) pixels to use.
        rules: limits near the poles.

    Raises:
        ContractError: the shapes do not fit together.
    """
    _require_shapes(lat_corners, lon_corners, values, valid)
    chosen = np.flatnonzero(valid)
    counts = np.zeros(len(REJECTIONS), np.int64)
    parts = []
    for first in range(0, len(chosen), _QUADS_AT_ONCE):
        some = chosen[first : first + _QUADS_AT_ONCE]
        lat, lon = unwrapped_corners(lat_corners[some], lon_corners[some])
        codes = quad_rejections(lat, lon, rules)
        counts += np.bincount(codes, minlength=len(REJECTIONS))
        good = codes == 0
        key, quad, area = quad_overlaps(lat[good], lon[good])
        parts.append(_summed(key, _weighted(values[some[good]], quad, area)))
    key, sums = _merged(parts, channels=values.shape[1])
    return _averaged(key, sums, {name: int(n) for name, n in zip(REJECTIONS, counts, strict=True) if name and n})


def unwrapped_corners(lat_corners: NDArray[np.floating], lon_corners: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Corners as float64, (n, 4), longitudes continued from the first corner so that no edge jumps a turn."""
    lat, lon = np.asarray(lat_corners, np.float64), np.asarray(lon_corners, np.float64)
    steps = longitude_difference(lon[:, 1:], lon[:, :-1])
    return lat, np.concatenate([lon[:, :1], lon[:, :1] + np.cumsum(steps, axis=1)], axis=1)


def quad_rejections(lat: Floats, lon: Floats, rules: GridRules) -> NDArray[np.int8]:
    """(n,) index into `REJECTIONS` of the first rule that rejects a quadrilateral, 0 where none does.

    Corners that wind around a pole do not close in longitude and count as near it.
    """
    missing: NDArray[np.bool_] = np.any(~np.isfinite(lat + lon), axis=1)
    lat, lon = np.where(missing[:, None], 0.0, lat), np.where(missing[:, None], 0.0, lon)
    closing = np.abs(longitude_difference(lon[:, 0], lon[:, 3]) - (lon[:, 0] - lon[:, 3]))
    polar = (np.abs(lat).max(axis=1) > rules.max_abs_lat_deg) | (closing > 1.0)
    large = np.maximum(np.ptp(lat, axis=1), np.ptp(lon, axis=1)) > rules.max_extent_deg
    flat = np.abs(_shoelace(lon, lat)) <= 1e-6 * PIXEL_DEG**2
    found = np.select([missing, polar, large, flat | _crossing(lon, lat)], [1, 2, 3, 4], 0)
    return found.astype(np.int8)


def quad_overlaps(lat: Floats, lon: Floats) -> tuple[Ints, Ints, Floats]:
    """Every overlap of quadrilaterals with lattice pixels.

    Takes (n, 4) corners that `quad_rejections` accepts, longitudes unwrapped.

    Returns:
        key (p,) row * 7200 + col of the lattice pixel, quad (p,) index of the quadrilateral, share (p,) of the
        lattice pixel's area that it covers.
    """
    x = (lon + 180.0) / PIXEL_DEG
    west = np.floor(x.min(axis=1)).astype(np.int64)
    south = np.floor((90.0 - lat.min(axis=1)) / PIXEL_DEG).astype(np.int64)
    columns = np.floor(x.max(axis=1)).astype(np.int64) - west + 1
    rows = south - np.floor((90.0 - lat.max(axis=1)) / PIXEL_DEG).astype(np.int64) + 1
    x -= west[:, None]
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for some, n_columns, n_rows in _same_box(columns, rows):
        share = _box_shares(x[some], lat[some], south[some], n_columns, n_rows)
        at, column, up = np.nonzero(share > _SLIVER)
        quad = some[at]
        row, col = south[quad] - up, np.mod(west[quad] + column, LATTICE_SHAPE[1])
        found.append((row * LATTICE_SHAPE[1] + col, quad, share[at, column, up]))
    key, quad, area = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return key, quad, area


def _same_box(columns: Ints, rows: Ints) -> Iterator[tuple[Ints, int, int]]:
    """Indices of quadrilaterals whose bounding boxes have one size, a bounded number at a time."""
    size = columns * LATTICE_SHAPE[0] + rows
    order = np.argsort(size, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(size[order])) + 1) if len(order) else ():
        n_columns, n_rows = int(columns[group[0]]), int(rows[group[0]])
        step = max(1, _TERMS_AT_ONCE // (n_columns * (n_rows + 1)))
        for first in range(0, len(group), step):
            yield group[first : first + step], n_columns, n_rows


def _box_shares(x: Floats, lat: Floats, south: Ints, n_columns: int, n_rows: int) -> Floats:
    """(n, n_columns, n_rows) covered share of the lattice pixels of each bounding box, rows counted northward.

    By Green's theorem the part of a polygon above a level, within a column, is the sum over its edges of the signed
    area between edge and level; rows are differences between levels.
    """
    floor = 90.0 - (south.astype(np.float64)[:, None] + 1) * PIXEL_DEG
    y, levels = _height(lat, floor), _height(floor + np.arange(n_rows + 1) * PIXEL_DEG, floor)
    column = np.arange(n_columns, dtype=np.float64)
    above = np.zeros((len(x), n_columns, n_rows + 1))
    for start in range(4):
        xa, xb, ya, yb = (v[:, i, None] for v in (x, y) for i in (start, (start + 1) % 4))
        slope = np.divide(yb - ya, xb - xa, out=np.zeros_like(xa), where=xb != xa)
        left, right = np.clip(xa, column, column + 1), np.clip(xb, column, column + 1)
        heights = ((ya + (end - xa) * slope)[..., None] - levels[:, None, :] for end in (left, right))
        above += (right - left)[..., None] * _mean_above(*heights)
    shares: Floats = -np.diff(above, axis=2) / np.diff(levels, axis=1)[:, None, :]
    return shares * -np.sign(_shoelace(x, y))[:, None, None]


def _mean_above(a: Floats, b: Floats) -> Floats:
    """Mean of max(h, 0) while h goes linearly from `a` to `b`."""
    up_a, up_b = np.maximum(a, 0.0), np.maximum(b, 0.0)
    rise = b - a
    part = np.divide(up_b - up_a, rise, out=np.ones_like(a), where=rise != 0)
    mean: Floats = 0.5 * (up_a + up_b) * part
    return mean


def _height(lat: Floats, floor: Floats) -> Floats:
    """sin(lat) - sin(floor) in lattice pixels at the equator, as a product that keeps its digits."""
    scale = 2.0 / np.radians(PIXEL_DEG)
    height: Floats = scale * np.cos(np.radians(lat + floor) / 2) * np.sin(np.radians(lat - floor) / 2)
    return height


def _shoelace(x: Floats, y: Floats) -> Floats:
    """Signed area of (n, 4) polygons, positive counter-clockwise."""
    area: Floats = 0.5 * ((x[:, 2] - x[:, 0]) * (y[:, 3] - y[:, 1]) - (x[:, 3] - x[:, 1]) * (y[:, 2] - y[:, 0]))
    return area


def _crossing(x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Whether two opposite edges of a quadrilateral cross: its corners are not in order around it."""

    def side(o: int, a: int, b: int) -> Floats:
        turn: Floats = (x[:, a] - x[:, o]) * (y[:, b] - y[:, o]) - (x[:, b] - x[:, o]) * (y[:, a] - y[:, o])
        return turn

    def edges_cross(a: int, b: int, c: int, d: int) -> NDArray[np.bool_]:
        return (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)

    return edges_cross(0, 1, 2, 3) | edges_cross(1, 2, 3, 0)


def _weighted(values: NDArray[np.floating], quad: Ints, area: Floats) -> Floats:
    """(p, 1 + 2k) of each overlap: area, then area and area times value of each channel, 0 where it is NaN."""
    pairs = values[quad].astype(np.float64)
    weight = np.where(np.isfinite(pairs), area[:, None], 0.0)
    return np.concatenate([area[:, None], weight, weight * np.nan_to_num(pairs, posinf=0.0, neginf=0.0)], axis=1)


def _summed(key: Ints, terms: Floats) -> tuple[Ints, Floats]:
    """Terms summed by key, in the order given; keys sorted."""
    unique, position = np.unique(key, return_inverse=True)
    sums = [np.bincount(position, weights=column, minlength=len(unique)) for column in terms.T]
    return unique, np.stack(sums, axis=1) if len(unique) else np.zeros((0, terms.shape[1]))


def _merged(parts: list[tuple[Ints, Floats]], channels: int) -> tuple[Ints, Floats]:
    """Partial sums of several chunks as one."""
    if not parts:
        return np.zeros(0, np.int64), np.zeros((0, 1 + 2 * channels))
    return _summed(np.concatenate([key for key, _ in parts]), np.concatenate([sums for _, sums in parts]))


def _averaged(key: Ints, sums: Floats, rejected: dict[str, int]) -> GriddedPixels:
    """Sums by lattice pixel as means and coverage."""
    channels = (sums.shape[1] - 1) // 2
    area, total = sums[:, 1 : 1 + channels], sums[:, 1 + channels :]
    row, col = np.divmod(key, LATTICE_SHAPE[1])
    return GriddedPixels(
        row=row.astype(np.int16),
        col=col.astype(np.int16),
        coverage=np.minimum(sums[:, 0], 1.0).astype(np.float32),
        values=np.divide(total, area, out=np.full_like(total, np.nan), where=area > 0).astype(np.float32),
        rejected=rejected,
    )


def _require_shapes(
    lat: NDArray[np.floating], lon: NDArray[np.floating], values: NDArray[np.floating], valid: NDArray[np.bool_]
) -> None:
    n = len(valid)
    if lat.shape == lon.shape == (n, 4) and values.ndim == 2 and len(values) == n and valid.ndim == 1:
        return
    raise ContractError(
        "swath arrays do not fit together",
        where="gridding.grid_swath",
        expected=f"corners ({n}, 4), values ({n}, k), valid ({n},), got {lat.shape}, {lon.shape}, {values.shape}",
        remedy="Flatten scan lines and ground pixels of every array alike.",
    )

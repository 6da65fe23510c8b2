"""Regridding and tiling: swath pixels a second beside one shapely intersection after another, and the mass it keeps."""

import time

import numpy as np
import shapely
from numpy.typing import NDArray

from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM
from carbonray.science.spatial.gridding import grid_swath, lattice_area_km2, quad_overlaps, unwrapped_corners
from carbonray.science.spatial.tiling import fill_gaps, tile_index, tile_origins

ORBIT = (4172, 450)  # scan lines and ground pixels of a TROPOMI orbit since 2019-08-06
SAMPLE = 1500  # pixels for the loop, one after another
INCLINATION_DEG = 98.7
HALF_SWATH_KM = 1300.0

Corners = NDArray[np.float64]


def orbit_corners() -> tuple[Corners, Corners]:
    """Corners (n, 4) of a day side between 80 S and 80 N, flown over a sphere that stands still."""
    along = np.radians(np.linspace(-82.0, 82.0, ORBIT[0] + 1))
    edge = np.linspace(-1.0, 1.0, ORBIT[1] + 1)
    across = HALF_SWATH_KM / EARTH_RADIUS_KM * np.sign(edge) * np.abs(edge) ** 1.3
    tilt = np.radians(INCLINATION_DEG)
    node, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, np.cos(tilt), np.sin(tilt)])
    track = np.cos(along)[:, None] * node + np.sin(along)[:, None] * up
    place = np.cos(across)[:, None] * track[:, None] + np.sin(across)[:, None] * np.cross(node, up)
    lat, lon = np.degrees(np.arcsin(place[..., 2])), np.degrees(np.arctan2(place[..., 1], place[..., 0]))
    return _ring(lat), _ring(lon)


def rows() -> list[dict[str, object]]:
    """Throughput of a full orbit, its mass error, the loop's throughput, and the cost of tiles."""
    lat, lon = orbit_corners()
    values = np.random.default_rng(0).normal(30.0, 20.0, (len(lat), 3)).astype(np.float32)
    clear = _clear_sky()
    start = time.perf_counter()
    pixels = grid_swath(lat, lon, values, clear)
    gridding_s = time.perf_counter() - start
    per_second = clear.sum() / gridding_s
    loop = SAMPLE / _loop_seconds(*unwrapped_corners(lat[clear][:SAMPLE], lon[clear][:SAMPLE]))
    start = time.perf_counter()
    origins = tile_origins(pixels.row, pixels.col, pixels.coverage)
    placing_s = time.perf_counter() - start
    tiles = tile_index(pixels.row, pixels.col, origins[:256])
    field = np.append(pixels.values[:, 0], np.nan)[tiles]
    start = time.perf_counter()
    fill_gaps(field, tiles >= 0)
    filling_ms = (time.perf_counter() - start) / len(tiles) * 1e3
    return [
        _row("gridding: swath pixels", per_second, "pixel s-1", "shapely, one pixel after another", per_second / loop),
        _row("gridding: one orbit, 60 % clear", gridding_s, "s", "a minute", gridding_s / 60.0),
        _row("gridding: relative mass error", _mass_error(lat, lon), "1", "1e-9", _mass_error(lat, lon) / 1e-9),
        _row(
            f"tiling: {len(origins)} tiles of one orbit placed", placing_s, "s", "gridding it", placing_s / gridding_s
        ),
        _row("tiling: gaps of a tile filled", filling_ms, "ms", None, None),
    ]


def _clear_sky() -> NDArray[np.bool_]:
    """60 % of the orbit's pixels, clear in patches of some hundred kilometres, none in the polar night."""
    coarse = np.random.default_rng(1).normal(size=(ORBIT[0] // 40 + 1, ORBIT[1] // 30 + 1))
    clear = np.kron(coarse < 0.25, np.ones((40, 30), bool))[: ORBIT[0], : ORBIT[1]]
    return clear.ravel()


def _mass_error(lat: Corners, lon: Corners) -> float:
    """Largest relative difference between a pixel's area and the sum of its parts, over every 50th pixel."""
    lat, lon = unwrapped_corners(lat[::50], lon[::50])
    key, quad, share = quad_overlaps(lat, lon)
    laid = np.bincount(quad, share * lattice_area_km2(key // 7200), minlength=len(lat))
    y = np.sin(np.radians(lat))
    diagonal = (lon[:, 2] - lon[:, 0]) * (y[:, 3] - y[:, 1]) - (lon[:, 3] - lon[:, 1]) * (y[:, 2] - y[:, 0])
    area = EARTH_RADIUS_KM**2 * np.abs(np.radians(diagonal)) / 2
    return float(np.abs(laid / area - 1.0).max())


def _loop_seconds(lat: Corners, lon: Corners) -> float:
    """Seconds shapely takes to intersect each pixel with each lattice pixel of its bounding box."""
    start = time.perf_counter()
    for ring_lat, ring_lon in zip(lat, lon, strict=True):
        quad = shapely.Polygon(np.column_stack([ring_lon, np.sin(np.radians(ring_lat))]))
        for row in range(int((90 - ring_lat.max()) / 0.05), int((90 - ring_lat.min()) / 0.05) + 1):
            bottom, top = np.sin(np.radians([90 - (row + 1) * 0.05, 90 - row * 0.05]))
            for col in range(int(np.floor(ring_lon.min() / 0.05)), int(np.floor(ring_lon.max() / 0.05)) + 1):
                _ = quad.intersection(shapely.box(col * 0.05, bottom, (col + 1) * 0.05, top)).area
    return time.perf_counter() - start


def _ring(edge: Corners) -> Corners:
    """Values at the edges of pixels, (s + 1, p + 1), as the (s * p, 4) corners around each."""
    around = (edge[:-1, :-1], edge[:-1, 1:], edge[1:, 1:], edge[1:, :-1])
    return np.stack(around, axis=-1).reshape(-1, 4)


def _row(name: str, value: float, unit: str, against: str | None, ratio: float | None) -> dict[str, object]:
    return {"name": name, "value": float(value), "unit": unit, "against": against, "ratio": ratio}

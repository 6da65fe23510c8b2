"""A field as a push-broom spectrometer sees it: swath pixels, noise, stripes, clouds, lost scan lines.

Source: SCIENCE 3.10; pixel sizes from `vocab.sensors`. Noise and stripes live on the swath's own pixels, which are
averaged onto the lattice afterwards: each lattice pixel is four sub-points, each in one swath pixel, and it is valid
where all four are. Arrays are (scene, y, x), row 0 north, umol m-2, NaN where nothing was seen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from carbonray.science.no2.scene_weather import Weather
from carbonray.science.no2.variates import F32, F64, SceneVariates
from carbonray.vocab.sensors import SWATHS

_SUB = 2  # sub-points a side of a lattice pixel
_INCLINATION_DEG = 98.7  # Sentinel-5P orbit
_GROUND_SPEED_KM_S = 6.57  # 40 030 km in 101.5 minutes
_EQUATOR_SPEED_KM_S = 0.465  # of the turning Earth
_WIDENING_POWER = 3.8  # 450 pixels from 3.5 km widening as |x|^3.8 to 14.5 km span the 2600 km


@dataclass(frozen=True)
class SwathRules:
    """Ranges of what the instrument adds, all inferred (SCIENCE 3.10) unless a comment names a source.

    Attributes:
        early_share: scenes seen with the 7 km pixels used before 2019-08-06.
        noise_umol_m2: standard deviation of the noise of a swath pixel over a clean background.
        amf_relative_sd, amf_range_km: relative error shared over a correlation range.
        tail_share, tail_gain: pixels whose noise is larger, and by how much.
        stripe_umol_m2: standard deviation of the offset of a swath column.
        cloud_max, cloud_skew, cloud_range_km: largest cloud fraction, exponent of its uniform, size of the clouds.
        cloud_wind_correlation: of the ranks of cloud fraction and wind.
        lost_line_share, lost_lines: scenes with missing scan lines, and the most of them.
    """

    early_share: float = 0.3
    # SCIENCE 3.10 quotes 10-20 around ddeq's 15; the Matimba granule of 2021-07-25 shows 7 (3.11), hence 6
    noise_umol_m2: tuple[float, float] = (6.0, 20.0)
    amf_relative_sd: tuple[float, float] = (0.15, 0.3)
    amf_range_km: float = 30.0
    tail_share: float = 0.01
    tail_gain: float = 4.0
    stripe_umol_m2: tuple[float, float] = (2.0, 4.0)
    cloud_max: float = 0.75
    cloud_skew: float = 3.0  # two thirds of the scenes pass the 75 % rule of coverage
    cloud_range_km: tuple[float, float] = (20.0, 100.0)
    cloud_wind_correlation: float = 0.3
    lost_line_share: float = 0.1
    lost_lines: int = 3


@dataclass(frozen=True)
class SwathGrid:
    """Where a scene's sub-points fall among its swath pixels.

    Attributes:
        cell: (scene, rows * 2, cols * 2) index of the swath pixel, unique over the batch, scan line by scan line.
        first: (scene + 1,) where each scene's swath pixels begin.
        columns: (scene,) swath columns of each scene.
        along_km, across_km: (scene,) size of a swath pixel.
    """

    cell: NDArray[np.int64]
    first: NDArray[np.int64]
    columns: NDArray[np.int64]
    along_km: F64
    across_km: F64


def track_heading_rad(lat_deg: F64) -> F64:
    """Heading of the ascending ground track, radians clockwise from north, the Earth turning underneath."""
    lat = np.radians(lat_deg)
    azimuth = np.arcsin(np.clip(np.cos(np.radians(_INCLINATION_DEG)) / np.cos(lat), -1.0, 1.0))
    east = _GROUND_SPEED_KM_S * np.sin(azimuth) - _EQUATOR_SPEED_KM_S * np.cos(lat)
    return np.asarray(np.arctan2(east, _GROUND_SPEED_KM_S * np.cos(azimuth)), np.float64)


def across_track_km(distance: F64) -> F64:
    """Width of the pixel at a distance from nadir, as a fraction (0 to 1) of half the swath."""
    nadir, edge = SWATHS["tropomi"].across_track_km
    x = np.linspace(0.0, 1.0, 256)
    reached = nadir * x + (edge - nadir) * x ** (_WIDENING_POWER + 1.0) / (_WIDENING_POWER + 1.0)
    position = np.interp(distance * reached[-1], reached, x)
    return np.asarray(nadir + (edge - nadir) * position**_WIDENING_POWER, np.float64)


def draw_swath_grid(
    rules: SwathRules, variates: SceneVariates, lat_deg: F64, dx_m: F64, dy_m: float, pixels: int
) -> SwathGrid:
    """Swath pixels over a batch of tiles: era, distance from nadir and phase drawn, heading from the latitude."""
    before, since = SWATHS["tropomi"].along_track_km
    along = np.where(variates.column() < rules.early_share, before, since)
    across = across_track_km(variates.column())
    heading = track_heading_rad(lat_deg)
    sin, cos = np.sin(heading), np.cos(heading)
    # along a row of the lattice one goes east, down its columns south
    east, south = 1e-3 * dx_m, np.full(len(dx_m), 1e-3 * dy_m)
    column = _pixel_numbers(east * cos / across, south * sin / across, variates.column(), pixels)
    line = _pixel_numbers(east * sin / along, -south * cos / along, variates.column(), pixels)
    columns, lines = column.max(axis=(1, 2)) + 1, line.max(axis=(1, 2)) + 1
    first = np.concatenate([[0], np.cumsum(columns * lines)])
    line *= columns[:, None, None]
    line += column
    line += first[:-1, None, None]
    return SwathGrid(line, first, columns, along, across)


def _pixel_numbers(per_col: F64, per_row: F64, phase: F64, pixels: int) -> NDArray[np.int64]:
    """Whole swath pixels (scene, y, x) from the first one touched, at the sub-points of the lattice."""
    points = (np.arange(pixels * _SUB) + 0.5) / _SUB
    # a plane's least value is at a corner
    least = np.minimum(per_col * points[0], per_col * points[-1]) + np.minimum(
        per_row * points[0], per_row * points[-1]
    )
    start = phase - np.floor(least + phase)
    across = (per_col[:, None] * points + start[:, None]).astype(np.float32)
    down = (per_row[:, None] * points).astype(np.float32)
    # rounding may leave a first sub-point a hair below zero
    return np.asarray(np.maximum(across[:, None, :] + down[:, :, None], np.float32(0.0)).astype(np.int64), np.int64)


def observed_columns(
    rules: SwathRules, variates: SceneVariates, grid: SwathGrid, column_umol_m2: F32, clear: NDArray[np.bool_]
) -> F32:
    """Retrieved columns (scene, y, x) of a field already seen through its retrieval factor and AMF error."""
    scenes, rows, cols = column_umol_m2.shape
    cell = grid.cell.reshape(-1)
    fine = np.repeat(np.repeat(column_umol_m2, _SUB, axis=1), _SUB, axis=2).reshape(-1)
    total = np.bincount(cell, weights=fine, minlength=int(grid.first[-1]))
    count = np.bincount(cell, minlength=int(grid.first[-1]))
    seen = total / np.maximum(count, 1) + swath_errors(rules, variates, grid)
    lattice = seen.astype(np.float32)[grid.cell].reshape(scenes, rows, _SUB, cols, _SUB)
    quarter = (lattice[:, :, 0, :, 0] + lattice[:, :, 0, :, 1]) + (lattice[:, :, 1, :, 0] + lattice[:, :, 1, :, 1])
    return np.asarray(np.where(clear, np.float32(1.0 / _SUB**2) * quarter, np.float32(np.nan)), np.float32)


def swath_errors(rules: SwathRules, variates: SceneVariates, grid: SwathGrid) -> F32:
    """Noise with heavy tails, stripes and lost lines (NaN) of every swath pixel, (cell,) umol m-2."""
    noise_sd = variates.between(rules.noise_umol_m2)
    stripe_sd = variates.between(rules.stripe_umol_m2)
    lost = variates.column() < rules.lost_line_share
    lost_count = 1 + np.floor(rules.lost_lines * variates.column()).astype(int)
    errors = np.empty(int(grid.first[-1]), np.float32)
    for k, generator in enumerate(variates.generators):
        table = errors[grid.first[k] : grid.first[k + 1]].reshape(-1, grid.columns[k])
        generator.standard_normal(out=table, dtype=np.float32)
        table *= np.float32(noise_sd[k])
        tails = generator.integers(table.size, size=round(rules.tail_share * table.size))
        table.reshape(-1)[tails] *= np.float32(rules.tail_gain)
        table += np.float32(stripe_sd[k]) * generator.standard_normal(grid.columns[k], dtype=np.float32)
        if lost[k]:
            table[generator.integers(len(table), size=lost_count[k])] = np.nan
    return errors


def clear_sky(rules: SwathRules, variates: SceneVariates, weather: Weather, field: F32) -> NDArray[np.bool_]:
    """Pixels (scene, y, x) without cloud: the field's highest part is cloud, more of it in strong wind."""
    rho = rules.cloud_wind_correlation
    wind = ndtri(np.clip(weather.speed_rank, 1e-12, 1.0 - 1e-12))
    rank = ndtr(rho * wind + np.sqrt(1.0 - rho**2) * variates.normal())
    cloudy = rules.cloud_max * rank**rules.cloud_skew
    flat = field.reshape(len(field), field.shape[1] * field.shape[2])
    keep = np.minimum(np.floor((1.0 - cloudy) * flat.shape[1]).astype(int), flat.shape[1] - 1)
    limit = np.asarray([np.partition(row, k)[k] for row, k in zip(flat, keep, strict=True)], np.float32)
    return np.asarray(field <= limit[:, None, None], np.bool_)

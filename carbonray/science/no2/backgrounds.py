"""What lies under the plumes: smooth backgrounds, weak unlabelled sources, shipping lines, confusing blobs.

Source: SCIENCE 3.10. Random fields and the steady plumes of weak sources are sums of the same plane waves on a torus
larger than the tile, so that one product with a fixed basis makes both, and weak plumes also blow in from outside.
Arrays are (scene, y, x), row 0 north, columns in umol m-2; spectra are (scene, 2K + 1 rows, K + 1 columns).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from carbonray.science.no2.dispersion import umol_m2_from_kg_m2
from carbonray.science.no2.scene_weather import Weather
from carbonray.science.no2.variates import F32, F64, SceneVariates, log_between

C64 = NDArray[np.complex64]

TORUS_PX = 96  # period of the plane waves
MODES = 24  # waves down to 4 pixels: ranges and weak sources are wider than that
SPECTRUM = (2 * MODES + 1, MODES + 1)


@dataclass(frozen=True)
class BackgroundRules:
    """Ranges of what is not a labelled source, all inferred (SCIENCE 3.10).

    Attributes:
        level_umol_m2: mean background.
        range_km, relative_sd: correlation range and relative size of its random part.
        gradient: largest relative change over half a tile.
        weak_sources, weak_kg_s, weak_sd_km: most urban and road areas on the torus, emission and size of one.
        shipping_share, shipping_kg_s_km, shipping_sd_km: scenes with a lane, its emission per length and width.
        blobs, blob_umol_m2, blob_sd_km: most soil, fire and lightning blobs, height and size.
    """

    level_umol_m2: tuple[float, float] = (5.0, 60.0)
    range_km: tuple[float, float] = (50.0, 150.0)
    relative_sd: tuple[float, float] = (0.05, 0.25)
    gradient: float = 0.4
    weak_sources: int = 6
    weak_kg_s: tuple[float, float] = (0.003, 0.1)
    weak_sd_km: tuple[float, float] = (8.0, 25.0)
    shipping_share: float = 0.2
    shipping_kg_s_km: tuple[float, float] = (3e-5, 3e-4)
    shipping_sd_km: float = 8.0
    blobs: int = 3
    blob_umol_m2: tuple[float, float] = (5.0, 40.0)
    blob_sd_km: tuple[float, float] = (12.0, 50.0)


def shifted_background() -> BackgroundRules:
    """Rougher and busier than the default: what the shift tier stands its plumes on."""
    return BackgroundRules(
        range_km=(25.0, 80.0), relative_sd=(0.1, 0.35), gradient=0.6, weak_sources=10, blobs=4, shipping_share=0.4
    )


@lru_cache(maxsize=4)
def _basis(pixels: int) -> tuple[C64, C64]:
    """Plane waves at pixel centres: exp(2 pi i q row / P) as (pixel, q), exp(2 pi i p col / P) as (p, pixel)."""
    centre = np.arange(pixels) + 0.5
    rows = np.exp(2j * np.pi / TORUS_PX * centre[:, None] * np.arange(-MODES, MODES + 1))
    cols = np.exp(2j * np.pi / TORUS_PX * np.arange(MODES + 1)[:, None] * centre)
    return rows.astype(np.complex64), cols.astype(np.complex64)


def fields_from_spectra(spectra: C64, pixels: int) -> F32:
    """Real fields (..., pixels, pixels) of half-plane spectra (..., 2K + 1, K + 1)."""
    rows, cols = _basis(pixels)
    across = rows @ spectra
    # the real part of a product of complex matrices is two real products
    return np.asarray(across.real @ cols.real - across.imag @ cols.imag, np.float32)


def wave_numbers(dx_m: F64, dy_m: float) -> tuple[F64, F64]:
    """Wave numbers toward east (scene, 1, K + 1) and north (2K + 1, 1), rad m-1; rows run south."""
    east = 2.0 * np.pi / TORUS_PX * np.arange(MODES + 1) / dx_m[:, None, None]
    north = np.asarray(-2.0 * np.pi / TORUS_PX * np.arange(-MODES, MODES + 1)[:, None] / dy_m, np.float64)
    return east, north


def correlated_spectra(white: F32, range_m: F64, dx_m: F64, dy_m: float) -> C64:
    """Spectra of unit-variance fields with the power law (1 + (k range)^2)^-2, from white (scene, *SPECTRUM, 2)."""
    east, north = wave_numbers(dx_m, dy_m)
    reach = range_m[:, None, None]
    amplitude = 1.0 / (1.0 + (east * reach) ** 2 + (north * reach) ** 2)
    amplitude[:, MODES, 0] = 0.0  # no mean: levels are drawn by name
    amplitude[:, :, 0] *= np.sqrt(0.5)  # this column holds both members of each pair of waves
    amplitude /= np.sqrt((amplitude**2).sum(axis=(1, 2), keepdims=True))
    return _complex(white * amplitude.astype(np.float32)[..., None])


def weak_spectra(rules: BackgroundRules, variates: SceneVariates, weather: Weather, dx_m: F64, dy_m: float) -> C64:
    """Spectra, umol m-2, of the steady advected, diffused, decaying columns of weak areas and shipping lanes."""
    row, col, q, sd_km = _weak_sources(rules, variates, dx_m, dy_m)
    east, north = wave_numbers(dx_m, dy_m)
    sd_m = 1e3 * sd_km
    waves_col = _waves(col, np.arange(MODES + 1), np.exp(-0.5 * (east[:, 0, None, :] * sd_m[:, :, None]) ** 2))
    size_row = np.exp(-0.5 * (north[:, 0] * sd_m[:, :, None]) ** 2) * q[:, :, None]
    waves_row = _waves(row, np.arange(-MODES, MODES + 1), size_row)
    emission = np.swapaxes(waves_row, 1, 2) @ waves_col
    u, v, k = (a[:, None, None] for a in (weather.u_m_s, weather.v_m_s, weather.diffusivity_m2_s))
    loss = 1.0 / (3600.0 * weather.tau_h[:, None, None]) + k * (east**2 + north**2)
    drift = east * u + north * v
    scale = umol_m2_from_kg_m2(1.0) / (TORUS_PX**2 * dy_m * dx_m[:, None, None])
    scale = scale * np.where(np.arange(MODES + 1) > 0, 2.0, 1.0)  # the half plane stands for the whole
    scale = scale / (loss**2 + drift**2)
    # times 1 / (loss + i drift), in real numbers: complex products round differently at the end of an array
    real, imag = emission.real.astype(np.float64), emission.imag.astype(np.float64)
    parts = np.stack([scale * (real * loss + imag * drift), scale * (imag * loss - real * drift)], axis=-1)
    return _complex(parts.astype(np.float32))


def _complex(parts: F32) -> C64:
    """(...) complex numbers of contiguous (..., 2) real and imaginary parts."""
    return np.asarray(parts.view(np.complex64)[..., 0], np.complex64)


def _waves(position_px: F64, number: NDArray[np.int64], amplitude: F64) -> C64:
    """Waves amplitude exp(-2 pi i number position / P): (scene, source, wave)."""
    phase = ((-2.0 * np.pi / TORUS_PX) * position_px[:, :, None] * number).astype(np.float32)
    size = amplitude.astype(np.float32)
    return _complex(np.stack([size * np.cos(phase), size * np.sin(phase)], axis=-1))


_LANE_POINTS = 24


def _weak_sources(rules: BackgroundRules, variates: SceneVariates, dx_m: F64, dy_m: float) -> tuple[F64, F64, F64, F64]:
    """Row, col on the torus, kg s-1 and size in km of weak areas and of the points of a lane: (scene, source)."""
    slots = rules.weak_sources
    present = np.arange(slots) < np.floor(variates.column() * (slots + 1))[:, None]
    q = np.where(present, log_between(variates.columns(slots), rules.weak_kg_s), 0.0)
    low, high = rules.weak_sd_km
    sd = low + (high - low) * variates.columns(slots)
    row, col = TORUS_PX * variates.columns(slots), TORUS_PX * variates.columns(slots)
    heading, along = 2.0 * np.pi * variates.column(), (np.arange(_LANE_POINTS) - _LANE_POINTS / 2 + 0.5)
    step_px = TORUS_PX / _LANE_POINTS
    lane_row = TORUS_PX * variates.column()[:, None] + np.sin(heading)[:, None] * along * step_px
    lane_col = TORUS_PX * variates.column()[:, None] + np.cos(heading)[:, None] * along * step_px
    step_km = 1e-3 * step_px * np.hypot(dx_m * np.cos(heading), dy_m * np.sin(heading))
    has_lane = variates.column() < rules.shipping_share
    lane_q = np.where(has_lane, step_km * log_between(variates.column(), rules.shipping_kg_s_km), 0.0)
    points = np.ones(_LANE_POINTS)
    return (
        np.concatenate([row, lane_row], axis=1),
        np.concatenate([col, lane_col], axis=1),
        np.concatenate([q, lane_q[:, None] * points], axis=1),
        np.concatenate([sd, np.full_like(lane_row, rules.shipping_sd_km)], axis=1),
    )


def background_spectra(
    rules: BackgroundRules, variates: SceneVariates, white: F32, level_umol_m2: F64, dx_m: F64, dy_m: float
) -> C64:
    """Spectra, umol m-2, of the random part of the background."""
    reach = 1e3 * variates.between(rules.range_km)
    size = level_umol_m2 * variates.between(rules.relative_sd)
    return correlated_spectra(white * size.astype(np.float32)[:, None, None, None], reach, dx_m, dy_m)


def smooth_parts(
    rules: BackgroundRules, variates: SceneVariates, level_umol_m2: F64, dx_m: F64, dy_m: float, pixels: int
) -> F32:
    """Level, gradient and blobs, umol m-2."""
    unit = (np.arange(pixels) + 0.5) * (2.0 / pixels) - 1.0
    tilt = level_umol_m2 * rules.gradient * variates.column()
    heading = 2.0 * np.pi * variates.column()
    plane = (tilt * np.sin(heading))[:, None, None] * unit[:, None] + (tilt * np.cos(heading))[:, None, None] * unit
    low, high = rules.blob_sd_km
    sd_m = 1e3 * (low + (high - low) * variates.columns(rules.blobs))
    present = np.arange(rules.blobs) < np.floor(variates.column() * (rules.blobs + 1))[:, None]
    height = np.where(present, log_between(variates.columns(rules.blobs), rules.blob_umol_m2), 0.0)
    rows = _bells(pixels * variates.columns(rules.blobs), sd_m / dy_m, pixels) * height[:, :, None]
    cols = _bells(pixels * variates.columns(rules.blobs), sd_m / dx_m[:, None], pixels)
    blobs = np.swapaxes(rows, 1, 2) @ cols
    return np.asarray(level_umol_m2[:, None, None] + plane + blobs, np.float32)


def _bells(centre_px: F64, sd_px: F64, pixels: int) -> F64:
    offset = (np.arange(pixels) + 0.5 - centre_px[:, :, None]) / sd_px[:, :, None]
    return np.asarray(np.exp(-0.5 * offset**2), np.float64)

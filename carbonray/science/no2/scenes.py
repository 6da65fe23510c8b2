"""Simulated NO2 scenes with their truth: G1, steady Gaussian plumes to train on, and G2, wandering puffs to test on.

Source: SCIENCE 3.10. A scene is 64 x 64 pixels of the 0.05 degree lattice; arrays are (scene, y, x), row 0 north,
columns in umol m-2, NaN where not seen. Positions are in pixels from the north-west corner, pixel i from i to i + 1.
Scene i of a seed is the same numbers whatever batch it is drawn in.
"""

import hashlib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carbonray.science.no2 import backgrounds, swath_noise
from carbonray.science.no2.backgrounds import BackgroundRules, shifted_background
from carbonray.science.no2.puffs import PuffRules
from carbonray.science.no2.retrieval import RetrievalRules, draw_retrieval
from carbonray.science.no2.scene_sources import PIXEL_NORTH_M, SCENE_PX, SourceRules, draw_inflow, draw_sources
from carbonray.science.no2.scene_weather import Weather, WeatherRules, draw_weather
from carbonray.science.no2.steady_plumes import steady_transport
from carbonray.science.no2.swath_noise import SwathRules
from carbonray.science.no2.variates import F32, F64, SceneVariates
from carbonray.science.no2.wandering_plumes import ShiftRules, wandering_transport

GENERATOR_FILES = (
    "backgrounds",
    "dispersion",
    "plume_pixels",
    "puffs",
    "retrieval",
    "scene_sources",
    "scene_weather",
    "scenes",
    "steady_plumes",
    "swath_noise",
    "variates",
    "wandering_plumes",
)

_CHUNK = 32  # scenes at a time, so that the work stays in cache


@dataclass(frozen=True)
class SceneRules:
    """Everything a generator may be told: each room's ranges stand beside their consumer.

    `shift_background`, `shift` and `puffs` are of the shift tier G2 alone.
    """

    sources: SourceRules = field(default_factory=SourceRules)
    weather: WeatherRules = field(default_factory=WeatherRules)
    background: BackgroundRules = field(default_factory=BackgroundRules)
    retrieval: RetrievalRules = field(default_factory=RetrievalRules)
    swath: SwathRules = field(default_factory=SwathRules)
    shift_background: BackgroundRules = field(default_factory=shifted_background)
    shift: ShiftRules = field(default_factory=ShiftRules)
    puffs: PuffRules = field(default_factory=PuffRules)


@dataclass(frozen=True)
class Scenes:
    """Scenes and the truth behind them.

    Attributes:
        no2_umol_m2: (n, 64, 64) retrieved column, NaN where invalid.
        no2_true_umol_m2: (n, 64, 64) true column without noise or retrieval factor.
        plume_umol_m2: (n, 64, 64) true enhancement by labelled sources.
        wind_u_m_s, wind_v_m_s: (n, 64, 64) wind as a reanalysis would report it.
        lat_deg: (n,) latitude of the centre; a pixel is 5.566 km by 5.566 km cos(lat).
        cloud_fraction: (n,) part of the tile under cloud.
        wind_speed_m_s: (n,) true transport wind.
        tau_h: (n,) lifetime of NO2.
        stability: (n,) Pasquill index, 0 (A) to 3 (D).
        n_sources: (n,) labelled sources.
        source_row, source_col: (n, 6) positions, pixels from the north-west corner (centres at i + 0.5), NaN padded.
        source_q_kg_s: (n, 6) emission as NO2, NaN padded.
        source_size_px: (n, 6) side of the footprint, 0 padded.
        along_track_km: (n,) length of the swath pixels, 7 or 5.5.
    """

    no2_umol_m2: F32
    no2_true_umol_m2: F32
    plume_umol_m2: F32
    wind_u_m_s: F32
    wind_v_m_s: F32
    lat_deg: F64
    cloud_fraction: F64
    wind_speed_m_s: F64
    tau_h: F64
    stability: NDArray[np.int8]
    n_sources: NDArray[np.int16]
    source_row: F64
    source_col: F64
    source_q_kg_s: F64
    source_size_px: NDArray[np.int8]
    along_track_km: F64


def simulate_g1(rules: SceneRules, indices: NDArray[np.int64], seed: int) -> Scenes:
    """Scenes of the training generator: one steady wind a scene, Gaussian column plumes.

    Args:
        rules: every range.
        indices: (n,) keys of the scenes.
        seed: of the whole set.
    """
    return _in_chunks(rules, np.asarray(indices, np.int64), seed, "g1", None)


def simulate_g2(rules: SceneRules, indices: NDArray[np.int64], seed: int, hourly_share: F64 | None = None) -> Scenes:
    """Scenes of the shift tier, for tests only: wandering puffs, NO chemistry and other backgrounds.

    Args:
        rules: every range; `shift_background` stands in for `background`.
        indices: (n,) keys of the scenes.
        seed: of the whole set.
        hourly_share: (n, 6, hour) emission relative to the drawn one, the hour of the overpass last; drawn where None.
    """
    shifted = replace(rules, background=rules.shift_background)
    return _in_chunks(shifted, np.asarray(indices, np.int64), seed, "g2", hourly_share)


def _in_chunks(rules: SceneRules, indices: NDArray[np.int64], seed: int, tag: str, hourly_share: F64 | None) -> Scenes:
    parts = []
    for start in range(0, max(len(indices), 1), _CHUNK):
        part = slice(start, start + _CHUNK)
        hourly = None if hourly_share is None else hourly_share[part]
        parts.append(_simulate(rules, SceneVariates.of(seed, tag, indices[part]), tag, hourly))
    return Scenes(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Scenes)})


def _simulate(rules: SceneRules, variates: SceneVariates, tag: str, hourly_share: F64 | None) -> Scenes:
    weather = draw_weather(rules.weather, variates)
    dx_m = PIXEL_NORTH_M * np.cos(np.radians(weather.lat_deg))
    sources = draw_sources(rules.sources, variates)
    inflow = draw_inflow(rules.sources, variates, weather, dx_m)
    if tag == "g1":
        moved = steady_transport(weather, sources, inflow, dx_m)
    else:
        moved = wandering_transport(
            rules.shift, rules.puffs, rules.weather, variates, weather, sources, inflow, dx_m, hourly_share
        )
    under, amf, cloud = _smooth_fields(rules, variates, weather, dx_m)
    true = under + moved.inflow + moved.labelled
    factor, residual = (a.astype(np.float32)[:, None, None] for a in draw_retrieval(rules.retrieval, variates))
    clear = swath_noise.clear_sky(rules.swath, variates, weather, cloud)
    grid = swath_noise.draw_swath_grid(rules.swath, variates, weather.lat_deg, dx_m, PIXEL_NORTH_M, SCENE_PX)
    seen = swath_noise.observed_columns(rules.swath, variates, grid, factor * amf * true + residual, clear)
    return Scenes(
        no2_umol_m2=seen,
        no2_true_umol_m2=true,
        plume_umol_m2=moved.labelled,
        wind_u_m_s=moved.reported_u_m_s,
        wind_v_m_s=moved.reported_v_m_s,
        lat_deg=weather.lat_deg,
        cloud_fraction=1.0 - clear.mean(axis=(1, 2)),
        wind_speed_m_s=weather.speed_m_s,
        tau_h=weather.tau_h,
        stability=weather.stability.astype(np.int8),
        n_sources=(moved.sources.size_px > 0).sum(axis=1).astype(np.int16),
        source_row=moved.sources.row,
        source_col=moved.sources.col,
        source_q_kg_s=moved.sources.q_kg_s,
        source_size_px=moved.sources.size_px,
        along_track_km=grid.along_km,
    )


def _smooth_fields(rules: SceneRules, variates: SceneVariates, weather: Weather, dx_m: F64) -> tuple[F32, F32, F32]:
    """Background with weak sources (umol m-2), multiplicative AMF error, and the field behind the clouds."""
    white = variates.normals((3, *backgrounds.SPECTRUM, 2))
    level = variates.between(rules.background.level_umol_m2)
    spectra = np.stack(
        [
            backgrounds.background_spectra(rules.background, variates, white[:, 0], level, dx_m, PIXEL_NORTH_M)
            + backgrounds.weak_spectra(rules.background, variates, weather, dx_m, PIXEL_NORTH_M),
            backgrounds.correlated_spectra(
                white[:, 1], np.full(len(dx_m), 1e3 * rules.swath.amf_range_km), dx_m, PIXEL_NORTH_M
            ),
            backgrounds.correlated_spectra(
                white[:, 2], 1e3 * variates.between(rules.swath.cloud_range_km), dx_m, PIXEL_NORTH_M
            ),
        ],
        axis=1,
    )
    waves = backgrounds.fields_from_spectra(spectra, SCENE_PX)
    smooth = backgrounds.smooth_parts(rules.background, variates, level, dx_m, PIXEL_NORTH_M, SCENE_PX)
    spread = variates.between(rules.swath.amf_relative_sd).astype(np.float32)[:, None, None]
    # a rough background may dip below nothing where a gradient has left little
    return np.maximum(smooth + waves[:, 0], np.float32(0.0)), 1.0 + spread * waves[:, 1], waves[:, 2]


def paint_targets(scenes: Scenes, q_max_kg_s: float, row_px: int = 4) -> F32:
    """Relative emission (n, 64, 64): min(Q / q_max, 1) on each source's footprint, the greatest where they overlap.

    A footprint is the square of max(row_px, size_px) pixels around the source, cut at the edge of the tile; 0
    elsewhere. A source's total stands on every pixel of its footprint, so that all strength classes are filled.

    Args:
        scenes: scenes with their sources.
        q_max_kg_s: emission that becomes 1.
        row_px: smallest side painted, pixels.
    """
    targets = np.zeros((len(scenes.lat_deg), SCENE_PX, SCENE_PX), np.float32)
    for scene, slot in zip(*np.nonzero(scenes.source_size_px), strict=True):
        side = max(row_px, int(scenes.source_size_px[scene, slot]))
        row = int(np.floor(scenes.source_row[scene, slot] - side / 2.0 + 0.5))
        col = int(np.floor(scenes.source_col[scene, slot] - side / 2.0 + 0.5))
        footprint = targets[scene, max(row, 0) : row + side, max(col, 0) : col + side]
        np.maximum(footprint, min(scenes.source_q_kg_s[scene, slot] / q_max_kg_s, 1.0), out=footprint)
    return targets


def generator_sha256() -> str:
    """Hash over the generator's source files, in name order: what a frozen test generator is recognised by."""
    room = Path(__file__).parent
    digest = hashlib.sha256()
    for name in GENERATOR_FILES:
        digest.update((room / f"{name}.py").read_bytes())
    return digest.hexdigest()

"""Sources of simulated scenes: those with a label, and one that blows in from outside the tile.

Source: SCIENCE 3.10. Arrays are (scene, slot), slot up to 6; positions are in pixels from the north-west corner of the
tile, pixel i from i to i + 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.science.no2.scene_weather import Weather
from carbonray.science.no2.variates import F64, SceneVariates, log_between

SCENE_PX = 64
MAX_SOURCES = 6
PIXEL_NORTH_M = 5566.0  # 0.05 degrees of a meridian


@dataclass(frozen=True)
class SourceRules:
    """Ranges of the sources, all inferred (SCIENCE 3.10).

    Attributes:
        empty_share: scenes without a labelled source.
        count_weights: relative frequency of one, two, ... six sources.
        q_kg_s: emission as NO2, log-uniform.
        even_share: sources drawn uniformly over the range instead, so that every strength class is filled.
        size_weights: relative frequency of footprints of 1 to 6 pixels a side.
        inflow_share, inflow_q_kg_s, inflow_km: scenes with an unlabelled plume from outside, its emission and the
            distance of its source from the tile.
    """

    empty_share: float = 0.15
    count_weights: tuple[float, ...] = (0.25, 0.2, 0.2, 0.15, 0.1, 0.1)
    q_kg_s: tuple[float, float] = (0.01, 3.0)
    even_share: float = 0.3
    size_weights: tuple[float, ...] = (0.4, 0.2, 0.15, 0.1, 0.1, 0.05)
    inflow_share: float = 0.3
    inflow_q_kg_s: tuple[float, float] = (0.1, 3.0)
    inflow_km: tuple[float, float] = (5.0, 60.0)


@dataclass(frozen=True)
class Sources:
    """Labelled sources of n scenes, (scene, 6), NaN or 0 where there are fewer.

    Attributes:
        row, col: position, pixels from the north-west corner.
        q_kg_s: emission as NO2.
        size_px: side of the square footprint, 0 where there is none.
    """

    row: F64
    col: F64
    q_kg_s: F64
    size_px: NDArray[np.int8]


@dataclass(frozen=True)
class InflowSources:
    """One unlabelled source a scene, outside the tile: (scene,) row, col and emission, 0 where there is none."""

    row: F64
    col: F64
    q_kg_s: F64


@dataclass(frozen=True)
class Transported:
    """What a transport made of the sources.

    Attributes:
        sources: the labelled sources, with the emission their label gives.
        labelled, inflow: (scene, y, x) columns they left, umol m-2.
        reported_u_m_s, reported_v_m_s: (scene, y, x) wind as a reanalysis would report it.
    """

    sources: Sources
    labelled: NDArray[np.float32]
    inflow: NDArray[np.float32]
    reported_u_m_s: NDArray[np.float32]
    reported_v_m_s: NDArray[np.float32]


def draw_sources(rules: SourceRules, variates: SceneVariates) -> Sources:
    """Labelled sources of a batch, uniform over the tile."""
    counts = 1 + _weighted(rules.count_weights, variates.column())
    counts[variates.column() < rules.empty_share] = 0
    present = np.arange(MAX_SOURCES) < counts[:, None]
    uniform, even = variates.columns(MAX_SOURCES), variates.columns(MAX_SOURCES) < rules.even_share
    low, high = rules.q_kg_s
    q = np.where(even, low + (high - low) * uniform, log_between(uniform, rules.q_kg_s))
    size = 1 + _weighted(rules.size_weights, variates.columns(MAX_SOURCES))
    row, col = SCENE_PX * variates.columns(MAX_SOURCES), SCENE_PX * variates.columns(MAX_SOURCES)
    blank = np.where(present, 1.0, np.nan)
    return Sources(row * blank, col * blank, q * blank, np.where(present, size, 0).astype(np.int8))


def _weighted(weights: tuple[float, ...], uniform: F64) -> NDArray[np.int64]:
    steps = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(steps, uniform, side="right"), len(weights) - 1).astype(np.int64)


def draw_inflow(rules: SourceRules, variates: SceneVariates, weather: Weather, dx_m: F64) -> InflowSources:
    """A source outside each tile, upwind of a random point in it."""
    row, col = SCENE_PX * variates.column(), SCENE_PX * variates.column()
    # pixels moved a second, upwind; rows run south
    up_row, up_col = weather.v_m_s / PIXEL_NORTH_M, -weather.u_m_s / dx_m
    with np.errstate(divide="ignore"):  # a wind along an axis never leaves by the other
        leave_row = np.where(up_row > 0, SCENE_PX - row, row) / np.abs(up_row)
        leave_col = np.where(up_col > 0, SCENE_PX - col, col) / np.abs(up_col)
    beyond = 1e3 * variates.between(rules.inflow_km) / weather.speed_m_s
    seconds = np.minimum(leave_row, leave_col) + beyond
    present = variates.column() < rules.inflow_share
    q = np.where(present, log_between(variates.column(), rules.inflow_q_kg_s), 0.0)
    return InflowSources(row + seconds * up_row, col + seconds * up_col, q)

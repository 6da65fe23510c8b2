"""Transport of the shift-tier generator G2: puffs in a meandering, curved, sheared wind from intermittent stacks.

Source: SCIENCE 3.10. It differs from the training generator on purpose in wind, emission and chemistry, and no model
has seen it. Arrays are (scene, y, x), row 0 north; inside, metres from the tile's centre, x east and y north.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from carbonray.science.no2.dispersion import NO2_CURVES, NOX_OVER_NO2, umol_m2_from_kg_m2
from carbonray.science.no2.puffs import PuffRules, deposited, drifted_puffs, puff_mass_kg, puff_width_m
from carbonray.science.no2.scene_sources import PIXEL_NORTH_M, SCENE_PX, InflowSources, Sources, Transported
from carbonray.science.no2.scene_weather import Weather, WeatherRules, reported_error
from carbonray.science.no2.variates import F32, F64, SceneVariates

_HALF_TILE_M = 0.5 * SCENE_PX * PIXEL_NORTH_M
_REACH_M = 1.5 * _HALF_TILE_M  # beyond, the wind is that of this distance: a linear field would run away
_NODES_PER_H = 4  # meander is drawn four times an hour and interpolated


@dataclass(frozen=True)
class ShiftRules:
    """Ranges of the wandering wind and the intermittent stacks, all inferred (SCIENCE 3.10).

    Attributes:
        meander_deg, meander_h: standard deviation and correlation time of the wind's unresolved turning.
        curvature: change of the wind over half a tile, relative to its speed (standard deviation of each gradient).
        trend_deg, trend_speed: turning and relative change of speed over 12 hours (standard deviations).
        stay_on, stay_off: probability an hour that a stack at full or low load stays there.
        full_load, low_load: emission relative to the drawn one.
        label_hours: a source's label is its mean emission over so many hours before the overpass.
    """

    meander_deg: tuple[float, float] = (10.0, 20.0)
    meander_h: tuple[float, float] = (1.0, 3.0)
    curvature: float = 0.2
    trend_deg: float = 20.0
    trend_speed: float = 0.2
    stay_on: float = 0.9
    stay_off: float = 0.75
    full_load: tuple[float, float] = (0.6, 1.0)
    low_load: tuple[float, float] = (0.0, 0.3)
    label_hours: int = 2


@dataclass(frozen=True)
class WanderingWind:
    """Winds of n scenes.

    Attributes:
        u_m_s, v_m_s: (scene,) wind at the centre at the overpass, without meander.
        gradient: (scene, 3) du/dx = -dv/dy, du/dy and dv/dx, s-1: curved, free of divergence.
        turn_rad, gain: (scene, node) turning and relative speed, a node each quarter of an hour, the overpass last.
    """

    u_m_s: F64
    v_m_s: F64
    gradient: F64
    turn_rad: F64
    gain: F64

    def field(self, scene: NDArray[np.int64], x_m: F64, y_m: F64) -> tuple[F64, F64]:
        """Wind at the overpass without meander, at points whose first axis names the scene."""
        x, y = np.clip(x_m, -_REACH_M, _REACH_M), np.clip(y_m, -_REACH_M, _REACH_M)
        wide = (slice(None),) + (None,) * (x.ndim - 1)
        stretch, across, along = (self.gradient[scene, i][wide] for i in range(3))
        return self.u_m_s[scene][wide] + stretch * x + across * y, self.v_m_s[scene][wide] + along * x - stretch * y

    def at(self, scene: NDArray[np.int64], x_m: F64, y_m: F64, t_s: float) -> tuple[F64, F64]:
        """Wind at a time before the overpass, meander included."""
        u, v = self.field(scene, x_m, y_m)
        last = self.turn_rad.shape[1] - 1
        node = np.clip(last + t_s * _NODES_PER_H / 3600.0, 0.0, last)
        low = min(int(node), last - 1)
        turn, gain = (
            (w[scene, low] * (low + 1 - node) + w[scene, low + 1] * (node - low))[:, None]
            for w in (self.turn_rad, self.gain)
        )
        return gain * (u * np.cos(turn) - v * np.sin(turn)), gain * (u * np.sin(turn) + v * np.cos(turn))


def draw_wandering_wind(rules: ShiftRules, variates: SceneVariates, weather: Weather, hours: float) -> WanderingWind:
    """Winds that are the scenes' own in the middle of the tile at the overpass, on average."""
    nodes = round(hours * _NODES_PER_H) + 1
    keep = np.exp(-1.0 / (_NODES_PER_H * variates.between(rules.meander_h)))
    shock = variates.normals((nodes,)).astype(np.float64)
    turn = np.empty_like(shock)
    turn[:, 0] = shock[:, 0]
    for i in range(1, nodes):
        turn[:, i] = keep * turn[:, i - 1] + np.sqrt(1.0 - keep**2) * shock[:, i]
    turn *= np.radians(variates.between(rules.meander_deg))[:, None]
    ago = (np.arange(nodes) - nodes + 1) / (12.0 * _NODES_PER_H)
    turn += np.radians(rules.trend_deg) * variates.normal()[:, None] * ago
    gain = np.exp(rules.trend_speed * variates.normal()[:, None] * ago)
    size = rules.curvature * weather.speed_m_s / _HALF_TILE_M
    gradient = size[:, None] * np.stack([variates.normal() for _ in range(3)], axis=1)
    return WanderingWind(weather.u_m_s, weather.v_m_s, gradient, turn, gain)


def draw_loads(rules: ShiftRules, variates: SceneVariates, slots: int, hours: int) -> F64:
    """Hourly emission (scene, slot, hour) relative to the drawn one: two states with memory, the overpass last."""
    chance = ndtr(variates.normals((hours + 1, slots)).astype(np.float64))
    level = chance[:, hours]
    full = rules.full_load[0] + (rules.full_load[1] - rules.full_load[0]) * level
    low = rules.low_load[0] + (rules.low_load[1] - rules.low_load[0]) * level
    steady_share = (1.0 - rules.stay_off) / (2.0 - rules.stay_on - rules.stay_off)
    on = chance[:, 0] < steady_share
    loads = np.empty((*on.shape, hours))
    for hour in range(hours):
        if hour:
            on = chance[:, hour] < np.where(on, rules.stay_on, 1.0 - rules.stay_off)
        loads[:, :, hour] = np.where(on, full, low)
    return loads


def wandering_transport(
    rules: ShiftRules,
    puff_rules: PuffRules,
    weather_rules: WeatherRules,
    variates: SceneVariates,
    weather: Weather,
    sources: Sources,
    inflow: InflowSources,
    dx_m: F64,
    hourly_share: F64 | None = None,
) -> Transported:
    """Columns of puffs at the overpass, and the wind field as reported: curved, without meander, with an error.

    Args:
        hourly_share: (scene, 6, hour) emission of each source relative to its drawn one, the overpass last; drawn
            where None. Sources that are shut all the hours their label covers lose it.
    """
    hours = int(np.ceil(puff_rules.max_age_h))
    wind = draw_wandering_wind(rules, variates, weather, hours)
    drawn = draw_loads(rules, variates, sources.size_px.shape[1], hours)
    share = drawn if hourly_share is None else hourly_share
    curve = (len(NO2_CURVES) * variates.column()).astype(int)
    scene, slot = np.nonzero(sources.size_px)
    hourly = sources.q_kg_s[scene, slot, None] * share[scene, slot]
    row, col, size = sources.row[scene, slot], sources.col[scene, slot], sources.size_px[scene, slot].astype(np.float64)
    labelled = _puff_fields(puff_rules, wind, weather, scene, row, col, hourly, size, curve, dx_m)
    outside = np.flatnonzero(inflow.q_kg_s)
    steady = np.repeat(inflow.q_kg_s[outside, None], hours, axis=1)
    row, col = inflow.row[outside], inflow.col[outside]
    size = np.ones(len(outside))
    entering = _puff_fields(puff_rules, wind, weather, outside, row, col, steady, size, curve, dx_m)
    u, v = _reported_field(wind, weather_rules, variates, dx_m)
    return Transported(_labels(rules, sources, share), labelled, entering, u, v)


def _labels(rules: ShiftRules, sources: Sources, share: F64) -> Sources:
    recent = share[:, :, -rules.label_hours :].mean(axis=2)
    kept = (sources.size_px > 0) & (recent > 0.0)
    blank = np.where(kept, 1.0, np.nan)
    size = np.where(kept, sources.size_px, 0).astype(np.int8)
    return replace(
        sources, row=sources.row * blank, col=sources.col * blank, q_kg_s=sources.q_kg_s * recent * blank, size_px=size
    )


def _puff_fields(
    rules: PuffRules,
    wind: WanderingWind,
    weather: Weather,
    scene: NDArray[np.int64],
    row: F64,
    col: F64,
    hourly_kg_s: F64,
    size_px: F64,
    curve: NDArray[np.int64],
    dx_m: F64,
) -> F32:
    """Columns (scene, y, x), umol m-2, of sources given with the scene each belongs to."""
    middle = 0.5 * SCENE_PX
    x, y = (col - middle) * dx_m[scene], (middle - row) * PIXEL_NORTH_M
    puffs = drifted_puffs(x, y, lambda px, py, t: wind.at(scene, px, py, t), rules)
    slope, bend = weather.slope[scene, None], weather.bend_per_m[scene, None]
    width = puff_width_m(puffs, slope, bend, weather.diffusivity_m2_s[scene, None])
    # a square of s pixels adds the variance of a square, less the pixel's own, which the averaging makes
    width = np.sqrt(width**2 + ((size_px**2 - 1.0) / 12.0 * dx_m[scene] * PIXEL_NORTH_M)[:, None])
    centre = np.asarray(np.arange(SCENE_PX) + 0.5 - middle, np.float64)
    curves = tuple(NO2_CURVES.values())
    total = np.zeros((len(dx_m), SCENE_PX, SCENE_PX), np.float32)
    for k in np.unique(scene):
        own = scene == k
        nox = NOX_OVER_NO2 * hourly_kg_s[own]
        mass = puff_mass_kg(nox, puffs.age_s, rules.step_s, 3600.0 * float(weather.tau_h[k]), curves[curve[k]])
        column = deposited(puffs.x_m[own], puffs.y_m[own], width[own], mass, centre * dx_m[k], -centre * PIXEL_NORTH_M)
        total[k] = umol_m2_from_kg_m2(column)
    return total


def _reported_field(wind: WanderingWind, rules: WeatherRules, variates: SceneVariates, dx_m: F64) -> tuple[F32, F32]:
    turn, gain = reported_error(rules, variates)
    centre = np.arange(SCENE_PX) + 0.5 - 0.5 * SCENE_PX
    shape = (len(dx_m), SCENE_PX, SCENE_PX)
    x = np.broadcast_to(centre * dx_m[:, None, None], shape)
    y = np.broadcast_to(-centre[:, None] * PIXEL_NORTH_M, shape)
    u, v = wind.field(np.arange(len(dx_m)), x, y)
    cos, sin = (gain * np.cos(turn))[:, None, None], (gain * np.sin(turn))[:, None, None]
    return (u * cos - v * sin).astype(np.float32), (u * sin + v * cos).astype(np.float32)

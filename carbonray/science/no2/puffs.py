"""Gaussian puffs carried by any wind: columns of sources whose emission and wind vary in time and space.

Source: SCIENCE 3.10 (transport G2). A source releases a puff every step; puffs drift with the wind of their place and
time, widen with age, decay, and turn NO to NO2. Each is a two-dimensional Gaussian whose average over every pixel is
exact, so mass is conserved to the last bit of float64. Arrays are (source, puff), oldest puff first; grids are (y, x).
Times are seconds relative to the overpass, negative before it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from carbonray.errors import ContractError
from carbonray.science.no2.dispersion import No2Curve, no2_over_nox, sigma_y_shape

F64 = NDArray[np.float64]
# wind(x_m, y_m, t_s) -> u, v toward east and north, m s-1; x and y are (source, puff), t is one number
Wind = Callable[[F64, F64, float], tuple[F64, F64]]

_WIDTHS = 5.0  # a puff beyond so many widths of the grid gives it nothing
_SHARE_MIN = 1e-7  # of a source's heaviest puff; lighter ones are dropped


@dataclass(frozen=True)
class PuffRules:
    """How puffs are made and spread, all inferred (SCIENCE 3.10).

    Attributes:
        step_s: time between puffs and of one move.
        max_age_h: oldest puff followed.
        stability, diffusivity_m2_s: growth of a puff, Briggs' sigma of a Pasquill letter and 2 K t; scenes bring their
            own.
        veer_deg, shear: turn of the wind and relative change of its speed from bottom to top of the mixed layer.
        overturn_h: time in which a puff rides through the layer and back.
    """

    step_s: float = 240.0
    max_age_h: float = 16.0
    stability: str = "C"
    diffusivity_m2_s: float = 100.0
    veer_deg: float = 15.0
    shear: float = 0.2
    overturn_h: float = 1.0


@dataclass(frozen=True)
class Puffs:
    """Where puffs are at the overpass: (source, puff), oldest first.

    Attributes:
        x_m, y_m: position.
        path_m: way travelled.
        age_s: (puff,) time since release.
    """

    x_m: F64
    y_m: F64
    path_m: F64
    age_s: F64


def puff_column(
    source_x_m: ArrayLike,
    source_y_m: ArrayLike,
    q_kg_s: ArrayLike,
    wind: Wind,
    x_m: ArrayLike,
    y_m: ArrayLike,
    *,
    tau_s: float,
    rules: PuffRules,
    curve: No2Curve | None = None,
) -> F64:
    """NO2 column (y, x) at the overpass, kg m-2, averaged over the pixels of a regular grid.

    Args:
        source_x_m, source_y_m: (source,) positions, m, in the coordinates of the grid.
        q_kg_s: (source,) steady emission, or (source, hour) hourly emission whose last hour ends at the overpass:
            kg s-1 of NO2, or of NOx as NO2 where a curve is given.
        wind: the wind at points and a time.
        x_m, y_m: (x,) and (y,) pixel centres, evenly spaced, rising or falling.
        tau_s: lifetime, s; infinity for none.
        rules: steps and spread.
        curve: NO2 over NOx by age, or None for an emission of NO2.

    Raises:
        ContractError: the grid is not regular.
    """
    puffs = drifted_puffs(np.asarray(source_x_m, np.float64), np.asarray(source_y_m, np.float64), wind, rules)
    mass = puff_mass_kg(q_kg_s, puffs.age_s, rules.step_s, tau_s, curve)
    width = puff_width_m(puffs, *sigma_y_shape(rules.stability), rules.diffusivity_m2_s)
    return deposited(puffs.x_m, puffs.y_m, width, mass, np.asarray(x_m, np.float64), np.asarray(y_m, np.float64))


def drifted_puffs(source_x_m: F64, source_y_m: F64, wind: Wind, rules: PuffRules) -> Puffs:
    """Follow every source's puffs from release to the overpass, by midpoint steps."""
    count = max(round(3600.0 * rules.max_age_h / rules.step_s), 1)
    age_s = np.asarray((np.arange(count, 0, -1) - 0.5) * rules.step_s, np.float64)
    x = np.repeat(source_x_m[:, None], count, axis=1)
    y = np.repeat(source_y_m[:, None], count, axis=1)
    path = np.zeros_like(x)
    for i in range(count):
        # the youngest puff of this step was released in its middle, and moves for half of it
        t_s, moving = -(count - i) * rules.step_s, slice(0, i + 1)
        dt: F64 = np.full(i + 1, rules.step_s)
        dt[-1] *= 0.5
        start = t_s + rules.step_s - dt[0]
        layer = _layer_wind(i, rules)
        u, v = _turned(*wind(x[:, moving], y[:, moving], start), *layer)
        half_x, half_y = x[:, moving] + 0.5 * dt * u, y[:, moving] + 0.5 * dt * v
        u, v = _turned(*wind(half_x, half_y, t_s + 0.5 * rules.step_s), *layer)
        x[:, moving] += dt * u
        y[:, moving] += dt * v
        path[:, moving] += dt * np.hypot(u, v)
    return Puffs(x, y, path, age_s)


def _layer_wind(step: int, rules: PuffRules) -> tuple[F64, F64]:
    """Turn (rad) and gain of the wind of the puffs released by a step: each circles through the mixed layer."""
    # golden-ratio phases spread puffs over the layer evenly at every scale
    phase = np.arange(step + 1) * 0.6180339887 + step * rules.step_s / (3600.0 * rules.overturn_h)
    height = np.asarray(np.abs(2.0 * (phase % 1.0) - 1.0) - 0.5, np.float64)
    return np.radians(rules.veer_deg) * height, 1.0 + rules.shear * height


def _turned(u: F64, v: F64, turn: F64, gain: F64) -> tuple[F64, F64]:
    cos, sin = gain * np.cos(turn), gain * np.sin(turn)
    return u * cos - v * sin, u * sin + v * cos


def puff_mass_kg(q_kg_s: ArrayLike, age_s: F64, step_s: float, tau_s: float, curve: No2Curve | None) -> F64:
    """Mass of NO2 in each puff (source, puff) at the overpass; nothing was released before the first hour given."""
    q = np.asarray(q_kg_s, np.float64)
    if q.ndim == 2:
        hour = q.shape[1] - 1 - np.floor(age_s / 3600.0).astype(int)
        released = np.where(hour >= 0, q[:, np.maximum(hour, 0)], 0.0)
    else:
        released = np.repeat(q[:, None], len(age_s), axis=1)
    kept = np.exp(-age_s / tau_s)
    if curve is not None:
        kept = kept * no2_over_nox(age_s, curve.m, curve.r_s, curve.f0)
    return np.asarray(released * step_s * kept, np.float64)


def puff_width_m(puffs: Puffs, slope: ArrayLike, bend_per_m: ArrayLike, diffusivity_m2_s: ArrayLike) -> F64:
    """Standard deviation of each puff: Briggs (as `sigma_y_shape` gives it) along its path, 2 K t of its age."""
    briggs = (np.asarray(slope) * puffs.path_m) ** 2 / (1.0 + np.asarray(bend_per_m) * puffs.path_m)
    return np.asarray(np.sqrt(briggs + 2.0 * np.asarray(diffusivity_m2_s) * puffs.age_s), np.float64)


def deposited(x_puff: F64, y_puff: F64, width_m: F64, mass_kg: F64, x_m: F64, y_m: F64) -> F64:
    """Pixel averages (y, x), kg m-2, of Gaussian puffs of any shape of array."""
    x_edges, y_edges = _edges(x_m, "x_m"), _edges(y_m, "y_m")
    x, y, width, mass = (a.reshape(-1) for a in (x_puff, y_puff, width_m, mass_kg))
    reach = _WIDTHS * width
    near = (x > x_edges.min() - reach) & (x < x_edges.max() + reach)
    near &= (y > y_edges.min() - reach) & (y < y_edges.max() + reach)
    near &= mass > _SHARE_MIN * mass.max(initial=0.0)
    share_x = np.abs(np.diff(ndtr((x_edges - x[near, None]) / width[near, None]), axis=1))
    share_y = np.abs(np.diff(ndtr((y_edges - y[near, None]) / width[near, None]), axis=1))
    area = abs(x_edges[1] - x_edges[0]) * abs(y_edges[1] - y_edges[0])
    return np.asarray((share_y * mass[near, None]).T @ share_x / area, np.float64)


def _edges(centres: F64, name: str) -> F64:
    steps = np.diff(centres)
    if len(steps) == 0 or np.ptp(steps) > 1e-6 * abs(steps[0]):
        raise ContractError(
            "puffs fall on regular grids only",
            where=name,
            expected="two or more evenly spaced pixel centres",
            remedy="Resample the grid, or call once for each regular part of it.",
        )
    return np.append(centres - 0.5 * steps[0], centres[-1] + 0.5 * steps[0])

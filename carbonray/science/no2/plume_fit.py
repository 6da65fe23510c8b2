"""Least-squares fit of a Gaussian column plume: emission, background, curvature of the axis and mesoscale widening.

Source: the plume model of SCIENCE 3.7 as in the package ddeq's Gaussian-plume method. Given curvature and widening the
model is linear, so only those two are searched. Fields as in `quantify`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from carbonray.science.no2.dispersion import column_plume
from carbonray.science.no2.quantify import Estimate, PlumeRules, PlumeView, refusal

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FitRules:
    """The Gaussian-plume fit.

    Attributes:
        stability: Pasquill class of the dispersion; D is the usual one at midday with wind (inferred).
        max_curvature_per_m: the axis bends as n = curvature s^2 / 2, at most this much (inferred: 18 km in 60 km).
        diffusivities_m2_s: widenings tried beyond the class, the best is kept; around ddeq's K = 400 (inferred).
        starts: curvatures tried before the search is refined (inferred).
        subpixels: the model is averaged over this many points by this many a pixel (inferred).
    """

    stability: str = "D"
    max_curvature_per_m: float = 1e-5
    diffusivities_m2_s: tuple[float, ...] = (0.0, 100.0, 400.0, 1600.0, 6400.0)
    starts: int = 9
    subpixels: int = 6


def fit_gaussian_plume(view: PlumeView, corridor: PlumeRules, rules: FitRules) -> Estimate:
    """Emission of the plume that fits the field best between the corridor's distances and flanks.

    Args:
        view: the field.
        corridor: pixels from `start_m` to `end_m`, within `flank_m` of the wind's line.
        rules: the plume model.
    """
    if reason := refusal(view, corridor):
        return Estimate(np.nan, np.nan, 0, reason)
    along, across = view.along_across_m(view.x_m, view.y_m)
    near = (along >= corridor.start_m) & (along < corridor.end_m) & (np.abs(across) <= corridor.flank_m)
    used = near & ~np.isnan(view.no2_umol_m2)
    area_m2 = 2.0 * corridor.flank_m * (corridor.end_m - corridor.start_m)
    if used.sum() * float(np.prod(view.pixel_m())) < corridor.min_valid * area_m2:
        return Estimate(np.nan, np.nan, int(used.sum()), f"valid area below {corridor.min_valid:.0%} of the plume")
    column = view.column_kg_m2()[used]
    points = _subpixel_points(view, used, rules.subpixels)
    plane = np.column_stack([np.ones(len(column)), along[used] / corridor.end_m, across[used] / corridor.flank_m])

    def fit(curvature: float, widening: float) -> tuple[float, float, float]:
        return _linear_fit(_unit_plume(view, points, curvature, widening, rules), plane, column)

    def misfit(curvature: float, widening: float) -> float:
        return fit(curvature, widening)[2]

    fits = [fit(_best_curvature(partial(misfit, widening=k), rules), k) for k in rules.diffusivities_m2_s]
    q, sd, _ = min(fits, key=lambda found: found[2])
    return Estimate(q, sd, int(used.sum()))


def _best_curvature(misfit: Callable[[float], float], rules: FitRules) -> float:
    """The best of a few curvatures, refined between its neighbours."""
    limit = rules.max_curvature_per_m
    tried = np.linspace(-limit, limit, rules.starts)
    best, step = float(tried[np.argmin([misfit(curvature) for curvature in tried])]), float(tried[1] - tried[0])
    bounds = (max(best - step, -limit), min(best + step, limit))
    return float(minimize_scalar(misfit, bounds=bounds, method="bounded", options={"xatol": limit * 1e-3}).x)


def _subpixel_points(view: PlumeView, used: NDArray[np.bool_], subpixels: int) -> tuple[Floats, Floats]:
    """(pixel, point) coordinates along and across the wind."""
    width, height = view.pixel_m()
    steps = (np.arange(subpixels) + 0.5) / subpixels - 0.5
    east, north = (axis.ravel() for axis in np.meshgrid(steps * width, steps * height))
    return view.along_across_m(view.x_m[used][:, None] + east, view.y_m[used][:, None] + north)


def _unit_plume(
    view: PlumeView, points: tuple[Floats, Floats], curvature: float, widening: float, rules: FitRules
) -> Floats:
    """(pixel,) column of 1 kg s-1 along an axis that bends away from the wind's line."""
    along, across = points
    bent = across - 0.5 * curvature * along**2
    speed, tau = view.wind_speed_m_s(), view.lifetime_s
    column = column_plume(along, bent, 1.0, speed, 0.0, tau, rules.stability, diffusivity_m2_s=widening)
    return np.asarray(column.mean(axis=-1))


def _linear_fit(plume: Floats, plane: Floats, column: Floats) -> tuple[float, float, float]:
    """Emission, its standard deviation and the sum of squared residuals."""
    scale = float(np.abs(plume).max()) or 1.0
    design = np.column_stack([plume / scale, plane])
    coefficients, *_ = np.linalg.lstsq(design, column, rcond=None)
    squares = float(np.sum((column - design @ coefficients) ** 2))
    # six parameters, the two that were searched among them
    variance = squares / max(len(column) - 6, 1) * float(np.linalg.pinv(design.T @ design)[0, 0])
    return float(coefficients[0]) / scale, float(np.sqrt(variance)) / scale, squares

"""What Matimba and the Highveld maximum emit by the classical methods, with the wind, without it and against it.

Source: SCIENCE 3.7. Each method sees the 64 by 64 lattice pixels around a target, at the target's own wind; the
divergence takes the wind of every pixel. Emissions are kg s-1 of NOx as NO2; a method that cannot answer says why.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.science.no2.divergence import DivergenceRules, divergence_integral, divergence_map, divergence_peak
from carbonray.science.no2.masks import MaskRules, plume_mask, source_disc, touching
from carbonray.science.no2.plume_fit import FitRules, fit_gaussian_plume
from carbonray.science.no2.quantify import Estimate, PlumeRules, PlumeView, csf_gaussian, csf_slab, ime
from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM
from carbonray.science.spatial.gridding import lattice_col, lattice_lat, lattice_lon, lattice_row
from tests.evidence.matimba_targets import Target

LIFETIME_S = 4.0 * 3600.0  # [DDEQ default]
NOX_OVER_NO2 = 1.32  # [DDEQ]
HALF_PX = 32
SOURCE_RADIUS_M = 10_000.0  # a plume that comes within it belongs to the target (inferred: two pixels)
METHODS = ("CSF, slab sums", "CSF, Gaussian fit", "IME, 10 to 60 km", "IME, z-test plume", "Gaussian-plume fit")
MAPS = ("divergence, 25 km disc", "divergence, fitted peak")


def fluxes(pixels: Mapping[str, NDArray[Any]], target: Target, wind_factor: float) -> dict[str, Any]:
    """Wind at a target and every method's emission, standard deviation or refusal."""
    field, u, v = (_window(pixels, name, target) for name in ("no2_umol_m2", "wind_u_m_s", "wind_v_m_s"))
    near = np.unravel_index(np.argmin(np.where(np.isnan(u), np.inf, _distance_px(u.shape))), u.shape)
    x, y = _plane_m(target)
    wind = (wind_factor * float(u[near]) + 0.0, wind_factor * float(v[near]) + 0.0)  # no negative zero
    view = PlumeView(field, x, y, *wind, LIFETIME_S, 0.0, 0.0, NOX_OVER_NO2)
    emission = divergence_map(field, wind_factor * u, wind_factor * v, view.pixel_m(), LIFETIME_S, NOX_OVER_NO2)
    methods = _of_view(view) | {
        name: method(emission, x, y, 0.0, 0.0, DivergenceRules())
        for name, method in zip(MAPS, (divergence_integral, divergence_peak), strict=True)
    }
    return {
        "wind_u_m_s": round(wind[0], 2),
        "wind_v_m_s": round(wind[1], 2),
        "methods": {name: _told(found) for name, found in methods.items()},
    }


def _of_view(view: PlumeView) -> dict[str, Estimate]:
    rules = PlumeRules()
    mask = plume_mask(view.no2_umol_m2, MaskRules())
    plume = touching(mask, source_disc(view.x_m, view.y_m, 0.0, 0.0, SOURCE_RADIUS_M))
    answers = (
        csf_slab(view, rules),
        csf_gaussian(view, rules),
        ime(view, rules),
        ime(view, rules, plume),
        fit_gaussian_plume(view, rules, FitRules()),
    )
    return dict(zip(METHODS, answers, strict=True))


def _told(found: Estimate) -> dict[str, Any]:
    known = np.isfinite(found.q_kg_s)
    return {
        "q_kg_s": round(found.q_kg_s, 3) if known else None,
        "sd_kg_s": round(found.sd_kg_s, 3) if known and np.isfinite(found.sd_kg_s) else None,
        "n_pixels": found.n_pixels,
        "refused": found.reason,
    }


def _window(pixels: Mapping[str, NDArray[Any]], name: str, target: Target) -> NDArray[np.float64]:
    """(64, 64) a column of sparse pixels around a target, NaN where there is none."""
    row, col = (axis.astype(np.int64) + HALF_PX for axis in (pixels["row"], pixels["col"]))
    row, col = row - int(lattice_row(target.lat)), col - int(lattice_col(target.lon))
    inside = (row >= 0) & (row < 2 * HALF_PX) & (col >= 0) & (col < 2 * HALF_PX)
    field = np.full((2 * HALF_PX, 2 * HALF_PX), np.nan)
    field[row[inside], col[inside]] = pixels[name][inside]
    return field


def _plane_m(target: Target) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres east and north of a target, of the window's pixels, with one width for all its rows."""
    steps = np.arange(-HALF_PX, HALF_PX)
    per_degree = np.radians(1.0) * EARTH_RADIUS_KM * 1e3
    east = lattice_lon(int(lattice_col(target.lon)) + steps) - target.lon
    north = lattice_lat(int(lattice_row(target.lat)) + steps) - target.lat
    x, y = np.meshgrid(east * per_degree * np.cos(np.radians(target.lat)), north * per_degree)
    return x, y


def _distance_px(shape: tuple[int, ...]) -> NDArray[np.float64]:
    row, col = np.indices(shape)
    return np.hypot(row - HALF_PX, col - HALF_PX)

"""Emission from the divergence of the NOx flux: E = div(f V w) + f V / tau.

Source: Beirle et al., Science Advances 5, aax9800, 2019; f = 1.32 is the customary NOx per NO2 (SCIENCE 3.7). Fields
are (..., y, x), row 0 north, columns in umol m-2 with NaN where invalid; the wind points to where the air goes; maps of
E are kg m-2 s-1 of NOx as NO2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from carbonray.science.no2.dispersion import NOX_OVER_NO2, kg_m2_from_umol_m2
from carbonray.science.no2.quantify import Estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DivergenceRules:
    """How a peak of the divergence becomes an emission.

    Attributes:
        radius_m: emission is integrated, or the peak fitted, within this distance of the source (SCIENCE 3.9).
        ring_m: the background of E is its mean from `radius_m` to here (inferred).
        min_valid: valid share the disc needs; as for the other methods [DDEQ].
        subpixels: each pixel is split into this many by this many at the rim of the disc (inferred).
    """

    radius_m: float = 25_000.0
    ring_m: float = 50_000.0
    min_valid: float = 0.75
    subpixels: int = 5


def divergence_map(
    no2_umol_m2: NDArray[Any],
    wind_u_m_s: ArrayLike,
    wind_v_m_s: ArrayLike,
    pixel_m: tuple[ArrayLike, float],
    lifetime_s: ArrayLike,
    nox_over_no2: float = NOX_OVER_NO2,
) -> Floats:
    """E of every pixel by central differences; NaN at the edge of the field and beside invalid pixels.

    Args:
        no2_umol_m2: (..., y, x) column.
        wind_u_m_s: eastward wind, broadcast against the field.
        wind_v_m_s: northward wind, broadcast against the field.
        pixel_m: width (a number or one a field, broadcast as (..., 1, 1)) and height of a pixel.
        lifetime_s: e-folding time of NOx, broadcast likewise; infinity leaves the sink out.
        nox_over_no2: NOx per NO2.
    """
    column = kg_m2_from_umol_m2(no2_umol_m2) * nox_over_no2
    flux_u, flux_v = column * np.asarray(wind_u_m_s), column * np.asarray(wind_v_m_s)
    emission = np.full(column.shape, np.nan)
    inner = (..., slice(1, -1), slice(1, -1))
    eastward = (flux_u[..., 1:-1, 2:] - flux_u[..., 1:-1, :-2]) / (2.0 * np.asarray(pixel_m[0]))
    northward = (flux_v[..., :-2, 1:-1] - flux_v[..., 2:, 1:-1]) / (2.0 * pixel_m[1])  # rows run southward
    emission[inner] = eastward + northward + (column / np.asarray(lifetime_s))[inner]
    return emission


def divergence_integral(
    emission_kg_m2_s: Floats, x_m: Floats, y_m: Floats, source_x_m: float, source_y_m: float, rules: DivergenceRules
) -> Estimate:
    """The emission within a disc about the source, above the mean of the ring around it.

    Args:
        emission_kg_m2_s: (y, x), or (overpass, y, x) to be averaged over the valid overpasses of each pixel.
        x_m: (y, x) pixel centres eastward.
        y_m: (y, x) pixel centres northward.
        source_x_m: position of the source.
        source_y_m: position of the source.
        rules: disc and ring.
    """
    mean = _mean_map(emission_kg_m2_s)
    disc, ring, area_m2 = _disc_and_ring(mean, x_m - source_x_m, y_m - source_y_m, rules)
    n_pixels = int((disc > 0.0).sum())
    if reason := _refusal(disc, ring, area_m2, rules):
        return Estimate(np.nan, np.nan, n_pixels, reason)
    e = np.nan_to_num(mean)  # invalid pixels weigh nothing in disc and ring
    level = float((ring * e).sum() / ring.sum())
    sd_mean = float(np.std(mean[ring == 1.0])) * np.sqrt(1.0 / disc.sum() + 1.0 / ring.sum())
    excess = float((disc * e).sum() / disc.sum()) - level
    disc_m2 = np.pi * rules.radius_m**2
    return Estimate(excess * disc_m2, float(sd_mean) * disc_m2, n_pixels)


def divergence_peak(
    emission_kg_m2_s: Floats, x_m: Floats, y_m: Floats, source_x_m: float, source_y_m: float, rules: DivergenceRules
) -> Estimate:
    """The integral of a two-dimensional Gaussian on a level, fitted to the divergence around the source.

    Arguments as for `divergence_integral`; the standard deviation is the fit's own.
    """
    mean = _mean_map(emission_kg_m2_s)
    disc, ring, area_m2 = _disc_and_ring(mean, x_m - source_x_m, y_m - source_y_m, rules)
    used = (disc > 0.0) | (ring > 0.0)
    if reason := _refusal(disc, ring, area_m2, rules):
        return Estimate(np.nan, np.nan, int(used.sum()), reason)
    pixel_m = float(np.sqrt(area_m2))
    scale = float(np.abs(mean[used]).max()) or 1.0
    x, y, e = (x_m[used] - source_x_m) / pixel_m, (y_m[used] - source_y_m) / pixel_m, mean[used] / scale
    reach = rules.radius_m / pixel_m

    def misfit(p: Floats) -> Floats:
        q, east, north, wide, high, level = p
        peak = np.exp(-0.5 * (((x - east) / wide) ** 2 + ((y - north) / high) ** 2))
        return np.asarray(q / (2.0 * np.pi * wide * high) * peak + level - e)

    start = [max(float(disc[used] @ e), 1e-3), 0.0, 0.0, 1.5, 1.5, 0.0]
    bounds = (
        [-np.inf, -reach / 2, -reach / 2, 0.5, 0.5, -np.inf],
        [np.inf, reach / 2, reach / 2, reach, reach, np.inf],
    )
    fit = least_squares(misfit, start, bounds=bounds)
    variance = 2.0 * fit.cost / max(len(e) - len(start), 1)
    sd = float(np.sqrt(variance * np.linalg.pinv(fit.jac.T @ fit.jac)[0, 0]))
    return Estimate(float(fit.x[0]) * scale * area_m2, sd * scale * area_m2, int(used.sum()))


def _mean_map(emission: Floats) -> Floats:
    """(y, x) mean over the valid overpasses; NaN where there is none."""
    maps = emission if emission.ndim == 3 else emission[None]
    n_valid = (~np.isnan(maps)).sum(axis=0)
    return np.where(n_valid > 0, np.nansum(maps, axis=0) / np.maximum(n_valid, 1), np.nan)


def _disc_and_ring(
    mean: Floats, east_m: Floats, north_m: Floats, rules: DivergenceRules
) -> tuple[Floats, Floats, float]:
    """The share of each valid pixel within the disc and within the ring, and the area of a pixel.

    Pixels are split, for a plume leaves the disc through one or two of them: whole ones triple the scatter.
    """
    width, height = abs(east_m[0, 1] - east_m[0, 0]), abs(north_m[1, 0] - north_m[0, 0])
    steps = (np.arange(rules.subpixels) + 0.5) / rules.subpixels - 0.5
    distance = np.hypot(east_m[..., None, None] + steps * width, north_m[..., None, None] + steps[:, None] * height)
    valid = ~np.isnan(mean)
    disc = (distance <= rules.radius_m).mean(axis=(-2, -1)) * valid
    within = (distance <= rules.ring_m).mean(axis=(-2, -1)) * valid
    return disc, within - disc, float(width * height)


def _refusal(disc: Floats, ring: Floats, area_m2: float, rules: DivergenceRules) -> str:
    if disc.sum() * area_m2 < rules.min_valid * np.pi * rules.radius_m**2:
        return f"valid area below {rules.min_valid:.0%} of the disc"
    return "" if (ring == 1.0).any() else "no background around the source"

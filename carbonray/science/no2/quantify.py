"""Emission of one source from one NO2 field: cross-sectional flux and integrated mass enhancement.

Source: the methods as in the package ddeq (SCIENCE 3.7): flux F(s) = U q(s) through slabs across the plume, with
Q from F(s) = Q exp(-s / (U tau)); mass between two distances over its residence time. Fields are (y, x) columns in
umol m-2, NaN where invalid; x grows east, y north, metres; the wind points to where the air goes. Emissions are kg s-1,
NOx as NO2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from carbonray.errors import ContractError
from carbonray.science.no2.dispersion import NOX_OVER_NO2, downwind_crosswind_m, kg_m2_from_umol_m2

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class PlumeView:
    """One field about one source.

    Attributes:
        no2_umol_m2: (y, x) column, NaN where invalid.
        x_m: (y, x) pixel centres eastward, evenly spaced along x.
        y_m: (y, x) pixel centres northward, evenly spaced along y.
        wind_u_m_s: eastward wind at the source.
        wind_v_m_s: northward wind at the source.
        lifetime_s: e-folding time of NOx; infinity leaves the decay out.
        source_x_m: position of the source.
        source_y_m: position of the source.
        nox_over_no2: NOx per NO2 in the plume; 1.32 is the customary shortcut [DDEQ], 1 where the field is NOx.
    """

    no2_umol_m2: NDArray[Any]
    x_m: Floats
    y_m: Floats
    wind_u_m_s: float
    wind_v_m_s: float
    lifetime_s: float
    source_x_m: float
    source_y_m: float
    nox_over_no2: float = NOX_OVER_NO2

    def __post_init__(self) -> None:
        shape = np.shape(self.no2_umol_m2)
        if len(shape) != 2 or min(shape) < 2 or np.shape(self.x_m) != shape or np.shape(self.y_m) != shape:
            raise ContractError(
                f"a field of {shape} on coordinates of {np.shape(self.x_m)} and {np.shape(self.y_m)}",
                where="PlumeView",
                expected="three (y, x) arrays of one shape, at least 2 by 2",
                remedy="Cut one scene out of the stack and give each pixel its centre.",
            )

    def wind_speed_m_s(self) -> float:
        """U, the speed of the transport."""
        return float(np.hypot(self.wind_u_m_s, self.wind_v_m_s))

    def pixel_m(self) -> tuple[float, float]:
        """Width and height of a pixel."""
        return float(abs(self.x_m[0, 1] - self.x_m[0, 0])), float(abs(self.y_m[1, 0] - self.y_m[0, 0]))

    def column_kg_m2(self) -> Floats:
        """(y, x) NOx column as NO2."""
        return kg_m2_from_umol_m2(self.no2_umol_m2) * self.nox_over_no2

    def along_across_m(self, x_m: Floats, y_m: Floats) -> tuple[Floats, Floats]:
        """Distances downwind (s) and to the left of the wind (n) from the source."""
        return downwind_crosswind_m(x_m - self.source_x_m, y_m - self.source_y_m, self.wind_u_m_s, self.wind_v_m_s)


@dataclass(frozen=True)
class PlumeRules:
    """The corridor that the methods look at.

    Attributes:
        half_width_m: the plume lies within this distance of the wind's line (inferred).
        flank_m: the background lies from there to this distance (inferred).
        start_m: nearest distance downwind; nearer, the source's own pixel is smeared upwind (inferred).
        end_m: farthest distance downwind (inferred).
        slab_m: length of a slab along the plume (inferred).
        min_valid: valid share a slab, or the plume's area, needs [DDEQ].
        min_slabs: slabs a flux needs (inferred).
        subpixels: each pixel is split into this many by this many, so that slabs cut through pixels (inferred).
        min_wind_m_s: below it the wind's direction means nothing (inferred).
        tail_m: taken off the end of a detected plume at least `tail_from_m` long, where it thins out [DDEQ].
        tail_from_m: see `tail_m` [DDEQ].
    """

    half_width_m: float = 20_000.0
    flank_m: float = 50_000.0
    start_m: float = 10_000.0
    end_m: float = 60_000.0
    slab_m: float = 5_000.0
    min_valid: float = 0.75
    min_slabs: int = 3
    subpixels: int = 5
    min_wind_m_s: float = 0.5
    tail_m: float = 10_000.0
    tail_from_m: float = 20_000.0


@dataclass(frozen=True)
class Estimate:
    """An emission, or the named reason why there is none.

    Attributes:
        q_kg_s: emission; NaN where `reason` says why.
        sd_kg_s: its standard deviation from the scatter within the method (wind and lifetime are not in it), or NaN.
        n_pixels: valid pixels used.
        reason: empty, or the rule that kept the method from an estimate.
    """

    q_kg_s: float
    sd_kg_s: float
    n_pixels: int
    reason: str = ""


def csf_slab(view: PlumeView, rules: PlumeRules) -> Estimate:
    """Cross-sectional flux by sums: the mean enhancement of a slab times its width is the line density.

    Its own background, a plane fitted to the flanks, is taken off, so adding a constant or a slope changes nothing.
    """
    if reason := refusal(view, rules):
        return Estimate(np.nan, np.nan, 0, reason)
    grid = _split(view, rules)
    enhancement = grid.column - _background(grid, rules)
    core = np.abs(grid.across) <= rules.half_width_m
    distance, flux, pixels = [], [], 0.0
    for low in _slab_starts(rules):
        slab = core & (grid.along >= low) & (grid.along < low + rules.slab_m)
        whole = 2.0 * rules.half_width_m * rules.slab_m / grid.area_m2
        seen = slab & grid.valid
        if seen.sum() < rules.min_valid * whole:
            continue
        distance.append(float(grid.along[seen].mean()))
        flux.append(view.wind_speed_m_s() * 2.0 * rules.half_width_m * float(enhancement[seen].mean()))
        pixels += float(seen.sum()) / rules.subpixels**2
    return _decayed_flux(view, rules, np.array(distance), np.array(flux), round(pixels))


def csf_gaussian(view: PlumeView, rules: PlumeRules) -> Estimate:
    """Cross-sectional flux by a Gaussian and a line fitted to every slab [DDEQ].

    q / (sigma sqrt(2 pi)) exp(-(n - mu)^2 / (2 sigma^2)) + a n + b, sigma from a quarter of the width within half a
    pixel and half the width, mu within ten pixels. Plumes narrower than half a pixel come out too strong.
    """
    if reason := refusal(view, rules):
        return Estimate(np.nan, np.nan, 0, reason)
    along, across = view.along_across_m(view.x_m, view.y_m)
    column = view.column_kg_m2()
    distance, flux, pixels = [], [], 0
    for low in _slab_starts(rules):
        slab = (np.abs(across) <= rules.flank_m) & (along >= low) & (along < low + rules.slab_m)
        seen = slab & ~np.isnan(column)
        whole = 2.0 * rules.flank_m * rules.slab_m / float(np.prod(view.pixel_m()))
        if seen.sum() < max(rules.min_valid * whole, 6):  # five parameters and one to spare
            continue
        pixel_m = float(np.sqrt(np.prod(view.pixel_m())))
        line_density = _fitted_line_density(across[seen], column[seen], pixel_m, 2.0 * rules.half_width_m)
        distance.append(float(along[seen].mean()))
        flux.append(view.wind_speed_m_s() * line_density)
        pixels += int(seen.sum())
    return _decayed_flux(view, rules, np.array(distance), np.array(flux), pixels)


def ime(view: PlumeView, rules: PlumeRules, plume: Bools | None = None) -> Estimate:
    """Integrated mass enhancement over the time the air needs to cross it, decay included where lifetime is finite.

    Args:
        view: the field.
        rules: the corridor, from `start_m` to `end_m`.
        plume: (y, x) detected plume; its length then replaces `end_m`, less the thinning tail.
    """
    if reason := refusal(view, rules):
        return Estimate(np.nan, np.nan, 0, reason)
    end_m = rules.end_m if plume is None else plume_end_m(view, plume, rules)
    if end_m - rules.start_m < rules.slab_m:
        return Estimate(np.nan, np.nan, 0, f"plume too short: ends {end_m / 1e3:.0f} km downwind")
    grid = _split(view, rules)
    enhancement = grid.column - _background(grid, rules)
    box = (np.abs(grid.across) <= rules.half_width_m) & (grid.along >= rules.start_m) & (grid.along < end_m)
    seen = box & grid.valid
    area_m2 = 2.0 * rules.half_width_m * (end_m - rules.start_m)
    n_pixels = round(float(seen.sum()) / rules.subpixels**2)
    if seen.sum() * grid.area_m2 < rules.min_valid * area_m2:
        return Estimate(np.nan, np.nan, n_pixels, f"valid area below {rules.min_valid:.0%} of the plume")
    seconds = residence_s(rules.start_m, end_m, view.wind_speed_m_s(), view.lifetime_s)
    flank = grid.valid & _flank(grid, rules)
    # noise of the box's mean and of the background's mean, pixels (not subpixels) being independent
    scatter = float(np.std(enhancement[flank])) * rules.subpixels
    sd_mean = scatter * np.sqrt(1.0 / seen.sum() + 1.0 / flank.sum())
    per_mean = area_m2 / seconds
    return Estimate(float(enhancement[seen].mean()) * per_mean, float(sd_mean) * per_mean, n_pixels)


def residence_s(start_m: float, end_m: float, wind_speed_m_s: float, lifetime_s: float) -> float:
    """Mass between two distances per unit of emission: tau (exp(-start / L0) - exp(-end / L0)), L0 = U tau, s."""
    if np.isinf(lifetime_s):
        return (end_m - start_m) / wind_speed_m_s
    scale_m = wind_speed_m_s * lifetime_s
    return float(-lifetime_s * np.exp(-start_m / scale_m) * np.expm1(-(end_m - start_m) / scale_m))


def plume_end_m(view: PlumeView, plume: Bools, rules: PlumeRules) -> float:
    """Distance downwind at which a detected plume ends, less its tail; at most `end_m`, 0 for an empty mask."""
    along, across = view.along_across_m(view.x_m, view.y_m)
    reach = along[plume & (np.abs(across) <= rules.half_width_m)]
    length = float(reach.max()) if reach.size else 0.0
    length -= rules.tail_m if length >= rules.tail_from_m else 0.0
    return float(np.clip(length, 0.0, rules.end_m))


@dataclass(frozen=True)
class _SplitField:
    """The field's pixels split into equal parts: flat arrays."""

    along: Floats
    across: Floats
    column: Floats
    valid: Bools
    area_m2: float


def _split(view: PlumeView, rules: PlumeRules) -> _SplitField:
    width, height = view.pixel_m()
    steps = (np.arange(rules.subpixels) + 0.5) / rules.subpixels - 0.5
    x = view.x_m[..., None, None] + steps[None, :] * width
    y = view.y_m[..., None, None] + steps[:, None] * height
    along, across = view.along_across_m(x, y)
    near = (along >= rules.start_m) & (along < rules.end_m) & (np.abs(across) <= rules.flank_m)
    column = np.broadcast_to(view.column_kg_m2()[..., None, None], near.shape)[near]
    return _SplitField(along[near], across[near], column, ~np.isnan(column), width * height / rules.subpixels**2)


def _flank(grid: _SplitField, rules: PlumeRules) -> Bools:
    return np.asarray(np.abs(grid.across) > rules.half_width_m)


def _background(grid: _SplitField, rules: PlumeRules) -> Floats:
    """A plane through both flanks, evaluated everywhere."""
    design = np.column_stack([np.ones_like(grid.along), grid.along / rules.end_m, grid.across / rules.flank_m])
    used = grid.valid & _flank(grid, rules)
    coefficients, *_ = np.linalg.lstsq(design[used], grid.column[used], rcond=None)
    return np.asarray(design @ coefficients)


def _slab_starts(rules: PlumeRules) -> Floats:
    return np.arange(rules.start_m, rules.end_m - 0.5 * rules.slab_m, rules.slab_m)


def _fitted_line_density(across_m: Floats, column: Floats, pixel_m: float, width_m: float) -> float:
    """Line density (kg m-1) of the Gaussian in one slab; lengths in pixels and columns scaled while fitting."""
    n, scale = across_m / pixel_m, float(np.ptp(column)) or 1.0
    v = column / scale
    width = width_m / pixel_m

    def misfit(p: Floats) -> Floats:
        q, mu, sigma, slope, base = p
        bell = np.exp(-0.5 * ((n - mu) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
        return np.asarray(q * bell + slope * n + base - v)

    level = float(np.median(v))
    start = [float(np.mean(v - level)) * float(np.ptp(n)), 0.0, max(width / 4.0, 0.6), 0.0, level]
    bounds = ([-np.inf, -10.0, 0.5, -np.inf, -np.inf], [np.inf, 10.0, max(width / 2.0, 1.0), np.inf, np.inf])
    return float(least_squares(misfit, start, bounds=bounds).x[0]) * scale * pixel_m


def _decayed_flux(view: PlumeView, rules: PlumeRules, distance: Floats, flux: Floats, n_pixels: int) -> Estimate:
    """Least squares of F(s) = Q exp(-s / (U tau)) over the slabs."""
    if len(flux) < rules.min_slabs:
        return Estimate(np.nan, np.nan, n_pixels, f"only {len(flux)} of {rules.min_slabs} slabs are valid enough")
    kept = np.exp(-distance / (view.wind_speed_m_s() * view.lifetime_s))
    q = float(kept @ flux / (kept @ kept))
    # one slab has no scatter
    variance = float(np.sum((flux - q * kept) ** 2)) / (len(flux) - 1) if len(flux) > 1 else np.nan
    return Estimate(q, float(np.sqrt(variance / (kept @ kept))), n_pixels)


def refusal(view: PlumeView, rules: PlumeRules) -> str:
    """Why no method can start, or nothing."""
    speed = view.wind_speed_m_s()
    if not np.isfinite(speed):
        return "wind unknown"
    if speed < rules.min_wind_m_s:
        return f"wind {speed:.2f} m/s below {rules.min_wind_m_s:g} m/s"
    along, across = view.along_across_m(view.x_m, view.y_m)
    flank = (np.abs(across) > rules.half_width_m) & (np.abs(across) <= rules.flank_m)
    near = flank & (along >= rules.start_m) & (along < rules.end_m) & ~np.isnan(view.no2_umol_m2)
    return "" if near.sum() >= 3 else "no background beside the plume"  # a plane has three coefficients

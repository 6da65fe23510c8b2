"""Classical answers to the question the networks are asked: an NO2 scene in, a map of relative emission out.

Source: SCIENCE 0.3 (trivial, classical, oracle), 3.7 and 3.10 (ceiling: a linear estimate with known wind and source
positions). Scenes are (n, y, x), row 0 north, umol m-2, NaN where invalid; maps are float32 relative emission, 1 for
q_max kg s-1. The oracle alone uses latent truth: it is a ceiling, not a competitor.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from carbonray.science.no2.dispersion import umol_m2_from_kg_m2
from carbonray.science.no2.divergence import divergence_map
from carbonray.science.no2.masks import MaskRules, plume_mask, smooth_background
from carbonray.science.no2.plume_pixels import PlumeSources, pixel_plumes
from carbonray.science.no2.scene_sources import PIXEL_NORTH_M
from carbonray.science.no2.scene_weather import Weather
from carbonray.science.no2.scenes import Scenes, paint_targets

Floats = NDArray[np.float64]
Maps = NDArray[np.float32]


@dataclass(frozen=True)
class PeerRules:
    """What the classical peers are told.

    Attributes:
        vcd_cut_umol_m2: the threshold on the column (inferred: near the best F1 on G1; choose it on validation scenes).
        lifetime_h: of NOx in the divergence; the true one is not known to it [DDEQ default].
        footprint_px: side of the square the divergence is summed over, odd, as wide as the painted targets (inferred).
        nox_over_no2: 1, for simulated columns are emitted NO2 without chemistry; 1.32 on real ones.
    """

    vcd_cut_umol_m2: float = 150.0
    lifetime_h: float = 4.0
    footprint_px: int = 5
    nox_over_no2: float = 1.0


@dataclass(frozen=True)
class OracleRules:
    """The linear Bayesian estimate with everything known but the emissions, the background and the noise.

    Attributes:
        waves: cosines along each axis that make up the background; 8 resolve 100 km in a tile (inferred).
        background_sd_umol_m2: prior of each cosine's coefficient (inferred).
        noise_umol_m2: noise of a pixel [SCIENCE 3.10].
        noise_relative: noise in proportion to the column [SCIENCE 3.10].
        q_prior_sd_kg_s: prior of an emission, about zero: it settles sources that share one plume (inferred).
        column_gain: true over retrieved column, a known mean; `fitted_gain` finds it.
    """

    waves: int = 8
    background_sd_umol_m2: float = 30.0
    noise_umol_m2: float = 15.0
    noise_relative: float = 0.2
    q_prior_sd_kg_s: float = 3.0
    column_gain: float = 1.0


def all_positive(no2_umol_m2: NDArray[Any]) -> Maps:
    """A source everywhere: recall 1 by construction."""
    return np.ones(no2_umol_m2.shape, np.float32)


def zero(no2_umol_m2: NDArray[Any]) -> Maps:
    """No source anywhere: the smallest squared error a map that learned nothing can have."""
    return np.zeros(no2_umol_m2.shape, np.float32)


def vcd_threshold(no2_umol_m2: NDArray[Any], cut_umol_m2: float) -> Maps:
    """1 where the column reaches the cut, else 0."""
    return (np.asarray(no2_umol_m2) >= cut_umol_m2).astype(np.float32)


def ztest(no2_umol_m2: NDArray[Any], rules: MaskRules) -> Maps:
    """1 within significant plumes, else 0: it finds plumes, not their sources."""
    return plume_mask(no2_umol_m2, rules).astype(np.float32)


def divergence(
    no2_umol_m2: NDArray[Any],
    wind_u_m_s: NDArray[Any],
    wind_v_m_s: NDArray[Any],
    pixel_m: tuple[Floats, float],
    q_max_kg_s: float,
    rules: PeerRules,
    mask_rules: MaskRules,
) -> Maps:
    """Divergence of the flux above the background, summed over a footprint about each pixel.

    Args:
        no2_umol_m2: (n, y, x) column.
        wind_u_m_s: (n, y, x) eastward wind.
        wind_v_m_s: (n, y, x) northward wind.
        pixel_m: (n,) width, and height, of a pixel.
        q_max_kg_s: emission of relative emission 1.
        rules: lifetime and footprint.
        mask_rules: the plume mask that keeps plumes out of the background.
    """
    plumes = plume_mask(no2_umol_m2, mask_rules)
    background = smooth_background(no2_umol_m2, plumes, mask_rules.background_px)
    width_m = np.asarray(pixel_m[0], np.float64)[:, None, None]
    emission = divergence_map(
        np.asarray(no2_umol_m2) - background,
        wind_u_m_s,
        wind_v_m_s,
        (width_m, pixel_m[1]),
        3600.0 * rules.lifetime_h,
        rules.nox_over_no2,
    )
    known = ~np.isnan(emission)
    size = (1, rules.footprint_px, rules.footprint_px)
    share = ndimage.uniform_filter(known.astype(np.float64), size, mode="constant")
    mean = ndimage.uniform_filter(np.where(known, emission, 0.0), size, mode="constant")
    area_m2 = rules.footprint_px**2 * width_m * pixel_m[1]
    # half of a footprint is enough to speak of its mean
    q_kg_s = np.where(share > 0.5, mean / np.maximum(share, 0.5), 0.0) * area_m2
    return np.clip(q_kg_s / q_max_kg_s, 0.0, 1.0).astype(np.float32)


def classical_maps(scenes: Scenes, q_max_kg_s: float, rules: PeerRules, mask_rules: MaskRules) -> dict[str, Maps]:
    """The trivial and the classical maps of a batch of scenes, by the name of their row in a table."""
    no2, u, v = scenes.no2_umol_m2, scenes.wind_u_m_s, scenes.wind_v_m_s
    pixel_m = (PIXEL_NORTH_M * np.cos(np.radians(scenes.lat_deg)), PIXEL_NORTH_M)
    return {
        "all positive": all_positive(no2),
        "zero": zero(no2),
        "VCD threshold": vcd_threshold(no2, rules.vcd_cut_umol_m2),
        "z-test mask": ztest(no2, mask_rules),
        "divergence": divergence(no2, u, v, pixel_m, q_max_kg_s, rules, mask_rules),
    }


def oracle(
    scenes: Scenes, weather: Weather, q_max_kg_s: float, rules: OracleRules, unit_plumes: NDArray[Any] | None = None
) -> Maps:
    """The oracle's emissions painted as the targets are; arguments as those of `oracle_emissions`."""
    emissions = oracle_emissions(scenes, weather, rules, unit_plumes)
    return paint_targets(replace(scenes, source_q_kg_s=emissions), q_max_kg_s)


def oracle_emissions(
    scenes: Scenes, weather: Weather, rules: OracleRules, unit_plumes: NDArray[Any] | None = None
) -> Floats:
    """(n, s) emissions by generalised least squares with known wind, widths, lifetime and positions; NaN padded.

    Args:
        scenes: the retrieved columns and the positions and footprints of the sources.
        weather: the true weather of the same scenes.
        rules: priors and noise.
        unit_plumes: (n, s, y, x) umol m-2 of 1 kg s-1 from each source; steady plumes in the weather where None.
    """
    emissions = np.full(scenes.source_row.shape, np.nan)
    cosines = _cosines(scenes.no2_umol_m2.shape[1:], rules.waves)
    for index in range(len(emissions)):
        slots = np.flatnonzero(scenes.source_size_px[index] > 0)
        if len(slots):
            plumes = (
                umol_m2_from_kg_m2(_unit_plumes(scenes, weather, index, slots))
                if unit_plumes is None
                else unit_plumes[index, slots].reshape(len(slots), -1).astype(np.float64)
            )
            column = scenes.no2_umol_m2[index].astype(np.float64).ravel() * rules.column_gain
            emissions[index, slots] = np.maximum(_estimate(column, plumes, cosines, rules), 0.0)
    return emissions


def fitted_gain(true_kg_s: Floats, estimated_kg_s: Floats) -> float:
    """The factor that brings estimates nearest to the truth in the mean square, from validation scenes.

    The oracle's `column_gain` of 1 times this takes the mean retrieval factor out; NaN (padding) is left out.
    """
    both = ~np.isnan(true_kg_s) & ~np.isnan(estimated_kg_s)
    truth, guess = true_kg_s[both], estimated_kg_s[both]
    return float(truth @ guess / (guess @ guess))


def _unit_plumes(scenes: Scenes, weather: Weather, index: int, slots: NDArray[np.intp]) -> Floats:
    """(source, pixel) columns, kg m-2, of 1 kg s-1 each."""

    def same(value: float) -> Floats:
        return np.full(len(slots), value, np.float64)

    sources = PlumeSources(
        row=scenes.source_row[index, slots],
        col=scenes.source_col[index, slots],
        u_m_s=same(weather.u_m_s[index]),
        v_m_s=same(weather.v_m_s[index]),
        tau_s=same(3600.0 * weather.tau_h[index]),
        slope=same(weather.slope[index]),
        bend_per_m=same(weather.bend_per_m[index]),
        diffusivity_m2_s=same(weather.diffusivity_m2_s[index]),
        dx_m=same(PIXEL_NORTH_M * np.cos(np.radians(scenes.lat_deg[index]))),
        dy_m=same(PIXEL_NORTH_M),
        size_px=scenes.source_size_px[index, slots].astype(np.int64),
    )
    height, width = scenes.no2_umol_m2.shape[1:]
    return pixel_plumes(sources, (height, width)).reshape(len(slots), -1)


def _cosines(shape: tuple[int, ...], waves: int) -> Floats:
    """(pixel, waves^2) smooth fields: products of cosines of up to waves - 1 half turns along each axis."""
    down, along = (np.cos(np.pi * np.arange(waves)[:, None] * (np.arange(pixels) + 0.5) / pixels) for pixels in shape)
    products = down.T[:, None, :, None] * along.T[None, :, None, :]
    return np.asarray(products.reshape(shape[0] * shape[1], waves * waves))


def _estimate(column: Floats, plumes: Floats, cosines: Floats, rules: OracleRules) -> Floats:
    """Emissions of one scene: two passes, the second with the noise that the first one's columns imply."""
    valid = ~np.isnan(column)
    design = np.column_stack([plumes.T[valid], cosines[valid]])
    priors = np.full(design.shape[1], rules.background_sd_umol_m2**-2.0)
    priors[: len(plumes)] = rules.q_prior_sd_kg_s**-2.0
    priors[len(plumes)] = 0.0  # the mean of the background is free
    variance = np.full(int(valid.sum()), rules.noise_umol_m2**2)
    coefficients = np.zeros(design.shape[1])
    for _ in range(2):
        weighted = design / variance[:, None]
        coefficients = np.linalg.lstsq(weighted.T @ design + np.diag(priors), weighted.T @ column[valid], rcond=None)[0]
        modelled = np.maximum(design @ coefficients, 0.0)
        variance = rules.noise_umol_m2**2 + (rules.noise_relative * modelled) ** 2
    return np.asarray(coefficients[: len(plumes)])

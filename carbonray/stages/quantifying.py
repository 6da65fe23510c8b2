"""Emissions of sources whose place is told: by every classical quantifier, a trivial answer and the oracle.

Sources: SCIENCE 3.7 (the methods), 0.3 (trivial, classical, oracle). To be told the place is a privilege that no
detector has, so these rows never stand among those of methods that found the source. The quantifiers see the retrieved
column and the reported wind at the source, and name the rule by which they refuse; the oracle also knows the true
weather. Rows are (method x source), one batch a method.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carbonray.contract import Batch
from carbonray.science.no2.divergence import DivergenceRules, divergence_integral, divergence_map
from carbonray.science.no2.peers import PeerRules, oracle_emissions
from carbonray.science.no2.plume_fit import FitRules, fit_gaussian_plume
from carbonray.science.no2.quantify import Estimate, PlumeRules, PlumeView, csf_gaussian, csf_slab, ime
from carbonray.science.no2.scene_sources import PIXEL_NORTH_M
from carbonray.science.no2.scenes import Scenes
from carbonray.stages.held_out import HeldOut
from carbonray.stages.methods import MethodRules, PeerChoice, calibrated_oracle

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class QuantifierRules:
    """What the quantifiers are told beside lifetime and NOx per NO2, which are those of the divergence.

    Attributes:
        corridor: where plume and background lie.
        fit: the Gaussian-plume fit.
        disc: where the divergence is integrated.
    """

    corridor: PlumeRules = field(default_factory=PlumeRules)
    fit: FitRules = field(default_factory=FitRules)
    disc: DivergenceRules = field(default_factory=DivergenceRules)


def integrated_divergence(view: PlumeView, rules: DivergenceRules) -> Estimate:
    """The divergence about the source, the wind there taken for the whole field."""
    wind = (view.wind_u_m_s, view.wind_v_m_s)
    emission = divergence_map(view.no2_umol_m2, *wind, view.pixel_m(), view.lifetime_s, view.nox_over_no2)
    return divergence_integral(emission, view.x_m, view.y_m, view.source_x_m, view.source_y_m, rules)


QUANTIFIERS: Mapping[str, Callable[[PlumeView, QuantifierRules], Estimate]] = {
    "CSF, slab sums": lambda view, rules: csf_slab(view, rules.corridor),
    "CSF, Gaussian fits": lambda view, rules: csf_gaussian(view, rules.corridor),
    "IME": lambda view, rules: ime(view, rules.corridor),
    "Gaussian-plume fit": lambda view, rules: fit_gaussian_plume(view, rules.corridor, rules.fit),
    "divergence integral": lambda view, rules: integrated_divergence(view, rules.disc),
}
TRIVIAL = "mean of validation sources"
ORACLE = "oracle"
WITH_GAIN = ", times gain"  # of the oracle: what the retrieval takes away on average, from validation scenes
TOLD = (TRIVIAL, *(name + suffix for name in QUANTIFIERS for suffix in ("", WITH_GAIN)), ORACLE)


def told_estimates(
    held_out: HeldOut, methods: MethodRules, choice: PeerChoice, rules: QuantifierRules, theta: float
) -> Iterator[Batch]:
    """Rows of `vocab.evaluation_tables.EMISSION_ESTIMATES` of each method of `TOLD`, without the generator.

    Args:
        held_out: the scenes.
        methods: lifetime, NOx per NO2, the oracle, and the emission of relative emission 1.
        choice: the mean emission and the gain that validation scenes give.
        rules: the quantifiers' own.
        theta: sources of a greater relative emission are asked about.
    """
    scenes = held_out.scenes
    scene, slot = targets_of(scenes, theta, methods.q_max_kg_s)
    truth: Batch = {"scene": held_out.index[scene], "source": slot.astype(np.int8)}
    truth["q_kg_s"] = scenes.source_q_kg_s[scene, slot]
    views = [source_view(scenes, *place, methods.peers) for place in zip(scene.tolist(), slot.tolist(), strict=True)]
    for name, found in _answers(views, choice, rules):
        yield _rows(name, truth, found)
    oracle = oracle_emissions(scenes, held_out.weather, calibrated_oracle(methods, choice), held_out.unit_plumes)
    yield _rows(ORACLE, truth, [Estimate(q, np.nan, 0) for q in oracle[scene, slot].tolist()])


def targets_of(scenes: Scenes, theta: float, q_max_kg_s: float) -> tuple[Ints, Ints]:
    """Scene and slot of every source whose relative emission exceeds theta."""
    scene, slot = np.nonzero(scenes.source_q_kg_s / q_max_kg_s > theta)
    return scene, slot


def source_view(scenes: Scenes, scene: int, slot: int, rules: PeerRules) -> PlumeView:
    """One scene about one of its sources, metres from the north-west corner, with the wind reported at the source."""
    height, width = scenes.no2_umol_m2.shape[1:]
    pixel_m = PIXEL_NORTH_M * float(np.cos(np.radians(scenes.lat_deg[scene])))
    x_m, y_m = np.meshgrid((np.arange(width) + 0.5) * pixel_m, -(np.arange(height) + 0.5) * PIXEL_NORTH_M)
    row, col = float(scenes.source_row[scene, slot]), float(scenes.source_col[scene, slot])
    at = (scene, int(row), int(col))
    return PlumeView(
        no2_umol_m2=scenes.no2_umol_m2[scene],
        x_m=x_m,
        y_m=y_m,
        wind_u_m_s=float(scenes.wind_u_m_s[at]),
        wind_v_m_s=float(scenes.wind_v_m_s[at]),
        lifetime_s=3600.0 * rules.lifetime_h,
        source_x_m=col * pixel_m,
        source_y_m=-row * PIXEL_NORTH_M,
        nox_over_no2=rules.nox_over_no2,
    )


def _answers(
    views: Sequence[PlumeView], choice: PeerChoice, rules: QuantifierRules
) -> Iterator[tuple[str, list[Estimate]]]:
    """The trivial answer, and each quantifier's as it is and times the gain: all are linear in the column."""
    yield TRIVIAL, [Estimate(choice.mean_kg_s, np.nan, 0) for _ in views]
    for name, estimate in QUANTIFIERS.items():
        found = [estimate(view, rules) for view in views]
        yield name, found
        gain = choice.oracle_gain
        yield name + WITH_GAIN, [Estimate(gain * e.q_kg_s, gain * e.sd_kg_s, e.n_pixels, e.reason) for e in found]


def _rows(name: str, truth: Batch, found: Sequence[Estimate]) -> Batch:
    rows = len(found)
    return {
        "method": np.full(rows, name, dtype=object),
        "told_place": np.ones(rows, np.bool_),
        **truth,
        "q_found_kg_s": np.array([estimate.q_kg_s for estimate in found], np.float64),
        "refused": np.array([estimate.reason for estimate in found], dtype=object),
    }

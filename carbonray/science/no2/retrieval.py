"""How a satellite retrieval sees a column: averaging kernels, and the factor by which a shallow plume is missed.

Source: SCIENCE 3.7, the forms of ddeq's amf module: with layer air-mass factors m_l = AMF AK_l and
M = sum(m_l x_l) / sum(x_l), V_ret = V_true M_true / M_prior. Arrays are (..., layer), surface first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.science.no2.variates import F64, SceneVariates

_LAYERS = 20
_TROPOSPHERE_M = 10e3
_SCALE_HEIGHT_M = 8e3  # of air density


@dataclass(frozen=True)
class RetrievalRules:
    """Ranges of profiles and kernels, all inferred (SCIENCE 3.10).

    Attributes:
        pbl_m: height of the mixed layer the plume fills.
        prior_pbl_m: height of the mixed layer in the coarse model that gave the prior profile.
        free_share: part of the prior's column above its mixed layer.
        kernel_surface, kernel_top: averaging kernel at the ground and at the tropopause.
        factor_limits: the factor M_true / M_prior is clipped to these.
        stratosphere_umol_m2: largest residual of the stratospheric correction, either sign.
    """

    pbl_m: tuple[float, float] = (300.0, 2500.0)
    prior_pbl_m: tuple[float, float] = (600.0, 2500.0)
    free_share: tuple[float, float] = (0.05, 0.4)
    kernel_surface: tuple[float, float] = (0.2, 0.6)
    kernel_top: tuple[float, float] = (1.1, 1.6)
    factor_limits: tuple[float, float] = (0.6, 1.1)
    stratosphere_umol_m2: float = 3.0


def retrieval_factor(kernel: NDArray[np.float64], true: NDArray[np.float64], prior: NDArray[np.float64]) -> F64:
    """M_true / M_prior (...,) of partial columns (..., layer); a kernel of 1 everywhere gives 1."""
    sensitivity = (kernel * true).sum(-1) / true.sum(-1)
    expected = (kernel * prior).sum(-1) / prior.sum(-1)
    return np.asarray(sensitivity / expected, np.float64)


def mixed_layer_profile(pbl_m: NDArray[np.float64], free_share: NDArray[np.float64]) -> F64:
    """Partial columns (..., layer), sum 1: well mixed below the layer's top, the free share spread above it."""
    edges = np.linspace(0.0, _TROPOSPHERE_M, _LAYERS + 1)
    air = -np.diff(np.exp(-edges / _SCALE_HEIGHT_M))
    inside = np.clip((pbl_m[..., None] - edges[:-1]) / np.diff(edges), 0.0, 1.0)
    low, high = inside * air, (1.0 - inside) * air
    share = free_share[..., None]
    profile = (1.0 - share) * low / low.sum(-1, keepdims=True) + share * high / high.sum(-1, keepdims=True)
    return np.asarray(profile, np.float64)


def rising_kernel(surface: NDArray[np.float64], top: NDArray[np.float64]) -> F64:
    """Averaging kernel (..., layer) that rises from the surface to the top and flattens aloft."""
    middle = (np.arange(_LAYERS) + 0.5) / _LAYERS
    return np.asarray(surface[..., None] + (top - surface)[..., None] * np.sqrt(middle), np.float64)


def draw_retrieval(rules: RetrievalRules, variates: SceneVariates) -> tuple[F64, F64]:
    """(scene,) factors between what is retrieved and what is there, and residuals of the stratosphere, umol m-2."""
    true = mixed_layer_profile(variates.between(rules.pbl_m), np.zeros(len(variates.generators)))
    prior = mixed_layer_profile(variates.between(rules.prior_pbl_m), variates.between(rules.free_share))
    kernel = rising_kernel(variates.between(rules.kernel_surface), variates.between(rules.kernel_top))
    factor = np.clip(retrieval_factor(kernel, true, prior), *rules.factor_limits)
    return factor, variates.between((-rules.stratosphere_umol_m2, rules.stratosphere_umol_m2))

"""Detection probability against emission: a logistic curve in log Q, and the emissions found in 50 and 90 % of cases.

Source: SCIENCE 3.5 (detection curve, Q50 and Q90); logistic regression by iteratively reweighted least squares
(McCullagh and Nelder, Generalized Linear Models, 1989). Arrays are one element a source, kg s-1.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class CurveRules:
    """The logistic fit.

    Attributes:
        ridge: penalty on the squared slope, so that perfectly separated sources have a finite curve (inferred).
        max_iterations: Newton steps at most.
        tolerance: largest change of a coefficient at which the fit has converged.
    """

    ridge: float = 1e-3
    max_iterations: int = 100
    tolerance: float = 1e-9


@dataclass(frozen=True)
class DetectionCurve:
    """P(detected | Q) = 1 / (1 + exp(-(intercept + slope ln Q))).

    Attributes:
        intercept: at Q = 1 kg s-1.
        slope: per unit of ln Q.
        q50_kg_s: emission detected in half of the cases; NaN where no rising curve can be fitted.
        q90_kg_s: emission detected in 90 % of the cases; it may lie outside the emissions seen.
        n: sources.
        n_detected: of which detected.
    """

    intercept: float
    slope: float
    q50_kg_s: float
    q90_kg_s: float
    n: int
    n_detected: int

    def probability(self, q_kg_s: NDArray[Any]) -> Floats:
        """Fitted probability of detection, the shape of `q_kg_s`."""
        return np.asarray(1.0 / (1.0 + np.exp(-(self.intercept + self.slope * np.log(q_kg_s)))))


def detection_curve(q_kg_s: Floats, detected: Bools, rules: CurveRules) -> DetectionCurve:
    """Fits the curve to (n,) sources, those with NaN emission (padding) left out.

    All or none detected, or detections that do not become likelier with Q, leave no limits: they are NaN.
    """
    exists = ~np.isnan(q_kg_s)
    found = detected[exists].astype(np.float64)
    log_q = np.log(q_kg_s[exists])
    n, n_detected = len(found), int(found.sum())
    if n_detected in (0, n):
        nan = float("nan")
        return DetectionCurve(nan, nan, nan, nan, n, n_detected)
    intercept, slope = _logistic(log_q, found, rules)
    q50, q90 = (
        float(np.exp((np.log(share / (1.0 - share)) - intercept) / slope)) if slope > 0.0 else float("nan")
        for share in (0.5, 0.9)
    )
    return DetectionCurve(intercept, slope, q50, q90, n, n_detected)


def detection_counts(q_kg_s: Floats, detected: Bools, edges_kg_s: NDArray[Any]) -> tuple[Ints, Ints]:
    """Sources, and detected sources, in each bin [edge, next edge) of emission: additive over scenes."""
    exists = ~np.isnan(q_kg_s)
    bins = np.searchsorted(edges_kg_s, q_kg_s[exists], side="right") - 1
    inside = (bins >= 0) & (bins < len(edges_kg_s) - 1)
    width = len(edges_kg_s) - 1
    counts = np.bincount(bins[inside], minlength=width)
    hits = np.bincount(bins[inside], weights=detected[exists][inside].astype(np.float64), minlength=width)
    return counts.astype(np.int64), hits.astype(np.int64)


def _logistic(x: Floats, y: Floats, rules: CurveRules) -> tuple[float, float]:
    """Newton's method on the penalised likelihood, about the mean of x, where the coefficients hardly depend."""
    centre, spread = float(x.mean()), float(x.std()) or 1.0
    design = np.column_stack([np.ones_like(x), (x - centre) / spread])
    penalty = np.diag([0.0, rules.ridge])
    beta = np.zeros(2)
    for _ in range(rules.max_iterations):
        p = 1.0 / (1.0 + np.exp(-design @ beta))
        gradient = design.T @ (y - p) - penalty @ beta
        step = np.linalg.solve((design * (p * (1.0 - p))[:, None]).T @ design + penalty + 1e-12 * np.eye(2), gradient)
        beta = beta + np.clip(step, -2.0, 2.0)  # a full step overshoots where the classes hardly overlap
        if np.abs(step).max() < rules.tolerance:
            break
    slope = float(beta[1]) / spread
    return float(beta[0]) - slope * centre, slope

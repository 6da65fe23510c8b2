"""The detection curve: known limits recovered, scikit-learn's coefficients, and the cases without a limit."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from carbonray.science.no2.detection_limit import CurveRules, detection_counts, detection_curve

RULES = CurveRules()


def sample(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    q = np.exp(rng.uniform(np.log(0.01), np.log(3.0), n))
    return q, rng.random(n) < 1.0 / (1.0 + (0.2 / q) ** 2.5)  # Q50 = 0.2, slope 2.5


def test_known_limits_are_recovered():
    q, detected = sample()
    curve = detection_curve(q, detected, RULES)
    assert curve.q50_kg_s == pytest.approx(0.2, rel=0.05)
    assert curve.q90_kg_s == pytest.approx(0.2 * 9.0 ** (1 / 2.5), rel=0.1)
    assert curve.slope == pytest.approx(2.5, rel=0.1)
    np.testing.assert_allclose(curve.probability(np.array([curve.q50_kg_s, curve.q90_kg_s])), [0.5, 0.9])
    assert (curve.n, curve.n_detected) == (4000, detected.sum())


def test_coefficients_are_scikit_learns():
    q, detected = sample(500)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(np.log(q)[:, None], detected)
    curve = detection_curve(q, detected, CurveRules(ridge=0.0))
    assert curve.slope == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert curve.intercept == pytest.approx(reference.intercept_[0], rel=1e-4)


def test_separated_sources_have_a_finite_curve_between_them():
    q = np.array([0.01, 0.05, 0.1, 0.4, 1.0, 2.0])
    curve = detection_curve(q, q > 0.2, RULES)
    assert 0.1 < curve.q50_kg_s < 0.4
    assert np.isfinite(curve.slope)


def test_padding_is_left_out_and_no_curve_means_no_limit():
    q, detected = sample(300)
    padded = detection_curve(np.append(q, [np.nan] * 5), np.append(detected, [False] * 5), RULES)
    assert padded == detection_curve(q, detected, RULES)
    for none in (np.ones(300, bool), np.zeros(300, bool)):
        assert np.isnan(detection_curve(q, none, RULES).q50_kg_s)
    falling = detection_curve(q, ~detected, RULES)
    assert falling.slope < 0.0
    assert np.isnan(falling.q90_kg_s)
    assert detection_curve(np.array([np.nan]), np.array([False]), RULES).n == 0


def test_counts_by_bin_add_up():
    q, detected = sample(100)
    edges = np.array([0.01, 0.1, 1.0, 3.01])
    n, hits = detection_counts(q, detected, edges)
    assert n.sum() == 100
    assert hits.sum() == detected.sum()
    halves = [detection_counts(q[part], detected[part], edges) for part in (slice(0, 37), slice(37, None))]
    np.testing.assert_array_equal(sum(half[0] for half in halves), n)
    np.testing.assert_array_equal(sum(half[1] for half in halves), hits)

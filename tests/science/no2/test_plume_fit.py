"""The Gaussian-plume fit: emission of straight and bent plumes, its own uncertainty, its reasons."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.science.no2.dispersion import column_plume, umol_m2_from_kg_m2
from carbonray.science.no2.plume_fit import FitRules, fit_gaussian_plume
from carbonray.science.no2.quantify import PlumeRules
from tests.science.no2.plume_views import plume_view, random_views

CORRIDOR = PlumeRules()


def test_random_plumes_are_recovered_when_their_class_is_known():
    ratios = [
        fit_gaussian_plume(view, CORRIDOR, FitRules(stability=stability)).q_kg_s / q
        for q, stability, view in random_views(20, seed=5)
    ]
    np.testing.assert_allclose(ratios, 1.0, atol=0.02)


def test_a_bent_plume_needs_the_curvature():
    view = plume_view(stability="C")
    along, across = view.along_across_m(view.x_m, view.y_m)
    bent = umol_m2_from_kg_m2(column_plume(along, across - 0.5 * 6e-6 * along**2, 1.0, 5.0, 0.0, view.lifetime_s, "B"))
    view = replace(view, no2_umol_m2=bent)
    narrow = FitRules(stability="B", diffusivities_m2_s=(0.0,))
    with_bend = fit_gaussian_plume(view, CORRIDOR, narrow)
    without = fit_gaussian_plume(view, CORRIDOR, replace(narrow, max_curvature_per_m=1e-9))
    assert with_bend.q_kg_s == pytest.approx(1.0, abs=0.08)
    assert abs(without.q_kg_s - 1.0) > 0.2
    assert with_bend.sd_kg_s < without.sd_kg_s


def test_a_widened_plume_needs_the_widening():
    view = plume_view()
    along, across = view.along_across_m(view.x_m, view.y_m)
    wide = column_plume(along, across, 1.0, 5.0, 0.0, view.lifetime_s, "D", diffusivity_m2_s=1600.0)
    view = replace(view, no2_umol_m2=umol_m2_from_kg_m2(wide))
    assert fit_gaussian_plume(view, CORRIDOR, FitRules()).q_kg_s == pytest.approx(1.0, abs=0.05)
    assert fit_gaussian_plume(view, CORRIDOR, FitRules(diffusivities_m2_s=(0.0,))).q_kg_s < 0.85


def test_background_planes_change_nothing():
    view = plume_view(stability="D")
    tilted = replace(view, no2_umol_m2=view.no2_umol_m2 + 25.0 + 1e-4 * view.x_m)
    assert fit_gaussian_plume(tilted, CORRIDOR, FitRules()).q_kg_s == pytest.approx(
        fit_gaussian_plume(view, CORRIDOR, FitRules()).q_kg_s, rel=1e-3
    )


def test_noise_stays_within_a_few_of_the_stated_deviations():
    rng = np.random.default_rng(6)
    view = plume_view(stability="D")
    misses = []
    for _ in range(20):
        noisy = replace(view, no2_umol_m2=view.no2_umol_m2 + rng.normal(0.0, 15.0, view.x_m.shape))
        estimate = fit_gaussian_plume(noisy, CORRIDOR, FitRules())
        misses.append((estimate.q_kg_s - 1.0) / estimate.sd_kg_s)
    assert abs(np.mean(misses)) < 0.8
    assert 0.5 < np.std(misses) < 2.0


def test_no_estimate_has_its_reason():
    view = plume_view()
    assert fit_gaussian_plume(replace(view, wind_u_m_s=0.0), CORRIDOR, FitRules()).reason.startswith("wind 0.00")
    thin = np.where(np.arange(64) % 2 == 0, np.nan, view.no2_umol_m2)
    assert "valid area" in fit_gaussian_plume(replace(view, no2_umol_m2=thin), CORRIDOR, FitRules()).reason

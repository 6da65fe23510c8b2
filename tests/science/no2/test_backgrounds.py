"""Backgrounds: variance and range of the random fields, the budget of weak sources, blobs and gradients."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.science.no2.backgrounds import (
    SPECTRUM,
    TORUS_PX,
    BackgroundRules,
    background_spectra,
    correlated_spectra,
    fields_from_spectra,
    smooth_parts,
    weak_spectra,
)
from carbonray.science.no2.dispersion import kg_m2_from_umol_m2
from carbonray.science.no2.scene_weather import WeatherRules, draw_weather
from carbonray.science.no2.variates import SceneVariates

DY = 5566.0
RULES = BackgroundRules()


def unit_fields(n, range_km, dx_m=DY, pixels=64):
    white = SceneVariates.of(0, "b", np.arange(n)).normals((*SPECTRUM, 2))
    spectra = correlated_spectra(white, np.full(n, 1e3 * range_km), np.full(n, dx_m), DY)
    return fields_from_spectra(spectra, pixels)


def test_random_fields_have_unit_variance_and_no_mean():
    fields = unit_fields(300, 60.0)
    assert fields.mean() == pytest.approx(0.0, abs=0.05)
    assert fields.std() == pytest.approx(1.0, abs=0.04)


def correlations(range_km, dx_m, lag_m):
    fields = unit_fields(400, range_km, dx_m)
    north, east = round(lag_m / DY), round(lag_m / dx_m)
    return (fields[:, north:] * fields[:, :-north]).mean(), (fields[:, :, east:] * fields[:, :, :-east]).mean()


@pytest.mark.parametrize("dx_m", [DY, DY / 2])
def test_the_correlation_is_of_the_range_asked_for_and_round_on_the_ground(dx_m):
    """A spectrum (1 + k^2 r^2)^-2 in two dimensions has correlation (d / r) K1(d / r): 0.60 at one range."""
    north, east = correlations(30.0, dx_m, 6 * DY)
    assert north == pytest.approx(0.57, abs=0.08)
    assert east == pytest.approx(north, abs=0.05)


def test_a_longer_range_is_smoother():
    reach = [correlations(r, DY, 6 * DY)[0] for r in (20.0, 50.0, 150.0)]
    assert reach[0] < reach[1] - 0.1 < reach[2] - 0.15


def test_weak_sources_fill_the_torus_with_their_emission_times_lifetime():
    variates = SceneVariates.of(5, "b", np.arange(20))
    weather = draw_weather(WeatherRules(), variates)
    rules = replace(RULES, weak_kg_s=(0.02, 0.02), shipping_share=0.0)
    dx = DY * np.cos(np.radians(weather.lat_deg))
    field = fields_from_spectra(weak_spectra(rules, variates, weather, dx, DY), TORUS_PX)
    mass = kg_m2_from_umol_m2(field.mean(axis=(1, 2))) * TORUS_PX**2 * DY * dx
    count = mass / (0.02 * 3600.0 * weather.tau_h)
    np.testing.assert_allclose(count, np.round(count), atol=1e-3)
    assert set(np.round(count)) <= set(range(7))
    assert len(set(np.round(count))) > 3
    # waves shorter than four pixels are missing, so a plume rings a little below zero
    assert field.min() > -0.12 * field.max()


def test_weak_plumes_lie_downwind():
    variates = SceneVariates.of(6, "b", np.arange(200))
    weather = replace(draw_weather(WeatherRules(), variates), u_m_s=np.full(200, 6.0), v_m_s=np.zeros(200))
    rules = replace(RULES, weak_sources=1, shipping_share=0.0, weak_sd_km=(10.0, 10.0))
    field = fields_from_spectra(weak_spectra(rules, variates, weather, np.full(200, DY), DY), TORUS_PX)
    alive = field.max(axis=(1, 2)) > 0.01
    assert alive.any()
    for one in field[alive]:
        row, col = np.unravel_index(one.argmax(), one.shape)
        profile = np.roll(one[row], TORUS_PX // 2 - col)
        assert profile[TORUS_PX // 2 + 10] > 1.5 * profile[TORUS_PX // 2 - 10]


def test_a_shipping_lane_is_there_as_often_as_named():
    variates = SceneVariates.of(7, "b", np.arange(400))
    weather = draw_weather(WeatherRules(), variates)
    rules = replace(RULES, weak_kg_s=(1e-9, 1e-9), shipping_share=0.25)
    spectra = weak_spectra(rules, variates, weather, np.full(400, DY), DY)
    assert (np.abs(spectra).max(axis=(1, 2)) > 1e-3).mean() == pytest.approx(0.25, abs=0.06)


def test_level_gradient_and_blobs_stay_in_their_ranges():
    variates = SceneVariates.of(8, "b", np.arange(300))
    level = variates.between(RULES.level_umol_m2)
    rules = replace(RULES, blobs=1, blob_umol_m2=(20.0, 20.0))
    parts = smooth_parts(rules, variates, level, np.full(300, DY), DY, 64) - level[:, None, None].astype(np.float32)
    reach = np.abs(parts).max(axis=(1, 2)) / level
    assert reach.max() > 1.0  # a blob of 20 over a thin background
    bare = replace(rules, gradient=0.0, blob_umol_m2=(1e-9, 1e-9))
    flat = smooth_parts(bare, SceneVariates.of(8, "b", np.arange(300)), level, np.full(300, DY), DY, 64)
    np.testing.assert_allclose(flat, np.broadcast_to(level[:, None, None], flat.shape), rtol=1e-6)


def test_the_random_part_is_relative_to_the_level():
    rules = replace(RULES, relative_sd=(0.2, 0.2), range_km=(60.0, 60.0))
    variates = SceneVariates.of(9, "b", np.arange(300))
    white = variates.normals((*SPECTRUM, 2))
    field = fields_from_spectra(
        background_spectra(rules, variates, white, np.full(300, 50.0), np.full(300, DY), DY), 64
    )
    assert field.std() == pytest.approx(10.0, rel=0.05)

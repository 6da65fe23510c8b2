"""Weather of scenes: Weibull winds, daytime classes, lifetimes longer toward the poles, an honest reanalysis."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.science.no2.scene_weather import WeatherRules, draw_weather
from carbonray.science.no2.variates import SceneVariates


@pytest.fixture(scope="module")
def weather():
    return draw_weather(WeatherRules(), SceneVariates.of(0, "w", np.arange(6000)))


def test_wind_is_weibull_of_mean_five_cut_at_one_and_fifteen(weather):
    assert weather.speed_m_s.mean() == pytest.approx(5.0, abs=0.15)
    assert weather.speed_m_s.min() == 1.0
    assert weather.speed_m_s.max() <= 15.0
    # a Weibull of shape 2 has a quarter of its mass below 0.605 of its mean
    assert (weather.speed_m_s < 0.605 * 5.0).mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_allclose(np.hypot(weather.u_m_s, weather.v_m_s), weather.speed_m_s)
    assert abs(weather.u_m_s.mean()) < 0.15
    assert abs(weather.v_m_s.mean()) < 0.15


def test_only_daytime_classes_occur_and_wind_makes_them_neutral(weather):
    assert set(weather.stability) == {0, 1, 2, 3}
    slow, fast = weather.speed_m_s < 2.5, weather.speed_m_s > 9
    assert weather.stability[slow].mean() < 1.0 < 2.0 < weather.stability[fast].mean()
    assert (weather.stability[fast] >= 2).all()


def test_lifetime_is_two_to_eight_hours_and_longer_toward_the_poles(weather):
    assert 2.0 <= weather.tau_h.min() < 2.1
    assert 7.9 < weather.tau_h.max() <= 8.0
    polar = np.abs(weather.lat_deg) > 45
    assert weather.tau_h[polar].mean() > weather.tau_h[np.abs(weather.lat_deg) < 15].mean() + 1.0


def test_the_reported_wind_errs_as_it_was_told(weather):
    turn = np.angle((weather.reported_u_m_s + 1j * weather.reported_v_m_s) / (weather.u_m_s + 1j * weather.v_m_s))
    gain = np.hypot(weather.reported_u_m_s, weather.reported_v_m_s) / weather.speed_m_s
    assert np.degrees(turn.std()) == pytest.approx(10.0, rel=0.05)
    assert np.log(gain).std() == pytest.approx(0.15, rel=0.05)


def test_an_error_of_zero_reports_the_truth():
    rules = replace(WeatherRules(), direction_error_deg=0.0, speed_error=0.0)
    exact = draw_weather(rules, SceneVariates.of(0, "w", np.arange(5)))
    np.testing.assert_allclose(exact.reported_u_m_s, exact.u_m_s)
    np.testing.assert_allclose(exact.reported_v_m_s, exact.v_m_s)

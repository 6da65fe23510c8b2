"""The shift tier's transport: a wind that meanders and curves without divergence, stacks that switch."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.science.no2.scene_weather import WeatherRules, draw_weather
from carbonray.science.no2.variates import SceneVariates
from carbonray.science.no2.wandering_plumes import ShiftRules, draw_loads, draw_wandering_wind

RULES = ShiftRules()


def wandering(rules, n=300, hours=16):
    variates = SceneVariates.of(0, "m", np.arange(n))
    weather = draw_weather(WeatherRules(), variates)
    return weather, draw_wandering_wind(rules, variates, weather, hours)


def test_meander_is_ten_to_twenty_degrees_and_lasts_one_to_three_hours():
    _, wind = wandering(replace(RULES, trend_deg=0.0, trend_speed=0.0), n=1500)
    sd = np.degrees(wind.turn_rad.std(axis=0))
    np.testing.assert_allclose(sd, np.sqrt((20.0**3 - 10.0**3) / 30.0), rtol=0.1)  # mean square of 10 to 20
    two_hours = np.mean(wind.turn_rad[:, 8:] * wind.turn_rad[:, :-8]) / np.mean(wind.turn_rad**2)
    assert np.exp(-2.0) < two_hours < np.exp(-2.0 / 3.0)
    np.testing.assert_array_equal(wind.gain, 1.0)


def test_the_field_is_curved_but_free_of_divergence():
    weather, wind = wandering(RULES, n=200)
    scene, step = np.arange(200), 1e3
    zero = np.zeros((200, 1))
    east, west = (wind.field(scene, zero + d, zero)[0] for d in (step, -step))
    north, south = (wind.field(scene, zero, zero + d)[1] for d in (step, -step))
    np.testing.assert_allclose((east - west) + (north - south), 0.0, atol=1e-9)
    middle = wind.field(scene, zero, zero)
    np.testing.assert_allclose(np.hypot(*middle)[:, 0], weather.speed_m_s)
    corner = wind.field(scene, zero + 178e3, zero)
    change = np.hypot(corner[0] - middle[0], corner[1] - middle[1])[:, 0] / weather.speed_m_s
    assert np.sqrt((change**2).mean()) == pytest.approx(0.2 * np.sqrt(2.0), rel=0.15)


def test_the_wind_at_the_overpass_is_the_last_node_and_before_the_first_it_stays():
    _, wind = wandering(RULES, n=3, hours=4)
    scene, origin = np.arange(3), np.zeros((3, 1))
    u, v = wind.at(scene, origin, origin, 0.0)
    turned = (wind.u_m_s + 1j * wind.v_m_s) * wind.gain[:, -1] * np.exp(1j * wind.turn_rad[:, -1])
    np.testing.assert_allclose((u + 1j * v)[:, 0], turned)
    np.testing.assert_array_equal(wind.at(scene, origin, origin, -4 * 3600.0), wind.at(scene, origin, origin, -9e4))


def test_no_meander_no_trend_no_curvature_is_the_steady_wind():
    weather, wind = wandering(ShiftRules((0.0, 0.0), curvature=0.0, trend_deg=0.0, trend_speed=0.0), n=5)
    u, v = wind.at(np.arange(5), np.full((5, 1), 9e4), np.full((5, 1), -4e4), -5e3)
    np.testing.assert_allclose(u[:, 0], weather.u_m_s)
    np.testing.assert_allclose(v[:, 0], weather.v_m_s)


def test_stacks_run_in_two_states_that_last():
    loads = draw_loads(RULES, SceneVariates.of(0, "l", np.arange(800)), 6, 16)
    on = loads >= RULES.full_load[0]
    assert (on | (loads <= RULES.low_load[1])).all()
    assert on.mean() == pytest.approx(0.25 / 0.35, abs=0.02)
    assert on[:, :, 1:][on[:, :, :-1]].mean() == pytest.approx(RULES.stay_on, abs=0.02)
    assert (~on)[:, :, 1:][~on[:, :, :-1]].mean() == pytest.approx(RULES.stay_off, abs=0.02)

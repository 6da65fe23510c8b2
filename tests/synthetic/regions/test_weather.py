"""Weather follows the sun, and its means are what mixes are laid out for."""

import dataclasses

import numpy as np
import pytest

from carbonray.synthetic.regions.places import PlaceRules, drawn_place
from carbonray.synthetic.regions.weather import RegionWeatherRules, drawn_weather, sine_elevation

PLACE = dataclasses.replace(drawn_place(PlaceRules(), 7, 1, "usual", 18000), lat=50.0, mean_c=10.0, season_c=9.0)
DAYS = np.arange(17897, 17897 + 8 * 365)


def test_day_length_is_the_latitudes():
    lit = (sine_elevation(50.0, np.array([172, 355])) > 0).sum(axis=1)
    assert list(lit) == [16, 8]  # 16.4 and 7.9 hours at 50 degrees north
    polar = sine_elevation(75.0, np.array([172, 355]))
    assert (polar[0] > 0).all() and not polar[1].any()
    assert sine_elevation(0.0, np.array([81])).max() == pytest.approx(np.cos(np.pi / 24), abs=1e-3)


@pytest.mark.parametrize("lat", [50.0, -50.0])
def test_means_of_many_years(lat):
    place = dataclasses.replace(PLACE, lat=lat)
    weather = drawn_weather(RegionWeatherRules(), place, DAYS, np.random.default_rng(3))
    assert weather.temperature_c.mean() == pytest.approx(10.0, abs=0.5)
    for each in (weather.wind, weather.sun, weather.water):
        assert each.mean() == pytest.approx(1.0, abs=0.06)
        assert each.min() >= 0.0
    july = DAYS % 365.2425 // 30.5 == 6
    assert (weather.temperature_c[july].mean() > 10.0) == (lat > 0)
    assert (weather.sun[july].mean() > 1.0) == (lat > 0)


def test_no_sun_at_night():
    weather = drawn_weather(RegionWeatherRules(), PLACE, DAYS[:50], np.random.default_rng(3))
    assert not weather.sun[:, [0, 1, 22, 23]].any()


def test_later_days_decide_nothing_before_them():
    long, short = (
        drawn_weather(RegionWeatherRules(), PLACE, days, np.random.default_rng(3)) for days in (DAYS[:90], DAYS[:30])
    )
    for name in ("temperature_c", "wind", "sun", "water"):
        np.testing.assert_allclose(getattr(long, name)[:30], getattr(short, name), rtol=1e-12)

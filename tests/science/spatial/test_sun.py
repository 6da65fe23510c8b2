"""The sun against a real scene's metadata and what is known without tables."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.spatial.sun import sun_position, sunlight


def ns(*moment):
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 10**9


def test_a_landsat_scene_of_the_shared_data():
    # LC80200392015216: centre 30.30 N 87.02 W, SUN_ELEVATION 64.74, SUN_AZIMUTH 115.87, EARTH_SUN_DISTANCE 1.0145544
    elevation, azimuth = sun_position(ns(2015, 8, 4, 16, 19, 22), 30.30, -87.02)
    assert elevation == pytest.approx(64.744, abs=0.15)
    assert azimuth == pytest.approx(115.87, abs=0.3)
    assert 1 / np.sqrt(sunlight(ns(2015, 8, 4, 16, 19, 22))) == pytest.approx(1.01455, abs=5e-4)


def test_the_equinox_at_noon_on_the_equator():
    elevation, _ = sun_position(ns(2021, 3, 20, 12, 7, 0), 0.0, 0.0)
    assert elevation == pytest.approx(90.0, abs=0.6)


@given(st.integers(0, 2_000_000_000), st.floats(-89.0, 89.0), st.floats(-180.0, 179.9))
def test_angles_stay_in_their_ranges(second, lat, lon):
    elevation, azimuth = sun_position(second * 10**9, lat, lon)
    assert -90.0 <= elevation <= 90.0
    assert 0.0 <= azimuth < 360.0
    assert 0.96 < sunlight(second * 10**9) < 1.04


@given(st.floats(-60.0, 60.0), st.floats(-170.0, 170.0))
def test_the_sun_is_in_the_east_in_the_morning_and_highest_at_noon(lat, lon):
    noon = ns(2021, 3, 20, 12, 0, 0) - round(lon / 15 * 3600) * 10**9
    (low, east), (high, _), (_, west) = (sun_position(noon + hours * 3600 * 10**9, lat, lon) for hours in (-3, 0, 3))
    assert high > low
    assert 0.0 < east < 180.0 < west < 360.0

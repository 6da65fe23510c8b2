"""Laws of the sphere, and textbook numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.spatial import geodesy

LAT, LON = st.floats(-89.0, 89.0), st.floats(-180.0, 179.999)
HOUR = geodesy.HOUR_NS


@given(LAT, LON, LAT, LON)
def test_distance_is_symmetric_and_never_more_than_half_the_globe(a, b, c, d):
    there, back = geodesy.distance_km(a, b, c, d), geodesy.distance_km(c, d, a, b)
    assert there == pytest.approx(back, rel=1e-12, abs=1e-9)
    assert 0.0 <= there <= np.pi * geodesy.EARTH_RADIUS_KM * (1 + 1e-12)


def test_a_degree_of_latitude_is_the_one_of_the_mean_sphere():
    # IUGG mean radius 6371.0088 km: 111.195 km a degree
    assert geodesy.distance_km(0.0, 10.0, 1.0, 10.0) == pytest.approx(111.195, abs=1e-3)
    assert geodesy.distance_km(0.0, 179.9, 0.0, -179.9) == pytest.approx(0.2 * 111.195, abs=1e-3)


def test_bands_of_the_globe_add_up_to_its_area():
    edges = np.linspace(-90.0, 90.0, 3601)
    total = geodesy.band_area_km2(edges[:-1], edges[1:], 360.0).sum()
    assert total == pytest.approx(4 * np.pi * geodesy.EARTH_RADIUS_KM**2, rel=1e-12)


@given(st.floats(-1e4, 1e4))
def test_wrapping_lands_in_the_half_open_turn_and_changes_nothing_else(lon):
    wrapped = float(geodesy.wrapped_longitude(lon))
    assert -180.0 <= wrapped < 180.0
    assert np.cos(np.radians(wrapped - lon)) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("lon", "expected"), [(180.0, -180.0), (-180.0, -180.0), (360.0, 0.0), (-1e-15 - 180.0, -180.0)]
)
def test_wrapping_at_the_seam(lon, expected):
    assert geodesy.wrapped_longitude(lon) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(geodesy.wrapped_longitude(np.nan))


@given(LAT, LON, st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_the_tangent_plane_keeps_distance_from_its_centre(lat, lon, north, east):
    point = np.clip(lat + north, -89.9, 89.9), lon + east
    x, y = geodesy.tangent_plane_m(*point, lat_centre=lat, lon_centre=lon)
    assert np.hypot(x, y) / 1e3 == pytest.approx(float(geodesy.distance_km(lat, lon, *point)), rel=1e-9, abs=1e-6)


def test_the_tangent_plane_points_east_and_north():
    x, y = geodesy.tangent_plane_m([10.0, 10.1], [-179.9, 180.0], lat_centre=10.0, lon_centre=180.0)
    assert x[0] > 0
    assert abs(y[0]) < 20.0
    assert (x[1], y[1]) == pytest.approx((0.0, 11119.5), abs=0.1)
    assert np.allclose(geodesy.tangent_plane_m(10.0, 180.0, lat_centre=10.0, lon_centre=180.0), 0.0)


@pytest.mark.parametrize(
    ("hour", "lon", "day"),
    [
        (0.0, 0.0, 0),
        (23.99, 0.0, 0),
        (12.0, 179.9, 0),
        (12.1, 179.9, 1),
        (0.0, -1.0, -1),
        (11.9, -180.0, -1),
        (12.0, -180.0, 0),
    ],
)
def test_the_local_solar_day_turns_at_local_midnight(hour, lon, day):
    assert geodesy.local_solar_day(np.int64(hour * HOUR), lon) == day
    assert geodesy.local_solar_day(np.int64(hour * HOUR), lon + 360.0) == day


def test_the_year_of_a_moment_changes_at_midnight_utc():
    edge = np.datetime64("2021-01-01", "ns").astype(np.int64)
    assert geodesy.utc_year([edge - 1, edge, -1, 0]).tolist() == [2020, 2021, 1969, 1970]

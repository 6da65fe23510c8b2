"""Light and heat: limits, monotony and published constants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.power.radiometry import (
    AtmosphereRules,
    brightness_temperature_k,
    cloud_reflectance,
    diffuse_share,
    droplet_factor,
    emissivity,
    gas_transmission,
    optical_depth,
    over_ground,
    path_reflectance,
    planck_constants,
    rayleigh_depth,
    scattering_transmission,
    shadow_shift_m,
    thermal_radiance,
    thermal_transmission,
    water_column_cm,
    water_path_kg_m2,
)

RULES = AtmosphereRules()


def test_optical_depth_of_a_known_cloud():
    # 100 g m-2 of droplets of 10 um have tau = 3 x .1 / (2 x 1000 x 1e-5) = 15
    assert optical_depth(0.1, 10e-6) == pytest.approx(15.0)
    assert water_path_kg_m2(1e-3, 100.0) == pytest.approx(0.12)
    assert cloud_reflectance(15.0) == pytest.approx(0.15 * 15 / (2 + 0.15 * 15))


@given(st.floats(0.0, 500.0), st.floats(0.0, 0.95))
def test_a_cloud_brightens_ground_up_to_white(depth, ground):
    cloud = cloud_reflectance(depth)
    assert 0.0 <= cloud < 1.0
    assert ground - 1e-12 <= over_ground(cloud, ground) <= 1.0
    assert over_ground(0.0, ground) == pytest.approx(ground)
    assert over_ground(cloud, 0.0) == pytest.approx(cloud)


@given(st.floats(0.0, 0.95), st.floats(0.0, 0.95))
def test_two_layers_that_absorb_nothing_may_change_places(first, second):
    joined = over_ground(first, second)
    assert joined == pytest.approx(over_ground(second, first), rel=1e-9, abs=1e-12)
    assert max(first, second) - 1e-12 <= joined < 1.0


def test_droplets_are_darker_in_the_short_wave_infrared():
    assert droplet_factor([490.0, 865.0, 1610.0, 2190.0]) == pytest.approx([1.0, 1.0, 0.65, 0.5])
    assert emissivity([0.0, 2.0, 100.0]) == pytest.approx([0.0, 1 - np.exp(-1), 1.0])


def test_planck_gives_landsats_thermal_constants():
    # MTL of Landsat 8: K1 774.8853 and 480.8883, K2 1321.0789 and 1201.1442 for bands at 10.9 and 12.0 um
    k1, k2 = planck_constants([10900.0, 12000.0])
    assert k1 == pytest.approx([774.8853, 480.8883], rel=0.006)
    assert k2 == pytest.approx([1321.0789, 1201.1442], rel=0.003)


@given(st.floats(200.0, 340.0))
def test_brightness_temperature_inverts_radiance(kelvin):
    assert brightness_temperature_k(thermal_radiance(kelvin, 774.8853, 1321.0789), 774.8853, 1321.0789) == (
        pytest.approx(kelvin)
    )


def test_blue_rises_most_with_air_and_haze():
    nm = np.array([490.0, 560.0, 665.0, 865.0])
    clear, hazy = (path_reflectance(nm, depth, 45.0, RULES) for depth in (0.05, 0.4))
    assert np.all(np.diff(clear) < 0) and np.all(np.diff(hazy) < 0)
    assert np.all(np.diff(hazy - clear) < 0)
    # Rayleigh optical depth at 550 nm is 0.097 at sea level (Hansen and Travis)
    assert rayleigh_depth(550.0) == pytest.approx(0.097, abs=0.002)
    # a clear sky over black ground reads about 0.06 to 0.09 in the blue band of level-1 images
    assert 0.05 < clear[0] < 0.10
    assert np.all(np.diff(scattering_transmission(nm, 0.1, 45.0, RULES)) > 0)
    assert np.all(np.diff(diffuse_share(nm, 0.1, RULES)) < 0)


def test_the_cirrus_band_does_not_see_the_ground():
    through = gas_transmission([490.0, 945.0, 1375.0, 1610.0], 2.0, 50.0)
    assert through[2] < 0.01
    assert through[1] < 0.7 < 0.9 < through[3] < through[0] <= 1.0


def test_the_twelve_micron_band_loses_more_to_vapor():
    low, high = thermal_transmission([10900.0, 12000.0], 3.0, RULES)
    assert high < low < 1.0
    assert water_column_cm(20.0, 60.0) == pytest.approx(2.1, abs=0.2)


def test_shadows_fall_away_from_the_sun():
    east, north = shadow_shift_m(100.0, 45.0, 135.0)  # sun in the south-east
    assert (east, north) == pytest.approx((-70.71, 70.71), abs=0.01)
    assert np.hypot(*shadow_shift_m(100.0, 30.0, 10.0)) == pytest.approx(100.0 * np.tan(np.radians(60.0)))

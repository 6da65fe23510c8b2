"""Vapour physics: spot values of SCIENCE 4.13, conservation along the mixing line, and the way plumes vanish."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.power.vapor import (
    VaporRules,
    ambient_air,
    buoyancy_flux,
    dilution_of,
    exit_speed_m_s,
    flue_gas,
    mixture,
    moist_enthalpy,
    plume_path,
    rise_m,
    saturated_temperature_c,
    saturation_mixing_ratio,
    saturation_pressure_hpa,
    tower_air,
    visible_dilution,
    wet_bulb_c,
)

RULES = VaporRules()
COLD, MILD, HOT = (-5.0, 80.0), (10.0, 70.0), (24.0, 36.0)
weathers = st.tuples(st.floats(-25.0, 42.0), st.floats(5.0, 95.0))


def exhausts(weather, load=1.0, fog=7.5e-4):
    air = ambient_air(*weather)
    return air, tower_air(air, load, fog, RULES), flue_gas(52.0, 2e-4)


@pytest.mark.parametrize(("weather", "least", "most"), [(COLD, 12.0, 14.0), (MILD, 3.5, 4.0), (HOT, 1.2, 1.4)])
def test_towers_at_full_load_are_seen_as_far_as_science_says(weather, least, most):
    air, tower, _ = exhausts(weather)
    assert least <= visible_dilution(tower, air, 1000.0) <= most


@pytest.mark.parametrize(("weather", "expected"), [(COLD, 160.0), (MILD, 30.0), (HOT, 4.2)])
def test_stacks_are_seen_as_far_as_science_says(weather, expected):
    air, _, gas = exhausts(weather)
    assert visible_dilution(gas, air, 1000.0) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("weather", "dilution", "peak_g_kg"), [((14.0, 26.0), 8.9, 2.7), (HOT, 4.2, 1.2), ((32.0, 60.0), 2.8, 0.5)]
)
def test_the_weather_rules_exclude_the_weak_side(weather, dilution, peak_g_kg):
    # SCIENCE 4.4: an independent check of the direction of the weather rules
    air, _, gas = exhausts(weather)
    assert visible_dilution(gas, air, 1000.0) == pytest.approx(dilution, rel=0.02)
    peak = mixture(gas, air, np.geomspace(1.0, dilution, 400)).liquid.max()
    assert 1e3 * peak == pytest.approx(peak_g_kg, abs=0.05)


def test_saturation_is_bucks():
    # 6.1121 hPa at 0 degC by construction; 23.39 hPa at 20 degC and 123.5 hPa at 50 degC in steam tables
    assert saturation_pressure_hpa([0.0, 20.0, 50.0]) == pytest.approx([6.1121, 23.39, 123.5], rel=1e-3)


@given(weathers, st.floats(0.05, 1.0), st.floats(1.0, 900.0))
def test_mixing_conserves_water_and_enthalpy(weather, load, dilution):
    for air, exhaust in ((exhausts(weather, load)[0], part) for part in exhausts(weather, load)[1:]):
        mixed = mixture(exhaust, air, dilution)
        share = 1.0 / dilution
        assert mixed.water == pytest.approx(share * exhaust.water + (1 - share) * air.water, rel=1e-9)
        expected = share * exhaust.enthalpy + (1 - share) * air.enthalpy
        assert mixed.enthalpy == pytest.approx(expected, abs=0.5)  # J/kg, of tens of thousands
        assert mixed.liquid >= 0.0
        assert mixed.vapor <= saturation_mixing_ratio(mixed.temperature_c) * (1 + 1e-6)


@given(weathers)
def test_liquid_ends_where_the_visible_dilution_says(weather):
    air, *parts = exhausts(weather)
    for exhaust in parts:
        end = visible_dilution(exhaust, air, 1000.0)
        if end < 999.0:
            assert mixture(exhaust, air, end * 1.01).liquid == 0.0
            assert mixture(exhaust, air, max(end * 0.98, 1.0)).liquid > 0.0


@given(st.floats(-20.0, 38.0), st.floats(10.0, 90.0), st.floats(0.5, 5.0), st.floats(1.0, 8.0))
def test_stack_plumes_only_shrink_as_air_warms_or_dries(temperature_c, humidity, warmer, drier):
    gas = flue_gas(52.0, 2e-4)
    here, hot, dry = (
        float(visible_dilution(gas, ambient_air(*air), 1000.0))
        for air in ((temperature_c, humidity), (temperature_c + warmer, humidity), (temperature_c, humidity - drier))
    )
    assert hot <= here
    assert dry <= here


@pytest.mark.parametrize("wind", [2.0, 5.0])
def test_towers_show_more_vapor_than_stacks_and_stacks_vanish_in_hot_dry_air(wind):
    areas = {}
    for weather in (MILD, HOT):
        air, tower, gas = exhausts(weather)
        for kind, exhaust, speed, mouth in (("NDT", tower, 4.0, 30.0), ("FGD", gas, 17.5, 5.0)):
            path = plume_path(exhaust, air, speed, mouth, wind, RULES)
            areas[kind, weather] = path.radius_m[-1] ** 2
    assert all(areas["NDT", weather] > areas["FGD", weather] for weather in (MILD, HOT))
    assert areas["FGD", HOT] < 0.2 * areas["FGD", MILD]


@given(weathers, st.floats(0.1, 0.9), st.floats(0.5, 12.0))
def test_a_higher_load_never_shortens_a_plume(weather, load, wind):
    for kind, full, mouth in (("NDT", 4.0, 30.0), ("FGD", 17.5, 5.0)):
        widths = []
        for each in (load, 1.0):
            air, tower, gas = exhausts(weather, each)
            speed = exit_speed_m_s(kind, full, each, RULES)
            path = plume_path(tower if kind == "NDT" else gas, air, speed, mouth, wind, RULES)
            widths.append(float(path.radius_m[-1]))
        assert widths[1] >= widths[0] * (1 - 1e-9)


def test_a_path_grows_by_entrainment_and_keeps_the_laws():
    air, _, gas = exhausts(MILD)
    path = plume_path(gas, air, [17.5, 10.0], [5.0, 5.0], 4.0, RULES)
    assert path.along_m.shape == (2, RULES.steps)
    np.testing.assert_allclose(path.radius_m, 5.0 + RULES.entrainment * path.rise_m)
    flux = buoyancy_flux(gas, air, [17.5, 10.0], 5.0)
    np.testing.assert_allclose(rise_m(flux[:, None], path.along_m, 4.0, RULES), path.rise_m, rtol=1e-9)
    speeds = np.array([[17.5], [10.0]])
    np.testing.assert_allclose(path.dilution[:, 1:], dilution_of(path.radius_m, 5.0, 4.0, speeds)[:, 1:])
    assert np.all(path.dilution >= 1.0)
    assert np.all(path.condensate[:, -1] < 1e-5)
    assert path.length_m[0] > path.length_m[1] > 0.0


def test_nearly_saturated_air_is_followed_no_further_than_declared():
    air, tower, _ = exhausts((5.0, 99.99))
    path = plume_path(tower, air, 4.0, 30.0, 5.0, RULES)
    assert path.visible_dilution == RULES.max_dilution
    assert path.length_m <= RULES.max_length_m * (1 + 1e-9)


@given(st.floats(-40.0, 60.0))
def test_the_saturated_temperature_inverts_the_enthalpy(temperature_c):
    enthalpy = moist_enthalpy(temperature_c, saturation_mixing_ratio(temperature_c))
    assert saturated_temperature_c(enthalpy) == pytest.approx(temperature_c, abs=1e-3)


def test_the_wet_bulb_is_below_dry_air_and_equal_in_saturated_air():
    # 20 degC and 50 % have a wet bulb of 13.7 degC in psychrometric charts
    assert wet_bulb_c(ambient_air(20.0, 50.0)) == pytest.approx(13.7, abs=0.3)
    assert wet_bulb_c(ambient_air(15.0, 100.0)) == pytest.approx(15.0, abs=1e-3)

"""Widths, classes and chemistry against their published tables; the column plume against its laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.science.no2.dispersion import (
    NO2_CURVES,
    PASQUILL_DAYTIME,
    column_plume,
    insolation_class,
    kg_m2_from_umol_m2,
    no2_over_nox,
    pasquill_class,
    sigma_y_m,
    sigma_y_shape,
    sigma_z_m,
    umol_m2_from_kg_m2,
)

# Briggs' formulas at 1 km, worked by hand from Hanna, Briggs and Hosker (1982), table 4.5
SIGMAS_AT_1_KM = {
    ("y", "open"): (209.8, 152.6, 104.9, 76.3, 57.2, 38.1),
    ("y", "urban"): (270.4, 270.4, 185.9, 135.2, 93.0, 93.0),
    ("z", "open"): (200.0, 120.0, 73.0, 37.9, 23.1, 12.3),
    ("z", "urban"): (339.4, 339.4, 200.0, 122.8, 50.6, 50.6),
}


@pytest.mark.parametrize(("axis", "terrain"), SIGMAS_AT_1_KM)
def test_widths_are_those_of_briggs(axis, terrain):
    width = {"y": sigma_y_m, "z": sigma_z_m}[axis]
    np.testing.assert_allclose(width(1000.0, "ABCDEF", terrain), SIGMAS_AT_1_KM[axis, terrain], atol=0.06)
    np.testing.assert_array_equal(width(1000.0, np.arange(6), terrain), width(1000.0, "ABCDEF", terrain))


def test_a_width_is_nothing_at_the_source_and_linear_beside_it():
    assert sigma_y_m(0.0, "D") == sigma_y_m(-500.0, "D") == 0.0
    assert sigma_y_m(1.0, "D") == pytest.approx(0.08, rel=1e-4)
    slope, bend = sigma_y_shape("D", "urban")
    assert slope * 5e3 / np.sqrt(1 + bend * 5e3) == pytest.approx(float(sigma_y_m(5e3, "D", "urban")))


@pytest.mark.parametrize("stability", ["G", "AZ", [0, 6], -1])
def test_an_unknown_class_says_what_was_expected(stability):
    with pytest.raises(ContractError, match="letters A to F"):
        sigma_y_m(1e3, stability)


def test_pasquill_classes_of_the_daytime_table():
    """Wind at 10 m below 2, 2-3, 3-5, 5-6 and above 6 m/s: Pasquill 1961, Turner 1970."""
    expected = {
        "strong": ("A", "A-B", "B", "C", "C"),
        "moderate": ("A-B", "B", "B-C", "C-D", "D"),
        "slight": ("B", "C", "C", "D", "D"),
    }
    assert {k: tuple("-".join(pair) for pair in v) for k, v in PASQUILL_DAYTIME.items()} == expected
    winds = np.array([1.0, 2.5, 4.0, 5.5, 9.0])
    for insolation, row in expected.items():
        first, second = pasquill_class(winds, insolation, 0.0), pasquill_class(winds, insolation, 0.9)
        assert ["ABCD"[i] for i in first] == [label[0] for label in row]
        assert ["ABCD"[i] for i in second] == [label[-1] for label in row]


def test_insolation_follows_the_sun():
    assert insolation_class([20.0, 34.9, 35.1, 59.0, 61.0]).tolist() == [0, 0, 1, 1, 2]


def test_no2_over_nox_is_a_third_at_the_stack_and_most_after_an_hour():
    """12-34 % at the stack and 51-75 % after one to two hours (SCIENCE 3.7, from the curves of Meier et al. 2024)."""
    shares = np.array([no2_over_nox([0.0, 3600.0, 7200.0], c.m, c.r_s, c.f0) for c in NO2_CURVES.values()])
    assert shares[:, 0].min() == pytest.approx(0.125, abs=5e-3)
    assert shares[:, 0].max() == pytest.approx(0.344, abs=5e-3)
    assert shares[:, 1:].min() == pytest.approx(0.51, abs=5e-3)
    assert shares[:, 1:].max() == pytest.approx(0.75, abs=1e-2)
    assert (np.diff(shares, axis=1) > 0).all()


@given(st.sampled_from(sorted(NO2_CURVES)), st.floats(0, 3e4))
def test_nox_is_conserved_by_the_conversion(site, age_s):
    curve = NO2_CURVES[site]
    share = no2_over_nox(age_s, curve.m, curve.r_s, curve.f0)
    assert 0 < share < 1
    assert 1.0 / share == pytest.approx(curve.m * np.exp(-age_s / curve.r_s) + curve.f0)


def test_units_of_a_column():
    """A micromole a square metre is 6.022e13 molecules a square centimetre; NO2 weighs 46.0055 g a mole."""
    assert kg_m2_from_umol_m2(1.0) / 46.0055e-3 * 6.02214076e23 * 1e-4 == pytest.approx(6.022e13, rel=1e-4)
    assert umol_m2_from_kg_m2(kg_m2_from_umol_m2(17.0)) == pytest.approx(17.0)


@pytest.mark.parametrize(
    ("q", "speed", "tau_h", "stability"),
    [(0.1, 2, 2, "A"), (1.0, 5, 4, "B"), (3.0, 5, 4, "C"), (0.03, 8, 6, "D"), (1.0, 12, 8, "D"), (1.0, 4, np.inf, "C")],
)
def test_mass_on_a_250_m_grid_is_what_was_released_and_left(q, speed, tau_h, stability):
    """Over a < s < b it is Q tau (exp(-a / (U tau)) - exp(-b / (U tau))); without decay Q (b - a) / U."""
    first, last, tau = 5e3, 65e3, 3600.0 * tau_h  # nearer the source a plume is thinner than the grid
    x, y = np.arange(first, last, 250.0) + 125.0, (np.arange(-240, 240) + 0.5) * 250.0
    column = column_plume(*np.meshgrid(x, y), q, speed, 0.0, tau, stability, diffusivity_m2_s=50.0)
    if np.isinf(tau):
        released = q * (last - first) / speed
    else:
        released = q * tau * (np.exp(-first / (speed * tau)) - np.exp(-last / (speed * tau)))
    assert column.sum() * 250.0**2 == pytest.approx(released, rel=1e-3 if stability == "A" else 1e-4)


@given(st.floats(1e3, 2e5), st.sampled_from("ABCD"), st.floats(1, 15))
def test_the_flux_through_every_slab_is_the_emission(s, stability, speed):
    n = np.linspace(-8, 8, 801) * sigma_y_m(s, stability)
    column = column_plume(s, n, 0.7, speed, 0.0, np.inf, stability)
    assert speed * column.sum() * (n[1] - n[0]) == pytest.approx(0.7, rel=1e-9)


points = st.floats(-1e5, 1e5)


@given(points, points, st.floats(0.01, 3), st.floats(0, 2 * np.pi), st.floats(-np.pi, np.pi))
def test_a_plume_is_linear_turns_with_its_wind_and_is_nothing_upwind(x, y, q, heading, turn):
    u, v = 5 * np.cos(heading), 5 * np.sin(heading)
    column = column_plume(x, y, q, u, v, 1.4e4, "B")
    assert column_plume(x, y, 3 * q, u, v, 1.4e4, "B") == pytest.approx(3 * column, rel=1e-12)
    if x * u + y * v <= 0:
        assert column == 0
    cos, sin = np.cos(turn), np.sin(turn)
    turned = (x * cos - y * sin, x * sin + y * cos)
    wind = (u * cos - v * sin, u * sin + v * cos)
    assert column_plume(*turned, q, *wind, 1.4e4, "B") == pytest.approx(column, rel=1e-5, abs=1e-12)

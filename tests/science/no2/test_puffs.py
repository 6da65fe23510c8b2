"""Puffs: conserved mass, the steady limit, hourly emission, chemistry, grids."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.science.no2.dispersion import NO2_CURVES, no2_over_nox, sigma_y_shape
from carbonray.science.no2.plume_pixels import PlumeSources, pixel_plumes
from carbonray.science.no2.puffs import PuffRules, puff_column, puff_mass_kg

STILL_LAYERS = PuffRules(veer_deg=0.0, shear=0.0)
X, Y = (np.arange(200) - 99.5) * 5000.0, (99.5 - np.arange(200)) * 5000.0


def steady(u, v):
    return lambda x, y, t: (np.full_like(x, u), np.full_like(y, v))


def swirling(x, y, t):
    return 3.0 - 3e-5 * y + np.sin(t / 5e3), 2.0 + 3e-5 * x


@settings(max_examples=10)
@given(st.floats(0.01, 3), st.floats(2, 8), st.integers(1, 12))
def test_mass_is_conserved_in_any_wind(q, tau_h, max_age_h):
    rules = PuffRules(max_age_h=float(max_age_h))
    column = puff_column([0.0, 2e4], [0.0, 1e4], [q, 0.5], swirling, X, Y, tau_s=3600.0 * tau_h, rules=rules)
    tau = 3600.0 * tau_h
    left = tau * -np.expm1(-3600.0 * max_age_h / tau)
    assert column.sum() * 5000.0**2 == pytest.approx((q + 0.5) * left, rel=1e-4)
    assert column.min() >= 0


def test_nothing_decays_where_the_lifetime_is_infinite():
    column = puff_column([0.0], [0.0], [2.0], swirling, X, Y, tau_s=np.inf, rules=PuffRules(max_age_h=6.0))
    assert column.sum() * 5000.0**2 == pytest.approx(2.0 * 6 * 3600.0, rel=1e-6)


def test_in_a_steady_wind_puffs_are_the_gaussian_plume():
    column = puff_column([0.0], [0.0], [1.0], steady(5.0, 1.5), X, Y, tau_s=1.44e4, rules=STILL_LAYERS)
    slope, bend = sigma_y_shape("C")
    one = (100.0, 100.0, 5.0, 1.5, 1.44e4, slope, bend, STILL_LAYERS.diffusivity_m2_s, 5000.0, 5000.0)
    plume = pixel_plumes(PlumeSources(*(np.atleast_1d(np.float64(a)) for a in one), np.array([1])), (200, 200))[0]
    assert np.abs(column - plume).sum() / plume.sum() < 0.03
    assert column.max() == pytest.approx(plume.max(), rel=0.03)


def test_shear_spreads_a_plume_but_keeps_its_mass():
    narrow = puff_column([0.0], [0.0], [1.0], steady(6.0, 0.0), X, Y, tau_s=1.44e4, rules=STILL_LAYERS)
    rules = replace(STILL_LAYERS, veer_deg=40.0, shear=0.4, overturn_h=4.0)
    spread = puff_column([0.0], [0.0], [1.0], steady(6.0, 0.0), X, Y, tau_s=1.44e4, rules=rules)
    assert spread.sum() == pytest.approx(narrow.sum(), rel=1e-5)
    across = [(c.sum(axis=1) * Y**2).sum() / c.sum() for c in (narrow, spread)]
    assert across[1] > 1.2 * across[0]


def test_puffs_follow_a_circle():
    """Solid rotation, an eighth of a turn in six hours: the head of the plume lies where the oldest puff went."""
    omega = np.pi / 4 / (6 * 3600.0)
    column = puff_column(
        [2e5], [0.0], [1.0], lambda x, y, t: (-omega * y, omega * x), X, Y, tau_s=np.inf,
        rules=replace(STILL_LAYERS, max_age_h=6.0, diffusivity_m2_s=1.0),
    )  # fmt: skip
    rows, cols = np.nonzero(column > 0.05 * column.max())
    radius = np.hypot(X[cols], Y[rows])
    assert (np.abs(radius - 2e5) < 2e4).all()
    assert np.degrees(np.arctan2(Y[rows], X[cols])).max() == pytest.approx(45.0, abs=4.0)


def test_hourly_emission_is_where_that_hour_drifted_to():
    hourly = np.zeros((1, 8))
    hourly[0, -3] = 2.0  # from three to two hours before the overpass
    column = puff_column([0.0], [0.0], hourly, steady(5.0, 0.0), X, Y, tau_s=np.inf, rules=STILL_LAYERS)
    assert column.sum() * 5000.0**2 == pytest.approx(7200.0, rel=1e-3)
    assert (column.sum(axis=0) * X).sum() / column.sum() == pytest.approx(2.5 * 3600.0 * 5.0, rel=0.01)


def test_nothing_was_released_before_the_first_hour_given():
    age = np.array([7300.0, 3700.0, 100.0])
    np.testing.assert_array_equal(puff_mass_kg(np.array([[1.0, 4.0]]), age, 10.0, np.inf, None), [[0.0, 10.0, 40.0]])


def test_chemistry_divides_out_again():
    curve, age = NO2_CURVES["matimba"], np.array([9e3, 60.0])
    nox = puff_mass_kg([2.0], age, 240.0, 1e4, None)
    no2 = puff_mass_kg([2.0], age, 240.0, 1e4, curve)
    np.testing.assert_allclose(no2 / no2_over_nox(age, curve.m, curve.r_s, curve.f0), nox, rtol=1e-12)
    assert no2[0, 1] < 0.2 * nox[0, 1]


def test_a_grid_may_run_either_way():
    both = [
        puff_column([1e4], [2e4], [1.0], swirling, X, y, tau_s=1e4, rules=PuffRules(max_age_h=3)) for y in (Y, Y[::-1])
    ]
    np.testing.assert_allclose(both[0], both[1][::-1], rtol=1e-12)


@pytest.mark.parametrize("x", [[0.0], [0.0, 1e3, 3e3]])
def test_an_irregular_grid_is_refused(x):
    with pytest.raises(ContractError, match="regular"):
        puff_column([0.0], [0.0], [1.0], steady(5.0, 0.0), x, Y, tau_s=1e4, rules=PuffRules(max_age_h=1))

"""Regions differ in what they have; their kinds differ as they are meant to."""

import numpy as np
import pytest

from carbonray.synthetic.regions.places import COAL, GAS, HYDRO, PlaceRules, drawn_place, shares_on

RULES = PlaceRules()
PLACES = [drawn_place(RULES, 7, key, "usual", 18000) for key in range(400)]


def test_shares_are_shares():
    shares = np.array([place.shares for place in PLACES])
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert ((shares > 0).mean(axis=0) < 1.0).sum() >= 4  # some sources are not everywhere


def test_size_has_its_spread_and_says_nothing_of_the_mix():
    size = np.log([place.size_gwh for place in PLACES])
    assert abs(size.mean() - np.log(RULES.size_gwh)) < 0.2
    assert abs(size.std() - RULES.size_spread) < 0.15
    for column in np.array([place.shares for place in PLACES]).T:
        assert abs(np.corrcoef(size, column)[0, 1]) < 0.17  # about three standard errors of 400


def test_the_far_are_colder():
    far = np.abs([place.lat for place in PLACES])
    assert np.corrcoef(far, [place.mean_c for place in PLACES])[0, 1] < -0.9
    assert 0.15 < np.mean([place.lat < 0 for place in PLACES]) < 0.35


def test_calibration_of_factors_is_that_of_the_chapter():
    vintage = np.log([place.vintage for place in PLACES])
    assert abs(vintage.std() - 0.08) < 0.006  # SCIENCE 4.8: lognormal(0, 0.08)


def test_the_shift_tier_is_shifted():
    hydro = drawn_place(RULES, 7, 1, "hydro", 18000)
    assert hydro.shares[HYDRO] == pytest.approx(RULES.hydro_share)
    switch = drawn_place(RULES, 7, 1, "switch", 18000)
    shares = shares_on(RULES, switch, np.array([17500, 18000, 18500]))
    assert switch.shares[COAL] == pytest.approx(0.6)
    np.testing.assert_allclose(shares[:, COAL], switch.shares[COAL] * np.array([1.0, 0.6, 0.2]), rtol=1e-6)
    np.testing.assert_allclose(shares[:, COAL] + shares[:, GAS], switch.shares[COAL] + switch.shares[GAS])


def test_usual_regions_do_not_switch():
    shares = shares_on(RULES, PLACES[3], np.array([17000, 19000]))
    np.testing.assert_array_equal(shares, np.stack([PLACES[3].shares] * 2))

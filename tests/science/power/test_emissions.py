"""Emission factors: the table of SCIENCE 4.8, the fallback chain, calibration and sums."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.power.emissions import (
    EFFICIENCIES,
    Calibration,
    country_calibration,
    intensity_t_per_mwh,
    pair_factors,
    uncalibrated_factor,
    unit_factors,
)
from carbonray.vocab.plants import FUELS, PRIME_MOVERS

PUBLISHED = {
    ("bituminous", "ST"): 0.946, ("subbituminous", "ST"): 0.988, ("lignite", "ST"): 1.069,
    ("anthracite", "ST"): 1.011, ("gas", "CC"): 0.381, ("gas", "ST"): 0.561, ("gas", "GT"): 0.594,
    ("gas", "IC"): 0.505, ("residual_oil", "ST"): 0.796, ("diesel", "GT"): 0.861, ("diesel", "IC"): 0.702,
}  # fmt: skip


@pytest.mark.parametrize("pair", PUBLISHED, ids="-".join)
def test_a_pair_has_the_published_factor(pair):
    assert uncalibrated_factor(*pair) == (pytest.approx(PUBLISHED[pair], abs=6e-4), "pair")


def test_every_fuel_and_mover_has_an_answer_with_its_rule():
    for fuel in FUELS:
        for mover in PRIME_MOVERS:
            factor, rule = uncalibrated_factor(fuel, mover)
            assert (rule == "none") == math.isnan(factor)
            assert (rule == "pair") == ((fuel, mover) in EFFICIENCIES)
            assert not factor < 0.0
    assert {fuel for fuel in FUELS if math.isnan(uncalibrated_factor(fuel, "ST")[0])} == {"waste", "other"}


@given(st.dictionaries(st.sampled_from(sorted(EFFICIENCIES)), st.floats(0.2, 0.65), min_size=1))
def test_the_fallback_is_the_mean_of_what_is_there(table):
    pairs = pair_factors(table)
    for fuel in ("bituminous", "lignite", "coal", "gas", "diesel", "oil"):
        own = [factor for (name, _), factor in pairs.items() if name == fuel]
        family = [factor for (name, _), factor in pairs.items() if FUELS[name].family == FUELS[fuel].family]
        factor, rule = uncalibrated_factor(fuel, "OT", table)
        if own:
            assert (factor, rule) == (pytest.approx(np.mean(own)), "mean of the fuel")
        elif family:
            assert (factor, rule) == (pytest.approx(np.mean(family)), "mean of the family")
        else:
            assert math.isnan(factor) and rule == "none"


@given(st.floats(1.0, 200.0), st.floats(0.1, 0.7), st.floats(0.1, 10.0))
def test_intensity_is_linear_in_carbon_and_inverse_in_efficiency(carbon, eta, scale):
    one = intensity_t_per_mwh(carbon, eta)
    assert intensity_t_per_mwh(scale * carbon, eta) == pytest.approx(scale * one)
    assert intensity_t_per_mwh(carbon, eta / 2) == pytest.approx(2 * one)
    assert intensity_t_per_mwh(100.0, 0.36) == pytest.approx(1.0)


@given(st.floats(0.5, 2.0), st.sampled_from(["bituminous", "gas", "coal", "oil"]))
def test_calibration_scales_linearly_and_only_its_country(scale, fuel):
    rows = (Calibration("AAA", "", scale, "test"),)
    plain, _ = unit_factors([fuel, fuel], ["ST", "ST"], ["AAA", "BBB"])
    scaled, _ = unit_factors([fuel, fuel], ["ST", "ST"], ["AAA", "BBB"], rows)

    np.testing.assert_allclose(scaled, plain * [scale, 1.0])


def test_the_most_specific_row_of_a_country_wins():
    rows = tuple(
        Calibration("AAA", fuel, factor, "test") for fuel, factor in (("", 2.0), ("coal", 3.0), ("lignite", 4.0))
    )
    found = [country_calibration("AAA", fuel, rows) for fuel in ("gas", "bituminous", "lignite")]

    assert found == [2.0, 3.0, 4.0]
    assert country_calibration("BBB", "lignite", rows) == 1.0


def test_an_unknown_fuel_is_refused():
    with pytest.raises(KeyError, match="unobtainium"):
        unit_factors(["unobtainium"], ["ST"], ["AAA"])

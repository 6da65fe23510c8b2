"""The peers without a network: arithmetic by hand, scaling, and what they say of regions they have not seen."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from carbonray.science.energy.factors import (
    factor_emissions,
    factor_energy,
    factor_model,
    ln_total_means,
    region_means,
)
from carbonray.science.energy.mix import MixRows, proportions
from carbonray.science.energy.scenarios import Change, applied
from carbonray.science.power.emissions import uncalibrated_factor
from tests.science.energy.energy_rows import daily_rows

PAIRS = {0: ("bituminous", "ST"), 1: ("gas", "CC"), 2: ("residual_oil", "ST")}
FACTORS = [uncalibrated_factor(*PAIRS[at])[0] if at in PAIRS else 0.0 for at in range(8)]


def two_days(scale: float = 1.0) -> MixRows:
    """Region A on two days: 10 GWh of coal and 10 of wind, then 30 and 10; B on one, 10 of gas."""
    energy = np.zeros((3, 8))
    energy[0, [0, 6]], energy[1, [0, 6]], energy[2, 1] = (10.0, 10.0), (30.0, 10.0), 10.0
    emissions = np.zeros((3, 6))
    emissions[:, 0], emissions[:, 1] = (9000.0, 27000.0, 4000.0), (1000.0, 3000.0, 16000.0)
    start = np.array([0, 1, 0]) * 86_400_000_000_000
    return MixRows(np.array(["A", "A", "B"], object), start, start + 1, scale * energy, scale * emissions)


def test_the_factors_of_the_science_are_those_of_the_plants() -> None:
    # SCIENCE 4.8: bituminous ST .946, gas CC .381, residual oil ST .796
    assert np.allclose(FACTORS[:3], [0.946, 0.381, 0.796], rtol=0.035)
    assert FACTORS[3:] == [0.0] * 5


def test_a_known_region_adds_its_mean_of_other_sectors() -> None:
    model = factor_model(two_days(), [1.0, 0.4, 0.8, 0, 0, 0, 0, 0])
    mix, total = proportions(two_days().energy)
    # A: 1 t/MWh of coal and 2,000 t of industry in the mean; B: 0.4 and 16,000
    assert factor_emissions(model, mix, ["A", "A", "B"], total).tolist() == pytest.approx([12e3, 32e3, 20e3])


def test_an_unseen_region_adds_the_mean_per_gwh() -> None:
    model = factor_model(two_days(), [1.0, 0.4, 0.8, 0, 0, 0, 0, 0])
    # industry per GWh: A (50 + 75) / 2, B 1600: mean 831.25 t
    assert factor_emissions(model, np.eye(8)[:1], ["C"], [100.0])[0] == pytest.approx(100.0 * (1000.0 + 831.25))


def test_without_totals_the_means_of_their_logarithms_stand_in() -> None:
    model = factor_model(two_days(), [1.0, 0.4, 0.8, 0, 0, 0, 0, 0])
    # A generates sqrt(20 * 40) GWh in the geometric mean; a stranger sqrt of that times B's 10
    at_home = np.sqrt(20.0 * 40.0)
    assert factor_emissions(model, np.eye(8)[:1], ["A"], None)[0] == pytest.approx(at_home * 1000.0 + 2000.0)
    abroad = np.sqrt(at_home * 10.0)
    assert factor_emissions(model, np.eye(8)[:1], ["C"], None)[0] == pytest.approx(abroad * (1000.0 + 831.25))


def test_energy_follows_from_the_power_sector() -> None:
    model = factor_model(two_days(), [1.0, 0.4, 0.8, 0, 0, 0, 0, 0])
    mix, total = proportions(two_days().emissions)
    # t per GWh: A (500 + 750) / 2 = 625, B 400, a stranger 512.5
    assert factor_energy(model, mix, ["A", "C", "B"], total).tolist() == pytest.approx([14.4, 27000.0 / 512.5, 10.0])
    emitted = np.sqrt(10e3 * 30e3)
    assert factor_energy(model, mix[:1], ["A"], None)[0] == pytest.approx(0.9 * emitted / 625.0)


def test_a_region_that_burns_nothing_is_answered_with_the_mean_of_all() -> None:
    rows = two_days()
    rows.energy[2] = np.eye(8)[4]
    model = factor_model(rows, [1.0, 0.4, 0.8, 0, 0, 0, 0, 0])
    assert factor_energy(model, np.eye(6)[:1], ["B"], [625.0])[0] == pytest.approx(2.0)
    rows.energy[:] = np.eye(8)[4]
    with pytest.raises(ValueError, match="burns fossil fuel"):
        factor_energy(factor_model(rows, FACTORS), np.eye(6)[:1], ["B"], [625.0])


@settings(max_examples=30)
@given(share=st.floats(0.0, 1.0), seed=st.integers(0, 1000), region=st.sampled_from(["A", "elsewhere"]))
def test_gas_for_coal_at_one_total_never_raises_emissions(share: float, seed: int, region: str) -> None:
    rows = daily_rows(("A", "B", "C"), 3, seed)
    model = factor_model(rows, FACTORS)
    mix, total = proportions(rows.energy)
    moved = applied(mix, [Change("replace", (0,), share, (1,))])
    names = [region] * len(rows)
    before, after = (factor_emissions(model, each, names, total) for each in (mix, moved))
    assert (after <= before * (1 + 1e-12)).all()
    assert share < 1e-6 or (after < before).any()


@settings(max_examples=30)
@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
def test_a_larger_stranger_emits_and_generates_as_much_more(scale: float, seed: int) -> None:
    model = factor_model(daily_rows(("A", "B", "C"), 3, seed), FACTORS)
    rows = daily_rows(("D",), 4, seed + 1)
    mix, total = proportions(rows.energy)
    sectors, emitted = proportions(rows.emissions)
    assert np.allclose(
        factor_emissions(model, mix, rows.region, scale * total),
        scale * factor_emissions(model, mix, rows.region, total),
    )
    assert np.allclose(
        factor_energy(model, sectors, rows.region, scale * emitted),
        scale * factor_energy(model, sectors, rows.region, emitted),
    )


def test_what_is_remembered_is_the_mean_logarithm_and_of_strangers_that_of_all_regions() -> None:
    model = ln_total_means(np.array(["B", "A", "A"], object), [np.exp(6.0), np.exp(1.0), np.exp(3.0)])
    assert model.of(["A", "B", "C", ""]).tolist() == pytest.approx([2.0, 6.0, 4.0, 4.0])
    assert model.seen(["A", "Z", "B", ""]).tolist() == [True, False, True, False]


def test_totals_without_a_logarithm_and_wrong_factors_are_refused() -> None:
    for wrong in ([1.0, 0.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match="totals above 0"):
            ln_total_means(["A", "B"], wrong)
    with pytest.raises(ValueError, match="at least one row"):
        region_means([], [])
    for factors in ([1.0] * 7, [-1.0] + [0.0] * 7):
        with pytest.raises(ValueError, match="expected 8"):
            factor_model(two_days(), factors)

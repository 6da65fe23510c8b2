"""Labels: logarithms and back, zeros, negative emissions, and the correction for the mean of a skewed quantity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import DataError
from carbonray.science.urban import labels

TONNES = st.floats(1e-6, 1e9)


@given(TONNES)
def test_the_logarithm_is_undone(t_co2):
    ln = labels.ln_label([t_co2])

    assert labels.smeared(ln, 0.0) == pytest.approx([t_co2], rel=1e-12)
    assert labels.tonnes(ln, labels.BackTransform(1.0, 0.0)).mean_t_co2 == pytest.approx([t_co2], rel=1e-12)


def test_what_has_no_emissions_has_no_logarithm():
    assert np.array_equal(labels.ln_label([0.0, np.nan, np.e]), [np.nan, np.nan, 1.0], equal_nan=True)


@pytest.mark.parametrize("wrong", [-1e-9, -5.0, np.inf])
def test_negative_and_unbounded_labels_are_bad_data(wrong):
    with pytest.raises(DataError, match="1 of 3 cells"):
        labels.ln_label([1.0, wrong, 2.0])


def test_smearing_restores_the_mean_of_tonnes():
    rng = np.random.default_rng(3)
    answer, noise = rng.normal(8.0, 1.0, 200_000), rng.normal(0.0, 0.8, 200_000)
    truth = np.exp(answer + noise).mean()

    assert np.exp(answer).mean() / truth < 0.75  # exp(-0.32) = 0.73
    for kind in ("normal", "duan"):
        back = labels.back_transform(noise, np.arange(len(noise)) // 100, labels.BandRules(smearing=kind))
        assert labels.tonnes(answer, back).mean_t_co2.mean() == pytest.approx(truth, rel=0.02)


def test_duan_needs_no_normal_residuals():
    noise = np.random.default_rng(4).exponential(0.5, 100_000) - 0.5
    truth = np.exp(noise).mean()

    assert labels.duan_factor(noise) == truth
    assert labels.normal_factor(noise) < 0.95 * truth
    assert np.isnan(labels.duan_factor([np.nan])) and np.isnan(labels.normal_factor([]))


def test_the_band_holds_the_truth_at_its_level():
    rng = np.random.default_rng(5)
    block = np.arange(4000) // 20
    residual = rng.normal(0.0, 0.5, 200)[block] + rng.normal(0.0, 0.3, 4000)
    held_out, fresh = block < 100, block >= 100
    back = labels.back_transform(residual[held_out], block[held_out], labels.BandRules(smearing="none"))
    found = labels.tonnes(np.full(fresh.sum(), 7.0), back)
    truth = np.exp(7.0 + residual[fresh])

    assert back.factor == 1.0
    assert 0.85 < np.mean((truth >= found.low_t_co2) & (truth <= found.high_t_co2)) < 0.96


def test_a_band_of_unknown_width_is_everything_there_can_be():
    back = labels.back_transform(np.full(50, 0.1), np.zeros(50))
    found = labels.tonnes([5.0, np.nan], back)

    assert back.half_width == np.inf
    assert (found.low_t_co2[0], found.high_t_co2[0]) == (0.0, np.inf)
    assert np.isnan([found.mean_t_co2[1], found.low_t_co2[1], found.high_t_co2[1]]).all()

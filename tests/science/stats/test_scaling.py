"""Scalings invert exactly, see the training rows only, and refuse what cannot be scaled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carbonray.errors import DataError
from carbonray.science.stats.scaling import MinMaxScaling, fit_band_scaling, fit_min_max

FINITE = st.floats(-1e3, 1e3, width=32)


@given(arrays(np.float64, (2, 3, 2, 2), elements=FINITE), st.floats(0.1, 100.0))
def test_normalise_then_denormalise_is_the_identity(values, width):
    scaling = MinMaxScaling(-3.0, -3.0 + width)
    np.testing.assert_allclose(scaling.denormalise(scaling.normalise(values)), values, atol=1e-9)


def test_min_max_is_global_with_emissions_from_zero():
    emissions = np.array([[0.5, 2.0], [np.nan, 4.0]])
    scaling = fit_min_max(emissions, low=0.0)
    assert scaling == MinMaxScaling(0.0, 4.0)
    np.testing.assert_allclose(scaling.normalise(emissions)[0], [0.125, 0.5])
    assert fit_min_max(emissions) == MinMaxScaling(0.5, 4.0)


def test_bands_are_standardised_each_by_its_own():
    rng = np.random.default_rng(2)
    images = rng.normal([[[[5.0]], [[-100.0]]]], [[[[2.0]], [[30.0]]]], (50, 2, 4, 4))
    images[0, 0, 0, 0] = np.nan
    scaling = fit_band_scaling(images)
    scaled = scaling.apply(images)
    np.testing.assert_allclose(np.nanmean(scaled, axis=(0, 2, 3)), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(scaled, axis=(0, 2, 3)), 1.0)
    assert np.isnan(scaled[0, 0, 0, 0])
    np.testing.assert_allclose(scaling.invert(scaled), images)


def test_test_rows_cannot_reach_the_fit():
    rng = np.random.default_rng(3)
    images = rng.random((10, 2, 3, 3))
    train, test = slice(0, 6), slice(6, 10)
    before = fit_band_scaling(images[train])
    images[test] += 1e6
    assert fit_band_scaling(images[train]) == before


def test_what_does_not_vary_is_refused():
    with pytest.raises(DataError, match=r"bands \[1\] do not vary"):
        fit_band_scaling(np.stack([np.arange(4.0).reshape(2, 2), np.ones((2, 2))])[None])
    with pytest.raises(DataError, match=r"bands \[0\] hold no valid pixel"):
        fit_band_scaling(np.full((1, 1, 2, 2), np.nan))
    with pytest.raises(DataError, match="no range"):
        fit_min_max(np.zeros(3), low=0.0)

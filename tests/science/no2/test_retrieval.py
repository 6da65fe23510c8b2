"""Averaging kernels: no effect where they are one, and shallow plumes seen too small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carbonray.science.no2.retrieval import (
    RetrievalRules,
    draw_retrieval,
    mixed_layer_profile,
    retrieval_factor,
    rising_kernel,
)
from carbonray.science.no2.variates import SceneVariates

profiles = arrays(np.float64, 20, elements=st.floats(0.01, 10))


@given(profiles, profiles)
def test_a_kernel_of_one_leaves_the_column_as_it_is(true, prior):
    assert retrieval_factor(np.ones(20), true, prior) == pytest.approx(1.0, rel=1e-12)


@given(profiles, profiles, st.floats(0.1, 10))
def test_only_the_shapes_of_kernel_and_profiles_count(true, kernel, scale):
    assert retrieval_factor(kernel, true, scale * true) == pytest.approx(1.0, rel=1e-9)
    rough = np.linspace(1, 2, 20)
    assert retrieval_factor(scale * kernel, true, rough) == pytest.approx(
        retrieval_factor(kernel, true, rough), rel=1e-9
    )


def test_a_shallow_plume_is_retrieved_too_low():
    kernel = rising_kernel(np.array([0.3]), np.array([1.3]))
    prior = mixed_layer_profile(np.array([1500.0]), np.array([0.2]))
    factors = [
        retrieval_factor(kernel, mixed_layer_profile(np.array([h]), np.array([0.0])), prior)[0] for h in (300, 2500)
    ]
    assert factors[0] < 0.8 < factors[1] <= 1.1


@given(st.floats(100, 3000), st.floats(0, 0.9))
def test_a_profile_holds_its_column_and_its_share_aloft(height, free):
    profile = mixed_layer_profile(np.array(height), np.array(free))
    assert profile.sum() == pytest.approx(1.0)
    assert (profile >= 0).all()
    above = int(np.ceil(height / 500.0))
    assert profile[above:].sum() <= free + 1e-9


def test_drawn_factors_fill_the_range_named():
    factor, residual = draw_retrieval(RetrievalRules(), SceneVariates.of(1, "t", np.arange(2000)))
    assert 0.6 <= factor.min() < 0.65
    assert 1.0 < factor.max() <= 1.1
    assert np.abs(residual).max() == pytest.approx(3.0, abs=0.02)

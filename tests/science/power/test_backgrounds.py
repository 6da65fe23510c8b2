"""Backgrounds: a draw that depends on the plant alone, and a median of what was measured."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from carbonray.science.power.backgrounds import BackgroundRules, drawn_images, pixel_median

IDS = [f"i{number:03}" for number in range(100)]


def test_the_draw_does_not_know_the_order_it_was_asked_in() -> None:
    one = drawn_images(IDS, "p/sentinel2")

    assert one == drawn_images(IDS[::-1], "p/sentinel2") and len(set(one)) == 32
    assert one != drawn_images(IDS, "q/sentinel2")
    assert one != drawn_images(IDS, "p/sentinel2", BackgroundRules(seed=1))


def test_few_images_are_all_drawn() -> None:
    assert drawn_images(IDS[:5], "p/landsat8") == tuple(IDS[:5])
    assert drawn_images([], "p/landsat8") == ()


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 9), st.just(2), st.just(3), st.just(2)),
                  elements=st.one_of(st.just(np.nan), st.floats(0, 1, width=32))))  # fmt: skip
def test_the_median_is_that_of_the_measured_images(values) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of pixels that nothing measured
        expected = np.nanmedian(values, axis=0)

    assert pixel_median(values) == pytest.approx(expected, nan_ok=True)

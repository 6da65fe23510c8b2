"""Capacity follows the units' dates."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.power.capacity import ALWAYS_NS, NEVER_NS, capacity_mw_on, in_service

TIMES = st.integers(-(2**62), 2**62)
UNITS = st.lists(st.tuples(TIMES, TIMES, st.floats(0, 5000)), min_size=1, max_size=12)


def test_a_unit_serves_from_its_start_until_its_end():
    assert in_service([10], [20], [9, 10, 19, 20]).tolist() == [[False, True, True, False]]


def test_unknown_dates_mean_always_and_never():
    assert capacity_mw_on([ALWAYS_NS, 5], [7, NEVER_NS], [100.0, 30.0], [0, 5, 7]).tolist() == [100.0, 130.0, 30.0]


@given(UNITS, st.lists(TIMES, min_size=1, max_size=6))
def test_capacity_is_the_sum_over_the_units_that_serve(units, times):
    start, end, capacity = (list(column) for column in zip(*units, strict=True))
    expected = [sum(c for s, e, c in units if s <= time < e) for time in times]

    np.testing.assert_allclose(capacity_mw_on(start, end, capacity, times), expected)


def test_an_unknown_capacity_counts_only_while_its_unit_serves():
    found = capacity_mw_on([0, 0], [5, 10], [np.nan, 40.0], [2, 7])

    np.testing.assert_array_equal(found, [np.nan, 40.0])

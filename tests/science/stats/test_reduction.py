"""Moments as a commutative monoid: any order, any grouping, the same bytes; and what they say of the values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carbonray.errors import ContractError, DataError
from carbonray.science.stats.reduction import LARGEST_QUANTA, Moments, group_sum, wilson_interval

BITS = 20
VALUES = st.one_of(st.floats(-50, 50, width=32), st.just(np.nan))
VECTORS = arrays(np.float64, 5, elements=VALUES)
ROWS = st.lists(st.tuples(st.integers(0, 6), VALUES), min_size=1, max_size=60)


def same(a: Moments, b: Moments) -> bool:
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in ("count", "total", "total_squares"))


@given(VECTORS, VECTORS, VECTORS)
def test_monoid_laws_hold_to_the_byte(x, y, z):
    a, b, c = (Moments.of(values, BITS) for values in (x, y, z))
    assert same((a + b) + c, a + (b + c))
    assert same(a + b, b + a)
    assert same(a + Moments.zero(5, BITS), a)


@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 60))
def test_grouped_sums_do_not_depend_on_order_or_partials(rows, shuffler, split):
    keys, values = (np.array(column) for column in zip(*rows, strict=True))
    whole_keys, whole = group_sum(keys, Moments.of(values, BITS))
    order = list(range(len(rows)))
    shuffler.shuffle(order)
    parts = [
        group_sum(keys[part], Moments.of(values[part], BITS)) for part in (order[:split], order[split:]) if len(part)
    ]
    merged_keys, merged = group_sum(np.concatenate([k for k, _ in parts]), Moments.concat([m for _, m in parts]))
    assert merged_keys.tobytes() == whole_keys.tobytes()
    assert same(merged, whole)


@given(arrays(np.float64, st.integers(2, 50), elements=st.floats(-50, 50, width=32)))
def test_mean_and_sd_are_numpys(values):
    _, moments = group_sum(np.zeros(len(values), int), Moments.of(values, BITS))
    assert moments.mean()[0] == pytest.approx(values.mean(), abs=2.0**-BITS)
    assert moments.sd()[0] == pytest.approx(values.std(ddof=1), abs=3 * 2.0**-BITS)


def test_sd_of_a_constant_far_from_zero_is_exactly_zero():
    moments = Moments.zero(1, 10)
    for _ in range(366):
        moments = moments + Moments.of(np.array([4321.1]), 10)
    assert moments.sd()[0] == 0.0
    assert moments.count[0] == 366


def test_missing_values_are_no_observation():
    moments = Moments.of(np.array([np.nan, 0.5]), BITS)
    np.testing.assert_array_equal(moments.count, [0, 1])
    np.testing.assert_array_equal(moments.mean(), [np.nan, 0.5])
    assert np.isnan(moments.sd()).all()
    assert np.isnan(moments.mean_interval()[0]).all()


def test_interval_of_the_mean_is_students():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    _, moments = group_sum(np.zeros(4, int), Moments.of(values, BITS))
    low, high = moments.mean_interval()
    # t(0.95; 3) = 2.3534 from printed tables, sd = 1.2910
    assert high[0] == pytest.approx(2.5 + 2.3534 * 1.2910 / 2, abs=1e-3)
    assert low[0] == pytest.approx(2.5 - 2.3534 * 1.2910 / 2, abs=1e-3)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="fixed point"):
        Moments.of(np.array([LARGEST_QUANTA / 2.0**BITS * 1.01]), BITS)
    with pytest.raises(DataError, match="fixed point"):
        Moments.of(np.array([np.inf]), BITS)
    with pytest.raises(ContractError, match="bits"):
        _ = Moments.zero(1, 8) + Moments.zero(1, 9)
    largest = Moments.of(np.full(1024, LARGEST_QUANTA / 2.0**BITS), BITS)
    _, many = group_sum(np.zeros(1024, int), largest)  # 2**62
    with pytest.raises(DataError, match="int64"):
        _ = many + many
    with pytest.raises(DataError, match="int64"):
        group_sum(np.zeros(4096, int), Moments.concat([largest] * 4))


def test_empty_partials_reduce_to_nothing():
    keys, moments = group_sum(np.zeros(0, int), Moments.zero(0, BITS))
    assert len(keys) == len(moments.count) == 0


def test_wilson_by_hand_and_within_bounds():
    low, high = wilson_interval([0, 5, 10, 0], [10, 10, 10, 0])
    # z = 1.6449: 5 of 10 gives 0.5 -+ z sqrt(0.25 / 10 + z2 / 400) / (1 + z2 / 10)
    half = 1.64485 * np.sqrt(0.025 + 1.64485**2 / 400) / (1 + 1.64485**2 / 10)
    assert low[1] == pytest.approx(0.5 - half, abs=1e-5)
    assert high[1] == pytest.approx(0.5 + half, abs=1e-5)
    assert low[0] == pytest.approx(0.0, abs=1e-15)
    assert high[2] == pytest.approx(1.0, abs=1e-15)
    assert 0.0 < high[0] < 0.3
    assert np.isnan(low[3])
    assert np.isnan(high[3])

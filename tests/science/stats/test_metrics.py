"""Metrics against hand calculations, scikit-learn and the published value of a constant classifier."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score

from carbonray.errors import ContractError, DataError
from carbonray.science.stats import metrics

PAIRS = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*(arrays(np.float64, n, elements=st.floats(-50, 50)) for _ in range(2)))
)
LABELS_AND_SCORES = st.integers(2, 40).flatmap(
    lambda n: st.tuples(arrays(np.bool_, n), arrays(np.float64, n, elements=st.sampled_from([0.1, 0.2, 0.5, 0.9])))
)


def test_errors_by_hand():
    observed, predicted = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 1.0])
    assert metrics.mae(observed, predicted) == pytest.approx(4 / 3)
    assert metrics.rmse(observed, predicted) == pytest.approx(np.sqrt(10 / 3))
    assert metrics.mbe(observed, predicted) == pytest.approx(-2 / 3)
    assert metrics.mape(observed, predicted) == pytest.approx((1.0 + 0.0 + 0.75) / 3)
    # mean 7/3: SST = 16/9 + 1/9 + 25/9 = 42/9, SSE = 10
    assert metrics.r2(observed, predicted) == pytest.approx(1 - 10 / (42 / 9))


def test_mape_leaves_zero_observations_out():
    assert metrics.mape([0.0, 2.0], [5.0, 1.0]) == pytest.approx(0.5)


def test_r2_is_about_the_evaluated_set():
    observed = np.array([3.0, 5.0, 10.0])
    assert metrics.r2(observed, np.full(3, observed.mean())) == pytest.approx(0.0)
    assert np.isnan(metrics.r2([2.0, 2.0], [1.0, 2.0]))


def test_undefined_and_missing_are_nan():
    assert all(np.isnan(score([], [])) for score in (metrics.mae, metrics.rmse, metrics.mbe, metrics.r2, metrics.mape))
    assert np.isnan(metrics.mae([1.0, 2.0], [np.nan, 2.0]))
    assert np.isnan(metrics.average_precision([False, False], [0.1, 0.2]))


def test_unpaired_rows_are_refused():
    with pytest.raises(ContractError, match="not paired"):
        metrics.mae([1.0, 2.0], [1.0])


@given(LABELS_AND_SCORES)
def test_average_precision_equals_scikit_learn(case):
    labels, scores = case
    if labels.any():
        assert metrics.average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0, 1))
def test_constant_score_has_ap_of_prevalence_and_two_class_map_of_one_half(n_on, n_off, score):
    labels = np.repeat([True, False], [n_on, n_off])
    constant = np.full(len(labels), score)
    assert metrics.average_precision(labels, constant) == pytest.approx(n_on / (n_on + n_off))
    assert metrics.two_class_map(labels, constant) == pytest.approx(0.5)


def test_average_precision_by_hand_with_a_tie():
    # one negative on top (P = 0), then two positives and a negative tied: R = 1 at P = 2/4
    assert metrics.average_precision([False, True, False, True], [0.9, 0.5, 0.5, 0.5]) == pytest.approx(0.5)


def test_perfect_scores_and_nan_scores():
    labels = np.array([True, False, True, False])
    assert metrics.two_class_map(labels, labels.astype(float)) == pytest.approx(1.0)
    with pytest.raises(DataError, match="NaN"):
        metrics.average_precision(labels, [0.1, np.nan, 0.2, 0.3])


def test_spearman_sees_order_only():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert metrics.spearman(x, np.exp(x)) == pytest.approx(1.0)
    assert metrics.spearman(x, -(x**3)) == pytest.approx(-1.0)
    assert np.isnan(metrics.spearman(x, np.ones(4)))


@given(PAIRS)
def test_bias_and_spread_make_the_squared_error_and_no_mean_error_exceeds_it(case):
    observed, predicted = case
    bias, spread = metrics.mbe(observed, predicted), np.var(predicted - observed)
    assert metrics.rmse(observed, predicted) ** 2 == pytest.approx(bias**2 + spread, abs=1e-9)
    assert abs(bias) <= metrics.mae(observed, predicted) + 1e-9
    assert metrics.mae(observed, predicted) <= metrics.rmse(observed, predicted) + 1e-9
    assert metrics.mbe(predicted, observed) == pytest.approx(-bias)


@given(PAIRS, st.floats(-20, 20))
def test_a_shift_moves_the_bias_alone_and_r2_is_of_the_squared_error(case, shift):
    observed, predicted = case
    assert metrics.mbe(observed, predicted + shift) == pytest.approx(metrics.mbe(observed, predicted) + shift)
    assert metrics.rmse(observed + shift, predicted + shift) == pytest.approx(metrics.rmse(observed, predicted))
    if np.var(observed) > 1e-6:
        expected = 1.0 - metrics.rmse(observed, predicted) ** 2 / np.var(observed)
        assert metrics.r2(observed, predicted) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(PAIRS, st.sampled_from([0.001, 0.5, -3.0, 1000.0]))
def test_percentages_do_not_depend_on_the_unit(case, unit):
    observed, predicted = np.round(case[0], 3), case[1]
    if (observed != 0.0).any():
        scaled = metrics.mape(observed * unit, predicted * unit)
        assert scaled == pytest.approx(metrics.mape(observed, predicted), rel=1e-9)
    else:
        assert np.isnan(metrics.mape(observed, predicted))


@given(LABELS_AND_SCORES, st.randoms(use_true_random=False))
def test_two_class_map_is_of_the_order_alone_and_treats_both_classes_alike(case, random):
    labels, scores = case
    if labels.all() or not labels.any():
        assert np.isnan(metrics.two_class_map(labels, scores))
        return
    value = metrics.two_class_map(labels, scores)
    assert 0.0 < value <= 1.0
    assert metrics.two_class_map(~labels, 1.0 - scores) == pytest.approx(value)
    assert metrics.two_class_map(labels, np.exp(3.0 * scores) - 7.0) == pytest.approx(value)
    order = random.sample(range(len(labels)), len(labels))
    assert metrics.two_class_map(labels[order], scores[order]) == pytest.approx(value)
    on, off = average_precision_score(labels, scores), average_precision_score(~labels, 1.0 - scores)
    assert value == pytest.approx((on + off) / 2)

"""Plants' scores are those of the metrics, their intervals those of resampled rows, one plant has no width."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import DataError
from carbonray.science.stats.bootstrap import BootstrapRules, block_bootstrap, block_draws, interval
from carbonray.science.stats.metrics import mbe, rmse, two_class_map
from carbonray.science.stats.plant_scores import Score, error_scores, map_score

RULES = BootstrapRules(resamples=60)
SEEDS = st.integers(0, 2**32 - 1)


def some_rows(seed, n=80, plants=6):
    rng = np.random.default_rng(seed)
    plant = np.array([f"plant {number}" for number in rng.integers(0, plants, n)])
    score = np.round(rng.random(n), 1)  # ties
    return plant, rng.random(n) < 0.3 + 0.5 * score, score


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_intervals_are_those_of_resampling_the_rows_themselves(seed) -> None:
    plant, on, score = some_rows(seed)
    draws = block_draws(plant, RULES, seed=3)

    def drawn(statistic):
        rng = np.random.default_rng(np.random.SeedSequence((3, len(np.unique(plant)))))
        return interval(block_bootstrap(statistic, plant, RULES, rng), RULES)

    truth = on.astype(float)
    found = (map_score(on, score, draws), *error_scores(truth, score, draws))
    for own, metric in zip(found, (two_class_map, rmse, mbe), strict=True):
        ends = drawn(lambda rows, metric=metric: metric(truth[rows], score[rows]))
        assert own.value == metric(truth, score)
        assert (own.low, own.high) == pytest.approx((ends.low, ends.high))


@given(SEEDS, st.floats(0, 1))
def test_a_constant_score_has_map_one_half_whatever_the_prevalence(seed, constant) -> None:
    plant, on, score = some_rows(seed, n=30)
    on[:2] = [True, False]
    found = map_score(on, np.full(len(score), constant), block_draws(plant, BootstrapRules(resamples=20), 0))
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


@given(SEEDS)
def test_one_plant_has_an_interval_of_no_width(seed) -> None:
    _, on, score = some_rows(seed)
    draws = block_draws(np.full(len(on), "only"), RULES, 0)
    for found in (map_score(on, score, draws), *error_scores(on.astype(float), score, draws)):
        assert found.low == found.high == pytest.approx(found.value)


def test_methods_on_the_same_plants_are_resampled_alike_and_a_difference_of_all_plants_shows() -> None:
    plant, on, _ = some_rows(1)
    first, second = block_draws(plant, RULES, 0), block_draws(plant[::-1], RULES, 0)
    assert np.array_equal(first.times, second.times)
    assert (first.times.sum(axis=1) == 6).all()
    error, bias = error_scores(np.zeros(len(on)), np.full(len(on), 0.2), first)
    assert (error.low, error.high, bias.low) == pytest.approx((0.2, 0.2, 0.2))
    assert error.excludes(0.34)
    assert not error.excludes(error.low)


def test_what_is_undefined_is_nan_and_excludes_nothing() -> None:
    draws = block_draws(np.array(["a", "b"]), RULES, 0)
    found = map_score([True, True], [0.1, 0.2], draws)
    assert np.isnan([found.value, found.low, found.high]).all()
    assert not found.excludes(0.5)
    nobody = block_draws(np.array([], dtype=str), RULES, 0)
    for score in (map_score([], [], nobody), *error_scores([], [], nobody)):
        assert np.isnan([score.value, score.low, score.high]).all()
    with pytest.raises(DataError, match="NaN"):
        map_score([True, False], [np.nan, 0.2], draws)
    assert Score(0.9, 0.8, 1.0).excludes(0.5)

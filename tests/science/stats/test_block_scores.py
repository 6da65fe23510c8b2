"""Scores of resamples are those of `metrics` on the rows themselves, repeated as often as their block was drawn."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from carbonray.science.stats import metrics
from carbonray.science.stats.block_scores import resampled_errors, resampled_mean, resampled_spearman
from carbonray.science.stats.bootstrap import BlockDraws, BootstrapRules, block_bootstrap, block_draws

RULES = BootstrapRules(resamples=40)
SEEDS = st.integers(0, 2**32 - 1)


def some_rows(seed: int, n: int = 60, blocks: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.round(rng.normal(8.0, 1.0, n), 1)  # ties
    truth[rng.random(n) < 0.1] = 0.0
    return rng.integers(0, blocks, n), truth, np.round(truth + rng.normal(size=n), 1)


@settings(max_examples=20)
@given(SEEDS)
def test_scores_of_resamples_are_those_of_repeated_rows(seed: int) -> None:
    block, truth, guess = some_rows(seed)
    draws = block_draws(block, RULES, 3)

    def repeated(score):  # type: ignore[no-untyped-def]
        rng = np.random.default_rng(np.random.SeedSequence((3, len(np.unique(block)))))
        return block_bootstrap(lambda rows: score(truth[rows], guess[rows]), block, RULES, rng)

    found = resampled_errors(truth, guess, draws)
    for name in ("mae", "rmse", "mbe", "r2", "mape"):
        assert found[name] == pytest.approx(repeated(getattr(metrics, name)), rel=1e-9, nan_ok=True)
    assert resampled_spearman(truth, guess, draws) == pytest.approx(repeated(metrics.spearman), nan_ok=True)
    inside = (np.abs(guess - truth) < 1.0).astype(float)
    assert resampled_mean(inside, draws) == pytest.approx(repeated(lambda a, b: np.mean(np.abs(b - a) < 1.0)))


@given(SEEDS)
def test_r2_keeps_its_digits_far_from_zero(seed: int) -> None:
    block, truth, guess = some_rows(seed)
    draws = block_draws(block, RULES, 0)
    near, far = (resampled_errors(truth + away, guess + away, draws)["r2"] for away in (0.0, 1e7))
    assert far == pytest.approx(near, rel=1e-5)


@given(SEEDS, st.sampled_from([np.exp, np.cbrt, lambda x: 3.0 * x - 1.0]))
def test_rank_correlation_knows_order_alone(seed: int, rising) -> None:  # type: ignore[no-untyped-def]
    block, truth, guess = some_rows(seed)
    draws = block_draws(block, RULES, 0)
    assert np.array_equal(resampled_spearman(truth, rising(guess), draws), resampled_spearman(truth, guess, draws))
    assert metrics.spearman(truth, rising(guess)) == metrics.spearman(truth, guess)


def test_what_is_undefined_is_nan_and_a_missing_answer_is_loud() -> None:
    block, truth, guess = some_rows(0)
    draws = block_draws(block, RULES, 0)
    alike = np.full(len(truth), 8.1)
    assert np.isnan(resampled_errors(alike, guess, draws)["r2"]).all()
    assert np.isnan(resampled_spearman(alike, guess, draws)).all()
    assert np.isnan(resampled_errors(np.zeros(len(truth)), guess, draws)["mape"]).all()
    guess[4] = np.nan
    assert all(np.isnan(found).all() for found in resampled_errors(truth, guess, draws).values())
    assert np.isnan(resampled_spearman(truth, guess, draws)).all()


def test_no_rows_have_no_scores() -> None:
    none = np.zeros(0)
    draws = BlockDraws(np.zeros(0, np.int64), np.zeros((3, 0)), RULES)
    assert all(np.isnan(found).all() for found in resampled_errors(none, none, draws).values())
    assert np.isnan(resampled_spearman(none, none, draws)).all() and np.isnan(resampled_mean(none, draws)).all()

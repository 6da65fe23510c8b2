"""The block bootstrap: blocks stay whole, intervals cover, sums and rows draw the same resamples."""

import numpy as np
import pytest

from carbonray.science.stats.bootstrap import BootstrapRules, block_bootstrap, block_bootstrap_sums, interval


def test_blocks_are_never_split_and_multiplicity_is_kept():
    blocks = np.repeat(["a", "b", "c"], [2, 3, 1])
    rows_of = {"a": 2, "b": 3, "c": 1}
    seen_twice = False

    def check(rows):
        nonlocal seen_twice
        names, counts = np.unique(blocks[rows], return_counts=True)
        multiples = {name: count / rows_of[name] for name, count in zip(names, counts, strict=True)}
        assert all(value == int(value) for value in multiples.values())
        assert sum(multiples.values()) == 3
        seen_twice |= max(multiples.values()) > 1
        return 0.0

    block_bootstrap(check, blocks, BootstrapRules(resamples=50), np.random.default_rng(0))
    assert seen_twice


def test_sums_equal_rows_for_additive_statistics():
    rng = np.random.default_rng(3)
    blocks = rng.integers(7, size=60)
    hits = rng.random(60) < 0.3
    rules = BootstrapRules(resamples=40)
    by_rows = block_bootstrap(lambda rows: hits[rows].mean(), blocks, rules, np.random.default_rng(1))
    sums = np.array([[hits[blocks == block].sum(), (blocks == block).sum()] for block in np.unique(blocks)])
    by_sums = block_bootstrap_sums(sums, rules, np.random.default_rng(1))
    np.testing.assert_allclose(by_rows, by_sums[:, 0] / by_sums[:, 1])


def test_interval_has_its_nominal_coverage_of_a_mean():
    rng = np.random.default_rng(5)
    rules = BootstrapRules(resamples=300)
    covered = 0
    for _ in range(200):
        values = rng.normal(size=(40, 1))
        draws = block_bootstrap_sums(values, rules, rng)[:, 0] / 40
        covered += not interval(draws, rules).excludes(0.0)
    assert 0.83 <= covered / 200 <= 0.96  # nominal 0.9: short by a hair at n = 40, sd of 200 trials 0.02


def test_undefined_resamples_are_counted_not_hidden():
    draws = np.array([1.0, np.nan, 3.0])
    found = interval(draws, BootstrapRules())
    assert found.n_undefined == 1
    assert found.low == pytest.approx(1.1)
    assert found.high == pytest.approx(2.9)
    assert np.isnan(interval(np.array([np.nan]), BootstrapRules()).low)


def test_same_seed_same_draws():
    blocks = np.arange(10)
    once, again = (
        block_bootstrap(lambda rows: rows.mean(), blocks, BootstrapRules(resamples=5), np.random.default_rng(8))
        for _ in range(2)
    )
    np.testing.assert_array_equal(once, again)

"""Split-conformal half widths: coverage, groups that count once, and what is known of too few."""

import numpy as np
import pytest

from carbonray.science.power.annual import half_width
from carbonray.science.stats.conformal import conformal_half_width


def test_new_groups_are_covered_at_the_level():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(400):
        error = rng.standard_t(3, 41)
        inside.append(abs(error[-1]) <= conformal_half_width(error[:-1], np.arange(40), 0.9))

    assert 0.86 < np.mean(inside) < 0.95


def test_a_large_group_counts_as_one():
    small, large = np.full(20, 0.1), np.full(1000, 5.0)
    error, group = np.concatenate([small, large]), np.concatenate([np.arange(20), np.full(1000, 99)])

    assert conformal_half_width(error, group, 0.9) == 0.1


def test_too_few_groups_say_nothing():
    assert conformal_half_width(np.full(800, 0.1), np.arange(800) % 8, 0.9) == np.inf
    assert conformal_half_width(np.full(900, 0.1), np.arange(900) % 9, 0.9) == 0.1
    assert conformal_half_width([], [], 0.9, most=1.0) == 1.0
    assert conformal_half_width([np.nan] * 30, np.arange(30), 0.9, most=1.0) == 1.0


@pytest.mark.parametrize("groups", [3, 12, 40])
def test_plants_have_the_same_intervals(groups):
    rng = np.random.default_rng(groups)
    error, group = rng.normal(0, 0.6, 200), rng.integers(0, groups, 200)

    assert conformal_half_width(error, group, 0.9, most=1.0) == half_width(error, group)

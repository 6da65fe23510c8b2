"""Capacity factors are bounded by capacity, windows count every hour once, and a year's weights sum to its days."""

import calendar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.power.capacity_factor import (
    annual_capacity_factor,
    annual_window_days,
    blended_capacity_factor,
    capacity_factor,
    days_in_year,
    first_day,
    hours_in_year,
    running_mean,
)
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS

YEARS = st.integers(1990, 2100)


def test_a_capacity_factor_is_generation_over_what_the_capacity_gives() -> None:
    assert capacity_factor(50.0, 600.0, 1 / 12) == pytest.approx(1.0)
    assert capacity_factor([8.76e6, 1.0], [1000.0, 0.0], 8760.0) == pytest.approx([1.0, np.nan], nan_ok=True)
    assert np.isnan(capacity_factor(1.0, np.nan, 1.0))


@given(YEARS)
def test_the_weights_of_a_year_sum_to_its_days_exactly(year: int) -> None:
    day, count = annual_window_days(year)
    assert count.sum() == 30 * (366 if calendar.isleap(year) else 365)
    assert day[0] == first_day(year)
    assert day[-1] == first_day(year + 1) + 28  # 29 January
    assert count.min() == 1
    assert count.max() == 30
    assert hours_in_year(year) == 24 * days_in_year(year)


@given(YEARS, st.floats(0, 1))
def test_a_constant_capacity_factor_is_the_year_s(year: int, factor: float) -> None:
    day, _ = annual_window_days(year)
    mean, coverage = annual_capacity_factor(day, np.full(len(day), factor), year)
    assert mean == pytest.approx(factor)
    assert coverage == 1.0


@given(YEARS, st.integers(0, 2**32 - 1))
def test_days_outside_the_year_s_windows_change_nothing_and_unknown_ones_lower_the_coverage(year, seed) -> None:
    day, _ = annual_window_days(year)
    factor = np.random.default_rng(seed).random(len(day))
    more_days = np.concatenate([[day[0] - 1], day, [day[-1] + 1]])
    more = np.concatenate([[9.0], factor, [9.0]])
    assert annual_capacity_factor(more_days, more, year) == annual_capacity_factor(day, factor, year)
    factor[::2] = np.nan
    mean, coverage = annual_capacity_factor(day, factor, year)
    assert 0.4 < coverage < 0.6
    assert np.nanmin(factor) <= mean <= np.nanmax(factor)


def test_a_year_without_any_window_is_unknown() -> None:
    mean, coverage = annual_capacity_factor([0], [0.5], 2020)
    assert np.isnan(mean)
    assert coverage == 0.0


def hours(first_day_number: int, n: int, length_ns: int = HOUR_NS) -> tuple[np.ndarray, np.ndarray]:
    start = first_day_number * DAY_NS + np.arange(n) * length_ns
    return start, start + length_ns


def test_the_window_of_a_day_is_the_thirty_days_that_end_with_it() -> None:
    start, end = hours(18_000, 31 * 24)
    factor = np.repeat(np.arange(31.0), 24)
    mean = running_mean(start, end, factor, [18_029, 18_030, 18_000, 17_999])
    assert mean.capacity_factor == pytest.approx(
        [np.arange(30).mean(), np.arange(1, 31).mean(), 0.0, np.nan], nan_ok=True
    )
    assert mean.coverage == pytest.approx([1.0, 1.0, 1 / 30, 0.0])


@given(st.integers(0, 2**32 - 1))
def test_a_window_is_the_plain_mean_over_its_known_hours(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start, end = hours(18_000, 40 * 24)
    factor = np.where(rng.random(len(start)) < 0.3, np.nan, rng.random(len(start)))
    mean = running_mean(start, end, factor, [18_035])
    inside = factor[6 * 24 : 36 * 24]
    assert mean.capacity_factor[0] == pytest.approx(np.nanmean(inside))
    assert mean.coverage[0] == pytest.approx(np.isfinite(inside).mean())


def test_intervals_of_any_length_count_by_the_time_they_share_with_the_window() -> None:
    five = running_mean(*hours(18_000, 30 * 288, HOUR_NS // 12), np.tile([0.2, 0.6], 30 * 144), [18_029])
    assert five.capacity_factor[0] == pytest.approx(0.4)
    # Indian days begin at 18:30 UTC: the first lends the window 18.5 hours
    start = 17_999 * DAY_NS + 37 * HOUR_NS // 2 + np.arange(31) * DAY_NS
    india = running_mean(start, start + DAY_NS, np.r_[1.0, np.zeros(30)], [18_029])
    assert india.capacity_factor[0] == pytest.approx(18.5 / 720)
    assert india.coverage[0] == pytest.approx(1.0)


def test_overlapping_intervals_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        running_mean([0, HOUR_NS // 2], [HOUR_NS, 2 * HOUR_NS], [0.5, 0.5], [0])


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_blend_of_equals_is_equal_and_towers_weigh_twice(a: float, b: float) -> None:
    assert blended_capacity_factor(a, a) == pytest.approx(a)
    assert blended_capacity_factor(a, b) == pytest.approx((2 * a + b) / 3)
    assert blended_capacity_factor(a, np.nan) == a
    assert blended_capacity_factor(np.nan, b) == b

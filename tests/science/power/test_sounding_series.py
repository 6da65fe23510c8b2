"""Classical peers: hand-made cases, causality, and the Kalman filter against the Gaussian conditional it must equal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.science.power.lookback import ModelPair, Soundings, outputs_of
from carbonray.science.power.sounding_series import (
    Series,
    daily_grid,
    image_series,
    kalman_anomaly,
    kernel_anomaly,
    last_estimate,
    window_mean,
)

SEEDS = st.integers(0, 2**32 - 1)
FORMS = (
    last_estimate,
    window_mean,
    lambda grid: kernel_anomaly(grid, 0.5, 20.0, 1.0),
    lambda grid: kalman_anomaly(grid, 0.5, 60.0, 1.0),
)


def some_series(seed, days=120, n=40, plants=3):
    rng = np.random.default_rng(seed)
    return Series(rng.integers(0, plants, n), 1000 + rng.integers(0, days, n), rng.random(n))


def test_an_image_s_estimate_is_the_mean_of_its_regressors() -> None:
    outputs = outputs_of([ModelPair("sentinel2", "resisc", True), ModelPair("sentinel2", "xgb", False)])
    heads = [output.head for output in outputs]
    image, output = np.repeat([4, 9], len(outputs)), np.tile(np.arange(len(outputs)), 2)
    value = np.where(np.array(heads)[output] == "reg", [0.2 + 0.4 * (i == 9) for i in image], 1.0)
    value[(image == 9) & (output == heads.index("reg"))] = np.nan
    series = image_series(Soundings(image * 0 + 7, image + 100, image, output, value), outputs)
    assert (series.plant.tolist(), series.day.tolist()) == ([7, 7], [104, 109])
    assert series.value == pytest.approx([0.2, 0.6])


def test_last_and_window_mean_say_what_they_are_called() -> None:
    series = Series(np.array([5, 5, 5, 5]), np.array([10, 12, 12, 45]), np.array([0.1, 0.2, 0.4, 0.9]))
    grid = daily_grid(series, 50)
    at = grid.at(last_estimate(grid), [5, 5, 5, 5, 6, 5], [9, 11, 30, 50, 30, 51], np.nan)
    assert at == pytest.approx([np.nan, 0.1, 0.3, 0.9, np.nan, np.nan], nan_ok=True)
    mean = grid.at(window_mean(grid), [5, 5, 5, 5], [12, 40, 42, 45], np.nan)
    assert mean == pytest.approx([0.7 / 3, 0.3, np.nan, 0.9], nan_ok=True)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(20, 100))
def test_no_peer_reads_a_sounding_after_the_day_or_of_another_plant(seed, day) -> None:
    series = some_series(seed)
    past = (series.day <= 1000 + day) & (series.plant == 1)
    part = Series(series.plant[past], series.day[past], series.value[past])
    for form in FORMS:
        whole, alone = (daily_grid(of, 1120) for of in (series, part))
        found = [grid.at(form(grid), [1], [1000 + day], np.nan) for grid in (whole, alone)]
        if past.any():
            assert found[0] == pytest.approx(found[1], abs=1e-12, nan_ok=True)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.floats(5.0, 200.0), st.floats(0.1, 5.0))
def test_the_filter_is_the_gaussian_conditional_of_the_30_day_mean(seed, memory, noise) -> None:
    series = some_series(seed, days=50, n=12, plants=1)
    grid = daily_grid(series, 1060)
    found = grid.at(kalman_anomaly(grid, 0.4, memory, noise), [0], [1060], np.nan)[0]
    days, window = series.day, np.arange(1031, 1061)
    prior = np.exp(-np.abs(days[:, None] - days) / memory) + noise * np.eye(len(days))
    cross = np.exp(-np.abs(window[:, None] - days) / memory).mean(axis=0)
    assert found == pytest.approx(cross @ np.linalg.solve(prior, series.value - 0.4), abs=1e-9)


def test_smoothers_go_back_to_the_mean_without_soundings_and_to_them_with_many() -> None:
    day = np.repeat(np.arange(1000, 1200), 20)
    grid = daily_grid(Series(day * 0, day, np.full(len(day), 0.9)), 2500)
    for smoothed in (kernel_anomaly(grid, 0.5, 20.0, 1.0), kalman_anomaly(grid, 0.5, 60.0, 1.0)):
        assert grid.at(smoothed, [0, 0], [1199, 2500], np.nan) == pytest.approx([0.4, 0.0], abs=0.01)


def test_no_soundings_at_all_are_no_rows() -> None:
    empty = np.zeros(0, np.int64)
    grid = daily_grid(Series(empty, empty, np.zeros(0)), 1000)
    for form in FORMS:
        assert np.isnan(grid.at(form(grid), [0], [1000], np.nan)).all()

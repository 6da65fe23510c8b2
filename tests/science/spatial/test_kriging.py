"""Kriging: a Gaussian process in one window, known values come back, the mean where neighbours share nothing."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from carbonray.science.spatial.geodesy import distance_km
from carbonray.science.spatial.kriging import chord_places_km, kriged, matern, nearest_places

SEEDS = st.integers(0, 2**32 - 1)


def country(seed: int, n: int = 30, lon: float = 179.9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    places = chord_places_km(rng.uniform(51.3, 51.6, n), lon + rng.uniform(0.0, 0.4, n))
    return places, 8.0 + rng.normal(size=n)


def test_chords_are_as_long_as_the_ground_across_the_date_line() -> None:
    places = chord_places_km([51.5, 51.5], [179.95, -179.9])
    assert np.linalg.norm(places[0] - places[1]) == pytest.approx(distance_km(51.5, 179.95, 51.5, -179.9), rel=1e-6)


@settings(max_examples=20)
@given(SEEDS, st.floats(0.5, 20.0), st.floats(0.02, 0.9))
def test_one_window_is_a_gaussian_process_about_its_best_mean(seed: int, length: float, nugget: float) -> None:
    places, values = country(seed)
    wanted = country(seed + 1, 7)[0]
    among = np.linalg.norm(places[:, None] - places[None], axis=-1)
    told = (1.0 - nugget) * matern(among, length) + nugget * np.eye(len(places))
    weight = np.linalg.solve(told, np.ones(len(places)))
    mean = weight @ values / weight.sum()
    kernel = ConstantKernel(1.0 - nugget) * Matern(length, nu=1.5) + WhiteKernel(nugget)
    process = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(places, values - mean)
    found = kriged(places, values, wanted, length_km=length, nugget=nugget)
    assert found == pytest.approx(mean + process.predict(wanted), rel=1e-6)


@given(SEEDS, st.floats(0.5, 20.0))
def test_known_values_come_back_where_neighbors_share_all(seed: int, length: float) -> None:
    places, values = country(seed)
    assert kriged(places, values, places, length_km=length, nugget=0.0) == pytest.approx(values, abs=1e-5)


@given(SEEDS, st.integers(1, 40))
def test_the_mean_of_the_window_where_neighbors_share_nothing(seed: int, window: int) -> None:
    places, values = country(seed)
    wanted = country(seed + 1, 5)[0]
    _, near = nearest_places(places, wanted, window)
    assert near.shape == (5, min(window, 30))
    found = kriged(places, values, wanted, length_km=3.0, nugget=1.0, window=window)
    assert found == pytest.approx(values[near].mean(axis=1))


@given(SEEDS, st.floats(-100, 100), st.floats(0.01, 100))
def test_values_told_in_other_units_come_out_in_them(seed: int, offset: float, scale: float) -> None:
    places, values = country(seed)
    wanted = country(seed + 1, 5)[0]
    plain = kriged(places, values, wanted, length_km=3.0, nugget=0.2)
    assert kriged(places, offset + scale * values, wanted, length_km=3.0, nugget=0.2) == pytest.approx(
        offset + scale * plain, abs=1e-6
    )


def test_an_answer_depends_on_no_other_place_that_is_asked_for_and_on_no_value_beyond_the_window() -> None:
    places, values = country(3, 400)
    wanted = country(4, 300)[0]
    every = kriged(places, values, wanted, length_km=3.0, nugget=0.1, window=20)
    assert (
        kriged(places, values, wanted[100:103], length_km=3.0, nugget=0.1, window=20).tolist()
        == every[100:103].tolist()
    )
    far = np.setdiff1d(np.arange(400), nearest_places(places, wanted[:1], 20)[1])
    other = values.copy()
    other[far] = 1e6
    assert kriged(places, other, wanted[:1], length_km=3.0, nugget=0.1, window=20)[0] == every[0]

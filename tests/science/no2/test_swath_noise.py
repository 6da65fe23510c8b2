"""The instrument: pixel sizes and eras, heading of the track, noise, stripes along the track, clouds, lost lines."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.science.no2.scene_weather import WeatherRules, draw_weather
from carbonray.science.no2.swath_noise import (
    SwathRules,
    across_track_km,
    clear_sky,
    draw_swath_grid,
    observed_columns,
    swath_errors,
    track_heading_rad,
)
from carbonray.science.no2.variates import SceneVariates
from carbonray.vocab.sensors import SWATHS

DY = 5566.0
QUIET = SwathRules(noise_umol_m2=(0.0, 0.0), stripe_umol_m2=(0.0, 0.0), amf_relative_sd=(0.0, 0.0), lost_line_share=0.0)


def swath(rules, n=40, lat=0.0, seed=0):
    variates = SceneVariates.of(seed, "s", np.arange(n))
    lats = np.full(n, lat)
    return variates, draw_swath_grid(rules, variates, lats, DY * np.cos(np.radians(lats)), DY, 64)


def tables(grid, errors):
    """Errors of each scene as (scan line, column)."""
    parts = zip(grid.first[:-1], grid.first[1:], grid.columns, strict=True)
    return [errors[start:stop].reshape(-1, columns) for start, stop, columns in parts]


def test_450_pixels_widen_from_3_5_to_14_5_km_and_span_the_swath():
    nadir, edge = SWATHS["tropomi"].across_track_km
    assert across_track_km(np.array([0.0, 1.0])) == pytest.approx([nadir, edge])
    middle = across_track_km((np.arange(20_000) + 0.5) / 20_000)
    pixels = SWATHS["tropomi"].swath_km * (1.0 / middle).mean()  # pixels in the swath: its width over theirs
    assert pixels == pytest.approx(SWATHS["tropomi"].ground_pixels, rel=0.02)


def test_the_track_leans_west_and_more_toward_the_poles():
    heading = np.degrees(track_heading_rad(np.array([0.0, 50.0, -50.0, 70.0])))
    assert heading[0] == pytest.approx(-12.6, abs=1.0)
    assert heading[1] == pytest.approx(heading[2])
    assert heading[3] < heading[1] < heading[0]


def test_both_eras_occur_with_their_pixel_length():
    _, grid = swath(replace(QUIET, early_share=0.3), n=600)
    assert set(grid.along_km) == {7.0, 5.5}
    assert (grid.along_km == 7.0).mean() == pytest.approx(0.3, abs=0.06)
    assert 3.5 <= grid.across_km.min() < grid.across_km.max() <= 14.5


@pytest.mark.parametrize("lat", [0.0, 55.0])
def test_sub_points_per_swath_pixel_are_in_proportion_to_its_area(lat):
    _, grid = swath(QUIET, n=10, lat=lat)
    sub_point_km2 = (DY / 2e3) ** 2 * np.cos(np.radians(lat))
    for k in range(10):
        counts = np.bincount(grid.cell[k].ravel() - grid.first[k])
        inner = np.median(counts[counts > 0])
        assert inner == pytest.approx(grid.along_km[k] * grid.across_km[k] / sub_point_km2, rel=0.35, abs=1.0)
        assert grid.cell[k].min() >= grid.first[k]
        assert grid.cell[k].max() < grid.first[k + 1]


def test_stripes_run_along_the_track_and_differ_across_it():
    variates, grid = swath(replace(QUIET, stripe_umol_m2=(3.0, 3.0)), n=100)
    offsets = []
    for table in tables(grid, swath_errors(replace(QUIET, stripe_umol_m2=(3.0, 3.0)), variates, grid)):
        np.testing.assert_array_equal(table, np.broadcast_to(table[0], table.shape))
        offsets.append(table[0])
    assert np.concatenate(offsets).std() == pytest.approx(3.0, rel=0.05)


def test_noise_has_its_size_and_one_in_a_hundred_is_larger():
    rules = replace(QUIET, noise_umol_m2=(10.0, 10.0))
    variates, grid = swath(rules)
    errors = swath_errors(rules, variates, grid)
    inside = np.abs(errors) < 40.0
    assert errors[inside].std() == pytest.approx(10.0, rel=0.03)
    # beyond four sigma: 6e-5 of a Gaussian, and a third of the hundredth that is four times wider
    assert (~inside).mean() == pytest.approx(0.0032, abs=0.0012)


def test_a_lost_scan_line_is_lost_all_along():
    rules = replace(QUIET, lost_line_share=1.0)
    variates, grid = swath(rules)
    for table in tables(grid, swath_errors(rules, variates, grid)):
        lost = np.isnan(table)
        assert 1 <= lost.all(axis=1).sum() <= 3
        np.testing.assert_array_equal(lost.any(axis=1), lost.all(axis=1))


def test_averaging_on_swath_pixels_keeps_the_column_and_the_mass():
    variates, grid = swath(QUIET, n=4)
    field = np.full((4, 64, 64), 31.0, np.float32)
    clear = np.ones(field.shape, bool)
    np.testing.assert_allclose(observed_columns(QUIET, variates, grid, field, clear), 31.0, rtol=1e-6)
    field[:, 30, 20] = 4000.0
    seen = observed_columns(QUIET, SceneVariates.of(0, "s", np.arange(4)), grid, field, clear)
    np.testing.assert_allclose(seen.mean(axis=(1, 2)), field.mean(axis=(1, 2)), rtol=1e-5)
    assert (seen.max(axis=(1, 2)) < 4000.0).any()


def test_clouds_cover_what_was_drawn_and_more_in_strong_wind():
    n = 1500
    variates = SceneVariates.of(0, "c", np.arange(n))
    weather = draw_weather(WeatherRules(), variates)
    field = variates.normals((64, 64))
    cloudy = 1.0 - clear_sky(SwathRules(), variates, weather, field).mean(axis=(1, 2))
    assert 0.0 <= cloudy.min() < 0.01
    assert 0.7 < cloudy.max() <= 0.75
    assert (cloudy < 0.25).mean() == pytest.approx(0.69, abs=0.05)
    assert 0.15 < np.corrcoef(np.argsort(np.argsort(cloudy)), weather.speed_rank)[0, 1] < 0.45

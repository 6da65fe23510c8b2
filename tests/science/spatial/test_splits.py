"""Cities, regions and tiles go to folds as squares of one degree do, and tiles are never smaller than they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.science.spatial.folds import (
    FoldRules,
    assigned_folds,
    close_pairs,
    grouped_folds,
    plant_blocks,
    rotation,
)
from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM, distance_km
from carbonray.science.spatial.splits import left_out, tile_blocks

SEEDS = st.integers(0, 2**32 - 1)
NO_TIES = FoldRules(tie_km=0.0)


def places(seed, count=300, spread=6.0):
    """Places in a few clusters, one across the date line, one about each pole."""
    rng = np.random.default_rng(seed)
    centres = np.array([[50.0, 10.0], [-20.0, 179.8], [89.7, 0.0], [-89.9, 0.0]])[rng.integers(0, 4, count)]
    lat = np.clip(centres[:, 0] + rng.normal(0, spread, count), -90, 90)
    return lat, (centres[:, 1] + rng.normal(0, spread, count) + 180) % 360 - 180


@settings(max_examples=40)
@given(SEEDS, st.sampled_from([5.0, 60.0, 400.0, 3000.0]))
def test_places_with_a_whole_tile_between_them_are_a_size_apart(seed, size_km):
    lat, lon = places(seed, spread=0.05 * size_km / 5)
    row, column = np.array(tile_blocks(lat, lon, size_km)).T
    a, b = np.triu_indices(len(lat), 1)
    in_row = row[a] == row[b]
    count = np.array([max(column[row == each].max() + 1, 1) for each in row])  # at least: what was met of the circle
    step = np.abs(column[a] - column[b])
    apart = (np.abs(row[a] - row[b]) > 1) | (in_row & (step > 1) & (count[a] - step > 1))

    assert apart.any() or size_km == 3000.0
    assert distance_km(lat[a], lon[a], lat[b], lon[b])[apart].min(initial=np.inf) >= size_km * (1 - 1e-9)


def test_tiles_of_one_band_close_the_circle_and_are_all_but_square():
    lon = np.arange(-180.0, 180.0, 0.01)
    for lat in (0.0, 45.0, -70.0):
        columns = np.array(tile_blocks(np.full(len(lon), lat), lon, 50.0))[:, 1]
        assert np.array_equal(np.unique(columns), np.arange(columns.max() + 1))
        assert (np.diff(columns) >= 0).all()  # no tile lies across the date line
        width_km = distance_km(lat, 0.0, lat, 360.0 / (columns.max() + 1))
        assert 50.0 <= width_km < 52.0


def test_tiles_meet_at_the_date_line_and_at_the_poles():
    lat, lon = [10.0, 10.0, 10.0, 90.0, 90.0, -90.0, -90.0], [180.0, -180.0, 179.9999, 0.0, 123.0, 5.0, -170.0]
    found = tile_blocks(lat, lon, 5.0)

    assert found[0] == found[1] != found[2]
    assert found[0][1] == 0
    assert found[3] == found[4] and found[5] == found[6] == (0, 0)
    with pytest.raises(ValueError, match="positive size"):
        tile_blocks(lat, lon, 0.0)


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 299))
def test_the_name_of_a_tile_follows_from_its_place_alone(seed, first):
    lat, lon = places(seed)
    assert tile_blocks(lat, lon, 5.0)[:first] == tile_blocks(lat[:first], lon[:first], 5.0)


@settings(max_examples=20)
@given(SEEDS, st.sampled_from([3, 4, 5]))
def test_no_tile_city_or_neighbour_is_in_two_folds(seed, n_folds):
    lat, lon = places(seed)
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0, 1, len(lat))
    city = [f"city {number}" for number in rng.integers(0, 12, len(lat))]
    near = close_pairs(lat, lon, 10.0)
    for blocks, rules in ((tile_blocks(lat, lon, 25.0), FoldRules()), (city, NO_TIES), (city, FoldRules())):
        folds = grouped_folds(blocks, lat, lon, weight, city, rules, n_folds=n_folds)
        assert [folds.blocks[block] for block in blocks] == folds.fold.tolist()
        assert set(folds.fold.tolist()) <= set(range(n_folds))
        if rules.tie_km:
            assert (folds.fold[near[:, 0]] == folds.fold[near[:, 1]]).all()


@settings(max_examples=20)
@given(SEEDS)
def test_tiles_once_dealt_keep_their_folds_and_the_order_does_not_matter(seed):
    lat, lon = places(seed)
    blocks, ones, city = tile_blocks(lat, lon, 5.0), np.ones(len(lat)), np.where(lat > 0, "a", "b")
    before = grouped_folds(blocks[:200], lat[:200], lon[:200], ones[:200], city[:200])
    after = grouped_folds(blocks, lat, lon, ones, city, given=before.blocks)
    order = np.random.default_rng(seed).permutation(len(lat))
    again = grouped_folds([blocks[at] for at in order], lat[order], lon[order], ones, city[order], given=before.blocks)

    assert before.blocks.items() <= after.blocks.items()
    assert again.blocks == after.blocks
    np.testing.assert_array_equal(again.fold, after.fold[order])


def test_plants_are_the_case_of_squares_of_one_degree():
    lat, lon = places(1)
    weight, region = np.ones(len(lat)), np.where(lon > 0, "east", "west")
    squares = [tuple(square) for square in plant_blocks(lat, lon).tolist()]
    one, other = assigned_folds(lat, lon, weight, region), grouped_folds(squares, lat, lon, weight, region)

    assert one.blocks == other.blocks
    np.testing.assert_array_equal(one.fold, other.fold)


def test_tiles_of_a_city_fill_the_folds_evenly():
    row, column = (part.ravel() for part in np.indices((60, 60)))
    lat, lon = 51.3 + row / 120, 0.0 + column / 120  # cells of 30 seconds of arc
    blocks = tile_blocks(lat, lon, 5.0)
    fold = grouped_folds(blocks, lat, lon, np.ones(3600), ["London"] * 3600, NO_TIES).fold

    assert len(set(blocks)) > 40
    assert np.abs(np.bincount(fold, minlength=4) / 3600 - 0.25).max() < 0.02


def test_each_city_is_left_out_once_and_the_others_train():
    city = ["Yinchuan", "Beijing", "London", "Beijing", "Paris"]
    folds = left_out(city)

    assert folds.blocks == {"Beijing": 0, "London": 1, "Paris": 2, "Yinchuan": 3}
    assert folds.fold.tolist() == [3, 0, 1, 0, 2]
    assert len(folds.split_pairs) == 0
    turns = [rotation(k, len(folds.blocks)) for k in folds.blocks.values()]
    assert [turn.test for turn in turns] == [0, 1, 2, 3]
    assert all(sorted((*turn.train, turn.val, turn.test)) == [0, 1, 2, 3] for turn in turns)


@pytest.mark.parametrize("size_km", [5.0, 50.0, 400.0])
@pytest.mark.parametrize("band", [1, 2, 3, 7])
def test_a_tile_beside_a_pole_is_a_size_wide_where_it_is_narrowest(size_km, band):
    height = 180.0 / int(np.pi * EARTH_RADIUS_KM / size_km)
    edge = -90.0 + (band + 1e-9) * height
    lon = np.arange(-180.0, 180.0, 0.5)
    columns = np.array(tile_blocks(np.full(len(lon), edge), lon, size_km))
    assert (columns[:, 0] == band).all()
    east = 360.0 / (columns[:, 1].max() + 1)

    assert distance_km(edge, 0.0, edge + np.linspace(0, 1, 200) * height, east).min() >= size_km * (1 - 1e-6)

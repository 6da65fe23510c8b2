"""Folds never split what lies together, stay even, only grow, and rotate so that nobody is tested on what trained."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.science.spatial.folds import (
    FoldRules,
    assigned_folds,
    close_pairs,
    plant_blocks,
    rotation,
)
from carbonray.science.spatial.geodesy import distance_km

SEEDS = st.integers(0, 2**32 - 1)


def fleet(seed, n=120, spread=6.0):
    """Plants in a few clusters, one across the date line, one about the north pole."""
    rng = np.random.default_rng(seed)
    centres = np.array([[50.0, 10.0], [-20.0, 179.8], [89.7, 0.0], [0.0, -60.0]])[rng.integers(0, 4, n)]
    lat = np.clip(centres[:, 0] + rng.normal(0, spread, n), -90, 90)
    lon = centres[:, 1] + rng.normal(0, spread, n)
    return lat, (lon + 180) % 360 - 180, rng.lognormal(3, 1, n), rng.integers(0, 5, n).astype(str)


def cross_fold_distance(lat, lon, fold):
    a, b = np.triu_indices(len(lat), 1)
    apart = distance_km(lat[a], lon[a], lat[b], lon[b])
    return apart[fold[a] != fold[b]].min(initial=np.inf)


@settings(max_examples=30)
@given(SEEDS)
def test_no_two_plants_under_10_km_are_in_different_folds(seed):
    lat, lon, weight, region = fleet(seed)
    folds = assigned_folds(lat, lon, weight, region)

    assert cross_fold_distance(lat, lon, folds.fold) >= 10.0
    assert len(folds.split_pairs) == 0
    assert set(folds.fold.tolist()) <= {0, 1, 2, 3}


@settings(max_examples=20)
@given(SEEDS)
def test_a_block_is_never_split_and_the_order_of_plants_does_not_matter(seed):
    lat, lon, weight, region = fleet(seed)
    folds = assigned_folds(lat, lon, weight, region)
    order = np.random.default_rng(seed).permutation(len(lat))
    again = assigned_folds(lat[order], lon[order], weight[order], region[order])

    assert [folds.blocks[block] for block in map(tuple, plant_blocks(lat, lon).tolist())] == folds.fold.tolist()
    assert again.blocks == folds.blocks
    np.testing.assert_array_equal(again.fold, folds.fold[order])


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 119))
def test_blocks_once_assigned_never_change_when_plants_are_added(seed, first):
    lat, lon, weight, region = fleet(seed)
    before = assigned_folds(lat[:first], lon[:first], weight[:first], region[:first])
    after = assigned_folds(lat, lon, weight, region, given=before.blocks)

    assert before.blocks.items() <= after.blocks.items()
    np.testing.assert_array_equal(after.fold[:first], before.fold)
    told = {tuple(pair) for pair in after.split_pairs.tolist()}
    near = close_pairs(lat, lon, 10.0)
    found = {tuple(pair) for pair in near.tolist() if after.fold[pair[0]] != after.fold[pair[1]]}
    assert told == found  # what growth cannot keep together is listed


def test_a_plant_beside_an_old_block_joins_its_fold():
    old = assigned_folds([10.5, 20.5, 30.5, 40.5], [10.97, 0.5, 0.5, 0.5], [1, 1, 1, 1], ["a"] * 4)
    new = assigned_folds([10.5], [11.01], [5], ["a"], given=old.blocks)

    assert (10, 11) not in old.blocks
    assert new.fold[0] == old.blocks[10, 10]


def test_new_blocks_fill_the_lightest_fold():
    lat, lon = np.array([0.5, 10.5, 20.5, 30.5]), np.full(4, 0.5)
    old = assigned_folds(lat, lon, [4, 3, 2, 1], ["a"] * 4)
    all_lat = np.append(lat, 40.5)
    new = assigned_folds(all_lat, np.full(5, 0.5), [4, 3, 2, 1, 1], ["a"] * 5, given=old.blocks)

    assert sorted(old.fold.tolist()) == [0, 1, 2, 3]
    assert new.fold[4] == old.fold[3]  # the lightest so far


def test_a_plant_on_an_edge_belongs_to_the_block_north_and_east():
    blocks = plant_blocks([12.0, -12.0, 90.0, -90.0, 0.0, 0.0], [7.0, -7.0, 0.0, 0.0, 180.0, 179.9999])

    assert blocks.tolist() == [[12, 7], [-12, -7], [89, 0], [-90, 0], [0, -180], [0, 179]]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((12.0, 7.0), (11.99, 6.99)),  # a corner of four blocks
        ((-17.0, 179.99), (-17.0, -179.99)),  # the date line
        ((89.97, 0.0), (89.97, 180.0)),  # the north pole
        ((-90.0, 12.0), (-89.95, -100.0)),  # the south pole
    ],
)
def test_neighbours_across_an_edge_share_a_fold(a, b):
    lat, lon = np.array([a[0], b[0], 40.5, 45.5, 50.5]), np.array([a[1], b[1], 40.5, 40.5, 40.5])
    fold = assigned_folds(lat, lon, np.ones(5), ["a"] * 5).fold

    assert len({tuple(block) for block in plant_blocks(lat[:2], lon[:2]).tolist()}) == 2
    assert fold[0] == fold[1]


def test_a_wider_tie_binds_more():
    lat, lon = np.array([10.5, 10.5]), np.array([10.9, 11.1])  # 22 km

    assert np.ptp(assigned_folds(lat, lon, [1, 1], ["a", "a"]).fold) > 0
    assert np.ptp(assigned_folds(lat, lon, [1, 1], ["a", "a"], FoldRules(tie_km=30.0)).fold) == 0


def test_folds_are_even_in_weight_and_in_every_region():
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(-50, 60, 2000), rng.uniform(-180, 180, 2000)
    region = np.where(lon < -30, "west", np.where(lat > 20, "north", "south"))
    weight = rng.lognormal(3, 0.5, 2000)
    fold = assigned_folds(lat, lon, weight, region).fold

    for chosen in (np.ones(2000, bool), region == "west", region == "north", region == "south"):
        share = np.bincount(fold[chosen], weights=weight[chosen], minlength=4) / weight[chosen].sum()
        assert np.abs(share - 0.25).max() < 0.02


def test_weights_of_zero_still_spread_the_plants():
    fold = assigned_folds(np.arange(8) * 5.5, np.full(8, 0.5), np.zeros(8), ["a"] * 8).fold

    assert np.bincount(fold, minlength=4).tolist() == [2, 2, 2, 2]


def test_plants_of_no_weight_tie_nothing():
    lat, lon = np.full(4, 10.5), np.array([10.95, 11.02, 20.5, 30.5])
    tied = assigned_folds(lat, lon, [2, 1, 1, 1], ["a"] * 4)
    free = assigned_folds(lat, lon, [2, 0, 1, 1], ["a"] * 4)

    assert tied.fold[0] == tied.fold[1]
    assert free.fold[0] != free.fold[1]
    assert len(free.split_pairs) == 0


def test_nothing_to_assign_is_no_fold():
    folds = assigned_folds([], [], [], [], given={(0, 0): 2})

    assert folds.blocks == {(0, 0): 2}
    assert len(folds.fold) == 0


def test_the_rotation_is_the_published_table():
    rows = [rotation(k) for k in range(4)]

    assert [row.train for row in rows] == [(2, 3), (3, 0), (0, 1), (1, 2)]
    assert [row.val for row in rows] == [1, 2, 3, 0] == [row.generation_train for row in rows]
    assert [row.test for row in rows] == [0, 1, 2, 3]
    for row in rows:
        assert not set(row.train) & {row.val, row.test}
        assert row.val != row.test != row.generation_train
    with pytest.raises(ValueError, match="rotation 4"):
        rotation(4)

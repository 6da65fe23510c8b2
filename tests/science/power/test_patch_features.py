"""Patch statistics: counts of SCIENCE 4.5, a plain loop beside them, and what must not change them."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carbonray.errors import ContractError
from carbonray.science.power.band_math import channels
from carbonray.science.power.patch_features import (
    BLOCK_VALUES,
    bag_features,
    feature_names,
    patch_features,
    pixel_statistics,
)
from carbonray.science.power.patches import cut_patches
from carbonray.vocab.sensors import IMAGERS
from tests.benchmarks.patch_features import looped

PLANET = IMAGERS["planetscope"]
SMALL = dataclasses.replace(PLANET, patch_px=(4, 8))
WITH_GAPS = st.floats(-1.0, 400.0, width=32) | st.just(float("nan"))


def scene(imager, images=3, side=24, seed=0, gaps=0.02):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.02, 0.8, (images, len(imager.bands), side, side)).astype(np.float32)
    values[rng.random(values.shape) < gaps] = np.nan
    half = max(imager.patch_px) // 2
    row, col = rng.integers(half, side - half + 1, (2, 3))
    return values, np.nan_to_num(values[0] * 0.9, nan=0.1), row, col


@pytest.mark.parametrize(("name", "count"), [("landsat8", 1152), ("sentinel2", 1224), ("planetscope", 504)])
def test_dimensions_are_those_of_the_sheet(name, count):
    imager = IMAGERS[name]
    names = feature_names(imager)
    assert len(names) == len(set(names)) == count
    side = max(imager.patch_px)
    features = bag_features(
        imager, *(np.ones((*head, len(imager.bands), side, side), np.float32) for head in [(2, 1), (1,)])
    )
    assert features.shape == (2, count) and features.dtype == np.float32


@pytest.mark.parametrize("name", sorted(IMAGERS))
def test_every_feature_is_what_its_name_says(name):
    imager = dataclasses.replace(IMAGERS[name], patch_px=(4, 8))
    values, background, row, col = scene(imager)
    expected = looped(imager, values, background, row, col)
    features = patch_features(imager, values, background, row, col)
    assert features.shape == expected.shape
    np.testing.assert_allclose(features, expected, rtol=2e-4, atol=2e-5)
    # and by name, by hand
    place = feature_names(imager).index("difference.8px.hot.p90.max")
    blue, red = imager.band_index("blue"), imager.band_index("red")
    apart = values[1] - background
    hot = cut_patches((apart[blue] - 0.5 * apart[red])[None, None], row, col, 8)[0, :, 0]
    highest = max(np.nanpercentile(patch, 90) for patch in hot)
    assert features[1, place] == pytest.approx(highest, rel=1e-4)


@given(arrays(np.float32, (2, 4, 4), elements=WITH_GAPS))
def test_statistics_are_those_of_numpy_without_what_is_missing(patches):
    mean, spread, percentile = pixel_statistics(patches)
    for k, patch in enumerate(patches):
        held = patch[np.isfinite(patch)].astype(float)
        expected = (held.mean(), held.std(), np.percentile(held, 90)) if held.size else (np.nan,) * 3
        np.testing.assert_allclose((mean[k], spread[k], percentile[k]), expected, rtol=1e-5, atol=1e-4)


@given(st.permutations(range(16)), st.integers(0, 3))
def test_percentiles_and_means_do_not_depend_on_where_pixels_lie(order, seed):
    patches = scene(SMALL, seed=seed, gaps=0.2)[0][0, :, :4, :4]
    moved = patches.reshape(len(patches), -1)[:, list(order)].reshape(patches.shape)
    np.testing.assert_allclose(pixel_statistics(moved), pixel_statistics(patches), rtol=1e-5, atol=1e-6)


def test_a_constant_patch_has_no_spread():
    mean, spread, percentile = pixel_statistics(np.full((1, 32, 32), 291.37, np.float32))
    assert mean[0] == percentile[0] == np.float32(291.37) and spread[0] == 0.0


@given(st.permutations(range(3)), st.integers(0, 3))
def test_the_order_of_structures_does_not_matter_nor_does_one_that_is_there_twice_change_extremes(order, seed):
    values, background, row, col = scene(SMALL, seed=seed)
    features = patch_features(SMALL, values, background, row, col)
    turned = patch_features(SMALL, values, background, row[list(order)], col[list(order)])
    np.testing.assert_allclose(turned, features, rtol=1e-6, atol=1e-7)
    twice = patch_features(SMALL, values, background, *(np.append(axis, axis[0]) for axis in (row, col)))
    extremes = [k for k, name in enumerate(feature_names(SMALL)) if not name.endswith(".mean")]
    assert np.array_equal(twice[:, extremes], features[:, extremes], equal_nan=True)


def test_an_image_has_the_same_bits_alone_and_in_any_batch():
    values, background, row, col = scene(SMALL, images=40)
    step = BLOCK_VALUES // (len(row) * 7 * 64)
    values = np.concatenate([values] * (step // 40 + 2))  # more than one block
    together = patch_features(SMALL, values, background, row, col)
    alone = np.concatenate([patch_features(SMALL, values[k : k + 1], background, row, col) for k in range(40)])
    for first in range(0, len(values), 40):
        assert np.array_equal(together[first : first + 40], alone[: len(values) - first], equal_nan=True)


def test_an_image_like_its_background_differs_in_nothing():
    _, background, row, col = scene(SMALL, gaps=0.0)
    features = patch_features(SMALL, background[None], background, row, col)
    names = feature_names(SMALL)
    assert all(features[0, k] == 0.0 for k, name in enumerate(names) if name.startswith("difference."))


def test_what_was_never_measured_is_missing_and_not_zero():
    values, background, row, col = scene(SMALL, gaps=0.0)
    values[0] = np.nan
    first = cut_patches(values, row, col, 8)
    first[1, 0] = np.nan  # one structure of the second image
    background[:] = np.nan
    features = bag_features(SMALL, first, cut_patches(background[None], row, col, 8)[0])
    half = len(feature_names(SMALL)) // 2
    assert np.isnan(features[0]).all() and np.isnan(features[:, half:]).all()
    rest = bag_features(SMALL, first[1:2, 1:], cut_patches(background[None], row[1:], col[1:], 8)[0])
    assert np.array_equal(features[1, :half], rest[0, :half]) and np.isfinite(features[1, :half]).all()


def test_larger_patches_are_read_in_their_middle():
    values, background, row, col = scene(SMALL, side=40)
    row, col = np.clip(row, 8, 32), np.clip(col, 8, 32)
    large = bag_features(SMALL, cut_patches(values, row, col, 16), cut_patches(background[None], row, col, 16)[0])
    assert np.array_equal(large, patch_features(SMALL, values, background, row, col), equal_nan=True)


@pytest.mark.parametrize("shape", [(2, 0, 4, 8, 8), (2, 1, 4, 4, 4), (2, 1, 4, 9, 9)])
def test_bags_without_structures_or_of_small_or_odd_patches_are_refused(shape):
    with pytest.raises(ContractError, match="planetscope"):
        bag_features(SMALL, np.zeros(shape, np.float32), np.zeros(shape[1:], np.float32))


def test_memory_beside_the_result_does_not_grow_with_the_batch():
    imager = IMAGERS["sentinel2"]

    def beside(images):
        patches = np.random.default_rng(0).uniform(0.1, 0.5, (images, 1, 13, 32, 32)).astype(np.float32)
        tracemalloc.start()
        features = bag_features(imager, patches, patches[0])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - features.nbytes

    bare = channels(imager, np.zeros((13, 32, 32), np.float32)).nbytes
    assert beside(600) < 1.2 * beside(100) + bare

"""Connected regions against scipy's labels, around the date line, in any order; persistence at its edge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from carbonray.errors import DataError
from carbonray.science.no2.hotspots import (
    PersistenceRules,
    label_blobs,
    label_pixels,
    persistent,
    summarise_blobs,
)

STACKS = arrays(np.float64, (3, 7, 8), elements=st.sampled_from([0.0, 0.1, 0.2, 0.6, np.nan]))


@given(STACKS)
def test_labels_are_scipys_scene_by_scene(stack):
    labels, blobs = label_blobs(stack, 0.2)
    structure = np.zeros((3, 3, 3))
    structure[1] = 1.0
    expected, count = ndimage.label(stack >= 0.2, structure=structure)
    assert len(blobs) == count
    np.testing.assert_array_equal(labels, expected - 1)  # scipy, too, numbers by the first pixel
    np.testing.assert_array_equal(blobs.n_pixels, np.bincount(expected.ravel(), minlength=count + 1)[1:])
    assert blobs.n_pixels.sum() == (stack >= 0.2).sum()


@given(STACKS)
def test_centres_are_scipys_centres_of_mass(stack):
    labels, blobs = label_blobs(stack, 0.2)
    if len(blobs):
        clean = np.nan_to_num(stack)
        centres = np.array(ndimage.center_of_mass(clean, labels, np.arange(len(blobs))))
        np.testing.assert_allclose(np.column_stack([blobs.scene, blobs.row, blobs.col]), centres, atol=1e-9)
        np.testing.assert_array_equal(blobs.peak, ndimage.maximum(clean, labels, np.arange(len(blobs))))
        np.testing.assert_array_equal(stack[blobs.scene, blobs.peak_row, blobs.peak_col], blobs.peak)


@given(STACKS, st.integers(0, 2**31))
def test_the_order_of_the_pixels_does_not_matter_to_the_byte(stack, seed):
    row, col = np.nonzero(stack[0] >= 0.1)
    weight = stack[0][row, col]
    order = np.random.default_rng(seed).permutation(len(row))
    labels, shuffled = label_pixels(row, col, n_cols=8), label_pixels(row[order], col[order], n_cols=8)
    np.testing.assert_array_equal(labels[order], shuffled)
    once = summarise_blobs(labels, row, col, weight, 1.3, n_cols=8)
    again = summarise_blobs(shuffled, row[order], col[order], weight[order], 1.3, n_cols=8)
    for name, values in vars(once).items():
        assert values.tobytes() == getattr(again, name).tobytes(), name


@given(STACKS, st.integers(1, 7))
def test_turning_the_circle_turns_the_hotspots(stack, shift):
    row, col = np.nonzero(stack[0] >= 0.2)
    weight = stack[0][row, col]
    turned = np.mod(col + shift, 8)
    here = summarise_blobs(label_pixels(row, col, n_cols=8), row, col, weight, 1.0, n_cols=8)
    there = summarise_blobs(label_pixels(row, turned, n_cols=8), row, turned, weight, 1.0, n_cols=8)
    assert sorted(here.n_pixels) == sorted(there.n_pixels)
    narrow = np.ptp(col) < 4 if len(col) else False  # wider regions may close around so small a circle
    if narrow:
        moved = np.mod(here.col + shift + 0.5, 8) - 0.5
        np.testing.assert_allclose(np.sort(moved), np.sort(there.col), atol=1e-9)


def test_a_hotspot_across_the_date_line_is_one_with_its_centre_there():
    row, col = np.array([100, 100, 101]), np.array([7199, 0, 7199])
    labels = label_pixels(row, col, n_cols=7200)
    assert labels.tolist() == [0, 0, 0]
    blob = summarise_blobs(labels, row, col, np.array([1.0, 1.0, 2.0]), np.array([10.0, 11.0, 12.0]), n_cols=7200)
    assert blob.col.tolist() == [7199.25]
    assert blob.row.tolist() == [100.5]
    assert (blob.peak_row[0], blob.peak_col[0]) == (101, 7199)
    assert blob.area_km2.tolist() == [33.0]
    assert label_pixels(row, col).tolist() == [1, 0, 1]


def test_a_pixel_given_twice_is_refused_and_none_is_fine():
    with pytest.raises(DataError, match="twice"):
        label_pixels(np.array([1, 1]), np.array([2, 2]))
    none = np.zeros(0, np.int64)
    assert len(label_pixels(none, none)) == 0
    assert len(summarise_blobs(none, none, none, none, 1.0)) == 0


def test_persistence_is_ten_percent_of_the_valid_days():
    days = np.array([10, 10, 30, 30, 0, 1, 7])
    hits = np.array([1, 0, 3, 2, 0, 1, 1])
    assert persistent(hits, days, PersistenceRules()).tolist() == [True, False, True, False, False, True, True]
    assert persistent(hits, days, PersistenceRules(min_detections=2)).tolist() == [False, False, True, *[False] * 4]
    everyday = np.arange(1, 367)
    np.testing.assert_array_equal(persistent(np.ceil(everyday / 10), everyday, PersistenceRules()), True)
    np.testing.assert_array_equal(persistent(np.ceil(everyday / 10) - 1, everyday, PersistenceRules()), False)

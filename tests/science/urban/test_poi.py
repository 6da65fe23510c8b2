"""Rasters of counts: every point once, in its pixel; one order whatever the files' was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.urban import poi

SIZES = st.sampled_from([1, 8, 96, 256])


def points(rng, n, cells=3, categories=4):
    return rng.integers(0, cells, n), rng.integers(0, categories, n), *rng.integers(0, 65_536, (2, n)).astype(np.uint16)


@given(st.integers(0, 200), SIZES, st.integers(0, 2**16))
def test_every_point_is_counted_once_in_its_pixel(n, size, seed):
    cell, category, y, x = points(np.random.default_rng(seed), n)
    raster = poi.poi_raster(cell, category, y, x, cells=3, categories=4, size_px=size)
    expected = np.zeros((3, 4, size, size), int)
    for c, k, down, along in zip(cell, category, y, x, strict=True):
        expected[c, k, int(down) * size // 65_536, int(along) * size // 65_536] += 1

    assert np.array_equal(raster, expected)
    assert np.array_equal(raster.sum((2, 3)), poi.category_counts(cell, category, cells=3, categories=4))


def test_the_last_part_of_a_side_is_in_the_last_pixel():
    assert poi.pixel([0, 255, 256, 65_535], 256).tolist() == [0, 0, 1, 255]
    assert poi.pixel(np.uint16(65_535), 100) == 99


@pytest.mark.parametrize(("cell", "category"), [(3, 0), (-1, 0), (0, 4), (0, -1)])
def test_a_point_of_no_cell_or_category_is_refused(cell, category):
    with pytest.raises(ValueError, match="beyond"):
        poi.poi_raster([cell], [category], [0], [0], cells=3, categories=4, size_px=8)
    with pytest.raises(ValueError, match="beyond"):
        poi.category_counts([cell], [category], cells=3, categories=4)


@given(st.integers(0, 2**16))
def test_the_order_of_points_does_not_hang_on_who_read_them(seed):
    rng = np.random.default_rng(seed)
    columns = np.stack([*points(rng, 40), rng.integers(0, 5, 40)]).astype(np.int64)
    shuffled = columns[:, rng.permutation(40)]

    assert np.array_equal(columns[:, poi.point_order(*columns)], shuffled[:, poi.point_order(*shuffled)])


def test_a_key_is_kept_once_in_a_cell_and_again_in_another():
    cell, key = [7, 7, 8, 7, 8], [1, 2, 1, 1, 3]

    assert poi.first_of_each(cell, key).tolist() == [True, True, True, False, True]
    assert poi.first_of_each([], []).tolist() == []

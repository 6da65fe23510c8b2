"""Rasters on the cells' lattice: blocks that hold every cell once, means that keep what is there."""

import numpy as np
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine

from carbonray.io.urban.cell_windows import CellBlock, array_mean, cell_blocks, cells_mean
from carbonray.io.urban.nightlights import measured
from carbonray.science.spatial import cells
from tests.io.urban import city_files


@given(st.sets(st.integers(0, cells.ROWS * cells.COLS - 1), max_size=30), st.sampled_from([1, 20, 120]))
def test_every_cell_is_in_one_block_of_its_square(numbers, side):
    asked = np.array(sorted(numbers), np.int64)
    found = []
    for block, members, row, col in cell_blocks(asked, side):
        assert block.rows <= side and block.cols <= side
        assert np.array_equal(cells.cell_id(block.row + row, block.col + col), asked[members])
        assert len({(number // cells.COLS // side, number % cells.COLS // side) for number in asked[members]}) == 1
        found += members.tolist()

    assert sorted(found) == list(range(len(asked)))


def test_a_block_lies_where_its_cells_do():
    block = CellBlock(100, 200, 2, 3)
    west, south, _, _ = cells.cell_bounds(101, 200)
    _, _, east, north = cells.cell_bounds(100, 202)
    lat, lon = block.edges(4)

    assert block.bounds == (west, south, east, north)
    assert (lat[0], lat[-1], lon[0], lon[-1]) == (north, south, west, east)
    assert (len(lat), len(lon)) == (9, 13)


@settings(max_examples=40)
@given(st.floats(0.31, 3.0), st.floats(-2.0, 2.0), st.floats(-2.0, 2.0), st.integers(0, 99))
def test_the_mean_by_area_keeps_the_sum(ratio, down, along, seed):
    values = np.random.default_rng(seed).random((2, 40, 40)).astype(np.float32)
    step = cells.STEP_DEG / (4 * ratio)
    place = Affine(step, 0, -along * step, 0, -step, 90 - 5000 / 120 + down * step) @ Affine.translation(-3, -3)
    place = Affine(step, 0, -(3 + along) * step, 0, -step, 90 - 5000 / 120 + (3 + down) * step)
    block = CellBlock(5000, 21_600, 2, 2)
    mean, share = array_mean(values, np.ones((40, 40), bool), "EPSG:4326", place, block, 4)
    ones, _ = array_mean(np.ones_like(values), np.ones((40, 40), bool), "EPSG:4326", place, block, 4)

    assert np.allclose(ones[:, share > 0], 1.0, atol=1e-5)
    assert share.max() <= 1.0 + 1e-5
    first, last = np.array([3 + down, 3 + along]), np.array([3 + down, 3 + along]) + 8 * ratio
    inside = np.maximum(np.minimum(np.arange(1, 41)[:, None], last) - np.maximum(np.arange(40)[:, None], first), 0)
    expected = np.einsum("byx,y,x->b", values, inside[:, 0], inside[:, 1]) / ratio**2
    assert np.allclose((mean * share).sum((1, 2)), expected, rtol=1e-4)


def test_what_is_not_measured_takes_no_part(tmp_path):
    values = np.array([[[10.0, 30.0], [-9999.0, np.nan]]], np.float32)
    url = city_files.raster(tmp_path / "a.tif", values, city_files.north_up(5000, 21_600, 2), nodata=-9999.0)
    with rasterio.open(url) as dataset:
        mean, share = cells_mean(dataset, url, CellBlock(5000, 21_600, 1, 1), 1, measured, finer=None)
        beyond = cells_mean(dataset, url, CellBlock(5001, 21_600, 1, 1), 1, measured, finer=None)

    assert (mean.item(), share.item()) == (20.0, 0.5)
    assert beyond is None


def test_a_raster_stored_south_up_is_the_same(tmp_path):
    picture = city_files.smooth_picture(1, 1, 8).astype(np.float32)
    up = city_files.north_up(5000, 21_600, 8)
    block = CellBlock(5000, 21_600, 1, 1)
    valid = np.ones((8, 8), bool)
    turned = up @ Affine.translation(0, 8) @ Affine.scale(1, -1)
    wanted, _ = array_mean(picture, valid, "EPSG:4326", up, block, 4)
    found, _ = array_mean(picture[:, ::-1], valid, "EPSG:4326", turned, block, 4)

    assert np.allclose(found, wanted, atol=1e-3)

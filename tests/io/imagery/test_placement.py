"""Where a region's pixels lie in a raster: repeated, averaged, sampled or absent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from carbonray.io.imagery.image import RegionGrid
from carbonray.io.imagery.placement import Footprint, Placement, placement

GRID = RegionGrid(32632, 360000.0, 5700000.0, 10.0, 12, 18)


def footprint(pixel: float, rows: int, cols: int, left: float = 360000.0, top: float = 5700000.0) -> Footprint:
    return Footprint(CRS.from_epsg(32632).to_wkt(), (pixel, 0.0, left, 0.0, -pixel, top), rows, cols)


def placed(where: Footprint) -> Placement:
    found = placement(where, GRID)
    assert found is not None
    return found


def cut(where: Footprint, values: np.ndarray) -> np.ndarray:
    place = placed(where)
    col, row, width, height = place.window
    return place.values(values[:, row : row + height, col : col + width])


def numbers(rows: int, cols: int) -> np.ndarray:
    return (1 + np.arange(rows * cols).reshape(1, rows, cols)).astype(np.uint16)


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_raster_on_the_lattice_gives_its_own_pixels(down: int, right: int) -> None:
    where = footprint(10.0, 80, 80, left=360000.0 - 10.0 * right, top=5700000.0 + 10.0 * down)
    values = numbers(80, 80)

    assert not placed(where).warped and placed(where).inside.all()
    assert np.array_equal(cut(where, values), values[:, down : down + 12, right : right + 18])


@given(st.sampled_from([2, 6]), st.integers(0, 5), st.integers(0, 5))
def test_coarse_pixels_are_repeated_each_over_its_own_area(ratio: int, down: int, right: int) -> None:
    where = footprint(10.0 * ratio, 20, 20, left=360000.0 - 10.0 * right, top=5700000.0 + 10.0 * down)
    values = numbers(20, 20)

    whole = np.repeat(np.repeat(values, ratio, 1), ratio, 2)
    assert not placed(where).warped
    assert np.array_equal(cut(where, values), whole[:, down : down + 12, right : right + 18])


@given(st.sampled_from([0.0, 2.5]))
def test_finer_pixels_are_averaged_by_area_even_by_halves(shift: float) -> None:
    where = footprint(5.0, 40, 60, left=360000.0 - shift, top=5700000.0 + shift)
    values = np.random.default_rng(0).integers(1, 60000, (1, 40, 60)).astype(np.uint16)

    fine = np.repeat(np.repeat(values.astype(float), 2, 1), 2, 2)  # pixels of 2.5 m
    steps = int(shift / 2.5)
    part = fine[0, steps : steps + 48, steps : steps + 72].reshape(12, 4, 18, 4)
    assert not placed(where).warped
    assert np.abs(cut(where, values)[0] - part.mean(axis=(1, 3))).max() <= 0.5


def test_a_mean_is_of_what_is_measured_and_needs_half() -> None:
    values = np.full((1, 24, 36), 100, np.uint16)
    values[0, 0, 0] = 0  # a quarter of the first pixel
    values[0, :2, 2:4] = [[0, 0], [0, 100]]  # three quarters of the second

    found = cut(footprint(5.0, 24, 36), values)[0]

    assert found[0, 0] == 100 and found[0, 1] == 0


def test_south_up_and_north_up_files_give_the_same() -> None:
    values, north = numbers(20, 30), footprint(10.0, 20, 30)
    south = Footprint(north.wkt, (10.0, 0.0, 360000.0, 0.0, 10.0, 5700000.0 - 200.0), 20, 30)

    place = placed(south)
    col, row, width, height = place.window
    found = place.values(values[:, ::-1][:, row : row + height, col : col + width])

    assert place.flipped and not place.warped
    assert np.array_equal(found, cut(north, values))


def test_another_lattice_is_sampled_at_centres_and_says_so() -> None:
    where, values = footprint(10.0, 40, 40, left=360000.0 - 13.0, top=5700000.0 + 13.0), numbers(40, 40)

    assert placed(where).warped
    assert np.array_equal(cut(where, values), values[:, 1:13, 1:19])


@pytest.mark.parametrize("epsg", [32631, 4326, 3857])
def test_another_coordinate_system_is_sampled_at_centres(epsg: int) -> None:
    to = Transformer.from_crs(32632, epsg, always_xy=True)
    x, y = to.transform(np.array([359500.0, 361000.0]), np.array([5700500.0, 5699000.0]))
    step = (x[1] - x[0]) / 300
    where = Footprint(CRS.from_epsg(epsg).to_wkt(), (step, 0.0, x[0], 0.0, -step, y[0]), 400, 300)
    values = numbers(400, 300)

    found = cut(where, values)[0]
    cx, cy = to.transform(*np.meshgrid(GRID.left + 5 + 10 * np.arange(18), GRID.top - 5 - 10 * np.arange(12)))
    expected = values[0, np.floor((y[0] - cy) / step).astype(int), np.floor((cx - x[0]) / step).astype(int)]

    assert placed(where).warped
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("west", [179.99, -180.01])
def test_a_tile_across_180_degrees_is_found_from_either_side(west: float) -> None:
    grid = RegionGrid(32601, *[float(v) for v in _corner(32601, -179.9995, 10.0)], 10.0, 8, 8)
    where = Footprint(CRS.from_epsg(4326).to_wkt(), (0.0001, 0.0, west, 0.0, -0.0001, 10.01), 200, 200)

    place = placement(where, grid)

    assert place is not None and place.inside.all()


def _corner(epsg: int, lon: float, lat: float) -> tuple[float, float]:
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    return np.floor(x / 10) * 10, np.ceil(y / 10) * 10


def test_what_lies_outside_is_nothing_and_what_lies_elsewhere_is_none() -> None:
    half = footprint(10.0, 12, 9)

    found = cut(half, numbers(12, 9))

    assert placed(half).inside.mean() == 0.5
    assert (found[:, :, :9] > 0).all() and (found[:, :, 9:] == 0).all()
    assert placement(footprint(10.0, 12, 9, left=361000.0), GRID) is None


def test_the_window_is_no_larger_than_the_region() -> None:
    col, row, width, height = placed(footprint(10.0, 10980, 10980, left=300000.0, top=5800020.0)).window

    assert (col, row, width, height) == (6000, 10002, 18, 12)

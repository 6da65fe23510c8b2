"""The 30 arc second lattice: numbers, edges, areas, neighbours around the globe and at the poles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from carbonray.science.spatial import cells

ROWS, COLS = st.integers(0, cells.ROWS - 1), st.integers(0, cells.COLS - 1)
WGS84_KM2 = 510_065_621.724  # surface of the ellipsoid


@given(ROWS, COLS)
def test_a_number_is_its_row_and_column(row, col):
    number = cells.cell_id(row, col)

    assert number.dtype == np.int64
    assert cells.row_col(number) == (row, col)


@given(st.floats(-90, 90), st.floats(-180, 179.9999))
def test_a_place_lies_in_its_cell_where_its_parts_say(lat, lon):
    row, col, y, x = cells.place_at(lat, lon)
    west, south, east, north = cells.cell_bounds(row, col)

    part = cells.STEP_DEG / cells.PARTS
    assert south - 1e-9 <= lat <= north + 1e-9
    assert west - 1e-9 <= lon <= east + 1e-9
    assert abs(north - y * part - lat) <= part * 1.01
    assert abs(west + x * part - lon) <= part * 1.01


def test_every_northern_and_western_edge_belongs_to_its_cell():
    rows, cols = np.arange(cells.ROWS), np.arange(cells.COLS)
    west, _, _, north = cells.cell_bounds(rows[:, None], cols[:2])
    found, _, y, _ = cells.place_at(north[:, 0], np.zeros(cells.ROWS))
    _, along, _, x = cells.place_at(np.zeros(cells.COLS), cells.cell_bounds(0, cols)[0])

    assert west.shape == (cells.ROWS, 2)
    assert np.array_equal(found, rows) and not y.any()
    assert np.array_equal(along, cols) and not x.any()


def test_neighbouring_cells_share_their_edges_to_the_last_digit():
    rows, cols = np.arange(cells.ROWS), np.arange(cells.COLS)
    _, south, _, north = cells.cell_bounds(rows, 0)
    west, _, east, _ = cells.cell_bounds(0, cols)

    assert np.array_equal(south[:-1], north[1:])
    assert np.array_equal(east[:-1], west[1:])
    assert (north[0], south[-1], west[0], east[-1]) == (90.0, -90.0, -180.0, 180.0)


@given(ROWS, COLS)
def test_the_centre_lies_in_the_cell(row, col):
    assert cells.cell_at(*cells.cell_centre(row, col)) == (row, col)


def test_the_corners_of_the_world_have_cells():
    assert cells.cell_at(90.0, -180.0) == (0, 0)
    assert cells.cell_at(-90.0, 0.0)[0] == cells.ROWS - 1
    assert cells.cell_at(0.0, 180.0)[1] == 0
    for lat, lon in ((90.1, 0.0), (np.nan, 0.0), (0.0, np.inf)):
        with pytest.raises(ValueError, match="globe"):
            cells.cell_at(lat, lon)
    with pytest.raises(ValueError, match="pole"):
        cells.cell_id(cells.ROWS, 0)


def test_areas_are_those_of_the_ellipsoid():
    areas = cells.area_km2(np.arange(cells.ROWS))
    geod = Geod(ellps="WGS84")
    for row in (100, 4600, 10_799):
        west, south, east, north = cells.cell_bounds(row, 7)
        polygon, _ = geod.polygon_area_perimeter([west, east, east, west], [south, south, north, north])
        # its sides are geodesics, ours parallels: nothing at the equator, a little near the poles
        assert areas[row] == pytest.approx(abs(polygon) / 1e6, rel=1e-7)
    assert areas.sum() * cells.COLS == pytest.approx(WGS84_KM2, rel=1e-9)
    assert np.allclose(areas, areas[::-1], rtol=1e-11)


@given(ROWS, COLS, st.integers(1, 3))
def test_neighbours_stand_around_their_cell(row, col, size):
    around = cells.neighbor_ids(cells.cell_id(row, col), size)
    steps = np.arange(-size, size + 1)

    assert around.shape == (1, 2 * size + 1, 2 * size + 1)
    assert around[0, size, size] == cells.cell_id(row, col)
    off = (row + steps < 0) | (row + steps >= cells.ROWS)
    assert np.array_equal(around[0] == -1, np.repeat(off[:, None], 2 * size + 1, axis=1))
    rows, cols = cells.row_col(around[0][~off])
    assert np.array_equal(rows[:, 0], row + steps[~off])
    assert np.array_equal(cols[0], (col + steps) % cells.COLS)


def test_the_neighbours_of_a_date_line_cell_lie_on_both_sides():
    assert cells.neighbor_ids([0])[0].tolist() == [[-1, -1, -1], [43_199, 0, 1], [86_399, 43_200, 43_201]]


@given(st.sets(st.integers(0, 50)), st.lists(st.integers(0, 50), min_size=1))
def test_positions_are_those_of_a_search_one_by_one(values, wanted):
    ascending = np.array(sorted(values), np.int64)
    expected = [sorted(values).index(number) if number in values else -1 for number in wanted]

    assert cells.positions(ascending, wanted).tolist() == expected
    assert cells.positions(ascending, np.array(wanted)[:, None]).shape == (len(wanted), 1)

"""Regridding conserves mass exactly, agrees with shapely, and refuses what it cannot place, by name."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.io.tropomi import read_granule
from carbonray.science.spatial import gridding
from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM
from carbonray.science.spatial.gridding import GridRules, grid_swath, lattice_area_km2, quad_overlaps, unwrapped_corners

SEEDS = st.integers(0, 2**32 - 1)


def random_quads(rng, n, max_lat=84.0):
    """Convex quadrilaterals of 2 to 60 km anywhere, any orientation, any first corner."""
    lat, lon = rng.uniform(-max_lat, max_lat, n), rng.uniform(-180.0, 180.0, n)
    angle = np.sort(rng.uniform(0.05, 0.95, (n, 4)) + np.arange(4), axis=1) * np.pi / 2 + rng.uniform(0, 7, (n, 1))
    angle = np.where(rng.random((n, 1)) < 0.5, angle, angle[:, ::-1])
    size = rng.uniform(0.01, 0.25, (n, 1))
    lat_corners = lat[:, None] + size * np.sin(angle)
    lon_corners = lon[:, None] + size * np.cos(angle) / np.cos(np.radians(lat[:, None]))
    return lat_corners, np.mod(lon_corners + 180.0, 360.0) - 180.0


def quad_area_km2(lat, lon):
    """Area in the cylindrical equal-area plane, written independently: triangle fans."""
    x, y = np.radians(lon), np.sin(np.radians(lat))
    fan = [
        (x[:, i] - x[:, 0]) * (y[:, j] - y[:, 0]) - (x[:, j] - x[:, 0]) * (y[:, i] - y[:, 0])
        for i, j in ((1, 2), (2, 3))
    ]
    return EARTH_RADIUS_KM**2 * np.abs(sum(fan)) / 2


def tilted_swath(lat0=-20.0, lon0=20.0, lines=30, pixels=40, heading_deg=12.0):
    """Corners of a swath whose pixels share their corners, (lines * pixels, 4)."""
    s, p = np.meshgrid(np.arange(lines + 1), np.arange(pixels + 1), indexing="ij")
    north, east, turn = 0.049 * (s - lines / 2), 0.071 * (p - pixels / 2), np.radians(heading_deg)
    lat = lat0 + north * np.cos(turn) - east * np.sin(turn)
    lon = lon0 + (north * np.sin(turn) + east * np.cos(turn)) / np.cos(np.radians(lat0))
    ring = [
        (slice(None, -1), slice(None, -1)),
        (slice(None, -1), slice(1, None)),
        (slice(1, None), slice(1, None)),
        (slice(1, None), slice(None, -1)),
    ]
    return tuple(np.stack([v[at] for at in ring], axis=-1).reshape(-1, 4) for v in (lat, lon))


@settings(max_examples=25)
@given(SEEDS)
def test_every_quadrilateral_keeps_its_area_to_1e_9(seed):
    lat, lon = unwrapped_corners(*random_quads(np.random.default_rng(seed), 200))
    key, quad, share = quad_overlaps(lat, lon)
    laid = np.bincount(quad, share * lattice_area_km2(key // 7200), minlength=200)
    assert np.abs(laid / quad_area_km2(lat, lon) - 1).max() < 1e-9
    assert share.min() > 0
    assert share.max() <= 1 + 1e-12
    assert len(np.unique(key * 200 + quad)) == len(key)


@settings(max_examples=25)
@given(SEEDS)
def test_overlaps_are_those_shapely_finds_one_by_one(seed):
    lat, lon = unwrapped_corners(*random_quads(np.random.default_rng(seed), 3))
    key, quad, share = quad_overlaps(lat, lon)
    for one in range(3):
        mine = {int(k): float(a) for k, q, a in zip(key, quad, share, strict=True) if q == one}
        assert mine == pytest.approx(shapely_shares(lat[one], lon[one]), rel=1e-7, abs=1e-10)


def shapely_shares(lat, lon):
    polygon = shapely.Polygon(np.column_stack([lon, np.sin(np.radians(lat))]))
    found = {}
    for row in range(int((90 - lat.max()) / 0.05), int((90 - lat.min()) / 0.05) + 1):
        bottom, top = np.sin(np.radians([90 - (row + 1) * 0.05, 90 - row * 0.05]))
        for col in range(int(np.floor((lon.min() + 180) / 0.05)), int(np.floor((lon.max() + 180) / 0.05)) + 1):
            cell = shapely.box(-180 + col * 0.05, bottom, -180 + (col + 1) * 0.05, top)
            share = polygon.intersection(cell).area / cell.area
            if share > 1e-12:
                found[row * 7200 + col % 7200] = share
    return found


@settings(max_examples=25)
@given(SEEDS, st.floats(-180.0, 180.0), st.floats(-80.0, 80.0), st.floats(0.0, 360.0))
def test_a_swath_of_shared_corners_conserves_mass_and_covers_no_pixel_twice(seed, lon0, lat0, heading):
    lat, lon = tilted_swath(lat0, lon0, 12, 12, heading)
    values = np.random.default_rng(seed).normal(50.0, 30.0, (len(lat), 1))
    gridded = grid_swath(lat, lon, values, np.ones(len(lat), bool))
    area = lattice_area_km2(gridded.row)
    mass = (gridded.values[:, 0].astype(np.float64) * gridded.coverage * area).sum()
    expected = (values[:, 0] * quad_area_km2(lat, lon)).sum()
    assert mass == pytest.approx(expected, rel=1e-6, abs=1e-6 * np.abs(values).sum() * 30)  # values are float32
    key, _, share = quad_overlaps(*unwrapped_corners(lat, lon))
    assert np.bincount(np.unique(key, return_inverse=True)[1], share).max() <= 1 + 1e-9


def test_the_inside_of_a_swath_is_covered_whole():
    lat, lon = tilted_swath()
    gridded = grid_swath(lat, lon, np.full((len(lat), 1), 7.0), np.ones(len(lat), bool))
    inside = (np.abs(gridding.lattice_lat(gridded.row) + 20) < 0.4) & (
        np.abs(gridding.lattice_lon(gridded.col) - 20) < 0.8
    )
    assert inside.sum() > 400
    assert (gridded.coverage[inside] > 1 - 1e-6).all()
    assert (gridded.values == 7.0).all()


@settings(max_examples=25)
@given(SEEDS, st.integers(-7200, 7200))
def test_moving_a_swath_by_whole_columns_moves_its_pixels(seed, columns):
    lat, lon = random_quads(np.random.default_rng(seed), 40)
    values = np.arange(40.0)[:, None]
    here, there = (grid_swath(lat, lon + shift, values, np.ones(40, bool)) for shift in (0.0, columns * 0.05))
    order = np.lexsort([(here.col + columns) % 7200, here.row])
    assert len(here.row) == len(there.row)
    assert (there.row == here.row[order]).all()
    assert (there.col == (here.col[order] + columns) % 7200).all()
    assert np.allclose(there.coverage, here.coverage[order], atol=1e-6)
    assert np.allclose(there.values, here.values[order], atol=1e-4)


def test_a_swath_across_the_antimeridian_is_the_same_swath_half_a_turn_away():
    lat, lon = tilted_swath(lon0=-180.0)
    values, valid = np.random.default_rng(0).random((len(lat), 2)), np.ones(len(lat), bool)
    across = grid_swath(lat, np.mod(lon + 180.0, 360.0) - 180.0, values, valid)
    inland = grid_swath(lat, lon + 180.0, values, valid)
    assert {0, 7199} <= set(across.col.tolist())
    order = np.lexsort([(inland.col + 3600) % 7200, inland.row])
    assert (across.col == (inland.col[order] + 3600) % 7200).all()
    assert np.allclose(across.coverage, inland.coverage[order], atol=1e-6)
    assert np.allclose(across.values, inland.values[order], atol=1e-6)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 3, 0, 1), (3, 2, 1, 0), (1, 0, 3, 2)])
def test_winding_and_first_corner_do_not_matter(order):
    lat, lon = tilted_swath()
    valid, values = np.ones(len(lat), bool), np.random.default_rng(1).random((len(lat), 1))
    one, other = grid_swath(lat, lon, values, valid), grid_swath(lat[:, order], lon[:, order], values, valid)
    assert (one.col == other.col).all()
    assert np.allclose(one.coverage, other.coverage, atol=1e-6)
    assert np.allclose(one.values, other.values, atol=1e-6)


def test_where_pixels_overlap_coverage_stops_at_one_and_the_value_is_their_mean():
    lat, lon = tilted_swath()
    twice = [np.concatenate([lat, lat]), np.concatenate([lon, lon])]
    values = np.concatenate([np.full((len(lat), 1), 10.0), np.full((len(lat), 1), 30.0)])
    gridded = grid_swath(*twice, values, np.ones(len(values), bool))
    assert gridded.coverage.max() == 1.0
    assert np.allclose(gridded.values, 20.0)


def test_a_missing_channel_leaves_the_others_alone():
    lat, lon = tilted_swath(lines=2, pixels=3)
    values = np.array([[1.0, np.nan]] * 3 + [[1.0, 5.0]] * 3)
    gridded = grid_swath(lat, lon, values, np.ones(6, bool))
    assert np.allclose(gridded.values[:, 0], 1.0)
    known = np.isfinite(gridded.values[:, 1])
    assert 0 < known.sum() < len(known)
    assert np.allclose(gridded.values[known, 1], 5.0)


def test_nothing_valid_is_an_empty_grid():
    lat, lon = tilted_swath(lines=2, pixels=3)
    gridded = grid_swath(lat, lon, np.zeros((6, 2)), np.zeros(6, bool))
    assert gridded.values.shape == (0, 2)
    assert gridded.rejected == {}


@pytest.mark.parametrize(
    ("lat", "lon", "reason"),
    [
        ([1.0, 1.0, np.nan, 1.1], [0.0, 0.1, 0.1, 0.0], "corners missing"),
        ([1.0, 1.0, np.inf, 1.1], [0.0, 0.1, 0.1, 0.0], "corners missing"),
        ([88.5, 88.5, 88.6, 88.6], [0.0, 0.1, 0.1, 0.0], "near a pole"),
        ([87.0, 87.0, 87.0, 87.0], [0.0, 90.0, 180.0, -90.0], "near a pole"),
        ([1.0, 1.0, 30.0, 30.0], [0.0, 0.1, 0.1, 0.0], "pixel too large"),
        ([1.0, 1.1, 1.0, 1.1], [0.0, 0.1, 0.1, 0.0], "corners degenerate or crossing"),
        ([1.0, 1.0, 1.0, 1.0], [0.0, 0.1, 0.2, 0.3], "corners degenerate or crossing"),
    ],
)
def test_what_cannot_be_placed_is_rejected_by_name_and_the_rest_is_gridded(lat, lon, reason):
    good_lat, good_lon = tilted_swath(lines=1, pixels=1)
    gridded = grid_swath(
        np.vstack([lat, good_lat]), np.vstack([lon, good_lon]), np.array([[9.0], [3.0]]), np.ones(2, bool)
    )
    assert gridded.rejected == {reason: 1}
    assert np.allclose(gridded.values, 3.0)


def test_limits_are_settings():
    lat, lon = np.array([[88.5, 88.5, 88.6, 88.6]]), np.array([[0.0, 1.0, 1.0, 0.0]])
    kept = grid_swath(lat, lon, np.ones((1, 1)), np.ones(1, bool), GridRules(max_abs_lat_deg=89.0))
    assert kept.rejected == {}
    assert kept.coverage.sum() == pytest.approx(40.0, rel=1e-6)


def test_chunks_change_nothing(monkeypatch):
    lat, lon = tilted_swath()
    values, valid = np.random.default_rng(2).random((len(lat), 1)), np.ones(len(lat), bool)
    whole = grid_swath(lat, lon, values, valid)
    monkeypatch.setattr(gridding, "_QUADS_AT_ONCE", 100)
    monkeypatch.setattr(gridding, "_TERMS_AT_ONCE", 50)
    parts = grid_swath(lat, lon, values, valid)
    assert (whole.col == parts.col).all()
    assert np.allclose(whole.coverage, parts.coverage, atol=1e-6)
    assert np.allclose(whole.values, parts.values, atol=1e-6)


def test_shapes_that_do_not_fit_are_a_contract_error():
    with pytest.raises(ContractError, match="do not fit"):
        grid_swath(np.zeros((3, 4)), np.zeros((3, 4)), np.zeros(3), np.ones(3, bool))


def test_rows_and_columns_of_a_place():
    assert gridding.lattice_row([90.0, 89.96, 0.0, -90.0]).tolist() == [0, 0, 1800, 3599]
    assert gridding.lattice_col([-180.0, 0.0, 179.99, 180.0, 540.0]).tolist() == [0, 3600, 7199, 0, 0]
    rows, cols = np.arange(3600), np.arange(7200)
    assert (gridding.lattice_row(gridding.lattice_lat(rows)) == rows).all()
    assert (gridding.lattice_col(gridding.lattice_lon(cols)) == cols).all()


def test_the_real_granule_keeps_its_mass_to_1e_9(shared_data):
    swath = read_granule(str(next((shared_data / "tropomi/matimba").glob("*S5P*.nc"))))
    column = swath.no2_mol_m2.ravel().astype(np.float64)
    valid = np.isfinite(column)
    lat, lon = unwrapped_corners(swath.lat_corners.reshape(-1, 4)[valid], swath.lon_corners.reshape(-1, 4)[valid])
    key, quad, share = quad_overlaps(lat, lon)
    mass = (share * lattice_area_km2(key // 7200) * column[valid][quad]).sum()
    assert mass == pytest.approx((column[valid] * quad_area_km2(lat, lon)).sum(), rel=1e-9)

"""Tiles see all that complete tiles can see, on any side of the globe, and their blend invents nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from carbonray.errors import ContractError
from carbonray.io.tropomi import read_granule
from carbonray.science.spatial import tiling
from carbonray.science.spatial.gridding import grid_swath, lattice_area_km2, lattice_col, lattice_row
from carbonray.science.spatial.tiling import (
    TileRules,
    blend,
    covered_share,
    cut_tiles,
    fill_gaps,
    planes,
    tile_index,
    tile_origins,
)

SEEDS = st.integers(0, 2**32 - 1)
SMALL = TileRules(tile_px=8, stride_px=4, min_new_px=1)


def pixels_of(coverage, top=1000, left=3000):
    """A dense patch of coverage as the sparse pixels of an orbit, columns circular."""
    row, col = np.nonzero(coverage > 0)
    col = (col + left) % 7200
    order = np.lexsort([col, row])
    value = coverage[coverage > 0][order]
    return (row + top)[order].astype(np.int16), col[order].astype(np.int16), value.astype(np.float32)


def cloudy(seed, shape, clear, scale=4.0):
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), scale)
    return np.where(field <= np.quantile(field, clear), 1.0, 0.0)


def complete_by_hand(coverage, tile, limit, top=1000):
    """Every complete origin of a dense patch, one by one, as (row, column) offsets."""
    area = lattice_area_km2(np.arange(top - tile, top + coverage.shape[0] + tile))
    padded = np.pad(coverage, tile)
    found = []
    for r in range(padded.shape[0] - tile + 1):
        weight = area[r : r + tile, None] / (tile * area[r : r + tile].sum())
        found += [
            (r - tile, c - tile)
            for c in range(padded.shape[1] - tile + 1)
            if (padded[r : r + tile, c : c + tile] * weight).sum() > limit
        ]
    return found


def seen_by(origins, shape, tile, top=1000, left=3000):
    seen = np.zeros(shape, bool)
    for row, col in origins:
        r, c = row - top, (col - left + 3600) % 7200 - 3600
        seen[max(r, 0) : max(r + tile, 0), max(c, 0) : max(c + tile, 0)] = True
    return seen


@settings(max_examples=25)
@given(SEEDS, st.floats(0.5, 1.0), st.integers(9, 40), st.integers(9, 40))
def test_tiles_are_complete_and_see_all_that_a_complete_tile_can_see(seed, clear, rows, cols):
    coverage = cloudy(seed, (rows, cols), clear)
    pixels = pixels_of(coverage)
    origins = tile_origins(*pixels, SMALL)
    assert (covered_share(*pixels, origins, 8) > 0.75).all()
    can = seen_by([(r + 1000, c + 3000) for r, c in complete_by_hand(coverage, 8, 0.75 + 1e-7)], coverage.shape, 8)
    assert (seen_by(origins, coverage.shape, 8)[coverage > 0] == can[coverage > 0]).all()
    assert (origins == np.unique(origins, axis=0)).all()


def test_a_whole_rectangle_is_tiled_at_the_stride_with_flush_ends():
    origins = tile_origins(*pixels_of(np.ones((110, 120))))
    assert origins.tolist() == [[1000 + r, 3000 + c] for r in (0, 32, 46) for c in (0, 32, 56)]


@pytest.mark.parametrize(("covered", "tiles"), [(0.749, 0), (0.75, 0), (0.751, 1), (1.0, 1)])
def test_more_than_75_percent_of_the_area_makes_a_complete_observation(covered, tiles):
    assert len(tile_origins(*pixels_of(np.full((64, 64), covered)))) == tiles


@pytest.mark.parametrize(("columns", "tiles"), [(47, 0), (48, 0), (49, 1)])
def test_a_swath_narrower_than_a_tile_is_padded_if_it_fills_enough_of_it(columns, tiles):
    origins = tile_origins(*pixels_of(np.ones((64, columns))))
    assert len(origins) == tiles


@pytest.mark.parametrize(("top", "rows"), [(0, 70), (3530, 70), (3536, 64)])
def test_tiles_stay_on_the_lattice_at_its_northern_and_southern_end(top, rows):
    pixels = pixels_of(np.ones((rows, 80)), top=top)
    origins = tile_origins(*pixels)
    assert (origins[:, 0] >= 0).all()
    assert (origins[:, 0] <= 3600 - 64).all()
    assert (tile_index(pixels[0], pixels[1], origins) >= 0).all(axis=(1, 2)).any()
    assert (np.isfinite(blend(np.ones((len(origins), 64, 64)), tile_index(*pixels[:2], origins), len(pixels[0])))).all()


@given(SEEDS, st.integers(0, 7199))
@settings(max_examples=10)
def test_moving_a_swath_around_the_globe_moves_its_tiles(seed, columns):
    coverage = cloudy(seed, (30, 50), 0.8)
    here, there = (
        tile_origins(*pixels_of(coverage), SMALL),
        tile_origins(*pixels_of(coverage, left=3000 + columns), SMALL),
    )
    moved = {(int(r), int(c + columns) % 7200) for r, c in here}
    assert {(int(r), int(c)) for r, c in there} == moved


def test_a_swath_across_the_antimeridian_is_blended_like_the_same_swath_half_a_turn_away():
    coverage = cloudy(3, (100, 150), 0.9)
    answers = []
    for left in (3525, 7125):
        row, col, share = pixels_of(coverage, left=left)
        values = np.random.default_rng(0).random(coverage.shape)[row - 1000, (col - left) % 7200]
        index = tile_index(row, col, tile_origins(row, col, share))
        tiles = cut_tiles(planes([values]), index)[0]
        blended = np.full(coverage.shape, np.nan)
        blended[row - 1000, (col - left) % 7200] = blend(np.nan_to_num(tiles) * 2, index, len(row))
        answers.append(blended)
    assert np.isfinite(answers[0]).any()
    assert np.allclose(*answers, equal_nan=True, rtol=1e-12)


def test_a_swath_all_around_the_pole_is_a_ring_of_tiles():
    pixels = pixels_of(np.ones((64, 7200)), top=100, left=0)
    origins = tile_origins(*pixels)
    assert origins[:, 1].tolist() == list(range(0, 7200, 32))
    assert (tile_index(*pixels[:2], origins) >= 0).all()


def test_slanted_edges_are_followed_by_tiles_between_the_bands():
    y, x = (v - 75 for v in np.mgrid[:150, :150])
    along, across = y * np.cos(0.5) - x * np.sin(0.5), y * np.sin(0.5) + x * np.cos(0.5)
    pixels = pixels_of(np.where((abs(along) < 55) & (abs(across) < 50), 1.0, 0.0))
    origins = tile_origins(*pixels, TileRules(min_new_px=1))
    last = int(pixels[0][-1]) - 63
    bands = {*range(int(pixels[0][0]), last, 32), last}
    assert set(origins[:, 0].tolist()) - bands
    assert (covered_share(*pixels, origins) > 0.75).all()


@pytest.mark.parametrize(("least", "tiles"), [(1, 2), (335, 2), (336, 1)])
def test_a_tile_between_the_bands_must_show_enough_that_is_new(least, tiles):
    # 69 whole rows, then 30 with one pixel each: the flush band is too empty, and the last complete origin, 20 rows
    # down, shows the 5 whole rows that the first band does not reach and 15 lone pixels
    coverage = np.ones((99, 64))
    coverage[69:, 1:] = 0.0
    origins = tile_origins(*pixels_of(coverage), TileRules(stride_px=64, min_new_px=least))
    assert origins[:, 0].tolist() == [1000, 1020][:tiles]


def test_no_pixels_or_no_complete_tile_is_no_tile():
    none = np.zeros(0, np.int16)
    assert tile_origins(none, none, np.zeros(0, np.float32)).shape == (0, 2)
    assert tile_origins(*pixels_of(np.eye(64))).shape == (0, 2)


def test_pixels_out_of_order_are_a_contract_error():
    with pytest.raises(ContractError, match="not sorted"):
        tile_origins(np.array([2, 1]), np.array([0, 0]), np.ones(2))


@given(SEEDS)
@settings(max_examples=10)
def test_cut_tiles_hold_the_pixels_of_their_place_and_nan_elsewhere(seed):
    coverage = cloudy(seed, (40, 40), 0.7)
    row, col, share = pixels_of(coverage, left=7180)
    origins = tile_origins(row, col, share, SMALL)
    index = tile_index(row, col, origins, 8)
    tiles = cut_tiles(planes([row, col]), index)
    assert tiles.dtype == np.float32
    y, x = np.mgrid[:8, :8]
    expected = np.stack([origins[:, :1, None] + y, (origins[:, 1:, None] + x) % 7200])
    known = ~np.isnan(tiles[0])
    assert (tiles[:, known] == expected[:, known]).all()
    assert known.sum() == (index >= 0).sum()
    assert np.isnan(tiles[:, ~known]).all()


@given(SEEDS, st.floats(-5.0, 5.0))
@settings(max_examples=10)
def test_the_blend_of_a_constant_is_the_constant_and_unseen_pixels_are_nan(seed, constant):
    row, col, share = pixels_of(cloudy(seed, (40, 40), 0.75))
    origins = tile_origins(row, col, share, SMALL)
    index = tile_index(row, col, origins, 8)
    blended = blend(np.full(index.shape, constant, np.float32), index, len(row))
    seen = np.zeros(len(row), bool)
    seen[index[index >= 0]] = True
    assert np.allclose(blended[seen], np.float32(constant), rtol=1e-12)  # weights over their sum add up to one
    assert np.isnan(blended[~seen]).all()


def test_the_blend_favours_the_tile_that_sees_a_pixel_in_its_middle():
    row, col, share = pixels_of(np.ones((64, 96)))
    origins = tile_origins(row, col, share)
    assert origins[:, 1].tolist() == [3000, 3032]
    index = tile_index(row, col, origins)
    field = blend(np.broadcast_to(np.array([0.0, 1.0])[:, None, None], index.shape), index, len(row)).reshape(64, 96)
    assert (field[:, :32] == 0).all()
    assert (field[:, 64:] == 1).all()
    assert (np.diff(field[10]) >= 0).all()
    assert field[10, 47] + field[10, 48] == pytest.approx(1.0)


def test_the_hann_window_is_positive_and_symmetric():
    window = tiling.hann_window(64)
    assert window.min() > 0
    assert np.allclose(window, window.T)
    assert np.allclose(window, window[::-1, ::-1])
    half = np.sin(np.pi * (np.arange(64) + 0.5) / 64) ** 2
    assert np.allclose(half[:32] + half[32:], 1.0)  # at half overlap a Hann window is a partition of unity


@given(SEEDS, st.floats(0.05, 0.95))
@settings(max_examples=10)
def test_filled_gaps_stay_between_the_values_around_and_observed_pixels_stay(seed, clear):
    rng = np.random.default_rng(seed)
    observed = cloudy(seed, (3, 64, 64), clear, scale=(0, 3, 3)) > 0
    fields = rng.normal(20.0, 10.0, observed.shape).astype(np.float32)
    filled = fill_gaps(np.where(observed, fields, np.nan), observed)
    assert (filled[observed] == fields[observed]).all()
    for tile, mask, field in zip(filled, observed, fields, strict=True):
        if mask.any():
            assert tile.min() >= field[mask].min() - 1e-4
            assert tile.max() <= field[mask].max() + 1e-4
        else:
            assert np.isnan(tile).all()


def test_a_gap_in_a_constant_is_the_constant_and_in_a_ramp_close_to_it():
    observed = np.ones((1, 64, 64), bool)
    observed[0, 20:26, 30:36] = False
    ramp = np.broadcast_to(np.arange(64.0), (1, 64, 64))
    assert np.allclose(fill_gaps(np.full((1, 64, 64), 4.0), observed), 4.0)
    assert np.abs(fill_gaps(ramp, observed) - ramp).max() < 2.5


def test_a_lone_pixel_fills_its_tile_and_a_tile_without_any_stays_missing():
    observed = np.zeros((2, 64, 64), bool)
    observed[0, 0, 0] = True
    filled = fill_gaps(np.full((2, 64, 64), 3.0), observed)
    assert np.allclose(filled[0], 3.0)
    assert np.isnan(filled[1]).all()


def test_gaps_are_filled_alike_in_any_batch():
    observed = cloudy(5, (9, 64, 64), 0.6, scale=(0, 3, 3)) > 0
    fields = np.random.default_rng(5).normal(size=observed.shape)
    whole = fill_gaps(fields, observed)
    parts = [fill_gaps(fields[i : i + 1], observed[i : i + 1]) for i in range(9)]
    assert (whole == np.concatenate(parts)).all()
    channels = np.stack([fields, 2.0 - fields])
    assert (fill_gaps(channels, observed)[0] == whole).all()
    assert (fill_gaps(channels, observed)[1] == fill_gaps(channels[1], observed)).all()


def test_matimba_and_the_highveld_maximum_at_the_edge_of_valid_data_are_both_seen(shared_data):
    swath = read_granule(str(next((shared_data / "tropomi/matimba").glob("*S5P*.nc"))))
    column = swath.no2_mol_m2.reshape(-1, 1)
    grid = grid_swath(
        swath.lat_corners.reshape(-1, 4), swath.lon_corners.reshape(-1, 4), column, np.isfinite(column[:, 0])
    )
    origins = tile_origins(grid.row, grid.col, grid.coverage)
    blended = blend(np.ones((len(origins), 64, 64)), tile_index(grid.row, grid.col, origins), len(grid.row))
    for lat, lon in ((-23.67, 27.61), (-26.27, 29.05)):
        here = (grid.row == lattice_row(lat)) & (grid.col == lattice_col(lon))
        assert blended[here].tolist() == [1.0]
    assert np.isfinite(blended).mean() > 0.98

"""Batches of cells: points become counts, windows keep their tiles, and symmetries turn all of it alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError, DataError
from carbonray.models.cell_batches import CellBatch, gathered, joined, turned
from tests.models.cell_shards import CATEGORIES, town


def shown(batch: CellBatch) -> torch.Tensor:
    """What each window shows: the first channel of its images, nothing where there is none."""
    pixels = gathered(batch.pixels()[:, 0].float(), batch.windows())
    return torch.where(batch.present()[..., :1, None], pixels, -1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([8, 27, 96, 256]))
def test_raster_counts_every_point_once_where_it_lies(seed: int, side: int) -> None:
    batch = town(2, 2, seed=seed)
    expected = np.zeros((4, CATEGORIES, side, side))
    for tile, category, y, x in zip(
        *(getattr(batch, f"point_{name}").tolist() for name in ("tile", "category", "y", "x")), strict=True
    ):
        expected[tile, category, int(y / 65536 * side), int(x / 65536 * side)] += 1
    assert (batch.raster(CATEGORIES, side).numpy() == expected).all()


@pytest.mark.parametrize("symmetry", range(8))
def test_symmetries_turn_images_points_and_windows_alike(symmetry: int) -> None:
    batch = town(3, 4)
    seen = replace(batch, symmetry=symmetry)
    assert torch.equal(seen.raster(CATEGORIES, 27), turned(batch.raster(CATEGORIES, 27), symmetry))
    assert torch.equal(seen.pixels(), turned(batch.pixels(), symmetry))
    # a window of windows: the tile in a corner of the map is the one that the turned map has there
    tiles = seen.windows()
    assert torch.equal(tiles, turned(batch.windows(), symmetry)) and torch.equal(tiles[:, 1, 1], torch.arange(12))
    assert torch.equal(seen.present()[..., 0], turned(batch.present()[..., 0], symmetry))


def test_symmetries_are_eight_different_ones() -> None:
    square = torch.arange(9).view(3, 3)
    views = {tuple(turned(square, k).flatten().tolist()) for k in range(8)}
    assert len(views) == 8
    assert turned(square, 1).tolist() == [[2, 5, 8], [1, 4, 7], [0, 3, 6]]  # counter-clockwise
    assert turned(square, 4).tolist() == [[2, 1, 0], [5, 4, 3], [8, 7, 6]]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 29), min_size=1, max_size=8, unique=True))
def test_rows_show_what_they_showed_with_the_tiles_of_their_windows(rows: list[int]) -> None:
    batch, index = town(), torch.tensor(rows)
    some = batch.rows(index)
    needed = {place for place in batch.neighbors[index].flatten().tolist() if place >= 0}
    assert len(some.images) == len(needed) and some.cell_ids.tolist() == [1000 + row for row in rows]
    assert torch.equal(shown(some), shown(batch)[index]) and torch.equal(some.present(), batch.present()[index])
    kept = gathered(some.raster(CATEGORIES, 27), some.neighbors)[some.neighbors >= 0]
    whole = gathered(batch.raster(CATEGORIES, 27), batch.neighbors)[index]
    assert torch.equal(kept, whole[batch.neighbors[index] >= 0])


def test_cropped_windows_need_only_their_own_tiles() -> None:
    batch = town(size=2).rows(torch.tensor([14]))
    assert (len(batch.images), len(batch.cropped(1).images), len(batch.cropped(0).images)) == (25, 9, 1)
    assert torch.equal(shown(batch.cropped(1)), shown(batch)[:, 1:-1, 1:-1])
    assert batch.cropped(2) is batch and batch.cropped(3) is batch


def test_joined_shards_show_what_each_showed() -> None:
    parts = [town(2, 3, seed=1), town(3, 2, seed=2).rows(torch.tensor([5, 0]))]
    whole = joined(parts)
    assert torch.equal(shown(whole), torch.cat([shown(part) for part in parts]))
    counts = torch.cat([part.raster(CATEGORIES, 27) for part in parts])
    assert torch.equal(whole.raster(CATEGORIES, 27), counts)


def test_authors_padding_puts_tile_0_beside_the_border() -> None:
    batch = town().padded_as_authors()
    assert bool(batch.present().all()) and batch.neighbors[0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 6, 7]]
    corner = batch.rows(torch.tensor([29]))  # far from tile 0, which it now holds all the same
    assert torch.equal(corner.images[corner.neighbors[0, 2, 2]], batch.images[0])


def test_absent_images_and_points_are_told_apart() -> None:
    batch = town(2, 2)
    batch = replace(batch, image_present=torch.tensor([True, False, True, True]), poi_present=batch.poi_present & False)
    present = batch.present()
    assert not present[..., 1].any() and present[0, :, :, 0].tolist() == [
        [False, False, False], [False, True, False], [False, True, True]
    ]  # fmt: skip


def test_unknown_category_is_refused_and_never_counted_elsewhere() -> None:
    batch = town(2, 2)
    with pytest.raises(DataError, match="0 to 3"):
        batch.raster(CATEGORIES - 1, 27)
    assert town(2, 2).rows(torch.tensor([0])).raster(CATEGORIES, 27).sum() > 0
    without = replace(batch, **{name: getattr(batch, name)[:0] for name in vars(batch) if name.startswith("point_")})
    assert without.raster(CATEGORIES, 27).sum() == 0


def test_parts_that_do_not_fit_are_refused() -> None:
    batch = town(2, 2)
    for wrong in ({"ln_e": batch.ln_e[:1]}, {"point_y": batch.point_y[:1]}, {"neighbors": batch.neighbors[:, :2, :2]}):
        with pytest.raises(ContractError, match="shapes"):
            replace(batch, **wrong)

"""Patches around structures: rows r - s/2 to r + s/2 - 1, whole or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.science.power.patches import cut_patches, padded_bag, patches_inside


def test_a_patch_covers_the_rows_and_columns_around_its_pixel() -> None:
    images = np.arange(2 * 3 * 10 * 12).reshape(2, 3, 10, 12)
    row, col = np.array([4, 6]), np.array([5, 2])

    found = cut_patches(images, row, col, 4)

    assert found.shape == (2, 2, 3, 4, 4)
    assert np.array_equal(found[1, 0], images[1, :, 2:6, 3:7])
    assert np.array_equal(found[0, 1], images[0, :, 4:8, 0:4])


def test_patches_of_flags_have_no_bands() -> None:
    flags = np.arange(2 * 10 * 12).reshape(2, 10, 12)

    assert np.array_equal(cut_patches(flags, np.array([5]), np.array([5]), 2)[1, 0], flags[1, 4:6, 4:6])


@given(st.integers(-3, 22), st.integers(-3, 22), st.sampled_from([2, 4, 8, 16]))
def test_a_patch_is_cut_just_where_it_is_inside(row: int, col: int, size: int) -> None:
    images, at = np.zeros((1, 1, 20, 19)), (np.array([row]), np.array([col]))
    inside = row - size // 2 >= 0 and row + size // 2 - 1 < 20 and col - size // 2 >= 0 and col + size // 2 - 1 < 19

    assert patches_inside(*at, (20, 19), size)[0] == inside
    if inside:
        assert cut_patches(images, *at, size).shape == (1, 1, 1, size, size)
    else:
        with pytest.raises(ContractError, match=f"1 of 1 patches of {size} pixels"):
            cut_patches(images, *at, size)


@pytest.mark.parametrize("size", [0, 3, -2])
def test_a_patch_has_an_even_side(size: int) -> None:
    with pytest.raises(ContractError, match="even"):
        patches_inside(np.array([5]), np.array([5]), (20, 20), size)


def test_bags_are_padded_and_masked() -> None:
    patches = np.ones((2, 3, 1, 4, 4), np.float32)

    bag, mask = padded_bag(patches, 5)

    assert bag.shape == (2, 5, 1, 4, 4) and bag.dtype == np.float32
    assert bag[:, :3].all() and not bag[:, 3:].any()
    assert mask.tolist() == [[True, True, True, False, False]] * 2
    with pytest.raises(ContractError, match="3 structures"):
        padded_bag(patches, 2)

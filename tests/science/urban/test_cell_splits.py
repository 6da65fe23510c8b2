"""Division of cells: shares, blocks and buffers that hold whatever the city, and the same answer in any order."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from carbonray.science.spatial.cells import COLS, cell_at, row_col
from carbonray.science.spatial.folds import rotation
from carbonray.science.urban.cell_splits import (
    RANDOM_FOLDS,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATE,
    CellSplitRules,
    cell_folds,
    group_names,
    roles,
)

PLACES = st.tuples(st.floats(-75, 75), st.floats(-180, 180), st.integers(12, 30), st.integers(12, 30))


def city(lat: float, lon: float, height: int, width: int) -> np.ndarray:  # type: ignore[type-arg]
    row, col = cell_at(lat, lon)
    rows, cols = np.meshgrid(int(row) + np.arange(height), (int(col) + np.arange(width)) % COLS, indexing="ij")
    return np.sort((rows * COLS + cols).ravel())


def distance(cell: np.ndarray, other: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """(a, b) cells between two cells, the larger of both directions, around the date line."""
    (row, col), (rows, cols) = row_col(cell), row_col(other)
    across = np.abs(col[:, None] - cols[None])
    return np.maximum(np.abs(row[:, None] - rows[None]), np.minimum(across, COLS - across))


@settings(max_examples=20, deadline=None)
@given(place=PLACES, k=st.integers(0, 3), buffer=st.integers(1, 4))
def test_no_cell_teaches_within_the_buffer_of_one_that_judges(
    place: tuple[float, float, int, int], k: int, buffer: int
) -> None:
    cell, rules = city(*place), CellSplitRules(buffer_cells=buffer)
    folds = cell_folds(cell, ["a"] * len(cell), rules)
    role = roles(cell, folds.fold, rotation(k), rules)
    train, validate, test = (cell[role == name] for name in (TRAIN, VALIDATE, TEST))
    for near, far in ((train, validate), (train, test), (validate, test)):
        assert distance(near, far).min(initial=99) > buffer
    assert set(test) == set(cell[folds.fold == k])
    # without the buffer some would be near: the test can fail
    bare = roles(cell, folds.fold, rotation(k), CellSplitRules(buffer_cells=0))
    assert not (bare == UNUSED).any()
    if (bare == TRAIN).any() and (bare == TEST).any():
        assert (role != bare).any()


@settings(max_examples=20, deadline=None)
@given(place=PLACES, seed=st.integers(0, 2**31))
def test_the_order_of_cells_decides_nothing(place: tuple[float, float, int, int], seed: int) -> None:
    cell = city(*place)
    order = np.random.default_rng(seed).permutation(len(cell))
    for by in ("random", "blocks"):
        rules = CellSplitRules(by=by)
        fold = cell_folds(cell, ["a"] * len(cell), rules).fold
        assert np.array_equal(cell_folds(cell[order], ["a"] * len(cell), rules).fold, fold[order])


def test_at_random_is_sixty_twenty_twenty() -> None:
    cell, rules = city(51.5, -0.1, 30, 26), CellSplitRules(by="random")
    folds = cell_folds(cell, ["London"] * len(cell), rules)
    role = roles(cell, folds.fold, rotation(2, RANDOM_FOLDS), rules)
    assert [int((role == name).sum()) for name in (TRAIN, VALIDATE, TEST)] == [468, 156, 156]
    assert not np.array_equal(folds.fold, cell_folds(cell, ["London"] * 780, CellSplitRules(by="random", seed=7)).fold)


def test_blocks_are_never_split_and_not_too_small() -> None:
    cell = city(60.0, 179.9, 30, 40)
    names = np.array(group_names(cell, ["a"] * len(cell), CellSplitRules()))
    fold = cell_folds(cell, ["a"] * len(cell), CellSplitRules()).fold
    for name in set(names):
        assert len(set(fold[names == name])) == 1
    assert set(fold) == {0, 1, 2, 3}


def test_a_city_left_out_is_in_no_other_role() -> None:
    cell = np.concatenate([city(51.5, -0.1, 12, 12), city(39.9, 116.4, 12, 12), city(38.5, 106.2, 12, 12)])
    names = [name for name in ("London", "Beijing", "Yinchuan") for _ in range(144)]
    rules = CellSplitRules(by="cities")
    folds = cell_folds(cell, names, rules)
    assert folds.n_folds == 3
    role = roles(cell, folds.fold, rotation(folds.table["London"], 3), rules)
    assert set(np.array(names)[role == TEST]) == {"London"}
    assert "London" not in set(np.array(names)[role != TEST])


def test_another_way_is_refused() -> None:
    with pytest.raises(ValueError, match="by 'luck'"):
        group_names(city(0, 0, 12, 12), ["a"] * 144, CellSplitRules(by="luck"))

"""A plant's series between its rows: linear where rows are near, unknown where they are not."""

import numpy as np
import pytest

from carbonray.science.power.plant_series import last_rows, values_at

PLANT, TIME = np.array([0, 0, 0, 2, 2]), np.array([10, 20, 50, 10, 20])
VALUES = np.array([[0.0, 1.0], [10.0, np.nan], [40.0, 3.0], [100.0, 0.0], [200.0, 0.0]])


def test_the_row_that_began_last() -> None:
    assert last_rows(PLANT, TIME, [0, 0, 0, 1, 2, 2], [9, 10, 49, 30, 5, 99]).tolist() == [-1, 0, 1, -1, -1, 4]
    assert last_rows([], [], [0], [1]).tolist() == [-1]
    assert last_rows(PLANT, TIME, [], []).tolist() == []


def test_values_are_linear_between_rows_and_exact_on_them() -> None:
    found = values_at(PLANT, TIME, VALUES, [0, 0, 2, 0], [15, 10, 12, 20], 10)
    assert found[:, 0] == pytest.approx([5.0, 0.0, 120.0, 10.0])
    assert found[1, 1] == 1.0  # met exactly: the unknown neighbour does not matter
    assert np.isnan(found[[0, 3], 1]).all()


def test_beyond_the_ends_across_a_gap_and_at_unknown_plants_nothing_is_known() -> None:
    assert np.isnan(values_at(PLANT, TIME, VALUES, [0, 0, 0, 1, 2], [9, 51, 30, 10, 21], 10)).all()
    assert values_at(PLANT, TIME, VALUES, [0], [35], 30)[0, 0] == pytest.approx(25.0)
    assert values_at([], [], np.zeros((0, 2)), [0], [1], 10).shape == (1, 2)

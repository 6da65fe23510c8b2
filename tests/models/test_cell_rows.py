"""Features of cells: what lies around is summed wherever the table holds it, in any order, around the date line."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.models.cell_rows import poi_feature_names, poi_features
from tests.models.small_city import CATEGORIES, small_city

SIDE = 6


def windows(counts: np.ndarray) -> np.ndarray:
    """Sums over 3 x 3 cells of a (row, col, category) array."""
    padded = np.pad(counts, ((1, 1), (1, 1), (0, 0)))
    return sum(padded[i : i + SIDE, j : j + SIDE] for i in range(3) for j in range(3))  # type: ignore[return-value]


@pytest.mark.parametrize("lon", [0.0, 179.97])
def test_sums_are_those_of_the_nine_cells_that_are_there(lon: float) -> None:
    rows = small_city(lon=lon, side=SIDE)
    order = np.random.default_rng(0).permutation(SIDE**2)
    found = poi_features(rows.only(order))
    around = windows(rows.counts.reshape(SIDE, SIDE, CATEGORIES)).reshape(SIDE**2, CATEGORIES)
    assert np.array_equal(found, np.log1p(np.concatenate([rows.counts, around], axis=1))[order])
    assert len(poi_feature_names(CATEGORIES)) == found.shape[1] == len(set(poi_feature_names(CATEGORIES)))


def test_an_unknown_count_is_left_out_of_sums_and_unknown_in_its_cell() -> None:
    rows = small_city(side=SIDE)
    known = np.arange(SIDE**2) != SIDE + 1
    found = poi_features(replace(rows, counts=np.where(known[:, None], rows.counts, np.nan)))
    zeroed = poi_features(replace(rows, counts=np.where(known[:, None], rows.counts, 0.0)))
    assert np.isnan(found[SIDE + 1, :CATEGORIES]).all() and np.isfinite(found[known]).all()
    assert np.array_equal(found[:, CATEGORIES:], zeroed[:, CATEGORIES:])
    nothing = poi_features(replace(rows, counts=np.full_like(rows.counts, np.nan)))
    assert np.isnan(nothing).all()

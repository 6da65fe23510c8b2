"""Hotspots against inventories: distances, classes with the paper's counts, false ones, cells, and overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.no2.matching import (
    InventoryRules,
    OverlapRules,
    count_by_class,
    match_cells,
    match_sources,
    overlap_with_grid,
)
from carbonray.science.spatial.geodesy import distance_km

PLACES = st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=1, max_size=12)


@given(PLACES, PLACES, st.floats(1.0, 5000.0))
def test_matches_are_the_nearest_by_great_circle(hotspots, sources, radius):
    (h_lat, h_lon), (s_lat, s_lon) = (np.array(places).T for places in (hotspots, sources))
    matches = match_sources(h_lat, h_lon, s_lat, s_lon, radius)
    table = distance_km(s_lat[:, None], s_lon[:, None], h_lat, h_lon)
    np.testing.assert_allclose(matches.distance_km, table.min(axis=1), atol=2e-3)
    clear = np.abs(table - radius).min() > 0.01
    if clear:
        np.testing.assert_array_equal(matches.hit(), (table <= radius).any(axis=1))
        np.testing.assert_array_equal(matches.has_source, (table <= radius).any(axis=0))


def test_matimba_across_the_date_line_and_nothing_at_all():
    matches = match_sources(
        [-23.70, 0.0, 10.0], [27.55, -179.99, 50.0], [-23.67, 0.0, 60.0], [27.61, 179.99, 0.0], 16.7
    )
    assert matches.hotspot.tolist() == [0, 1, -1]
    assert matches.distance_km[1] == pytest.approx(2.22, abs=0.01)
    assert matches.has_source.tolist() == [True, True, False]
    none = match_sources([], [], [1.0], [2.0], 10.0)
    assert not none.hit().any()
    assert np.isinf(none.distance_km).all()
    assert match_sources([1.0], [2.0], [], [], 10.0).has_source.tolist() == [False]


def test_meic_classes_give_the_papers_table():
    strength = np.repeat([6000.0, 4500.0, 3000.0, 500.0], [19, 5, 82, 212])
    hit = np.concatenate([np.arange(n) < k for n, k in ((19, 17), (5, 5), (82, 64), (212, 143))])
    table = count_by_class(strength, hit, InventoryRules().edges_t)
    assert [(row.name, row.n_sources, row.n_hits) for row in table] == [
        ("< 2000", 212, 143), ("2000-4000", 82, 64), ("4000-5000", 5, 5), (">= 5000", 19, 17),
    ]  # fmt: skip
    shares = [row.n_hits / row.n_sources for row in table]
    np.testing.assert_allclose(shares, [0.67, 0.78, 1.0, 0.89], atol=0.006)  # the published shares


def test_an_edge_belongs_to_the_stronger_class_and_unknown_has_its_own():
    table = count_by_class([2000.0, np.nan, 1999.0], np.array([True, True, False]), (2000.0, 4000.0))
    assert [(row.name, row.n_sources, row.n_hits) for row in table] == [
        ("< 2000", 1, 0), ("2000-4000", 1, 1), (">= 4000", 0, 0), ("unknown", 1, 1),
    ]  # fmt: skip


def test_five_thousand_tons_a_month_is_a_real_hotspot():
    assert InventoryRules().edges_kg_s()[-1] == pytest.approx(1.9, abs=0.01)  # SCIENCE 3.2
    assert InventoryRules(months_per_value=12.0).edges_kg_s()[-1] == pytest.approx(0.16, abs=0.005)


def test_a_cell_is_identified_by_one_pixel_in_it_and_false_cells_are_told():
    hit, in_inventory = match_cells([9, 9, 20, 3], [0, 4, 7199, 3], [1, 4, 7], [0, 1439, 7], cell_pixels=5)
    assert hit.tolist() == [True, True, False]
    # detected cells in order: (0, 0) is false, (1, 0) and (4, 1439) are in the inventory
    assert in_inventory.tolist() == [False, True, True]


def test_overlap_counts_strong_cells_near_a_hotspot():
    lat, lon = np.array([30.0, 30.0, 31.0, 32.0]), np.array([110.0, 111.0, 110.0, 110.0])
    tons = np.array([100_000.0, 99_999.0, 250_000.0, np.nan])
    overlap = overlap_with_grid(lat, lon, tons, [30.05, 30.0], [110.0, 111.0], OverlapRules())
    assert (overlap.n_cells, overlap.n_overlapped) == (2, 1)
    assert overlap.fraction() == 0.5
    assert np.isnan(overlap_with_grid(lat, lon, np.zeros(4), [30.0], [110.0], OverlapRules()).fraction())
    assert overlap_with_grid(lat, lon, tons, [], [], OverlapRules()).n_overlapped == 0

"""Where cities lie: counts of cells, one piece, water without people, roads of the length they were drawn with."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import label

from carbonray.science.spatial.cells import area_km2
from carbonray.synthetic.city.cities import CITIES
from carbonray.synthetic.city.fields import generator
from carbonray.synthetic.city.geography import PLOTS, GeographyRules, by_cell, drawn_geography, window_of
from tests.synthetic.city.drawn import city


@pytest.mark.parametrize(("name", "cells"), [("london_like", 778), ("beijing_like", 1381), ("yinchuan_like", 475)])
def test_cities_have_the_published_number_of_cells(name, cells):
    assert CITIES[name].cells == cells == city(CITIES[name]).cells.size


@pytest.mark.parametrize("name", CITIES)
def test_a_city_is_one_piece_away_from_the_edge_of_its_window(name):
    inside = city(CITIES[name]).lie.inside
    assert label(inside)[1] == 1
    assert not inside[[0, 1, -2, -1]].any() and not inside[:, [0, 1, -2, -1]].any()


def test_a_cell_of_the_plane_has_its_area_on_the_earth():
    for rules in CITIES.values():
        window = window_of(rules.lat, rules.lon, rules.cells)
        on_earth = area_km2(np.array(window.row + window.rows // 2))
        assert np.prod(window.cell_m) / 1e6 == pytest.approx(float(on_earth), rel=0.01)


def test_people_number_as_asked_and_none_live_on_water():
    lie = city(CITIES["yinchuan_like"]).lie
    assert (~lie.land).any()
    assert not lie.people_km2[~lie.land].any()
    assert by_cell(lie.people_km2)[lie.inside].mean() / PLOTS**2 == pytest.approx(3100.0, rel=1e-5)


def test_density_falls_away_from_the_centres():
    lie = city(CITIES["london_like"]).lie
    near, far = lie.nearness > 0.6, lie.nearness < 0.15
    assert lie.people_km2[near & lie.land].mean() > 2.5 * lie.people_km2[far & lie.land].mean()


def test_roads_have_their_length():
    window = window_of(50.0, 0.0, 100)
    rules = GeographyRules(radials=0, rings_km=(2.0,), centres=1, river_m=0.0, grid_km=1e4)
    lie = drawn_geography(rules, window, 100, generator(1, 1, "geography"))
    kept = (lie.roads[:, [0, 2]].max(1) < window.size_m[0]) & (lie.roads[:, [1, 3]].max(1) < window.size_m[1])
    length = np.hypot(lie.roads[:, 2] - lie.roads[:, 0], lie.roads[:, 3] - lie.roads[:, 1])
    assert length.sum() == pytest.approx(2 * np.pi * 2000.0, rel=0.05)
    assert lie.road_m.sum() == pytest.approx(length[kept].sum(), rel=1e-3)


def test_a_coast_has_its_sea_to_the_south_east():
    lie = city(CITIES["shift"]).lie
    south, east = np.nonzero(lie.shore < 0)
    assert 0.05 < (lie.shore < 0).mean() < 0.6
    assert south.mean() > lie.shore.shape[0] / 2 and east.mean() > lie.shore.shape[1] / 2


def test_the_same_seed_is_the_same_place():
    rules = dataclasses.replace(CITIES["demo"].geography, centres=5)
    window = window_of(10.0, 20.0, 60)
    one, two = (drawn_geography(rules, window, 60, generator(3, 9, "geography")) for _ in range(2))
    np.testing.assert_array_equal(one.people_km2, two.people_km2)
    np.testing.assert_array_equal(one.inside, two.inside)

"""Pictures are functions of their key, meet at their borders, and show what stands there."""

import dataclasses

import numpy as np
import pytest

from carbonray.synthetic.city.cities import CITIES, cell_image
from carbonray.synthetic.city.geography import PLOTS
from carbonray.synthetic.city.imagery import ground_picture
from carbonray.synthetic.city.zones import CBD, DENSE, GREEN, INDUSTRY, LOW
from tests.synthetic.city.drawn import city, demo, id_at, neighbors_in

DEMO_CITY = demo()


def places(of, row, col, px, cells=1):
    return [
        side * (at + (np.arange(px * cells) + 0.5) / px)
        for at, side in zip((row, col), of.lie.window.cell_m, strict=True)
    ]


def test_a_picture_is_a_function_of_its_cell():
    cell = int(DEMO_CITY.cells[40])
    first = cell_image(DEMO_CITY, cell, 128)
    cell_image(DEMO_CITY, int(DEMO_CITY.cells[3]), 128)
    again = cell_image(demo(seed=DEMO_CITY.rules.seed), cell, 128)
    assert first.shape == (3, 128, 128) and first.dtype == np.uint8 and first.min() >= 1
    np.testing.assert_array_equal(first, again)
    other = demo(seed=7)
    assert not np.array_equal(first, cell_image(other, int(other.cells[40]), 128))


def test_what_is_drawn_runs_on_across_the_border_of_two_cells():
    row, col = (int(each) for each in np.argwhere(DEMO_CITY.lie.inside)[50])
    wide = ground_picture(DEMO_CITY.scene, places(DEMO_CITY, row, col, 96)[0], places(DEMO_CITY, row, col, 96, 2)[1])
    parts = [ground_picture(DEMO_CITY.scene, *places(DEMO_CITY, row, col + step, 96)) for step in (0, 1)]
    joined = np.concatenate(parts, axis=2)
    assert np.mean(np.abs(wide - joined).max(axis=0) > 1.0) < 1e-3  # float32 places differ in their last digit


def test_neighbours_meet_without_a_seam():
    jumps, steps = [], []
    for west, east in neighbors_in(DEMO_CITY)[:12]:
        left, right = (cell_image(DEMO_CITY, cell, 128).astype(float).mean(axis=0) for cell in (west, east))
        jumps.append(np.abs(left[:, -1] - right[:, 0]).mean())
        steps.append(np.abs(left[:, 63] - left[:, 64]).mean())
    assert np.mean(jumps) < 1.5 * np.mean(steps)


@pytest.mark.parametrize("px", [16, 64, 96, 256])
def test_a_picture_comes_in_any_size_with_the_same_colours(px):
    cell = int(DEMO_CITY.cells[50])
    reference = cell_image(DEMO_CITY, cell, 192).mean(axis=(1, 2))
    found = cell_image(DEMO_CITY, cell, px)
    assert found.shape == (3, px, px)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), reference, atol=4.0)


def cells_of(of, zone, count=6):
    share = (of.zones.look == zone).reshape(of.lie.window.rows, PLOTS, of.lie.window.cols, PLOTS).mean(axis=(1, 3))
    found = np.argwhere((share > 0.8) & of.lie.inside)[:count]
    assert len(found), zone
    return [cell_image(of, id_at(of, *each), 96).astype(float) for each in found.tolist()]


def test_zones_look_different():
    london = city(CITIES["london_like"])
    looks = {zone: cells_of(london, zone) for zone in (CBD, DENSE, LOW, INDUSTRY, GREEN)}
    green = {zone: np.mean([(each[1] - each[0]).mean() for each in seen]) for zone, seen in looks.items()}
    assert green[GREEN] > green[LOW] > green[CBD]
    bright = {zone: np.mean([np.quantile(each, 0.95) for each in seen]) for zone, seen in looks.items()}
    assert bright[INDUSTRY] > bright[LOW]


def test_more_traffic_shows_more_cars():
    row, col = (int(each) for each in np.argwhere(DEMO_CITY.lie.inside)[50])
    quiet, busy = (dataclasses.replace(DEMO_CITY.scene, flow=DEMO_CITY.scene.flow * by) for by in (0.0, 4.0))
    empty, full = (ground_picture(scene, *places(DEMO_CITY, row, col, 128)) for scene in (quiet, busy))
    cars = (empty != full).any(axis=0)
    assert 0.003 < cars.mean() < 0.1  # of the picture: they drive on streets alone
    light, dark = (np.mean(test(full.mean(axis=0)[cars])) for test in (lambda v: v > 90, lambda v: v < 60))
    assert light > 0.2 and dark > 0.2


def test_palettes_differ_and_the_shift_city_has_its_own():
    own = {name: rules.palette for name, rules in CITIES.items()}
    assert own["shift"] not in {palette for name, palette in own.items() if name != "shift"}
    means = [np.mean(cells_of(city(CITIES[name]), DENSE, 3), axis=(0, 2, 3)) for name in ("london_like", "shift")]
    assert np.abs(means[0] - means[1]).max() > 15.0

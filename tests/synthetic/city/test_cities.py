"""Cities: unknown names and cells, what the knobs of visibility and the shuffles do, the date line."""

import dataclasses

import numpy as np
import pytest

from carbonray.errors import ContractError, SettingsError
from carbonray.science.spatial.cells import row_col
from carbonray.synthetic.city.cities import CITIES, cell_image, cell_points, city_points, city_rules
from tests.synthetic.city.drawn import DEMO, city, demo, neighbors_in

ONE = demo()


def same_points(one, two):
    return one.fclass == two.fclass and all(
        np.array_equal(getattr(one, name), getattr(two, name)) for name in ("category", "y", "x")
    )


def test_three_cities_one_shift_and_a_small_one():
    assert {rules.key for rules in CITIES.values()} == set(range(1, 6))
    tiers = {name: rules.tier for name, rules in CITIES.items()}
    assert tiers.pop("shift") == "SYNTHETIC-T2"
    assert set(tiers.values()) == {"SYNTHETIC-T1"}


def test_unknown_cities_and_cells_are_refused():
    with pytest.raises(SettingsError, match="no city 'atlantis'"):
        city_rules("atlantis")
    for ask in (cell_points, lambda one, cell: cell_image(one, cell, 32)):
        with pytest.raises(ContractError, match="not of the city"):
            ask(ONE, int(ONE.cells[-1]) + 5)


def test_points_of_a_cell_are_the_same_alone_and_in_a_row():
    together = dict(city_points(ONE))
    assert list(together) == ONE.cells.tolist()
    for cell in ONE.cells[[0, 33, 99]].tolist():
        assert same_points(together[cell], cell_points(demo(seed=DEMO.seed), cell))


def test_at_zero_visibility_nothing_of_the_city_is_seen():
    """The control is exact: what is shown follows from another draw, whatever the city itself is."""
    cell = int(ONE.cells[50])
    blind = demo(photograph__visible=0.0, points__visible=0.0)
    np.testing.assert_array_equal(cell_image(blind, cell, 64), cell_image(_placed(blind), cell, 64))
    assert not np.array_equal(cell_image(blind, cell, 64), cell_image(ONE, cell, 64))
    shown = np.array([cell_points(blind, each).category.size for each in blind.cells.tolist()])
    people = blind.activity.people.reshape(blind.lie.window.rows, 4, -1, 4).sum(axis=(1, 3))
    there = [cell_points(ONE, each).category.size for each in ONE.cells.tolist()]
    at = blind.where(np.arange(100))
    assert abs(np.corrcoef(shown, people[at])[0, 1]) < np.corrcoef(there, people[at])[0, 1]


def _placed(blind):
    """The city that is shown instead, with the cells of the one that is not."""
    elsewhere = blind.elsewhere
    honest = dataclasses.replace(blind.rules.photograph, visible=1.0)
    rules = dataclasses.replace(elsewhere.rules, photograph=honest)
    return dataclasses.replace(elsewhere, rules=rules, cells=blind.cells)


def test_partly_visible_cities_show_the_truth_in_that_share_of_cells():
    half = demo(photograph__visible=0.5)
    honest = [np.array_equal(cell_image(half, c, 16), cell_image(ONE, c, 16)) for c in ONE.cells[::4].tolist()]
    assert 0.2 < np.mean(honest) < 0.8


def test_shuffled_points_are_the_citys_own_in_other_cells():
    mixed = demo(shuffled=("points",))
    before, after = ([cell_points(one, c) for c in ONE.cells.tolist()] for one in (ONE, mixed))
    assert sum(map(same_points, before, after)) < 8
    key = lambda points: (points.fclass, points.x.tobytes())
    assert sorted(map(key, before)) == sorted(map(key, after))
    cell = int(ONE.cells[20])
    np.testing.assert_array_equal(cell_image(ONE, cell, 32), cell_image(mixed, cell, 32))


def test_a_shuffled_layout_moves_cells_whole_and_leaves_neighbours_strangers():
    mixed = demo(shuffled=("layout",))
    source = ONE.cells[mixed.dealt["layout"]]
    for place in (0, 41):
        cell, from_ = int(ONE.cells[place]), int(source[place])
        np.testing.assert_array_equal(cell_image(mixed, cell, 32), cell_image(ONE, from_, 32))
        assert same_points(cell_points(mixed, cell), cell_points(ONE, from_))
        here, there = mixed.where(np.array([place])), ONE.where(ONE.place(np.array([from_])))
        assert mixed.emissions.t_co2[here] == ONE.emissions.t_co2[there]

    def alike(one):
        pairs = np.array(neighbors_in(one))
        ln = np.log(one.emissions.t_co2)
        return np.corrcoef(*(ln[one.where(one.place(pairs[:, side]))] for side in (0, 1)))[0, 1]

    assert alike(ONE) > 0.3 > abs(alike(mixed))


def test_a_city_lies_across_the_date_line():
    across = city(dataclasses.replace(DEMO, lon=179.99))
    col = row_col(across.cells)[1]
    assert across.cells.size == 100 and (np.diff(across.cells) > 0).all()
    assert col.min() < 100 and col.max() > 43100
    for cell in across.cells[[0, -1]].tolist():
        assert cell_image(across, cell, 16).min() >= 1
    at = across.where(np.arange(100))
    assert across.lie.inside[at].all()
    np.testing.assert_array_equal(across.place(across.cells), np.arange(100))

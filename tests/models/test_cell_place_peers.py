"""Peers that know places alone: the nearest labels themselves, the choice that serves validation, cities apart."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.models.baselines import SplitRows
from carbonray.models.cell_place_peers import Kriging, KrigingAnswer, Nearest, NearestAnswer, known_places
from carbonray.models.cell_rows import CellRows
from carbonray.science.spatial.cells import cell_centre, row_col
from carbonray.science.spatial.geodesy import distance_km
from tests.models.small_city import city_roles, small_city, split_of, together

CITY = small_city(side=12)


def test_nearest_is_the_mean_of_the_labels_that_lie_nearest() -> None:
    train = np.random.default_rng(0).permutation(144)[:40]
    known = known_places(CITY, np.sort(train))
    lat, lon = cell_centre(*row_col(CITY.cell))
    apart = distance_km(lat[:, None], lon[:, None], lat[train][None], lon[train][None])
    found = NearestAnswer(known, 1).predict(CITY)
    nearest = np.isclose(apart, apart.min(axis=1, keepdims=True), rtol=1e-6)
    assert all(np.isin(found[at], CITY.ln_e[train][nearest[at]]) for at in range(144))
    assert NearestAnswer(known, 40).predict(CITY) == pytest.approx(CITY.ln_e[train].mean())
    assert NearestAnswer(known, 99).predict(CITY) == pytest.approx(CITY.ln_e[train].mean())


def noise(seed: int) -> CellRows:
    return replace(CITY, ln_e=np.random.default_rng(seed).normal(size=144))


def test_few_neighbors_are_chosen_where_labels_are_smooth_and_many_where_they_are_noise() -> None:
    split = split_of(city_roles(CITY, "random"))
    tried = Nearest((1, 4, 60))
    assert tried.fit(CITY, split).neighbors == 4
    assert tried.fit(noise(0), split).neighbors == 60
    kriging = Kriging((0.3, 4.0), (0.05, 1.0), 60)
    assert (kriging.fit(CITY, split).length_km, kriging.fit(CITY, split).nugget) == (4.0, 0.05)
    assert kriging.fit(noise(0), split).nugget == 1.0


def test_cities_tell_nothing_of_each_other_even_where_they_touch() -> None:
    half = np.where(np.arange(144) < 72, "north", "south")
    rows = replace(CITY, city=half, ln_e=np.where(np.arange(144) < 72, 5.0, 9.0))
    known = known_places(rows, np.arange(0, 144, 2))
    for peer in (NearestAnswer(known, 8), KrigingAnswer(known, 4.0, 0.2, 16)):
        assert peer.predict(rows) == pytest.approx(rows.ln_e)


def test_a_city_nobody_saw_gets_the_mean_and_chooses_nothing() -> None:
    two = together(CITY, small_city(1, 40.0, 116.0, "b", side=12))
    split = SplitRows(np.arange(144), np.arange(144, 288))
    fitted = Nearest((4, 1)).fit(two, split)
    assert fitted.neighbors == 4
    assert fitted.predict(two)[144:] == pytest.approx(CITY.ln_e.mean())
    assert Kriging((2.0,), (0.1,), 16).fit(two, split).predict(two)[144:] == pytest.approx(CITY.ln_e.mean())

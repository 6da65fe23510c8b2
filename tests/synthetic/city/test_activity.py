"""Activities fill the zones that they belong to, and traffic's neighbours are the coupling's alone."""

import numpy as np
import pytest

from carbonray.synthetic.city.activity import _reached
from carbonray.synthetic.city.cities import CITIES
from carbonray.synthetic.city.geography import PLOTS
from carbonray.synthetic.city.zones import CBD, DENSE, INDUSTRY, LOW
from tests.synthetic.city.drawn import city, demo

BEIJING = city(CITIES["beijing_like"])


def test_floors_are_in_the_centre_and_people_at_home():
    zone, activity = BEIJING.zones.zone, BEIJING.activity
    assert activity.floor_m2[zone == CBD].mean() > 8 * activity.floor_m2[zone == LOW].mean()
    assert activity.people[zone == DENSE].mean() > 3 * activity.people[zone == INDUSTRY].mean()


def test_sites_stand_in_industry_and_a_share_of_them_is_unlisted():
    zone, activity = BEIJING.zones.zone, BEIJING.activity
    sites = activity.site_scale > 0
    assert (zone[sites] == INDUSTRY).all()
    assert sites.sum() == pytest.approx(0.55 * (zone == INDUSTRY).sum(), rel=0.15)
    assert np.log(activity.site_scale[sites]).std() == pytest.approx(1.2, rel=0.15)
    assert activity.listed[sites].mean() == pytest.approx(0.7, abs=0.07)


def test_power_stations_are_few_inside_and_in_cells_of_their_own():
    for rules in CITIES.values():
        one = city(rules)
        cells = one.activity.stations // PLOTS
        least, most = rules.activity.power_stations
        assert least <= len(cells) <= most <= 3
        assert len({tuple(cell) for cell in cells.tolist()}) == len(cells)
        assert all(one.lie.inside[row, col] for row, col in cells.tolist())


def test_flow_has_a_mean_of_one_and_nothing_of_others_without_coupling():
    activity, inside = BEIJING.activity, BEIJING.lie.inside
    for coupling in (0.0, 0.3, 0.6):
        assert activity.flow(coupling)[inside].mean() == pytest.approx(1.0)
    np.testing.assert_array_equal(activity.flow(0.0), activity.own_trips)


def test_trips_that_reach_a_cell_are_never_its_own():
    one = demo()
    trips = np.random.default_rng(0).uniform(0, 1, one.activity.own_trips.shape)
    changed = trips.copy()
    changed[9, 12] += 5.0
    before, after = (_reached(each, one.rules.activity, one.lie) for each in (trips, changed))
    assert after[9, 12] == pytest.approx(before[9, 12])
    assert after[9, 13] > before[9, 13] + 0.01
    assert (before >= 0).all()

"""Demand falls when people rest, and rises when it is cold or hot."""

import dataclasses

import numpy as np
import pytest

from carbonray.synthetic.regions.demand import DemandRules, drawn_demand, is_feast, is_weekend, lockdown
from carbonray.synthetic.regions.places import PlaceRules, drawn_place

PLACE = dataclasses.replace(
    drawn_place(PlaceRules(), 7, 1, "usual", 18000), electric_heat=0.5, growth=0.0, feast_day=100.0
)
CALM = DemandRules(activity=0.0, noise=0.0)
DAYS = np.arange(17897, 17897 + 731)  # 2019-01-01 to 2020-12-31
MILD = np.full((DAYS.size, 24), 19.0)


def demand(temperature=MILD, rules=CALM):
    return drawn_demand(rules, PLACE, DAYS, temperature, np.random.default_rng(5))


def test_weekends_are_those_of_the_calendar():
    names = DAYS[is_weekend(DAYS)].astype("datetime64[D]").astype(object)
    assert {day.weekday() for day in names} == {5, 6}


def test_a_mild_working_day_is_the_measure():
    calm = demand()
    working = (calm.idle == 0) & (calm.locked == 0)
    np.testing.assert_allclose(calm.power[working].mean(axis=1), 1.0)
    weekend = is_weekend(DAYS) & ~is_feast(CALM, PLACE, DAYS) & (calm.locked == 0)
    np.testing.assert_allclose(calm.power[weekend].mean(axis=1), 1.0 - CALM.weekend)


def test_cold_and_heat_ask_for_more():
    mild, cold, hot = (demand(MILD + by).power.mean() for by in (0.0, -19.0, 12.0))
    assert cold > mild < hot
    assert not demand().heating_c.any()
    np.testing.assert_allclose(demand(MILD - 19.0).heating_c, 16.0)


def test_the_lockdown_comes_suddenly_and_ends_slowly():
    depth = lockdown(CALM, PLACE, DAYS)
    begin = CALM.lockdown_begin + PLACE.delay_d
    assert np.datetime64(CALM.lockdown_begin, "D") == np.datetime64("2020-03-15")
    assert not depth[begin > DAYS].any()
    first = int(np.argmax(depth))
    assert first == int(np.argmax(begin <= DAYS))
    assert depth[first] == pytest.approx(PLACE.depth, rel=0.02)
    assert depth[first + 50] == pytest.approx(depth[first] / 2, rel=1e-9)


def test_activity_moves_the_grid():
    busy = demand(rules=dataclasses.replace(CALM, activity=0.05))
    np.testing.assert_allclose(busy.power, demand().power * busy.activity[:, None])

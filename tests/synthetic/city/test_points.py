"""Points follow zones, cluster, are incomplete and partly wrong; their classes are those that real extracts have."""

import dataclasses

import numpy as np
import pytest

from carbonray.io.urban.poi_categories import read_category_map
from carbonray.synthetic.city.cities import CITIES, city_points
from carbonray.synthetic.city.fields import generator
from carbonray.synthetic.city.points import CATEGORIES, UNKNOWN_CLASSES, PointRules, drawn_points
from carbonray.synthetic.city.zones import CBD, INDUSTRY, LOW
from tests.synthetic.city.drawn import city, demo

NAMES = list(CATEGORIES)
CELL_M = (927.0, 600.0)


HONEST = PointRules(mislabel=0.0, unknown=0.0)


def points(rate, rules=HONEST, key=0):
    full = np.zeros((len(NAMES), 4, 4), np.float32) + np.asarray(rate, np.float32)
    return drawn_points(rules, full, CELL_M, generator(0, 0, "points", key))


def test_classes_are_of_the_category_that_the_real_map_gives_them():
    known = read_category_map()
    assert list(known.names) == NAMES
    for place, words in enumerate(CATEGORIES.values()):
        assert {known.known[word] for word in words} == {place}
    assert not set(UNKNOWN_CLASSES) & set(known.known)


def test_counts_are_poisson_with_the_rate():
    rate = np.zeros((len(NAMES), 1, 1))
    rate[NAMES.index("health")] = 0.5
    counts = np.array([points(rate, key=key).category.size for key in range(400)])
    assert counts.mean() == pytest.approx(8.0, rel=0.08)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.25)


def test_shops_cluster_and_keep_their_rate():
    rate = np.zeros((len(NAMES), 1, 1))
    rate[NAMES.index("shopping")] = 0.5
    counts = np.array([points(rate, key=key).category.size for key in range(400)])
    assert counts.mean() == pytest.approx(8.0, rel=0.12)
    assert counts.var() > 3 * counts.mean()


def test_points_stay_in_their_cell_and_classes_fit():
    drawn = points(3.0, PointRules())
    assert drawn.y.dtype == drawn.x.dtype == np.uint16
    assert len(drawn.fclass) == drawn.category.size == drawn.y.size == drawn.x.size
    for word, category in zip(drawn.fclass, drawn.category.tolist(), strict=True):
        assert word in (UNKNOWN_CLASSES if category < 0 else CATEGORIES[NAMES[category]])


def test_wrong_and_unknown_classes_come_at_their_rates():
    rate = np.zeros((len(NAMES), 1, 1))
    rate[NAMES.index("health")] = 200.0
    filed = points(rate, PointRules(mislabel=0.1, unknown=0.02)).category
    assert np.mean(filed < 0) == pytest.approx(0.02, abs=0.008)
    assert np.mean((filed >= 0) & (filed != NAMES.index("health"))) == pytest.approx(0.098, abs=0.015)


def test_rates_follow_the_zones():
    one = city(CITIES["beijing_like"])
    mean = {zone: one.rates[:, one.zones.zone == zone].mean(axis=1) for zone in (CBD, LOW, INDUSTRY)}
    offices, factories, homes = (NAMES.index(name) for name in ("offices", "industry", "residential"))
    assert mean[CBD][offices] > 10 * mean[LOW][offices]
    assert mean[INDUSTRY][factories] > 10 * mean[LOW][factories]
    assert mean[LOW][homes] > mean[INDUSTRY][homes]


def test_unlisted_factories_have_no_industrial_points():
    one = city(CITIES["beijing_like"])
    sites = one.activity.site_scale > 0
    industry = one.rates[NAMES.index("industry")]
    assert not industry[sites & ~one.activity.listed].any()
    assert (industry[sites & one.activity.listed & one.lie.land] > 0).all()


def test_completeness_thins():
    full, half = (
        sum(drawn.category.size for _, drawn in city_points(demo(points__completeness=(share, share))))
        for share in (1.0, 0.5)
    )
    assert half == pytest.approx(0.5 * full, rel=0.08)


def test_cities_differ_in_how_much_is_known_of_them():
    per_cell = {}
    for name in ("london_like", "yinchuan_like"):
        rules = dataclasses.replace(CITIES[name])
        per_cell[name] = city(rules).rates.sum() / rules.cells
    assert per_cell["london_like"] > 1.5 * per_cell["yinchuan_like"]

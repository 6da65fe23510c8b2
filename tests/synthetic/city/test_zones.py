"""Zones are contiguous, ordered about the centres, and some look like others."""

import numpy as np

from carbonray.synthetic.city.cities import CITIES
from carbonray.synthetic.city.geography import PLOTS
from carbonray.synthetic.city.zones import CBD, DENSE, GREEN, LOW, MIXED, ZONES
from tests.synthetic.city.drawn import city, demo

LONDON = city(CITIES["london_like"])
INSIDE = np.kron(LONDON.lie.inside, np.ones((PLOTS, PLOTS), bool))


def zone_shares(zone):
    """(zone,) share of the city's plots in each."""
    return np.bincount(zone[INSIDE], minlength=len(ZONES)) / INSIDE.sum()


def test_every_zone_is_found_and_none_takes_all():
    shares = zone_shares(LONDON.zones.zone)
    assert all(0.0005 < share < 0.65 for share in shares), shares


def test_neighbouring_plots_share_a_zone_far_more_often_than_chance():
    zone = LONDON.zones.zone
    alike = (zone[:, 1:] == zone[:, :-1])[INSIDE[:, 1:] & INSIDE[:, :-1]].mean()
    by_chance = float((zone_shares(zone) ** 2).sum())
    assert alike > by_chance + 0.35


def test_business_is_central_and_houses_are_not():
    near = LONDON.lie.nearness
    means = [near[(LONDON.zones.zone == zone) & INSIDE].mean() for zone in (CBD, MIXED, DENSE, LOW)]
    assert means == sorted(means, reverse=True)


def test_water_is_green_and_twins_look_like_flats():
    zones, land = LONDON.zones, LONDON.lie.land
    assert (zones.zone[~land] == GREEN).all()
    changed = zones.look != zones.zone
    assert set(zones.zone[changed]) == {MIXED} and set(zones.look[changed]) == {DENSE}
    assert 0.5 < changed[zones.zone == MIXED].mean() < 0.7
    honest = demo(zones__twin_share=0.0).zones
    np.testing.assert_array_equal(honest.zone, honest.look)

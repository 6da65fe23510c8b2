"""Regions are pure functions of their keys, add up, and are made of what they should be."""

import dataclasses

import numpy as np
import pytest

from carbonray.synthetic.regions.places import NUCLEAR
from carbonray.synthetic.regions.world import (
    UNION,
    composites_of,
    drawn_series,
    place_of,
    regions_of,
    union_series,
)
from carbonray.vocab.energy import SECTORS, SOURCES
from tests.synthetic.regions.drawn import CONTROL, RULES, others, series


def totals(rules=RULES):
    drawn = others(rules)
    energy, emissions = (np.array([getattr(each, name).sum(axis=0) for each in drawn]) for name in
                         ("energy", "emissions"))  # fmt: skip
    return energy, emissions


def test_the_same_key_gives_the_same_days():
    again = drawn_series(RULES, regions_of(RULES)[3], RULES.span)
    np.testing.assert_array_equal(again.energy, series(number=3).energy)
    np.testing.assert_array_equal(again.emissions, series(number=3).emissions)


def test_a_region_does_not_depend_on_how_many_there_are():
    more = dataclasses.replace(RULES, count=40)
    region = regions_of(more)[3]
    assert region == regions_of(RULES)[3]
    np.testing.assert_array_equal(drawn_series(more, region, RULES.span).energy, series(number=3).energy)


def test_days_have_every_part_and_no_gap():
    for number in range(10):
        each = series(number=number)
        assert each.energy.shape == (731, len(SOURCES)) and each.emissions.shape == (731, len(SECTORS))
        assert (each.energy >= 0).all() and (each.emissions >= 0).all()
        assert np.isfinite(each.energy).all() and np.isfinite(each.emissions).all()


def test_size_scales_everything_and_nothing_else():
    larger = dataclasses.replace(RULES, place=dataclasses.replace(RULES.place, size_gwh=8000.0))
    one, ten = series(), drawn_series(larger, regions_of(larger)[0], larger.span)
    np.testing.assert_allclose(ten.energy, 10.0 * one.energy)
    np.testing.assert_allclose(ten.emissions, 10.0 * one.emissions)


def test_another_turn_is_another_fate_of_the_same_region():
    one, other = series(number=2), series(number=2, turn=1)
    assert one.size_gwh == other.size_gwh
    assert not np.allclose(one.energy, other.energy, rtol=1e-3)
    # prices differ, so that coal and gas change places; what depends on nature alone stays about where it was
    clean = slice(NUCLEAR, None)
    np.testing.assert_allclose(other.energy.sum(axis=0)[clean], one.energy.sum(axis=0)[clean], rtol=0.15)
    assert other.energy.sum() == pytest.approx(one.energy.sum(), rel=0.05)


def test_the_union_is_the_sum_of_five():
    assert composites_of(RULES) == {UNION: tuple(f"Synland {number:03d}" for number in range(1, 6))}
    union = union_series(tuple(series(number=number) for number in range(5)))
    np.testing.assert_allclose(union.energy, sum(series(number=number).energy for number in range(5)))
    assert union.name == UNION


def test_tiers_tell_the_shift():
    assert [region.tier for region in regions_of(RULES)] == ["SYNTHETIC-T1"] * 8 + ["SYNTHETIC-T2"] * 2
    assert len(regions_of(dataclasses.replace(RULES, shift=False))) == 8


def test_the_population_is_like_the_countries_of_carbon_monitor():
    energy, emissions = totals()
    share = (energy / energy.sum(axis=1, keepdims=True)).mean(axis=0)
    assert (share > 0.01).all() and share.max() < 0.45
    t_gwh = emissions.sum(axis=1) / energy.sum(axis=1)
    # of eleven countries, means of 2023 and 2024 over about their electricity, none is outside 550 to 1700
    assert 700 < np.median(t_gwh) < 1300
    assert np.quantile(t_gwh, 0.05) > 400 and np.quantile(t_gwh, 0.95) < 2000


def test_coal_means_carbon_unless_the_control_is_on():
    for rules, least, most in ((RULES, 0.6, 1.0), (CONTROL, -0.25, 0.25)):
        energy, emissions = totals(rules)
        coal = energy[:, 0] / energy.sum(axis=1)
        assert least < np.corrcoef(coal, np.log(emissions.sum(axis=1) / energy.sum(axis=1)))[0, 1] < most


def test_in_the_control_a_regions_own_days_tell_nothing_either():
    for rules, tells in ((RULES, True), (CONTROL, False)):
        found = []
        for number in range(4):
            own = series(rules, number)
            fossil = own.energy[:, :3].sum(axis=1) / own.energy.sum(axis=1)
            found.append(abs(np.corrcoef(fossil, own.emissions.sum(axis=1))[0, 1]))
        assert (max(found) > 0.3) == tells
    np.testing.assert_array_equal(series(CONTROL).energy, series().energy)
    assert place_of(CONTROL, regions_of(CONTROL)[0]).size_gwh == series().size_gwh


def test_neighbouring_days_are_near_copies():
    own = np.log(series().energy.sum(axis=1))
    assert np.corrcoef(own[:-7], own[7:])[0, 1] > 0.5  # same day of the week: a random split leaks

"""Knobs change what they name and nothing else."""

import dataclasses

import pytest

from carbonray.errors import SettingsError
from carbonray.synthetic.regions.knobs import RegionKnobs, chosen_regions
from carbonray.synthetic.regions.world import RegionRules


def test_knobs_that_are_left_alone_change_nothing():
    assert chosen_regions(RegionKnobs()) == RegionRules()


def test_a_knob_reaches_its_room():
    rules = chosen_regions(RegionKnobs(8, 3, "2021-02-01", 90, False, False, 0.5, 0.0))
    assert (rules.seed, rules.count, rules.first_day, rules.days) == (3, 8, "2021-02-01", 90)
    assert not rules.shift and not rules.mix_tells
    assert rules.place.size_spread == 0.5 and rules.sectors.own == (0.0,) * 5
    assert rules.demand == RegionRules().demand
    assert dataclasses.replace(rules.sectors, own=RegionRules().sectors.own) == RegionRules().sectors


@pytest.mark.parametrize("wrong", [
    {"count": 5}, {"count": 1000}, {"days": 0}, {"first_day": "01/01/2019"}, {"size_spread": -1.0}, {"own": -0.1},
])  # fmt: skip
def test_wrong_knobs_are_refused(wrong):
    with pytest.raises(SettingsError):
        chosen_regions(RegionKnobs(**wrong))

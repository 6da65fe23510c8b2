"""Knobs change what they name and nothing else."""

import dataclasses

import pytest

from carbonray.errors import SettingsError
from carbonray.synthetic.city.cities import CITIES
from carbonray.synthetic.city.knobs import CityKnobs, chosen_cities


def test_knobs_that_are_left_alone_change_nothing():
    chosen = chosen_cities(CityKnobs(names=tuple(CITIES)))
    assert chosen == tuple(CITIES.values())


def test_a_knob_reaches_its_room():
    turned = CityKnobs(("london_like",), 3, 64, 0.0, 0.1, 0.2, (0.5, 0.6), 0.07, ("points", "layout"))
    (rules,) = chosen_cities(turned)
    london = CITIES["london_like"]
    assert (rules.seed, rules.emission.coupling, rules.photograph.visible) == (3, 0.0, 0.1)
    assert (rules.points.visible, rules.points.completeness, rules.points.mislabel) == (0.2, (0.5, 0.6), 0.07)
    assert rules.shuffled == ("points", "layout")
    assert rules.geography == london.geography and rules.activity == london.activity
    assert dataclasses.replace(rules.emission, coupling=london.emission.coupling) == london.emission


@pytest.mark.parametrize("wrong", [
    {"px": 100}, {"px": 0}, {"mislabel": 1.5}, {"image_visible": -0.1}, {"completeness": (0.2, 1.1)},
    {"shuffled": ("zones",)}, {"names": ("nowhere",)},
])  # fmt: skip
def test_wrong_knobs_are_refused(wrong):
    with pytest.raises(SettingsError):
        chosen_cities(CityKnobs(**wrong))

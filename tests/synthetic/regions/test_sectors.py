"""What sectors emit follows people's week, the cold and the lockdown, and partly nothing at all."""

import dataclasses

import numpy as np
import pytest

from carbonray.synthetic.regions.demand import Demand
from carbonray.synthetic.regions.places import PlaceRules, drawn_place
from carbonray.synthetic.regions.sectors import SectorRules, drawn_sectors

PLACE = dataclasses.replace(drawn_place(PlaceRules(), 7, 1, "usual", 18000), lat=50.0, electric_heat=0.25)
CALM = SectorRules(own=(0.0,) * 5, summer=(0.0,) * 5)
DAYS = np.arange(17897, 17897 + 365)
INDUSTRY, ROAD, HOMES, AIR, ABROAD = range(5)


def emitted(rules=CALM, *, idle=0.0, locked=0.0, heating=0.0):
    flat = (np.full(DAYS.size, value) for value in (1.0, idle, locked, heating))
    demand = Demand(np.ones((DAYS.size, 24)), *flat)
    return drawn_sectors(rules, PLACE, DAYS, demand, np.random.default_rng(4))


def test_an_ordinary_day_is_the_regions_level():
    np.testing.assert_allclose(emitted(), np.tile(PLACE.sector_t_gwh, (DAYS.size, 1)))


def test_rest_lockdown_and_cold_act_where_they_should():
    base = emitted()[0]
    rest, locked, cold = (emitted(**{name: value})[0] / base for name, value in
                          (("idle", 1.0), ("locked", 1.0), ("heating", 10.0)))  # fmt: skip
    assert rest[ROAD] == pytest.approx(0.85) and rest[HOMES] > 1.0
    assert locked[ABROAD] == pytest.approx(0.1) and locked[ROAD] == pytest.approx(0.55) and locked[HOMES] > 1.0
    np.testing.assert_allclose(np.delete(cold, HOMES), 1.0)
    assert (cold[HOMES] - 1.0) * base[HOMES] == pytest.approx(22.0 * 0.75 * 10.0)


def test_people_fly_in_their_own_summer():
    wavy = dataclasses.replace(CALM, summer=SectorRules().summer)
    assert 180 < emitted(wavy)[:, AIR].argmax() < 220


def test_own_noise_is_irreducible_and_as_large_as_it_says():
    noisy = np.log(emitted(dataclasses.replace(SectorRules(), summer=(0.0,) * 5)))
    assert np.abs(noisy.std(axis=0) - 0.06).max() < 0.02
    assert np.abs(np.corrcoef(noisy.T) - np.eye(5)).max() < 0.5

"""Emissions add up, know neighbours only by the coupling, and have a ceiling below one."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from carbonray.errors import SettingsError
from carbonray.synthetic.city.cities import CITIES
from carbonray.synthetic.city.emissions import SECTORS, drawn_emissions
from carbonray.synthetic.city.fields import generator
from tests.synthetic.city.drawn import DEMO, city, demo


def test_sectors_are_positive_and_sum_to_the_truth():
    for rules in CITIES.values():
        emissions, inside = city(rules).emissions, city(rules).lie.inside
        assert emissions.by_sector.shape[0] == len(SECTORS)
        assert (emissions.by_sector >= 0).all() and (emissions.t_co2[inside] > 0).all()
        np.testing.assert_allclose(emissions.by_sector.sum(axis=0), emissions.t_co2)


def test_a_coupled_cell_is_mixed_with_its_neighbourhood():
    # at equal traffic only the mixing differs: power stations have no efficiency drawn
    alone, mixed = (demo(emission__coupling=rho).emissions.by_sector[-1] for rho in (0.0, 0.4))
    np.testing.assert_allclose(mixed, 0.6 * alone + 0.4 * uniform_filter(alone, 3, mode="nearest"), atol=1e-6)
    assert mixed.sum() == pytest.approx(alone.sum())


def test_without_coupling_a_cell_depends_on_nothing_but_itself():
    one, here = demo(emission__coupling=0.0), (9, 12)
    others = np.ones(one.zones.zone.shape, np.float32) * 3
    others[here[0] * 4 : here[0] * 4 + 4, here[1] * 4 : here[1] * 4 + 4] = 1
    names = ("people", "floor_m2", "road_km", "site_scale")
    changed = dataclasses.replace(one.activity, **{name: getattr(one.activity, name) * others for name in names})
    before, after = (
        drawn_emissions(one.rules.emission, activity, generator(1, 1, "emissions")).t_co2
        for activity in (one.activity, changed)
    )
    assert after[here] == before[here]
    assert after.sum() > 1.5 * before.sum()


@pytest.mark.parametrize("rho", [-0.1, 0.61])
def test_a_coupling_out_of_range_is_refused(rho):
    with pytest.raises(SettingsError, match=r"0 to 0\.6"):
        demo(emission__coupling=rho)


def test_the_oracle_is_good_and_not_perfect():
    for name in ("london_like", "beijing_like", "yinchuan_like", "shift"):
        one = city(CITIES[name])
        true, oracle = (np.log(each[one.lie.inside]) for each in (one.emissions.t_co2, one.emissions.oracle_t_co2))
        r2 = 1 - np.sum((true - oracle) ** 2) / np.sum((true - true.mean()) ** 2)
        assert 0.85 < r2 < 0.99
        assert 0.8 < true.std() < 1.6


def test_without_hidden_efficiencies_the_oracle_is_the_truth():
    emissions = demo(emission__hidden=0.0, emission__site_hidden=0.0).emissions
    np.testing.assert_allclose(emissions.oracle_t_co2, emissions.t_co2, rtol=1e-9)


def test_a_site_spreads_as_the_sheet_says():
    rules = DEMO
    assert np.hypot(rules.activity.site_spread, rules.emission.site_hidden) == pytest.approx(1.5)

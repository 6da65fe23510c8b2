"""The merit order: demand is met, nothing gives more than it has, and the dearest runs last."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from carbonray.synthetic.regions.demand import Demand
from carbonray.synthetic.regions.places import COAL, GAS, HYDRO, NUCLEAR, OIL, PlaceRules, drawn_place, shares_on
from carbonray.synthetic.regions.supply import BURNERS, SupplyRules, burner_factors, dispatched, drawn_supply
from carbonray.synthetic.regions.weather import RegionWeather
from tests.synthetic.regions.drawn import RULES, series

USUAL = SupplyRules()
AMOUNTS = {"elements": st.floats(0.0, 5.0, width=32)}
PLACE = dataclasses.replace(
    drawn_place(PlaceRules(), 7, 1, "usual", 18000), coal_rank="bituminous", vintage=np.ones(3), prices=np.ones(3)
)


@given(demand=hnp.arrays(np.float64, (2, 3), **AMOUNTS), capacity=hnp.arrays(np.float64, (2, 3, 4), **AMOUNTS))
def test_demand_is_met_in_order(demand, capacity):
    capacity[..., -1] = np.inf
    run = dispatched(demand, capacity)
    np.testing.assert_allclose(run.sum(axis=-1), demand, atol=1e-9)
    assert (run >= 0).all() and (run <= capacity).all()
    spare = capacity - run > 1e-9
    later = np.cumsum(run[..., ::-1], axis=-1)[..., ::-1] - run
    assert not ((later > 1e-9) & spare).any()  # nobody runs while a cheaper one has room


def supplied(shares, rules=USUAL, place=PLACE, days=40):
    shape = days, 24
    demand = Demand(np.ones(shape), *(np.zeros(days) for _ in range(4)))
    weather = RegionWeather(np.full(shape, 15.0), np.ones(shape), np.ones(shape), np.ones(days))
    return drawn_supply(rules, place, np.tile(shares, (days, 1)), demand, weather, np.random.default_rng(2))


def shares(**parts):
    values = np.zeros(8)
    for name, value in parts.items():
        values[{"coal": COAL, "gas": GAS, "oil": OIL, "nuclear": NUCLEAR, "hydro": HYDRO}[name]] = value
    return values


def test_factors_are_those_of_the_chapter():
    factors = burner_factors(PLACE)
    names = [(fuel, mover) for fuel, mover, *_ in BURNERS]
    assert factors[names.index(("gas", "CC"))] == pytest.approx(0.381, abs=5e-4)  # SCIENCE 4.8
    assert factors[names.index(("diesel", "GT"))] == pytest.approx(0.861, abs=5e-4)
    assert factors[0] * 1.1 == pytest.approx(0.946, abs=5e-4)  # younger coal plants are more efficient
    assert factors[1] * 0.9 == pytest.approx(0.946, abs=5e-4)


def test_a_flat_day_of_coal_emits_what_its_plants_do():
    calm = SupplyRules(price_sd=0.0, margin=2.0)
    full = supplied(shares(coal=1.0), calm)
    np.testing.assert_allclose(full.energy[:, COAL], 1.0)
    np.testing.assert_allclose(full.power_t, 1000.0 * burner_factors(PLACE)[0])  # the younger half is enough


def test_part_load_and_starts_cost():
    calm = SupplyRules(price_sd=0.0, margin=2.0)
    flat, none = supplied(shares(coal=1.0), calm), dataclasses.replace(calm, part_load=0.0, start_t_mw=(0.0, 0.0, 0.0))
    days = 4
    power = np.ones((days, 24))
    power[2] = np.where(np.arange(24) < 12, 0.5, 0.9)
    demand = Demand(power, *(np.zeros(days) for _ in range(4)))
    weather = RegionWeather(power, power, power, np.ones(days))
    shared = np.tile(shares(coal=1.0), (days, 1))
    run = drawn_supply(calm, PLACE, shared, demand, weather, np.random.default_rng(2))
    free = drawn_supply(none, PLACE, shared, demand, weather, np.random.default_rng(2))
    extra = run.power_t - free.power_t
    assert extra[0] == extra[1] == 0.0
    assert extra[2] == pytest.approx(free.power_t[2] * 0.12 * (1 - 0.7 / 0.9))  # ready for 0.9, giving 0.7
    assert extra[3] == pytest.approx(1.2 * 0.1 * 1e3 / 24)  # 0.1 of the mean power is started again
    assert flat.power_t[0] == run.power_t[0]


def test_too_much_sun_and_water_is_not_taken():
    only = supplied(shares(hydro=1.4, coal=0.2))
    np.testing.assert_allclose(only.energy.sum(axis=1), 1.0)
    assert not only.energy[:, COAL].any()
    assert not only.power_t.any()


def test_diesel_fills_the_rest():
    short = supplied(shares(gas=1.0), SupplyRules(margin=0.5))
    assert short.energy[:, OIL].min() == pytest.approx(0.5)


def test_a_price_of_carbon_turns_coal_off():
    dear = SupplyRules(prices=(2.0, 5.0, 20.0), price_sd=0.0)
    free = dataclasses.replace(PLACE, carbon_price=0.0)
    before = supplied(shares(coal=0.5, gas=0.5), dear, free).energy.mean(axis=0)
    priced = dataclasses.replace(PLACE, carbon_price=90.0)
    after = supplied(shares(coal=0.5, gas=0.5), dear, priced).energy.mean(axis=0)
    assert before[COAL] > before[GAS] and after[COAL] < after[GAS]


def test_the_shift_regions_are_what_they_are_called():
    hydro, switch = series(number=8), series(number=9)
    mix = hydro.energy.sum(axis=0) / hydro.energy.sum()
    assert 0.85 < mix[HYDRO] < 0.96
    first, last = switch.energy[:150].sum(axis=0), switch.energy[-150:].sum(axis=0)
    assert last[COAL] < 0.5 * first[COAL]
    assert last[GAS] > 2.0 * first[GAS]
    place = drawn_place(RULES.place, RULES.seed, 1002, "switch", int(RULES.span[365]))
    assert shares_on(RULES.place, place, RULES.span)[0, COAL] > 0.55

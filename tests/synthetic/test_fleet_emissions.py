"""Nothing is lost between units, plants, regions and the NO2 world that the fleet drives."""

import dataclasses

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.science.no2.dispersion import NOX_OVER_NO2, kg_m2_from_umol_m2
from carbonray.science.no2.puffs import PuffRules
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.synthetic.columns import Emitters, TransportRules, fine_grid, inside_region, plume_columns
from carbonray.synthetic.fleet import FleetRules, country_calibration, generation_of, plant_of, plants_of, weather_of
from carbonray.synthetic.fleet_emissions import (
    ANNUAL_TRUTH,
    HOURLY_TRUTH,
    annual_truth,
    emissions_of,
    hourly_truth,
    no2_emitters,
    no2_sources,
)
from carbonray.synthetic.winds import WindRules, wind_of
from carbonray.synthetic.world import SOURCES_TRUTH
from carbonray.vocab.plants import FUELS

RULES = FleetRules(plants=10, first_year=2019, last_year=2019, regions=("us_east", "europe_central"))
EAST = (-90.0, 30.0, -78.0, 42.0)  # all of us_east
NOON_H = float(np.datetime64("2019-07-24T12", "h").astype(int))


@pytest.fixture(scope="module")
def fleet():
    """(plant, generation, emissions) of every plant."""
    plants = list(plants_of(RULES))
    generations = [generation_of(RULES, plant, weather_of(RULES, plant)) for plant in plants]
    pairs = zip(plants, generations, strict=True)
    return [(plant, generation, emissions_of(plant, generation)) for plant, generation in pairs]


def test_units_make_the_plant_and_plants_the_region(fleet):
    rows = [row for plant, generation, _ in fleet for row in annual_truth(plant, generation).to_pylist()]
    for region in RULES.regions:
        for name, hourly in (("emissions_t_co2", "emissions_t_co2"), ("generation_mwh", "generation_mwh")):
            by_unit = sum(r[name] for r in rows if r["region"] == region and r["year"] == 2019)
            by_plant = 0.0
            for plant, generation, _ in fleet:
                if plant.region == region:
                    table = hourly_truth(plant, generation)
                    start, end = (np.datetime64(day, "ns").astype(int) for day in ("2019-01-01", "2020-01-01"))
                    year = pc.and_(pc.greater_equal(table["start_utc_ns"], start), pc.less(table["start_utc_ns"], end))
                    by_plant += pc.sum(table.filter(year)[hourly]).as_py()
            assert by_unit == pytest.approx(by_plant, rel=1e-9)


def test_nox_of_the_year_is_that_of_its_hours(fleet):
    for plant, generation, emissions in fleet:
        table = annual_truth(plant, generation)
        year = generation.time_utc_ns.astype("datetime64[ns]").astype("datetime64[Y]") == np.datetime64("2018")
        by_hour = emissions.nox_kg_s[:, year].sum() * 3600.0
        assert pc.sum(table.filter(pc.equal(table["year"], 2018))["nox_kg"]).as_py() == pytest.approx(by_hour, rel=1e-9)


def test_the_truth_has_its_schemas_and_only_whole_years(fleet):
    plant, generation, _ = fleet[0]
    yearly, hourly = annual_truth(plant, generation), hourly_truth(plant, generation)
    assert (yearly.schema, hourly.schema) == (ANNUAL_TRUTH, HOURLY_TRUTH)
    assert set(yearly["year"].to_pylist()) == {2018, 2019}
    factor = hourly["capacity_factor"].to_numpy()
    assert np.nanmin(factor) >= 0 and np.nanmax(factor) <= 1


def test_rates_are_those_of_the_science(fleet):
    for plant, _, _ in fleet:
        calibration = country_calibration(RULES, plant.country)
        for unit in plant.units:
            assert 0.3 <= unit.nox_kg_per_mwh <= 3.0  # SCIENCE chapter 5
            efficiency = FUELS[unit.fuel].kg_co2_per_gj * 3.6e-3 * calibration / unit.intensity_t_per_mwh
            assert 0.31 <= efficiency <= 0.40


def test_calibrations_of_countries_spread_as_declared():
    factors = [country_calibration(dataclasses.replace(RULES, seed=seed), "USA") for seed in range(400)]
    assert np.std(np.log(factors)) == pytest.approx(0.08, rel=0.15)  # SCIENCE 4.8
    assert country_calibration(RULES, "USA") != country_calibration(RULES, "DEU")


@given(shift_h=st.floats(0.0, 24.0))
@settings(max_examples=10, deadline=None)
def test_the_no2_source_is_the_fleets_nox(shift_h):
    grid = fine_grid(EAST, TransportRules())
    at_h = NOON_H + shift_h
    emitters = no2_emitters(RULES, EAST, grid, at_h, max_age_h=6.0)
    inside = [p for p in plants_of(RULES) if inside_region(EAST, np.array(p.lat), np.array(p.lon))]
    assert len(emitters.x_m) == len(inside) == 5
    for plant, q_kg_s in zip(inside, emitters.q_kg_s, strict=True):
        emissions = emissions_of(plant, generation_of(RULES, plant, weather_of(RULES, plant)))
        nox, first_h = emissions.nox_kg_s.sum(axis=0), emissions.time_utc_ns[0] / HOUR_NS
        for place, q in enumerate(q_kg_s[::-1]):  # the mean of the hour that ends so many hours before the overpass
            end = at_h - place - first_h
            low, part = int(np.floor(end - 1.0)), (end - 1.0) % 1.0
            assert q * NOX_OVER_NO2 == pytest.approx((1 - part) * nox[low] + part * nox[low + 1], rel=1e-6, abs=1e-9)


def test_sources_of_a_span_are_its_mean_and_known_to_the_no2_world():
    start, end = (int(np.datetime64(day, "ns").astype(int)) for day in ("2019-03-01", "2019-03-11"))
    table = no2_sources(RULES, EAST, start, end)
    assert table.schema == SOURCES_TRUTH
    for row in table.to_pylist():
        plant = plant_of(RULES, int(row["source_id"].removeprefix("SYN")))
        emissions = emissions_of(plant, generation_of(RULES, plant, weather_of(RULES, plant)))
        span = (emissions.time_utc_ns >= start) & (emissions.time_utc_ns < end)
        mean = emissions.nox_kg_s[:, span].sum(axis=0).mean()
        assert row["q_kg_s"] * NOX_OVER_NO2 == pytest.approx(mean, rel=1e-9, abs=1e-12)
    with pytest.raises(ContractError, match="not covered"):
        no2_sources(RULES, EAST, start, end + 400 * 24 * HOUR_NS)


def test_the_no2_scene_holds_the_mass_that_the_fleet_emitted():
    # without decay and with all NOx as NO2 at a fixed ratio, the column's integral is what was emitted
    age_h = 4.0
    transport = TransportRules(grid_km=5.0, margin_km=400.0, puffs=PuffRules(step_s=600.0, max_age_h=age_h))
    grid = fine_grid(EAST, transport)
    emitters = no2_emitters(RULES, EAST, grid, NOON_H, age_h)
    nobody = Emitters(np.zeros(0), np.zeros(0), np.zeros((0, emitters.q_kg_s.shape[1])))
    wind = wind_of(WindRules(), np.random.default_rng(5))
    field = plume_columns(NOON_H, emitters, nobody, wind, 1e9, grid, transport)
    mass_kg = kg_m2_from_umol_m2(field).sum() * (1e3 * transport.grid_km) ** 2
    # Jaenschwalde's curve: NO2 is 1 / (1.6 exp(-t / 1638 s) + 1.31) of the NOx
    ages = (np.arange(int(age_h * 6)) + 0.5) * 600.0
    share = 1.0 / (1.6 * np.exp(-ages / 1638.0) + 1.31)
    hour = emitters.q_kg_s.shape[1] - 1 - np.floor(ages / 3600.0).astype(int)
    expected = NOX_OVER_NO2 * (emitters.q_kg_s[:, hour] * share * 600.0).sum()
    assert mass_kg == pytest.approx(expected, rel=0.01)
    assert expected > 0

"""What the synthetic fleet emits, hour by hour: CO2, and the NOx that drives scenes of NO2.

Source: SCIENCE chapter 5 (generation x emission factor is CO2, x NOx rate is NOx; sums are conserved). An hour is
[t, t + 1 h) UTC; NOx is expressed as the mass of NO2. The NO2 world counts a source by its NOx over the customary
constant 1.32 (`columns.Emitters`), and so do the tables made for it here.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.science.no2.dispersion import NOX_OVER_NO2
from carbonray.science.spatial.geodesy import HOUR_NS, utc_year
from carbonray.synthetic.columns import Emitters, FineGrid, Region, inside_region
from carbonray.synthetic.dispatch import FleetGeneration
from carbonray.synthetic.fleet import FleetRules, generation_of, plants_of, require_within, weather_of
from carbonray.synthetic.fleet_plants import FleetPlant
from carbonray.synthetic.world import SOURCES_TRUTH, Stacks, WorldRules, span_utc_ns
from carbonray.vocab.columns import DATA_TIER, column

Floats = NDArray[np.float64]
_S_PER_H = 3600.0

HOURLY_TRUTH = pa.schema(
    [
        column("plant_id", pa.string(), "1", "the synthetic plant"),
        column("start_utc_ns", pa.int64(), "ns since 1970-01-01", "start of the hour, UTC, included"),
        column("generation_mwh", pa.float64(), "MWh", "true generation"),
        column("capacity_factor", pa.float64(), "1", "over the capacity installed; NaN where there is none"),
        column("emissions_t_co2", pa.float64(), "t", "true emission of CO2"),
        column("nox_kg_s", pa.float64(), "kg s-1", "true emission of NOx, as NO2"),
    ]
)

ANNUAL_TRUTH = pa.schema(
    [
        column("plant_id", pa.string(), "1", "the synthetic plant"),
        column("unit_id", pa.string(), "1", "its generating unit"),
        column("country", pa.string(), "1", "ISO 3166-1 alpha-3 code"),
        column("region", pa.string(), "1", "key of `fleet_regions.REGIONS`"),
        column("year", pa.int16(), "1", "calendar year, UTC"),
        column("capacity_mw", pa.float64(), "MW", "installed, mean over the year"),
        column("capacity_factor", pa.float64(), "1", "over the capacity installed; NaN where there is none"),
        column("generation_mwh", pa.float64(), "MWh", "true generation"),
        column("emissions_t_co2", pa.float64(), "t", "true emission of CO2"),
        column("nox_kg", pa.float64(), "kg", "true emission of NOx, as NO2"),
        DATA_TIER,
    ]
)


@dataclass(frozen=True)
class FleetEmissions:
    """Emissions of a plant's units.

    Attributes:
        time_utc_ns: (hour,) starts.
        t_co2: (unit, hour) CO2 of the hour.
        nox_kg_s: (unit, hour) NOx as NO2.
    """

    time_utc_ns: NDArray[np.int64]
    t_co2: Floats
    nox_kg_s: Floats


def emissions_of(plant: FleetPlant, generation: FleetGeneration) -> FleetEmissions:
    """Hourly emissions of a plant's units."""
    intensity = np.array([unit.intensity_t_per_mwh for unit in plant.units])[:, None]
    nox_rate = np.array([unit.nox_kg_per_mwh for unit in plant.units])[:, None]
    power = generation.power_mw
    return FleetEmissions(generation.time_utc_ns, power * intensity, power * nox_rate / _S_PER_H)


def hourly_truth(plant: FleetPlant, generation: FleetGeneration) -> pa.Table:
    """Truth of every hour of one plant, with schema `HOURLY_TRUTH`."""
    emissions = emissions_of(plant, generation)
    columns = (
        np.full(generation.time_utc_ns.size, plant.plant_id),
        generation.time_utc_ns,
        generation.power_mw.sum(axis=0),
        generation.capacity_factor,
        emissions.t_co2.sum(axis=0),
        emissions.nox_kg_s.sum(axis=0),
    )
    return pa.Table.from_arrays([pa.array(values) for values in columns], schema=HOURLY_TRUTH)


def annual_truth(plant: FleetPlant, generation: FleetGeneration) -> pa.Table:
    """Truth of every whole year of one plant, a row a unit and year, with schema `ANNUAL_TRUTH`."""
    emissions = emissions_of(plant, generation)
    year = utc_year(generation.time_utc_ns)
    rows = []
    for one in np.unique(year)[:-1]:  # the last has 29 days only
        hours = year == one
        for place, unit in enumerate(plant.units):
            generated = float(generation.power_mw[place, hours].sum())
            could = float(generation.capacity_mw[place, hours].sum())
            rows.append(
                {
                    "plant_id": plant.plant_id,
                    "unit_id": unit.unit_id,
                    "country": plant.country,
                    "region": plant.region,
                    "year": int(one),
                    "capacity_mw": could / int(hours.sum()),
                    "capacity_factor": generated / could if could else float("nan"),
                    "generation_mwh": generated,
                    "emissions_t_co2": float(emissions.t_co2[place, hours].sum()),
                    "nox_kg": float(emissions.nox_kg_s[place, hours].sum() * _S_PER_H),
                    "data_tier": plant.data_tier,
                }
            )
    return pa.Table.from_pylist(rows, schema=ANNUAL_TRUTH)


def no2_sources(rules: FleetRules, region: Region, start_utc_ns: int, end_utc_ns: int) -> pa.Table:
    """The fleet's plants in a region as sources of the NO2 world, with schema `world.SOURCES_TRUTH`.

    Args:
        rules: the fleet.
        region: west, south, east, north, degrees; west > east lies across 180.
        start_utc_ns, end_utc_ns: the mean emission is taken over [start, end).
    """
    plants = _inside(rules, region)
    edges = np.array([start_utc_ns, end_utc_ns], np.int64)
    strength = [float(_mean_nox_kg_s(rules, plant, edges)[0] / NOX_OVER_NO2) for plant in plants]
    columns = ([p.plant_id for p in plants], [p.lat for p in plants], [p.lon for p in plants], strength)
    arrays = [pa.array(values, kind.type) for values, kind in zip(columns, SOURCES_TRUTH, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SOURCES_TRUTH)


def no2_emitters(rules: FleetRules, region: Region, grid: FineGrid, time_h: float, max_age_h: float) -> Emitters:
    """The fleet's plants in a region with their emissions in the hours before a moment, the last hour ending at it.

    Args:
        rules: the fleet.
        region: west, south, east, north, degrees.
        grid: the fine grid whose plane the positions are in.
        time_h: hours since 1970-01-01 UTC.
        max_age_h: oldest air followed, hours.
    """
    plants = _inside(rules, region)
    x_m, y_m = grid.plane_m(np.array([plant.lat for plant in plants]), np.array([plant.lon for plant in plants]))
    hours = np.arange(-np.ceil(max_age_h), 1.0)
    edges = np.rint((time_h + hours) * HOUR_NS).astype(np.int64)
    q_kg_s = [_mean_nox_kg_s(rules, plant, edges) / NOX_OVER_NO2 for plant in plants]
    return Emitters(x_m, y_m, np.array(q_kg_s).reshape(len(plants), edges.size - 1))


def no2_stacks(rules: FleetRules, world: WorldRules) -> Stacks:
    """The fleet as the labelled sources of a world of swaths: its NOx as NO2, conserving mass."""
    table = no2_sources(rules, world.region, *span_utc_ns(world))
    return Stacks(table, partial(no2_emitters, rules, world.region))


def _inside(rules: FleetRules, region: Region) -> list[FleetPlant]:
    return [plant for plant in plants_of(rules) if inside_region(region, np.array(plant.lat), np.array(plant.lon))]


def _mean_nox_kg_s(rules: FleetRules, plant: FleetPlant, edges_ns: NDArray[np.int64]) -> Floats:
    """(edge - 1,) mean emission between moments: of the mass emitted until each, so that none is lost between hours."""
    emissions = emissions_of(plant, generation_of(rules, plant, weather_of(rules, plant)))
    require_within(emissions.time_utc_ns, edges_ns)
    emitted = np.concatenate([[0.0], np.cumsum(emissions.nox_kg_s.sum(axis=0))])  # in kg s-1 hours
    at = (edges_ns - emissions.time_utc_ns[0]) / HOUR_NS
    return np.asarray(np.diff(np.interp(at, np.arange(emitted.size), emitted)) / np.diff(at), np.float64)

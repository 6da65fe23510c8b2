"""When the units of a plant run and at which load: hourly power over years.

Source: SCIENCE 4.13, whose tested setting the defaults are (alternating on and off, load = plant level + seasonal +
diurnal + weekend + Ornstein-Uhlenbeck); the answer of demand to weather is inferred. Arrays are (hour,) or (unit,
hour); an hour is [t, t + 1 h) UTC and its power the mean over it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.synthetic.fleet_plants import FleetPlant
from carbonray.synthetic.fleet_regions import FleetRegion
from carbonray.synthetic.fleet_weather import FleetWeather, memory_noise, year_day

Floats = NDArray[np.float64]
_DAY_H, _WEEK_DAYS, _YEAR_DAYS = 24.0, 7, 365.2425
_NEVER_NS = np.iinfo(np.int64).max
_MONDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True)
class DispatchRules:
    """How plants are run. The numbers down to `min_load` are SCIENCE 4.13's tested setting; the rest is inferred.

    Attributes:
        availability: parameters of the Beta distribution of a plant's share of hours on.
        long_share: outages that are long.
        long_h, short_h: mean length of long and of short outages.
        level, level_range: mean and spread of a plant's load when on, and its bounds; fractions of capacity.
        wander, wander_h: standard deviation and memory of the load's wandering.
        diurnal, seasonal: amplitudes of the daily and the yearly wave.
        min_load: least stable load.
        weekend: by how much the load is lower on Saturdays and Sundays.
        follow_weather: whether demand answers to temperature; False breaks the confounding of load and weather: no
            answer, and every plant's season peaks on a day of its own.
        weather_gain: load for each 10 degrees of heating or cooling demand.
        heat_below_c, cool_above_c: where heating and cooling begin.
        turbine_availability: share of hours in which gas turbines run; their stops are short.
    """

    availability: tuple[float, float] = (1.1, 0.33)
    long_share: float = 0.5
    long_h: float = 720.0
    short_h: float = 72.0
    level: tuple[float, float] = (0.56, 0.36)
    level_range: tuple[float, float] = (0.25, 0.98)
    wander: float = 0.22
    wander_h: float = 60.0
    diurnal: float = 0.08
    seasonal: float = 0.12
    min_load: float = 0.3
    weekend: float = 0.05
    follow_weather: bool = True
    weather_gain: float = 0.06
    heat_below_c: float = 16.0
    cool_above_c: float = 22.0
    turbine_availability: float = 0.12


@dataclass(frozen=True)
class FleetGeneration:
    """Power of a plant's units.

    Attributes:
        time_utc_ns: (hour,) starts.
        power_mw: (unit, hour).
        capacity_mw: (unit, hour) installed; 0 before commissioning and after retirement.
    """

    time_utc_ns: NDArray[np.int64]
    power_mw: Floats
    capacity_mw: Floats

    @property
    def capacity_factor(self) -> Floats:
        """(hour,) of the plant; NaN where nothing is installed."""
        installed = self.capacity_mw.sum(axis=0)
        with np.errstate(invalid="ignore"):  # nothing over nothing is NaN
            return np.asarray(self.power_mw.sum(axis=0) / installed, np.float64)


def drawn_generation(
    rules: DispatchRules, region: FleetRegion, plant: FleetPlant, weather: FleetWeather, rng: np.random.Generator
) -> FleetGeneration:
    """The power of a plant over the hours of its weather.

    Args:
        rules: how plants are run.
        region: whose grid calls.
        plant: whose units run.
        weather: hours that follow each other from the fleet's first; it drives demand.
        rng: the plant's generator for dispatch.
    """
    once, wander, *switches = rng.spawn(2 + 1 + max(unit.block for unit in plant.units))
    availability = float(np.clip(1.0 - region.outages * (1.0 - once.beta(*rules.availability)), 0.01, 0.998))
    load = _load(rules, region, weather, once, wander)
    hours, power, capacity = weather.time_utc_ns, [], []
    running = {
        unit.block: _running(
            rules,
            hours.size,
            availability if unit.prime_mover == "ST" else rules.turbine_availability,
            rules.long_share if unit.prime_mover == "ST" else 0.0,
            switches[unit.block],
        )
        for unit in plant.units
    }
    for unit in plant.units:
        installed = (hours >= unit.start_utc_ns) & (hours < (unit.end_utc_ns or _NEVER_NS))
        capacity.append(installed * unit.capacity_mw)
        power.append(capacity[-1] * running[unit.block] * load)
    return FleetGeneration(hours, np.stack(power), np.stack(capacity))


def demand_10k(rules: DispatchRules, temperature_c: Floats) -> Floats:
    """Heating and cooling degrees, in tens."""
    heating, cooling = rules.heat_below_c - temperature_c, temperature_c - rules.cool_above_c
    return np.asarray((np.maximum(heating, 0.0) + np.maximum(cooling, 0.0)) / 10.0, np.float64)


def _load(
    rules: DispatchRules, region: FleetRegion, weather: FleetWeather, once: np.random.Generator,
    wander: np.random.Generator,
) -> Floats:  # fmt: skip
    """(hour,) load of whatever runs, as a fraction of capacity."""
    level = np.clip(np.clip(once.normal(*rules.level), *rules.level_range) + region.load_shift, *rules.level_range)
    own_peak = once.uniform(0.0, _YEAR_DAYS)
    local_h = weather.time_utc_ns / HOUR_NS + region.utc_offset_h
    peak_day = region.peak_day if rules.follow_weather else own_peak
    season = np.cos(2 * np.pi * (year_day(weather.time_utc_ns) - peak_day) / _YEAR_DAYS)
    day = np.cos(2 * np.pi * (local_h - region.peak_hour) / _DAY_H)
    weekend = (np.floor(local_h / _DAY_H) + _MONDAY) % _WEEK_DAYS >= 5
    load = level + rules.seasonal * season + rules.diurnal * region.peak_gain * day
    load += rules.weekend * (2.0 / _WEEK_DAYS - weekend)
    load += rules.wander * memory_noise(local_h.size, rules.wander_h, wander)
    if rules.follow_weather:
        load += rules.weather_gain * (demand_10k(rules, weather.temperature_c) - _usual_demand_10k(rules, region))
    return np.asarray(np.clip(load, rules.min_load, 1.0), np.float64)


def _usual_demand_10k(rules: DispatchRules, region: FleetRegion) -> float:
    """Mean over the year of the demand that the region's season alone makes."""
    year = np.cos(2 * np.pi * np.arange(365) / 365)
    return float(demand_10k(rules, region.climate.mean_c - region.climate.season_c * year).mean())


def _running(
    rules: DispatchRules, hours: int, availability: float, long_share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """(hour,) alternating renewal of on and off, from its stationary state."""
    first, on_rng, off_rng, kind_rng = rng.spawn(4)
    mean_off_h = long_share * rules.long_h + (1 - long_share) * rules.short_h
    cycles = 64 + int(4 * hours / mean_off_h)  # their stops alone last four times the span
    on_h = on_rng.exponential(mean_off_h * availability / (1 - availability), cycles)
    long = kind_rng.random(cycles) < long_share
    starts_on = first.random() < availability
    if not starts_on:  # a moment within a stop meets a long one in proportion to its length
        long[0] = first.random() < long_share * rules.long_h / mean_off_h
    off_h = off_rng.exponential(1.0, cycles) * np.where(long, rules.long_h, rules.short_h)
    spells = np.stack([on_h, off_h] if starts_on else [off_h, on_h], axis=1).ravel()
    changes = np.searchsorted(np.cumsum(spells), np.arange(hours), side="right")
    return np.asarray((changes % 2 == 0) == starts_on)

"""Hourly weather over a synthetic region: warmth, wind, sunshine and the water of its rivers.

Source: SCIENCE 2.8 (seasonal inflow, weather AR processes, day length); declination after Cooper (1969), doi
10.1016/0038-092X(69)90047-4; numbers are inferred. Arrays are (day, hour) or (day,); an hour is of the region's own
clock, noon at 12. Wind, sun and water are relative to their mean year.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from carbonray.synthetic.regions.draws import HOURS, YEAR_DAYS, Days, Floats, memory_noise, yearly_wave
from carbonray.synthetic.regions.places import Place

_MIDWINTER = 15.0  # day of the year, north of the equator
_EQUINOX = 81.0
_TILT_DEG = 23.45


@dataclass(frozen=True)
class RegionWeatherRules:
    """How weather varies; numbers are inferred.

    Attributes:
        synoptic_c, synoptic_h: standard deviation and memory of passing weather.
        day_c: amplitude of the day's wave.
        wind_swing, wind_h: how strongly and how long the wind's noise moves the turbines.
        wind_winter: how much stronger winter is, in the same noise.
        overcast: sunshine left on the darkest day, over that of the clearest.
        cloud_d: memory of clouds.
        inflow_wave: least and most amplitude of the yearly wave of water.
        inflow_sd, inflow_d: of the ln water about it, and its memory.
    """

    synoptic_c: float = 3.0
    synoptic_h: float = 96.0
    day_c: float = 4.0
    wind_swing: float = 1.0
    wind_h: float = 30.0
    wind_winter: float = 0.35
    overcast: float = 0.35
    cloud_d: float = 1.5
    inflow_wave: tuple[float, float] = (0.1, 0.45)
    inflow_sd: float = 0.2
    inflow_d: float = 40.0


@dataclass(frozen=True)
class RegionWeather:
    """Weather of a span of days.

    Attributes:
        temperature_c: (day, hour).
        wind, sun: (day, hour) power of turbines and panels over their mean.
        water: (day,) over its mean.
    """

    temperature_c: Floats
    wind: Floats
    sun: Floats
    water: Floats


def drawn_weather(rules: RegionWeatherRules, place: Place, days: Days, rng: np.random.Generator) -> RegionWeather:
    """The weather of a region on days that follow each other; each process has a stream of its own."""
    passing, gusts, clouds, water = rng.spawn(4)
    winter = yearly_wave(days, _MIDWINTER if place.lat >= 0 else _MIDWINTER + YEAR_DAYS / 2)
    hours = np.arange(HOURS) + 0.5
    shape = days.size, HOURS
    anomaly = rules.synoptic_c * memory_noise(days.size * HOURS, rules.synoptic_h, passing).reshape(shape)
    daily = rules.day_c * np.cos(2 * np.pi * (hours - 15.0) / HOURS)
    temperature = place.mean_c - place.season_c * winter[:, None] + daily + anomaly
    noise = memory_noise(days.size * HOURS, rules.wind_h, gusts).reshape(shape)
    wind = ndtr(rules.wind_swing * noise + rules.wind_winter * winter[:, None]) / 0.5
    return RegionWeather(temperature, wind, _sun(rules, place, days, clouds), _water(rules, days, water))


def sine_elevation(lat: float, days: Days) -> Floats:
    """(day, hour) sine of the sun's height in the middle of each hour, 0 at night."""
    tilt = np.radians(_TILT_DEG) * np.sin(2 * np.pi * (days % YEAR_DAYS - _EQUINOX) / YEAR_DAYS)[:, None]
    turn = 2 * np.pi * (np.arange(HOURS) + 0.5 - 12.0) / HOURS
    sine = np.sin(np.radians(lat)) * np.sin(tilt) + np.cos(np.radians(lat)) * np.cos(tilt) * np.cos(turn)
    return np.asarray(np.maximum(sine, 0.0), np.float64)


def _sun(rules: RegionWeatherRules, place: Place, days: Days, rng: np.random.Generator) -> Floats:
    clear = rules.overcast + (1.0 - rules.overcast) * ndtr(memory_noise(days.size, rules.cloud_d, rng))
    usual = sine_elevation(place.lat, np.arange(365)).mean() * (1.0 + rules.overcast) / 2.0
    return np.asarray(sine_elevation(place.lat, days) * clear[:, None] / usual)


def _water(rules: RegionWeatherRules, days: Days, rng: np.random.Generator) -> Floats:
    once, noise = rng.spawn(2)
    wave = once.uniform(*rules.inflow_wave) * yearly_wave(days, once.uniform(0.0, YEAR_DAYS))
    wander = rules.inflow_sd * memory_noise(days.size, rules.inflow_d, noise)
    return np.asarray((1.0 + wave) * np.exp(wander - rules.inflow_sd**2 / 2), np.float64)

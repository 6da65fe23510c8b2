"""Hourly weather at a plant: temperature, humidity, wind and cloud that go together.

Source: SCIENCE 4.13 (season + diurnal + AR, humidity anti-correlated with temperature, Weibull wind, a cloud regime
correlated with humidity); numbers are inferred. Arrays are (hour,), an instant at the start of each hour, UTC.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr

from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.synthetic.fleet_regions import FleetRegion

Floats = NDArray[np.float64]
_DAY_H, _YEAR_DAYS = 24.0, 365.2425


@dataclass(frozen=True)
class FleetWeatherRules:
    """How weather varies about its climate; numbers are inferred.

    Attributes:
        site_sd_c: spread of the mean temperature between plants of a region.
        synoptic_c, synoptic_h: standard deviation and memory of passing weather.
        humidity_per_c: percent of humidity lost with each degree above the season's mean.
        humidity_by_cloud_pct: percent of humidity that one standard deviation of cloudiness brings.
        humidity_sd_pct, humidity_h: what is left to chance.
        cloud_h: memory of the cloud regime.
        cloud_contrast: how clearly the sky is either clear or overcast.
        cloud_shade: part of the daily wave of temperature that an overcast sky takes away.
        wind_shape, wind_h: Weibull shape and memory of the speed.
        heading_sd_deg, heading_h: spread and memory of the heading.
    """

    site_sd_c: float = 1.0
    synoptic_c: float = 3.8
    synoptic_h: float = 72.0
    humidity_per_c: float = 2.0
    humidity_by_cloud_pct: float = 11.0
    humidity_sd_pct: float = 8.0
    humidity_h: float = 30.0
    cloud_h: float = 18.0
    cloud_contrast: float = 2.4
    cloud_shade: float = 0.6
    wind_shape: float = 2.0
    wind_h: float = 16.0
    heading_sd_deg: float = 60.0
    heading_h: float = 36.0


@dataclass(frozen=True)
class FleetWeather:
    """Weather at one plant, (hour,) each.

    Attributes:
        time_utc_ns: instants.
        temperature_c: at 2 m.
        relative_humidity_pct: at 2 m.
        wind_u_m_s, wind_v_m_s: at 10 m, toward east and north.
        cloud_cover: fraction of the sky.
    """

    time_utc_ns: NDArray[np.int64]
    temperature_c: Floats
    relative_humidity_pct: Floats
    wind_u_m_s: Floats
    wind_v_m_s: Floats
    cloud_cover: Floats


def drawn_weather(
    rules: FleetWeatherRules, region: FleetRegion, lon: float, time_utc_ns: NDArray[np.int64], rng: np.random.Generator
) -> FleetWeather:
    """The weather of a plant over hours that follow each other.

    Args:
        rules: how weather varies.
        region: its climate.
        lon: the plant's longitude, degrees; the day follows the sun.
        time_utc_ns: (hour,) instants.
        rng: the plant's generator for weather; everything before an hour decides that hour.
    """
    climate, hours = region.climate, time_utc_ns.size
    site, *streams = rng.spawn(6)  # a stream for each process, so that an hour does not depend on the span's length
    day, solar_hour = year_day(time_utc_ns), (time_utc_ns / HOUR_NS + lon / 15.0) % _DAY_H
    regime = memory_noise(hours, rules.cloud_h, streams[0])
    cloud = ndtr(rules.cloud_contrast * regime + climate.cloudiness)
    coldest = 15.0 if region.boxes[0][1][3] > 0 else 197.0  # mid-January, south of the equator mid-July
    season = climate.mean_c + rules.site_sd_c * site.standard_normal() - climate.season_c * _wave(day - coldest)
    daily = climate.day_c * (1 - rules.cloud_shade * cloud) * np.cos(2 * np.pi * (solar_hour - 15.0) / _DAY_H)
    anomaly = daily + rules.synoptic_c * memory_noise(hours, rules.synoptic_h, streams[1])
    humidity = climate.humidity_pct - climate.wet_season_pct * _wave(day - climate.driest_day)
    humidity = humidity - rules.humidity_per_c * anomaly + rules.humidity_by_cloud_pct * regime
    humidity = humidity + rules.humidity_sd_pct * memory_noise(hours, rules.humidity_h, streams[2])
    u, v = _wind(rules, region, hours, streams[3], streams[4])
    return FleetWeather(time_utc_ns, season + anomaly, np.clip(humidity, 4.0, 100.0), u, v, cloud)


def weather_at(weather: FleetWeather, time_utc_ns: NDArray[np.int64]) -> FleetWeather:
    """Weather at any times within its span, linear between the hours."""
    at = (time_utc_ns - weather.time_utc_ns[0]) / HOUR_NS
    hours = np.arange(weather.time_utc_ns.size)
    fields = (name for name in FleetWeather.__dataclass_fields__ if name != "time_utc_ns")
    return FleetWeather(time_utc_ns, *(np.interp(at, hours, getattr(weather, name)) for name in fields))


def memory_noise(hours: int, memory_h: float, rng: np.random.Generator) -> Floats:
    """(hour,) stationary noise of unit variance that forgets as exp(-t / memory): an Ornstein-Uhlenbeck process."""
    kept = np.exp(-1.0 / memory_h)
    shocks = rng.standard_normal(hours)
    shocks[1:] *= np.sqrt(1.0 - kept**2)
    return np.asarray(lfilter([1.0], [1.0, -kept], shocks), np.float64)


def year_day(time_utc_ns: NDArray[np.int64]) -> Floats:
    """Days into a mean year."""
    return np.asarray((time_utc_ns / HOUR_NS / _DAY_H) % _YEAR_DAYS, np.float64)


def _wave(days: Floats) -> Floats:
    """A yearly wave that is highest at zero."""
    return np.asarray(np.cos(2 * np.pi * days / _YEAR_DAYS), np.float64)


def _wind(
    rules: FleetWeatherRules, region: FleetRegion, hours: int, gusts: np.random.Generator, turns: np.random.Generator
) -> tuple[Floats, Floats]:
    """Wind toward east and north: Weibull speeds, headings about the prevailing one."""
    exceeded = np.clip(ndtr(-memory_noise(hours, rules.wind_h, gusts)), 1e-12, 1.0)
    speed = region.climate.wind_m_s * (-np.log(exceeded)) ** (1.0 / rules.wind_shape)
    wander = rules.heading_sd_deg * memory_noise(hours, rules.heading_h, turns)
    heading = np.radians(region.climate.wind_toward_deg + wander)
    return speed * np.sin(heading), speed * np.cos(heading)

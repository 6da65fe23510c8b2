"""Weather of simulated scenes: latitude, wind, lifetime, stability and what a reanalysis would report of the wind.

Source: SCIENCE 3.7 and 3.10. Arrays are (scene,); the wind is the vector the air moves toward.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from carbonray.science.no2.dispersion import Insolation, insolation_class, pasquill_class, sigma_y_shape
from carbonray.science.no2.variates import SceneVariates, log_between
from carbonray.vocab.sensors import SWATHS

F64 = NDArray[np.float64]

_INSOLATION: tuple[Insolation, ...] = ("slight", "moderate", "strong")
_TILT_DEG = 23.44  # obliquity of the ecliptic


@dataclass(frozen=True)
class WeatherRules:
    """Ranges of the weather, all inferred (SCIENCE 3.10) unless a comment names a source.

    Attributes:
        lat_deg: latitudes drawn uniformly; 60 degrees squeezes a pixel to half its width.
        wind_mean_m_s, wind_shape, wind_limits_m_s: Weibull distribution of the transport wind, clipped.
        u10_over_wind: wind at 10 m over the transport wind, for the stability class.
        tau_h: lifetime of NO2.
        tau_skew: exponent of the uniform behind tau at the equator and at 60 degrees.
        diffusivity_m2_s: mesoscale widening K beyond Briggs, log-uniform.
        urban_share: scenes with Briggs' urban widths.
        direction_error_deg, speed_error: standard deviations of the reported wind, degrees and relative.
    """

    lat_deg: tuple[float, float] = (-60.0, 60.0)
    wind_mean_m_s: float = 5.0
    wind_shape: float = 2.0
    wind_limits_m_s: tuple[float, float] = (1.0, 15.0)
    u10_over_wind: float = 0.75
    tau_h: tuple[float, float] = (2.0, 8.0)  # Lange et al. 2022: longer at high latitude
    tau_skew: tuple[float, float] = (1.6, 0.4)
    diffusivity_m2_s: tuple[float, float] = (10.0, 400.0)  # ddeq's default width has K = 400
    urban_share: float = 0.3
    direction_error_deg: float = 10.0
    speed_error: float = 0.15


@dataclass(frozen=True)
class Weather:
    """Weather of n scenes; every field is (scene,).

    Attributes:
        lat_deg: latitude of the centre.
        speed_m_s, u_m_s, v_m_s: true transport wind.
        speed_rank: the wind's probability of not being exceeded, for what goes with the weather.
        tau_h: lifetime of NO2.
        stability: Pasquill index, 0 (A) to 3 (D).
        slope, bend_per_m: of sigma_y, by stability and terrain.
        diffusivity_m2_s: mesoscale widening.
        reported_u_m_s, reported_v_m_s: the wind with the error of a reanalysis.
    """

    lat_deg: F64
    speed_m_s: F64
    u_m_s: F64
    v_m_s: F64
    speed_rank: F64
    tau_h: F64
    stability: NDArray[np.int64]
    slope: F64
    bend_per_m: F64
    diffusivity_m2_s: F64
    reported_u_m_s: F64
    reported_v_m_s: F64


def draw_weather(rules: WeatherRules, variates: SceneVariates) -> Weather:
    """Weather of every scene of a batch."""
    lat = variates.between(rules.lat_deg)
    rank = variates.column()
    scale = rules.wind_mean_m_s / gamma(1.0 + 1.0 / rules.wind_shape)
    speed = np.clip(scale * (-np.log1p(-rank)) ** (1.0 / rules.wind_shape), *rules.wind_limits_m_s)
    direction = 2.0 * np.pi * variates.column()
    tau = _lifetime_h(rules, lat, variates.column())
    stability = _stability(rules, lat, speed, variates)
    slope, bend = _widths(rules, stability, variates.column())
    diffusivity = log_between(variates.column(), rules.diffusivity_m2_s)
    u, v = speed * np.cos(direction), speed * np.sin(direction)
    turn, gain = reported_error(rules, variates)
    return Weather(
        lat, speed, u, v, rank, tau, stability, slope, bend, diffusivity,
        gain * speed * np.cos(direction + turn), gain * speed * np.sin(direction + turn),
    )  # fmt: skip


def reported_error(rules: WeatherRules, variates: SceneVariates) -> tuple[F64, F64]:
    """Turn in radians and gain of the reported wind; the gain stays positive."""
    turn = np.radians(rules.direction_error_deg) * variates.normal()
    return turn, np.exp(rules.speed_error * variates.normal())


def _lifetime_h(rules: WeatherRules, lat_deg: F64, uniform: F64) -> F64:
    poleward = np.minimum(np.abs(lat_deg) / 60.0, 1.0)
    skew = rules.tau_skew[0] + (rules.tau_skew[1] - rules.tau_skew[0]) * poleward
    return np.asarray(rules.tau_h[0] + (rules.tau_h[1] - rules.tau_h[0]) * uniform**skew, np.float64)


def _stability(rules: WeatherRules, lat_deg: F64, speed_m_s: F64, variates: SceneVariates) -> NDArray[np.int64]:
    """Pasquill's daytime classes, at the overpass of a random day of the year."""
    declination = np.radians(_TILT_DEG) * np.sin(2.0 * np.pi * variates.column())
    hour_angle = np.radians(15.0 * (SWATHS["tropomi"].overpass_local_hour - 12.0))
    lat = np.radians(lat_deg)
    sine = np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(hour_angle)
    insolation = insolation_class(np.degrees(np.arcsin(sine)))
    u10, coin = rules.u10_over_wind * speed_m_s, variates.column()
    choices = [pasquill_class(u10, name, coin) for name in _INSOLATION]
    return np.choose(insolation, choices).astype(np.int64)


def _widths(rules: WeatherRules, stability: NDArray[np.int64], uniform: F64) -> tuple[F64, F64]:
    urban = uniform < rules.urban_share
    (open_slope, open_bend), (urban_slope, urban_bend) = sigma_y_shape(stability), sigma_y_shape(stability, "urban")
    return np.where(urban, urban_slope, open_slope), np.where(urban, urban_bend, open_bend)

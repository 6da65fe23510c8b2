"""What the synthetic fleet is like in the numbers that the plume paper publishes of real plants, plant by plant.

Published: plume paper, sections 3.3 and 4 and its table 1, as SCIENCE 4.3, 4.9 and 4.13 quote them. Every moment is a
function of sums over plants, so its interval comes from resampling plants.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from carbonray.science.power.weather_rules import VisibilityRules, weather_verdict
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.science.stats.bootstrap import BootstrapRules, block_bootstrap_sums, interval
from carbonray.synthetic.dispatch import FleetGeneration
from carbonray.synthetic.fleet import FleetRules, acquisitions_of, generation_of, plant_of, state_of, weather_of
from carbonray.synthetic.fleet_emissions import annual_truth, hourly_truth
from carbonray.synthetic.fleet_plants import FleetPlant
from carbonray.vocab.plants import FGD, NDT
from carbonray.vocab.sensors import IMAGERS

YEARS = (2015, 2023)  # [start, end), the paper's
MAX_CLOUD = 0.2  # SCIENCE 4.4
ON_ABOVE = 0.05  # SCIENCE 4.3
WINDOW_H = 30 * 24
SUMS = ("hours", "on", "cf", "cf2", "days", "cf30", "cf30_2", "plants")
SOUNDINGS = tuple(f"{imager} {what}" for imager in IMAGERS for what in ("images", "clear", "left"))

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """One plant in numbers: its sums by the names of `SUMS` and `SOUNDINGS`, and what its place is like."""

    plant: FleetPlant
    sums: dict[str, float]
    place: dict[str, float]
    conservation: float


def seen(rules: FleetRules, index: int) -> Seen:
    """One plant over the paper's years."""
    plant = plant_of(rules, index)
    weather = weather_of(rules, plant)
    generation = generation_of(rules, plant, weather)
    start, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 10**9 for year in YEARS)
    hours = generation.time_utc_ns
    inside, factor = (hours >= start) & (hours < end), generation.capacity_factor
    solar_h = (hours / HOUR_NS + plant.lon / 15.0) % 24
    late_morning = inside & (solar_h >= 10.5) & (solar_h < 11.5) & np.isfinite(factor)
    month = np.convolve(factor, np.full(WINDOW_H, 1.0 / WINDOW_H), "valid")
    daily = month[inside[WINDOW_H - 1 :]][::24]
    at_11, windows = factor[late_morning], daily[np.isfinite(daily)]
    sums = dict(
        zip(
            SUMS,
            (at_11.size, (at_11 > ON_ABOVE).sum(), *_powers(at_11), windows.size, *_powers(windows), 1),
            strict=True,
        )
    )
    for imager in IMAGERS.values():
        images = acquisitions_of(rules, plant, imager).time_utc_ns
        state = state_of(plant, weather, generation, images[(images >= start) & (images < end)])
        clear = state.weather.cloud_cover < MAX_CLOUD
        visible = weather_verdict(
            state.weather.temperature_c, state.weather.relative_humidity_pct, VisibilityRules()
        ).kept
        counts = (clear.size, clear.sum(), (clear & visible).sum())
        sums |= {f"{imager.name} {what}": float(n) for what, n in zip(("images", "clear", "left"), counts, strict=True)}
    place = {
        "temperature_c": float(weather.temperature_c.mean()),
        "humidity_pct": float(weather.relative_humidity_pct.mean()),
        "cloud": float(weather.cloud_cover.mean()),
        "wind_m_s": float(np.hypot(weather.wind_u_m_s, weather.wind_v_m_s).mean()),
        "cf_day": float(np.nanmean(factor[inside])),
        "cf_11": float(at_11.mean()) if at_11.size else float("nan"),
    }
    return Seen(plant, {name: float(value) for name, value in sums.items()}, place, _conservation(plant, generation))


def _powers(values: Floats) -> tuple[float, float]:
    return float(values.sum()), float((values**2).sum())


def _conservation(plant: FleetPlant, generation: FleetGeneration) -> float:
    """Largest relative difference between the units' annual CO2 and the plant's hourly CO2 of the same years."""
    yearly, hourly = annual_truth(plant, generation), hourly_truth(plant, generation)
    year = hourly["start_utc_ns"].to_numpy().astype("datetime64[ns]").astype("datetime64[Y]").astype(int) + 1970
    by_unit = np.bincount(yearly["year"].to_numpy(), yearly["emissions_t_co2"].to_numpy())
    by_hour = np.bincount(year, hourly["emissions_t_co2"].to_numpy())[: by_unit.size]
    some = by_hour > 0
    return float(np.max(np.abs(by_unit[some] / by_hour[some] - 1.0), initial=0.0))


# name -> from the sums, (..., len(SUMS))
MOMENTS: dict[str, Callable[[Floats], Floats]] = {
    "on fraction at 11 h": lambda s: s[..., 1] / s[..., 0],
    "sd of capacity factor at 11 h": lambda s: _sd(s[..., 0], s[..., 2], s[..., 3]),
    "mean 30-day capacity factor": lambda s: s[..., 5] / s[..., 4],
    "sd of 30-day capacity factor": lambda s: _sd(s[..., 4], s[..., 5], s[..., 6]),
}

# published, by structure kind
PUBLISHED = {
    "on fraction at 11 h": {NDT: "0.80", FGD: "0.80"},
    "sd of capacity factor at 11 h": {NDT: "0.34", FGD: "0.34"},
    "mean 30-day capacity factor": {NDT: "0.44", FGD: "0.47"},
    "sd of 30-day capacity factor": {NDT: "0.272", FGD: "0.270"},
}
PUBLISHED_SOUNDINGS = {
    "planetscope": {NDT: 54136 / 74, FGD: 69462 / 99},
    "sentinel2": {NDT: 15064 / 74, FGD: 18390 / 99},
    "landsat8": {NDT: 7176 / 74, FGD: 8235 / 99},
}


def _sd(count: Floats, total: Floats, squares: Floats) -> Floats:
    return np.asarray(np.sqrt(squares / count - (total / count) ** 2), np.float64)


def moments(plants: list[Seen], seed: int) -> dict[str, dict[str, float]]:
    """Every moment with its 90 % interval over plants."""
    sums = np.array([[one.sums[name] for name in SUMS] for one in plants])
    rules = BootstrapRules()
    draws = block_bootstrap_sums(sums, rules, np.random.default_rng(seed))
    found = {}
    for name, moment in MOMENTS.items():
        bounds = interval(moment(draws), rules)
        found[name] = {"value": float(moment(sums.sum(axis=0))), "low": bounds.low, "high": bounds.high}
    return found


def soundings(plants: list[Seen]) -> dict[str, float]:
    """Images per plant: all, clear, and clear with weather in which a stack's vapor is seen."""
    return {name: float(np.mean([one.sums[name] for one in plants])) for name in SOUNDINGS}

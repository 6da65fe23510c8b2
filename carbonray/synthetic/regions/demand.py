"""What the grid of a synthetic region is asked for, hour by hour, and what keeps people at home.

Source: SCIENCE 2.8 (weekday, holiday, degree days, growth, AR(1) noise, a lockdown); numbers are inferred. Demand is
(day, hour) relative to the mean power of the region's size; the rest is (day,).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.regions.draws import HOURS, YEAR_DAYS, Days, Floats, memory_noise
from carbonray.synthetic.regions.places import Place

_THURSDAY = 3  # 1970-01-01, Monday is 0


@dataclass(frozen=True)
class DemandRules:
    """How demand moves; numbers are inferred.

    Attributes:
        diurnal, second: amplitudes of the day's and the half day's wave.
        evening_h: hour of the day's highest demand.
        weekend, feast: how much less is asked for on weekends and holidays.
        feast_d: length of a region's holidays, days.
        heat_below_c, cool_above_c: where heating and cooling begin.
        heat, cool: demand that 10 degrees add, where all heating is electric and in a region of middling wealth.
        activity, activity_d: of the ln activity that grid and industry share, and its memory.
        noise, noise_h: of what is left to chance, and its memory.
        lockdown: how much less a full lockdown asks for.
        lockdown_begin, lockdown_d: first day, since 1970, in the first region, and days until half of it is over; the
            default is 2020-03-15.
    """

    diurnal: float = 0.12
    second: float = 0.05
    evening_h: float = 18.0
    weekend: float = 0.07
    feast: float = 0.1
    feast_d: float = 8.0
    heat_below_c: float = 16.0
    cool_above_c: float = 22.0
    heat: float = 0.3
    cool: float = 0.25
    activity: float = 0.025
    activity_d: float = 30.0
    noise: float = 0.015
    noise_h: float = 36.0
    lockdown: float = 0.1
    lockdown_begin: int = 18336
    lockdown_d: float = 50.0


@dataclass(frozen=True)
class Demand:
    """Demand of a span of days, with what sectors share of its causes.

    Attributes:
        power: (day, hour) over the mean power of the region's size.
        activity: (day,) factor of economic activity, growth in it.
        idle: (day,) 0 on working days, 1 on weekends and holidays.
        locked: (day,) depth of the lockdown, 0 to 1.
        heating_c: (day,) mean degrees below where heating begins.
    """

    power: Floats
    activity: Floats
    idle: Floats
    locked: Floats
    heating_c: Floats


def drawn_demand(
    rules: DemandRules, place: Place, days: Days, temperature_c: Floats, rng: np.random.Generator
) -> Demand:
    """Demand of a region on days that follow each other, under (day, hour) temperatures."""
    shared, own = rng.spawn(2)
    weekend, feast, locked = is_weekend(days), is_feast(rules, place, days), lockdown(rules, place, days)
    years = (days - rules.lockdown_begin) / YEAR_DAYS
    activity = np.exp(rules.activity * memory_noise(days.size, rules.activity_d, shared) + place.growth * years)
    heating = np.maximum(rules.heat_below_c - temperature_c, 0.0)
    cooling = np.maximum(temperature_c - rules.cool_above_c, 0.0)
    comfort = rules.heat * place.electric_heat * heating + rules.cool * np.exp(0.3 * place.wealth) * cooling
    turn = 2 * np.pi * (np.arange(HOURS) + 0.5 - rules.evening_h) / HOURS
    wave = 1.0 + rules.diurnal * np.cos(turn) + rules.second * np.cos(2 * turn)
    daily = activity * (1 - rules.weekend * weekend - rules.feast * feast) * (1 - rules.lockdown * locked)
    noise = rules.noise * memory_noise(days.size * HOURS, rules.noise_h, own).reshape(temperature_c.shape)
    power = (wave + comfort / 10.0) * daily[:, None] * np.exp(noise)
    return Demand(power, activity, np.maximum(weekend, feast).astype(np.float64), locked, heating.mean(axis=1))


def is_weekend(days: Days) -> NDArray[np.bool_]:
    """(day,) whether it is Saturday or Sunday."""
    return np.asarray((days + _THURSDAY) % 7 >= 5)


def is_feast(rules: DemandRules, place: Place, days: Days) -> NDArray[np.bool_]:
    """(day,) whether it is among the region's holidays, or the first of the year."""
    of_year = days % YEAR_DAYS
    return np.asarray(((of_year >= place.feast_day) & (of_year < place.feast_day + rules.feast_d)) | (of_year < 1.0))


def lockdown(rules: DemandRules, place: Place, days: Days) -> Floats:
    """(day,) depth of the lockdown: a sudden begin, and a slow end."""
    after = days - rules.lockdown_begin - place.delay_d
    return np.asarray(np.where(after >= 0, place.depth * np.exp2(-np.maximum(after, 0) / rules.lockdown_d), 0.0))

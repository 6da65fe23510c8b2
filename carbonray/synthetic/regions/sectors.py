"""What the sectors of a synthetic region emit beside its power plants.

Source: SCIENCE 2.8 (industry, transport with its week, homes by degree days, aviation with season and shocks; partly
correlated with electricity through wealth and temperature, partly on their own); numbers are inferred. Emissions are
(day, 5) t CO2 a GWh of the region's size, SECTORS without power.
"""

from dataclasses import dataclass

import numpy as np

from carbonray.synthetic.regions.demand import Demand
from carbonray.synthetic.regions.draws import YEAR_DAYS, Days, Floats, memory_noise, yearly_wave
from carbonray.synthetic.regions.places import Place

_MIDSUMMER = 200.0  # day of the year, north of the equator


@dataclass(frozen=True)
class SectorRules:
    """How sectors move; numbers are inferred. Tuples are in the order of SECTORS without power.

    Attributes:
        heat_t_gwh: t CO2 that a degree of heating adds in homes, where none of it is electric.
        with_activity: powers of the economic activity that the grid shares.
        idle: how much less weekends and holidays emit.
        locked: how much less a full lockdown emits.
        summer: amplitude of the year's wave, highest in the region's summer.
        own, own_d: of the ln emission that nothing else tells of, and its memory in days; at 0 nothing is irreducible.
    """

    heat_t_gwh: float = 22.0
    with_activity: tuple[float, ...] = (1.5, 1.0, 0.3, 0.6, 0.6)
    idle: tuple[float, ...] = (0.14, 0.15, -0.03, -0.03, -0.02)
    locked: tuple[float, ...] = (0.2, 0.45, -0.04, 0.75, 0.9)
    summer: tuple[float, ...] = (0.0, 0.05, 0.0, 0.15, 0.2)
    own: tuple[float, ...] = (0.06, 0.05, 0.06, 0.06, 0.06)
    own_d: tuple[float, ...] = (12.0, 20.0, 5.0, 10.0, 10.0)


def drawn_sectors(rules: SectorRules, place: Place, days: Days, demand: Demand, rng: np.random.Generator) -> Floats:
    """(day, 5) t CO2 a GWh of size, on days that follow each other."""
    level = np.repeat(place.sector_t_gwh[None], days.size, axis=0)
    level[:, 2] += rules.heat_t_gwh * (1.0 - place.electric_heat) * demand.heating_c
    summer = yearly_wave(days, _MIDSUMMER if place.lat >= 0 else _MIDSUMMER + YEAR_DAYS / 2)[:, None]
    idle, locked = demand.idle[:, None], demand.locked[:, None]
    noise = [memory_noise(days.size, memory, each) for memory, each in zip(rules.own_d, rng.spawn(5), strict=True)]
    level *= (1 - np.array(rules.idle) * idle) * (1 - np.array(rules.locked) * locked)
    level *= (1 + np.array(rules.summer) * summer) * demand.activity[:, None] ** np.array(rules.with_activity)
    return np.asarray(level * np.exp(np.array(rules.own) * np.stack(noise, axis=1)), np.float64)

"""What makes one synthetic region unlike another: size, wealth, climate, resources, and the vintage of its plants.

Source: SCIENCE 2.8 (latent GDP, climate, resource endowment), 4.8 (calibration of a country's emission factors);
numbers are inferred. Size multiplies all a region generates and emits and says nothing of its mix, so that a mix alone
cannot tell how large a region is. Shares are (8,) in the order of SOURCES.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from carbonray.synthetic.regions.draws import Days, Floats, generator
from carbonray.vocab.energy import SECTORS, SOURCES

COAL, GAS, OIL, NUCLEAR, HYDRO, SOLAR, WIND, OTHER = range(len(SOURCES))
COAL_RANKS = ("bituminous", "subbituminous", "lignite")
Kind = Literal["usual", "hydro", "switch"]


@dataclass(frozen=True)
class PlaceRules:
    """How regions differ; numbers are inferred. Tuples are in the order of SOURCES, or of SECTORS without power.

    Attributes:
        size_gwh, size_spread: median of a day's demand, GWh, and the standard deviation of its logarithm.
        level, spread: of the ln weight of each source among a region's resources.
        by_wealth: what a standard deviation of wealth adds to the ln weight.
        present: share of regions that have a source at all.
        latitudes: nearest to and farthest from the equator, degrees.
        southern: share of regions south of the equator.
        sector_t_gwh, sector_spread, sector_by_wealth: t CO2 of a sector a GWh of the region's size, the deviation of
            its logarithm, and what a standard deviation of wealth adds; homes without their heating. The level is
            about that of 11 countries in Carbon Monitor over their electricity.
        vintage: of the ln emission factor of a region's coal, gas and oil plants (SCIENCE 4.8).
        carbon_price: highest price of a t of CO2 in the merit order.
        lockdown: least and most depth of a region's lockdown.
        hydro_share: of the resources of the hydro region, which makes about 0.9 of its electricity.
        switched: share of its coal plants that the switching region gives up for gas, around the middle of the span.
        switch_memory_d: days in which most of that happens.
    """

    size_gwh: float = 800.0
    size_spread: float = 1.1
    level: tuple[float, ...] = (-1.4, -1.5, -3.3, -2.1, -2.3, -2.9, -2.6, -3.0)
    spread: tuple[float, ...] = (1.1, 0.9, 1.2, 0.7, 1.1, 0.6, 0.8, 0.5)
    by_wealth: tuple[float, ...] = (-0.4, 0.1, -0.3, 0.3, 0.0, 0.3, 0.3, 0.2)
    present: tuple[float, ...] = (0.85, 0.97, 0.95, 0.55, 0.97, 1.0, 1.0, 1.0)
    latitudes: tuple[float, float] = (5.0, 60.0)
    southern: float = 0.25
    sector_t_gwh: tuple[float, ...] = (240.0, 250.0, 45.0, 13.0, 12.0)
    sector_spread: tuple[float, ...] = (0.3, 0.2, 0.25, 0.5, 0.5)
    sector_by_wealth: tuple[float, ...] = (-0.3, 0.2, 0.1, 0.3, 0.4)
    vintage: float = 0.08
    carbon_price: float = 60.0
    lockdown: tuple[float, float] = (0.3, 1.0)
    hydro_share: float = 0.96
    switched: float = 0.8
    switch_memory_d: float = 45.0


@dataclass(frozen=True)
class Place:
    """One region's own numbers.

    Attributes:
        size_gwh: demand of a mild working day, GWh.
        wealth: standard deviations above the regions' mean.
        lat: degrees north.
        mean_c, season_c: temperature of the year, and amplitude of its wave.
        shares: (8,) of demand that its resources can give in a mean year; they sum to 1.
        switch: middle day and share of the change from coal to gas; a share of 0 is none.
        coal_rank: fuel of its coal plants.
        vintage: (3,) factors on the emission factors of coal, gas and oil.
        prices: (3,) factors on what coal, gas and oil cost.
        carbon_price: of a t of CO2.
        sector_t_gwh: (5,) t CO2 a GWh of size, SECTORS without power.
        electric_heat: share of heating that is electric.
        growth: a year.
        depth, delay_d: of its lockdown, and days after the first region's.
        feast_day: day of the year on which its holidays begin.
    """

    size_gwh: float
    wealth: float
    lat: float
    mean_c: float
    season_c: float
    shares: Floats
    switch: tuple[int, float]
    coal_rank: str
    vintage: Floats
    prices: Floats
    carbon_price: float
    sector_t_gwh: Floats
    electric_heat: float
    growth: float
    depth: float
    delay_d: float
    feast_day: float


def drawn_place(rules: PlaceRules, seed: int, region: int, kind: Kind, middle_day: int) -> Place:
    """A region's own numbers.

    Args:
        rules: how regions differ.
        seed, region: its key.
        kind: whether it is of the usual population or of the shift tier.
        middle_day: when a switching region switches.
    """
    rng = generator(seed, region, "place")
    size = rules.size_gwh * np.exp(rules.size_spread * rng.standard_normal())
    wealth = float(rng.standard_normal())
    resources = rng.standard_normal(len(SOURCES))
    there = rng.random(len(SOURCES)) < np.array(rules.present)
    far = float(rng.uniform(*rules.latitudes))
    sectors = np.array(rules.sector_spread) * rng.standard_normal(len(SECTORS) - 1)
    climate = rng.standard_normal(2)
    return Place(
        size_gwh=float(size),
        wealth=wealth,
        lat=far * (-1.0 if rng.random() < rules.southern else 1.0),
        mean_c=27.0 - 0.0062 * far**2 + 1.5 * climate[0],
        season_c=max(0.22 * far + 1.5 * climate[1], 1.0),
        shares=_shares(rules, wealth, resources, there, kind),
        switch=(middle_day, rules.switched if kind == "switch" else 0.0),
        coal_rank=COAL_RANKS[rng.integers(len(COAL_RANKS))],
        vintage=np.exp(rules.vintage * rng.standard_normal(3)),
        prices=np.exp(-0.35 * resources[:3]),  # a fuel is cheap where it is dug
        carbon_price=rules.carbon_price * float(rng.random() * ndtr(wealth)),
        sector_t_gwh=np.array(rules.sector_t_gwh) * np.exp(np.array(rules.sector_by_wealth) * wealth + sectors),
        electric_heat=float(rng.beta(2.0, 4.0)),
        growth=float(0.012 - 0.008 * wealth + 0.012 * rng.standard_normal()),
        depth=float(rng.uniform(*rules.lockdown)),
        delay_d=float(rng.exponential(6.0)),
        feast_day=float(rng.uniform(20.0, 340.0)),
    )


def shares_on(rules: PlaceRules, place: Place, days: Days) -> Floats:
    """(day, 8) shares of demand that a region's resources can give, the switch from coal to gas in them."""
    middle, part = place.switch
    moved = part * place.shares[COAL] * ndtr((days - middle) / rules.switch_memory_d)
    shares = np.repeat(place.shares[None], days.size, axis=0)
    shares[:, COAL] -= moved
    shares[:, GAS] += moved
    return shares


def _shares(rules: PlaceRules, wealth: float, resources: Floats, there: NDArray[np.bool_], kind: Kind) -> Floats:
    ln_weight = np.array(rules.level) + np.array(rules.by_wealth) * wealth + np.array(rules.spread) * resources
    weight = np.where(there, np.exp(ln_weight), 0.0)
    weight[GAS] += 1e-3  # nowhere without any fuel
    if kind == "switch":
        weight[COAL] = 1.5 * (weight.sum() - weight[COAL])
    if kind == "hydro":
        weight[HYDRO] = 0.0
        weight[HYDRO] = weight.sum() * rules.hydro_share / (1.0 - rules.hydro_share)
    return np.asarray(weight / weight.sum(), np.float64)

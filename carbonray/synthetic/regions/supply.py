"""Which plants of a synthetic region run, hour by hour, by merit order, and what their fuel emits.

Source: SCIENCE 2.8 (must-run nuclear, hydro, wind and sun by the weather, then coal, gas and oil by price; start-up and
part-load penalty), 4.8 (emission factors, through `science.power.emissions`); other numbers are inferred. Everything is
relative to the region's size: power over its mean, energy of a day over its size, t CO2 a GWh of size. Arrays are (day,
hour, plant) in the order of the merit; all hours of all days at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.science.power.emissions import EFFICIENCIES, GJ_PER_MWH, intensity_t_per_mwh
from carbonray.synthetic.regions.demand import Demand
from carbonray.synthetic.regions.draws import HOURS, Floats, memory_noise
from carbonray.synthetic.regions.places import COAL, GAS, HYDRO, NUCLEAR, OIL, OTHER, SOLAR, WIND, Place
from carbonray.synthetic.regions.weather import RegionWeather
from carbonray.vocab.energy import SOURCES
from carbonray.vocab.plants import FUELS

CLEAN = (NUCLEAR, OTHER, HYDRO, SOLAR, WIND)  # the last is the first to be curtailed
# fuel ('' is the region's coal), prime mover, efficiency over that of the table, share of the fuel's capacity
BURNERS = (
    ("", "ST", 1.1, 0.5),
    ("", "ST", 0.9, 0.5),
    ("gas", "CC", 1.0, 0.65),
    ("gas", "ST", 1.0, 0.35),
    ("residual_oil", "ST", 1.0, 1.0),
    ("diesel", "GT", 1.0, np.inf),  # fills whatever is left
)
_BURNER_SOURCE = np.array([COAL, COAL, GAS, GAS, OIL, OIL])
_MW_PER_GW = 1e3


@dataclass(frozen=True)
class SupplyRules:
    """How plants are built, priced and run; numbers are inferred.

    Attributes:
        margin: capacity of all plants that can be relied on, over mean demand.
        least: capacity of burners, at least.
        prices: of a GJ of coal, gas and oil.
        price_sd, price_d: of the ln price, and its memory.
        nuclear_sd, nuclear_d: of nuclear output, and its memory.
        peaking: how closely reservoirs follow the day's demand.
        part_load: how much more a plant emits a MWh as its load goes to 0.
        start_t_mw: t CO2 of starting a MW of coal, gas and oil.
    """

    margin: float = 1.6
    least: float = 0.25
    prices: tuple[float, float, float] = (2.6, 5.2, 7.5)
    price_sd: float = 0.2
    price_d: float = 60.0
    nuclear_sd: float = 0.06
    nuclear_d: float = 15.0
    peaking: float = 1.5
    part_load: float = 0.12
    start_t_mw: tuple[float, float, float] = (1.2, 0.3, 0.5)


@dataclass(frozen=True)
class Supply:
    """What was generated on each day.

    Attributes:
        energy: (day, 8) GWh by source, over the region's size.
        power_t: (day,) t CO2 a GWh of size.
    """

    energy: Floats
    power_t: Floats


def drawn_supply(
    rules: SupplyRules, place: Place, shares: Floats, demand: Demand, weather: RegionWeather, rng: np.random.Generator
) -> Supply:
    """Generation of a region on days that follow each other.

    Args:
        rules: how plants are built, priced and run.
        place: the region.
        shares: (day, 8) of demand that its resources can give.
        demand, weather: of the same days.
        rng: the region's generator for supply.
    """
    market, outages = rng.spawn(2)
    factor = burner_factors(place)
    order = _order(rules, place, factor, shares.shape[0], market)
    clean = _clean_capacity(rules, shares, demand, weather, outages)
    burners = _burner_capacity(rules, shares)
    ranked = np.take_along_axis(burners, order, axis=1)[:, None].repeat(HOURS, axis=1)
    run = dispatched(demand.power, np.concatenate([clean, ranked], axis=-1))
    back = np.argsort(order, axis=1)[:, None]  # from merit to the order of BURNERS
    burnt = np.take_along_axis(run[..., len(CLEAN) :], back, axis=-1)
    energy = np.zeros((shares.shape[0], len(SOURCES)))
    energy[:, CLEAN] = run[..., : len(CLEAN)].mean(axis=1)
    for source in (COAL, GAS, OIL):
        energy[:, source] = burnt[..., source == _BURNER_SOURCE].mean(axis=1).sum(axis=1)
    return Supply(energy, _emitted_t(rules, burnt, factor))


def dispatched(demand: Floats, capacity: Floats) -> Floats:
    """(day, hour, plant) power of plants in the order of their merit: each gives what those before it leave over.

    Args:
        demand: (day, hour).
        capacity: (day, hour, plant), the last one without limit where demand must be met.
    """
    before = np.cumsum(capacity[..., :-1], axis=-1)
    left = demand[..., None] - np.concatenate([np.zeros((*demand.shape, 1)), before], axis=-1)
    return np.asarray(np.clip(left, 0.0, capacity), np.float64)


def burner_factors(place: Place) -> Floats:
    """(burner,) t CO2 a MWh at full load, of the region's vintage."""
    kg = np.array([FUELS[fuel or place.coal_rank].kg_co2_per_gj for fuel, *_ in BURNERS])
    return np.asarray(intensity_t_per_mwh(kg, _efficiency(place)) * place.vintage[_BURNER_SOURCE])


def _efficiency(place: Place) -> Floats:
    return np.array([EFFICIENCIES[fuel or place.coal_rank, mover] * over for fuel, mover, over, _ in BURNERS])


def _order(rules: SupplyRules, place: Place, factor: Floats, days: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(day, burner) places in BURNERS, cheapest first; diesel is always the last."""
    noise = np.stack([memory_noise(days, rules.price_d, each) for each in rng.spawn(3)], axis=1)
    fuel = np.array(rules.prices) * place.prices * np.exp(rules.price_sd * noise)
    cost = fuel[:, _BURNER_SOURCE] * GJ_PER_MWH / _efficiency(place) + place.carbon_price * factor
    cost[:, -1] = np.inf
    return np.argsort(cost, axis=1, kind="stable")


def _clean_capacity(
    rules: SupplyRules, shares: Floats, demand: Demand, weather: RegionWeather, rng: np.random.Generator
) -> Floats:
    """(day, hour, 5) what plants without fuel to spare can give, in the order of CLEAN."""
    follow = demand.power**rules.peaking
    hourly = {
        NUCLEAR: (1.0 + rules.nuclear_sd * memory_noise(shares.shape[0], rules.nuclear_d, rng))[:, None],
        OTHER: np.ones((1, 1)),
        HYDRO: weather.water[:, None] * follow / follow.mean(axis=1, keepdims=True),
        SOLAR: weather.sun,
        WIND: weather.wind,
    }
    each = [np.broadcast_to(shares[:, source, None] * hourly[source], demand.power.shape) for source in CLEAN]
    return np.stack(each, axis=-1)


def _burner_capacity(rules: SupplyRules, shares: Floats) -> Floats:
    """(day, burner): what reliable clean plants leave to be covered, split as the resources are."""
    firm = shares[:, (NUCLEAR, OTHER, HYDRO)].sum(axis=1)
    total = np.maximum(rules.margin - firm, rules.least)
    fuels = shares[:, : OIL + 1] / shares[:, : OIL + 1].sum(axis=1, keepdims=True)
    split = np.array([share for *_, share in BURNERS[:-1]])
    limited = total[:, None] * fuels[:, _BURNER_SOURCE[:-1]] * split
    return np.concatenate([limited, np.full((shares.shape[0], 1), np.inf)], axis=1)


def _emitted_t(rules: SupplyRules, burnt: Floats, factor: Floats) -> Floats:
    """(day,) t CO2 a GWh of size: full load, what part load costs, and starts."""
    ready = burnt.max(axis=1)  # a plant that is needed in any hour stands ready all day
    idle = 1.0 - burnt.mean(axis=1) / np.maximum(ready, 1e-12)
    fuel = burnt.mean(axis=1) * factor * _MW_PER_GW * (1.0 + rules.part_load * idle)
    started = np.maximum(np.diff(ready, axis=0, prepend=ready[:1]), 0.0)
    starts = started * np.array(rules.start_t_mw)[_BURNER_SOURCE] * _MW_PER_GW / HOURS
    return np.asarray((fuel + starts).sum(axis=1), np.float64)

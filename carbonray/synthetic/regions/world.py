"""The synthetic regions of a run, and the days of each: a usual population, a union of five, and a shift tier of two.

Source: SCIENCE 2.8. A region's days are a pure function of the rules, its key and a turn: turn 0 is what happened, any
other turn is another fate of the same region (other weather, prices and chance), from which ceilings are made. Energy
is (day, 8) GWh a day in the order of SOURCES, emissions (day, 6) t CO2 a day in the order of SECTORS.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from carbonray.synthetic.regions.demand import DemandRules, drawn_demand
from carbonray.synthetic.regions.draws import Days, Floats, generator
from carbonray.synthetic.regions.places import Kind, Place, PlaceRules, drawn_place, shares_on
from carbonray.synthetic.regions.sectors import SectorRules, drawn_sectors
from carbonray.synthetic.regions.supply import SupplyRules, drawn_supply
from carbonray.synthetic.regions.weather import RegionWeatherRules, drawn_weather

UNION = "Synland Union"
UNION_SIZE = 5
REST = "ROW"
MAX_REGIONS = 999  # a name has three digits
_HYDRO, _SWITCH, _REST, _STRANGER = 1001, 1002, 2001, 10_000_000  # keys, or what is added to one
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class RegionRules:
    """All of the synthetic regions; numbers are inferred.

    Attributes:
        seed: of everything.
        count: regions of the usual population, 6 to 999; the union is a further one.
        shift: whether there is a shift tier: a region of 90 % hydro, and one that turns from coal to gas.
        first_day: ISO date of the first day; two years from 2019 hold the lockdown.
        days: number of days.
        mix_tells: whether a region emits what its own mix makes it emit; False is the negative control: it emits what
            a stranger of its size emits, on days dealt anew.
        place, weather, demand, supply, sectors: the parts' own rules.
    """

    seed: int = 2019
    count: int = 24
    shift: bool = True
    first_day: str = "2019-01-01"
    days: int = 731
    mix_tells: bool = True
    place: PlaceRules = field(default_factory=PlaceRules)
    weather: RegionWeatherRules = field(default_factory=RegionWeatherRules)
    demand: DemandRules = field(default_factory=DemandRules)
    supply: SupplyRules = field(default_factory=SupplyRules)
    sectors: SectorRules = field(default_factory=SectorRules)

    @property
    def span(self) -> Days:
        """(day,) days since 1970-01-01."""
        first = (dt.date.fromisoformat(self.first_day) - _EPOCH).days
        return first + np.arange(self.days, dtype=np.int64)


@dataclass(frozen=True)
class Region:
    """One region.

    Attributes:
        name: as files write it.
        key: its number in every seed.
        kind: of the usual population, or which of the shift tier.
    """

    name: str
    key: int
    kind: Kind = "usual"

    @property
    def tier(self) -> str:
        """Data tier."""
        return "SYNTHETIC-T1" if self.kind == "usual" else "SYNTHETIC-T2"


@dataclass(frozen=True)
class RegionSeries:
    """The days of one region, as they were.

    Attributes:
        name: of the region.
        days: (day,) since 1970-01-01.
        energy: (day, 8) GWh.
        emissions: (day, 6) t CO2.
        size_gwh: of the region; NaN for a union.
    """

    name: str
    days: Days
    energy: Floats
    emissions: Floats
    size_gwh: float


def regions_of(rules: RegionRules) -> tuple[Region, ...]:
    """The regions that stand for themselves, the usual ones first."""
    usual = tuple(Region(f"Synland {number:03d}", number) for number in range(1, rules.count + 1))
    shift = (Region("Synland Hydro", _HYDRO, "hydro"), Region("Synland Switch", _SWITCH, "switch"))
    return usual + (shift if rules.shift else ())


def rest_of_world() -> Region:
    """The region without a mix whose emissions, with all others', make up the world's."""
    return Region(REST, _REST)


def composites_of(rules: RegionRules) -> Mapping[str, tuple[str, ...]]:
    """Regions that are sums of others, and of which."""
    return {UNION: tuple(region.name for region in regions_of(rules)[:UNION_SIZE])}


def place_of(rules: RegionRules, region: Region) -> Place:
    """A region's own numbers."""
    middle = int(rules.span[rules.days // 2])
    return drawn_place(rules.place, rules.seed, region.key, region.kind, middle)


def drawn_series(rules: RegionRules, region: Region, days: Days, turn: int = 0) -> RegionSeries:
    """The days of a region.

    Args:
        rules: of all regions.
        region: which.
        days: (day,) that follow each other.
        turn: 0 for what happened, others for other fates of the same region.
    """
    place = place_of(rules, region)
    energy, emissions = _relative(rules, region, place, days, turn)
    if not rules.mix_tells:
        stranger = Region(region.name, region.key + _STRANGER, region.kind)
        dealt = generator(rules.seed, region.key, "deal", turn).permutation(days.size)
        emissions = _relative(rules, stranger, place_of(rules, stranger), days, turn)[1][dealt]
    return RegionSeries(region.name, days, place.size_gwh * energy, place.size_gwh * emissions, place.size_gwh)


def union_series(parts: tuple[RegionSeries, ...], name: str = UNION) -> RegionSeries:
    """The sum of regions on the same days."""
    energy = np.sum([part.energy for part in parts], axis=0)
    emissions = np.sum([part.emissions for part in parts], axis=0)
    return RegionSeries(name, parts[0].days, energy, emissions, float("nan"))


def _relative(rules: RegionRules, region: Region, place: Place, days: Days, turn: int) -> tuple[Floats, Floats]:
    """(day, 8) energy and (day, 6) t CO2, a GWh of size."""
    rng = {part: generator(rules.seed, region.key, part, turn) for part in ("weather", "demand", "supply", "sectors")}
    weather = drawn_weather(rules.weather, place, days, rng["weather"])
    demand = drawn_demand(rules.demand, place, days, weather.temperature_c, rng["demand"])
    shares = shares_on(rules.place, place, days)
    supply = drawn_supply(rules.supply, place, shares, demand, weather, rng["supply"])
    others = drawn_sectors(rules.sectors, place, days, demand, rng["sectors"])
    return supply.energy, np.concatenate([supply.power_t[:, None], others], axis=1)

"""The synthetic fleet: power stations with years of hourly weather and generation, each a pure function of its number.

Source: SCIENCE 4.13 and chapter 5; numbers are inferred. What is random comes from `SeedSequence((seed, stream,
plant))`, so a plant is the same in a fleet of any size, drawn in any order, by anyone; nothing here holds more than one
plant. Times are UTC, hours [t, t + 1 h).
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError, SettingsError
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.synthetic.dispatch import DispatchRules, FleetGeneration, drawn_generation
from carbonray.synthetic.fleet_plants import FleetPlant, PlantRules, drawn_plant
from carbonray.synthetic.fleet_regions import REGIONS, FleetRegion
from carbonray.synthetic.fleet_reports import ReportRules, generation_report
from carbonray.synthetic.fleet_weather import FleetWeather, FleetWeatherRules, drawn_weather, weather_at
from carbonray.synthetic.overpasses import Acquisitions, OverpassRules, drawn_acquisitions
from carbonray.vocab.sensors import Imager

Floats = NDArray[np.float64]
_STREAMS = {"plant": 11, "weather": 12, "dispatch": 13, "overpass": 14, "country": 15, "report": 16}


@dataclass(frozen=True)
class FleetRules:
    """The fleet; numbers are inferred where SCIENCE 4.13 gives none.

    Attributes:
        plants: number of plants.
        seed: of everything.
        first_year, last_year: years that are estimated; hours reach from 1 January of the year before to 29 January
            of the year after, for look-backs of 365 days and windows of 30 days that overlap the last year.
        regions: keys of `fleet_regions.REGIONS`, dealt to plants in turn.
        tier: T0, without confusers and wrong labels, or T1; plants of the shift regions are T2 always.
        plant, weather, dispatch, overpass, report: the five rooms' own rules.
    """

    plants: int = 12
    seed: int = 2024
    first_year: int = 2015
    last_year: int = 2022
    regions: tuple[str, ...] = tuple(REGIONS)
    tier: str = "T1"
    plant: PlantRules = field(default_factory=PlantRules)
    weather: FleetWeatherRules = field(default_factory=FleetWeatherRules)
    dispatch: DispatchRules = field(default_factory=DispatchRules)
    overpass: OverpassRules = field(default_factory=OverpassRules)
    report: ReportRules = field(default_factory=ReportRules)


@dataclass(frozen=True)
class PlantState:
    """The latent truth at the moments of images.

    Attributes:
        time_utc_ns: (image,) moments.
        structure_factor: (image, structure) power over capacity of the units behind each structure; 0 where none is
            installed. It says nothing of vapor that a wrong label hides: see `FleetStructure.emits_vapor`.
        structure_mw: (image, structure) power of those units.
        capacity_factor: (image,) of the plant, NaN where nothing is installed.
        weather: (image,) temperature, humidity, wind and cloud.
    """

    time_utc_ns: NDArray[np.int64]
    structure_factor: Floats
    structure_mw: Floats
    capacity_factor: Floats
    weather: FleetWeather


def plants_of(rules: FleetRules) -> Iterator[FleetPlant]:
    """Every plant, one at a time."""
    return (plant_of(rules, index) for index in range(rules.plants))


def plant_of(rules: FleetRules, index: int) -> FleetPlant:
    """The plant of an index, whatever the size of the fleet.

    Raises:
        SettingsError: a region or the tier is unknown.
    """
    region = _region(rules, index)
    tier = "SYNTHETIC-T2" if region.shift else f"SYNTHETIC-{rules.tier}"
    honest = dataclasses.replace(rules.plant, dry_cooled_share=0.0, fgd_off_share=0.0)
    return drawn_plant(
        honest if tier == "SYNTHETIC-T0" else rules.plant,
        region,
        index,
        kind=region.kinds[index // len(rules.regions) % len(region.kinds)],
        years=(rules.first_year, rules.last_year),
        tier=tier,
        calibration={country: country_calibration(rules, country) for country, _ in region.boxes},
        rng=_rng(rules, "plant", index),
    )


def hours_of(rules: FleetRules) -> NDArray[np.int64]:
    """(hour,) starts, ns UTC, from 1 January of the year before the first to 29 January of the year after the last."""
    start, end = (datetime(*day, tzinfo=UTC) for day in ((rules.first_year - 1, 1, 1), (rules.last_year + 1, 1, 30)))
    return np.arange(int(start.timestamp()) // 3600, int(end.timestamp()) // 3600, dtype=np.int64) * HOUR_NS


def weather_of(rules: FleetRules, plant: FleetPlant) -> FleetWeather:
    """Hourly weather at a plant over the fleet's hours."""
    rng = _rng(rules, "weather", plant.index)
    return drawn_weather(rules.weather, REGIONS[plant.region], plant.lon, hours_of(rules), rng)


def generation_of(rules: FleetRules, plant: FleetPlant, weather: FleetWeather) -> FleetGeneration:
    """Hourly power of a plant's units over the fleet's hours; `weather` is that of `weather_of`."""
    rng = _rng(rules, "dispatch", plant.index)
    return drawn_generation(rules.dispatch, REGIONS[plant.region], plant, weather, rng)


def acquisitions_of(rules: FleetRules, plant: FleetPlant, imager: Imager) -> Acquisitions:
    """Images of a plant by one imager from the fleet's first hour to its last, whether the sky is clear or not."""
    # an imager's stream follows from its name, so that a new one changes nobody else's images
    rng = _rng(rules, "overpass", plant.index, *imager.name.encode())
    name = f"{plant.plant_id}_{imager.name}"
    found = drawn_acquisitions(rules.overpass, imager, plant.lon, name, date(rules.last_year + 1, 1, 30), rng)
    hours = hours_of(rules)
    inside = (found.time_utc_ns >= hours[0]) & (found.time_utc_ns <= hours[-1])
    ids = tuple(one for one, kept in zip(found.image_id, inside, strict=True) if kept)
    return Acquisitions(found.time_utc_ns[inside], ids)


def report_of(rules: FleetRules, plant: FleetPlant, generation: FleetGeneration, year: int) -> tuple[str, bytes]:
    """File name and bytes of a year of a plant's generation, as its region publishes it; flaws are the same each time.

    A year is that of the agency's clock; at the span's ends it holds what there is.
    """
    return generation_report(rules.report, plant, generation, year, _rng(rules, "report", plant.index))


def state_of(
    plant: FleetPlant, weather: FleetWeather, generation: FleetGeneration, at: NDArray[np.int64]
) -> PlantState:
    """The latent truth at the times `at`, ns UTC.

    Raises:
        ContractError: a time lies outside the fleet's hours.
    """
    require_within(generation.time_utc_ns, at)
    hour = (at - generation.time_utc_ns[0]) // HOUR_NS
    power, installed = generation.power_mw[:, hour], generation.capacity_mw[:, hour]
    shares = np.array([structure.shares for structure in plant.structures]).reshape(-1, len(plant.units))
    through, behind = (shares @ power).T, (shares @ installed).T
    factor = np.divide(through, behind, out=np.zeros_like(through), where=behind > 0)
    return PlantState(at, factor, through, generation.capacity_factor[hour], weather_at(weather, at))


def require_within(hours: NDArray[np.int64], at: NDArray[np.int64]) -> None:
    """Checks that moments lie between the start of the first and of the last hour.

    Raises:
        ContractError: one does not.
    """
    if at.size and (at.min() < hours[0] or at.max() > hours[-1]):
        spans = [(times.min(), times.max()) for times in (at.view("datetime64[ns]"), hours.view("datetime64[ns]"))]
        asked, covered = (f"{start} to {end}" for start, end in spans)
        raise ContractError(
            f"moments from {asked} are not covered",
            where="the synthetic fleet's hours",
            expected=covered,
            remedy="Widen fleet.first_year and fleet.last_year.",
        )


def country_calibration(rules: FleetRules, country: str) -> float:
    """Factor on all emission factors of a country, lognormal (SCIENCE 4.8)."""
    rng = _rng(rules, "country", *country.encode())
    return float(rng.lognormal(0.0, rules.plant.calibration_spread))


def _region(rules: FleetRules, index: int) -> FleetRegion:
    unknown = [name for name in rules.regions if name not in REGIONS]
    if unknown or not rules.regions or rules.tier not in ("T0", "T1"):
        raise SettingsError(
            f"regions {unknown} and tier {rules.tier!r} are not all known",
            where="fleet.regions, fleet.tier",
            expected=f"regions out of {sorted(REGIONS)}, at least one, and tier T0 or T1",
            remedy="Correct the setting; the shift tier T2 is that of the regions which are marked as shift.",
        )
    return REGIONS[rules.regions[index % len(rules.regions)]]


def _rng(rules: FleetRules, stream: str, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((rules.seed, _STREAMS[stream], *key)))

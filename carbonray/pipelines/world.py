"""The small Earth as files: granules with their truth, power plants with all that is told of them, cities, regions."""

from dataclasses import dataclass

from carbonray.contract import Reader, Reading, Unit, encode_object_rows, object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io.objectstore import sha256
from carbonray.pipelines.planning import tiers_of
from carbonray.settings import Settings
from carbonray.synthetic import world
from carbonray.synthetic.city.cities import drawn_city
from carbonray.synthetic.city.files import MakeCities, basemap_tiles
from carbonray.synthetic.city.knobs import chosen_cities
from carbonray.synthetic.fleet import FleetRules, plants_of
from carbonray.synthetic.fleet_emissions import no2_stacks
from carbonray.synthetic.fleet_files import MakeFleet, image_years
from carbonray.synthetic.regions.files import MakeRegions, region_parts
from carbonray.synthetic.regions.knobs import chosen_regions
from carbonray.synthetic.world import DATA_TIER, WorldRules

SUMMARY = (
    "a small Earth in the files of real products: TROPOMI swaths over known sources, power plants, cities, regions"
)
SECTIONS = ("world", "fleet", "render", "cities", "regions", "region_reports", "region_ceiling")
PARTS = ("swaths", "fleet", "images", "cities", "regions")


@dataclass(frozen=True)
class MakeSwaths:
    """Reader of one part of the world of swaths, whose rows are ready objects.

    Attributes:
        rules: the small Earth.
        fleet: the plants that emit, where its sources are theirs.
    """

    rules: WorldRules
    fleet: FleetRules

    def __call__(self, unit: Unit) -> Reading:
        """A granule, a day's weather, or what is known of the whole."""
        part = unit.partition
        stacks = no2_stacks(self.fleet, self.rules) if self.rules.sources_from == "fleet" else None
        if part["kind"] == "granule":
            name, data = world.granule_bytes(self.rules, int(part["day"]), int(part["orbit"]), stacks)
            objects = {f"granules/{name}": data}
        elif part["kind"] == "weather":
            name, data = world.weather_bytes(self.rules, int(part["day"]))
            objects = {f"weather/{name}": data}
        else:
            csv, grid = world.sources_csv(self.rules, stacks), world.co2_grid(self.rules, stacks)
            objects = {"truth/sources.csv": csv, "truth/co2.tif": grid}
        rows = {"read": len(objects), "kept": len(objects), "quarantined": 0}
        return Reading(object_rows(objects), rows, facts={"data_tier": DATA_TIER})


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """A unit a granule, a weather day, a plant's reports, its images of an imager and year, a piece of a city, a table.

    Raises:
        SettingsError: `world.parts` names no part there is.
    """
    parts = settings.world.parts
    if not parts or not set(parts) <= set(PARTS):
        raise SettingsError(
            f"the small Earth has no parts {sorted(set(parts) - set(PARTS))}",
            where="world.parts",
            expected=f"some of {', '.join(PARTS)}",
            remedy="Correct the setting.",
        )
    made = {
        "swaths": _swath_units,
        "fleet": _fleet_units,
        "images": _image_units,
        "cities": _city_units,
        "regions": _region_units,
    }
    return tuple(unit for part in PARTS if part in parts for unit in made[part](settings, digest))


def run(run: Run, settings: Settings) -> None:
    """Executes a pass each for the swaths, the fleet, the cities and the regions."""
    units = plan(settings, run.settings_digest)
    readers: dict[str, Reader] = {
        "world": MakeSwaths(settings.world, settings.fleet),
        "fleet": MakeFleet(settings.fleet, settings.render),
        "cities": MakeCities(chosen_cities(settings.cities), settings.cities.px),
        "regions": MakeRegions(chosen_regions(settings.regions), settings.region_reports, settings.region_ceiling),
    }
    commits = []
    for name, reader in readers.items():
        own = tuple(unit for unit in units if unit.pass_name == name)
        if own:
            commits += run.execute(Pass(name, own, reader, encode_object_rows))
    tier = ", ".join(tiers_of(commits))
    run.facts["data_tier"] = tier
    run.facts["summary"] = {"files": sum(len(commit.objects) for commit in commits), "data tier": tier}


def _swath_units(settings: Settings, digest: str) -> list[Unit]:
    rules = settings.world
    granules = [
        _unit("world", digest, f"granule-{d:03d}-{o:05d}", kind="granule", day=d, orbit=o)
        for d, o in world.granule_keys(rules)
    ]
    weather = [_unit("world", digest, f"weather-{day:03d}", kind="weather", day=day) for day in range(rules.days)]
    return [*granules, *weather, _unit("world", digest, "truth", kind="truth")]


def _fleet_units(settings: Settings, digest: str) -> list[Unit]:
    plants = plants_of(settings.fleet)
    reports = [_unit("fleet", digest, plant.plant_id, kind="reports", plant=plant.index) for plant in plants]
    return [_unit("fleet", digest, "inventory", kind="inventory"), *reports]


def _image_units(settings: Settings, digest: str) -> list[Unit]:
    return [
        _unit(
            "fleet",
            digest,
            f"{plant.plant_id}-{imager}-{year}",
            kind="images",
            plant=plant.index,
            imager=imager,
            year=year,
        )
        for plant, imager, year in image_years(settings.fleet)
    ]


def _city_units(settings: Settings, digest: str) -> list[Unit]:
    units = []
    for number, rules in enumerate(chosen_cities(settings.cities)):
        units.append(_unit("cities", digest, f"{rules.name}-tables", kind="tables", city=number))
        for row, col in basemap_tiles(drawn_city(rules)):
            key = f"{rules.name}-basemap-{row:04d}-{col:04d}"
            units.append(_unit("cities", digest, key, kind="basemap", city=number, row=row, col=col))
    return units


def _region_units(settings: Settings, digest: str) -> list[Unit]:
    parts = region_parts(chosen_regions(settings.regions))
    return [_unit("regions", digest, "-".join(part.values()).replace(" ", "-"), **part) for part in parts]


def _unit(pass_name: str, digest: str, key: str, **partition: int | str) -> Unit:
    return Unit(pass_name, sha256(f"{digest} {key}".encode())[:32], key, partition, (), ())

"""The small Earth as files: simulated granules, the wind that blew, the true sources, and a CO2 grid of them."""

from dataclasses import dataclass

from carbonray.contract import Reading, Unit, encode_object_rows, object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.io.objectstore import sha256
from carbonray.settings import Settings
from carbonray.synthetic import world
from carbonray.synthetic.world import DATA_TIER, WorldRules

SUMMARY = "a small Earth of simulated TROPOMI swaths with known sources, in the files of the real product"
SECTIONS = ("world",)


@dataclass(frozen=True)
class MakeWorld:
    """Reader of one part of the small Earth, whose rows are ready objects.

    Attributes:
        rules: the small Earth.
    """

    rules: WorldRules

    def __call__(self, unit: Unit) -> Reading:
        """A granule, a day's weather, or what is known of the whole."""
        part = unit.partition
        if part["kind"] == "granule":
            name, data = world.granule_bytes(self.rules, int(part["day"]), int(part["orbit"]))
            objects = {f"granules/{name}": data}
        elif part["kind"] == "weather":
            name, data = world.weather_bytes(self.rules, int(part["day"]))
            objects = {f"weather/{name}": data}
        else:
            objects = {"truth/sources.csv": world.sources_csv(self.rules), "truth/co2.tif": world.co2_grid(self.rules)}
        rows = {"read": len(objects), "kept": len(objects), "quarantined": 0}
        return Reading(object_rows(objects), rows, facts={"data_tier": DATA_TIER})


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """One unit a granule, one a day of weather, one for the truth."""
    rules = settings.world
    granules = [
        _unit(digest, f"granule-{d:03d}-{o:05d}", kind="granule", day=d, orbit=o) for d, o in world.granule_keys(rules)
    ]
    weather = [_unit(digest, f"weather-{day:03d}", kind="weather", day=day) for day in range(rules.days)]
    return (*granules, *weather, _unit(digest, "truth", kind="truth"))


def run(run: Run, settings: Settings) -> None:
    """Executes the one pass."""
    commits = run.execute(
        Pass("world", plan(settings, run.settings_digest), MakeWorld(settings.world), encode_object_rows)
    )
    run.facts["data_tier"] = DATA_TIER
    run.facts["summary"] = {"files": sum(len(commit.objects) for commit in commits), "data tier": DATA_TIER}


def publish(run: Run, settings: Settings) -> None:
    """Nothing beside the files themselves."""


def _unit(digest: str, key: str, **partition: int | str) -> Unit:
    return Unit("world", sha256(f"{digest} {key}".encode())[:32], key, partition, (), ())

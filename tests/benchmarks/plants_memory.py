"""Memory of ingesting ten times the plants, their images rendered on the way: it must not follow the fleet's size."""

import tempfile
from pathlib import Path

from carbonray.catalogue import run_job
from carbonray.settings import load
from tests.benchmarks.process_memory import peak_pss_mb, row

PLANTS, TIMES = 3, 10
GOAL = 1.15
ERAS = (
    '[{imager: planetscope, since: "2021-07-01", every: 50, share: 1.0}, '
    '{imager: sentinel2, since: "2021-07-01", every: 6, share: 1.0}, '
    '{imager: landsat8, since: "2021-07-01", every: 3, share: 1.0}]'
)
FLEET = ["fleet.first_year=2021", "fleet.last_year=2021", "fleet.regions=[us_east, us_plains]"]


def rows() -> list[dict[str, object]]:
    """The two peaks."""
    with tempfile.TemporaryDirectory() as name:
        few, many = (peak_mb(Path(name), count) for count in (PLANTS, PLANTS * TIMES))
    return [row(f"plants memory: {PLANTS * TIMES} plants", many, few, f"the same job over {PLANTS}", GOAL)]


def peak_mb(folder: Path, plants: int) -> float:
    """The job over a fleet of so many plants."""
    fleet = [*FLEET, f"fleet.plants={plants}", f"fleet.overpass.eras={ERAS}"]
    run_job("world", load([], ["engine.backend=memory", "world.parts=[fleet]", *fleet]), str(folder), f"world-{plants}")
    world = folder / f"world-{plants}"
    inputs = {
        "inventory": f"{world}/inventory/*",
        "structures": f"{world}/structures/*",
        "reported": f"campd={world}/reported/campd/*",
        "weather": f"{world}/plant_weather/*",
    }
    sets = [*fleet, "plants.images_from=fleet", *(f"inputs.{name}={glob}" for name, glob in inputs.items())]
    return peak_pss_mb("ingest", folder, f"run-{plants}", sets)

"""Memory of scoring ten times the images, as many plants more: it must follow neither the fleet nor the archive.

Small models are trained once, in memory, on the larger store; then jobs.plants runs over both stores as a program of
its own, soundings, generation and tables included.
"""

import tempfile
from pathlib import Path

from carbonray.catalogue import run_job
from carbonray.settings import load
from tests.benchmarks.plants_memory import ERAS
from tests.benchmarks.process_memory import peak_pss_mb, row
from tests.pipelines.small_product import MODELS

PLANTS, TIMES = 3, 10
GOAL = 1.15
FLEET = [
    "fleet.first_year=2021",
    "fleet.last_year=2021",
    "fleet.regions=[us_east, us_plains]",
    "fleet.dispatch.availability=[3.0, 2.0]",
    "fleet.tier=T0",
    f"fleet.overpass.eras={ERAS}",
    "plants.selection.years=[2021, 2021]",
]
MEMORY = "engine.backend=memory"
BOTH = "soundings.models=[sentinel2_xgb_ndt, sentinel2_resisc_ndt, sentinel2_xgb_fgd]"


def rows() -> list[dict[str, object]]:
    """The two peaks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ingest(folder, PLANTS * TIMES)
        # its plants are those of the larger store, under the same ids
        ingest(folder, PLANTS, f"plants.earlier_url={store(folder, PLANTS * TIMES)}")
        trained = [MEMORY, *FLEET, *MODELS, BOTH, "model=plants", f"plants.store_url={store(folder, PLANTS * TIMES)}"]
        run_job("train", load([], trained), name, "models")
        few, many = (peak_mb(folder, plants) for plants in (PLANTS, PLANTS * TIMES))
    return [row(f"soundings memory: {PLANTS * TIMES} plants", many, few, f"the same job over {PLANTS}", GOAL)]


def ingest(folder: Path, plants: int, *more: str) -> None:
    """The store of a fleet of so many plants, rendered in memory."""
    fleet = [MEMORY, *FLEET, f"fleet.plants={plants}"]
    run_job("world", load([], ["world.parts=[fleet]", *fleet]), str(folder), f"world-{plants}")
    world = folder / f"world-{plants}"
    inputs = {
        "inventory": f"{world}/inventory/*",
        "structures": f"{world}/structures/*",
        "reported": f"campd={world}/reported/campd/*",
        "weather": f"{world}/plant_weather/*",
    }
    given = [f"inputs.{name}={glob}" for name, glob in inputs.items()]
    run_job("ingest", load([], ["plants.images_from=fleet", *fleet, *given, *more]), str(folder), f"store-{plants}")


def store(folder: Path, plants: int) -> Path:
    return folder / f"store-{plants}"


def peak_mb(folder: Path, plants: int) -> float:
    """The job over the store of so many plants."""
    sets = [*FLEET, *MODELS, f"plants.store_url={store(folder, plants)}", f"inputs.bundles={folder}/models"]
    return peak_pss_mb("plants", folder, f"run-{plants}", sets)

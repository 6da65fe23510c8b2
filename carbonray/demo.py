"""What `carbonray demo` runs: a small Earth as files, models trained on them, and its year as the job `annual`."""

from collections.abc import Iterator, Mapping
from typing import Any

from carbonray.catalogue import run_job
from carbonray.io import objectstore
from carbonray.settings import DEMO, load

WORLD, STORE, YEAR = "demo-world", "demo-store", "demo"
# where each product finds what it reads in the world's folder
INPUTS: Mapping[str, Mapping[str, str]] = {
    "ingest": {
        "inventory": "inventory/*",
        "structures": "structures/*",
        "imagery": "imagery/*/*/*[0-9].json",  # the items, not the files they point at
        "weather": "plant_weather/*",
    },
    "hotspots": {
        "tropomi": "granules/*.nc",
        "weather": "weather/*.nc",
        "inventory": "truth/sources.csv",
        "co2_grid": "truth/co2.tif",
    },
    "grid": {
        "mask": "mask/*.geojson",
        "poi": "poi/*.csv",
        "basemap": "basemap/*/*.tif",
        "co2_grid": "co2/odiac_like/*.tif",
    },
    "energy": {"energy": "energy/*.csv", "emissions": "emissions/*.csv"},
}
# the regions that teach; those of the shift tier are seen first when the year is run
TAUGHT = {"energy": "energy/*t1.csv", "emissions": "emissions/*t1.csv"}
# what is trained, by the product that reads it: run id and settings; {out} stands for the folder of runs
TRAINED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "plants": (
        "demo-models",
        # two fits at once; a model that few plants cannot teach is left out by name
        (
            "model=plants",
            "plants.store_url={out}/demo-store",
            "engine.model_actors=2",
            "engine.model_cpus=0.75",
            "engine.max_quarantine_rate=0.2",
        ),
    ),
    "grid": ("demo-grid-models", ("model=opencarbon",)),
    # in this process: a fit takes seconds, the start of a worker for each of them would take longer
    "energy": ("demo-energy-models", ("model=clean_mlp", "engine.backend=memory")),
}


def run_demo(out: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Runs or resumes every step; answers the facts of each but the world, with the folder of its run."""
    world = f"{out}/{WORLD}"
    run_job("world", load([str(DEMO)]), out, WORLD)
    layouts = sorted({key.partition("/")[0] for key in objectstore.listing(f"{world}/reported")})
    reported = f"inputs.reported={[f'{name}={world}/reported/{name}/*' for name in layouts]}"
    yield _run("ingest", out, STORE, [reported, *_inputs("inputs", INPUTS["ingest"], world)]), out
    for product, (run_id, told) in TRAINED.items():
        read = {"plants": {}, "energy": TAUGHT}.get(product, INPUTS.get(product, {}))
        sets = [text.format(out=out) for text in told]
        yield _run("train", out, run_id, [*sets, *_inputs("inputs", read, world)]), out
    year = [f"plants.store_url={out}/{STORE}"]
    for product in ("hotspots", "grid", "energy"):
        year += _inputs(f"annual.inputs.{product}", INPUTS[product], world)
    year += [f"annual.inputs.{product}.bundles={out}/{run_id}" for product, (run_id, _) in TRAINED.items()]
    yield _run("annual", out, YEAR, year), out


def _run(job: str, out: str, run_id: str, sets: list[str]) -> dict[str, Any]:
    return run_job(job, load([str(DEMO)], sets), out, run_id)


def _inputs(section: str, found: Mapping[str, str], world: str) -> list[str]:
    return [f"{section}.{name}={world}/{path}" for name, path in found.items()]

"""Every model of 1 km cells on three synthetic cities: who answers best for cells it has not seen, and what each part
of the network adds.

    python -m tests.evidence.grid --work DIR --out docs/evidence/grid --processes 2

makes the cities' files and samples under DIR, fits what has no file under DIR/fits yet, and writes the page and its
tables; the same command goes on where it was ended (`--minutes` ends it before). The recipe is `grid.yaml`, changed by
`--set`. `--page-only` writes from the files alone. Everything is SYNTHETIC.
"""

import argparse
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from carbonray.catalogue import run_job as run_catalogue_job
from carbonray.engine.run import open_run
from carbonray.io import objectstore
from carbonray.io.table_store import decode_table
from carbonray.models.cell_registry import CELL_MODELS
from carbonray.settings import load
from carbonray.stages.cell_roles import TrainingCells
from carbonray.synthetic.city.cities import CITIES
from carbonray.training.cell_learner import CellLearner
from tests.evidence import grid_page
from tests.evidence.grid_fits import PEERS, Job, Material, Pace, run_job, samples_of

OVERLAY = str(Path(__file__).with_suffix(".yaml"))
INPUTS = {
    "mask": "mask/{city}.geojson",
    "poi": "poi/{city}.csv",
    "basemap": "basemap/{city}/*.tif",
    "co2_grid": "co2/odiac_like/{city}_*.tif",
    "night_lights": "lights/{city}.tif",
}
OF_SAMPLES = ("grid.rules", "grid.mask", "grid.points", "grid.basemap", "grid.training.labels")
ORDINARY, THREE, SHIFT = "ordinary", ("london_like", "beijing_like", "yinchuan_like"), "shift"
SPLITS = ("random", "blocks", "cities")
CHOICES = ("worlds", "cities", "splits", "models")


@dataclass(frozen=True)
class World:
    """Cities with the same knobs.

    Attributes:
        cities: of `synthetic.city.cities`.
        knobs: what differs from the cities as they are.
        models: that are fitted there; of a control the one with the module and the one without.
        splits: of its cells.
    """

    cities: tuple[str, ...]
    knobs: tuple[str, ...] = ()
    models: tuple[str, ...] = (PEERS, *CELL_MODELS)
    splits: tuple[str, ...] = SPLITS


WORLDS: Mapping[str, World] = {
    ORDINARY: World((*THREE, SHIFT)),
    "no_coupling": World(
        THREE[:1],
        ("cities.coupling=0", "cities.shuffled=[layout]"),
        ("opencarbon", "opencarbon_no_neighborhood"),
        ("random",),
    ),
    "points_dealt": World(THREE[:1], ("cities.shuffled=[points]",), ("opencarbon", "opencarbon_no_poi"), ("random",)),
}


@dataclass(frozen=True)
class Study:
    """What is asked for.

    Attributes:
        work: folder of worlds, samples and fits.
        changes: of the recipe, as `a.b=VALUE`.
        worlds, cities, splits, models: of all there are, those that are wanted.
        seeds: of the fits.
        pace: length of the fits.
        made: samples, once they are there.
    """

    work: Path
    changes: tuple[str, ...] = ()
    worlds: tuple[str, ...] = tuple(WORLDS)
    cities: tuple[str, ...] = (*THREE, SHIFT)
    splits: tuple[str, ...] = SPLITS
    models: tuple[str, ...] = (PEERS, *CELL_MODELS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    pace: Pace = field(default_factory=Pace)
    made: dict[tuple[str, str], TrainingCells] = field(default_factory=dict)

    def cities_of(self, world: str) -> tuple[str, ...]:
        """Those wanted of a world."""
        return tuple(city for city in WORLDS[world].cities if city in self.cities)


def main() -> None:
    """Parses the command line, fits what is not there yet, and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of worlds, samples and fits")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    parser.add_argument("--processes", type=int, default=1, help="fits at a time, each of one thread")
    parser.add_argument("--minutes", type=float, default=1e9, help="after so long no fit is begun")
    parser.add_argument("--set", dest="changes", action="append", default=[], help="a.b=VALUE over the recipe")
    parser.add_argument("--page-only", action="store_true", help="write the page of the fits there are")
    for name in CHOICES:
        parser.add_argument(f"--{name}", nargs="+", default=getattr(Study, name), help="some of them")
    parser.add_argument("--seeds", type=int, nargs="+", default=Study.seeds, help="of the fits")
    parser.add_argument("--steps", type=int, default=Pace.steps, help="batches that a fit learns from")
    flags = parser.parse_args()
    chosen: dict[str, Any] = {name: tuple(getattr(flags, name)) for name in ("changes", *CHOICES)}
    pace = Pace(flags.steps, flags.steps // 3)
    study = Study(flags.work.resolve(), seeds=tuple(flags.seeds), pace=pace, **chosen)
    if not flags.page_only:
        fit_all(study, flags.processes, time.time() + 60.0 * flags.minutes)
    grid_page.write(study.work, flags.out)


def fit_all(study: Study, processes: int, deadline: float) -> None:
    """Makes what jobs read, and runs the jobs that have no file yet, each in one of some processes."""
    jobs, materials = list(jobs_of(study)), {}
    for job in jobs:
        place = (job.world, job.city)
        if place not in materials:
            materials[place] = material_of(study, *place)
    note(study, materials)
    folder, done = str(study.work / "fits"), Counter[str]()
    started = time.time()
    for job, how in outcomes(jobs, materials, folder, processes, deadline):
        done[how.partition(":")[0]] += 1
        facts = {"job": job.key, "was": how, "of": len(jobs), **done, "seconds": round(time.time() - started)}
        print(json.dumps(facts), flush=True)


def outcomes(
    jobs: Sequence[Job],
    materials: Mapping[tuple[str, str], Material],
    folder: str,
    processes: int,
    deadline: float,
) -> Iterator[tuple[Job, str]]:
    """Jobs as they end, and what was done; one process is this one."""
    if processes == 1:
        yield from ((job, run_job(job, materials[job.world, job.city], folder, deadline)) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")  # a fork would inherit the threads of torch
    with ProcessPoolExecutor(processes, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        told = {pool.submit(run_job, job, materials[job.world, job.city], folder, deadline): job for job in jobs}
        yield from ((told[future], future.result()) for future in as_completed(told))


def jobs_of(study: Study) -> Iterator[Job]:
    """Seed by seed, so that a study that is ended early has whole seeds."""
    for seed in study.seeds:
        for name in study.worlds:
            world, cities = WORLDS[name], [city for city in study.cities_of(name) if city != SHIFT]
            for split in (split for split in world.splits if split in study.splits):
                wanted = [model for model in world.models if model in study.models]
                yield from (
                    Job(name, city, split, seed, model)
                    for city in (cities if split != "cities" else [""])
                    for model in wanted
                )


def material_of(study: Study, world: str, city: str) -> Material:
    """What the jobs of a city read, or, without a city, those that leave one of three out."""
    cities = (city,) if city else tuple(name for name in study.cities_of(world) if name != SHIFT)
    parts = [samples(study, world, name) for name in cities]
    beside = samples(study, world, SHIFT) if not city and SHIFT in study.cities_of(world) else None
    data = replace(parts[0], shards=tuple(shard for part in parts for shard in part.shards))
    truth: dict[int, tuple[float, float]] = {}
    for name in (*cities, *((SHIFT,) if beside else ())):
        told = cells_of(study, world, name)
        truth |= dict(zip(told["cell"], zip(told["ln_truth"], told["ln_oracle"], strict=True), strict=True))
    return Material(data, beside, truth, load([OVERLAY], study.changes).grid.training, study.pace)


def samples(study: Study, world: str, city: str) -> TrainingCells:
    """The samples of a city, made once: a run of its own, for cities differ in the year of their label."""
    if (world, city) not in study.made:
        files = made_city(study, world, city)
        inputs = [f"inputs.{name}={files}/{path.format(city=city)}" for name, path in INPUTS.items()]
        year = f"grid.rules.year={CITIES[city].label.year}"
        settings = load([OVERLAY], [*study.changes, *inputs, year, "model=opencarbon"])
        told, name = settings.model_dump(mode="json"), f"samples-{world}-{city}"
        run = open_run(str(study.work), name, "train", settings.digest(OF_SAMPLES), told, settings.engine)
        study.made[world, city] = CellLearner().prepare(run, settings)
    return study.made[world, city]


def made_city(study: Study, world: str, city: str) -> Path:
    """The files of a city."""
    settings = load([OVERLAY], [*study.changes, *WORLDS[world].knobs, f"cities.names=[{city}]"])
    run_catalogue_job("world", settings, str(study.work), f"world-{world}-{city}")
    return study.work / f"world-{world}-{city}"


def cells_of(study: Study, world: str, city: str) -> dict[str, Any]:
    """What is true, labelled and known best of the labelled cells of a city; kept beside the fits, for the page."""
    path = study.work / "cells" / f"{world}-{city}.json"
    if not path.exists():
        labels = samples_of(samples(study, world, city).shards)
        truth = decode_table(objectstore.read_bytes(str(made_city(study, world, city) / f"truth/{city}.parquet")))
        ordered = truth.sort_by("cell_id")
        here = np.isin(ordered.column("cell_id").to_numpy(), labels.column("cell_id").to_numpy())
        true = ordered.filter(here)
        told = {
            "cell": labels.column("cell_id").to_pylist(),
            "ln_label": labels.column("ln_t_co2").to_pylist(),
            "ln_truth": np.log(true.column("emissions_t_co2").to_numpy()).tolist(),
            "ln_oracle": true.column("oracle_ln_t_co2").to_pylist(),
            "tier": true.column("data_tier")[0].as_py(),
            "unlabelled": ordered.num_rows - true.num_rows,
        }
        objectstore.put_bytes(str(path), json.dumps(told).encode())
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def note(study: Study, materials: Mapping[tuple[str, str], Material]) -> None:
    """Keeps the recipe beside the fits, for the page."""
    some = next(iter(materials.values()))
    settings = load([OVERLAY], study.changes)
    told = {
        "training": asdict(some.rules),
        "pace": asdict(study.pace),
        "image_px": settings.grid.basemap.image_px,
        "generator_sha256": some.data.generator_sha256,
        "world_seed": settings.cities.seed,
        "changes": list(study.changes),
    }
    objectstore.put_bytes(str(study.work / "study.json"), json.dumps(told, indent=1).encode())


if __name__ == "__main__":
    main()

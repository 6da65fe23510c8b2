"""Every model of energy and emissions under both protocols: the published table's form, on real and on synthetic rows.

    python -m tests.evidence.energy --data ../shared/data --work W --out docs/evidence/energy --processes 1

makes the synthetic regions and the rows under W, fits what has no file under W/fits yet, searches, fits what was found
and what was left out, and writes the page and its tables; the same command goes on where it was ended (`--minutes` ends
it before). The recipe is `energy.yaml`, changed by `--set`. `--page-only` writes from the files alone.
"""

import argparse
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from carbonray.io import objectstore
from carbonray.models.clean_registry import CLEAN_MODELS
from carbonray.overlays import from_file, from_override, merged
from carbonray.science.energy.splits import PAPER_TURN
from tests.evidence import energy_page
from tests.evidence.energy_fits import LONG, PEERS, RATIO_NETWORK, TUNED, Job, Material, run_job
from tests.evidence.energy_rows import NETWORKS, Recipe, World, material_of
from tests.evidence.energy_scores import CONTROL
from tests.evidence.energy_search import Found, Search, searched

OVERLAY = str(Path(__file__).with_suffix(".yaml"))
EXTRA = (*(name for name in CLEAN_MODELS if name not in NETWORKS), RATIO_NETWORK)
MONITOR, NEM = "country/carbon_monitor/*.csv", "country/nem_energy_emissions/*_all.json"
SYNTHETIC = "synthetic"
WORLDS: Mapping[str, World] = {
    SYNTHETIC: World(("paper", "region"), searches="region"),
    CONTROL: World(("paper", "region"), ("regions.mix_tells=false",), models=("clean_mlp", "mlp")),
    "australia": World(
        ("region", "time"), ("energy.rows.sectors=[power]",), NEM, NEM, searches="time", later=("paper",)
    ),
    "carbon_monitor": World(
        ("region",), ("energy.rows.join=constant",), "country/owid_electricity_mix_bp_ember_2022.csv", MONITOR
    ),
}
SEARCHED = ("clean_mlp", "mlp")


@dataclass(frozen=True)
class Study:
    """What is asked for.

    Attributes:
        data: folder of the real files.
        work: folder of worlds, rows and fits.
        changes: of the recipe, as `a.b=VALUE`.
        worlds: those of all there are that are wanted.
        made: worlds' rows, once they are there.
    """

    data: Path
    work: Path
    changes: tuple[str, ...] = ()
    worlds: tuple[str, ...] = tuple(WORLDS)
    made: dict[str, Material] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """Settings and sizes."""
        tree = from_file(OVERLAY)
        for change in self.changes:
            tree = merged(tree, from_override(change))
        return Recipe(tree["settings"], **tree["study"])

    def material(self, name: str) -> Material:
        """The rows of a world, made once."""
        if name not in self.made:
            self.made[name] = material_of(self.recipe, WORLDS[name], name, self.data, self.work)
        return self.made[name]

    def turns(self, name: str, protocol: str) -> tuple[str, ...]:
        """What is tested on in turn, of regions those that are no sums of others."""
        material = self.material(name)
        found = material.divided(protocol).turns
        return tuple(turn for turn in found if turn not in material.data.composites)


def main() -> None:
    """Parses the command line, fits what is not there yet, and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real files")
    parser.add_argument("--work", type=Path, required=True, help="folder of worlds, rows and fits")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    parser.add_argument("--processes", type=int, default=1, help="fits at a time, each of one thread")
    parser.add_argument("--minutes", type=float, default=1e9, help="after so long no fit is begun")
    parser.add_argument("--set", dest="changes", action="append", default=[], help="a.b=VALUE over the recipe")
    parser.add_argument("--page-only", action="store_true", help="write the page of the fits there are")
    parser.add_argument("--worlds", nargs="+", default=Study.worlds, help="some of them")
    flags = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(flags.data.resolve(), flags.work.resolve(), tuple(flags.changes), tuple(flags.worlds))
    if not flags.page_only:
        fit_all(study, flags.processes, time.time() + 60.0 * flags.minutes)
    energy_page.write(study.work, flags.out)


def fit_all(study: Study, processes: int, deadline: float) -> None:
    """Searches, then fits seed by seed with one turn of each protocol, then the further turns of every seed."""
    for name in (name for name in study.worlds if WORLDS[name].searches):
        tuned = {(one.model, one.total): one.settings for one in search(study, name)}
        study.made[name] = replace(study.material(name), tuned=tuned)
    jobs = list(jobs_of(study))
    note(study, len(jobs))
    run_all(study, jobs, processes, deadline)


def run_all(study: Study, jobs: Sequence[Job], processes: int, deadline: float) -> None:
    """Runs the jobs that have no file yet, each in one of some processes."""
    started, done = time.time(), Counter[str]()
    for job, how in outcomes(study, jobs, processes, deadline):
        done[how.partition(":")[0]] += 1
        seconds = {"seconds": round(time.time() - started), "cpu_s": round(time.process_time())}
        print(json.dumps({"job": job.key, "was": how, "of": len(jobs), **done, **seconds}), flush=True)


def outcomes(study: Study, jobs: Sequence[Job], processes: int, deadline: float) -> Iterator[tuple[Job, str]]:
    """Jobs as they end, and what was done; one process is this one."""
    folder = str(study.work / "fits")
    if processes == 1:
        yield from ((job, run_job(job, study.material(job.world), folder, deadline)) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")  # a fork would inherit the threads of torch
    with ProcessPoolExecutor(processes, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        told = {pool.submit(run_job, job, study.material(job.world), folder, deadline): job for job in jobs}
        yield from ((told[future], future.result()) for future in as_completed(told))


def jobs_of(study: Study) -> Iterator[Job]:
    """Seed by seed, so that a study that is ended early has whole seeds; one turn of a protocol, then the others."""
    for later in (False, True):
        for seed in range(study.recipe.seeds):
            for name in study.worlds:
                for protocol, turn in turns_of(study, name, seed, later=later):
                    yield from table_jobs(study, name, protocol, turn, seed)
                if not later:
                    yield from tuned_jobs(study, name, seed)
    yield from long_jobs(study)


def table_jobs(study: Study, name: str, protocol: str, turn: str, seed: int) -> Iterator[Job]:
    """The published table in a turn, and what leaves a part of the network out; of the control one size alone."""
    world, size = WORLDS[name], study.recipe.extra_size
    for n in study.recipe.sizes if name != CONTROL else [size]:
        job = Job(name, "main", protocol, turn, seed, n, False, PEERS)
        more = EXTRA if n == size and name != CONTROL else ()
        jobs = _jobs(job, (PEERS, *world.models, *more))
        yield from (job for job in jobs if job.total or job.model != RATIO_NETWORK)


def long_jobs(study: Study) -> Iterator[Job]:
    """The published table once more with longer fits: synthetic rows at random, one seed."""
    for n in study.recipe.sizes if SYNTHETIC in study.worlds else ():
        yield from _jobs(Job(SYNTHETIC, LONG, "paper", PAPER_TURN, 0, n, False, PEERS), (PEERS, *NETWORKS))


def tuned_jobs(study: Study, name: str, seed: int) -> Iterator[Job]:
    """Searched and default settings in the turns that searches left alone, beside all peers."""
    models = (PEERS, *SEARCHED, *(f"{model}{TUNED}" for model in SEARCHED))
    alone = search_of(study, name).untouched if study.material(name).tuned else ()
    for turn in (turn for turn, own in alone if own == seed):
        job = Job(name, "tuned", WORLDS[name].searches, turn, seed, study.recipe.extra_size, False, PEERS)
        yield from _jobs(job, models)


def turns_of(study: Study, name: str, seed: int, *, later: bool) -> Iterator[tuple[str, str]]:
    """Protocols and turns of a seed: rows at random once; regions and times go round, every one in some seed."""
    world, seeds = WORLDS[name], study.recipe.seeds
    for protocol in world.protocols:
        turns = study.turns(name, protocol)
        own = turns[seed::seeds] if len(turns) >= seeds else (turns[seed % len(turns)],)
        yield from ((protocol, turn) for turn in (own[1:] if later else own[:1]))
    if later:
        yield from ((protocol, PAPER_TURN) for protocol in world.later)


def search_of(study: Study, name: str) -> Search:
    """A search and what it leaves alone: of regions one a seed, of times the last run, in every seed."""
    protocol, seeds = WORLDS[name].searches, study.recipe.seeds
    turns = study.turns(name, protocol)
    if protocol == "region":
        first = len(turns) - seeds - 1
        alone = [(turn, (first + place) % seeds) for place, turn in enumerate(turns[first : first + seeds])]
    else:
        alone = [(turns[-1], seed) for seed in range(seeds)]
    return Search(name, protocol, tuple(sorted(alone, key=lambda pair: pair[1])))


def search(study: Study, name: str) -> list[Found]:
    """What the searches of a world chose, for both ways of telling; each is made once."""
    world, wanted = search_of(study, name), [(model, total) for model in SEARCHED for total in (False, True)]
    material, folder = study.material(name), study.work / "searches"
    return [searched(study.recipe, world, material, model, folder, total=total) for model, total in wanted]


def note(study: Study, planned: int) -> None:
    """Keeps the recipe, and what is divided, beside the fits, for the page."""
    told: dict[str, Any] = {"recipe": study.recipe.told(), "changes": list(study.changes), "planned": planned}
    told["worlds"] = {}
    for name in study.worlds:
        material = study.material(name)
        data, rows = material.data, len(material.divided("region").index)
        turns = {protocol: len(study.turns(name, protocol)) for protocol in WORLDS[name].protocols}
        facts = {"rows": rows, "turns": turns, "tier": data.tier, "files": WORLDS[name].files(study.data)}
        told["worlds"][name] = facts | {"generator_sha256": data.generator_sha256}
        told["worlds"][name]["untouched"] = search_of(study, name).untouched if WORLDS[name].searches else []
    objectstore.put_bytes(str(study.work / "study.json"), json.dumps(told, indent=1).encode())


def _jobs(job: Job, models: Sequence[str]) -> Iterator[Job]:
    """Both ways of telling, every model."""
    yield from (replace(job, total=total, model=model) for total in (False, True) for model in models)


if __name__ == "__main__":
    main()

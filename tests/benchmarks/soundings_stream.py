"""Streamed soundings against the bare models: the same images, as many one-thread model processes, in one run.

The stream is the pass `soundings` of jobs.plants on Ray over image stores that lie ready: reading, patches, statistics,
actors, commits. All Sentinel-2 models of a plant's kinds answer, four instances each, networks at the registry's size
with weights as they are first drawn, trees grown on noise. Bare is a process that puts the patches and statistics of
the same images, ready in memory, to the same models in full batches. Rates are of the steady state: from the first
units on, when the actor has opened its models.
"""

import functools
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch

from carbonray.catalogue import run_job
from carbonray.contract import Batch, Unit
from carbonray.engine import cluster, graph
from carbonray.engine.plan import Pass
from carbonray.execution import LocalRules
from carbonray.io import objectstore
from carbonray.io.model_store import Bundle, Lineage, save_bundle
from carbonray.io.plant_product import SoundingPin
from carbonray.models.bags import BandScaling
from carbonray.models.sounding_cnn import TASKS, SoundingCnn
from carbonray.models.sounding_registry import SOUNDING_MODELS, SoundingEntry, cnn_config
from carbonray.models.sounding_trees import SoundingTrees
from carbonray.pipelines.plant_sources import open_store, sites
from carbonray.pipelines.sounding_pass import sounding_pass
from carbonray.settings import load
from carbonray.stages.sounding_bundles import FittedNetwork, network_bundle, tree_bundle
from carbonray.stages.soundings import PredictSoundings
from carbonray.vocab.sensors import IMAGERS
from tests.benchmarks import sounding_trees
from tests.benchmarks.worker_process import in_one_process

IMAGER, YEAR, INSTANCES, TREES = "sentinel2", 2021, range(4), 100
ERAS = ", ".join(  # an imager that is not named would take every pass
    f'{{imager: {name}, since: "{YEAR if name == IMAGER else 2100}-01-01", every: 1, share: 1.0}}' for name in IMAGERS
)
FLEET = (
    "engine.backend=memory", "fleet.plants=2", f"fleet.first_year={YEAR}", f"fleet.last_year={YEAR}",
    "fleet.regions=[us_east]", f"fleet.overpass.eras=[{ERAS}]", "plants.images_from=fleet",
    f"plants.selection.years=[{YEAR}, {YEAR}]",
)  # fmt: skip
UNITS, REPEATS, WARM_UNITS = 10, 3, 2  # an actor works on two units at once; the clock starts when they are done
GOAL = 0.85
NO_LINEAGE = Lineage("", "", 0, 0, 0, 0, "", "", {}, {}, {})
Row = dict[str, Any]


@dataclass(frozen=True)
class Prepared:
    """The pass over the plants' stores, and how many images it keeps of each unit."""

    soundings: Pass
    images: tuple[int, ...]


def prepare(folder: Path, runtime: str = "fp32", width: int = 64, fleet: tuple[str, ...] = FLEET) -> Prepared:
    """Simulates and ingests the plants once, writes bundles once, and plans the pass."""
    settings = load([], [*fleet, f"soundings.predict.runtime.name={runtime}"])
    store_url = str(folder / "store")
    if not (folder / "store").exists():
        run_job("world", load([], ["world.parts=[fleet]", *fleet]), str(folder), "world")
        world = folder / "world"
        inputs = {
            "inventory": f"{world}/inventory/*", "structures": f"{world}/structures/*",
            "reported": f"campd={world}/reported/campd/*", "weather": f"{world}/plant_weather/*",
        }  # fmt: skip
        given = [f"inputs.{name}={glob}" for name, glob in inputs.items()]
        run_job("ingest", load([], [*fleet, *given]), str(folder), "store")
    store = open_store(store_url)
    pins = tuple(pin for name in models_of(IMAGER) for pin in saved(folder / "models", name, width))
    every = {pin.kind: list(INSTANCES) for pin in pins}
    asked = ((site, every) for site in sites(store) if site.year == YEAR)
    soundings = sounding_pass("bench", settings, store, asked, (str(folder / "models"), pins))
    kept = tuple(soundings.read(unit).rows["kept"] for unit in soundings.units)
    return Prepared(soundings, kept)


def models_of(imager: str) -> list[str]:
    return [name for name, entry in SOUNDING_MODELS.items() if entry.imager == imager]


def saved(folder: Path, name: str, width: int) -> Iterator[SoundingPin]:
    """All instances of one model, written where they are not there yet."""
    entry = SOUNDING_MODELS[name]
    for instance in INSTANCES:
        key = f"bundles/{name}/{instance}"
        sha256 = save_bundle(objectstore.join(str(folder), key), made(name, entry, instance, width))
        yield SoundingPin(
            name, entry.imager, entry.kind, entry.model, instance, max(entry.patch_px), "random", key, sha256
        )


def made(name: str, entry: SoundingEntry, instance: int, width: int) -> Bundle:
    """Networks as they are first drawn, trees grown on noise."""
    if not entry.trunk:
        return tree_bundle(name, entry, instance, trees_of(entry.imager), NO_LINEAGE)
    torch.manual_seed(instance)
    fitted = {}
    for task in TASKS:
        config = replace(cnn_config(name, task), width=width)
        scaling = BandScaling((0.2,) * len(config.bands), (0.1,) * len(config.bands))
        tensors = {key: value.numpy() for key, value in SoundingCnn(config).state_dict().items()}
        fitted[task] = FittedNetwork(config, scaling, tensors)
    return network_bundle(name, entry, instance, fitted, NO_LINEAGE)


@functools.cache
def trees_of(imager: str) -> dict[str, SoundingTrees]:
    """Task -> trees; all models and instances share them, since they cost the same."""
    return {model.task: model for model in sounding_trees.grown(IMAGERS[imager], TREES, (0,))}


def repeated(units: tuple[Unit, ...], count: int) -> tuple[Unit, ...]:
    """So many units over a few stores."""
    chosen = [units[number % len(units)] for number in range(count)]
    return tuple(
        replace(unit, unit_id=f"{number:032d}", key=f"{number:03d}-{unit.key}") for number, unit in enumerate(chosen)
    )


def streamed(prepared: Prepared, out: str, count: int = UNITS) -> tuple[float, dict[str, float]]:
    """Images a second in the steady state, and the mean milliseconds of each step a unit."""
    units = repeated(prepared.soundings.units, count)
    images = {unit.key: prepared.images[number % len(prepared.images)] for number, unit in enumerate(units)}
    times, done, seconds = [], [], Counter[str]()
    for outcome in graph.stream(replace(prepared.soundings, units=units), out, units, read_cpus=0.5):
        assert outcome.status == "committed", outcome
        times.append(time.perf_counter())
        done.append(images[outcome.key])
        if len(done) > WARM_UNITS:  # before, the actor opened its models
            seconds.update(dict(outcome.seconds))
    rate = sum(done[WARM_UNITS:]) / (times[-1] - times[WARM_UNITS - 1])
    return rate, {name: 1000 * value / (len(units) - WARM_UNITS) for name, value in seconds.items()}


def bare(soundings: Pass, rounds: int = 2) -> float:
    """Images a second of a process that does nothing but put full batches of ready patches to the models."""
    stage: Any = soundings.pools[0].make()
    assert isinstance(stage, PredictSoundings)
    batches = [soundings.read(unit).batch for unit in soundings.units]
    calls = [call for batch in batches for call in ready(stage, batch)]
    started = 0.0
    for number in range(rounds + 1):
        started = time.perf_counter() if number == 1 else started  # the first round warms up
        for model, seen, mask, features in calls:
            model(seen, mask, features)
    return rounds * sum(len(batch["image_id"]) for batch in batches) / (time.perf_counter() - started)


def ready(stage: Any, batch: Batch) -> Iterator[tuple[Any, Any, Any, Any]]:
    """What the stage would put to its models for one unit: model, patches, mask, statistics."""
    size = stage._rules.batch_images
    for kind in dict.fromkeys(batch["structure_kind"].tolist()):
        rows = {name: column[batch["structure_kind"] == kind] for name, column in batch.items()}
        pins = [pin for pin in stage._pins if pin.kind == kind]
        for start in range(0, len(rows["image_id"]), size):
            some = {name: column[start : start + size] for name, column in rows.items()}
            seen, features = stage._prepared(some, int(some["n_structures"][0]), 1, IMAGERS[IMAGER])
            for pin in pins:
                yield stage._model(pin), seen, np.ones(seen.shape[:2], np.bool_), features


def measure(folder: Path, runtime: str) -> list[Row]:
    """Bare and streamed rates in turn, so that a machine that drifts drifts for both."""
    prepared = prepare(folder, runtime)
    bares, streams, costs = [], [], []
    for repeat in range(REPEATS):
        bares.append(in_one_process(bare, prepared.soundings))
        rate, cost = streamed(prepared, f"{folder}/out-{runtime}-{repeat}")
        streams.append(rate)
        costs.append(cost)
    bares.append(in_one_process(bare, prepared.soundings))
    rate, each = statistics.median(bares), statistics.mean(prepared.images)
    against = f"bare models, {rate:.1f} images/s, one process; goal {GOAL}"
    title = f"soundings stream, {runtime}"
    streaming = statistics.median(streams)
    return [
        row(f"{title}: all Sentinel-2 models", streaming, "images/s", against, streaming / rate),
        *(
            row(
                f"{title}: {step}",
                statistics.median(cost[step] for cost in costs),
                "ms/unit",
                f"the bare models, {each:.0f} images a unit",
                statistics.median(cost[step] for cost in costs) / (1000 * each / rate),
            )
            for step in costs[0]
        ),
    ]


def rows() -> list[Row]:
    """The figures in float32 and with the fast runtime."""
    with tempfile.TemporaryDirectory() as name:
        cluster.connect(LocalRules(num_cpus=2, object_store_mb=512))
        cluster.quiet_data()
        try:
            return [found for runtime in ("fp32", "folded") for found in measure(Path(name), runtime)]
        finally:
            ray.shutdown()


def row(name: str, value: float, unit: str, against: str, ratio: float) -> Row:
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio}


if __name__ == "__main__":
    import json

    print(json.dumps(rows(), indent=1))

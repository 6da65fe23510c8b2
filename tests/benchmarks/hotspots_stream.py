"""Streamed detection against the bare model loop: the same tiles, as many one-thread model processes, in one run.

The stream is the job's own pass `detect` on Ray: actors, envelopes, commits. Its input is ready, as the gridded pixels
of each orbit (the figure with the goal, 0.85) and as ingested swath stores, which it regrids while it streams. Rates
are of the steady state: from the first units on, when actors are up. The other rows say what a unit costs, step by
step, in milliseconds of one core, and stand against the network's share of it.
"""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray

from carbonray.catalogue import run_job
from carbonray.contract import Batch, Reading, Unit, to_batch
from carbonray.engine import cluster, graph
from carbonray.engine.plan import Pass
from carbonray.execution import LocalRules
from carbonray.io import objectstore
from carbonray.pipelines import hotspots
from carbonray.science.spatial import tiling
from carbonray.settings import Settings, load
from carbonray.stages import swaths
from tests.benchmarks.worker_process import in_one_process

REGION = "[100.0, -50.0, 120.0, 44.0]"  # half an orbit of the product, as a unit of a year's run is
GRANULES, UNITS, REPEATS = 2, 10, 3  # different granules; units they are repeated to; runs of each kind
WARM_UNITS = 2  # as many as an actor works on at once; the clock starts when they are done
GOAL = 0.85
Row = dict[str, Any]


@dataclass(frozen=True)
class ReadField:
    """Reader of gridded pixels that lie ready: the orbit as `ReadOrbit` gave it."""

    def __call__(self, unit: Unit) -> Reading:
        batch = read_field(unit.inputs[0])
        rows = {"read": len(batch["row"]), "kept": len(batch["row"]), "quarantined": 0}
        return Reading(batch, rows, facts={"data_tier": "SYNTHETIC-T2", "orbit": 0})


def read_field(url: str) -> Batch:
    return to_batch(pa.ipc.open_stream(objectstore.read_bytes(url)).read_all())


@dataclass(frozen=True)
class Prepared:
    """What all figures are measured on: settings, the pass, and each granule as gridded pixels and as a swath store."""

    settings: Settings
    detect: Pass
    fields: tuple[str, ...]
    stores: tuple[str, ...]
    tiles: tuple[int, ...]


def prepare(folder: Path) -> Prepared:
    """Simulates the granules, ingests them and lays them on the lattice."""
    days = [f"world.region={REGION}", f"world.days={GRANULES}", "world.retrieval.cloudiness=0.1"]
    world = ["engine.backend=memory", *days]
    run_job("world", load([], world), str(folder), "world")
    inputs = [f"inputs.tropomi={folder}/world/granules/*.nc", f"inputs.weather={folder}/world/weather/*.nc"]
    settings = load([], ["engine.backend=memory", *inputs])
    run_job("ingest", settings, str(folder), "ingest")
    stores = tuple(sorted(str(path) for path in (folder / "ingest" / "swaths").glob("*.zarr")))
    units, bundle = hotspots.plan(settings, "bench"), hotspots.bundle_of(settings)
    detect = hotspots.detect_pass(units, settings, bundle)
    fields, tiles = [], []
    for unit in units:
        batch = detect.read(unit).batch
        path = folder / "fields" / f"{unit.key}.arrow"
        objectstore.put_bytes(str(path), packed(batch))
        fields.append(str(path))
        origins = tiling.tile_origins(batch["row"], batch["col"], batch["coverage"], settings.hotspots.tiles)
        tiles.append(len(origins))
    return Prepared(settings, detect, tuple(fields), stores, tuple(tiles))


def packed(batch: Batch) -> bytes:
    table = pa.table(batch)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def units_of(urls: tuple[str, ...], count: int) -> tuple[Unit, ...]:
    """So many units over a few inputs."""
    chosen = [urls[number % len(urls)] for number in range(count)]
    return tuple(
        Unit("detect", f"{number:032d}", f"unit-{number:03d}", {}, (url,), ("",)) for number, url in enumerate(chosen)
    )


def streamed(prepared: Prepared, pass_: Pass, urls: tuple[str, ...], out: str) -> tuple[float, dict[str, float]]:
    """Tiles a second in the steady state, and the mean milliseconds of each step a unit."""
    units = units_of(urls, UNITS)
    tiles = {unit.key: prepared.tiles[number % len(urls)] for number, unit in enumerate(units)}
    times, done, seconds = [], [], Counter[str]()
    for outcome in graph.stream(replace(pass_, units=units), out, units, read_cpus=0.5):
        assert outcome.status == "committed", outcome
        times.append(time.perf_counter())
        done.append(tiles[outcome.key])
        seconds.update(dict(outcome.seconds))
    rate = sum(done[WARM_UNITS:]) / (times[-1] - times[WARM_UNITS - 1])
    return rate, {name: 1000 * value / len(units) for name, value in seconds.items()}


def bare(detect: Pass, fields: tuple[str, ...], seconds: float = 6.0) -> float:
    """Tiles a second of a process that does nothing but put full batches of ready tiles to the network."""
    stage: Any = detect.pools[0].make()
    tiles = np.concatenate([ready_tiles(stage, url) for url in fields], axis=1)
    size = stage._detect.batch_tiles
    batches = [tiles[:, at : at + size] for at in range(0, tiles.shape[1] - size + 1, size)]
    stage._detector(*batches[0])
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for batch in batches:
            stage._detector(*batch)
        count += size * len(batches)
    return count / (time.perf_counter() - start)


def ready_tiles(stage: Any, url: str) -> NDArray[np.float32]:
    """(4, tile, y, x) what the stage would put to its network for one unit, without padding."""
    seen: list[NDArray[np.float32]] = []

    def remember(*fields: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(np.stack(fields))
        return fields[0]

    batch = read_field(url)
    with mock.patch.object(stage, "_detector", remember):
        stage(batch)
    count = len(tiling.tile_origins(batch["row"], batch["col"], batch["coverage"], stage._tiles))
    return np.concatenate(seen, axis=1)[:, :count]


def steps(detect: Pass, field: str, store: str, repeats: int = 7) -> dict[str, float]:
    """Milliseconds of one core a unit, step by step: medians of a process that does one thing at a time."""
    stage: Any = detect.pools[0].make()
    found: list[Counter[str]] = []
    for _ in range(repeats):
        clock: Counter[str] = Counter()
        places = [(swaths, "read_granule", "read swath store"), (swaths, "grid_swath", "regrid")]
        places += [(swaths.ReadOrbit, "_wind_at", "wind")]
        places += [(tiling, "tile_origins", "lay tiles"), (tiling, "tile_index", "cut tiles")]
        places += [(tiling, "cut_tiles", "cut tiles"), (tiling, "fill_gaps", "fill gaps"), (tiling, "blend", "blend")]
        with ExitStack() as stack:
            for owner, name, step in (*places, (stage, "_detector", "network")):
                stack.enter_context(mock.patch.object(owner, name, timed(getattr(owner, name), clock, step)))
            timed(detect.read, clock, "reading")(units_of((store,), 1)[0])
            envelope = timed(graph.read_unit, clock, "read field")(ReadField(), units_of((field,), 1)[0])
            rows = timed(graph._pack, clock, "pack and unpack")(envelope)
            timed(graph._unpack, clock, "pack and unpack")(rows)
            timed(graph.work_unit, clock, "stage")(stage, envelope)
        found.append(clock)
    return {name: 1000 * statistics.median(clock[name] for clock in found) for name in found[-1]}


def timed(work: Callable[..., Any], clock: "Counter[str]", step: str) -> Callable[..., Any]:
    """The same work, its seconds added to a step's."""

    def run(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return work(*arguments, **named)
        finally:
            clock[step] += time.perf_counter() - start  # type: ignore[assignment]

    return run


def measure(prepared: Prepared, folder: Path) -> tuple[list[float], dict[str, list[float]], dict[str, float]]:
    """Bare and streamed rates in turn, so that a machine that drifts drifts for both; and the commit's milliseconds."""
    cluster.connect(LocalRules(num_cpus=2, object_store_mb=512))
    cluster.quiet_data()
    passes = {"fields": replace(prepared.detect, read=ReadField()), "stores": prepared.detect}
    urls = {"fields": prepared.fields, "stores": prepared.stores}
    bares, streams, seconds = [], {name: [] for name in passes}, {}
    for repeat in range(REPEATS):
        bares.append(in_one_process(bare, prepared.detect, prepared.fields))
        for name, pass_ in passes.items():
            rate, steps_ms = streamed(prepared, pass_, urls[name], f"{folder}/out-{name}-{repeat}")
            streams[name].append(rate)
            seconds = seconds or steps_ms
    bares.append(in_one_process(bare, prepared.detect, prepared.fields))
    ray.shutdown()
    return bares, streams, seconds


def rows() -> list[Row]:
    """The figures of both streams, and where a unit's time goes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = prepare(folder)
        bares, streams, seconds = measure(prepared, folder)
        cost = in_one_process(steps, prepared.detect, prepared.fields[0], prepared.stores[0])
    cost["commit"] = seconds["commit"]
    rate = statistics.median(bares)
    ratios = {kind: statistics.median(found) / rate for kind, found in streams.items()}
    against = f"bare model loop, {rate:.0f} tiles/s, one process"
    tiles = statistics.mean(prepared.tiles)
    cost["idle"] = 1000 * tiles / statistics.median(streams["fields"]) - cost["network"]
    return [
        row(
            "hotspots stream: gridded pixels in",
            statistics.median(streams["fields"]),
            "tiles/s",
            f"{against}; goal {GOAL}",
            ratios["fields"],
        ),
        row(
            "hotspots stream: swath stores in, regridded",
            statistics.median(streams["stores"]),
            "tiles/s",
            against,
            ratios["stores"],
        ),
        *(
            row(
                f"hotspots stream: {step}",
                value,
                "ms/unit",
                f"network, {tiles:.0f} tiles a unit",
                value / cost["network"],
            )
            for step, value in cost.items()
        ),
    ]


def row(name: str, value: float, unit: str, against: str, ratio: float) -> Row:
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio}


if __name__ == "__main__":
    import json

    print(json.dumps(rows(), indent=1))

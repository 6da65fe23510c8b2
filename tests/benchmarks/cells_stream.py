"""The two passes of the 1 km product: encoders streamed against bare, and what a cell of the regression costs.

Pass one is the job's own pass `encode` on Ray over a synthetic city whose basemap lies in GeoTIFFs: windows read,
points packed, both encoders at their published size and 256 pixels, embeddings written. Bare is a process that puts the
same images and points, ready in memory, to the same encoders in full batches. Pass two is the stage that regresses,
over squares of cells with random embeddings: its cost a cell must not grow. Rates are of the steady state.
"""

import statistics
import tempfile
import time
from collections import Counter
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
from carbonray.engine.run import open_run
from carbonray.execution import LocalRules
from carbonray.io.model_store import Lineage, save_bundle
from carbonray.io.urban.poi_categories import read_category_map
from carbonray.models.opencarbon import OpenCarbon, OpenCarbonConfig
from carbonray.pipelines import grid
from carbonray.pipelines.cell_pins import cell_pins
from carbonray.science.spatial.cells import cell_at, cell_id
from carbonray.science.urban.cell_splits import CellSplitRules
from carbonray.science.urban.labels import BackTransform
from carbonray.settings import Settings, load
from carbonray.stages.cell_bundles import cell_bundle
from carbonray.stages.cell_encoding import EncodeCells
from carbonray.stages.cell_regression import RegressCells, Told
from tests.benchmarks.worker_process import in_one_process

PX, CITY = 256, "yinchuan_like"
UNITS, REPEATS, WARM_UNITS = 8, 3, 2  # an actor works on two units at once; the clock starts when they are done
SIDES = (40, 120, 360)  # of squares of cells, up to a whole output shard
GOAL = 0.85
Row = dict[str, Any]


@dataclass(frozen=True)
class Prepared:
    """The pass over the city's fullest tiles, and how many cells each has."""

    encode: Pass
    cells: dict[str, int]


def settings_of(folder: Path) -> Settings:
    world = f"{folder}/world"
    inputs = {"mask": f"{world}/mask/*", "poi": f"{world}/poi/*", "basemap": f"{world}/basemap/*/*.tif"}
    given = [f"inputs.{name}={glob}" for name, glob in inputs.items()]
    return load([], [*given, f"inputs.bundles={folder}/bundles", "engine.backend=memory"])


def prepare(folder: Path) -> Prepared:
    """Draws the city, writes one bundle of first weights, and plans the pass."""
    told = ["engine.backend=memory", "world.parts=[cities]", f"cities.px={PX}", f"cities.names=[{CITY}]"]
    run_job("world", load([], told), str(folder), "world")
    save_first(folder)
    settings = settings_of(folder)
    run = open_run(str(folder), "grid", "grid", "bench", {}, settings.engine)
    celled = run.execute(grid.cells_pass(run, settings))
    pointed = run.execute(grid.points_pass(run, settings, celled))
    encode = grid.encode_pass(run, settings, celled, pointed, cell_pins(settings))
    fullest = sorted(encode.units, key=lambda unit: -unit.expected_rows)[:3]
    return Prepared(replace(encode, units=tuple(fullest)), {unit.key: unit.expected_rows for unit in fullest})


def save_first(folder: Path, **config: Any) -> None:
    """A bundle with weights as they are first drawn; the published network at 256 pixels but for what is told."""
    torch.manual_seed(0)
    network = OpenCarbon(OpenCarbonConfig(**{"image_px": PX, "pad": "learned_mask", **config}))
    tensors = {name: value.numpy() for name, value in network.state_dict().items()}
    lineage = Lineage("", "", 0, 0, 0, 0, "", "", {}, {}, {})
    names, back = read_category_map().names, BackTransform(1.0, 1.0)
    bundle = cell_bundle("opencarbon", 0, network.config, tensors, back=back, categories=names,
                         split=CellSplitRules(), lineage=lineage)  # fmt: skip
    save_bundle(f"{folder}/bundles/0", bundle)


def streamed(prepared: Prepared, out: str) -> tuple[float, dict[str, float]]:
    """Cells a second in the steady state, and the mean milliseconds of each step a cell."""
    units = repeated(prepared.encode.units, UNITS)
    times, done, seconds = [], [], Counter[str]()
    for outcome in graph.stream(replace(prepared.encode, units=units), out, units, read_cpus=0.5):
        assert outcome.status == "committed", outcome
        times.append(time.perf_counter())
        done.append(prepared.cells[outcome.key.split("~")[1]])
        if len(done) > WARM_UNITS:  # before, the actor opened its model
            seconds.update(dict(outcome.seconds))
    cells = sum(done[WARM_UNITS:])
    return cells / (times[-1] - times[WARM_UNITS - 1]), {k: 1000 * v / cells for k, v in seconds.items()}


def repeated(units: tuple[Unit, ...], count: int) -> tuple[Unit, ...]:
    """So many units over a few tiles."""
    chosen = [units[number % len(units)] for number in range(count)]
    return tuple(replace(unit, unit_id=f"{n:032d}", key=f"{n:03d}~{unit.key}") for n, unit in enumerate(chosen))


def bare(encode: Pass) -> float:
    """Cells a second of a process that does nothing but put full batches that lie ready to the encoders."""
    stage: Any = encode.pools[0].make()
    assert isinstance(stage, EncodeCells)
    size = stage._rules.batch_cells
    batches = [tiles for unit in encode.units for rows, tiles in stage._tiles(encode.read(unit).batch)
               if len(rows) == size]  # fmt: skip
    network, started = stage._networks[0], 0.0
    with torch.inference_mode():
        for number in range(2):
            started = time.perf_counter() if number == 1 else started  # the first round warms up
            for tiles in batches:
                network.encode_image(tiles.pixels())
                network.encode_poi(tiles.raster(network.config.poi_categories, PX))
    return len(batches) * size / (time.perf_counter() - started)


def regressed(folder: Path, side: int) -> float:
    """Milliseconds a cell of the stage that regresses a square of cells."""
    settings = settings_of(folder)
    stage = RegressCells(cell_pins(settings), settings.grid.predict, settings.grid.rules, Told("", ""))
    batch = square(side)
    started = time.perf_counter()
    stage(batch)
    return 1000 * (time.perf_counter() - started) / side**2


def square(side: int) -> Batch:
    """Cells with random embeddings."""
    first = [int(part) for part in cell_at(45.0, 10.0)]
    row, col = (part.ravel() for part in np.mgrid[0:side, 0:side])
    rng, n = np.random.default_rng(0), side**2
    vectors = rng.normal(size=(2, n, 1, 32)).astype(np.float32)
    packed = [np.array([one.tobytes() for one in part], object) for part in vectors]
    there = np.ones(n, np.bool_)
    return {
        "cell_id": cell_id(first[0] + row, first[1] + col), "image_present": there, "poi_present": there,
        "n_points": np.ones(n, np.int32), "image_vectors": packed[0], "poi_vectors": packed[1], "own": there,
        "city": np.full(n, "square", object), "fold": np.full(n, -1, np.int8),
        "data_tier": np.full(n, "SYNTHETIC-T0", object),
    }  # fmt: skip


def rows() -> list[Row]:
    """The rate of pass one beside the bare encoders, what its steps cost, and the cost of pass two by size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = prepare(folder)
        bares, streams, costs = [], [], []
        cluster.connect(LocalRules(num_cpus=2, object_store_mb=1024))
        cluster.quiet_data()
        try:
            for repeat in range(REPEATS):
                bares.append(in_one_process(bare, prepared.encode))
                rate, cost = streamed(prepared, f"{folder}/out-{repeat}")
                streams.append(rate)
                costs.append(cost)
        finally:
            ray.shutdown()
        rate = statistics.median(bares)
        against = f"bare encoders, {rate:.2f} cells/s, one process; goal {GOAL}"
        found = [row("cells stream: encode", statistics.median(streams), "cells/s", against,
                     statistics.median(streams) / rate)]  # fmt: skip
        for step in costs[0]:
            cost_ms = statistics.median(cost[step] for cost in costs)
            found.append(row(f"cells stream: {step}", cost_ms, "ms/cell", "the bare encoders", cost_ms * rate / 1000))
        small = in_one_process(regressed, folder, SIDES[0])
        for side in SIDES:
            each = in_one_process(regressed, folder, side)
            found.append(
                row(f"cells regress: {side**2:,} cells", each, "ms/cell", f"{SIDES[0] ** 2:,} cells", each / small)
            )
        return found


def row(name: str, value: float, unit: str, against: str, ratio: float | None) -> Row:
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": ratio}


if __name__ == "__main__":
    import json

    print(json.dumps(rows(), indent=1))

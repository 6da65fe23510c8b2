"""What planning a planet of a million urban cells takes, from polygons of 400 cities, and what the plan says it costs.

The mask is made here; no basemap and no points are read, as in every plan. The bundle is one of first weights.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import shapely

from carbonray.catalogue import digest, find_job
from carbonray.pipelines.estimate import estimate
from carbonray.science.spatial.cells import cell_bounds
from carbonray.settings import load
from tests.benchmarks.cells_stream import row, save_first

CITIES, SIDE = (20, 20), 50  # rows and columns of cities, cells of a side
Row = dict[str, Any]
Bounds = tuple[float, float, float, float]


def planet(path: Path, cities: int = CITIES[0] * CITIES[1]) -> list[Bounds]:
    """Square cities between 60 S and 60 N, none across the edge of another; west, south, east and north of each."""
    features, bounds = [], []
    for number in range(cities):
        row_, col = 3600 + number // CITIES[1] * 700, 500 + number % CITIES[1] * 2100
        west, _, _, north = (float(edge) for edge in cell_bounds(row_, col))
        _, south, east, _ = (float(edge) for edge in cell_bounds(row_ + SIDE - 1, col + SIDE - 1))
        shape = json.loads(shapely.to_geojson(shapely.box(west, south, east, north)))
        features.append({"type": "Feature", "properties": {"city": f"city {number:03d}"}, "geometry": shape})
        bounds.append((west, south, east, north))
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return bounds


def rows() -> list[Row]:
    """Seconds to plan, and the plan's own figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planet(folder / "planet.geojson")
        save_first(folder)
        settings = load(
            [],
            [f"inputs.mask={folder}/planet.geojson", "inputs.basemap=s3://basemap/{x}/{y}.png",
             f"inputs.bundles={folder}/bundles", "engine.model_actors=64", "engine.local.num_cpus=128"],
        )  # fmt: skip
        started = time.perf_counter()
        units = find_job("grid").plan(settings, digest("grid", settings))
        told = estimate(units, settings)
        seconds = time.perf_counter() - started
    return [
        row("cells plan: a planet", seconds, "s", f"{told['cells']:,} cells, {told['units']:,} units", None),
        row("cells plan: estimated", told["estimated_cpu_h"], "CPU h", "one instance at 256 pixels, on CPUs", None),
    ]


if __name__ == "__main__":
    print(json.dumps(rows(), indent=1))

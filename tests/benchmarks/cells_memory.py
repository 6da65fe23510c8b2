"""Memory of the 1 km job with ten times the cells: the sum over all its processes must not follow its input.

Square cities of 2,500 cells, their basemap noise in GeoTIFFs, their points dealt at random; a small network with its
first weights answers. The job is a program of its own, page and raster included.
"""

import tempfile
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_bounds

from tests.benchmarks.cells_plan import SIDE, Bounds, planet
from tests.benchmarks.cells_stream import save_first
from tests.benchmarks.process_memory import peak_pss_mb, row

CITIES, TIMES = 4, 10  # enough that the shorter run, too, has started every process it will have
PX, POINTS = 32, 8  # of a cell: pixels of a side of its image, points of interest
CLASSES = ("cafe", "school", "bank", "hotel", "clothes")
GOAL = 1.15


def rows() -> list[dict[str, object]]:
    """The two peaks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_first(folder, image_px=PX, width=8)
        few, many = (peak_mb(folder / str(cities), folder, cities) for cities in (CITIES, CITIES * TIMES))
    cells = SIDE**2 * CITIES
    return [row(f"cells memory: {cells * TIMES:,} cells", many, few, f"the same job over {cells:,}", GOAL)]


def peak_mb(world: Path, folder: Path, cities: int) -> float:
    """The job over so many cities, which are made under a folder of their own."""
    (world / "basemap").mkdir(parents=True)
    rng, lines = np.random.default_rng(0), ["osm_id,fclass,lon,lat"]
    for number, city in enumerate(planet(world / "mask.geojson", cities)):
        image(world / f"basemap/{number:03d}.tif", city, rng)
        lines += points(city, rng, len(lines))
    (world / "poi.csv").write_text("\n".join(lines))
    sets = [f"inputs.mask={world}/mask.geojson", f"inputs.poi={world}/poi.csv", f"inputs.basemap={world}/basemap/*.tif",
            f"inputs.bundles={folder}/bundles", f"grid.basemap.image_px={PX}"]  # fmt: skip
    return peak_pss_mb("grid", world, "run", sets)


def image(path: Path, city: Bounds, rng: np.random.Generator) -> None:
    """Noise of the network's own pixels over a city."""
    side = SIDE * PX
    told = {"driver": "GTiff", "dtype": "uint8", "count": 3, "width": side, "height": side, "crs": "EPSG:4326",
            "tiled": True, "transform": from_bounds(*city, side, side)}  # fmt: skip
    with rasterio.open(path, "w", **told) as file:
        file.write(rng.integers(0, 256, (3, side, side), dtype=np.uint8))


def points(city: Bounds, rng: np.random.Generator, first: int) -> list[str]:
    """Lines of a table of points, dealt over a city."""
    west, south, east, north = city
    count = POINTS * SIDE**2
    kind, lon, lat = (
        rng.integers(0, len(CLASSES), count),
        rng.uniform(west, east, count),
        rng.uniform(south, north, count),
    )
    dealt = enumerate(zip(kind, lon, lat, strict=True), first)
    return [f"{number},{CLASSES[at]},{x:.6f},{y:.6f}" for number, (at, x, y) in dealt]


if __name__ == "__main__":
    import json

    print(json.dumps(rows(), indent=1))

"""Ingest of imagery against reading and cropping the same files bare: what the store costs beside its input.

Scenes are written as their providers do (tiled, deflated bands; a mask; metadata), larger than the plant's region. Bare
is rasterio alone: each file opened, the windows of all bands and masks read, nothing else. Seconds are CPU
seconds of all threads, so that what is shown is per core. MB are the cropped integers before compression.
"""

import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import rasterio
from rasterio.windows import from_bounds

from carbonray.contract import Unit
from carbonray.io.imagery.image import RegionGrid, Structure
from carbonray.io.imagery.items import load_item
from carbonray.io.imagery.raster import GDAL_OPTIONS
from carbonray.io.imagery.readers import READERS
from carbonray.io.imagery.region import RegionRules, region_grid
from carbonray.stages.imagery import IngestRegion, region_partition
from carbonray.vocab.sensors import IMAGERS
from tests.io.imagery.native_files import landsat_mtl, odl, scene_xml

PLANT = (Structure("t", "NDT", 51.43, 6.99), Structure("s", "FGD", 51.437, 7.0))
IMAGES = 24  # of one plant, imager and year
SCENE_PX = 1500  # side of a scene at the imager's pixel; real ones are larger, and a window of them costs the same
ROUNDS = 3


def rows() -> list[dict[str, object]]:
    """Images and megabytes per second of each imager."""
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in IMAGERS:
            grid = region_grid(PLANT, IMAGERS[name], RegionRules())
            urls, windows = _year(Path(folder) / name, name, grid)
            found += _rows(name, grid, urls, windows)
    return found


def _rows(name: str, grid: RegionGrid, urls: list[str], files: list[tuple[str, int]]) -> list[dict[str, object]]:
    ingest, unit = IngestRegion(RegionRules()), _unit(name, urls)
    assert ingest(unit).rows["kept"] == IMAGES
    bare_s = _best(lambda: [_bare(files, grid) for _ in urls]) / IMAGES
    reading_s = _best(lambda: [READERS[name](load_item(url), IMAGERS[name], grid) for url in urls]) / IMAGES
    ingest_s = _best(lambda: ingest(unit)) / IMAGES
    mb = (2 * len(IMAGERS[name].bands) + 1) * grid.rows * grid.cols / 1e6
    bare = "the same windows read bare by rasterio"
    return [
        _row(f"imagery ingest, {name}", 1 / ingest_s, "images/s/core", bare, bare_s / ingest_s),
        _row(f"imagery ingest, {name}", mb / ingest_s, "MB/s/core", bare, bare_s / ingest_s),
        _row(f"imagery readers, {name}", 1 / reading_s, "images/s/core", bare, bare_s / reading_s),
        _row(f"imagery bare, {name}", mb / bare_s, "MB/s/core", None, None),
    ]


def _bare(files: list[tuple[str, int]], grid: RegionGrid) -> int:
    bounds = (grid.left, grid.top - grid.rows * grid.pixel_m, grid.left + grid.cols * grid.pixel_m, grid.top)
    pixels = 0
    with rasterio.Env(**GDAL_OPTIONS):
        for path, bands in files:
            with rasterio.open(path) as file:
                window = from_bounds(*bounds, transform=file.transform).round_offsets().round_lengths()
                pixels += file.read(list(range(1, bands + 1)), window=window).size
    return pixels


def _year(folder: Path, name: str, grid: RegionGrid) -> tuple[list[str], list[tuple[str, int]]]:
    """Item URLs of a year whose acquisitions share their files, and those files with their bands."""
    folder.mkdir()
    files = {"sentinel2": _sentinel, "landsat8": _landsat, "planetscope": _planet}[name](folder, grid)
    urls = []
    for number in range(IMAGES):
        taken = datetime(2021, 1 + number // 2, 1 + number % 2, 10, tzinfo=UTC)
        item = pystac.Item(f"{name}-{number:03}", None, None, taken, {})
        for key, path in files.items():
            item.add_asset(key, pystac.Asset(path.as_posix()))
        path = folder / f"{item.id}.json"
        path.write_text(json.dumps(item.to_dict(include_self_link=False)))
        urls.append(path.as_posix())
    return urls, [(path.as_posix(), _count(path)) for path in files.values() if path.suffix == ".tif"]


def _sentinel(folder: Path, grid: RegionGrid) -> dict[str, Path]:
    files = {band.name: _scene(folder / f"{band.name}.tif", grid, band.pixel_m) for band in IMAGERS["sentinel2"].bands}
    return files | {"qa60": _scene(folder / "qa60.tif", grid, 60.0)}


def _landsat(folder: Path, grid: RegionGrid) -> dict[str, Path]:
    pixels = {band.name: 15.0 if band.name == "B8" else 30.0 for band in IMAGERS["landsat8"].bands}
    files = {name: _scene(folder / f"{name}.tif", grid, pixel) for name, pixel in pixels.items()}
    (folder / "MTL.txt").write_text(odl(landsat_mtl()))
    return files | {"qa_pixel": _scene(folder / "qa.tif", grid, 30.0), "MTL": folder / "MTL.txt"}


def _planet(folder: Path, grid: RegionGrid) -> dict[str, Path]:
    (folder / "a.xml").write_text(scene_xml(4))
    masks = _scene(folder / "udm2.tif", grid, 3.0, bands=8, kind="uint8")
    return {"analytic": _scene(folder / "a.tif", grid, 3.0, bands=4), "udm2": masks, "analytic_xml": folder / "a.xml"}


def _scene(path: Path, grid: RegionGrid, pixel: float, *, bands: int = 1, kind: str = "uint16") -> Path:
    """A scene of smooth ground and sensor noise around the region, on the product's lattice."""
    side, ratio = int(SCENE_PX * grid.pixel_m / pixel), 60.0 if grid.pixel_m == 10.0 else grid.pixel_m
    left, top = (
        np.floor(edge / ratio) * ratio for edge in (grid.left - 400 * grid.pixel_m, grid.top + 400 * grid.pixel_m)
    )
    shift = 15.0 if grid.pixel_m == 30.0 else 0.0  # Landsat's pixel edges
    half = 7.5 if pixel == 15.0 else 0.0
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:side, 0:side] / side * 20
    ground = 1500 + 500 * np.sin(x) * np.cos(1.3 * y) + rng.normal(0, 40, (bands, side, side))
    profile = {
        "driver": "GTiff",
        "count": bands,
        "height": side,
        "width": side,
        "dtype": kind,
        "crs": f"EPSG:{grid.epsg}",
        "transform": rasterio.Affine(pixel, 0, left + shift - half, 0, -pixel, top + shift + half),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 2,
    }
    with rasterio.open(path, "w", **profile) as file:
        file.write((ground if kind == "uint16" else np.zeros_like(ground)).astype(kind))
    return path


def _unit(name: str, urls: list[str]) -> Unit:
    return Unit("images", "bench", name, region_partition("p", name, 2021, PLANT), tuple(urls), ("",) * len(urls))


def _count(path: Path) -> int:
    with rasterio.open(path) as file:
        return int(file.count)


def _best(work: Callable[[], object]) -> float:
    """Least CPU seconds, of all threads, over some rounds: the machine is not ours alone."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def _row(name: str, value: float, unit: str, against: str | None, ratio: float | None) -> dict[str, object]:
    return {"name": name, "value": float(value), "unit": unit, "against": against, "ratio": ratio}

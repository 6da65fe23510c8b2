"""Which files of a basemap lie where: GeoTIFFs by their bounds, trees of map tiles by zoom, column and row.

Sources: GDAL; the slippy-map convention (OpenStreetMap wiki: tile 0/0 lies at the north-west, 2^z tiles a side, between
the parallels of 85.05 degrees in EPSG:3857). The index is made once, on the driver, and travels to whoever reads.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.imagery.raster import opened_raster
from carbonray.io.urban.cell_windows import Bounds, degree_bounds

_RASTER = (".tif", ".tiff", ".vrt", ".jp2")
_TILE = re.compile(r"(?P<z>\d{1,2})/(?P<x>\d+)/(?P<y>\d+)(?P<end>\.(?:png|jpe?g|webp|tiff?))", re.IGNORECASE)
_HALF_WORLD_M = np.pi * 6_378_137.0  # of EPSG:3857


@dataclass(frozen=True)
class TileTree:
    """Map tiles of one zoom.

    Attributes:
        template: URL with {x} and {y}.
        zoom: of the tiles.
        present: ascending x * 2**32 + y of those there are; None where they were not listed.
    """

    template: str
    zoom: int
    present: NDArray[np.int64] | None

    def url(self, x: int, y: int) -> str:
        """Of a tile."""
        return self.template.format(z=self.zoom, x=x, y=y)

    def span(self, bounds: Bounds) -> tuple[range, range]:
        """Columns and rows of the tiles that hold some of (west, south, east, north), within the world."""
        west, south, east, north = bounds
        count = 2**self.zoom
        x = [(lon + 180.0) / 360.0 * count for lon in (west, east)]
        merc = [np.arcsinh(np.tan(np.radians(np.clip(lat, -89.9, 89.9)))) for lat in (north, south)]
        y = [(1.0 - height / np.pi) / 2.0 * count for height in merc]
        (left, right), (top, bottom) = (
            (max(int(np.floor(low)), 0), min(int(np.ceil(high)), count)) for low, high in (x, y)
        )
        return range(left, right), range(top, bottom)

    def has(self, x: int, y: int) -> bool:
        """Whether a tile is there, or may be."""
        if self.present is None:
            return True
        key = x * 2**32 + y
        at = int(np.searchsorted(self.present, key))
        return at < len(self.present) and int(self.present[at]) == key

    def corner_m(self, x: int, y: int) -> tuple[float, float, float]:
        """X and y of a tile's north-west corner in EPSG:3857, and its side, metres."""
        side = 2.0 * _HALF_WORLD_M / 2**self.zoom
        return x * side - _HALF_WORLD_M, _HALF_WORLD_M - y * side, side


@dataclass(frozen=True)
class BasemapIndex:
    """What a basemap is made of. Where several files hold a pixel, the first counts.

    Attributes:
        rasters: URLs, sorted.
        bounds: (raster, 4) west, south, east, north, degrees; east is beyond 180 where a raster lies across it.
        trees: sorted by template; they come after the rasters.
    """

    rasters: tuple[str, ...]
    bounds: NDArray[np.float64]
    trees: tuple[TileTree, ...]

    def files_of(self, bounds: Bounds) -> tuple[str, ...]:
        """Rasters that may hold some of (west, south, east, north), in the order in which they count."""
        west, south, east, north = bounds
        left, bottom, right, top = self.bounds.T
        inside = np.zeros(len(self.rasters), np.bool_)
        for turn in (-360.0, 0.0, 360.0):
            inside |= (left < east + turn) & (right > west + turn)
        return tuple(self.rasters[at] for at in np.flatnonzero(inside & (bottom < north) & (top > south)))


def index_basemap(urls: Iterable[str]) -> BasemapIndex:
    """Opens every raster and lists every tree of tiles once.

    Args:
        urls: rasters; folders with tiles as z/x/y.png (or .jpg, .webp, .tif), of whose zooms the deepest counts; or
            templates with {x}, {y} and the zoom in digits, such as `s3://bucket/map/15/{x}/{y}.png`, which are not
            listed: for trees too large to list, whose missing tiles are found missing when they are asked for.

    Raises:
        DataError: a raster cannot be read, or does not say where it lies.
        SettingsError: a folder holds no tiles.
        TransportError: something could not be moved.
    """
    names = sorted(set(urls))
    rasters = [url for url in names if url.casefold().endswith(_RASTER) and "{x}" not in url]
    trees = [_template(url) if "{x}" in url else _listed(url) for url in names if url not in rasters]
    bounds = np.array([_bounds(url) for url in rasters], np.float64).reshape(-1, 4)
    return BasemapIndex(tuple(rasters), bounds, tuple(trees))


def _bounds(url: str) -> Bounds:
    with opened_raster(url) as dataset:
        return degree_bounds(dataset, url)


def _template(url: str) -> TileTree:
    zoom = re.search(r"/(\d{1,2})/\{x\}", url)
    if "{y}" not in url or zoom is None:
        raise _no_tree("a template without {y} or without the zoom's digits before {x}", url)
    return TileTree(url, int(zoom.group(1)), None)


def _listed(url: str) -> TileTree:
    """The tiles of a folder's deepest zoom."""
    found = [match for key in objectstore.listing(url) if (match := _TILE.fullmatch(key))]
    if not found:
        raise _no_tree("no tile is named z/x/y.png, .jpg, .webp or .tif", url)
    zoom = max(int(match["z"]) for match in found)
    tiles = [match for match in found if int(match["z"]) == zoom]
    ends = sorted({match["end"] for match in tiles})
    if len(ends) > 1:
        raise _no_tree(f"tiles of several kinds ({', '.join(ends)})", url)
    keys = np.array(sorted(int(match["x"]) * 2**32 + int(match["y"]) for match in tiles), np.int64)
    return TileTree(objectstore.join(url, tiles[0]["z"], "{x}", "{y}" + ends[0]), zoom, keys)


def _no_tree(what: str, url: str) -> SettingsError:
    return SettingsError(
        f"not a basemap: {what}",
        where=url,
        expected="rasters, a folder of tiles z/x/y.png, or a template such as s3://bucket/map/15/{x}/{y}.png",
        remedy="Correct inputs.basemap.",
    )

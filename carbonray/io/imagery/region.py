"""The fixed pixel grid of one plant and imager, and where the plant's structures lie on it.

Sources: UTM zones and the polar systems by EPSG; where the pixels of each product lie, from its handbook: the
coordinates of Landsat's pixel centres are multiples of 30 m in a UTM zone of the northern half, south of the equator
too; Sentinel-2 and PlanetScope tile each half's own zone by multiples of their pixel, edge to edge.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from carbonray.errors import DataError
from carbonray.io.imagery.image import RegionGrid, Structure
from carbonray.vocab.sensors import Imager

WGS84 = 4326
POLAR_LAT = {"north": 84.0, "south": -80.0}  # UTM ends here
POLAR_EPSG = {"north": 3413, "south": 3031}


@dataclass(frozen=True)
class RegionRules:
    """How large the region around a plant is.

    Attributes:
        margin_px: pixels kept around the structures: half of the largest patch, 64, and room for shifts (inferred).
        max_extent_m: structures further apart than this are not of one plant (inferred).
    """

    margin_px: int = 48
    max_extent_m: float = 20_000.0


@dataclass(frozen=True)
class Lattice:
    """Where the pixels of a product lie.

    Attributes:
        edge_m: coordinate of a pixel's edge, modulo the pixel.
        northern: whether the southern half of the Earth is mapped in northern zones, with negative northings.
    """

    edge_m: float = 0.0
    northern: bool = False


LATTICES = MappingProxyType({"landsat8": Lattice(edge_m=15.0, northern=True)})  # imager -> where it differs


def region_grid(structures: Sequence[Structure], imager: Imager, rules: RegionRules | None = None) -> RegionGrid:
    """The grid that covers all structures of a plant and a margin around each.

    Args:
        structures: of the plant, at least one; on either side of the 180th meridian if need be.
        imager: whose pixels.
        rules: how large the margin is.

    Raises:
        DataError: there is no structure, one is nowhere on Earth, or they lie too far apart.
    """
    rules = rules or RegionRules()
    _check_points(structures)
    lattice, pixel = LATTICES.get(imager.name, Lattice()), imager.pixel_m
    epsg = zone_epsg(*_centre(structures), northern=lattice.northern)
    x, y = projected(structures, epsg)
    extent = max(np.ptp(x), np.ptp(y))
    if not extent <= rules.max_extent_m:
        raise _bad(f"structures lie {extent / 1000:.1f} km apart", f"at most {rules.max_extent_m / 1000:g} km")
    margin = rules.margin_px * pixel
    left, bottom = (_edge(values.min() - margin, lattice.edge_m, pixel, math.floor) for values in (x, y))
    right, top = (_edge(values.max() + margin, lattice.edge_m, pixel, math.ceil) for values in (x, y))
    return RegionGrid(epsg, left, top, pixel, round((top - bottom) / pixel), round((right - left) / pixel))


def structure_pixels(structures: Sequence[Structure], grid: RegionGrid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column, (structure,) each, of the pixel that holds each structure; outside the grid where it is not."""
    x, y = projected(structures, grid.epsg)
    col, row = (x - grid.left) / grid.pixel_m, (grid.top - y) / grid.pixel_m
    return np.floor(row).astype(np.int64), np.floor(col).astype(np.int64)


def zone_epsg(lat: float, lon: float, *, northern: bool = False) -> int:
    """EPSG code of the UTM zone of a place, or of the polar system beyond 84 N and 80 S."""
    if lat >= POLAR_LAT["north"] or lat < POLAR_LAT["south"]:
        return POLAR_EPSG["north" if lat > 0 else "south"]
    zone = math.floor((lon + 180.0) % 360.0 / 6.0) + 1
    return (32600 if northern or lat >= 0 else 32700) + zone


def projected(structures: Sequence[Structure], epsg: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Easting and northing, m, (structure,) each."""
    lon, lat = (np.array([getattr(each, name) for each in structures], np.float64) for name in ("lon", "lat"))
    x, y = transformer(WGS84, epsg).transform(lon, lat)
    return np.asarray(x), np.asarray(y)


@functools.lru_cache(maxsize=256)
def transformer(source: int, target: int) -> Transformer:
    """From one EPSG code to another, x before y."""
    return Transformer.from_crs(source, target, always_xy=True)


def _centre(structures: Sequence[Structure]) -> tuple[float, float]:
    """Mean latitude, and the mean of the longitudes on the circle, degrees."""
    turn = np.exp(1j * np.radians([each.lon for each in structures])).sum()
    return float(np.mean([each.lat for each in structures])), float(np.degrees(np.angle(turn)))


def _edge(coordinate: float, edge: float, pixel: float, rounded: Callable[[float], int]) -> float:
    """The pixel edge below or above a coordinate."""
    return rounded((coordinate - edge) / pixel) * pixel + edge


def _check_points(structures: Sequence[Structure]) -> None:
    lost = [each.structure_id for each in structures if not (abs(each.lat) <= 90.0 and abs(each.lon) <= 360.0)]
    if lost or not structures:
        raise _bad(f"structures {lost} are nowhere" if lost else "no structure is given", "latitudes and longitudes")


def _bad(what: str, expected: str) -> DataError:
    return DataError(what, where="structures", expected=expected, remedy="Correct the plant's annotations.")

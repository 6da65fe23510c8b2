"""Sentinel-2's cloud masks, in the forms they come in: classes as a raster, outlines as GML, QA60 bits, SCL classes.

Sources: Sentinel-2 Products Specification Document (MSK_CLASSI since baseline 04.00: band 1 opaque cloud, 2 cirrus, 3
snow; before that MSK_CLOUDS, GML polygons of opaque cloud and cirrus); QA60 as catalogs derive it (bit 10 opaque, 11
cirrus); SCL of the level-2A product of the same tile (3 shadow, 8 to 10 cloud and cirrus, 11 snow). (y, x) flags.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pystac
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import from_origin
from shapely.geometry import Polygon
from shapely.ops import transform

from carbonray.errors import DataError
from carbonray.io.imagery.assets import asset_url, no_mask
from carbonray.io.imagery.crop import cut_mask
from carbonray.io.imagery.image import FLAG_BITS, RegionGrid
from carbonray.io.imagery.metadata import elements, number, xml_root
from carbonray.io.imagery.region import transformer

Flags = NDArray[np.uint8]
SCL_FLAGS = MappingProxyType({1: "suspect", 3: "shadow", 8: "cloud", 9: "cloud", 10: "cloud", 11: "snow"})


def cloud_flags(item: pystac.Item, grid: RegionGrid) -> tuple[Flags, int]:
    """Flags of the first mask that the item has, and quality bits.

    Raises:
        DataError: the mask cannot be read.
        TransportError: it could not be moved.
    """
    for key, read in FORMS.items():
        url = asset_url(item, key)
        if url:
            return read(url, grid), 0
    return np.zeros((grid.rows, grid.cols), np.uint8), no_mask("cloud")


def class_flags(url: str, grid: RegionGrid) -> Flags:
    """From MSK_CLASSI."""
    opaque, cirrus, snow = cut_mask(url, grid, (1, 2, 3))
    return _raised((opaque != 0) | (cirrus != 0), "cloud") | _raised(snow != 0, "snow")


def bit_flags(url: str, grid: RegionGrid) -> Flags:
    """From QA60."""
    mask = cut_mask(url, grid)[0].astype(np.int64)
    return _raised((mask & (1 << 10 | 1 << 11)) != 0, "cloud")


def scene_flags(url: str, grid: RegionGrid) -> Flags:
    """From SCL."""
    mask = cut_mask(url, grid)[0]
    flags = np.zeros(mask.shape, np.uint8)
    for value, flag in SCL_FLAGS.items():
        flags |= _raised(mask == value, flag)
    return flags


def outline_flags(url: str, grid: RegionGrid) -> Flags:
    """From MSK_CLOUDS: every outline is a cloud, its pixels those whose centre it holds.

    Raises:
        DataError: an outline is none.
    """
    root = xml_root(url)
    named = next((each.get("srsName", "") for each in elements(root, "Envelope")), "")
    code = named.rpartition(":")[2]
    if not code.isdigit():
        raise DataError(
            f"the mask lies in {named!r}", where=url, expected="an EPSG code", remedy="Take the product again."
        )
    shapes = [_polygon(each.text or "", url) for each in elements(root, "posList")]
    if int(code) != grid.epsg:
        shapes = [transform(transformer(int(code), grid.epsg).transform, each) for each in shapes]
    if not shapes:
        return np.zeros((grid.rows, grid.cols), np.uint8)
    lies = from_origin(grid.left, grid.top, grid.pixel_m, grid.pixel_m)
    burnt: Flags = rasterize(
        shapes, (grid.rows, grid.cols), transform=lies, default_value=FLAG_BITS["cloud"], dtype=np.uint8
    )
    return burnt


FORMS: Mapping[str, Callable[[str, RegionGrid], Flags]] = MappingProxyType(
    {"mask_classi": class_flags, "mask_clouds": outline_flags, "qa60": bit_flags, "QA60": bit_flags, "scl": scene_flags}
)


def _polygon(text: str, url: str) -> Polygon:
    values = [number(word, url) for word in text.split()]
    if len(values) < 6 or len(values) % 2:
        raise DataError(
            f"an outline has {len(values)} coordinates",
            where=url,
            expected="pairs, three at least",
            remedy="Take the product again.",
        )
    return Polygon(np.reshape(values, (-1, 2)))


def _raised(where: NDArray[np.bool_], flag: str) -> Flags:
    return np.where(where, FLAG_BITS[flag], 0).astype(np.uint8)

"""Landsat 8 OLI/TIRS level 1, Collections 2 and 1 and what came before them: GeoTIFF bands, an MTL file, a mask.

Sources: Landsat 8 Data Users Handbook ch. 5 (reflectance = (M Q + A) / sin(sun elevation); radiance = M Q + A; the
brightness temperature is K2 / ln(K1 / L + 1)), Data Format Control Books of the quality bands. The panchromatic band
comes at 15 m and is averaged by area; the thermal bands come resampled to 30 m. Integer 0 is fill.
"""

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pystac
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.imagery.assets import (
    Scaling,
    Sun,
    assembled,
    asset_url,
    band_sources,
    matched_bands,
    no_mask,
    outlined,
    require_level1,
)
from carbonray.io.imagery.crop import cut_bands, cut_mask
from carbonray.io.imagery.image import FLAG_BITS, RegionGrid, RegionImage
from carbonray.io.imagery.metadata import mtl_groups, mtl_value, number, utc_datetime
from carbonray.vocab.sensors import IMAGERS, Imager

ALIASES = MappingProxyType({"nir08": "B5"})  # catalogs of the USGS name the band of 865 nm so


@dataclass(frozen=True)
class MaskBit:
    """A part of the quality band's integer that raises one of our flags.

    Attributes:
        flag: name of the flag.
        shift: lowest bit of the part.
        width: bits of the part.
        least: smallest value that raises the flag: of a confidence, 3 is high.
    """

    flag: str
    shift: int
    width: int = 1
    least: int = 1


# quality band of each collection, by COLLECTION_NUMBER; "" came before them
MASKS: Mapping[str, tuple[MaskBit, ...]] = MappingProxyType(
    {
        "": (
            MaskBit("nodata", 0),
            MaskBit("suspect", 1),
            MaskBit("snow", 10, 2, 3),
            MaskBit("cloud", 12, 2, 3),
            MaskBit("cloud", 14, 2, 3),
        ),
        "01": (
            MaskBit("nodata", 0),
            MaskBit("saturated", 2, 2),
            MaskBit("cloud", 4),
            MaskBit("shadow", 7, 2, 3),
            MaskBit("snow", 9, 2, 3),
            MaskBit("cloud", 11, 2, 3),
        ),
        "02": (
            MaskBit("nodata", 0),
            MaskBit("cloud", 1),
            MaskBit("cloud", 2),
            MaskBit("cloud", 3),
            MaskBit("shadow", 4),
            MaskBit("snow", 5),
        ),
    }
)


def read_landsat8(item: pystac.Item, imager: Imager, grid: RegionGrid) -> RegionImage:
    """One scene cut to a region.

    Args:
        item: with an asset for each band, `MTL` (text or JSON) and, where there is one, `qa_pixel` or `BQA`.
        imager: declared bands.
        grid: of the region.

    Raises:
        DataError: a file is bad, the metadata lack a coefficient, the sun is down, or the region is not covered.
        TransportError: bytes could not be moved.
    """
    require_level1(item)
    groups = mtl_groups(asset_url(item, "MTL", "MTL.json", "MTL.txt") or _no_mtl(item))
    stack = cut_bands(band_sources(matched_bands(item, imager, ALIASES)), grid, item.id)
    mask = asset_url(item, "qa_pixel", "QA_PIXEL", "BQA")
    flags = np.zeros(stack.flags.shape, np.uint8)
    if mask:
        flags = mask_flags(cut_mask(mask, grid)[0], mtl_value(groups, "COLLECTION_NUMBER", ""))
    sun = Sun(*(number(mtl_value(groups, f"SUN_{name}"), item.id) for name in ("ELEVATION", "AZIMUTH")))
    quality = no_mask("haze") | (0 if mask else no_mask("cloud"))
    scaling = toa_scaling(groups, imager, sun.elevation_deg, item.id)
    return assembled(item, imager, grid, stack, scaling, flags, sun=sun, quality=quality)


def toa_scaling(groups: dict[str, dict[str, str]], imager: Imager, sun_elevation_deg: float, where: str) -> Scaling:
    """Coefficients of each band: reflectance corrected for the sun's elevation, radiance where it is thermal.

    Raises:
        DataError: a coefficient is missing, or the sun is not above the horizon.
    """
    if not 0.0 < sun_elevation_deg <= 90.0:
        raise DataError(
            f"the sun stands at {sun_elevation_deg} degrees",
            where=where,
            expected="above the horizon",
            remedy="Leave the night image out.",
        )
    sine = math.sin(math.radians(sun_elevation_deg))
    rows = []
    for band in imager.bands:
        told, height = ("RADIANCE", 1.0) if band.thermal else ("REFLECTANCE", sine)
        names = [f"{told}_MULT_BAND_{band.name[1:]}", f"{told}_ADD_BAND_{band.name[1:]}"]
        scale, offset = (number(mtl_value(groups, name), where) / height for name in names)
        constants = [f"{name}_CONSTANT_BAND_{band.name[1:]}" for name in ("K1", "K2")] if band.thermal else []
        rows.append(
            [scale, offset, *([number(mtl_value(groups, name), where) for name in constants] or [math.nan] * 2)]
        )
    return Scaling(*np.array(rows, np.float64).T.copy())


def mask_flags(mask: NDArray[np.uint16], collection: str) -> NDArray[np.uint8]:
    """Flags of a pixel, (y, x), from the quality band of a collection; low cirrus confidence is no cloud.

    Raises:
        DataError: the collection is unknown.
    """
    if collection not in MASKS:
        raise DataError(
            f"collection {collection!r} is unknown",
            where="COLLECTION_NUMBER",
            expected=f"one of {sorted(MASKS)}",
            remedy="Take the scene of Collection 2.",
        )
    return _flags_of_values(collection)[mask]


@functools.lru_cache(maxsize=len(MASKS))
def _flags_of_values(collection: str) -> NDArray[np.uint8]:
    """(65536,): flags of every value that a quality band can have."""
    values = np.arange(1 << 16)
    flags = np.zeros(values.shape, np.uint8)
    for bit in MASKS[collection]:
        part = (values >> bit.shift) & ((1 << bit.width) - 1)
        flags[part >= bit.least] |= FLAG_BITS[bit.flag]
    return flags


def mtl_item(url: str) -> pystac.Item:
    """The item of a folder that holds a scene as the USGS delivers it, by its MTL file.

    Raises:
        DataError: the MTL cannot be read, or lacks the scene's id, place or time.
    """
    groups = mtl_groups(url)
    corners = [
        [number(mtl_value(groups, f"CORNER_{corner}_{axis}_PRODUCT"), url) for axis in ("LON", "LAT")]
        for corner in ("UL", "UR", "LR", "LL")
    ]
    geometry, box = outlined(corners)
    made = mtl_value(groups, "DATE_PRODUCT_GENERATED", mtl_value(groups, "FILE_DATE", ""))
    item = pystac.Item(
        id=mtl_value(groups, "LANDSAT_PRODUCT_ID", mtl_value(groups, "LANDSAT_SCENE_ID", "")) or _no_mtl(url),
        geometry=geometry,
        bbox=box,
        datetime=utc_datetime(f"{mtl_value(groups, 'DATE_ACQUIRED')}T{mtl_value(groups, 'SCENE_CENTER_TIME')}", url),
        properties={
            "platform": mtl_value(groups, "SPACECRAFT_ID"),
            "processing:level": "L1",
            **({"created": made} if made else {}),
        },
    )
    item.set_self_href(url)
    stem = re.sub(r"MTL\.(txt|json)$", "", url)
    item.add_asset("MTL", pystac.Asset(url))
    for name, href in _beside(stem).items():
        item.add_asset(name, pystac.Asset(href))
    return item


def _beside(stem: str) -> dict[str, str]:
    """Band or mask -> URL of its file, of the files that begin as the MTL does."""
    folder, _, begin = stem.rpartition("/")
    wanted = {band.name for band in IMAGERS["landsat8"].bands} | {"BQA", "QA_PIXEL"}
    found = {}
    for name in objectstore.listing(folder or "."):
        match = re.fullmatch(re.escape(begin) + r"(\w+)\.tiff?", name, re.IGNORECASE)
        if match and match[1].upper() in wanted:
            found[match[1].upper()] = objectstore.join(folder or ".", name)
    return found


def _no_mtl(where: pystac.Item | str) -> str:
    raise DataError(
        "there is no MTL file, or it has no id",
        where=where if isinstance(where, str) else where.id,
        expected="an asset MTL, text or JSON",
        remedy="Take the scene with its metadata: without them its integers mean nothing.",
    )

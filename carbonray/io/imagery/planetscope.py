"""PlanetScope PSScene: an analytic GeoTIFF of four or eight bands, its UDM2 masks, and metadata as XML or JSON.

Source: Planet's PSScene and UDM2 product specifications. DN * reflectanceCoefficient is the reflectance at the top of
the atmosphere (DN / 100 the radiance); DN 0 is nodata. UDM2 bands: clear, snow, shadow, light haze, heavy haze, cloud,
confidence, and the unusable data mask, whose bit 0 is blackfill and whose other bits but cloud doubt one band each.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pystac
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.imagery.assets import Scaling, assembled, asset_url, no_mask, outlined, require_level1, sun_of
from carbonray.io.imagery.crop import BandSource, cut_bands, cut_mask
from carbonray.io.imagery.image import FLAG_BITS, RegionGrid, RegionImage
from carbonray.io.imagery.metadata import elements, number, read_json, utc_datetime, xml_root, xml_text
from carbonray.vocab.sensors import Imager

# bands in a file -> common name of a band -> its place, from 1
LAYOUTS: Mapping[int, Mapping[str, int]] = MappingProxyType(
    {
        4: MappingProxyType({"blue": 1, "green": 2, "red": 3, "nir": 4}),
        8: MappingProxyType({"coastal": 1, "blue": 2, "green": 4, "yellow": 5, "red": 6, "rededge": 7, "nir": 8}),
    }
)
UDM2_FLAGS = MappingProxyType({2: "snow", 3: "shadow", 4: "light_haze", 5: "haze", 6: "cloud"})
_UNUSABLE_BAND, _BLACKFILL, _SUSPECT = 8, 0b1, 0b1111_1100
_ANALYTIC = re.compile(r"_3B_AnalyticMS(_8b)?(_clip)?(_file_format)?\.tiff?$")
_UDM2 = re.compile(r"_3B_udm2(_clip)?(_file_format)?\.tiff?$")
_XML = re.compile(r"_3B_AnalyticMS(_8b)?_metadata(_clip)?\.xml$")
_ENDING = re.compile(r"(_3B_AnalyticMS(_8b)?)?_metadata(_clip)?\.(json|xml)$")


def read_planetscope(item: pystac.Item, imager: Imager, grid: RegionGrid) -> RegionImage:
    """One scene cut to a region.

    Args:
        item: with assets `analytic`, and `analytic_xml` where `raster:bands` of it do not scale; `udm2` where there is.
        imager: declared bands.
        grid: of the region.

    Raises:
        DataError: a file is bad, a coefficient is missing, or the region is not covered.
        TransportError: bytes could not be moved.
    """
    require_level1(item)
    key, url = _analytic(item)
    coefficients = _coefficients(item, key)
    layout = _layout(len(coefficients), item.id)
    places = [layout.get(band.common) for band in imager.bands]
    sources = [BandSource(url, place, count=len(coefficients)) if place else None for place in places]
    stack = cut_bands(sources, grid, item.id)
    scale = [coefficients.get(place or 0, float("nan")) for place in places]
    if any(place and not coefficients.get(place, 0.0) > 0.0 for place in places):
        raise _no_coefficient(item.id, scale)
    masks, quality = _udm2(asset_url(item, "udm2", "ortho_udm2", "UDM2"), grid)
    return assembled(
        item,
        imager,
        grid,
        stack,
        Scaling.reflective(scale, np.zeros(len(scale)).tolist()),
        masks,
        sun=sun_of(item),
        quality=quality,
    )


def udm2_flags(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Flags of a pixel, (y, x), from the eight UDM2 bands, (band, y, x)."""
    flags = np.zeros(mask.shape[1:], np.uint8)
    for band, flag in UDM2_FLAGS.items():
        flags[mask[band - 1] == 1] |= FLAG_BITS[flag]
    unusable = mask[_UNUSABLE_BAND - 1]
    flags[(unusable & _BLACKFILL) != 0] |= FLAG_BITS["nodata"]
    flags[(unusable & _SUSPECT) != 0] |= FLAG_BITS["suspect"]
    return flags


def scene_item(url: str) -> pystac.Item:
    """The item of a PSScene as Planet delivers it, by its metadata, JSON or XML; the files lie beside it.

    Raises:
        DataError: the metadata cannot be read, or the scene has no analytic file.
    """
    item = _from_json(url) if url.endswith(".json") else _from_xml(url)
    folder, _, name = url.rpartition("/")
    begin = _ENDING.sub("", name)
    beside = [each for each in objectstore.listing(folder or ".") if each.startswith(begin)]
    for key, pattern in (("analytic", _ANALYTIC), ("udm2", _UDM2), ("analytic_xml", _XML)):
        found = next((each for each in sorted(beside) if pattern.search(each)), None)
        if found:
            item.add_asset(key, pystac.Asset(objectstore.join(folder or ".", found)))
    item.set_self_href(url)
    return item


def _from_json(url: str) -> pystac.Item:
    content = read_json(url)
    try:
        told, outline = content["properties"], content["geometry"]["coordinates"][0]
        return _item(content["id"], outline, told["acquired"], told.get("published") or told.get("updated"), told, url)
    except (KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"the scene's metadata lack {error}",
            where=url,
            expected="id, geometry and properties of a PSScene",
            remedy="Take the scene from its provider again.",
        ) from error


def _from_xml(url: str) -> pystac.Item:
    root = xml_root(url)
    corners = [
        [number(xml_text(corner, axis), url) for axis in ("longitude", "latitude")]
        for name in ("topLeft", "topRight", "bottomRight", "bottomLeft")
        for corner in elements(root, name)
    ]
    sun = {
        f"sun_{name.lower()}": xml_text(root, f"illumination{name}Angle", "") or None
        for name in ("Elevation", "Azimuth")
    }
    name = _ENDING.sub("", url.rpartition("/")[2])
    made = xml_text(root, "productionDate", "") or xml_text(root, "archivingDate", "") or None
    return _item(name, corners, xml_text(root, "acquisitionDateTime"), made, sun, url)


def _item(
    scene: str, outline: list[list[float]], acquired: str, made: str | None, told: Mapping[str, Any], url: str
) -> pystac.Item:
    geometry, box = outlined(outline)
    sun = {f"view:sun_{name}": told.get(f"sun_{name}") for name in ("elevation", "azimuth")}
    properties: dict[str, Any] = {key: number(str(value), url) for key, value in sun.items() if value is not None}
    properties |= {"constellation": "planetscope", "processing:level": "L1", **({"created": made} if made else {})}
    return pystac.Item(str(scene), geometry, box, utc_datetime(acquired, url), properties)


def _udm2(url: str | None, grid: RegionGrid) -> tuple[NDArray[np.uint8], int]:
    if url is None:  # before 2018 scenes came without
        return np.zeros((grid.rows, grid.cols), np.uint8), no_mask("cloud", "haze")
    return udm2_flags(cut_mask(url, grid, range(1, _UNUSABLE_BAND + 1))), 0


def _analytic(item: pystac.Item) -> tuple[str, str]:
    for key in ("analytic", "analytic_8b", "ortho_analytic_4b", "ortho_analytic_8b", "basic_analytic_4b"):
        url = asset_url(item, key)
        if url:
            return key, url
    raise DataError(
        f"the item has assets {sorted(item.assets)}",
        where=item.id,
        expected="the analytic GeoTIFF as asset `analytic`",
        remedy="Take the scene with its analytic asset; visual ones are stretched.",
    )


def _layout(count: int, where: str) -> Mapping[str, int]:
    if count not in LAYOUTS:
        raise DataError(
            f"the metadata scale {count} bands",
            where=where,
            expected=f"reflectance coefficients of {sorted(LAYOUTS)} bands",
            remedy="Take the scene with its XML metadata.",
        )
    return LAYOUTS[count]


def _coefficients(item: pystac.Item, key: str) -> dict[int, float]:
    """Place of a band in the file -> its reflectance coefficient."""
    url = asset_url(item, "analytic_xml", "ortho_analytic_4b_xml", "ortho_analytic_8b_xml")
    if url is None:
        told = item.assets[key].extra_fields
        bands = told.get("raster:bands") or told.get("bands") or []
        return {place: float(band.get("scale", band.get("raster:scale", 0.0))) for place, band in enumerate(bands, 1)}
    return {
        int(number(xml_text(band, "bandNumber"), url)): number(xml_text(band, "reflectanceCoefficient"), url)
        for band in elements(xml_root(url), "bandSpecificMetadata")
    }


def _no_coefficient(where: str, scale: list[float]) -> DataError:
    return DataError(
        f"bands have the reflectance coefficients {scale}",
        where=where,
        expected="one above zero each",
        remedy="Take the scene with its XML metadata.",
    )

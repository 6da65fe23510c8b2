"""Sentinel-2 MSI level 1C: a SAFE folder with JPEG 2000 bands, or band files of a STAC catalog.

Sources: Sentinel-2 Products Specification Document (reflectance = (DN + RADIO_ADD_OFFSET) / QUANTIFICATION_VALUE; the
offset of -1000 came with processing baseline 04.00, 2022-01-25; DN 0 is nodata, 65535 saturated). Bands of 10, 20 and
60 m are brought to 10 m. Where neither catalog nor metadata state the scaling, the baseline's own constants stand in.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pystac

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.imagery.assets import (
    AssetBand,
    Scaling,
    Sun,
    assembled,
    asset_url,
    band_sources,
    matched_bands,
    no_mask,
    outlined,
    require_level1,
    sun_of,
)
from carbonray.io.imagery.crop import cut_bands
from carbonray.io.imagery.image import QUALITY_BITS, RegionGrid, RegionImage
from carbonray.io.imagery.metadata import elements, number, utc_datetime, xml_root, xml_text
from carbonray.io.imagery.sentinel2_masks import cloud_flags
from carbonray.vocab.sensors import Imager

QUANTIFICATION = 10000.0
OFFSET_SINCE = "04.00"  # processing baseline
OFFSET_DN = -1000.0
# names of files in a SAFE folder, and the assets they become; B8A sorts between B08 and B09
_BAND_FILE = re.compile(r"GRANULE/[^/]+/IMG_DATA/[^/]*_(B\d[\dA])\.jp2$")
_ASSET_FILES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "product_metadata": re.compile(r"MTD_MSIL1C\.xml$"),
        "granule_metadata": re.compile(r"GRANULE/[^/]+/MTD_TL\.xml$"),
        "mask_classi": re.compile(r"QI_DATA/[^/]*MSK_CLASSI_B00\.jp2$"),
        "mask_clouds": re.compile(r"QI_DATA/[^/]*MSK_CLOUDS_B00\.gml$"),
    }
)


def read_sentinel2(item: pystac.Item, imager: Imager, grid: RegionGrid) -> RegionImage:
    """One tile cut to a region.

    Args:
        item: with an asset for each band; its scaling in `raster:bands`, or an asset `product_metadata`, or nowhere.
        imager: declared bands.
        grid: of the region.

    Raises:
        DataError: a file is bad, or the region is not covered.
        TransportError: bytes could not be moved.
    """
    require_level1(item)
    bands = matched_bands(item, imager)
    stack = cut_bands(band_sources(bands), grid, item.id)
    masks, quality = cloud_flags(item, grid)
    return assembled(
        item,
        imager,
        grid,
        stack,
        toa_scaling(item, imager, bands),
        masks,
        sun=_sun(item),
        quality=quality | no_mask("haze"),
    )


def toa_scaling(item: pystac.Item, imager: Imager, bands: list[AssetBand | None]) -> Scaling:
    """Coefficients of each band, harmonised: whatever the baseline, value = dn * scale + offset is reflectance.

    Raises:
        DataError: the metadata's numbers are none.
    """
    present = [band for band in bands if band]
    if present and all(band.scale is not None for band in present):
        told = [(band.scale or 0.0, band.offset or 0.0) if band else (1 / QUANTIFICATION, 0.0) for band in bands]
        return Scaling.reflective([scale for scale, _ in told], [offset for _, offset in told])
    url = asset_url(item, "product_metadata")
    if url:
        quantification, offsets = _declared(xml_root(url), len(imager.bands), url)
        return Scaling.reflective(
            [1.0 / quantification] * len(imager.bands), [offset / quantification for offset in offsets]
        )
    offset = OFFSET_DN if baseline_of(item) >= OFFSET_SINCE else 0.0
    return Scaling.reflective(
        [1.0 / QUANTIFICATION] * len(imager.bands),
        [offset / QUANTIFICATION] * len(imager.bands),
        QUALITY_BITS["no_metadata_scaling"],
    )


def baseline_of(item: pystac.Item) -> str:
    """Processing baseline such as `04.00`, of the item's properties or its id; empty where unknown."""
    properties = item.properties
    told = properties.get("s2:processing_baseline") or properties.get("processing:version")
    found = re.search(r"_N(\d\d)(\d\d)_", item.id)
    return str(told) if told else f"{found[1]}.{found[2]}" if found else ""


def safe_item(url: str) -> pystac.Item:
    """The item of a SAFE folder.

    Raises:
        DataError: its metadata are absent or cannot be read.
        TransportError: the folder could not be listed.
    """
    files = sorted(objectstore.listing(url))
    assets = {name: _first(files, pattern) for name, pattern in _ASSET_FILES.items()}
    lacking = [name for name in ("product_metadata", "granule_metadata") if not assets[name]]
    if lacking:
        raise DataError(
            f"the SAFE folder holds no {' and no '.join(lacking)}",
            where=url,
            expected="MTD_MSIL1C.xml and GRANULE/*/MTD_TL.xml of a level-1C product",
            remedy="Take the product from its provider again.",
        )
    assets |= {match[1]: name for name in files if (match := _BAND_FILE.search(name))}
    item = _described(xml_root(objectstore.join(url, assets["product_metadata"] or "")), url)
    for name, path in assets.items():
        if path:
            item.add_asset(name, pystac.Asset(objectstore.join(url, path)))
    item.set_self_href(url)
    return item


def _described(product: ET.Element, url: str) -> pystac.Item:
    corners = xml_text(product, "EXT_POS_LIST", "").split()
    points = [[number(lon, url), number(lat, url)] for lat, lon in zip(corners[::2], corners[1::2], strict=True)]
    outline: tuple[Any, Any] = outlined(points) if points else (None, None)
    return pystac.Item(
        id=xml_text(product, "PRODUCT_URI", url.rstrip("/").rpartition("/")[2]).removesuffix(".SAFE"),
        geometry=outline[0],
        bbox=outline[1],
        datetime=utc_datetime(xml_text(product, "PRODUCT_START_TIME"), url),
        properties={
            "constellation": "sentinel-2",
            "processing:level": "L1C",
            "s2:processing_baseline": xml_text(product, "PROCESSING_BASELINE", ""),
            "created": xml_text(product, "GENERATION_TIME"),
        },
    )


def _declared(product: ET.Element, bands: int, url: str) -> tuple[float, list[float]]:
    """Quantification value, and each band's offset in DN; ids count the bands by wavelength, B8A ninth."""
    quantification = number(xml_text(product, "QUANTIFICATION_VALUE"), url)
    told = {each.get("band_id", ""): number(each.text or "", url) for each in elements(product, "RADIO_ADD_OFFSET")}
    return quantification, [told.get(str(band), 0.0) for band in range(bands)]


def _sun(item: pystac.Item) -> Sun:
    """Where the sun stood: of the item, else the granule's mean angles."""
    url = asset_url(item, "granule_metadata")
    if np.isfinite(sun_of(item).elevation_deg) or not url:
        return sun_of(item)
    mean = next(elements(xml_root(url), "Mean_Sun_Angle"), None)
    if mean is None:
        return Sun()
    zenith, azimuth = (number(xml_text(mean, name), url) for name in ("ZENITH_ANGLE", "AZIMUTH_ANGLE"))
    return Sun(90.0 - zenith, azimuth)


def _first(files: list[str], pattern: re.Pattern[str]) -> str | None:
    return next((name for name in files if pattern.search(name)), None)

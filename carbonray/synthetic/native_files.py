"""Images of the synthetic fleet as the files of their providers, so that readers of real files can take them in.

Sources: Landsat Collection 2 Level-1 data format (MTL, QA_PIXEL), Sentinel-2 L1C bands of a STAC catalog (QA60, DN with
the offset of baseline 04.00), Planet's PSScene with UDM2. What a product tells of its scaling, sun and masks is told
here the same way. An imager without a layout of its own comes as one GeoTIFF a band with its scaling in the item.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS, RegionImage
from carbonray.synthetic.native_rasters import coarsest, corners, geotiff, item_json, moment
from carbonray.vocab.sensors import IMAGERS, Imager

_QA_PIXEL = MappingProxyType({"cloud": 3, "shadow": 4, "snow": 5})  # bits of Collection 2
_QA_CLEAR = 6
_QA60_OPAQUE, _QA60_CELLS = 10, 6
_UDM2 = MappingProxyType({"snow": 2, "shadow": 3, "light_haze": 4, "haze": 5, "cloud": 6})  # bands, from 1
_TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def native_files(image: RegionImage, imagers: Mapping[str, Imager] = IMAGERS) -> dict[str, bytes]:
    """The files of one image by name, in a folder of their own; the STAC item is `IMAGE_ID.json`.

    Args:
        image: as rendered.
        imagers: declared imagers, among them the image's.
    """
    imager = imagers[image.imager]
    files, assets, properties = LAYOUTS.get(imager.name, _generic)(image, imager)
    item = item_json(image, assets, {"carbonray:imager": imager.name} | properties)
    return files | {f"{image.image_id}.json": _json(item)}


Layout = tuple[dict[str, bytes], dict[str, dict[str, Any]], dict[str, Any]]


def _landsat8(image: RegionImage, imager: Imager) -> Layout:
    """Bands at 30 m; the panchromatic band, too, is at the store's pixel."""
    stem = f"{image.image_id}_"
    files = {f"{stem}{band.name}.TIF": geotiff(image.dn[[k]], image.grid) for k, band in enumerate(imager.bands)}
    assets = {band.name: _asset(f"{stem}{band.name}.TIF", band.name, band.common) for band in imager.bands}
    if not image.quality & QUALITY_BITS["no_cloud_mask"]:
        files[f"{stem}QA_PIXEL.TIF"] = geotiff(_qa_pixel(image)[None], image.grid)
        assets["qa_pixel"] = _asset(f"{stem}QA_PIXEL.TIF", role="cloud")
    groups = _mtl(image, imager)
    files[f"{stem}MTL.json"] = _json({"LANDSAT_METADATA_FILE": groups})
    files[f"{stem}MTL.txt"] = _odl(groups).encode()
    assets["MTL"] = _asset(f"{stem}MTL.txt", role="metadata")
    return files, assets, {"platform": "landsat-8", "instruments": ["oli", "tirs"]}


def _sentinel2(image: RegionImage, imager: Imager) -> Layout:
    """Bands at their own 10, 20 and 60 m, with scale and offset in the item."""
    files, assets = {}, {}
    for k, band in enumerate(imager.bands):
        cells, name = round(band.pixel_m / imager.pixel_m), f"{image.image_id}_{band.name}.tif"
        files[name] = geotiff(coarsest(image.dn[k], image.grid, cells)[None], image.grid, cells)
        assets[band.name] = _asset(name, band.name, band.common) | {"raster:bands": [_scaling(image, k)]}
    if not image.quality & QUALITY_BITS["no_cloud_mask"]:
        cloud = (image.flags & FLAG_BITS["cloud"]) != 0
        opaque = (cloud << np.uint16(_QA60_OPAQUE)).astype(np.uint16)
        files[f"{image.image_id}_QA60.tif"] = geotiff(opaque[None], image.grid)
        assets["qa60"] = _asset(f"{image.image_id}_QA60.tif", role="cloud")
    baseline = "04.00" if image.offset[0] < 0 else "03.01"
    return files, assets, {"constellation": "sentinel-2", "s2:processing_baseline": baseline}


def _planetscope(image: RegionImage, imager: Imager) -> Layout:
    """One file of four bands, the usable data mask, and the scene's metadata."""
    stem = image.image_id
    files = {f"{stem}_3B_AnalyticMS.tif": geotiff(image.dn, image.grid)}
    bands = [_scaling(image, k) | {"name": band.name} for k, band in enumerate(imager.bands)]
    assets = {"analytic": _asset(f"{stem}_3B_AnalyticMS.tif") | {"raster:bands": bands}}
    if not image.quality & QUALITY_BITS["no_cloud_mask"]:
        files[f"{stem}_3B_udm2.tif"] = geotiff(_udm2(image), image.grid)
        assets["udm2"] = _asset(f"{stem}_3B_udm2.tif", role="data-mask")
    files[f"{stem}_metadata.json"] = _json(_planet_metadata(image))
    assets["metadata"] = _asset(f"{stem}_metadata.json", role="metadata")
    return files, assets, {"constellation": "planetscope"}


def _generic(image: RegionImage, imager: Imager) -> Layout:
    files, assets = {}, {}
    for k, band in enumerate(imager.bands):
        name = f"{image.image_id}_{band.name}.tif"
        files[name] = geotiff(image.dn[[k]], image.grid)
        assets[band.name] = _asset(name, band.name, band.common) | {"raster:bands": [_scaling(image, k)]}
    return files, assets, {}


LAYOUTS: Mapping[str, Callable[[RegionImage, Imager], Layout]] = MappingProxyType(
    {"landsat8": _landsat8, "sentinel2": _sentinel2, "planetscope": _planetscope}
)


def _qa_pixel(image: RegionImage) -> NDArray[np.uint16]:
    quality = np.zeros(image.flags.shape, np.uint16)
    for name, bit in _QA_PIXEL.items():
        quality |= (((image.flags & FLAG_BITS[name]) != 0).astype(np.uint16) << np.uint16(bit)).astype(np.uint16)
    return np.where(quality == 0, np.uint16(1 << _QA_CLEAR), quality).astype(np.uint16)


def _udm2(image: RegionImage) -> NDArray[np.uint8]:
    mask = np.zeros((8, *image.flags.shape), np.uint8)
    for name, band in _UDM2.items():
        mask[band - 1] = (image.flags & FLAG_BITS[name]) != 0
    mask[0] = ~mask[1:6].any(axis=0)
    mask[6] = 90  # confidence, percent
    mask[7] = np.where(mask[5] != 0, 0b10, 0)
    return mask


def _mtl(image: RegionImage, imager: Imager) -> dict[str, dict[str, str]]:
    """The groups of Collection 2 that say what the integers mean, where and when the scene was taken."""
    taken, sine = moment(image.time_utc_ns), np.sin(np.radians(image.sun_elevation_deg))
    scaling, thermal = {}, {}
    for k, band in enumerate(imager.bands):
        kind, height = ("RADIANCE", 1.0) if band.thermal else ("REFLECTANCE", sine)
        scaling[f"{kind}_MULT_BAND_{band.name[1:]}"] = f"{image.scale[k] * height:.12g}"
        scaling[f"{kind}_ADD_BAND_{band.name[1:]}"] = f"{image.offset[k] * height:.12g}"
        if band.thermal:
            thermal[f"K1_CONSTANT_BAND_{band.name[1:]}"] = f"{image.k1[k]:.8g}"
            thermal[f"K2_CONSTANT_BAND_{band.name[1:]}"] = f"{image.k2[k]:.8g}"
    places = {
        f"CORNER_{name}_{axis}_PRODUCT": f"{value:.7f}"
        for name, corner in zip(("UL", "UR", "LR", "LL"), corners(image.grid), strict=True)
        for axis, value in zip(("LON", "LAT"), corner, strict=True)
    }
    return {
        "PRODUCT_CONTENTS": {
            "LANDSAT_PRODUCT_ID": image.image_id,
            "PROCESSING_LEVEL": "L1TP",
            "COLLECTION_NUMBER": "02",
            "DATA_TIER": image.data_tier,
        },
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": "LANDSAT_8",
            "DATE_ACQUIRED": f"{taken:%Y-%m-%d}",
            "SCENE_CENTER_TIME": f"{taken:%H:%M:%S.%f}Z",
            "SUN_AZIMUTH": f"{image.sun_azimuth_deg:.10g}",
            "SUN_ELEVATION": f"{image.sun_elevation_deg:.14g}",
        },
        "PROJECTION_ATTRIBUTES": places,
        "LEVEL1_PROCESSING_RECORD": {"DATE_PRODUCT_GENERATED": f"{moment(image.downloaded_utc_ns):%Y-%m-%dT%H:%M:%S}Z"},
        "LEVEL1_RADIOMETRIC_RESCALING": scaling,
        "LEVEL1_THERMAL_CONSTANTS": thermal,
    }


def _odl(groups: Mapping[str, Mapping[str, str]]) -> str:
    """The text form of an MTL file: groups within one group, words in quotes, numbers and times bare."""
    lines = ["GROUP = LANDSAT_METADATA_FILE"]
    for name, entries in groups.items():
        lines += [f"  GROUP = {name}"]
        lines += [
            f"    {key} = {value if value[0] in '-0123456789' else json.dumps(value)}" for key, value in entries.items()
        ]
        lines += [f"  END_GROUP = {name}"]
    return "\n".join([*lines, "END_GROUP = LANDSAT_METADATA_FILE", "END", ""])


def _planet_metadata(image: RegionImage) -> dict[str, Any]:
    ring = [list(corner) for corner in corners(image.grid)]
    return {
        "id": image.image_id,
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        "properties": {
            "acquired": moment(image.time_utc_ns).isoformat(),
            "published": moment(image.downloaded_utc_ns).isoformat(),
            "item_type": "PSScene",
            "sun_elevation": image.sun_elevation_deg,
            "sun_azimuth": image.sun_azimuth_deg,
            "data_tier": image.data_tier,
        },
    }


def _scaling(image: RegionImage, band: int) -> dict[str, Any]:
    return {"scale": float(image.scale[band]), "offset": float(image.offset[band]), "nodata": 0}


def _asset(href: str, name: str = "", common: str = "", role: str = "data") -> dict[str, Any]:
    kind = _TIFF if href.lower().endswith("tif") else "application/json" if href.endswith("json") else "text/plain"
    named = {"eo:bands": [{"name": name, "common_name": common}]} if name else {}
    return {"href": f"./{href}", "type": kind, "roles": [role], **named}


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()

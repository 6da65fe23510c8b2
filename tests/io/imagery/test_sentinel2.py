"""Sentinel-2 tiles: SAFE folders and catalogs, the offset of baseline 04.00, four forms of cloud mask."""

from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest

from carbonray.errors import DataError
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS, RegionImage
from carbonray.io.imagery.items import load_item
from carbonray.io.imagery.readers import READERS
from carbonray.vocab.sensors import IMAGERS
from tests.io.imagery.native_files import chip_item, grid_of, pattern, write_item, write_safe, write_tif

SENTINEL = IMAGERS["sentinel2"]
GRID = grid_of("sentinel2")
OFFSETS = dict.fromkeys(range(13), -1000)


def read(item: pystac.Item | str | Path) -> RegionImage:
    found = item if isinstance(item, pystac.Item) else load_item(str(item))
    return READERS["sentinel2"](found, SENTINEL, GRID)


def test_a_safe_folder_is_cut_to_the_finest_band(tmp_path: Path) -> None:
    image = read(write_safe(tmp_path, GRID, offsets=OFFSETS))

    left, top = np.floor(GRID.left / 60) * 60, np.ceil(GRID.top / 60) * 60
    down, right = int((top - GRID.top) / 10), int((GRID.left - left) / 10)
    rows = int(np.ceil((top - GRID.top) / 60 + GRID.rows / 6)) + 1
    cols = int(np.ceil((GRID.left - left) / 60 + GRID.cols / 6)) + 1
    for place, band in enumerate(SENTINEL.bands):
        ratio, each = int(band.pixel_m / 10), int(60 / band.pixel_m)
        fine = np.kron(pattern(place, rows * each, cols * each), np.ones((ratio, ratio), np.uint16))
        assert np.array_equal(image.dn[place], fine[down : down + GRID.rows, right : right + GRID.cols]), band.name
    assert image.quality == QUALITY_BITS["no_haze_mask"]
    assert image.image_id == "S2A_MSIL1C_20220630T103031_N0400_R108_T32ULB_20220630T141224"
    assert (image.sun_elevation_deg, image.sun_azimuth_deg) == (58.5, 150.25)
    assert image.downloaded_utc_ns == np.datetime64("2022-06-30T14:12:24", "ns").astype(int)


def test_the_mask_of_classes_lies_on_its_pixels(tmp_path: Path) -> None:
    image = read(write_safe(tmp_path, GRID, offsets=OFFSETS))

    cloudy = 12 - int(np.ceil(GRID.top / 60) * 6 - GRID.top / 10)  # two pixels of 60 m, less what lies above the region
    assert (image.flags[:cloudy] == FLAG_BITS["cloud"]).all() and not image.flags[cloudy:].any()


@pytest.mark.parametrize(("offsets", "baseline", "expected"), [(OFFSETS, "04.00", 0.1), (None, "03.01", 0.2)])
def test_reflectance_is_harmonised_over_baselines(
    tmp_path: Path, offsets: dict[int, int] | None, baseline: str, expected: float
) -> None:
    """The offset of -1000 came with processing baseline 04.00 (Sentinel-2 Products Specification Document)."""
    image = read(write_safe(tmp_path, GRID, offsets=offsets, baseline=baseline))

    assert 2000 * image.scale + image.offset == pytest.approx(np.full(13, expected))
    assert not image.quality & QUALITY_BITS["no_metadata_scaling"]


def catalogue_item(tmp_path: Path, **properties: Any) -> pystac.Item:
    """Band files as a catalog of cloud-optimised files names them, with common names or wavelengths alone."""
    names = {"B1": "coastal", "B2": "blue", "B4": "red", "B8": "nir", "B8A": "nir08", "B10": "cirrus", "B11": "swir16"}
    item = chip_item(tmp_path / "S2B_32ULB_20230501_0_L1C.tif", [], **properties) | {"assets": {}}
    for place, band in enumerate(SENTINEL.bands):
        path = write_tif(tmp_path / f"{band.name}.tif", pattern(place, GRID.rows, GRID.cols)[None], GRID, 10.0)
        described: dict[str, Any] = {"center_wavelength": band.centre_nm / 1000.0}
        if band.name in names:
            described["common_name"] = names[band.name]
        item["assets"][f"file{place}"] = {"href": path.name, "eo:bands": [described]}
    return load_item(write_item(tmp_path / "item.json", item))


def test_bands_of_a_catalog_are_found_by_common_name_or_wavelength(tmp_path: Path) -> None:
    image = read(catalogue_item(tmp_path))

    for place in range(13):
        assert np.array_equal(image.dn[place], pattern(place, GRID.rows, GRID.cols)), SENTINEL.bands[place].name


@pytest.mark.parametrize(
    ("properties", "offset"),
    [({"s2:processing_baseline": "05.09"}, -0.1), ({"s2:processing_baseline": "02.14"}, 0.0), ({}, 0.0),
     ({"processing:version": "04.00"}, -0.1)],
)  # fmt: skip
def test_constants_stand_in_for_a_scaling_and_say_so(tmp_path: Path, properties: dict[str, str], offset: float) -> None:
    image = read(catalogue_item(tmp_path, **properties))

    assert image.quality & QUALITY_BITS["no_metadata_scaling"]
    assert image.offset == pytest.approx(offset) and image.scale == pytest.approx(1e-4)
    assert image.quality & QUALITY_BITS["no_cloud_mask"] and np.isnan(image.sun_elevation_deg)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_scaling_of_a_catalog_goes_first(tmp_path: Path, version: str) -> None:
    item = catalogue_item(tmp_path, **{"s2:processing_baseline": "05.09", "view:sun_elevation": 33.0})
    for asset in item.assets.values():
        if version == "1.0":
            asset.extra_fields["raster:bands"] = [{"scale": 0.0002, "offset": -0.05, "nodata": 0}]
        else:
            asset.extra_fields |= {"raster:scale": 0.0002, "raster:offset": -0.05}

    image = read(item)

    assert image.scale == pytest.approx(2e-4) and image.offset == pytest.approx(-0.05)
    assert not image.quality & QUALITY_BITS["no_metadata_scaling"] and image.sun_elevation_deg == 33.0


def test_what_the_item_calls_nodata_is_none_either(tmp_path: Path) -> None:
    item = catalogue_item(tmp_path)
    for asset in item.assets.values():
        asset.extra_fields["raster:bands"] = [{"scale": 1e-4, "nodata": 1005}]

    image = read(item)

    assert (image.dn != 1005).all() and (image.flags & FLAG_BITS["nodata"]).any()


def gml(epsg: int, text: str) -> str:
    return f"""<?xml version="1.0"?><eop:Mask xmlns:eop="e" xmlns:gml="g">
<gml:Envelope srsName="urn:ogc:def:crs:EPSG::{epsg}"/>
<eop:MaskFeature><gml:posList srsDimension="2">{text}</gml:posList></eop:MaskFeature></eop:Mask>"""


def corner_box() -> str:
    x, y = GRID.left, GRID.top
    return f"{x} {y} {x + 50} {y} {x + 50} {y - 30} {x} {y - 30} {x} {y}"


@pytest.mark.parametrize("kind", ["mask_clouds", "qa60", "scl"])
def test_every_form_of_cloud_mask_marks_the_same_pixels(tmp_path: Path, kind: str) -> None:
    item = catalogue_item(tmp_path)
    mask = np.zeros((1, GRID.rows, GRID.cols), np.uint16)
    mask[0, :3, :5] = {"qa60": 1 << 11, "scl": 9}.get(kind, 0)
    path = tmp_path / ("m.gml" if kind == "mask_clouds" else "m.tif")
    if kind == "mask_clouds":
        path.write_text(gml(GRID.epsg, corner_box()))
    else:
        write_tif(path, mask, GRID, 10.0)
    item.add_asset(kind, pystac.Asset(path.as_posix()))

    image = read(item)

    expected = np.zeros((GRID.rows, GRID.cols), bool)
    expected[:3, :5] = True
    assert np.array_equal(image.flags == FLAG_BITS["cloud"], expected)
    assert not image.quality & QUALITY_BITS["no_cloud_mask"]


@pytest.mark.parametrize(
    ("text", "found"),
    [(gml(32632, "1 2 3"), "3 coordinates"), (gml(32632, "1 2 3 x 5 6"), "no number"), ("<a>", "cannot be read"),
     ("<a/>", "lies in"), ('<!DOCTYPE a [<!ENTITY b "c">]><a/>', "document type")],
)  # fmt: skip
def test_a_mask_that_is_none_is_bad_data(tmp_path: Path, text: str, found: str) -> None:
    item = catalogue_item(tmp_path)
    (tmp_path / "m.gml").write_text(text)
    item.add_asset("mask_clouds", pystac.Asset((tmp_path / "m.gml").as_posix()))

    with pytest.raises(DataError, match=found):
        read(item)


def test_saturated_pixels_are_flagged(tmp_path: Path) -> None:
    values = pattern(3, GRID.rows, GRID.cols)[None].copy()
    item = catalogue_item(tmp_path)
    values[0, 1, 1] = 65535
    write_tif(tmp_path / "B4.tif", values, GRID, 10.0)

    image = read(item)

    assert np.argwhere(image.flags).tolist() == [[1, 1]] and image.flags[1, 1] == FLAG_BITS["saturated"]


@pytest.mark.parametrize("told", [{"processing:level": "L2A"}, {"id": "S2A_MSIL2A_20220630T103031"}])
def test_surface_reflectance_is_refused(tmp_path: Path, told: dict[str, str]) -> None:
    item = catalogue_item(tmp_path)
    item.properties |= told
    item.id = told.get("id", item.id)

    with pytest.raises(DataError, match="level"):
        read(item)


def test_a_folder_without_metadata_is_bad_data(tmp_path: Path) -> None:
    safe = write_safe(tmp_path, GRID, offsets=OFFSETS)
    (safe / "MTD_MSIL1C.xml").unlink()

    with pytest.raises(DataError, match="no product_metadata"):
        read(safe)

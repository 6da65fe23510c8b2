"""Landsat 8 scenes: the formula of the handbook, the masks of three collections, and scenes that are not whole."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio

from carbonray.errors import DataError
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS, RegionGrid, RegionImage, Structure
from carbonray.io.imagery.items import load_item
from carbonray.io.imagery.landsat8 import mask_flags
from carbonray.io.imagery.readers import READERS
from carbonray.io.imagery.region import RegionRules, region_grid
from carbonray.science.power.band_math import values
from carbonray.vocab.sensors import IMAGERS
from tests.io.imagery.native_files import grid_of, landsat_mtl, odl, pattern, write_landsat, write_tif

LANDSAT = IMAGERS["landsat8"]
GRID = grid_of("landsat8")


def read(mtl: Path | str, grid: RegionGrid = GRID) -> RegionImage:
    return READERS["landsat8"](load_item(str(mtl)), LANDSAT, grid)


def test_a_scene_is_cut_with_the_handbooks_coefficients(tmp_path: Path) -> None:
    image = read(write_landsat(tmp_path, GRID))

    sine = math.sin(math.radians(30.0))
    assert np.array_equal(image.dn[0], pattern(0, GRID.rows + 2, GRID.cols + 2)[:-2, :-2])
    assert image.scale[:9] == pytest.approx(2e-5 / sine) and image.offset[:9] == pytest.approx(-0.1 / sine)
    assert image.scale[9:] == pytest.approx(3.342e-4) and image.k2[9:] == pytest.approx([1321.0789, 1201.1442])
    assert np.isnan(image.k1[:9]).all()
    assert image.quality == QUALITY_BITS["no_haze_mask"] and not image.flags.any()
    assert image.image_id == "LC08_L1TP_197024_20190630_20200827_02_T1"
    assert image.time_utc_ns == np.datetime64("2019-06-30T10:22:33.123456", "ns").astype(int)
    assert image.downloaded_utc_ns == np.datetime64("2020-08-27T01:02:03", "ns").astype(int)
    assert (image.sun_elevation_deg, image.sun_azimuth_deg, image.data_tier) == (30.0, 150.5, "REAL")
    assert image.covered_km2 == pytest.approx((GRID.rows + 2.5) * (GRID.cols + 2.5) * 0.0009)


def test_the_panchromatic_band_is_the_mean_over_each_pixel(tmp_path: Path) -> None:
    image = read(write_landsat(tmp_path, GRID))

    pan = pattern(7, 2 * GRID.rows + 5, 2 * GRID.cols + 5).astype(float)
    parts = [(a, b, wa * wb) for a, wa in enumerate((0.25, 0.5, 0.25)) for b, wb in enumerate((0.25, 0.5, 0.25))]
    mean = sum(share * pan[a : a + 2 * GRID.rows : 2, b : b + 2 * GRID.cols : 2] for a, b, share in parts)
    assert np.abs(image.dn[7] - mean).max() <= 0.5


def test_metadata_as_text_and_as_json_say_the_same(tmp_path: Path) -> None:
    one, other = read(write_landsat(tmp_path / "a", GRID)), read(write_landsat(tmp_path / "b", GRID, as_json=True))

    assert np.array_equal(one.scale, other.scale) and np.array_equal(one.offset, other.offset)
    assert one.time_utc_ns == other.time_utc_ns


@pytest.mark.parametrize(
    ("collection", "value", "flags"),
    [
        ("02", 1, {"nodata"}), ("02", 1 << 1, {"cloud"}), ("02", 1 << 2, {"cloud"}), ("02", 1 << 3, {"cloud"}),
        ("02", 1 << 4, {"shadow"}), ("02", 1 << 5, {"snow"}), ("02", 21824, set()), ("02", 22280, {"cloud"}),
        ("01", 2720, set()), ("01", 2800, {"cloud"}), ("01", 2976, {"shadow"}), ("01", 3744, {"snow"}),
        ("01", 6816, {"cloud"}), ("01", 2724, {"saturated"}), ("01", 1, {"nodata"}),
        ("", 20480, set()), ("", 53248, {"cloud"}), ("", 28672, {"cloud"}), ("", 36864, set()),
        ("", 23552, {"snow"}), ("", 1, {"nodata"}),
    ],
)  # fmt: skip
def test_masks_mean_what_their_collection_says(collection: str, value: int, flags: set[str]) -> None:
    """21824 is clear and 22280 cloud in Collection 2, 2720 and 2800 in Collection 1 (USGS tables of pixel values)."""
    found = mask_flags(np.array([[value]], np.uint16), collection)[0, 0]

    assert found == sum(FLAG_BITS[name] for name in flags)


def test_an_unknown_collection_is_bad_data() -> None:
    with pytest.raises(DataError, match="collection '09'"):
        mask_flags(np.zeros((1, 1), np.uint16), "09")


def test_the_mask_lies_on_the_pixels_it_speaks_of(tmp_path: Path) -> None:
    mask = np.full((GRID.rows + 2, GRID.cols + 2), 2720, np.uint16)
    mask[3, 4] = 2800

    image = read(write_landsat(tmp_path, GRID, collection="01", mask=mask))

    assert np.argwhere(image.flags).tolist() == [[3, 4]]
    assert image.fraction("cloud") == pytest.approx(1 / (GRID.rows * GRID.cols))


def test_a_missing_band_is_nodata_of_that_band_alone(tmp_path: Path) -> None:
    mtl = write_landsat(tmp_path, GRID)
    next(tmp_path.glob("*_B9.TIF")).unlink()

    image = read(mtl)

    assert image.quality & QUALITY_BITS["missing_band"]
    assert not image.dn[8].any() and image.dn[7].all() and not image.flags.any()


def test_without_a_mask_nobody_knows_of_clouds(tmp_path: Path) -> None:
    mtl = write_landsat(tmp_path, GRID)
    next(tmp_path.glob("*_QA_PIXEL.TIF")).unlink()

    assert read(mtl).quality == QUALITY_BITS["no_haze_mask"] | QUALITY_BITS["no_cloud_mask"]


def test_a_region_half_outside_is_partial_and_one_wholly_outside_is_bad(tmp_path: Path) -> None:
    mtl = write_landsat(tmp_path, GRID)
    moved = RegionGrid(GRID.epsg, GRID.left - 30.0 * 9, GRID.top, 30.0, GRID.rows, GRID.cols)
    away = RegionGrid(GRID.epsg, GRID.left - 90000.0, GRID.top, 30.0, GRID.rows, GRID.cols)

    image = read(mtl, moved)

    assert image.quality & QUALITY_BITS["partial"]
    assert (image.flags[:, :9] == FLAG_BITS["nodata"]).all() and not image.flags[:, 9:].any()
    with pytest.raises(DataError, match="nothing of the region is measured"):
        read(mtl, away)


def test_a_truncated_band_is_bad_data_that_names_the_file(tmp_path: Path) -> None:
    mtl = write_landsat(tmp_path, GRID)
    band = next(tmp_path.glob("*_B4.TIF"))
    band.write_bytes(band.read_bytes()[:400])

    with pytest.raises(DataError, match="cannot be read") as caught:
        read(mtl)
    assert caught.value.where == band.as_posix()


def test_rescaled_copies_are_refused(tmp_path: Path) -> None:
    mtl = write_landsat(tmp_path, GRID)
    band = next(tmp_path.glob("*_B4.TIF"))
    band.unlink()  # GDAL takes the metadata for a part of the file that it overwrites
    write_tif(band, pattern(3, GRID.rows, GRID.cols)[None].astype(np.float32) * 1e-4, GRID, 30.0)

    with pytest.raises(DataError, match="values are float32"):
        read(mtl)


@pytest.mark.parametrize(
    ("drop", "found"),
    [("REFLECTANCE_MULT_BAND_3", "REFLECTANCE_MULT_BAND_3"), ("K2_CONSTANT_BAND_10", "K2_CONSTANT_BAND_10"),
     ("SUN_ELEVATION", "SUN_ELEVATION"), ("DATE_ACQUIRED", "DATE_ACQUIRED")],
)  # fmt: skip
def test_metadata_without_a_coefficient_are_bad_data(tmp_path: Path, drop: str, found: str) -> None:
    mtl = write_landsat(tmp_path, GRID)
    groups = {name: {k: v for k, v in group.items() if k != drop} for name, group in landsat_mtl().items()}
    mtl.write_text(odl(groups))

    with pytest.raises(DataError, match=found):
        read(mtl)


@pytest.mark.parametrize(("elevation", "found"), [(-3.0, "sun stands"), (0.0, "sun stands"), ("low", "no number")])
def test_a_night_image_is_bad_data(tmp_path: Path, elevation: float | str, found: str) -> None:
    mtl = write_landsat(tmp_path, GRID)
    groups = landsat_mtl()
    groups["IMAGE_ATTRIBUTES"]["SUN_ELEVATION"] = elevation
    mtl.write_text(odl(groups))

    with pytest.raises(DataError, match=found):
        read(mtl)


@pytest.mark.parametrize("content", ["", "GROUP = A\nEND_GROUP = A\n", "{" * 100_000, "{}", json.dumps([1])])
def test_what_is_no_mtl_is_bad_data(tmp_path: Path, content: str) -> None:
    mtl = tmp_path / f"x_MTL.{'json' if content.startswith(('{', '[')) else 'txt'}"
    mtl.write_text(content)

    with pytest.raises(DataError, match=r"cannot be read|has no"):
        read(mtl)


def test_a_level_2_scene_is_refused(tmp_path: Path) -> None:
    mtl = write_landsat(tmp_path, GRID)
    groups = landsat_mtl()
    groups["PRODUCT_CONTENTS"]["LANDSAT_PRODUCT_ID"] = "LC08_L2SP_197024_20190630_20200827_02_T1"
    mtl.write_text(odl(groups))

    with pytest.raises(DataError, match="level"):
        read(mtl)


def test_the_real_scene_gives_the_reflectance_of_its_metadata(shared_data: Path) -> None:
    """LC80200392015216LGN00, from before the collections; coefficients as its MTL file states them."""
    folder = shared_data / "imagery" / "landsat8_scene"
    grid = region_grid([Structure("p", "NDT", 30.73, -87.40)], LANDSAT, RegionRules())

    image = read(folder / "l8_MTL.txt", grid)
    physical = values(image.dn, image.scale, image.offset, image.k1, image.k2)

    with rasterio.open(folder / "l8_B4.tif") as file:
        row, col = int((3408645.0 - grid.top) / 30), int((grid.left - 452475.0) / 30)
        red = file.read(1)[row : row + grid.rows, col : col + grid.cols]
    with rasterio.open(folder / "l8_B10.tif") as file:
        heat = file.read(1)[row : row + grid.rows, col : col + grid.cols]
    expected = (2.0000e-05 * red - 0.1) / math.sin(math.radians(64.74360932))
    kelvin = 1321.0789 / np.log(774.8853 / (3.3420e-04 * heat + 0.1) + 1)
    assert image.quality == QUALITY_BITS["no_haze_mask"]
    assert physical[3] == pytest.approx(expected, rel=1e-5)
    assert physical[9] == pytest.approx(kelvin, rel=1e-5)

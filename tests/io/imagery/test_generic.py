"""Chips of declared scaling, and a fifth imager that is one declaration."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carbonray.errors import DataError
from carbonray.io.image_store import PlantYear, encode_images
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS, RegionGrid, RegionImage
from carbonray.io.imagery.items import imager_of, load_item
from carbonray.io.imagery.readers import READERS
from carbonray.io.imagery.region import region_grid
from carbonray.science.power.band_math import channel_names, channels, values
from carbonray.vocab.sensors import IMAGERS, Band, Imager
from tests.io.imagery.native_files import PLANT, SMALL, chip_item, pattern, write_item, write_tif

FIFTH = Imager(
    name="fifth",
    bands=(Band("green", 555.0, 5.0, "green"), Band("red", 660.0, 5.0, "red"), Band("near", 850.0, 5.0, "nir")),
    pixel_m=5.0,
    overpass_local_hour=(11.0, 11.0),
    revisit_days=3.0,
    bits=14,
    derived=("ndvi",),
    patch_px=(8, 16),
    reader="generic",
)
GRID = region_grid(PLANT, FIFTH, SMALL)
SCALED = [{"name": name, "scale": 1e-4, "offset": 0.0} for name in ("red", "near", "green")]


def read(url: str, imager: Imager = FIFTH, grid: RegionGrid = GRID) -> RegionImage:
    return READERS[imager.reader](load_item(url), imager, grid)


def chip(tmp_path: Path, data: np.ndarray, bands: list[dict[str, Any]] = SCALED, **properties: Any) -> str:
    nodata = properties.pop("file_nodata", None)
    path = write_tif(tmp_path / "chip.tif", data, GRID, 5.0, nodata=nodata)
    return write_item(tmp_path / "chip.json", chip_item(path, bands, platform="Fifth-1", **properties))


def whole() -> np.ndarray:
    return np.stack([pattern(place, GRID.rows, GRID.cols) for place in range(3)])


def test_a_fifth_imager_is_one_declaration(tmp_path: Path) -> None:
    """Reader, store and derived bands work of the declaration alone."""
    url = chip(tmp_path, whole())

    image = read(url)
    stored = encode_images(PlantYear("p", "fifth", 2020), [image], PLANT, IMAGERS | {"fifth": FIFTH})
    bands = channels(FIFTH, values(image.dn, image.scale, image.offset, image.k1, image.k2))

    assert imager_of(load_item(url), IMAGERS | {"fifth": FIFTH}) == "fifth"
    assert np.array_equal(image.dn, whole()[[2, 0, 1]])
    assert image.quality == QUALITY_BITS["no_cloud_mask"] | QUALITY_BITS["no_haze_mask"]
    assert "images/p/fifth/2020.parquet" in stored
    assert channel_names(FIFTH) == ("green", "red", "near", "ndvi") and bands.shape[0] == 4


def test_negative_reflectance_is_shifted_into_the_store_and_back(tmp_path: Path) -> None:
    data = whole().astype(np.float32) - 1500.0
    data[:, 2, 3] = -9999.0

    image = read(chip(tmp_path, data, file_nodata=-9999.0, **{"carbonray:shift": 10000}))
    reflectance = values(image.dn, image.scale, image.offset, image.k1, image.k2)

    expected = data[[2, 0, 1]] * 1e-4
    expected[:, 2, 3] = np.nan
    assert reflectance == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert np.argwhere(image.flags & FLAG_BITS["nodata"]).tolist() == [[2, 3]]


@pytest.mark.parametrize("value", [0.5, 60000.0, -10001.0])
def test_values_that_no_shift_makes_whole_are_bad_data(tmp_path: Path, value: float) -> None:
    data = whole().astype(np.float32)
    data[1, 0, 0] = value

    with pytest.raises(DataError, match="no whole numbers"):
        read(chip(tmp_path, data, **{"carbonray:shift": 10000}))


@pytest.mark.parametrize("filler", [65535, 0, 1001])
def test_nodata_is_what_the_file_says_and_what_the_product_says(tmp_path: Path, filler: int) -> None:
    """The fill value in the file's header and the zeros of the product may disagree: neither is a measurement."""
    data = whole()
    data[:, 5, 5], data[:, 6, 6] = filler, 0

    image = read(chip(tmp_path, data, file_nodata=filler))

    assert {(5, 5), (6, 6)} <= set(map(tuple, np.argwhere(image.flags & FLAG_BITS["nodata"])))
    assert not (image.dn[:, 5, 5].any() or image.dn[:, 6, 6].any() or (filler and (image.dn == filler).any()))


def test_a_band_that_the_chip_lacks_is_nodata_with_a_bit(tmp_path: Path) -> None:
    image = read(chip(tmp_path, whole()[:2], SCALED[:2]))

    assert image.quality & QUALITY_BITS["missing_band"]
    assert not image.dn[0].any() and image.dn[1:].all() and not image.flags.any()


def test_an_item_that_promises_more_bands_than_the_file_holds_is_bad(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds 2 bands"):
        read(chip(tmp_path, whole()[:2]))


def test_a_band_without_a_scale_means_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="have no scale"):
        read(chip(tmp_path, whole(), [{"name": "red"}, *SCALED[1:]]))


def test_a_chip_that_is_empty_is_bad_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing of the region"):
        read(chip(tmp_path, np.zeros_like(whole())))


def test_a_chip_on_another_lattice_is_sampled_and_says_so(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "chip.tif", whole(), GRID, 5.0, left=GRID.left - 2.0)
    image = read(write_item(tmp_path / "chip.json", chip_item(path, SCALED)))

    assert image.quality & QUALITY_BITS["warped"]


def test_a_chip_that_lies_nowhere_is_bad_data(tmp_path: Path) -> None:
    url = chip(tmp_path, whole())
    write_tif(tmp_path / "chip.tif", whole(), GRID, 5.0, crs=None)

    with pytest.raises(DataError, match="does not say where it lies"):
        read(url)

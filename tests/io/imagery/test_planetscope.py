"""PlanetScope scenes of four and eight bands, their coefficients and their usable data masks."""

from pathlib import Path

import numpy as np
import pytest

from carbonray.errors import DataError
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS, RegionImage
from carbonray.io.imagery.items import load_item
from carbonray.io.imagery.planetscope import udm2_flags
from carbonray.io.imagery.readers import READERS
from carbonray.vocab.sensors import IMAGERS
from tests.io.imagery.native_files import grid_of, pattern, scene_xml, write_psscene, write_tif

GRID = grid_of("planetscope")
CLEAR = np.zeros((8, GRID.rows, GRID.cols), np.uint8)
CLEAR[0] = 1


def read(path: Path | str) -> RegionImage:
    return READERS["planetscope"](load_item(str(path)), IMAGERS["planetscope"], GRID)


@pytest.mark.parametrize(("bands", "taken"), [(4, (1, 2, 3, 4)), (8, (2, 4, 6, 8))])
def test_four_bands_are_taken_of_either_layout(tmp_path: Path, bands: int, taken: tuple[int, ...]) -> None:
    """Planet's PSScene specification: the eight are coastal, blue, green I, green, yellow, red, red edge, NIR."""
    image = read(write_psscene(tmp_path, GRID, bands=bands, udm2=CLEAR))

    for place, band in enumerate(taken):
        assert np.array_equal(image.dn[place], pattern(band - 1, GRID.rows, GRID.cols))
    assert image.scale == pytest.approx([band * 1e-5 for band in taken]) and not image.offset.any()
    assert image.quality == 0 and not image.flags.any()
    assert image.image_id == "20210304_095001_50_2401"
    assert image.time_utc_ns == np.datetime64("2021-03-04T09:50:01.5", "ns").astype(int)
    assert image.downloaded_utc_ns == np.datetime64("2021-03-04T15:00:00", "ns").astype(int)
    assert (image.sun_elevation_deg, image.sun_azimuth_deg) == (41.5, 120.0)


def test_a_scene_is_known_by_its_xml_alone(tmp_path: Path) -> None:
    write_psscene(tmp_path, GRID, bands=4, udm2=CLEAR)

    image = read(tmp_path / "20210304_095001_50_2401_3B_AnalyticMS_metadata.xml")

    assert image.image_id == "20210304_095001_50_2401" and image.sun_elevation_deg == 41.5


@pytest.mark.parametrize(
    ("band", "value", "flag"),
    [(2, 1, "snow"), (3, 1, "shadow"), (4, 1, "light_haze"), (5, 1, "haze"), (6, 1, "cloud"), (8, 1, "nodata"),
     (8, 4, "suspect"), (8, 2, ""), (7, 90, ""), (1, 1, "")],
)  # fmt: skip
def test_usable_data_masks_raise_their_flags(band: int, value: int, flag: str) -> None:
    mask = np.zeros((8, 1, 1), np.uint8)
    mask[band - 1] = value

    assert udm2_flags(mask)[0, 0] == (FLAG_BITS[flag] if flag else 0)


def test_fractions_of_haze_and_cloud_come_from_the_mask(tmp_path: Path) -> None:
    mask = CLEAR.copy()
    mask[4, :10], mask[5, 10:15] = 1, 1

    image = read(write_psscene(tmp_path, GRID, bands=4, udm2=mask))

    assert image.fraction("haze") == pytest.approx(10 / GRID.rows)
    assert image.fraction("cloud") == pytest.approx(5 / GRID.rows)


def test_scenes_from_before_the_masks_say_so(tmp_path: Path) -> None:
    image = read(write_psscene(tmp_path, GRID, bands=4))

    assert image.quality == QUALITY_BITS["no_cloud_mask"] | QUALITY_BITS["no_haze_mask"]


def test_the_outline_of_a_scene_is_its_area_where_the_file_is_larger(tmp_path: Path) -> None:
    path = write_psscene(tmp_path, GRID, bands=4)
    path.write_text(path.read_text().replace("[6.9, 51.4]", "[7.0991, 51.4]").replace("[6.9, 51.5]", "[7.0991, 51.5]"))

    assert read(path).covered_km2 == pytest.approx(GRID.rows * GRID.cols * 9e-6)
    path.write_text(path.read_text().replace("51.5]", "51.4001]"))
    assert read(path).covered_km2 == pytest.approx(7.0e-4, rel=0.03)  # 63 m by 11 m


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda text: text.replace("3e-5", "0"), "coefficients"),
        (lambda text: text.replace("<ps:bandNumber>4<", "<ps:bandNumber>5<"), "coefficients"),
        (lambda text: text.replace("2e-5", "much"), "no number"),
        (lambda text: text[:200], "cannot be read"),
    ],
)
def test_a_scene_without_a_coefficient_is_bad_data(tmp_path: Path, change: object, found: str) -> None:
    path = write_psscene(tmp_path, GRID, bands=4, udm2=CLEAR)
    (tmp_path / "20210304_095001_50_2401_3B_AnalyticMS_metadata.xml").write_text(change(scene_xml(4)))  # type: ignore[operator]

    with pytest.raises(DataError, match=found):
        read(path)


def test_a_file_of_three_bands_is_a_visual_one(tmp_path: Path) -> None:
    path = write_psscene(tmp_path, GRID, bands=4)
    write_tif(tmp_path / "20210304_095001_50_2401_3B_AnalyticMS.tif", np.ones((3, 9, 9), np.uint16), GRID, 3.0)

    with pytest.raises(DataError, match="3 bands"):
        read(path)


def test_metadata_of_four_bands_do_not_scale_a_file_of_eight(tmp_path: Path) -> None:
    path = write_psscene(tmp_path, GRID, bands=8)
    (tmp_path / "20210304_095001_50_2401_3B_AnalyticMS_8b_metadata.xml").write_text(scene_xml(4))

    with pytest.raises(DataError, match="8 bands"):
        read(path)


def test_a_scene_without_its_analytic_file_is_bad_data(tmp_path: Path) -> None:
    path = write_psscene(tmp_path, GRID, bands=4)
    (tmp_path / "20210304_095001_50_2401_3B_AnalyticMS.tif").unlink()

    with pytest.raises(DataError, match="analytic"):
        read(path)


@pytest.mark.parametrize("content", ["{}", '{"id": 1, "properties": {}, "geometry": null}', "[]", "no"])
def test_metadata_that_are_no_scene_are_bad_data(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x_metadata.json"
    path.write_text(content)

    with pytest.raises(DataError, match=r"lack|cannot be read"):
        read(path)

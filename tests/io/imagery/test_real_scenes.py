"""The real scenes beside the checkout, through item, reader, region, store and back."""

from pathlib import Path

import pytest

from tests.evidence import imagery


@pytest.fixture(scope="module")
def results(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    work = tmp_path_factory.mktemp("evidence")
    return imagery.write(shared_data, work / "out", work)


def test_every_pixel_is_what_the_metadatas_formula_gives(results: dict) -> None:
    for case in results["cases"]:
        assert case["formula"]["pixels"] > 5000
        assert case["formula"]["max_relative"] < 1e-4, case["name"]


def test_each_scene_says_what_it_lacks(results: dict) -> None:
    quality = {case["name"]: set(case["quality"]) for case in results["cases"]}

    assert quality["landsat8-middle"] == {"no_haze_mask"}
    assert quality["landsat8-edge"] == {"no_haze_mask", "partial"}
    assert quality["sentinel2-2017"] == {"no_haze_mask", "missing_band"}
    assert quality["hls-chip"] == {"no_haze_mask", "no_cloud_mask"}


def test_the_twelve_bands_of_the_chips_lack_b8a(results: dict) -> None:
    """B10 sees the top of the troposphere: over land without cirrus it is all but black."""
    bands = next(case["bands"] for case in results["cases"] if case["name"] == "sentinel2-2019")

    assert bands["B8A"] == [None, None, None]
    assert bands["B10"][1] < 0.005 < bands["B9"][1]

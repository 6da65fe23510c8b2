"""An image is read where its patches are whole: inside the region, measured to the last pixel, in every band."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.io.image_store import ImageStack, PlantYear
from carbonray.io.imagery.image import FLAG_BITS, RegionGrid, Structure
from carbonray.stages.patch_rules import patch_verdict, structure_pixels

BANDS, SIDE, PATCH = ("B4", "B3", "B8A"), 40, 16


@pytest.fixture
def stack() -> ImageStack:
    """Two whole images of a tower in the middle and a stack near the upper left corner."""
    dn = np.full((2, len(BANDS), SIDE, SIDE), 500, np.uint16)
    numbers = np.ones((2, len(BANDS)))
    return ImageStack(
        of=PlantYear("P1", "sentinel2", 2021),
        image_ids=("one", "two"),
        dn=dn,
        flags=np.zeros((2, SIDE, SIDE), np.uint8),
        scale=numbers,
        offset=numbers,
        k1=numbers,
        k2=numbers,
        time_utc_ns=np.arange(2, dtype=np.int64),
        bands=BANDS,
        grid=RegionGrid(32632, 0.0, 0.0, 10.0, SIDE, SIDE),
        structures=(Structure("t", "NDT", 0.0, 0.0), Structure("s", "FGD", 0.0, 0.0)),
        row=np.array([20, 9]),
        col=np.array([20, 9]),
        data_tier="SYNTHETIC-T0",
    )


def rows(kind: str = "NDT") -> pa.Table:
    return pa.table({"image_id": ["two", "one"], "structure_kind": [kind] * 2})


def rules(stack: ImageStack, kind: str = "NDT", size: int = PATCH) -> list[str]:
    return patch_verdict(stack, rows(kind), {kind: size}).rule.tolist()


def test_whole_patches_are_kept(stack: ImageStack) -> None:
    assert rules(stack) == ["", ""]
    assert [int(pixel[0]) for pixel in structure_pixels(stack, "FGD")] == [9, 9]


def test_a_patch_that_leaves_the_region_rejects_every_image_of_the_kind(stack: ImageStack) -> None:
    assert rules(stack, "FGD", 20) == ["patch inside"] * 2
    assert rules(stack, "FGD") == ["", ""], "a smaller patch fits"


@pytest.mark.parametrize(("row", "col"), [(12, 12), (27, 27), (12, 27)])
def test_one_pixel_that_was_not_measured_rejects_that_image(stack: ImageStack, row: int, col: int) -> None:
    stack.flags[1, row, col] = FLAG_BITS["nodata"]
    assert rules(stack) == ["patch measured", ""]


def test_what_lies_outside_the_patch_does_not_matter(stack: ImageStack) -> None:
    stack.flags[:, 28:, :] = FLAG_BITS["nodata"]
    stack.dn[:, :, :, :12] = 0
    assert rules(stack) == ["", ""]


def test_an_absent_band_is_named(stack: ImageStack) -> None:
    stack.dn[0, 2] = 0
    found = patch_verdict(stack, rows(), {"NDT": PATCH})
    assert found.rule.tolist() == ["", "band missing"]
    assert found.reason[1] == "nothing is in B8A"


def test_no_rows_are_no_trouble(stack: ImageStack) -> None:
    assert patch_verdict(stack, rows().slice(0, 0), {"NDT": PATCH}).rule.tolist() == []

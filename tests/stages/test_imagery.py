"""Ingest of imagery: bad images are set aside and the others go on; counts add up; backgrounds follow."""

import json
from pathlib import Path

import numpy as np
import pytest

from carbonray.contract import Encoded, Reading, Unit, encode_object_rows
from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.background_store import read_background
from carbonray.io.image_store import read_images
from carbonray.io.imagery.region import RegionRules, region_grid
from carbonray.io.table_store import decode_table
from carbonray.science.power.backgrounds import BackgroundRules
from carbonray.stages.imagery import IngestRegion, MakeBackground, region_partition
from carbonray.vocab.plant_tables import IMAGES
from carbonray.vocab.sensors import IMAGERS
from tests.io.imagery.native_files import PLANT, chip_item, pattern, write_item, write_tif

RULES = RegionRules(margin_px=6)
SENTINEL = IMAGERS["sentinel2"]
GRID = region_grid(PLANT, SENTINEL, RULES)
INGEST = IngestRegion(RULES)


def item(folder: Path, name: str, day: str, *, add: int = 0, **properties: str) -> str:
    bands = [{"name": band.name, "scale": 1e-4, "offset": 0.0} for band in SENTINEL.bands]
    values = np.stack([pattern(place, GRID.rows, GRID.cols) + np.uint16(add) for place in range(13)])
    path = write_tif(folder / f"{name}.tif", values, GRID, 10.0)
    return write_item(folder / f"{name}.json", chip_item(path, bands, **{"datetime": f"{day}T10:30:00Z", **properties}))


def unit(urls: list[str], year: int = 2020, plant: str = "p1") -> Unit:
    partition = region_partition(plant, "sentinel2", year, PLANT)
    return Unit("images", "id", f"{plant}-sentinel2-{year}", partition, tuple(urls), ("",) * len(urls))


def committed(reading: Reading, folder: Path, of: Unit) -> Encoded:
    encoded = encode_object_rows(of, reading.batch, reading.facts)
    for key, data in encoded.objects.items():
        objectstore.put_bytes(f"{folder}/{key}", data)
    return encoded


def test_a_year_of_a_plant_becomes_one_store(tmp_path: Path) -> None:
    of = unit([item(tmp_path, "b", "2020-07-01", add=3), item(tmp_path, "a", "2020-02-01")])

    reading = INGEST(of)
    committed(reading, tmp_path, of)
    stack = read_images(f"{tmp_path}/images/p1/sentinel2/2020.zarr")

    assert reading.rows == {"read": 2, "kept": 2, "quarantined": 0}
    assert reading.facts["data_tier"] == "REAL"
    assert stack.image_ids == ("a", "b") and np.array_equal(stack.dn[1], stack.dn[0] + 3)
    assert [each.structure_id for each in stack.structures] == ["t1", "s1"]
    assert (stack.row >= 6).all() and (stack.col >= 6).all()


def test_the_same_unit_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    urls = [item(tmp_path, name, f"2020-0{month}-01") for month, name in enumerate("abc", 1)]

    one, other = (encode_object_rows(unit(order), INGEST(unit(order)).batch, {}) for order in (urls, urls[::-1]))

    assert one.objects == other.objects


def test_bad_images_are_set_aside_with_key_and_reason_and_the_others_go_on(tmp_path: Path) -> None:
    urls = [item(tmp_path, name, f"2020-0{month}-01") for month, name in enumerate("abcdef", 1)]
    truncated = tmp_path / "b.tif"
    truncated.write_bytes(truncated.read_bytes()[:300])
    Path(urls[2]).write_text("{")
    away = write_tif(tmp_path / "d.tif", np.ones((13, 9, 9), np.uint16), GRID, 10.0, left=GRID.left + 90_000)
    Path(urls[4]).unlink()
    (tmp_path / "f.tif").unlink()

    reading = INGEST(unit(urls))

    assert away.exists()
    assert reading.rows == {"read": 6, "kept": 1, "quarantined": 5}
    assert sum(reading.quarantined.values()) == 5
    reasons = {reason.split(": ")[0].rpartition("/")[2]: reason for reason in reading.quarantined}
    assert "cannot be read" in reasons["b.json"] and "cannot be read" in reasons["c.json"]
    assert "nothing of the region" in reasons["d.json"] and "nothing of the region" in reasons["f.json"]
    assert "no such object" in reasons["e.json"]


def test_an_acquisition_given_twice_is_kept_once(tmp_path: Path) -> None:
    url = item(tmp_path, "a", "2020-02-01")

    reading = INGEST(unit([url, url]))

    assert reading.rows == {"read": 2, "kept": 1, "quarantined": 1}
    assert "given twice" in next(iter(reading.quarantined))


def test_two_products_of_one_acquisition_are_both_kept(tmp_path: Path) -> None:
    urls = [item(tmp_path, name, "2020-02-01", updated=f"2020-03-0{day}T00:00:00Z") for day, name in enumerate("ab", 1)]
    of = unit(urls)

    rows = decode_table(
        committed(INGEST(of), tmp_path, of).objects["images/p1/sentinel2/2020.parquet"], IMAGES
    ).to_pylist()

    assert [row["image_id"] for row in rows] == ["a", "b"] and rows[0]["time_utc_ns"] == rows[1]["time_utc_ns"]
    assert rows[0]["downloaded_utc_ns"] < rows[1]["downloaded_utc_ns"]


def test_images_of_another_year_are_rejected_and_counted(tmp_path: Path) -> None:
    urls = [item(tmp_path, "a", "2020-12-31"), item(tmp_path, "b", "2021-01-01")]

    assert INGEST(unit(urls)).rows == {"read": 2, "kept": 1, "quarantined": 0, "rejected: other year": 1}


def test_a_unit_of_nothing_but_bad_images_gives_a_table_without_rows(tmp_path: Path) -> None:
    reading = INGEST(unit([f"{tmp_path}/none.json"]))

    assert reading.rows == {"read": 1, "kept": 0, "quarantined": 1} and reading.facts["data_tier"] == "none"
    assert list(reading.batch["object_key"]) == ["images/p1/sentinel2/2020.parquet"]


def test_a_plant_without_structures_is_bad_data() -> None:
    empty = {"plant_id": "p", "imager": "sentinel2", "year": 2020, "structures": json.dumps([])}

    with pytest.raises(DataError, match="no structure"):
        INGEST(Unit("images", "id", "k", empty, (), ()))


def test_a_background_is_the_median_of_drawn_images_over_all_years(tmp_path: Path) -> None:
    adds = {2019: (1, 9), 2020: (3, 5, 700)}
    for year, values in adds.items():
        of = unit(
            [item(tmp_path, f"{year}-{add}", f"{year}-02-0{n}", add=add) for n, add in enumerate(values, 1)], year
        )
        committed(INGEST(of), tmp_path, of)
    stores = tuple(f"{tmp_path}/images/p1/sentinel2/{year}.zarr" for year in adds)
    of = Unit("backgrounds", "id", "p1-sentinel2", {"plant_id": "p1", "imager": "sentinel2"}, stores, ("", ""))

    reading = MakeBackground(BackgroundRules(images=32))(of)
    committed(reading, tmp_path, of)
    found = read_background(f"{tmp_path}/images/p1/sentinel2/background.zarr")

    assert reading.rows == {"read": 5, "kept": 5, "quarantined": 0}
    assert found.value[0] == pytest.approx((pattern(0, GRID.rows, GRID.cols) + 5) * 1e-4, abs=1e-6)
    few = MakeBackground(BackgroundRules(images=2))(of)
    assert few.rows == {"read": 5, "kept": 2, "quarantined": 0, "rejected: not drawn": 3}


def test_a_plant_without_images_has_no_background(tmp_path: Path) -> None:
    of = unit([f"{tmp_path}/none.json"])
    committed(INGEST(of), tmp_path, of)
    store = f"{tmp_path}/images/p1/sentinel2/2020.zarr"

    with pytest.raises(DataError, match="no image"):
        MakeBackground(BackgroundRules())(
            Unit("backgrounds", "id", "k", {"plant_id": "p1", "imager": "sentinel2"}, (store,), ("",))
        )

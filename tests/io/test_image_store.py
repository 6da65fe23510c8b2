"""The image store: the same bytes always, read back whole, refused where it is not."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from carbonray.errors import ContractError, DataError
from carbonray.io import objectstore
from carbonray.io.background_store import Background, encode_background, read_background
from carbonray.io.image_store import PlantYear, encode_images, image_table, read_images
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS, RegionGrid, RegionImage, Structure
from carbonray.io.table_store import decode_table
from carbonray.vocab.plant_tables import IMAGES

OF = PlantYear("US-0001", "planetscope", 2021)
GRID = RegionGrid(32632, 360000.0, 5700000.0, 3.0, 20, 30)
STRUCTURES = (Structure("t", "NDT", 51.43465, 6.98614),)
DAY = 86_400_000_000_000
START = np.datetime64("2021-01-01", "ns").astype(int)


def image(day: int, name: str | None = None, **changes: object) -> RegionImage:
    rng = np.random.default_rng(day)
    flags = np.zeros((20, 30), np.uint8)
    flags[:5] = FLAG_BITS["cloud"]
    flags[5:7] = FLAG_BITS["haze"]
    flags[-4:] = FLAG_BITS["nodata"]
    made = RegionImage(
        image_id=name or f"i{day:03}",
        imager="planetscope",
        time_utc_ns=int(START) + day * DAY,
        dn=rng.integers(1, 4000, (4, 20, 30)).astype(np.uint16),
        flags=flags,
        scale=np.full(4, 2e-5 * (day + 1)),
        offset=np.zeros(4),
        k1=np.full(4, np.nan),
        k2=np.full(4, np.nan),
        grid=GRID,
        covered_km2=200.0,
        sun_elevation_deg=40.0,
        sun_azimuth_deg=float("nan"),
        downloaded_utc_ns=int(START) + 300 * DAY,
        quality=0,
        source_url=f"s3://b/{day}",
        data_tier="SYNTHETIC-T0",
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def stored(folder: Path, objects: dict[str, bytes]) -> str:
    for key, data in objects.items():
        objectstore.put_bytes(f"{folder}/{key}", data)
    return f"{folder}/{OF.stem}.zarr"


def test_a_store_reads_back_as_it_was_whatever_the_order(tmp_path: Path) -> None:
    images = [image(day) for day in (5, 1, 200)]

    objects = encode_images(OF, images, STRUCTURES)
    stack = read_images(stored(tmp_path, objects))

    assert objects == encode_images(OF, images[::-1], STRUCTURES)
    assert stack.image_ids == ("i001", "i005", "i200")
    for place, day in enumerate((1, 5, 200)):
        assert np.array_equal(stack.dn[place], image(day).dn) and stack.scale[place, 0] == 2e-5 * (day + 1)
    assert np.isnan(stack.k1).all() and stack.flags.dtype == np.uint8
    assert (stack.of, stack.grid, stack.structures, stack.bands) == (OF, GRID, STRUCTURES, ("B", "G", "R", "NIR"))
    assert stack.data_tier == "SYNTHETIC-T0"
    assert (stack.row.shape, stack.col.shape) == ((1,), (1,))


def test_arrays_are_one_shard_each_and_a_chunk_an_image() -> None:
    objects = encode_images(OF, [image(day) for day in range(3)], STRUCTURES)

    shards = [key for key in objects if "/dn/c/" in key]
    assert shards == ["images/US-0001/planetscope/2021.zarr/dn/c/0/0/0/0"]
    described = json.loads(objects["images/US-0001/planetscope/2021.zarr/dn/zarr.json"])
    assert described["chunk_grid"]["configuration"]["chunk_shape"] == [3, 4, 20, 30]
    assert described["codecs"][0]["configuration"]["chunk_shape"] == [1, 4, 20, 30]
    assert list(objects)[-1] == "images/US-0001/planetscope/2021.parquet"


def test_the_table_has_a_row_an_image_in_the_order_of_the_arrays() -> None:
    objects = encode_images(OF, [image(9), image(3, quality=QUALITY_BITS["no_haze_mask"])], STRUCTURES)

    rows = decode_table(objects[f"{OF.stem}.parquet"], IMAGES).to_pylist()

    assert [row["image_id"] for row in rows] == ["i003", "i009"]
    assert rows[1]["valid_fraction"] == pytest.approx(16 / 20)
    assert rows[1]["cloud_fraction"] == pytest.approx(5 / 16) and rows[1]["haze_fraction"] == pytest.approx(2 / 16)
    assert rows[1]["clear_fraction"] == pytest.approx(9 / 20)
    assert np.isnan(rows[0]["haze_fraction"]) and rows[0]["cloud_fraction"] == pytest.approx(5 / 16)
    assert np.isnan(rows[0]["sun_azimuth_deg"]) and rows[0]["source_url"] == "s3://b/3"


def test_without_a_cloud_mask_nothing_is_called_clear() -> None:
    unknown = QUALITY_BITS["no_cloud_mask"] | QUALITY_BITS["no_haze_mask"]
    objects = encode_images(OF, [image(1, quality=unknown)], STRUCTURES)

    (row,) = decode_table(objects[f"{OF.stem}.parquet"], IMAGES).to_pylist()

    assert all(np.isnan(row[name]) for name in ("cloud_fraction", "haze_fraction", "clear_fraction"))


def test_a_year_without_images_is_a_table_without_rows() -> None:
    objects = encode_images(OF, [], STRUCTURES)

    assert list(objects) == [f"{OF.stem}.parquet"]
    assert decode_table(objects[f"{OF.stem}.parquet"], IMAGES).num_rows == 0


@pytest.mark.parametrize(
    ("others", "found"),
    [
        ([image(2, "i001")], "i001 is there twice"),
        ([image(2, grid=dataclasses.replace(GRID, left=0.0))], "i002"),
        ([image(400)], "2022"),
        ([image(2, imager="landsat8")], "landsat8"),
        ([image(2, data_tier="REAL")], "REAL"),
        ([image(2, dn=np.ones((3, 20, 30), np.uint16))], r"\(3, 20, 30\)"),
        ([image(2, flags=np.ones((20, 31), np.uint8))], "i002"),
    ],
)
def test_images_that_do_not_belong_together_make_no_store(others: list[RegionImage], found: str) -> None:
    with pytest.raises(ContractError, match=found):
        encode_images(OF, [image(1), *others], STRUCTURES)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".", "a b", ".."])
def test_a_plant_whose_id_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match="cannot name a folder"):
        encode_images(PlantYear(name, "planetscope", 2021), [image(1)], STRUCTURES)


def test_a_store_that_is_not_whole_is_bad_data(tmp_path: Path) -> None:
    url = stored(tmp_path, encode_images(OF, [image(day) for day in range(3)], STRUCTURES))
    shard = Path(url) / "dn" / "c" / "0" / "0" / "0" / "0"
    data = shard.read_bytes()

    for broken in (data[: len(data) // 2], data[:100] + b"x" + data[101:]):
        shard.write_bytes(broken)
        with pytest.raises(DataError, match="cannot be read"):
            read_images(url)
    shard.unlink()
    with pytest.raises(DataError):
        read_images(url)
    with pytest.raises(DataError):
        read_images(f"{tmp_path}/none.zarr")


@pytest.mark.s3
def test_a_store_is_read_from_s3(s3_server: str) -> None:
    objects = encode_images(OF, [image(day) for day in range(2)], STRUCTURES)
    for key, data in objects.items():
        objectstore.put_bytes(f"{s3_server}/{key}", data)

    assert np.array_equal(read_images(f"{s3_server}/{OF.stem}.zarr").dn[1], image(1).dn)


def test_a_background_reads_back_and_is_no_image_store(tmp_path: Path) -> None:
    value = np.full((4, 20, 30), 0.25, np.float32)
    value[0, 0, 0] = np.nan
    made = Background(value, ("B", "G", "R", "NIR"), ("i001", "i002"), GRID, "REAL")

    stored(tmp_path, encode_background("US-0001", "planetscope", made))
    url = f"{tmp_path}/images/US-0001/planetscope/background.zarr"
    found = read_background(url)

    assert np.array_equal(found.value, value, equal_nan=True)
    assert (found.bands, found.image_ids, found.grid, found.data_tier) == (made.bands, made.image_ids, GRID, "REAL")
    with pytest.raises(DataError, match="no image store"):
        read_images(url)


@pytest.mark.parametrize("folder", ["/data/a", "file:///data/b", "../c"])
def test_the_bytes_do_not_say_where_on_a_machine_the_items_lay(folder: str) -> None:
    table = image_table("P1", [image(3, source_url=f"{folder}/S2_1.json")])
    assert table.column("source_url").to_pylist() == ["S2_1.json"]

"""Granules of both layouts are read alike from anywhere; what is broken is refused or repaired, in words."""

import h5py
import numpy as np
import pytest

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.tropomi import Swath, decode_swath, encode_swath, parse_granule, read_granule
from tests.io import granules
from tests.io.granules import CLOUD, DETAIL, NAME, official_granule, put, remove

ARRAYS = ("time_utc_ns", "lat", "lon", "lat_corners", "lon_corners", "no2_mol_m2", "qa_value", "cloud_fraction")


def same(one: Swath, other: Swath) -> bool:
    facts = all(getattr(one, name) == getattr(other, name) for name in ("granule", "orbit", "data_tier", "repairs"))
    return facts and all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in ARRAYS)


def test_the_official_layout():
    swath = parse_granule(official_granule(), NAME)
    lat_corners, lon_corners, lat, lon = granules.corners_and_centres()
    assert swath.granule == NAME.removesuffix(".nc")
    assert (swath.orbit, swath.data_tier, swath.repairs) == (19594, "REAL", ())
    assert np.allclose(swath.lat, lat, atol=1e-5)
    assert np.allclose(swath.lon, lon, atol=1e-5)
    assert np.allclose(swath.lat_corners, lat_corners, atol=1e-5)
    assert np.allclose(swath.lon_corners, lon_corners, atol=1e-5)
    assert [getattr(swath, name).dtype for name in ARRAYS] == [np.int64, *[np.float64] * 4, *[np.float32] * 3]
    assert str(swath.time_utc_ns[1].astype("datetime64[ns]")) == "2021-07-25T11:44:53.435000000"
    assert np.allclose(swath.qa_value[:-1], 1.0)
    assert np.allclose(swath.qa_value[-1], 0.74)
    assert (swath.cloud_fraction == 0.25).all()


def test_fill_is_missing_and_negative_columns_are_kept():
    swath = parse_granule(official_granule(), NAME)
    assert np.isnan(swath.no2_mol_m2[0, 0])
    assert swath.no2_mol_m2[0, 1] == np.float32(-2e-5)
    assert np.isfinite(swath.no2_mol_m2).sum() == 29


@pytest.mark.parametrize("where", ["path", "file", "bytes"])
def test_a_granule_is_the_same_wherever_it_comes_from(tmp_path, where):
    path = tmp_path / NAME
    path.write_bytes(official_granule())
    read = {
        "path": lambda: read_granule(str(path)),
        "file": lambda: read_granule(f"file://{path}"),
        "bytes": lambda: parse_granule(path.read_bytes(), NAME),
    }
    assert same(read[where](), parse_granule(path, NAME))


@pytest.mark.s3
def test_granules_and_ingested_swaths_are_read_from_s3(s3_server):
    url = objectstore.join(s3_server, NAME)
    objectstore.put_bytes(url, official_granule())
    swath = read_granule(url)
    assert same(swath, parse_granule(official_granule(), NAME))
    for key, data in encode_swath(swath).items():
        objectstore.put_bytes(objectstore.join(s3_server, "swaths.zarr", swath.granule, key), data)
    assert same(read_granule(objectstore.join(s3_server, "swaths.zarr", swath.granule)), swath)


def test_the_real_cropped_granule(shared_data):
    swath = read_granule(str(next((shared_data / "tropomi/matimba").glob("*S5P*.nc"))))
    assert (swath.orbit, swath.data_tier, swath.repairs) == (19594, "REAL", ())
    assert swath.no2_mol_m2.shape == (132, 169)
    valid = np.isfinite(swath.no2_mol_m2)
    assert valid.mean() == pytest.approx(0.46, abs=0.005)  # DATA.md: 46 % valid
    assert (swath.qa_value == valid).all()
    peak = np.nanargmax(swath.no2_mol_m2)
    assert np.nanmax(swath.no2_mol_m2) == pytest.approx(1.05e-3, rel=0.01)
    assert (swath.lat.flat[peak], swath.lon.flat[peak]) == pytest.approx((-26.27, 29.05), abs=0.01)
    assert np.nanmin(swath.no2_mol_m2) < 0
    assert len(set(swath.time_utc_ns.tolist())) == 1
    assert str(swath.time_utc_ns[0].astype("datetime64[ns]").astype("datetime64[s]")) == "2021-07-25T11:44:52"


def test_an_ingested_swath_is_one_shard_a_variable_sealed_last():
    swath = parse_granule(official_granule(), NAME)
    objects = encode_swath(swath)
    assert [key for key in objects if "/c/" in key] == [
        f"{name}/c/{'/'.join('0' * getattr(swath, name).ndim)}" for name in sorted(ARRAYS)
    ]
    assert list(objects)[-1] == "zarr.json"
    assert same(decode_swath(objects, "x"), swath)
    assert encode_swath(decode_swath(objects, "x")) == objects


def test_an_ingested_swath_is_read_from_a_folder(tmp_path):
    swath = parse_granule(official_granule(lines=300), NAME)
    folder = tmp_path / "swaths.zarr" / swath.granule
    for key, data in encode_swath(swath).items():
        objectstore.put_bytes(str(folder / key), data)
    assert same(read_granule(f"file://{folder}"), swath)


def test_positions_finer_than_the_products_survive_ingestion():
    lat = granules.corners_and_centres()[2][None]
    swath = parse_granule(official_granule(put("PRODUCT/latitude", lat)), NAME)
    assert (swath.lat == lat[0]).all()
    assert same(decode_swath(encode_swath(swath), "x"), swath)


@pytest.mark.parametrize(
    "damage", ["shard absent", "shard truncated", "byte flipped", "not a group", "other group", "nothing"]
)
def test_a_damaged_ingested_swath_is_refused(damage):
    objects = encode_swath(parse_granule(official_granule(), NAME))
    shard = "no2_mol_m2/c/0/0"
    flipped = bytearray(objects[shard])
    flipped[20] ^= 255
    broken = {
        "shard absent": {key: data for key, data in objects.items() if key != shard},
        "shard truncated": objects | {shard: objects[shard][:-30]},
        "byte flipped": objects | {shard: bytes(flipped)},
        "not a group": objects | {"zarr.json": b"{]"},
        "other group": objects
        | {"zarr.json": b'{"zarr_format": 3, "node_type": "group", "attributes": {"sha256": {}}}'},
        "nothing": {},
    }
    with pytest.raises(DataError, match="granule-7"):
        decode_swath(broken[damage], "granule-7")


@pytest.mark.parametrize("form", ["time_utc", "since"])
def test_times_in_the_products_other_forms(form):
    def change(file: h5py.File) -> None:
        if form == "time_utc":
            del file["PRODUCT/delta_time"]
            texts = [[f"2021-07-25T11:44:{52.595 + 0.84 * i:09.6f}Z".encode() for i in range(6)]]
            file["PRODUCT/time_utc"] = np.array(texts)
        else:
            file["PRODUCT/delta_time"].attrs["units"] = "milliseconds since 2021-07-25 00:00:00"

    expected = parse_granule(official_granule(), NAME).time_utc_ns
    assert (parse_granule(official_granule(change), NAME).time_utc_ns == expected).all()


def test_an_older_cloud_fraction_or_none():
    def moved(file: h5py.File) -> None:
        file["PRODUCT/SUPPORT_DATA/INPUT_DATA/cloud_fraction_crb"] = file[CLOUD][...] * 2
        del file[CLOUD]

    assert (parse_granule(official_granule(moved), NAME).cloud_fraction == 0.5).all()
    assert np.isnan(parse_granule(official_granule(remove(DETAIL)), NAME).cloud_fraction).all()


def test_orbit_from_attribute_or_name_and_the_tier_a_file_declares():
    def plain(file: h5py.File) -> None:
        del file.attrs["orbit"]
        file.attrs["data_tier"] = "SYNTHETIC-T1"

    data = official_granule(plain)
    assert parse_granule(data, NAME).orbit == 19594
    assert parse_granule(data, "granule.nc").orbit == -1
    assert parse_granule(data, NAME).data_tier == "SYNTHETIC-T1"

"""The store laws that a run relies on, on a quick server and on a real one: both must keep them."""

import numpy as np
import pytest
import zarr

from carbonray.errors import ConflictError, DataError
from carbonray.io import objectstore

SERVERS = [
    pytest.param("s3_server", marks=pytest.mark.s3),
    pytest.param("radosgw_server", marks=pytest.mark.radosgw),
]


@pytest.fixture(params=SERVERS)
def bucket(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def test_what_is_put_is_read_and_listed_in_order(bucket: str) -> None:
    urls = [f"{bucket}/ledger/{name}.json" for name in ("b", "a")]
    for url in urls:
        objectstore.put_bytes(url, url.encode())

    assert objectstore.read_bytes(urls[0]) == urls[0].encode()
    assert list(objectstore.listing(f"{bucket}/ledger")) == ["a.json", "b.json"]
    assert objectstore.read_many(urls) == {url: url.encode() for url in urls}
    assert objectstore.listing(f"{bucket}/quarantine") == {}


def test_an_absent_object_is_bad_data_with_its_url(bucket: str) -> None:
    with pytest.raises(DataError, match="nothing-here"):
        objectstore.read_bytes(f"{bucket}/nothing-here")


def test_an_immutable_object_is_put_once(bucket: str) -> None:
    url = f"{bucket}/objects/unit.parquet"

    assert objectstore.put_once(url, b"first")
    assert not objectstore.put_once(url, b"first"), "the same bytes again are fine and are not written"
    with pytest.raises(ConflictError, match="other bytes"):
        objectstore.put_once(url, b"second")
    assert objectstore.read_bytes(url) == b"first"


def test_an_object_larger_than_one_part_survives(bucket: str) -> None:
    data = np.random.default_rng(7).bytes(12 * 2**20)  # s3fs sends parts of 5 MiB and more

    objectstore.put_bytes(f"{bucket}/objects/large", data)

    assert objectstore.sha256(objectstore.read_bytes(f"{bucket}/objects/large")) == objectstore.sha256(data)


def test_a_sharded_zarr_array_survives(bucket: str) -> None:
    field = np.arange(64 * 96, dtype=np.float32).reshape(64, 96)
    url = f"{bucket}/hotspots.zarr"

    array = zarr.create_array(url, shape=field.shape, dtype="f4", chunks=(16, 16), shards=(32, 48), zarr_format=3)
    array[:] = field

    assert np.array_equal(zarr.open_array(url, mode="r")[20:50, 30:90], field[20:50, 30:90])

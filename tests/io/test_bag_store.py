"""Bags as Arrow files: the numbers come back, the bytes are the rows' alone, and what is no such file is bad data."""

import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ContractError, DataError
from carbonray.io.bag_store import KEYS, Bags, encode_bags, read_bag_keys, read_bags
from carbonray.vocab.sample_tables import BAGS

BANDS = ("B4", "B3", "B10")


def bags(images=3, structures=2, side=4, seed=0, kind="NDT", fold=1):
    rng = np.random.default_rng(seed)
    keys = pa.table(
        {
            "plant_id": ["P"] * images,
            "structure_kind": [kind] * images,
            "imager": ["landsat8"] * images,
            "image_id": [f"image {number}" for number in range(images)],
            "time_utc_ns": np.arange(images),
            "capacity_factor": np.where(np.arange(images) % 3 == 2, np.nan, 0.5).astype(np.float32),
            "on": np.arange(images) % 2 == 0,
            "fold": np.full(images, fold, np.int8),
            "data_tier": ["REAL"] * images,
        }
    )
    dn = rng.integers(0, 2**16, (images, structures, len(BANDS), side, side), np.uint16)
    numbers = rng.normal(size=(images, 4, len(BANDS)))
    numbers[:, 2:, :2] = np.nan
    return Bags(keys, dn, numbers, BANDS)


@given(
    images=st.integers(1, 5),
    structures=st.integers(1, 4),
    half=st.integers(1, 3),
    more=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_what_was_put_in_comes_out(images, structures, half, more, seed):
    kinds = {"NDT": bags(images, structures, 2 * half, seed), "FGD": bags(2, structures + more, 2 * half, seed + 1)}
    data = encode_bags(kinds)
    for kind, put in kinds.items():
        found = read_bags(data, kind, where="x")
        np.testing.assert_array_equal(found.dn, put.dn)
        np.testing.assert_array_equal(found.numbers, put.numbers)
        assert found.bands == BANDS and found.dn.dtype == np.uint16
        assert found.keys["n_structures"].to_pylist() == [put.dn.shape[1]] * len(put.dn)
        assert found.keys.schema.types == [BAGS.field(name).type for name in KEYS]
        for name in put.keys.column_names:
            np.testing.assert_array_equal(found.keys[name].to_numpy(), put.keys[name].to_numpy())


def test_the_same_rows_give_the_same_bytes_in_any_order_of_kinds_and_pieces():
    first, second = bags(seed=1), bags(seed=2)
    data = encode_bags({"NDT": first, "FGD": second})
    pieces = pa.concat_tables([first.keys.slice(0, 1), first.keys.slice(1)])
    again = Bags(pieces, np.asfortranarray(first.dn), first.numbers, first.bands)
    assert encode_bags({"FGD": second, "NDT": again}) == data
    assert encode_bags({"FGD": second, "NDT": bags(seed=3)}) != data


def test_keys_are_read_without_the_pixels():
    class Counted(io.BytesIO):
        count = 0

        def read(self, size=-1):
            data = super().read(size)
            Counted.count += len(data)
            return data

    data = encode_bags({"NDT": bags(images=20, structures=4, side=32), "FGD": bags(20, 4, 32)})
    keys = read_bag_keys(Counted(data), "NDT", where="x")
    assert tuple(keys.column_names) == KEYS and keys.num_rows == 20
    assert Counted.count < len(data) / 10


def test_a_kind_that_is_not_there_is_none():
    data = encode_bags({"NDT": bags()})
    assert read_bags(data, "FGD", where="x") is None and read_bag_keys(data, "FGD", where="x").num_rows == 0


def test_kinds_of_different_patches_are_refused():
    with pytest.raises(ContractError, match="bags of 2 shapes"):
        encode_bags({"NDT": bags(side=4), "FGD": bags(side=6)})


@pytest.mark.parametrize("broken", ["no Arrow", "truncated", "other table"])
def test_what_is_no_such_file_is_bad_data(broken):
    data = encode_bags({"NDT": bags(images=20, side=16)})
    if broken == "other table":
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, pa.schema([("a", pa.int8())])) as writer:
            writer.write_table(pa.table({"a": pa.array([1], pa.int8())}))
        data = sink.getvalue()
    else:
        data = {"no Arrow": b"no Arrow file", "truncated": data[: len(data) // 2]}[broken]
    with pytest.raises(DataError, match="holds no bags"):
        read_bags(data, "NDT", where="x")

"""Tables: the same bytes whatever the order, units kept, and shards read without the rest."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.contract import to_table
from carbonray.errors import ContractError, DataError
from carbonray.io.table_store import (
    TableRules,
    decode_table,
    encode_pixels,
    encode_table,
    read_rows,
    read_shard,
    row_count,
    shards_in,
)
from carbonray.vocab import tables

SHARD_PX = 360


def detections(rows: int, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    columns = {
        "row": rng.integers(0, 3600, rows).astype(np.int16),
        "col": rng.integers(0, 7200, rows).astype(np.int16),
        "day": rng.integers(18000, 18365, rows).astype(np.int32),
        "rel_emission": rng.random(rows, np.float32),
        "coverage": rng.random(rows, np.float32),
        "no2_umol_m2": rng.normal(30, 20, rows).astype(np.float32),
    }
    return to_table(columns, tables.DETECTIONS, stage="test")


def test_rows_come_back_sorted_with_their_schema_and_units():
    table = detections(1000)
    back = decode_table(encode_table(table, ("row", "col", "day")), tables.DETECTIONS)
    assert back.schema.equals(tables.DETECTIONS, check_metadata=True)
    assert back == table.sort_by([(key, "ascending") for key in ("row", "col", "day")])
    plain = decode_table(encode_table(table, ()))
    assert plain.schema.field("no2_umol_m2").metadata[b"units"] == b"umol m-2"


@given(order=st.permutations(range(40)), pieces=st.integers(1, 5))
def test_the_bytes_do_not_depend_on_the_order_or_pieces_of_the_rows(order, pieces):
    table = detections(40).append_column("unique", pa.array(range(40)))
    shuffled = table.take(pa.array(order))
    in_pieces = pa.concat_tables([shuffled.slice(k, pieces) for k in range(0, 40, pieces)])
    keys = ("row", "col", "unique")
    assert encode_table(in_pieces, keys) == encode_table(table, keys)


@settings(max_examples=20)
@given(rows=st.integers(0, 100), seed=st.integers(0, 99))
def test_the_shards_hold_every_pixel_once(rows, seed):
    table = detections(rows, seed)
    data = encode_pixels(table, SHARD_PX)
    shards = shards_in(data, SHARD_PX)
    parts = [read_shard(data, shard, SHARD_PX, tables.DETECTIONS) for shard in shards]
    for (shard_row, shard_col), part in zip(shards, parts, strict=True):
        assert set(part.column("row").to_numpy() // SHARD_PX) == {shard_row}
        assert set(part.column("col").to_numpy() // SHARD_PX) == {shard_col}
    every = sorted(map(str, table.to_pylist()))
    assert sorted(str(row) for part in parts for row in part.to_pylist()) == every
    assert read_shard(data, (99, 99), SHARD_PX, tables.DETECTIONS).num_rows == 0


def test_a_shard_is_read_without_the_others():
    data = encode_pixels(detections(20_000), SHARD_PX)
    shard = shards_in(data, SHARD_PX)[7]
    read = []

    class Counted(io.BytesIO):
        def read(self, size: int = -1) -> bytes:
            read.append(size)
            return super().read(size)

        def readinto(self, buffer) -> int:
            read.append(len(buffer))
            return super().readinto(buffer)

    read_shard(Counted(data), shard, SHARD_PX)
    assert sum(read) < 0.4 * len(data)


def test_large_shards_are_split_into_row_groups_of_their_own():
    table = detections(500).set_column(0, tables.DETECTIONS.field("row"), pa.array(np.full(500, 7, np.int16)))
    data = encode_pixels(table, 7200, TableRules(row_group_rows=100))
    sizes = [pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(k).num_rows for k in range(5)]
    assert sizes == [100] * 5
    assert read_shard(data, (0, 0), 7200).num_rows == 500


@pytest.mark.parametrize(
    "damage", [lambda d: b"", lambda d: b"not parquet", lambda d: d[: len(d) // 2], lambda d: d[:-4]]
)
def test_damaged_bytes_are_bad_data(damage):
    with pytest.raises(DataError, match="not a Parquet table"):
        decode_table(damage(encode_table(detections(100), ("row",))))


@pytest.mark.parametrize("data", [encode_table(detections(100), ("row",)), encode_pixels(detections(100), 120)])
def test_tables_cut_otherwise_are_bad_data(data):
    with pytest.raises(DataError, match=r"row groups are cut by shards of (None|120) pixels"):
        shards_in(data, SHARD_PX)


def test_another_schema_or_key_is_a_broken_contract():
    with pytest.raises(ContractError, match="has columns row: int16"):
        decode_table(encode_table(detections(10), ("row",)), tables.HOTSPOT_PIXELS)
    with pytest.raises(ContractError, match=r"keys \['nope'\]"):
        encode_table(detections(10), ("nope",))


@given(st.lists(st.sampled_from("abcdefgh"), max_size=200), st.sampled_from("abcdefghi"))
def test_the_rows_of_a_word_are_all_of_them_whatever_the_groups(words, wanted):
    table = pa.table({"plant_id": pa.array(words, pa.string()), "row": pa.array(range(len(words)), pa.int64())})
    data = encode_table(table, ("plant_id", "row"), TableRules(row_group_rows=7))
    found = read_rows(data, "plant_id", wanted)
    assert found.column("row").to_pylist() == [k for k, word in enumerate(words) if word == wanted]


def test_the_rows_of_a_word_are_read_without_the_other_groups(monkeypatch):
    words = [f"P{k // 10:03d}" for k in range(1000)]
    data = encode_table(pa.table({"plant_id": words}), ("plant_id",), TableRules(row_group_rows=50))
    groups = []
    read = pq.ParquetFile.read_row_groups
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_groups",
        lambda self, chosen, **told: groups.extend(chosen) or read(self, chosen, **told),
    )
    assert read_rows(data, "plant_id", "P042").num_rows == 10
    assert groups == [8]


def test_rows_are_counted_from_the_footer_and_read_in_the_columns_asked_for(monkeypatch):
    table = pa.table({"plant_id": ["a", "b", "b"], "row": [1, 2, 3], "wide": [[1.0], [2.0], [3.0]]})
    data = encode_table(table, ("plant_id",))
    told = pa.schema([table.schema.field(name) for name in ("plant_id", "row")])
    assert read_rows(data, "plant_id", "b", told, told.names).to_pydict() == {"plant_id": ["b", "b"], "row": [2, 3]}
    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", None)
    assert row_count(data) == 3
    with pytest.raises(DataError, match="not a Parquet table"):
        row_count(data[:-4])

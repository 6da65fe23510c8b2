"""Records of a file as a stored table: the same bytes in any order, and a block read without the rest."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import DataError
from carbonray.io.energy import record_store
from carbonray.io.energy.record_store import (
    ORDER,
    calendar_year,
    encode_records,
    read_records,
    year_span_ns,
    years_by_region,
)
from carbonray.vocab.energy_tables import ENERGY_RECORDS
from tests.io.energy.energy_files import days, records, region_parts

DAY_NS = 86_400 * 10**9
NAMES = ("Aland", "Beland", "Celand")


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Twelve days around a new year, of three regions."""
    return records({name: region_parts(float(at + 1)) for at, name in enumerate(NAMES)}, days("2019-12-26", 12))


def stored(folder: Path, table: pa.Table) -> str:
    path = folder / "records.parquet"
    path.write_bytes(encode_records(table))
    return str(path)


def ns(text: str) -> int:
    return int(pd.Timestamp(text, tz="UTC").value)


@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_records_changes_no_byte(table: pa.Table, seed: int) -> None:
    mixed = table.take(pa.array(np.random.default_rng(seed).permutation(table.num_rows)))
    assert encode_records(mixed) == encode_records(table)
    chunked = pa.concat_tables([mixed.slice(0, 7), mixed.slice(7)])
    assert encode_records(chunked) == encode_records(table)


def test_what_is_stored_is_what_was_told_by_region_and_time(table: pa.Table) -> None:
    found = pq.read_table(io.BytesIO(encode_records(table))).cast(ENERGY_RECORDS)
    assert found.equals(table.sort_by([(name, "ascending") for name in ORDER]))


@given(
    wanted=st.sets(st.sampled_from([*NAMES, "Nowhere"])),
    first=st.integers(-2, 14),
    count=st.integers(0, 15),
    part=st.integers(0, 3),
)
def test_a_span_holds_every_interval_that_it_touches_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, table: pa.Table, wanted: set[str], first: int, count: int, part: int
) -> None:
    url = stored(tmp_path_factory.mktemp("span"), table)
    start = ns("2019-12-26") + first * DAY_NS + part * DAY_NS // 4
    end = start + count * DAY_NS
    found = read_records(url, wanted, start, end)
    at = [table[name].cast(pa.int64()).to_numpy() for name in ("start", "end")]
    mine = np.isin(table["region"].to_numpy(zero_copy_only=False).astype(str), sorted(wanted))
    expected = table.filter(pa.array(mine & (at[0] < end) & (at[1] > start)))
    assert found.schema == ENERGY_RECORDS
    assert found.equals(expected.sort_by([(name, "ascending") for name in ORDER]))


def test_row_groups_of_other_regions_are_not_read(
    tmp_path: Path, table: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader asks for some regions; the bytes it fetches shrink with them."""
    monkeypatch.setattr(record_store, "ROW_GROUP_ROWS", 12 * 14)
    url = stored(tmp_path, table)
    footer = pq.ParquetFile(url).metadata
    assert footer.num_row_groups == 3
    column = footer.schema.names.index("region")
    spans = [footer.row_group(at).column(column).statistics for at in range(3)]
    assert [(span.min, span.max) for span in spans] == [(name, name) for name in NAMES]


def test_bytes_that_are_no_records_are_refused_by_their_url(tmp_path: Path, table: pa.Table) -> None:
    broken, other = tmp_path / "broken.parquet", tmp_path / "other.parquet"
    broken.write_bytes(encode_records(table)[:-30])
    buffer = io.BytesIO()
    pq.write_table(table.drop_columns(["unit"]), buffer)
    other.write_bytes(buffer.getvalue())
    for path in (broken, other):
        with pytest.raises(DataError, match="no table of records") as caught:
            read_records(str(path), NAMES, ns("2019-12-26"), ns("2020-01-07"))
        assert caught.value.where == str(path) and "region" in caught.value.expected and caught.value.remedy
    with pytest.raises(DataError, match="no such object"):
        read_records(str(tmp_path / "absent.parquet"), NAMES, 0, 1)


def test_years_are_those_of_the_middles(table: pa.Table) -> None:
    assert years_by_region(table) == {name: [2019, 2020] for name in NAMES}
    assert years_by_region(ENERGY_RECORDS.empty_table()) == {}
    edge = records({"Aland": region_parts()}, [(pd.Timestamp("2019-12-31T14:00Z"), pd.Timestamp("2020-12-31T14:00Z"))])
    assert years_by_region(edge) == {"Aland": [2020]}, "a year of local time is its own, not the one it begins in"


@given(middle=st.integers(ns("1900-01-01") // DAY_NS, ns("2199-12-31") // DAY_NS), half_h=st.integers(0, 8784))
def test_every_instant_lies_in_the_span_of_its_year_and_in_no_other(middle: int, half_h: int) -> None:
    at, half = middle * DAY_NS, half_h * 3600 * 10**9
    start, end = np.array([at - half]), np.array([at + half])
    year = int(calendar_year(start, end)[0])
    first, last = year_span_ns(year)
    assert first <= at < last and year == pd.Timestamp(at).year
    assert year_span_ns(year + 1)[0] == last

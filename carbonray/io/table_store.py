"""Arrow tables as Parquet bytes: sorted by key, the same bytes every time, units kept in the field metadata.

Source: Parquet format 2.6 as pyarrow writes it. Tables of lattice pixels (columns `row` and `col`) can be cut into one
row group a shard of the output grid, so that the writer of a shard reads its rows of every partial and no others.
"""

import io
import itertools
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from carbonray.errors import ContractError, DataError

Source = bytes | BinaryIO
Shard = tuple[int, int]

_INDEX_KEY = b"carbonray:shards"  # file metadata: the shard of every row group


@dataclass(frozen=True)
class TableRules:
    """How tables are written.

    Attributes:
        row_group_rows: most rows in a row group.
        zstd_level: compression level.
    """

    row_group_rows: int = 131_072
    zstd_level: int = 3


def encode_table(table: pa.Table, keys: tuple[str, ...], rules: TableRules | None = None) -> bytes:
    """The table sorted by its keys, as Parquet.

    Args:
        table: any table; rows with equal keys keep their order.
        keys: columns to sort by, ascending, the most significant first.
        rules: how to write.

    Raises:
        ContractError: a key is not a column.
    """
    rules = rules or TableRules()
    ordered = _sorted(table, keys)
    spans = range(0, max(ordered.num_rows, 1), rules.row_group_rows)
    return _encode(ordered.schema, (ordered.slice(start, rules.row_group_rows) for start in spans), rules)


def encode_pixels(table: pa.Table, shard_px: int, rules: TableRules | None = None) -> bytes:
    """A table of lattice pixels as Parquet, cut at the borders of the grid's shards.

    Args:
        table: any table with columns `row` and `col`; rows come out ordered by shard row, shard column, row, column.
        shard_px: side of a shard, pixels.
        rules: how to write.

    Raises:
        ContractError: there is no column `row` or `col`.
    """
    rules = rules or TableRules()
    ordered = _sorted(table, ("row", "col"))
    shards = _pixel_shards(ordered, shard_px)
    order = np.lexsort((shards[:, 1], shards[:, 0]))  # stable: rows and columns stay ordered inside a shard
    ordered, shards = ordered.take(pa.array(order)), shards[order]
    spans = _shard_spans(shards, rules.row_group_rows)
    index = {"shard_px": shard_px, "groups": [shards[start].tolist() for start, _ in spans]}
    schema = table.schema.with_metadata({_INDEX_KEY: json.dumps(index)})
    return _encode(schema, (ordered.slice(start, rows) for start, rows in spans), rules)


def decode_table(source: Source, schema: pa.Schema | None = None) -> pa.Table:
    """A stored table.

    Args:
        source: Parquet bytes or an open binary file.
        schema: the declared schema, which the result then has exactly; None takes the file's.

    Raises:
        DataError: the bytes are not Parquet, or are truncated.
        ContractError: the columns are not the declared ones.
    """
    return _declared(_open(source).read(), schema)


def shards_in(source: Source, shard_px: int) -> tuple[Shard, ...]:
    """The shards that a table of pixels has rows in, read from its footer alone.

    Raises:
        DataError: the bytes are not Parquet, or were not cut into these shards.
    """
    return tuple(sorted(set(_group_shards(_open(source), shard_px))))


def least(source: Source, column: str) -> int:
    """The smallest value of an integer column, read from the footer alone.

    Raises:
        DataError: the bytes are not Parquet, or the table is empty.
    """
    metadata = _open(source).metadata
    index = metadata.schema.names.index(column)
    groups = (metadata.row_group(group).column(index).statistics for group in range(metadata.num_row_groups))
    values = [int(statistics.min) for statistics in groups]
    if not values:
        raise DataError(
            f"the table is empty, so {column!r} has no least value",
            where="table_store",
            expected="at least one row",
            remedy="Plan only tables that hold rows.",
        )
    return min(values)


def read_shard(source: Source, shard: Shard, shard_px: int, schema: pa.Schema | None = None) -> pa.Table:
    """The rows of one shard, reading only their row groups: `read_shards` of it."""
    return read_shards(source, {shard}, shard_px, schema)


def read_shards(source: Source, shards: Collection[Shard], shard_px: int, schema: pa.Schema | None = None) -> pa.Table:
    """The rows of some shards in the order of the table, reading only their row groups.

    Args:
        source: what `encode_pixels` wrote: bytes or an open binary file.
        shards: row and column of each.
        shard_px: side of a shard, pixels.
        schema: as in `decode_table`.

    Raises:
        DataError: the bytes are not Parquet, or were not cut into these shards.
        ContractError: the columns are not the declared ones.
    """
    file = _open(source)
    groups = [group for group, found in enumerate(_group_shards(file, shard_px)) if found in shards]
    return _declared(file.read_row_groups(groups), schema)


def row_count(source: Source) -> int:
    """Rows of a table, read from its footer alone.

    Raises:
        DataError: the bytes are not Parquet.
    """
    return int(_open(source).metadata.num_rows)


def read_rows(
    source: Source, column: str, value: str, schema: pa.Schema | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    """The rows that hold a word in a column, reading only row groups that may: few where the table is sorted by it.

    Args:
        source: what `encode_table` wrote: bytes or an open binary file.
        column: name of a column of strings.
        value: the word.
        schema: as in `decode_table`, of the columns that are read.
        columns: those that are read, the named one among them; all where None.

    Raises:
        DataError: the bytes are not Parquet.
        ContractError: the columns are not the declared ones.
    """
    file = _open(source)
    index = file.metadata.schema.names.index(column)
    groups = []
    for group in range(file.metadata.num_row_groups):
        known = file.metadata.row_group(group).column(index).statistics
        if known is None or not known.has_min_max or known.min <= value <= known.max:
            groups.append(group)
    rows = _declared(file.read_row_groups(groups, columns=None if columns is None else list(columns)), schema)
    return rows.filter(pc.equal(rows.column(column), value))


def words_in(source: Source, column: str) -> set[str]:
    """The different words in a column of strings; a row group of one word is not read.

    Raises:
        DataError: the bytes are not Parquet.
    """
    file, found = _open(source), set()
    index = file.metadata.schema.names.index(column)
    for group in range(file.metadata.num_row_groups):
        known = file.metadata.row_group(group).column(index).statistics
        if known is not None and known.has_min_max and known.min == known.max:
            found.add(str(known.min))
        else:
            words = pc.unique(file.read_row_group(group, columns=[column]).column(column))
            found.update(map(str, words.to_pylist()))
    return found


def _sorted(table: pa.Table, keys: tuple[str, ...]) -> pa.Table:
    missing = [key for key in keys if key not in table.column_names]
    if missing:
        raise ContractError(
            f"keys {missing} are not columns",
            where="table_store",
            expected=f"keys among {table.column_names}",
            remedy="Name key columns of the table's schema.",
        )
    ordered = table.sort_by([(key, "ascending") for key in keys]) if keys else table
    return ordered.combine_chunks()  # the bytes must not depend on how many pieces the rows arrived in


def _pixel_shards(table: pa.Table, shard_px: int) -> NDArray[np.int64]:
    """(n, 2) shard row and column of every pixel."""
    pixels = np.column_stack([table.column(name).to_numpy() for name in ("row", "col")]).astype(np.int64)
    return pixels // shard_px


def _shard_spans(shards: NDArray[np.int64], most_rows: int) -> list[tuple[int, int]]:
    """(first row, rows) of row groups that lie in one shard and hold at most so many rows."""
    borders = np.flatnonzero(np.any(np.diff(shards, axis=0) != 0, axis=1)) + 1
    runs = itertools.pairwise([0, *borders.tolist(), len(shards)])
    return [(start, min(most_rows, end - start)) for first, end in runs for start in range(first, end, most_rows)]


def _encode(schema: pa.Schema, groups: Iterator[pa.Table], rules: TableRules) -> bytes:
    buffer = io.BytesIO()
    with pq.ParquetWriter(
        buffer, schema, version="2.6", compression="zstd", compression_level=rules.zstd_level, store_schema=True
    ) as writer:
        for group in groups:
            if group.num_rows:
                writer.write_table(group, row_group_size=group.num_rows)
    return buffer.getvalue()


def _open(source: Source) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"not a Parquet table ({error})",
            where=str(getattr(source, "name", f"{len(source)} bytes" if isinstance(source, bytes) else source)),
            expected="a whole Parquet file",
            remedy="Remove the object and run its unit again.",
        ) from error


def _group_shards(file: pq.ParquetFile, shard_px: int) -> list[Shard]:
    """The shard of every row group."""
    index = json.loads((file.schema_arrow.metadata or {}).get(_INDEX_KEY, b"{}"))
    if index.get("shard_px") != shard_px:
        raise DataError(
            f"row groups are cut by shards of {index.get('shard_px')} pixels",
            where="table of pixels",
            expected=f"shards of {shard_px} pixels",
            remedy="Write the table with encode_pixels and the same shard_px.",
        )
    return [(row, col) for row, col in index["groups"]]


def _declared(table: pa.Table, schema: pa.Schema | None) -> pa.Table:
    if schema is None:
        return table
    if table.column_names != schema.names or table.schema.types != schema.types:
        raise ContractError(
            f"a stored table has columns {', '.join(f'{f.name}: {f.type}' for f in table.schema)}",
            where="table_store",
            expected=", ".join(f"{f.name}: {f.type}" for f in schema),
            remedy="The table was written by another version: run the job again under a new run id.",
        )
    return pa.Table.from_arrays(table.columns, schema=schema)

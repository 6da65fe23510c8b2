"""What reading a file of energy or emissions of regions gives: records, refused lines, notes, and an account of both.

Source: SCIENCE 2.2 and 2.6. Records have schema `vocab.energy_tables.ENERGY_RECORDS`: amounts in whole UTC intervals
[start, end), GWh or t CO2. A file is the unit of work: a reading holds one. Doubled, negative and implausible amounts
are kept here, for only all files of a run together show them: `records.py` refuses those.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.text_tables import CHUNK_BYTES, NEVER_NS
from carbonray.vocab.columns import column
from carbonray.vocab.energy_tables import ENERGY_RECORDS

UNITS: Mapping[str, str] = {"energy": "GWh", "emissions": "t CO2"}  # of a record, by its kind
DAY_NS = 86_400 * 10**9
TOP_BYTES = 65_536  # of a file, in which its first lines are looked for

_PUBLISHER = column("publisher", pa.string(), "1", "who says so")
_FILE = column("file", pa.string(), "1", "name of the file")
_REGION = column("region", pa.string(), "1", "name of the region, empty where missing")

REFUSED = pa.schema(
    [
        _PUBLISHER,
        _FILE,
        _REGION,
        column("start_utc_ns", pa.int64(), "ns since 1970-01-01", "start; null where it cannot be read", nullable=True),
        column("name", pa.string(), "1", "the source, sector or series as the file writes it"),
        column("line", pa.int64(), "1", "line of data, or number of the value in its series, from 1"),
        column("reason", pa.string(), "1", "fault: what was found"),
    ]
)
NOTES = pa.schema(
    [
        _PUBLISHER,
        _FILE,
        _REGION,
        column("note", pa.string(), "1", "why lines are left out, or what is odd about those that are kept"),
        column("rows", pa.int64(), "1", "how many it holds for"),
    ]
)


@dataclass(frozen=True)
class EnergyRules:
    """How files of energy and emissions are read.

    Attributes:
        total_tolerance: part of a published total by which the sum of its parts may differ from it (inferred: sources
            that the publisher counts in its total alone stay below in most countries).
        rounding: what they may differ by besides, in the file's unit (inferred: eleven numbers with two digits).
        chunk_bytes: of a text file held at once.
    """

    total_tolerance: float = 0.01
    rounding: float = 0.055
    chunk_bytes: int = CHUNK_BYTES


@dataclass(frozen=True)
class Origin:
    """Where records come from: publisher, name of the file, its sha256, and the tier of its data."""

    publisher: str
    file: str
    file_sha256: str
    data_tier: str


@dataclass(frozen=True)
class EnergyReading:
    """One file's account: `read` = `kept` + `dropped` + refused, in lines of a table or values of a series.

    Attributes:
        records: schema `ENERGY_RECORDS`.
        refused: schema `REFUSED`: what is wrong with a line.
        notes: schema `NOTES`: what was left out because it is no region, source or sector, and what is odd.
        read: lines or values in the file.
        kept: of these, how many are in the records.
        dropped: of these, how many a note leaves out.
    """

    records: pa.Table
    refused: pa.Table
    notes: pa.Table
    read: int
    kept: int
    dropped: int

    def rows(self) -> dict[str, int]:
        """Read, kept, dropped and refused lines or values."""
        return {"read": self.read, "kept": self.kept, "dropped": self.dropped, "refused": self.refused.num_rows}


def origin_of(publisher: str, url: str, data_tier: str) -> Origin:
    """The origin of a file's records; the file is read once for its digest.

    Raises:
        TransportError: it could not be moved.
    """
    digest = hashlib.sha256()
    with objectstore.opened(url) as file:
        while block := file.read(CHUNK_BYTES):
            digest.update(block)
    return Origin(publisher, url.rstrip("/").rsplit("/", 1)[-1], digest.hexdigest(), data_tier)


def top_lines(url: str) -> list[str]:
    """The first lines of a text file in UTF-8 or UTF-16, without a mark of byte order.

    Raises:
        TransportError: it could not be moved.
    """
    with objectstore.opened(url) as file:
        start = file.read(TOP_BYTES)
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return re.split(r"[\r\n]+", start.decode(encoding, "ignore").removeprefix("\ufeff").strip())


def reading_of(
    origin: Origin, records: pd.DataFrame, refused: pd.DataFrame, notes: pd.DataFrame, read: int, kept: int
) -> EnergyReading:
    """The reading of one file.

    Args:
        origin: where it comes from.
        records: region, start_ns, end_ns, kind, name, value.
        refused: region, start_ns (`NEVER_NS` where unknown), name, line, reason.
        notes: region, note, rows, left_out.
        read: lines or values in the file.
        kept: of these, how many are in the records.
    """
    whence = {"publisher": origin.publisher, "file": origin.file}
    start = refused["start_ns"].astype("Int64").mask(refused["start_ns"] == NEVER_NS)
    instants = {name: pd.to_datetime(records[f"{name}_ns"].astype("int64"), utc=True) for name in ("start", "end")}
    full = records.assign(**instants, unit=records["kind"].map(dict(UNITS)), **vars(origin))
    return EnergyReading(
        records=_table(full, ENERGY_RECORDS),
        refused=_table(refused.assign(start_utc_ns=start, **whence), REFUSED),
        notes=_table(notes.assign(**whence), NOTES),
        read=read,
        kept=kept,
        dropped=int(notes.loc[notes["left_out"].astype(bool), "rows"].sum()),
    )


def lines_of(parts: Iterable[pd.DataFrame], url: str) -> pd.DataFrame:
    """The lines of a file, of all its chunks.

    Raises:
        DataError: there is none.
    """
    found = list(parts)
    if not found:
        raise DataError(
            "no line of data under the head",
            where=url,
            expected="at least one region and time",
            remedy="Fetch the file again, or leave it out of the inputs.",
        )
    return pd.concat(found, ignore_index=True)


def notes_of(lines: pd.DataFrame, *, left_out: bool) -> pd.DataFrame:
    """How often each note is made of each region: region, note, rows, left_out; of lines with region and note."""
    counted = lines.groupby(["region", "note"], sort=True).size().rename("rows").reset_index()
    return counted.assign(left_out=left_out)


def _table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    arrays = [pa.array(frame[field.name], type=field.type, from_pandas=field.nullable) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)

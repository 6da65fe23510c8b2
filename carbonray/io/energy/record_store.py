"""Records of one file as a stored table, sorted so that a block of regions in a span of time is read without the rest.

Source: SCIENCE 2.2. Schema `ENERGY_RECORDS`, by region, start, kind and name; the footer of each row group tells which
regions and times it holds.
"""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.table_store import TableRules, encode_table
from carbonray.vocab.energy_tables import ENERGY_RECORDS, START

ORDER = ("region", "start", "end", "kind", "name", "value")
ROW_GROUP_ROWS = 8_192  # some years of days of one region: a block of regions and a year reads little besides its own


def encode_records(records: pa.Table) -> bytes:
    """Records in their order, as Parquet."""
    return encode_table(records, ORDER, TableRules(row_group_rows=ROW_GROUP_ROWS))


def read_records(
    url: str, regions: Collection[str], start_ns: int, end_ns: int, columns: Sequence[str] = ENERGY_RECORDS.names
) -> pa.Table:
    """The records of some regions whose intervals touch [start_ns, end_ns), or some columns of them.

    Raises:
        DataError: the object is no table of records.
        TransportError: it could not be moved.
    """
    early, late = (pa.scalar(at, START.type) for at in (start_ns, end_ns))
    wanted = pc.field("region").isin(pa.array(sorted(regions), pa.string()))  # of no region, too
    within = wanted & (pc.field("start") < late) & (pc.field("end") > early)
    try:
        with objectstore.opened(url) as file:
            found = pq.read_table(file, columns=list(columns), filters=within)
        return found.cast(pa.schema([ENERGY_RECORDS.field(name) for name in columns]))
    except (pa.ArrowInvalid, KeyError, ValueError) as error:
        raise DataError(
            f"no table of records ({error})",
            where=url,
            expected=f"columns {', '.join(ENERGY_RECORDS.names)}",
            remedy="Remove the object and run its unit again.",
        ) from error


def years_by_region(records: pa.Table) -> dict[str, list[int]]:
    """The calendar years of a region's records, ascending."""
    start, end = (records[name].cast(pa.int64()).to_numpy() for name in ("start", "end"))
    pairs = pa.table({"region": records["region"], "year": calendar_year(start, end)})
    distinct = pairs.group_by(["region", "year"]).aggregate([])
    years: dict[str, list[int]] = {}
    for row in distinct.sort_by([("region", "ascending"), ("year", "ascending")]).to_pylist():
        years.setdefault(row["region"], []).append(row["year"])
    return years


def calendar_year(start_ns: NDArray[np.int64], end_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The year, UTC, of the middle of each interval, so that a local year or month is in its own."""
    middle = start_ns + (end_ns - start_ns) // 2
    return middle.astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64) + 1970


def year_span_ns(year: int) -> tuple[int, int]:
    """[start, end) of a calendar year, UTC."""
    edges = np.array([f"{year}-01-01", f"{year + 1}-01-01"], "datetime64[ns]").astype(np.int64)
    return int(edges[0]), int(edges[1])

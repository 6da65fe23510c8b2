"""What reading a file of reported generation gives: rows that can be trusted, quarantined ones, notes, and sites.

Source: SCIENCE 4.3 and 4.11, plume paper appendix A.4. Kept rows have schema `vocab.plant_tables.REPORTED`; their
intervals are UTC [start, end) and do not overlap within a source id. A file is the unit of work: a reading holds one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from carbonray.io.text_tables import CHUNK_BYTES, NEVER_NS
from carbonray.vocab.columns import column

# what a reader gives for every line of its file
ROWS: Mapping[str, str] = {
    "line": "int64",
    "source_id": "object",
    "start_utc_ns": "int64",
    "end_utc_ns": "int64",
    "generation_mwh": "float64",
    "emissions_t_co2": "float64",
    "gross": "bool",
    "capacity_mw": "float64",
    "updated_ns": "int64",
    "fault": "object",
}

QUARANTINED = pa.schema(
    [
        column("source", pa.string(), "1", "who reports"),
        column("source_id", pa.string(), "1", "the plant's or unit's id there, empty where missing"),
        column("start_utc_ns", pa.int64(), "ns since 1970-01-01", "start; null where it cannot be read", nullable=True),
        column("end_utc_ns", pa.int64(), "ns since 1970-01-01", "end; null where it cannot be read", nullable=True),
        column("line", pa.int64(), "1", "line of data in the file, from 1; null for a gap", nullable=True),
        column("reason", pa.string(), "1", "fault: what was found"),
    ]
)
NOTES = pa.schema(
    [
        column("source", pa.string(), "1", "who reports"),
        column("source_id", pa.string(), "1", "the plant's or unit's id there"),
        column("note", pa.string(), "1", "what is odd about rows that are kept"),
        column("rows", pa.int64(), "1", "how many rows it holds for"),
    ]
)
SITES = pa.schema(
    [
        column("source", pa.string(), "1", "who reports"),
        column("source_id", pa.string(), "1", "the plant's or unit's id there"),
        column("name", pa.string(), "1", "as the source writes it"),
        column("country", pa.string(), "1", "ISO 3166-1 alpha-3 code, empty where not given"),
        column("lat", pa.float64(), "degrees_north", "NaN where not given"),
        column("lon", pa.float64(), "degrees_east", "NaN where not given"),
        column("capacity_mw", pa.float64(), "MW", "NaN where not given"),
    ]
)


@dataclass(frozen=True)
class ReportedRules:
    """What is believed of reported generation.

    Attributes:
        clip_negative: whether negative net generation becomes 0; it is kept and noted otherwise.
        max_capacity_factor: above it generation and capacity are not in the same units, or not of the same plant
            (inferred: gross over net capacity and repowering stay below).
        min_series_factor: a series of at least `series_rows` that never gets above it, and is not zero, is reported in
            a thousand times larger units (inferred).
        series_rows: rows from which a series is judged by its largest value (inferred: a day of hours).
        chunk_bytes: of a text file held at once.
    """

    clip_negative: bool = False
    max_capacity_factor: float = 1.5
    min_series_factor: float = 0.0015
    series_rows: int = 24
    chunk_bytes: int = CHUNK_BYTES


@dataclass(frozen=True)
class SourceFacts:
    """What a file does not say itself.

    Attributes:
        capacity_mw: by source id, for the check of units.
        position: latitude and longitude by facility, where a state has two time zones.
        utc_offset_h: standard time by facility, above all else.
        source_id: of a file about one plant that does not name it.
        year: calendar year in which the year of an annual file without a year column begins.
    """

    capacity_mw: Mapping[str, float] = field(default_factory=dict)
    position: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    utc_offset_h: Mapping[str, float] = field(default_factory=dict)
    source_id: str = ""
    year: int | None = None


@dataclass(frozen=True)
class ReportedReading:
    """One file's account: `read` lines are kept or quarantined; gaps are listed among the quarantined without a line.

    Attributes:
        reported: schema `REPORTED`, `plant_id` empty until linked; sorted by source id and start.
        quarantined: schema `QUARANTINED`.
        notes: schema `NOTES`.
        sites: schema `SITES`; empty where the source gives neither names nor places.
        read: lines of data.
    """

    reported: pa.Table
    quarantined: pa.Table
    notes: pa.Table
    sites: pa.Table
    read: int

    def rows(self) -> dict[str, int]:
        """Read, kept and quarantined lines: read = kept + quarantined."""
        gaps = self.quarantined.column("line").null_count
        return {
            "read": self.read,
            "kept": self.reported.num_rows,
            "quarantined": self.quarantined.num_rows - gaps,
            "gaps": gaps,
        }


def frame_of(**columns: object) -> pd.DataFrame:
    """Rows of `ROWS`; what a source does not give is NaN, never updated, and without fault."""
    length = len(columns["line"])  # type: ignore[arg-type]
    absent = {
        "generation_mwh": np.nan,
        "emissions_t_co2": np.nan,
        "gross": False,
        "capacity_mw": np.nan,
        "updated_ns": NEVER_NS,
        "fault": "",
    }
    # a chunk's rows keep the numbers they had in their file, which must not be matched with a new index
    given = {name: _values(columns.get(name, absent.get(name))) for name in ROWS}
    return pd.DataFrame(given, index=pd.RangeIndex(length)).astype(dict(ROWS))


def _values(column_of: object) -> object:
    return column_of.to_numpy() if isinstance(column_of, pd.Series) else column_of

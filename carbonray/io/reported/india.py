"""Daily generation of Indian stations, as the Central Electricity Authority reports it.

Source: CEA/NPP daily generation report 2 (`dgr2-YYYY-MM-DD.xls`): million units (GWh) of the day per station, gross,
headings and totals between the stations; and the same as one long table with a date column. A day is that of Indian
Standard Time, UTC+5:30. No report was at hand when this was written: the layout is that of the published ones.
"""

import re

import numpy as np
import pandas as pd

from carbonray.io.reported.checks import checked
from carbonray.io.reported.reading import ReportedReading, ReportedRules, SourceFacts, frame_of
from carbonray.io.text_tables import NEVER_NS, Aliases, csv_chunks, faults, instants_ns, numbers, sheet, titles
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS

SOURCE = "CEA"
UTC_OFFSET_NS = 11 * HOUR_NS // 2
MWH_PER_MU = 1000.0  # a million units is a million kWh

_COLUMNS: Aliases = {
    "station": ("nameofthestation", "nameofstation", "station", "stationname", "powerstation", "unnamed0", ""),
    "date": ("date", "day", "reportdate"),
    "capacity": ("monitoredcapmw", "monitoredcapacitymw", "monitoredcap", "capacitymw"),
    "actual": ("todaysactual", "todaysactualmu", "actual", "actualmu", "generationmu"),
}
_DATES = ("%Y-%m-%d", "%d-%m-%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%b-%Y")
_HEADINGS = r"(?i)\s*(region|state|sector|type|unit|all india|grand)\b.*|.*\btotal\b.*"  # rows that are no station
_WORKBOOKS = (".xls", ".xlsx", ".xlsb", ".ods")


def read_india(url: str, rules: ReportedRules, facts: SourceFacts) -> ReportedReading:
    """One day's report, or a long table of days; a workbook's day is in its name or above its table.

    Raises:
        DataError: the file is no such report.
        TransportError: it could not be moved.
    """
    if url.casefold().endswith(_WORKBOOKS):
        rows = sheet(url, _COLUMNS, ("station", "actual"))
        rows["date"] = rows["date"].where(rows["date"] != "", _day_of(url))
        chunks = iter([rows[(rows["actual"] != "") & ~rows["station"].str.fullmatch(_HEADINGS)]])
    else:
        chunks = csv_chunks(url, _COLUMNS, ("station", "date", "actual"), rules.chunk_bytes)
    return checked(SOURCE, map(_days, chunks), rules, facts)


def _days(chunk: pd.DataFrame) -> pd.DataFrame:
    local = instants_ns(chunk["date"], _DATES)
    unread = local == NEVER_NS
    start = np.where(unread, NEVER_NS, local - UTC_OFFSET_NS)
    actual, bad_actual = numbers(chunk["actual"])
    capacity, _ = numbers(chunk["capacity"])
    return frame_of(
        line=chunk["line"].to_numpy(),
        source_id=chunk["station"].to_numpy(),
        start_utc_ns=start,
        end_utc_ns=np.where(unread, NEVER_NS, start + DAY_NS),
        generation_mwh=actual * MWH_PER_MU,
        gross=True,
        capacity_mw=np.where(capacity > 0, capacity, np.nan),
        fault=faults(
            chunk,
            (unread, "time: unreadable date", chunk["date"]),
            (bad_actual, "generation: no number", chunk["actual"]),
        ),
    )


def _day_of(url: str) -> str:
    """The day of a report from its file's name, else from its titles; empty where neither tells."""
    for text in (url.rsplit("/", 1)[-1], titles(url)):
        found = re.search(r"(\d{4}-\d{2}-\d{2})|(\d{2}[-./]\d{2}[-./]\d{4})|(\d{2}-[A-Za-z]{3}-\d{4})", text)
        if found:
            return found[0]
    return ""

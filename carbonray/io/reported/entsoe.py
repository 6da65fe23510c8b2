"""Generation per unit as ENTSO-E's Transparency Platform publishes it: CSV exports and A73 documents.

Source: Regulation (EU) 543/2013 article 16.1(a); export "Actual Generation Output per Generation Unit" r1 to r3 (tab or
comma, UTF-16 once), times UTC, named by the beginning of the interval, power MW, net, the mean over the interval;
units that pump report consumption, which counts as negative generation.
"""

import numpy as np
import pandas as pd

from carbonray.io.reported.checks import checked
from carbonray.io.reported.entsoe_xml import RESOLUTION_NS, is_document, points
from carbonray.io.reported.reading import ReportedReading, ReportedRules, SourceFacts, frame_of
from carbonray.io.text_tables import NEVER_NS, Aliases, csv_chunks, faults, instants_ns, numbers
from carbonray.science.spatial.geodesy import HOUR_NS

SOURCE = "ENTSO-E"

_COLUMNS: Aliases = {
    "start": ("datetimeutc", "datetime"),
    "resolution": ("resolutioncode",),
    "unit": ("generationuniteic", "generationunitcode"),
    "power": ("actualgenerationoutput", "actualgenerationoutputmw"),
    "consumption": ("actualconsumption", "actualconsumptionmw"),
    "capacity": ("installedgencapacity", "generationunitinstalledcapacitymw", "installedcapacitymw"),
    "updated": ("updatetimeutc", "updatetime"),
}
_TIMES = ("ISO8601",)


def read_entsoe(url: str, rules: ReportedRules, facts: SourceFacts) -> ReportedReading:
    """One export of units' generation, CSV or XML.

    Raises:
        DataError: the file is no such export.
        TransportError: it could not be moved.
    """
    if is_document(url):
        chunks = iter([points(url)])
    else:
        chunks = csv_chunks(url, _COLUMNS, ("start", "resolution", "unit", "power"), rules.chunk_bytes)
    return checked(SOURCE, map(_intervals, chunks), rules, facts)


def _intervals(chunk: pd.DataFrame) -> pd.DataFrame:
    start = instants_ns(chunk["start"], _TIMES)
    length = chunk["resolution"].map(dict(RESOLUTION_NS)).fillna(0).to_numpy(np.int64)
    unread = start == NEVER_NS
    power, bad_power = numbers(chunk["power"])
    pumped, bad_pumped = numbers(chunk["consumption"])
    net = np.where(np.isnan(power) & np.isnan(pumped), np.nan, np.nan_to_num(power) - np.nan_to_num(pumped))
    capacity, _ = numbers(chunk["capacity"])
    return frame_of(
        line=chunk["line"],
        source_id=chunk["unit"],
        start_utc_ns=start,
        end_utc_ns=np.where(unread, NEVER_NS, start + length),
        generation_mwh=net * (length / HOUR_NS),
        capacity_mw=np.where(capacity > 0, capacity, np.nan),
        updated_ns=instants_ns(chunk["updated"], _TIMES),
        fault=faults(
            chunk,
            (unread, "time: unreadable", chunk["start"]),
            (length == 0, "time: unknown resolution", chunk["resolution"]),
            (bad_power, "generation: no number", chunk["power"]),
            (bad_pumped, "consumption: no number", chunk["consumption"]),
        ),
    )

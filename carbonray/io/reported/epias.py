"""Hourly generation of Turkish plants, as EPIAS's transparency platform exports it.

Source: EPIAS Seffaflik, real-time generation of one plant (Tarih; Saat; ...; Toplam): dates dd.mm.yyyy, decimal comma,
MWh in the hour that begins at the time given, Turkish time: UTC+3 since 2016-03-27 01:00 UTC, when the clocks were
put forward for good. An export is about one plant and does not name it, unless a column `Santral` does. No export was
at hand when this was written: the layout is that of the platform's public exports.
"""

import numpy as np
import pandas as pd

from carbonray.errors import SettingsError
from carbonray.io.reported.checks import checked
from carbonray.io.reported.reading import ReportedReading, ReportedRules, SourceFacts, frame_of
from carbonray.io.text_tables import NEVER_NS, Aliases, csv_chunks, faults, instants_ns, numbers
from carbonray.science.spatial.geodesy import HOUR_NS

SOURCE = "EPIAS"
UTC_OFFSET_H = 3
FIXED_SINCE_NS = int(np.datetime64("2016-03-27T01", "ns").astype(np.int64))  # before, summer time came and went

_COLUMNS: Aliases = {
    "date": ("tarih", "date"),
    "hour": ("saat", "hour", "time"),
    "plant": ("santral", "santraladi", "santralid", "powerplant", "plant"),
    "total": ("toplam", "toplammwh", "total", "totalmwh"),
}
_TIMES = ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H")


def read_epias(url: str, rules: ReportedRules, facts: SourceFacts) -> ReportedReading:
    """One export; the plant is `facts.source_id` where the file does not name it.

    Raises:
        DataError: the file is no such export.
        SettingsError: neither the file nor the facts name the plant.
        TransportError: it could not be moved.
    """
    chunks = csv_chunks(url, _COLUMNS, ("date", "hour", "total"), rules.chunk_bytes)
    return checked(SOURCE, (_hours(chunk, facts.source_id, url) for chunk in chunks), rules, facts)


def _hours(chunk: pd.DataFrame, source_id: str, url: str) -> pd.DataFrame:
    whole = chunk[chunk["broken"] == ""]
    if not source_id and len(whole) and (whole["plant"] == "").all():
        raise SettingsError(
            "the export does not name its plant",
            where=url,
            expected="a source id beside the file, or a column Santral",
            remedy="Give the plant's id with the file.",
        )
    moment = chunk["date"] + " " + chunk["hour"]
    local = instants_ns(moment, _TIMES)
    unread = local == NEVER_NS
    start = np.where(unread, NEVER_NS, local - UTC_OFFSET_H * HOUR_NS)
    total, bad_total = numbers(chunk["total"], decimal=",")
    return frame_of(
        line=chunk["line"],
        source_id=chunk["plant"].where(chunk["plant"] != "", source_id),
        start_utc_ns=start,
        end_utc_ns=np.where(unread, NEVER_NS, start + HOUR_NS),
        generation_mwh=total,
        gross=False,
        fault=faults(
            chunk,
            (unread, "time: unreadable", moment),
            (~unread & (start < FIXED_SINCE_NS), "time: before 2016-03-27 the clocks changed twice a year", moment),
            (bad_total, "generation: no number", chunk["total"]),
        ),
    )

"""Five-minute generation of Australian units, as AEMO's market publishes it.

Source: AEMO, DISPATCH.UNIT_SCADA and its copies (trading_interval, facility_code, generated): power at the generator's
terminals, MW, named by the END of the interval in market time, UTC+10 all year. Power is taken for the mean over the
interval (inferred: SCADA is read at its end).
"""

import numpy as np
import pandas as pd

from carbonray.io.reported.checks import checked
from carbonray.io.reported.reading import ReportedReading, ReportedRules, SourceFacts, frame_of
from carbonray.io.text_tables import NEVER_NS, Aliases, csv_chunks, faults, instants_ns, numbers
from carbonray.science.spatial.geodesy import HOUR_NS

SOURCE = "NEM"
UTC_OFFSET_H = 10  # National Electricity Rules: Eastern Standard Time, no summer time
INTERVAL_NS = HOUR_NS // 12

_COLUMNS: Aliases = {
    "end": ("settlementdate", "tradinginterval", "intervaldatetime"),
    "unit": ("duid", "facilitycode"),
    "power": ("scadavalue", "generated", "initialmw", "power"),
    "kind": ("i",),  # AEMO's own reports mark lines of data with D, headers and ends with I and C
}
_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "ISO8601")


def read_nem(url: str, rules: ReportedRules, facts: SourceFacts) -> ReportedReading:
    """One file of unit SCADA.

    Raises:
        DataError: the file is no such table.
        TransportError: it could not be moved.
    """
    chunks = csv_chunks(url, _COLUMNS, ("end", "unit", "power"), rules.chunk_bytes)
    return checked(SOURCE, (_intervals(chunk[chunk["kind"].isin(["", "D"])]) for chunk in chunks), rules, facts)


def _intervals(chunk: pd.DataFrame) -> pd.DataFrame:
    local = instants_ns(chunk["end"], _TIMES)
    unread = local == NEVER_NS
    uneven = ~unread & (local % INTERVAL_NS != 0)
    end = np.where(unread, NEVER_NS, local - UTC_OFFSET_H * HOUR_NS)
    power, bad_power = numbers(chunk["power"])
    return frame_of(
        line=chunk["line"].to_numpy(),
        source_id=chunk["unit"].to_numpy(),
        start_utc_ns=np.where(unread, NEVER_NS, end - INTERVAL_NS),
        end_utc_ns=end,
        generation_mwh=power * (INTERVAL_NS / HOUR_NS),
        gross=True,
        fault=faults(
            chunk,
            (unread, "time: unreadable", chunk["end"]),
            (uneven, "time: not the end of a 5-minute interval", chunk["end"]),
            (bad_power, "generation: no number", chunk["power"]),
        ),
    )

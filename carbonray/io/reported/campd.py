"""Hourly and annual generation and CO2 of US units, as EPA's Clean Air Markets Program Data publishes them.

Source: EPA CAMPD bulk files and 40 CFR part 75: an hour is named by its beginning in local standard time, all year;
gross load is the mean over the operating part of the hour, MW; CO2 is short tons. A unit's id is `facility:unit`, as
EPA's crosswalk to EIA names it. An hour in which a unit did not operate counts as zero generation and zero CO2.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.io.reported.checks import checked
from carbonray.io.reported.reading import ReportedReading, ReportedRules, SourceFacts, frame_of
from carbonray.io.reported.us_time_zones import standard_offset_h
from carbonray.io.text_tables import NEVER_NS, Aliases, csv_chunks, faults, instants_ns, numbers
from carbonray.science.power.capacity_factor import first_day
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS

SOURCE = "CAMPD"
T_PER_SHORT_TON = 0.90718474  # NIST SP 811: 2000 lb of 0.45359237 kg

_HOURLY: Aliases = {
    "facility": ("facilityid", "facilityidorispl", "orisplcode"),
    "unit": ("unitid",),
    "state": ("state", "statecode"),
    "date": ("date", "opdate"),
    "hour": ("hour", "ophour"),
    "operating": ("operatingtime", "optime"),
    "load": ("grossloadmw", "grossload", "gloadmw"),
    "co2": ("co2massshorttons", "co2masstons", "co2mass"),
}
_ANNUAL: Aliases = {
    "facility": ("facilityid", "facilityidorispl", "orisplcode"),
    "unit": ("unitid",),
    "year": ("year", "opyear"),
    "load": ("grossloadmwh",),
    "co2": ("co2massshorttons", "co2shorttons", "co2tons"),
}
_DATES = ("%Y-%m-%d", "%m-%d-%Y", "%m/%d/%Y")


def read_campd_hourly(url: str, rules: ReportedRules, facts: SourceFacts) -> ReportedReading:
    """One file of hourly emissions; offsets come from `facts` by facility, else from the state and its position.

    Raises:
        DataError: the file is no such table.
        TransportError: it could not be moved.
    """
    chunks = csv_chunks(url, _HOURLY, ("facility", "unit", "state", "date", "hour", "load"), rules.chunk_bytes)
    return checked(SOURCE, (_hours(chunk, facts) for chunk in chunks), rules, facts)


def read_campd_annual(url: str, rules: ReportedRules, facts: SourceFacts) -> ReportedReading:
    """One file of annual emissions; a year's edges are taken in UTC."""
    chunks = csv_chunks(url, _ANNUAL, ("facility", "unit", "year", "load"), rules.chunk_bytes)
    return checked(SOURCE, _years(chunks), rules, facts)


def _hours(chunk: pd.DataFrame, facts: SourceFacts) -> pd.DataFrame:
    day = instants_ns(chunk["date"], _DATES)
    hour, bad_hour = numbers(chunk["hour"])
    bad_hour |= ~np.isin(hour, np.arange(24))
    offset = _offsets_h(chunk, facts)
    load, bad_load = numbers(chunk["load"])
    tons, bad_tons = numbers(chunk["co2"])
    share, bad_share = numbers(chunk["operating"])
    bad_share |= (share < 0) | (share > 1)
    idle = share == 0
    timed = (day != NEVER_NS) & ~bad_hour & np.isfinite(offset)
    start = np.where(timed, day + _ns(np.where(timed, hour - offset, 0.0)), NEVER_NS)
    # files without operating times count every reported hour as a whole one
    load = np.where(idle & np.isnan(load), 0.0, load * np.where(np.isnan(share), 1.0, share))
    return frame_of(
        line=chunk["line"],
        source_id=_unit_ids(chunk),
        start_utc_ns=start,
        end_utc_ns=np.where(timed, start + HOUR_NS, NEVER_NS),
        generation_mwh=load,
        emissions_t_co2=np.where(idle & np.isnan(tons), 0.0, tons) * T_PER_SHORT_TON,
        gross=True,
        fault=faults(
            chunk,
            (day == NEVER_NS, "time: unreadable date", chunk["date"]),
            (bad_hour, "time: no hour from 0 to 23", chunk["hour"]),
            (np.isnan(offset), "time: no standard time without the plant's place or offset, state", chunk["state"]),
            (bad_load, "generation: no number", chunk["load"]),
            (bad_tons, "emissions: no number", chunk["co2"]),
            (bad_share, "operating time: no share of the hour", chunk["operating"]),
        ),
    )


def _years(chunks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for chunk in chunks:
        year, bad_year = numbers(chunk["year"])
        bad_year |= ~((year >= 1980) & (year < 2200) & (year % 1 == 0))
        whole = np.where(bad_year, 1980, year).astype(np.int64)
        load, bad_load = numbers(chunk["load"])
        tons, bad_tons = numbers(chunk["co2"])
        yield frame_of(
            line=chunk["line"],
            source_id=_unit_ids(chunk),
            start_utc_ns=np.where(bad_year, NEVER_NS, first_day(whole) * DAY_NS),
            end_utc_ns=np.where(bad_year, NEVER_NS, first_day(whole + 1) * DAY_NS),
            generation_mwh=load,
            emissions_t_co2=tons * T_PER_SHORT_TON,
            gross=True,
            fault=faults(
                chunk,
                (bad_year, "time: no year", chunk["year"]),
                (bad_load, "generation: no number", chunk["load"]),
                (bad_tons, "emissions: no number", chunk["co2"]),
            ),
        )


def _unit_ids(chunk: pd.DataFrame) -> "pd.Series[str]":
    """`facility:unit`, empty where either is missing."""
    whole = (chunk["facility"] != "") & (chunk["unit"] != "")
    return (chunk["facility"] + ":" + chunk["unit"]).where(whole, "")


def _offsets_h(chunk: pd.DataFrame, facts: SourceFacts) -> NDArray[np.float64]:
    """Hours from UTC of every line, NaN where nothing tells."""
    pair, pairs = pd.factorize(chunk["state"] + " " + chunk["facility"])
    known = []
    for state, facility in (str(name).split(" ", 1) for name in pairs):
        offset = standard_offset_h(state, facts.position.get(facility))
        known.append(facts.utc_offset_h.get(facility, np.nan if offset is None else offset))
    return np.array(known, np.float64)[pair]


def _ns(hours: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(hours * HOUR_NS).astype(np.int64)

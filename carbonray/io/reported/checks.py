"""Reported rows against each other and against capacity: what repeats, overlaps, leaves gaps or cannot be true.

Source: SCIENCE 4.11, plume paper appendix A.4 (inconsistent or incomplete reports). The same for every source; what a
single line says wrongly is its reader's to find.
"""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.io.reported.reading import (
    NOTES,
    QUARANTINED,
    SITES,
    ReportedReading,
    ReportedRules,
    SourceFacts,
    frame_of,
)
from carbonray.io.text_tables import NEVER_NS
from carbonray.science.power.capacity_factor import capacity_factor
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.vocab.plant_tables import REPORTED

Faults = NDArray[np.object_]

_INTERVAL = ["source_id", "start_utc_ns", "end_utc_ns"]


def checked(
    source: str,
    parts: Iterable[pd.DataFrame],
    rules: ReportedRules,
    facts: SourceFacts,
    sites: pa.Table | None = None,
) -> ReportedReading:
    """The rows of one file, checked against each other and against capacity.

    Repeated intervals: the latest update stands where the source tells it; equal values stand once; different values
    without an update are all set aside, for nothing says which is right.

    Args:
        source: who reports.
        parts: rows of `ROWS`, in the order of the file.
        rules: what is believed.
        facts: capacities, where the rows have none.
        sites: what the source says of its plants.
    """
    rows = pd.concat([frame_of(line=[], source_id=[], start_utc_ns=[], end_utc_ns=[]), *parts], ignore_index=True)
    rows = rows.sort_values([*_INTERVAL, "line"], kind="stable", ignore_index=True)
    fault = rows["fault"].to_numpy(object).copy()
    _mark(fault, (rows["source_id"] == "").to_numpy(), lambda _row: "id: missing")
    _mark(fault, (rows["end_utc_ns"] <= rows["start_utc_ns"]).to_numpy(), lambda _row: "time: no length")
    _mark_repeats(rows, fault)
    _mark_overlaps(rows, fault)
    _mark_implausible(rows, fault, rules, facts)
    kept, notes = _kept(rows[fault == ""], rules)
    bad = rows[fault != ""].assign(reason=fault[fault != ""])
    aside = pd.concat([bad[[*_INTERVAL, "line", "reason"]], _gaps(rows)], ignore_index=True)
    return ReportedReading(
        reported=_table(kept.assign(plant_id="", source=source), REPORTED),
        quarantined=_table(aside.assign(source=source), QUARANTINED),
        notes=_table(notes.assign(source=source), NOTES),
        sites=SITES.empty_table() if sites is None else sites,
        read=len(rows),
    )


def _mark(fault: Faults, rows: NDArray[np.bool_], words: Callable[[int], str]) -> None:
    """Names the fault of rows that have none yet."""
    for row in np.flatnonzero(rows & (fault == "")):
        fault[row] = words(int(row))


def _mark_repeats(rows: pd.DataFrame, fault: Faults) -> None:
    """Rows of the same id and interval: superseded, repeated or contradictory."""
    good = rows[fault == ""]
    repeated = good[good.duplicated(_INTERVAL, keep=False)]
    if repeated.empty:
        return
    latest = repeated.groupby(_INTERVAL)["updated_ns"].transform("max")
    superseded = repeated.index[repeated["updated_ns"] < latest]
    fault[superseded] = "repeated interval: superseded by a later update"
    rivals = repeated.drop(superseded)
    value = rivals.groupby(["generation_mwh", "emissions_t_co2"], dropna=False).ngroup()
    differ = value.groupby([rivals[key] for key in _INTERVAL]).transform("nunique") > 1
    fault[rivals.index[differ]] = "repeated interval: with different values"
    same = rivals[~differ]
    fault[same.index[same.duplicated(_INTERVAL)]] = "repeated interval: with the same values"


def _mark_overlaps(rows: pd.DataFrame, fault: Faults) -> None:
    """Rows that begin before the last good row of their id has ended."""
    good = np.flatnonzero(fault == "")
    ids, start, end = (rows[name].to_numpy()[good] for name in _INTERVAL)
    follows = (ids[1:] == ids[:-1]) & (start[1:] < end[:-1])
    for name in np.unique(ids[1:][follows].astype(str)):  # few: only these are walked through
        free_from = NEVER_NS
        for at in np.flatnonzero(ids == name):
            if start[at] < free_from:
                fault[good[at]] = "overlap: begins before the interval before it has ended"
            else:
                free_from = int(end[at])


def _mark_implausible(rows: pd.DataFrame, fault: Faults, rules: ReportedRules, facts: SourceFacts) -> None:
    """Generation beyond what the capacity can give, and series a thousand times too small for it."""
    elsewhere = rows["source_id"].map(dict(facts.capacity_mw)).astype(float)
    capacity = rows["capacity_mw"].fillna(elsewhere).to_numpy()
    generation = rows["generation_mwh"].to_numpy()
    hours = (rows["end_utc_ns"] - rows["start_utc_ns"]).to_numpy() / HOUR_NS
    factor = np.where(fault == "", capacity_factor(generation, capacity, hours), np.nan)
    _mark(
        fault,
        factor > rules.max_capacity_factor,
        lambda row: (
            f"units: {generation[row]:.6g} MWh is {factor[row]:.3g} times what {capacity[row]:.6g} MW can give"
            f" (limit {rules.max_capacity_factor:g})"
        ),
    )
    series = pd.Series(np.where(fault == "", factor, np.nan)).groupby(rows["source_id"])
    most, count = series.transform("max").to_numpy(), series.transform("count").to_numpy()
    _mark(
        fault,
        (count >= rules.series_rows) & (most > 0) & (most < rules.min_series_factor) & np.isfinite(factor),
        lambda row: (
            f"units: in {count[row]:.0f} intervals never above {most[row]:.2g} of {capacity[row]:.6g} MW"
            f" (limit {rules.min_series_factor:g}), as if in thousands"
        ),
    )


def _kept(rows: pd.DataFrame, rules: ReportedRules) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows to keep, and the notes on them."""
    negative = rows["generation_mwh"] < 0
    empty = rows["generation_mwh"].isna() & rows["emissions_t_co2"].isna()
    word = "negative generation set to 0" if rules.clip_negative else "negative generation kept"
    noted = [
        rows[mask].groupby("source_id", sort=True).size().rename("rows").reset_index().assign(note=note)
        for mask, note in ((negative, word), (empty, "neither generation nor emissions given"))
    ]
    if rules.clip_negative:
        rows = rows.assign(generation_mwh=rows["generation_mwh"].where(~negative, 0.0))
    return rows, pd.concat(noted, ignore_index=True)


def _gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Times between the first and the last interval of an id of which no line speaks, good or bad."""
    rows = rows[(rows["start_utc_ns"] != NEVER_NS) & (rows["end_utc_ns"] > rows["start_utc_ns"])]
    reach = rows.groupby("source_id", sort=False)["end_utc_ns"].cummax().to_numpy()[:-1]
    ids, start = rows["source_id"].to_numpy(), rows["start_utc_ns"].to_numpy()[1:]
    hole = np.flatnonzero((ids[1:] == ids[:-1]) & (ids[1:] != "") & (start > reach))
    return pd.DataFrame(
        {
            "source_id": ids[hole],
            "start_utc_ns": reach[hole],
            "end_utc_ns": start[hole],
            "line": pd.array([pd.NA] * len(hole), dtype="Int64"),
            "reason": [f"gap: {length:g} h without a line" for length in (start[hole] - reach[hole]) / HOUR_NS],
        }
    )


def _table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """The columns of a schema; times that could not be read become null."""
    arrays = []
    for declared in schema:
        values = frame[declared.name]
        if declared.nullable and declared.name != "line":
            values = values.astype("Int64").mask(values == NEVER_NS)
        arrays.append(pa.array(values, type=declared.type, from_pandas=declared.nullable))
    return pa.Table.from_arrays(arrays, schema=schema)

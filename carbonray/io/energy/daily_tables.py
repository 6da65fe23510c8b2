"""Long daily tables, one amount a region, day and part: what Carbon Monitor and Carbon Monitor-Power have in common.

Source: the files themselves: a mark of byte order, days as dd/mm/yyyy, footers and empty lines at the end, the world
and its rest among the regions, sums among the parts. A day is the publisher's own, whose time zone it does not say: it
is taken for the UTC day (inferred).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from carbonray.errors import DataError
from carbonray.io.energy.reading import (
    DAY_NS,
    EnergyReading,
    EnergyRules,
    lines_of,
    notes_of,
    origin_of,
    reading_of,
    top_lines,
)
from carbonray.io.energy.region_names import is_aggregate, region_name
from carbonray.io.text_tables import NEVER_NS, Aliases, csv_chunks, faults, instants_ns, numbers, plain
from carbonray.vocab.energy import COMPOSITES

_DATES = ("%d/%m/%Y", "%Y-%m-%d")
_FOOTER = "a footer or an empty line"


@dataclass(frozen=True)
class DailyLayout:
    """How a publisher lays its daily table out.

    Attributes:
        publisher: who says so.
        kind: 'energy' or 'emissions'.
        columns: region, date and name -> the publisher's names, made plain.
        amounts: columns of amounts, made plain -> GWh or t CO2 of one.
        names: the publisher's sources or sectors, made plain -> ours.
        sums: its names, made plain, that are sums of others.
    """

    publisher: str
    kind: str
    columns: Aliases
    amounts: Mapping[str, float]
    names: Mapping[str, str]
    sums: tuple[str, ...]


def read_daily(url: str, layout: DailyLayout, rules: EnergyRules, data_tier: str) -> EnergyReading:
    """One file of daily amounts.

    Raises:
        DataError: the file is no such table.
        TransportError: it could not be moved.
    """
    amount = amount_column(url, layout)
    aliases = {**layout.columns, "amount": (amount,)}
    chunks = csv_chunks(url, aliases, tuple(aliases), rules.chunk_bytes)
    lines = lines_of((_lines(chunk, layout, layout.amounts[amount]) for chunk in chunks), url)
    last = lines.loc[lines["fault"] == "", "line"].max()
    footer = lines["broken"].ne("") & (lines["line"] > last)
    left_out = lines["note"].mask(footer, _FOOTER)
    bad = lines[(lines["fault"] != "") & (left_out == "")]
    good = lines[(lines["fault"] == "") & (left_out == "")]
    notes = [notes_of(lines.assign(note=left_out)[left_out != ""], left_out=True), _composites(good)]
    return reading_of(
        origin_of(layout.publisher, url, data_tier),
        records=good.assign(kind=layout.kind, name=good["part"], end_ns=good["start_ns"] + DAY_NS),
        refused=bad.assign(reason=bad["fault"]),
        notes=pd.concat(notes, ignore_index=True),
        read=len(lines),
        kept=len(good),
    )


def amount_column(url: str, layout: DailyLayout) -> str:
    """Which of the columns that an amount may stand in the file has, made plain.

    Raises:
        DataError: it has none.
        TransportError: it could not be moved.
    """
    head = top_lines(url)[0]
    found = {plain(name) for name in head.split(max("\t;,", key=head.count))}
    for name in layout.amounts:
        if name in found:
            return name
    raise DataError(
        f"no column of {layout.kind} ({head[:80]!r})",
        where=url,
        expected=f"one of {', '.join(layout.amounts)}, in any spelling",
        remedy=f"Fetch the file of {layout.publisher} again, or name it as what it is.",
    )


def _lines(chunk: pd.DataFrame, layout: DailyLayout, unit: float) -> pd.DataFrame:
    """Every line with our names, its fault, and why it is left out; both empty where it is good."""
    day, days = pd.factorize(chunk["date"])  # a file has many lines a day
    start = instants_ns(pd.Series(days), _DATES)[day]
    values, bad_value = numbers(chunk["amount"])
    names = _each(chunk["name"], plain)
    part = names.map(dict(layout.names)).fillna("")
    blank = (chunk[["date", "name", "amount"]] == "").all(axis=1) & chunk["broken"].eq("")
    note = np.select(
        [blank, _each(chunk["region"], is_aggregate), names.isin(layout.sums)],
        [_FOOTER, "an aggregate of all regions, or of the rest", "a sum of others: " + chunk["name"]],
        "",
    )
    region = _each(chunk["region"].where(~blank, ""), region_name)
    return pd.DataFrame(
        {
            "line": chunk["line"].to_numpy(),
            "broken": chunk["broken"].to_numpy(),
            "region": region.to_numpy(),
            "start_ns": start,
            "name": chunk["name"].to_numpy(),
            "part": part.to_numpy(),
            "value": values * unit,
            "note": note,
            "fault": faults(
                chunk,
                ((chunk["region"] == "").to_numpy(), "region: missing", chunk["region"]),
                (start == NEVER_NS, "time: no day", chunk["date"]),
                ((part == "").to_numpy(), "name: unknown", chunk["name"]),
                (bad_value, f"{layout.kind}: no number", chunk["amount"]),
                (np.isnan(values), f"{layout.kind}: missing", chunk["amount"]),
            ),
        }
    )


def _each(cells: pd.Series, of: Callable[[str], Any]) -> pd.Series:
    """What a function makes of each cell, worked out once for each that differs."""
    return cells.map({cell: of(cell) for cell in cells.unique()})


def _composites(good: pd.DataFrame) -> pd.DataFrame:
    """Notes on regions that are kept although they contain others."""
    inside = good[good["region"].isin(list(COMPOSITES))]
    words = {name: f"a composite that contains {', '.join(members)}" for name, members in COMPOSITES.items()}
    return notes_of(inside.assign(note=inside["region"].map(words)), left_out=False)

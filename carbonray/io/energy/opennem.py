"""Electricity and its emissions by fuel and technology of one network region, in OpenNEM's JSON.

Source: OpenNEM (opennem.org.au), version 3 of its statistics: series with a type, a fuel and technology, units, and a
history of values from `start` in steps of `interval`. A value is of the interval that begins at its time: that is so
for days and months (a file made on 24 January ends with the 23rd and with December), and taken to be so for five
minutes, because OpenNEM joins a plant's power to the price that the market stamps five minutes later (inferred).
Imports, exports, storage and pumps are no generation and are left out; emissions are those of power alone, in t CO2e.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from carbonray.errors import DataError
from carbonray.io.energy.reading import EnergyReading, lines_of, notes_of, origin_of, reading_of
from carbonray.io.objectstore import read_bytes
from carbonray.io.text_tables import NEVER_NS
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.vocab.energy import SOURCES

PUBLISHER = "OpenNEM"

# fuel and technology -> source; one that is not here, such as imports, pumps and batteries, does not generate
FUELS: Mapping[str, str] = {
    "coal_black": "coal",
    "coal_brown": "coal",
    "gas_ccgt": "gas",
    "gas_ocgt": "gas",
    "gas_recip": "gas",
    "gas_steam": "gas",
    "gas_wcmg": "gas",
    "distillate": "oil",
    "nuclear": "nuclear",
    "hydro": "hydro",
    "solar": "solar",
    "solar_rooftop": "solar",
    "solar_thermal": "solar",
    "solar_utility": "solar",
    "wind": "wind",
    "wind_offshore": "wind",
    "bioenergy_biogas": "other",
    "bioenergy_biomass": "other",
    "geothermal": "other",
}


class _Amount(NamedTuple):
    """Kind of record, GWh or t CO2 of one, and whether it is a rate an hour."""

    kind: str
    unit: float
    rate: bool = False


_AMOUNTS: Mapping[tuple[str, str], _Amount] = {  # by type and units
    ("energy", "GWh"): _Amount("energy", 1.0),
    ("energy", "MWh"): _Amount("energy", 1e-3),
    ("power", "MW"): _Amount("energy", 1e-3, rate=True),
    ("emissions", "tCO2e"): _Amount("emissions", 1.0),
    ("emissions", "tCO2"): _Amount("emissions", 1.0),
}
_STEPS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks", "M": "months", "Q": "months", "Y": "years"}
_MONTHS_OF = {"Q": 3}
_MADE_OF = ["kind", "source", "start_ns", "end_ns"]  # of a record: several fuels may add to it


def read_opennem(url: str, data_tier: str) -> EnergyReading:
    """One file of a network region.

    A source that no series names has no unit in the region: its records are 0, with a note. So is what a series
    that begins later would have said before; a null inside a series is unknown and refused.

    Raises:
        DataError: the file is no such JSON, or is cut off.
        TransportError: it could not be moved.
    """
    document = _document(url)
    values = lines_of(_series(document, url), url)
    generating = values[values["note"] == ""]
    bad = generating[generating["reason"] != ""]
    good = generating[generating["reason"] == ""]
    records, added = _records(generating)
    left_out = values[values["note"] != ""]
    region = str(document.get("region") or document.get("code") or "").upper()
    notes = pd.concat([notes_of(left_out.assign(region=region), left_out=True), added.assign(region=region)])
    return reading_of(
        origin_of(PUBLISHER, url, data_tier),
        records=records.assign(region=region),
        refused=bad.assign(region=region, name=bad["kind"] + " of " + bad["fuel"]),
        notes=notes,
        read=len(values),
        kept=len(good),
    )


def _document(url: str) -> Mapping[str, Any]:
    try:
        document = json.loads(read_bytes(url))
    except ValueError as error:
        raise _bad(url, f"no JSON ({error})") from error
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise _bad(url, "no list of series")
    return document


def _series(document: Mapping[str, Any], url: str) -> Iterator[pd.DataFrame]:
    """The values of every series, with why they are left out, or what is wrong with each."""
    for number, series in enumerate(document["data"], start=1):
        try:
            history = series["history"]
            data = history["data"]
            kind = str(series.get("data_type") or series["type"])
            fuel = str(series.get("fuel_tech") or "")
            amount = _AMOUNTS.get((kind, str(series.get("units"))))
            if amount is None or fuel not in FUELS:
                note = f"{kind} of {fuel}: no generation" if fuel else f"{kind}: of no fuel"
                yield _lines(len(data), note=note)
            else:
                yield _values(history, fuel, amount)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _bad(url, f"series {number} cannot be read ({type(error).__name__}: {error})") from error


def _values(history: Mapping[str, Any], fuel: str, amount: _Amount) -> pd.DataFrame:
    data = history["data"]
    edges = _edges(str(history["start"]), str(history["interval"]), len(data))
    if data and pd.Timestamp(history["last"]).tz_convert("UTC") != pd.Timestamp(edges[-2], tz="UTC"):
        raise ValueError(f"{len(data)} values do not end at {history['last']}")
    values = pd.to_numeric(pd.Series(data, dtype=object), errors="coerce").to_numpy(np.float64)
    hours = np.diff(edges) / HOUR_NS if amount.rate else 1.0
    return _lines(
        len(data),
        kind=amount.kind,
        fuel=fuel,
        source=FUELS[fuel] if amount.kind == "energy" else "power",
        start_ns=edges[:-1],
        end_ns=edges[1:],
        value=values * amount.unit * hours,
        reason=np.where(np.isfinite(values), "", "value: null or no number"),
    )


def _lines(count: int, **given: object) -> pd.DataFrame:
    """Values of a series, numbered from 1; what is not given of them is empty."""
    absent = {
        **dict.fromkeys(("kind", "fuel", "source", "note", "reason"), ""),
        **dict.fromkeys(("start_ns", "end_ns"), NEVER_NS),
        "value": np.nan,
    }
    return pd.DataFrame(absent | given | {"line": np.arange(1, count + 1)})


def _edges(start: str, interval: str, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The `count` + 1 instants between which the values lie, int64 ns; months are those of the network's own clock."""
    found = re.fullmatch(r"(\d+)([mhdwMQY])", interval)
    first = pd.Timestamp(start)
    if found is None or first.tzinfo is None:
        raise ValueError(f"start {start!r} without an offset, or interval {interval!r}")
    step: dict[str, Any] = {_STEPS[found[2]]: int(found[1]) * _MONTHS_OF.get(found[2], 1)}
    instants = pd.date_range(first, periods=count + 1, freq=pd.DateOffset(**step))
    return instants.tz_convert("UTC").as_unit("ns").asi8


def _records(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Amounts by source, 0 where no series of it speaks of an interval, and notes on that."""
    groups = values.groupby(_MADE_OF, sort=True)
    sums = groups.agg(value=("value", "sum"), known=("value", "count"), said=("value", "size")).reset_index()
    whole = sums[sums["known"] == sums["said"]]
    energy = values[values["kind"] == "energy"]
    intervals = energy[["start_ns", "end_ns"]].drop_duplicates()
    everything = intervals.merge(pd.DataFrame({"kind": "energy", "source": SOURCES}), how="cross")
    silent = everything.merge(sums[_MADE_OF], how="left", indicator=True).query("_merge == 'left_only'")
    records = pd.concat([whole[[*_MADE_OF, "value"]], silent[_MADE_OF].assign(value=0.0)], ignore_index=True)
    return records.rename(columns={"source": "name"}), _zeros(energy, len(intervals))


def _zeros(energy: pd.DataFrame, intervals: int) -> pd.DataFrame:
    """Notes on sources without a series, and on series that speak of fewer intervals than the file has."""
    absent = [name for name in SOURCES if intervals and name not in set(energy["source"])]
    missing = intervals - energy.groupby("fuel").size()
    late = missing[missing > 0]
    return pd.DataFrame(
        {
            "note": [f"{name}: no unit, taken as 0" for name in absent]
            + [f"{fuel}: no series yet, taken as 0" for fuel in late.index],
            "rows": [intervals] * len(absent) + late.tolist(),
            "left_out": False,
        }
    )


def _bad(url: str, what: str) -> DataError:
    return DataError(
        f"not OpenNEM's statistics: {what}",
        where=url,
        expected="version 3 of its JSON: data, each with a type, units and a history of start, last, interval and data",
        remedy="Fetch the file again, or name it as what it is.",
    )

"""What one inventory says, in carbonray's words and before ids are minted: plants, units, links, and what is wrong.

Source: the columns of `vocab.plant_tables`. A reader hands in rows as it found them, beside the words it could map; the
checks here are the same for all: a row is quarantined, a value unset, or a doubt kept and listed, each with a reason.
Times are UTC ns, [start, end).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.io.inventory.countries import ISO3
from carbonray.vocab import plant_tables
from carbonray.vocab.columns import DATA_TIER, column

_ID = column("source_id", pa.string(), "1", "the plant's id in this inventory")
_TEXT = (column("name", pa.string(), "1", "name as written"),)

LISTED_PLANTS = pa.schema(
    [
        _ID,
        *_TEXT,
        column("country", pa.string(), "1", "ISO 3166-1 alpha-3 code"),
        column("lat", pa.float64(), "degrees_north", "latitude, NaN where not given"),
        column("lon", pa.float64(), "degrees_east", "longitude in [-180, 180), NaN where not given"),
        column("capacity_mw", pa.float64(), "MW", "of the plant, NaN where not stated"),
        column("primary_fuel", pa.string(), "1", "key of `FUELS`, empty where not stated"),
        DATA_TIER,
    ]
)
LISTED_UNITS = pa.schema(
    [
        _ID,
        column("unit_source_id", pa.string(), "1", "the unit's id in this inventory"),
        *[field for field in plant_tables.UNITS if field.name not in ("plant_id", "unit_id", "source", "source_id")],
        column("efficiency", pa.float64(), "1", "electrical, NaN where not stated"),
    ]
)
LISTED_STRUCTURES = pa.schema(
    [
        *[field for field in plant_tables.STRUCTURES if field.name not in ("plant_id", "source")],
        column("plant_ref", pa.string(), "1", "plant that the annotation names, empty where it names none"),
    ]
)
LINKS = pa.schema(
    [
        column("namespace", pa.string(), "1", "who gave the first id"),
        column("id", pa.string(), "1", "id of a plant"),
        column("other_namespace", pa.string(), "1", "who gave the second id"),
        column("other_id", pa.string(), "1", "id of the same plant elsewhere"),
        column("basis", pa.string(), "1", "inventory that says they are one"),
    ]
)


@dataclass(frozen=True)
class Listing:
    """One inventory's plants.

    Attributes:
        source: key of the inventory and edition.
        namespace: who gave its ids; editions of one inventory share it.
        plants: schema `LISTED_PLANTS`.
        units: schema `LISTED_UNITS`.
        structures: schema `LISTED_STRUCTURES`.
        links: schema `LINKS`.
        findings: schema `plant_tables.INVENTORY_FINDINGS`.
        units_complete: whether the units are all that a plant has.
    """

    source: str
    namespace: str
    plants: pa.Table
    units: pa.Table
    structures: pa.Table
    links: pa.Table
    findings: pa.Table
    units_complete: bool = True


@dataclass(frozen=True)
class _Fault:
    """What can be wrong with a row: which rows, in which words, and which columns are unset (none: see `kind`)."""

    attribute: str
    kind: str
    holds: Callable[[pd.DataFrame], Any]
    words: str
    unset: Mapping[str, object] | None = None


def _shared(frame: pd.DataFrame) -> Any:
    located = frame["lat"].notna() & frame["lon"].notna()
    return located & frame.duplicated(["lat", "lon"], keep=False)


_NOWHERE = {"lat": np.nan, "lon": np.nan}
_UNKNOWN_WORD = "'{fuel_word}' is no fuel this reader knows"

_PLANT_FAULTS = (
    _Fault("id", "quarantined", lambda f: f["source_id"] == "", "missing (name '{name}')"),
    _Fault("id", "quarantined", lambda f: f["source_id"].duplicated(), "'{source_id}' appears before"),
    _Fault("country", "quarantined", lambda f: f["country"].isna(), "'{country_word}' is no country of countries.py"),
    _Fault("capacity_mw", "quarantined", lambda f: f["capacity_mw"] < 0, "{capacity_mw} MW is negative"),
    _Fault("capacity_mw", "unset", lambda f: f["capacity_fault"], "'{capacity_word}' is no number"),
    _Fault(
        "location",
        "unset",
        lambda f: (f["lat"].abs() > 90) | (f["lon"].abs() > 180) | ((f["lat"] == 0) & (f["lon"] == 0)),
        "latitude {lat}, longitude {lon} (WGS 84 degrees expected)",
        _NOWHERE,
    ),
    _Fault("location", "unset", lambda f: f["lat"].isna() | f["lon"].isna(), "no coordinates", _NOWHERE),
    _Fault("location", "kept", _shared, "shares latitude {lat}, longitude {lon} with another plant"),
    _Fault("primary_fuel", "unset", lambda f: f["fuel"].isna(), _UNKNOWN_WORD, {"fuel": "other"}),
    _Fault("primary_fuel", "kept", lambda f: f["fuel"] == "", "not stated"),
)
_UNIT_FAULTS = (
    _Fault("id", "quarantined", lambda f: f["unit_source_id"] == "", "missing (name '{name}')"),
    _Fault("id", "quarantined", lambda f: f["unit_source_id"].duplicated(), "'{unit_source_id}' appears before"),
    _Fault("plant", "quarantined", lambda f: ~f["plant_kept"], "its plant '{source_id}' is not in the list"),
    _Fault("capacity_mw", "quarantined", lambda f: f["capacity_mw"] < 0, "{capacity_mw} MW is negative"),
    _Fault("end_utc_ns", "quarantined", lambda f: f["retired"] & f["end_utc_ns"].isna(), "retired at an unknown date"),
    _Fault("capacity_mw", "unset", lambda f: f["capacity_fault"], "'{capacity_word}' is no number"),
    _Fault(
        "end_utc_ns",
        "unset",
        lambda f: (f["end_utc_ns"] <= f["start_utc_ns"]).fillna(value=False),
        "ends before it starts",
        {"start_utc_ns": pd.NA, "end_utc_ns": pd.NA},
    ),
    _Fault("fuel", "unset", lambda f: f["fuel"].isna(), _UNKNOWN_WORD, {"fuel": "other"}),
)


def checked_listing(
    source: str,
    namespace: str,
    plants: pd.DataFrame,
    units: pd.DataFrame | None = None,
    links: Sequence[tuple[str, str, str, str]] = (),
    findings: Sequence[Mapping[str, str]] = (),
    *,
    units_complete: bool = True,
    fuel_stated: bool = True,
) -> Listing:
    """A reader's rows as a listing, each fault named.

    Args:
        source: key of the inventory and edition.
        namespace: who gave its ids.
        plants: source_id, name, country_word, lat, lon, capacity_word, fuel_word and fuel (NaN: unknown word); and
            data_tier, where the inventory has one.
        units: source_id, unit_source_id, name, fuel_word, fuel, capacity_word; and, where known, prime_mover,
            start_utc_ns, end_utc_ns, retired, cooling_type, wet_fgd, efficiency.
        links: (namespace, id, other namespace, other id).
        findings: what the reader itself set aside: entity, source_id, kind, attribute, reason.
        units_complete: whether the units are all that a plant has.
        fuel_stated: whether the inventory has fuels of plants at all.
    """
    frame = _with_numbers(plants.assign(data_tier=plants.get("data_tier", "REAL")))
    frame["country"] = frame["country_word"].map(ISO3)
    kept, found = _sifted(frame, _PLANT_FAULTS if fuel_stated else _PLANT_FAULTS[:-1], "plant", "source_id")
    turned = (kept["lon"] + 180.0) % 360.0 - 180.0
    kept = kept.assign(lon=turned, primary_fuel=kept["fuel"])
    unit_rows = _with_numbers(_filled(units if units is not None else pd.DataFrame(columns=["source_id"])))
    unit_rows["plant_kept"] = unit_rows["source_id"].isin(set(kept["source_id"]))
    unit_kept, unit_found = _sifted(unit_rows, _UNIT_FAULTS, "unit", "unit_source_id")
    unit_kept["fuel"] = unit_kept["fuel"].replace("", "other")
    return Listing(
        source=source,
        namespace=namespace,
        plants=as_table(kept, LISTED_PLANTS),
        units=as_table(unit_kept, LISTED_UNITS),
        structures=LISTED_STRUCTURES.empty_table(),
        links=links_table(links, source),
        findings=findings_table(source, [*findings, *found, *unit_found]),
        units_complete=units_complete,
    )


def mapped(words: "pd.Series[Any]", known: Mapping[str, str]) -> "pd.Series[Any]":
    """Words of an inventory as keys of carbonray's; empty stays empty, an unknown word becomes NaN."""
    return words.map(lambda word: "" if word == "" else known.get(word, np.nan))


def year_ns(years: "pd.Series[Any]", *, after: bool = False) -> "pd.Series[Any]":
    """Start of a year (or, `after`, of the next one), UTC ns; missing where there is no year from 1800 to 2200."""
    number = np.floor(pd.to_numeric(years, errors="coerce"))
    known = number.between(1800, 2200)
    days = (number.where(known, 1970).astype(np.int64) - 1970 + int(after)).to_numpy().astype("datetime64[Y]")
    starts = pd.Series(days.astype("datetime64[ns]").astype(np.int64), index=years.index, dtype="Int64")
    return starts.where(known, pd.NA)


def links_table(links: Sequence[tuple[str, str, str, str]], basis: str) -> pa.Table:
    """Distinct links, sorted, as a table."""
    rows = sorted(set(links))
    columns = [[row[index] for row in rows] for index in range(4)]
    return pa.table([*columns, [basis] * len(rows)], schema=LINKS)


def findings_table(source: str, findings: Sequence[Mapping[str, str]]) -> pa.Table:
    """Findings of one inventory as a table."""
    rows = [{"source": source, **row} for row in findings]
    return pa.Table.from_pylist(rows, schema=plant_tables.INVENTORY_FINDINGS)


def as_table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Columns of a frame in the order and types of a schema; NaN stays NaN, where pandas would have it null."""
    return pa.Table.from_arrays([_array(frame[field.name], field) for field in schema], schema=schema)


def _array(cells: "pd.Series[Any]", field: pa.Field) -> pa.Array:
    if pa.types.is_floating(field.type):
        return pa.array(cells.to_numpy(np.float64), type=field.type)
    values = cells.astype(object)
    return pa.array(values.where(values.notna(), None).tolist(), type=field.type)


def _with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Coordinates and capacity as numbers, beside the words they were read from."""
    frame = frame.reset_index(drop=True)
    word = frame["capacity_word"].fillna("").astype(str).str.strip()
    capacity = pd.to_numeric(word, errors="coerce").astype(float)
    frame = frame.assign(capacity_word=word, capacity_mw=capacity, capacity_fault=capacity.isna() & (word != ""))
    for name in ("lat", "lon"):
        if name in frame:
            frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
    return frame


_UNIT_DEFAULTS: Mapping[str, tuple[object, str]] = {
    "unit_source_id": ("", "object"),
    "name": ("", "object"),
    "fuel_word": ("", "object"),
    "fuel": ("", "object"),
    "prime_mover": ("", "object"),
    "capacity_word": ("", "object"),
    "start_utc_ns": (pd.NA, "Int64"),
    "end_utc_ns": (pd.NA, "Int64"),
    "retired": (False, "bool"),
    "cooling_type": ("", "object"),
    "wet_fgd": (None, "object"),
    "efficiency": (np.nan, "float64"),
}


def _filled(units: pd.DataFrame) -> pd.DataFrame:
    absent = {
        name: pd.Series([value] * len(units), index=units.index, dtype=kind)
        for name, (value, kind) in _UNIT_DEFAULTS.items()
        if name not in units
    }
    filled = units.assign(**absent)
    return filled.assign(efficiency=pd.to_numeric(filled["efficiency"], errors="coerce").astype(float))


def _sifted(
    frame: pd.DataFrame, faults: Sequence[_Fault], entity: str, key: str
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Rows without those quarantined, values unset, and a finding for every fault; one quarantine a row."""
    found: list[dict[str, str]] = []
    for fault in faults:
        hit: NDArray[np.bool_] = np.asarray(fault.holds(frame), bool)
        for row in frame[hit].to_dict("records"):
            reason = fault.words.format_map({str(name): value for name, value in row.items()})
            found.append(_finding(entity, str(row[key]), fault.kind, fault.attribute, reason))
        if fault.kind == "quarantined":
            frame = frame[~hit]
        for name, value in (fault.unset or {}).items():
            frame = frame.assign(**{name: frame[name].mask(hit, value)})
    return frame, found


def _finding(entity: str, source_id: str, kind: str, attribute: str, reason: str) -> dict[str, str]:
    return {"entity": entity, "source_id": source_id, "kind": kind, "attribute": attribute, "reason": reason}

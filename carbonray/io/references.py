"""Point sources that a run is compared with: plant inventories and simulated truth, bad rows beside the kept ones.

Sources: WRI Global Power Plant Database column names (v1.0 to v1.3); carbonray's own `sources.csv` of a simulated
Earth. A row that breaks a rule or is bad never disappears: it is set aside with its id and the reason.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io.objectstore import read_bytes
from carbonray.vocab import tables

SET_ASIDE = pa.schema(
    [
        pa.field("source_id", pa.string(), nullable=False, metadata={"units": "1", "long_name": "id as read"}),
        pa.field("kind", pa.string(), nullable=False, metadata={"units": "1", "long_name": "excluded or quarantined"}),
        pa.field("reason", pa.string(), nullable=False, metadata={"units": "1", "long_name": "rule or fault"}),
    ]
)


@dataclass(frozen=True)
class ReferenceRules:
    """Which sources of an inventory NO2 can be expected to show.

    Attributes:
        fuels: fuels kept where an inventory names one (GPPD's words); burning them in bulk makes NO2.
        min_strength: sources below are excluded, in the inventory's own units.
    """

    fuels: tuple[str, ...] = ("Coal", "Gas", "Oil", "Petcoke")
    min_strength: float = 0.0


@dataclass(frozen=True)
class SourceColumns:
    """Where an inventory keeps what `tables.SOURCES` needs; `strength_units` are what its strength column means."""

    source_id: str
    lat: str
    lon: str
    strength: str
    strength_units: str
    fuel: str | None = None


# inventories by their columns; the first whose columns are all there is taken
INVENTORIES: Mapping[str, SourceColumns] = MappingProxyType(
    {
        "simulated": SourceColumns("source_id", "lat", "lon", "q_kg_s", "kg s-1"),
        "gppd": SourceColumns("gppd_idnr", "latitude", "longitude", "capacity_mw", "MW", "primary_fuel"),
        "gppd_2018": SourceColumns("gppd_idnr", "latitude", "longitude", "capacity_mw", "MW", "fuel1"),
        "plants": SourceColumns("plant_id", "lat", "lon", "capacity_mw", "MW"),
        "generic": SourceColumns("source_id", "lat", "lon", "strength", "1"),
    }
)


@dataclass(frozen=True)
class SourceInventory:
    """`sources` has schema `tables.SOURCES`, sorted by id; `set_aside` has schema `SET_ASIDE`."""

    sources: pa.Table
    set_aside: pa.Table


def read_sources(url: str, rules: ReferenceRules | None = None) -> SourceInventory:
    """Point sources of a CSV or (Geo)Parquet file.

    Negative capacity, coordinates that are not WGS 84, and repeated ids are quarantined; fuels without NO2 and weak
    sources are excluded. An unknown strength (empty) is kept as null: such a source can still be found.

    Raises:
        DataError: the file is no table, or its columns are those of no inventory in `INVENTORIES`.
        TransportError: it could not be moved.
    """
    frame = _frame(url)
    columns = _columns(frame, url)
    rules = rules or ReferenceRules()
    frame = _normalised(frame, columns)
    bad, excluded = _first_reason(frame, _FAULTS), _first_reason(frame, _exclusions(columns, rules))
    excluded[bad != ""] = ""  # bad data is named as such, not as an exclusion
    keep = (bad == "") & (excluded == "")
    aside = pd.concat([_aside(frame, bad, "quarantined"), _aside(frame, excluded, "excluded")])
    return SourceInventory(
        sources=_table(frame[keep].sort_values("source_id", kind="stable"), tables.SOURCES),
        set_aside=_table(aside.sort_values(["source_id", "kind"], kind="stable"), SET_ASIDE),
    )


def _frame(url: str) -> pd.DataFrame:
    """The file as it is, every CSV cell a string."""
    data = read_bytes(url)
    try:
        if data[:4] == b"PAR1":
            return _with_positions(pq.read_table(pa.BufferReader(data)).to_pandas())
        return pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pa.ArrowInvalid, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(
            f"not a table of sources ({type(error).__name__}: {error})",
            where=url,
            expected="a CSV file in UTF-8 or a Parquet file",
            remedy="Repair the file or leave it out of inputs.inventory.",
        ) from error


def _with_positions(frame: pd.DataFrame) -> pd.DataFrame:
    """GeoParquet keeps positions in a WKB column; they become `lat` and `lon` where there are none."""
    if "geometry" in frame and not {"lat", "latitude"} & set(frame.columns):
        points = shapely.centroid(shapely.from_wkb(frame["geometry"].to_numpy()))
        frame = frame.assign(lat=shapely.get_y(points), lon=shapely.get_x(points))
    return frame


def _columns(frame: pd.DataFrame, url: str) -> SourceColumns:
    for columns in INVENTORIES.values():
        needed = {columns.source_id, columns.lat, columns.lon, columns.strength, columns.fuel} - {None}
        if needed <= set(frame.columns):
            return columns
    raise DataError(
        f"columns {sorted(map(str, frame.columns))[:20]} belong to no known inventory",
        where=url,
        expected="; ".join(f"{name}: {c.source_id}, {c.lat}, {c.lon}, {c.strength}" for name, c in INVENTORIES.items()),
        remedy="Rename the columns, or add the inventory to INVENTORIES in carbonray/io/references.py.",
    )


def _normalised(frame: pd.DataFrame, columns: SourceColumns) -> pd.DataFrame:
    """The columns of `tables.SOURCES` plus the fuel and, for the faults, strength as it was written."""
    own_units = "strength_units" in frame and columns.strength == "strength"
    return pd.DataFrame(
        {
            "source_id": frame[columns.source_id].fillna("").astype(str).str.strip(),
            "lat": pd.to_numeric(frame[columns.lat], errors="coerce").astype(float),
            "lon": pd.to_numeric(frame[columns.lon], errors="coerce").astype(float),
            "strength": pd.to_numeric(frame[columns.strength], errors="coerce").astype(float),
            "strength_units": frame["strength_units"] if own_units else columns.strength_units,
            "strength_text": frame[columns.strength].fillna("").astype(str).str.strip(),
            "fuel": frame[columns.fuel].fillna("").astype(str) if columns.fuel else "",
        }
    )


Rule = tuple[Callable[[pd.DataFrame], "pd.Series[bool]"], str]

# what is wrong with a row, in the order it is named: (rows it holds for, its words over the columns of those rows)
_FAULTS: tuple[Rule, ...] = (
    (lambda f: f["source_id"] == "", "id: missing (at latitude {lat}, longitude {lon})"),
    (
        lambda f: ~((f["lat"].abs() <= 90) & (f["lon"].abs() <= 180)),
        "coordinates: latitude {lat}, longitude {lon} (WGS 84 degrees expected)",
    ),
    (lambda f: f["strength"].isna() & (f["strength_text"] != ""), "strength: '{strength_text}' is no number"),
    (lambda f: f["strength"] < 0, "strength: {strength} is negative"),
    (lambda f: f["source_id"].duplicated(), "id: '{source_id}' appears before"),
)


def _exclusions(columns: SourceColumns, rules: ReferenceRules) -> tuple[Rule, ...]:
    weak: Rule = (lambda f: f["strength"] < rules.min_strength, f"strength: {{strength}} (limit {rules.min_strength})")
    fuel: Rule = (lambda f: ~f["fuel"].isin(rules.fuels), f"fuel: '{{fuel}}' (kept: {', '.join(rules.fuels)})")
    return (fuel, weak) if columns.fuel else (weak,)


def _first_reason(frame: pd.DataFrame, rules: tuple[Rule, ...]) -> NDArray[np.object_]:
    """The first rule that holds for each row, in words; empty where none does."""
    reason = np.full(len(frame), "", dtype=object)
    for holds, words in rules:
        hit = holds(frame).to_numpy() & (reason == "")
        reason[hit] = [words.format_map({str(k): v for k, v in row.items()}) for row in frame[hit].to_dict("records")]
    return reason


def _aside(frame: pd.DataFrame, reason: NDArray[np.object_], kind: str) -> pd.DataFrame:
    hit = reason != ""
    return pd.DataFrame({"source_id": frame["source_id"].to_numpy()[hit], "kind": kind, "reason": reason[hit]})


def _table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False).replace_schema_metadata(None)

"""Annotated cooling towers and stacks as GeoJSON points, in OpenStreetMap's tags or with a plain `structure_kind`.

Sources: RFC 7946; OpenStreetMap wiki, keys man_made=cooling_tower with cooling_tower:type=natural_draught, and
man_made=chimney. That a chimney stands behind wet desulphurisation has no tag of its own there: any tag whose key or
value speaks of desulphurisation is taken. A `plant_ref` property may name the plant as `namespace:id`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from carbonray.errors import DataError
from carbonray.io.inventory.files import read_json
from carbonray.io.inventory.listing import (
    LINKS,
    LISTED_PLANTS,
    LISTED_STRUCTURES,
    LISTED_UNITS,
    Listing,
    findings_table,
)
from carbonray.vocab.plants import FGD, NDT, STRUCTURE_KINDS

_NATURAL = ("natural_draught", "natural_draft", "natural")
_DESULPHURISATION = ("desulphuri", "desulfuri", "fgd")


def read_structures(url: str) -> Listing:
    """Towers and stacks, without plants; a point of another kind, or none, is set aside with the reason.

    Raises:
        DataError: the file is no GeoJSON feature collection.
        TransportError: it could not be moved.
    """
    document = read_json(url)
    if not isinstance(document, dict) or not isinstance(document.get("features"), list):
        raise DataError(
            "not a GeoJSON feature collection",
            where=url,
            expected="an object with a list of features",
            remedy="Export the points as GeoJSON (RFC 7946).",
        )
    rows: dict[str, dict[str, Any]] = {}
    findings = []
    for number, feature in enumerate(document["features"]):
        row, reason = _structure(feature, number)
        reason = reason or (f"'{row['structure_id']}' appears before" if row["structure_id"] in rows else "")
        if reason:
            findings.append(_aside(row["structure_id"], reason))
        else:
            rows[row["structure_id"]] = row
    return Listing(
        source="structures",
        namespace="structures",
        plants=LISTED_PLANTS.empty_table(),
        units=LISTED_UNITS.empty_table(),
        structures=pa.Table.from_pylist(list(rows.values()), schema=LISTED_STRUCTURES),
        links=LINKS.empty_table(),
        findings=findings_table("structures", findings),
    )


def structure_kind(tags: Mapping[str, Any]) -> str:
    """`NDT`, `FGD`, or empty for anything else."""
    stated = str(tags.get("structure_kind", ""))
    if stated in STRUCTURE_KINDS:
        return stated
    if tags.get("man_made") == "cooling_tower":
        return NDT if str(tags.get("cooling_tower:type", "")).lower() in _NATURAL else ""
    if tags.get("man_made") == "chimney":
        words = " ".join(f"{key} {value}" for key, value in tags.items() if str(value).lower() != "no").lower()
        return FGD if any(part in words for part in _DESULPHURISATION) else ""
    return ""


def _structure(feature: Any, number: int) -> tuple[dict[str, Any], str]:
    """A row of `LISTED_STRUCTURES`, and what is wrong with it."""
    feature = feature if isinstance(feature, dict) else {}
    tags, shape = feature.get("properties") or {}, feature.get("geometry") or {}
    name = str(tags.get("structure_id") or tags.get("@id") or feature.get("id") or f"feature:{number}")
    lon, lat = _position(shape)
    row = {
        "structure_id": name,
        "structure_kind": structure_kind(tags),
        "lat": lat,
        "lon": (lon + 180.0) % 360.0 - 180.0,
        "plant_ref": str(tags.get("plant_ref") or ""),
    }
    if not row["structure_kind"]:
        return row, f"tags {dict(tags)} are neither a natural-draught tower nor a stack behind wet FGD"
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        return row, f"geometry {str(shape)[:80]} is no point in WGS 84 degrees"
    return row, ""


def _position(shape: Mapping[str, Any]) -> tuple[float, float]:
    """Longitude and latitude of a point, NaN for any other geometry."""
    place = shape.get("coordinates") if shape.get("type") == "Point" else None
    numbers = isinstance(place, list) and len(place) >= 2 and all(isinstance(x, int | float) for x in place[:2])
    return (float(place[0]), float(place[1])) if numbers and place else (np.nan, np.nan)


def _aside(name: str, reason: str) -> dict[str, str]:
    return {
        "entity": "structure",
        "source_id": name,
        "kind": "quarantined",
        "attribute": "structure_kind" if "tags" in reason else "location" if "geometry" in reason else "id",
        "reason": reason,
    }

"""What the inventories of one plant disagree on, listed beside what was kept.

Source: appendix A.1 of the plume paper (discrepancies are looked into, not overwritten). One row a plant, attribute and
inventory that says otherwise (schema `INVENTORY_CONFLICTS`); `rule` says why the kept value stands.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from carbonray.io.inventory.harmonise import Harmonised, InventoryMergeRules
from carbonray.io.inventory.listing import as_table
from carbonray.io.inventory.matching import fuel_likeness, name_likeness
from carbonray.science.spatial.geodesy import distance_km
from carbonray.vocab import plant_tables
from carbonray.vocab.plants import FUELS

_TRUSTED = "{kept} comes first in this country"
_PLACED = "{kept} places plants with more care"
_NAMED = "{kept} names plants better"


def inventory_conflicts(
    found: Harmonised, totals: pd.DataFrame, cooling: pd.DataFrame, rules: InventoryMergeRules
) -> pa.Table:
    """Every contradiction, sorted by plant, attribute and inventory.

    Args:
        found: rows and plants.
        totals: by root: capacity_mw, primary_fuel, unit_source.
        cooling: root, source, cooling_type as each inventory states it.
        rules: what counts as a contradiction.
    """
    said = _said_by_source(found.rows)
    kept = found.plants.join(totals)
    pairs = said.merge(kept, left_on="root", right_index=True, suffixes=("", "_kept"))
    parts = [
        _capacities(pairs, rules),
        _fuels(pairs),
        _places(pairs, rules),
        _names(pairs, rules),
        _countries(pairs),
        _coolings(cooling, kept),
        _doubles(found),
        _refusals(found),
    ]
    frame = pd.concat([part for part in parts if len(part)], ignore_index=True) if any(map(len, parts)) else _NONE
    frame = frame[frame["plant_id"] != ""]
    order = ["plant_id", "attribute", "other_source", "other_value"]
    return as_table(frame.sort_values(order, kind="stable"), plant_tables.INVENTORY_CONFLICTS)


_NONE = pd.DataFrame({name: pd.Series(dtype="object") for name in plant_tables.INVENTORY_CONFLICTS.names})


def _said_by_source(rows: pd.DataFrame) -> pd.DataFrame:
    """What each inventory says of each plant: the sum of its rows' capacity, and the rest of the largest row."""
    ordered = rows.sort_values("capacity_mw", ascending=False, kind="stable", na_position="last")
    first = ordered.drop_duplicates(["root", "source"])
    capacity = rows.groupby(["root", "source"])["capacity_mw"].sum(min_count=1).rename("capacity_said")
    return first.drop(columns=["data_tier"]).join(capacity, on=["root", "source"])


def _rows(
    pairs: pd.DataFrame, attribute: str, kept_source: str, kept: pd.Series, other: pd.Series, rule: str
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "plant_id": pairs["plant_id"],
            "attribute": attribute,
            "kept_source": pairs[kept_source],
            "kept_value": kept.astype(str),
            "other_source": pairs["source"],
            "other_value": other.astype(str),
        }
    )
    return frame.assign(rule=[rule.format(kept=source) for source in frame["kept_source"]])


def _capacities(pairs: pd.DataFrame, rules: InventoryMergeRules) -> pd.DataFrame:
    kept, other = pairs["capacity_mw_kept"], pairs["capacity_said"]
    larger = np.maximum(kept, other)
    differ = (np.abs(kept - other) > rules.capacity_tolerance * larger) & (pairs["source"] != pairs["unit_source"])
    hit = pairs[differ]
    return _rows(hit, "capacity_mw", "unit_source", kept[differ].round(3), other[differ].round(3), _TRUSTED)


def _fuels(pairs: pd.DataFrame) -> pd.DataFrame:
    """Different fuels, unless one is the other said less exactly (coal, bituminous)."""
    known = pairs[~pairs["fuel"].isin(("", "other")) & ~pairs["primary_fuel"].isin(("", "other"))]
    like = fuel_likeness(known["fuel"], known["primary_fuel"])
    vague = np.array(
        [
            FUELS[a].family == FUELS[b].family and (a == FUELS[a].family or b == FUELS[b].family)
            for a, b in zip(known["fuel"], known["primary_fuel"], strict=True)
        ],
        bool,
    )
    differ = ((like < 1.0) | (known["fuel"] != known["primary_fuel"]).to_numpy()) & ~vague
    hit = known[differ & (known["source"] != known["unit_source"])]
    return _rows(hit, "primary_fuel", "unit_source", hit["primary_fuel"], hit["fuel"], _TRUSTED)


def _places(pairs: pd.DataFrame, rules: InventoryMergeRules) -> pd.DataFrame:
    apart = pd.Series(distance_km(pairs["lat"], pairs["lon"], pairs["lat_kept"], pairs["lon_kept"]), index=pairs.index)
    hit = pairs[apart > rules.location_tolerance_km]
    kept = hit["lat_kept"].round(5).astype(str) + "," + hit["lon_kept"].round(5).astype(str)
    other = hit["lat"].round(5).astype(str) + "," + hit["lon"].round(5).astype(str)
    km = apart[hit.index].round(1).astype(str)
    return _rows(hit, "location", "location_source", kept, other + " (" + km + " km)", _PLACED)


def _names(pairs: pd.DataFrame, rules: InventoryMergeRules) -> pd.DataFrame:
    shared, _ = name_likeness(pairs["name"], pairs["name_kept"])
    hit = pairs[shared < rules.name_likeness]
    return _rows(hit, "name", "name_source", hit["name_kept"], hit["name"], _NAMED)


def _countries(pairs: pd.DataFrame) -> pd.DataFrame:
    hit = pairs[pairs["country"] != pairs["country_kept"]]
    return _rows(hit, "country", "source_kept", hit["country_kept"], hit["country"], _TRUSTED)


def _coolings(cooling: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    said = cooling.join(kept[["plant_id", "unit_source"]], on="root")
    leading = said[said["source"] == said["unit_source"]].set_index("root")["cooling_type"]
    kept_type = said["root"].map(leading)
    hit = said[kept_type.notna() & (kept_type != said["cooling_type"])]
    return _rows(hit, "cooling_type", "unit_source", kept_type[hit.index], hit["cooling_type"], _TRUSTED)


def _doubles(found: Harmonised) -> pd.DataFrame:
    """Rows of one inventory that are one plant here."""
    rows = found.rows.assign(rule=found.joins.rule)
    first = rows.groupby(["root", "source"])["source_id"].transform("first")
    again = rows[rows["source_id"] != first]
    return pd.DataFrame(
        {
            "plant_id": again["root"].map(found.plants["plant_id"]),
            "attribute": "identity",
            "kept_source": again["source"],
            "kept_value": first[again.index],
            "other_source": again["source"],
            "other_value": again["source_id"],
            "rule": [f"one plant of two rows: {rule}" for rule in again["rule"]],
        }
    )


def _refusals(found: Harmonised) -> pd.DataFrame:
    """Rows that a link or likeness would have made one plant, and why they stay two."""
    rows, ids = found.rows, found.rows["root"].map(found.plants["plant_id"])
    return pd.DataFrame(
        [
            {
                "plant_id": ids.iloc[a],
                "attribute": "identity",
                "kept_source": rows["source"].iloc[a],
                "kept_value": rows["source_id"].iloc[a],
                "other_source": rows["source"].iloc[b],
                "other_value": rows["source_id"].iloc[b],
                "rule": f"two plants though joined by {why}",
            }
            for a, b, why in found.joins.refused
        ],
        columns=list(_NONE.columns),
    )

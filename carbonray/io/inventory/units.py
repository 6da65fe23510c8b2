"""The generating units of each plant: those of the most trusted inventory that has any, and what it leaves out.

Source: SCIENCE 4.11 (capacity changes in time). An inventory of part of a plant's units is completed by one unit of the
capacity that another inventory states beyond them. Times are UTC ns, missing dates null.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from carbonray.io.inventory.harmonise import UNIT_ID, Harmonised, InventoryMergeRules, grown, minted_ids, next_number
from carbonray.io.inventory.listing import LISTED_UNITS, Listing, as_table
from carbonray.science.power.capacity import ALWAYS_NS, NEVER_NS, in_service
from carbonray.vocab import plant_tables

REST = "units not listed"


def plant_units(
    listings: Sequence[Listing], found: Harmonised, rules: InventoryMergeRules
) -> tuple[pa.Table, pa.Table, pd.DataFrame]:
    """Units (schema `UNITS`), the crosswalk with their ids, and totals by root.

    Totals are `capacity_mw`, `primary_fuel` and `unit_source`, the inventory whose units were taken.
    """
    units = _of_clusters(listings, found.rows)
    chosen = units[units["rank"] == units.groupby("root")["rank"].transform("min")]
    chosen = chosen.assign(serving=_serving(chosen, rules.as_of_ns()))
    rest = _rests(chosen, found.rows, rules)
    chosen = pd.concat([chosen, rest], ignore_index=True) if len(rest) else chosen
    chosen = chosen.assign(plant_id=chosen["root"].map(found.plants["plant_id"]))
    totals = _totals(chosen, found)
    chosen = chosen[chosen["plant_id"] != ""].sort_values(["plant_id", "namespace", "unit_source_id"], kind="stable")
    crosswalk = grown(found.crosswalk, _entries(chosen, found.crosswalk))
    ids = minted_ids(crosswalk, "unit")
    keys = zip(chosen["namespace"], chosen["unit_source_id"], strict=True)
    chosen = chosen.assign(unit_id=[ids[key] for key in keys], source_id=chosen["unit_source_id"])
    return as_table(chosen, plant_tables.UNITS), crosswalk, totals


def cooling_said(listings: Sequence[Listing], found: Harmonised) -> pd.DataFrame:
    """root, source and the cooling of most capacity, of every inventory that states one."""
    units = _of_clusters(listings, found.rows)
    if units.empty:
        return pd.DataFrame(columns=["root", "source", "cooling_type"])
    told = units[units["cooling_type"] != ""]
    by_type = told.groupby(["root", "source", "cooling_type"])["capacity_mw"].sum().reset_index()
    by_type = by_type.sort_values("capacity_mw", kind="stable").drop_duplicates(["root", "source"], keep="last")
    return by_type[["root", "source", "cooling_type"]]


def _of_clusters(listings: Sequence[Listing], rows: pd.DataFrame) -> pd.DataFrame:
    """Every listed unit with the cluster and the rank of its plant, each once."""
    nothing = LISTED_UNITS.empty_table().to_pandas().assign(source="", namespace="", complete=True)
    parts = [
        # dates stay whole numbers: as floats they would lose nanoseconds beside a missing one
        part.units.to_pandas(integer_object_nulls=True).assign(
            source=part.source, namespace=part.namespace, complete=part.units_complete
        )
        for part in listings
        if part.units.num_rows and part.plants.num_rows
    ]
    units = pd.concat(parts, ignore_index=True) if parts else nothing
    units = units.drop_duplicates(["source", "unit_source_id"])
    placed: pd.DataFrame = units.merge(rows[["source", "source_id", "root", "rank"]], on=["source", "source_id"])
    return placed


def _serving(units: pd.DataFrame, time_ns: int) -> Any:
    start = units["start_utc_ns"].astype("Int64").fillna(ALWAYS_NS).to_numpy(np.int64)
    end = units["end_utc_ns"].astype("Int64").fillna(NEVER_NS).to_numpy(np.int64)
    return in_service(start, end, [time_ns])[:, 0]


def _rests(chosen: pd.DataFrame, rows: pd.DataFrame, rules: InventoryMergeRules) -> pd.DataFrame:
    """One unit a plant for the capacity that its incomplete list of units leaves out."""
    partial = chosen[~chosen["complete"].astype(bool)]
    stated = rows[rows["capacity_mw"].notna()].sort_values("rank", kind="stable")
    first = stated[stated["rank"] == stated.groupby("root")["rank"].transform("min")]
    whole = first.groupby("root").agg({"capacity_mw": "sum", "fuel": "first", "source": "first", "namespace": "first"})
    listed = partial["capacity_mw"].where(partial["serving"], 0.0).groupby(partial["root"]).sum()
    whole = whole.join(listed.rename("listed"), how="inner")
    missing = whole["capacity_mw"] - whole["listed"]
    short = whole[missing > rules.capacity_tolerance * whole["capacity_mw"]]
    return pd.DataFrame(
        {
            "root": short.index,
            "unit_source_id": [
                f"rest:{source_id}" for source_id in first.groupby("root")["source_id"].first()[short.index]
            ],
            "name": REST,
            "fuel": short["fuel"].replace("", "other").to_numpy(),
            "prime_mover": "",
            "capacity_mw": missing[short.index].to_numpy(),
            "start_utc_ns": pd.array([pd.NA] * len(short), dtype="Int64"),
            "end_utc_ns": pd.array([pd.NA] * len(short), dtype="Int64"),
            "cooling_type": "",
            "wet_fgd": None,
            "source": short["source"].to_numpy(),
            "namespace": short["namespace"].to_numpy(),
            "serving": True,
        }
    )


def _totals(units: pd.DataFrame, found: Harmonised) -> pd.DataFrame:
    """By root: MW in service, the fuel of most of it (else what rows state), and whose units they are."""
    serving = units["capacity_mw"].where(units["serving"].astype(bool), 0.0)
    capacity = serving.groupby(units["root"]).sum(min_count=1)
    by_fuel = serving.groupby([units["root"], units["fuel"]]).sum().reset_index()
    by_fuel = by_fuel[by_fuel["capacity_mw"] > 0].sort_values("capacity_mw", kind="stable")
    fuel = by_fuel.drop_duplicates("root", keep="last").set_index("root")["fuel"]
    trusted = found.rows.sort_values("rank", kind="stable")
    told = trusted[~trusted["fuel"].isin(("", "other"))].groupby("root")["fuel"].first()
    index = found.plants.index
    source = units.drop_duplicates("root").set_index("root")["source"]
    return pd.DataFrame(
        {
            "capacity_mw": capacity.reindex(index),
            "primary_fuel": fuel.reindex(index).fillna(told.reindex(index)).fillna("other"),
            "unit_source": source.reindex(index).fillna(""),
        },
        index=index,
    )


def _entries(units: pd.DataFrame, crosswalk: pa.Table) -> list[dict[str, str]]:
    known = minted_ids(crosswalk, "unit")
    number = next_number(list(known.values()))
    new = [key for key in zip(units["namespace"], units["unit_source_id"], strict=True) if key not in known]
    return [
        {"entity": "unit", "source": namespace, "source_id": own, "minted_id": UNIT_ID.format(number + place)}
        for place, (namespace, own) in enumerate(dict.fromkeys(new))
    ]

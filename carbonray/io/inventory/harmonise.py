"""From listings to one plant table: whose word counts, which ids were minted, what is kept and what is set aside.

Source: appendix A.1 of the plume paper (one source leads in each country, the others fill its gaps). Frames hold one
row a listed plant; `root` names its cluster. Ids are numbers in the order of minting and say nothing about a plant.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from carbonray.io.inventory.identity import IdentityRules, Joins, Node, joined
from carbonray.io.inventory.listing import Listing
from carbonray.vocab import plant_tables

PLANT_ID = "P{:07d}"
UNIT_ID = "U{:07d}"


@dataclass(frozen=True)
class CountryOrder:
    """Inventories that come first in one country, by its ISO3 code; the others follow in the general order."""

    country: str
    inventories: tuple[str, ...]


@dataclass(frozen=True)
class InventoryMergeRules:
    """Whose word counts, and what counts as a contradiction.

    Attributes:
        order: inventories, the most trusted first; also the order in which they are matched (inferred).
        country_order: countries in which other inventories come first (inferred).
        location_order: inventories by the care of their coordinates; the others follow (inferred from the distances
            of annotated towers and stacks of 38 coal plants, docs/evidence/inventory).
        name_order: inventories by the names of their plants; the others follow (inferred: JRC's are of units).
        identity: when rows are one plant.
        as_of: day on which capacity is counted and the largest fuel found (inferred: age of the newest inventory).
        capacity_tolerance: relative difference of capacities from which they contradict each other (inferred).
        location_tolerance_km: distance from which places contradict each other (inferred).
        name_likeness: likeness of names below which they contradict each other (inferred).
        structure_km: a tower or stack farther from every plant belongs to none (inferred).
    """

    order: tuple[str, ...] = (
        "carbonray",
        "units",
        "eia860",
        "eia860_generators",
        "epa_eia",
        "nem",
        "jrc",
        "gem",
        "gppd",
        "powerplantmatching",
        "gppd_2018",
    )
    country_order: tuple[CountryOrder, ...] = (
        CountryOrder("USA", ("carbonray", "units", "eia860_generators", "epa_eia", "eia860", "gppd")),
        CountryOrder("AUS", ("carbonray", "units", "nem", "gppd")),
    )
    location_order: tuple[str, ...] = (
        "carbonray",
        "eia860",
        "epa_eia",
        "nem",
        "gem",
        "gppd",
        "gppd_2018",
        "powerplantmatching",
    )
    name_order: tuple[str, ...] = ("carbonray", "eia860", "epa_eia", "nem", "gem", "gppd", "powerplantmatching")
    identity: IdentityRules = field(default_factory=IdentityRules)
    as_of: str = "2025-01-01"
    capacity_tolerance: float = 0.05
    location_tolerance_km: float = 2.0
    name_likeness: float = 0.5
    structure_km: float = 2.0

    def rank(self, source: str, country: str) -> int:
        """Place of an inventory in a country's order, 0 the most trusted; unknown inventories come last."""
        own = (each.inventories for each in self.country_order if each.country == country)
        orders = (*next(own, ()), *self.order)
        return orders.index(source) if source in orders else len(orders)

    def attribute_rank(self, order: tuple[str, ...], source: str, country: str) -> int:
        """Place of an inventory in an attribute's own order; those that it leaves out follow as they rank."""
        return order.index(source) if source in order else len(order) + self.rank(source, country)

    def as_of_ns(self) -> int:
        """The day, UTC ns."""
        return int(np.datetime64(self.as_of, "ns").astype(np.int64))


@dataclass(frozen=True)
class Harmonised:
    """One plant table in the making.

    Attributes:
        rows: listed plants: source, namespace, source_id, name, country, lat, lon, capacity_mw, fuel, data_tier,
            root, rank, location_rank, name_rank.
        plants: one row a plant, by root: name, country, lat, lon, source, location_source, name_source, source_ids,
            data_tier, plant_id (empty where it has no place and so is set aside).
        crosswalk: schema `CROSSWALK`, plants only, the rows given first.
        joins: how rows became plants.
    """

    rows: pd.DataFrame
    plants: pd.DataFrame
    crosswalk: pa.Table
    joins: Joins


def harmonised(listings: Sequence[Listing], rules: InventoryMergeRules, crosswalk: pa.Table) -> Harmonised:
    """Clusters of listed plants, what each is called and where it stands, and its id."""
    rows = listed_rows(listings, rules)
    links = sorted({tuple(row.values()) for part in listings for row in part.links.to_pylist()})
    minted = minted_ids(crosswalk, "plant")
    joins = joined(rows, links, minted, rules.identity)
    rows = _ranked(rows.assign(root=joins.cluster), rules)
    plants = _kept(rows)
    plants["plant_id"] = _plant_ids(rows, plants, minted)
    return Harmonised(rows, plants, grown(crosswalk, _plant_entries(rows, plants)), joins)


def listed_rows(listings: Sequence[Listing], rules: InventoryMergeRules) -> pd.DataFrame:
    """Every listed plant once, the most trusted inventory first, then by id: not by the order of the files."""
    parts = [
        part.plants.to_pandas().assign(source=part.source, namespace=part.namespace)
        for part in listings
        if part.plants.num_rows
    ]
    columns = ["source_id", "name", "country", "lat", "lon", "capacity_mw", "primary_fuel"]
    empty = pd.DataFrame(columns=[*columns, "source", "namespace", "data_tier"])
    rows = pd.concat(parts, ignore_index=True) if parts else empty
    place = rows["source"].map(lambda source: rules.rank(source, ""))
    ordered = rows.assign(place=place).sort_values(["place", "source", "source_id"], kind="stable")
    once = ordered.drop_duplicates(["source", "source_id"]).reset_index(drop=True)
    return once.drop(columns="place").rename(columns={"primary_fuel": "fuel"})


def minted_ids(crosswalk: pa.Table, entity: str) -> dict[Node, str]:
    """(namespace, id) -> minted id."""
    rows = (row for row in crosswalk.to_pylist() if row["entity"] == entity)
    return {(row["source"], row["source_id"]): row["minted_id"] for row in rows}


def grown(crosswalk: pa.Table, entries: Sequence[Mapping[str, str]]) -> pa.Table:
    """The crosswalk with new rows after the old ones, which stay as they are."""
    known = {(row["entity"], row["source"], row["source_id"]) for row in crosswalk.to_pylist()}
    new = {(row["entity"], row["source"], row["source_id"]): row for row in entries}
    fresh = [dict(new[key]) for key in sorted(new) if key not in known]
    added = pa.Table.from_pylist(fresh, schema=plant_tables.CROSSWALK)
    return pa.concat_tables([crosswalk.cast(plant_tables.CROSSWALK), added]).combine_chunks()


def next_number(ids: Sequence[str]) -> int:
    """The first number that no minted id has."""
    return 1 + max((int(minted[1:]) for minted in ids), default=0)


def _ranked(rows: pd.DataFrame, rules: InventoryMergeRules) -> pd.DataFrame:
    """Rows with the trust in them: in general, for coordinates, for names; 0 is the most."""
    country = rows["root"].map(rows.groupby("root")["country"].first())  # rows stand in the order of trust
    pairs = list(zip(rows["source"], country, strict=True))
    known = {
        (source, where): (
            rules.rank(source, where),
            rules.attribute_rank(rules.location_order, source, where),
            rules.attribute_rank(rules.name_order, source, where),
        )
        for source, where in set(pairs)
    }
    ranks = np.array([known[pair] for pair in pairs], np.int64).reshape(-1, 3)
    return rows.assign(rank=ranks[:, 0], location_rank=ranks[:, 1], name_rank=ranks[:, 2])


def _kept(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a cluster: country of the most trusted row, place and name of those trusted for them."""
    trusted = rows.sort_values("rank", kind="stable")
    named = rows[rows["name"] != ""].sort_values("name_rank", kind="stable").drop_duplicates("root").set_index("root")
    first = trusted.drop_duplicates("root").set_index("root").sort_index()
    placed = rows[rows["lat"].notna()].sort_values("location_rank", kind="stable").drop_duplicates("root")
    place = placed.set_index("root")[["lat", "lon", "source"]].rename(columns={"source": "location_source"})
    plants = first[["country", "source", "data_tier"]].join(place)
    names = named[["name", "source"]].reindex(plants.index).fillna("")
    return plants.assign(
        name=names["name"], name_source=names["source"], source_ids=_ids_json(rows, plants.index.tolist())
    )


def _ids_json(rows: pd.DataFrame, roots: list[int]) -> list[str]:
    """JSON of namespace -> ids for each cluster, sorted."""
    known: dict[int, dict[str, list[str]]] = {root: {} for root in roots}
    for namespace, own, root in sorted(set(zip(rows["namespace"], rows["source_id"], rows["root"], strict=True))):
        known[root].setdefault(namespace, []).append(own)
    return [json.dumps(known[root], ensure_ascii=False, separators=(",", ":")) for root in roots]


def _plant_ids(rows: pd.DataFrame, plants: pd.DataFrame, minted: Mapping[Node, str]) -> list[str]:
    """Ids of earlier runs, and new ones in the order of trust; none for a plant without a place."""
    known: dict[int, str] = {}
    for root, node in zip(rows["root"], zip(rows["namespace"], rows["source_id"], strict=True), strict=True):
        if node in minted:
            known.setdefault(int(root), minted[node])
    number = next_number(list(minted.values()))
    ids = []
    for root, placed in zip(plants.index, plants["lat"].notna(), strict=True):
        if placed and int(root) not in known:
            known[int(root)] = PLANT_ID.format(number)
            number += 1
        ids.append(known[int(root)] if placed else "")
    return ids


def _plant_entries(rows: pd.DataFrame, plants: pd.DataFrame) -> list[dict[str, Any]]:
    ids = rows["root"].map(plants["plant_id"])
    return [
        {"entity": "plant", "source": namespace, "source_id": own, "minted_id": minted}
        for namespace, own, minted in zip(rows["namespace"], rows["source_id"], ids, strict=True)
        if minted
    ]

"""Merges the listings of many inventories into one, assigns its plants to folds, and encodes it.

Sources: appendix A.1 of the plume paper; SCIENCE 4.7 (folds). Reading is the business of `io.inventory.readers`; here
listings come in and one `Inventory` goes out, the same for the same listings in any order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from carbonray.contract import Encoded
from carbonray.io import table_store
from carbonray.io.inventory import store
from carbonray.io.inventory.conflicts import inventory_conflicts
from carbonray.io.inventory.harmonise import Harmonised, InventoryMergeRules, harmonised
from carbonray.io.inventory.listing import Listing, as_table
from carbonray.io.inventory.matching import FIRED, fuel_group
from carbonray.io.inventory.placing import placed_structures
from carbonray.io.inventory.store import Inventory
from carbonray.io.inventory.units import cooling_said, plant_units
from carbonray.science.spatial.folds import Block, FoldRules, Folds, assigned_folds
from carbonray.vocab import plant_tables

NO_FOLD = -1
FOLD_BLOCKS = "fold_blocks.parquet"
LEAST_SCORED_MW = 50.0  # SCIENCE 4.4: the least capacity of a plant at inference


def merged_inventory(
    listings: Sequence[Listing],
    structures: Sequence[Listing] = (),
    rules: InventoryMergeRules | None = None,
    crosswalk: pa.Table | None = None,
) -> Inventory:
    """One inventory of several: every plant once, every contradiction and every row left out listed.

    Args:
        listings: inventories of plants, and tables of links alone, in any order.
        structures: annotated towers and stacks.
        rules: whose word counts.
        crosswalk: ids minted by earlier runs (schema `CROSSWALK`), which stay as they are.
    """
    rules = rules or InventoryMergeRules()
    earlier = plant_tables.CROSSWALK.empty_table() if crosswalk is None else crosswalk
    found = harmonised(listings, rules, earlier)
    units, grown, totals = plant_units(listings, found, rules)
    conflicts = inventory_conflicts(found, totals, cooling_said(listings, found), rules)
    plants = _plants(found, totals.to_dict("series"))
    placed, lost = placed_structures([*listings, *structures], plants, grown, rules)
    findings = [part.findings for part in (*listings, *structures)]
    told = pa.concat_tables([plant_tables.INVENTORY_FINDINGS.empty_table(), *findings, lost, _placeless(found)])
    return Inventory(plants, units, placed, conflicts, grown, told)


def with_folds(
    inventory: Inventory,
    blocks: pa.Table | None = None,
    weight: ArrayLike | None = None,
    rules: FoldRules | None = None,
) -> tuple[Inventory, pa.Table, Folds]:
    """The inventory with a fold for every plant, the blocks (schema `FOLD_BLOCKS`), and what growth had to split.

    Args:
        inventory: plants, in the order of `inventory.plants`.
        blocks: blocks assigned by earlier runs, which keep their folds.
        weight: (plant,) what is balanced, such as images; by default 1 for every plant that may be scored: one that
            burns something and has `LEAST_SCORED_MW`. Thousands of solar parks would tie whole countries together.
        rules: distances and weights.
    """
    plants = inventory.plants
    lat, lon = (plants.column(name).to_numpy() for name in ("lat", "lon"))
    country = np.asarray(plants.column("country").to_pylist(), dtype=str)
    given = _blocks(blocks if blocks is not None else plant_tables.FOLD_BLOCKS.empty_table())
    weights = _may_be_scored(plants) if weight is None else weight
    folds = assigned_folds(lat, lon, weights, country, rules, given)
    index = plants.schema.get_field_index("fold")
    column = pa.array(folds.fold, type=pa.int8())
    return replace(inventory, plants=plants.set_column(index, plants.schema.field(index), column)), _table(folds), folds


def encode_inventory(inventory: Inventory, blocks: pa.Table, facts: Mapping[str, Any]) -> Encoded:
    """The inventory's objects and the fold of every block, the same bytes for the same rows."""
    objects = store.encoded(inventory)
    objects[FOLD_BLOCKS] = table_store.encode_table(blocks, ("block_lat", "block_lon"))
    return Encoded(objects, facts)


def _plants(found: Harmonised, totals: Mapping[Any, Any]) -> pa.Table:
    """Plants that have a place, by id."""
    frame = found.plants.assign(**{name: totals[name] for name in ("capacity_mw", "primary_fuel")})
    placed = frame[frame["plant_id"] != ""].assign(fold=NO_FOLD).sort_values("plant_id", kind="stable")
    return as_table(placed, plant_tables.PLANTS)


def _placeless(found: Harmonised) -> pa.Table:
    """Rows of plants that no inventory gives coordinates."""
    rows = found.rows[(found.rows["root"].map(found.plants["plant_id"]) == "").to_numpy(bool)]
    findings = [
        {
            "entity": "plant",
            "source": source,
            "source_id": own,
            "kind": "quarantined",
            "attribute": "location",
            "reason": "no inventory gives its coordinates",
        }
        for source, own in zip(rows["source"], rows["source_id"], strict=True)
    ]
    return pa.Table.from_pylist(findings, schema=plant_tables.INVENTORY_FINDINGS)


def _may_be_scored(plants: pa.Table) -> NDArray[np.float64]:
    """(plant,) 1 where the plant products may want the plant, else 0."""
    burns = [fuel_group(fuel) == FIRED for fuel in plants.column("primary_fuel").to_pylist()]
    large: NDArray[np.bool_] = plants.column("capacity_mw").to_numpy() >= LEAST_SCORED_MW
    return np.where(np.array(burns, bool) & large, 1.0, 0.0)


def _blocks(table: pa.Table) -> dict[Block, int]:
    columns = (table.column(name).to_pylist() for name in plant_tables.FOLD_BLOCKS.names)
    return {(south, west): fold for south, west, fold in zip(*columns, strict=True)}


def _table(folds: Folds) -> pa.Table:
    rows = [(south, west, fold) for (south, west), fold in sorted(folds.blocks.items())]
    columns = [[row[index] for row in rows] for index in range(3)]
    return pa.table(columns, schema=plant_tables.FOLD_BLOCKS)

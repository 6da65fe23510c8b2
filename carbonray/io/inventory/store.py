"""The inventory in a run's folder: one row a plant with its units and structures nested, and its side tables.

Source: `vocab.plant_tables.INVENTORY`. Tables are sorted by id, so that the same plants are the same bytes.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.errors import DataError
from carbonray.io import objectstore, table_store
from carbonray.io.inventory.listing import LINKS, LISTED_PLANTS, LISTED_STRUCTURES, LISTED_UNITS, Listing
from carbonray.vocab import plant_tables

INVENTORY = "inventory.parquet"
CONFLICTS = "inventory_conflicts.parquet"
FINDINGS = "inventory_findings.parquet"
CROSSWALK = "inventory_crosswalk.parquet"


@dataclass(frozen=True)
class Inventory:
    """Plants, units and structures with everything that was not taken as it came.

    Attributes:
        plants: schema `PLANTS`, by id.
        units: schema `UNITS`, by plant and unit.
        structures: schema `STRUCTURES`, by plant and structure.
        conflicts: schema `INVENTORY_CONFLICTS`.
        crosswalk: schema `CROSSWALK`; rows of earlier runs first.
        quarantined: schema `INVENTORY_FINDINGS`: rows left out, values unset, doubts kept.
    """

    plants: pa.Table
    units: pa.Table
    structures: pa.Table
    conflicts: pa.Table
    crosswalk: pa.Table
    quarantined: pa.Table


def nested(inventory: Inventory) -> pa.Table:
    """One row a plant, schema `INVENTORY`."""
    plants = inventory.plants.sort_by("plant_id").combine_chunks()
    ids = plants.column("plant_id")
    columns = [
        *plants.columns,
        _lists(inventory.units, "unit_id", ids, plant_tables.INVENTORY.field("units")),
        _lists(inventory.structures, "structure_id", ids, plant_tables.INVENTORY.field("structures")),
    ]
    return pa.Table.from_arrays(columns, schema=plant_tables.INVENTORY)


def flat(table: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Plants, units and structures of nested rows."""
    plants = pa.Table.from_arrays(
        [table.column(name) for name in plant_tables.PLANTS.names], schema=plant_tables.PLANTS
    )
    return plants, _rows(table, "units", plant_tables.UNITS), _rows(table, "structures", plant_tables.STRUCTURES)


def encoded(inventory: Inventory) -> dict[str, bytes]:
    """The four objects of an inventory by name, the same bytes for the same inventory."""
    conflict_keys = ("plant_id", "attribute", "other_source", "other_value")
    return {
        INVENTORY: table_store.encode_table(nested(inventory), ("plant_id",)),
        CONFLICTS: table_store.encode_table(inventory.conflicts, conflict_keys),
        FINDINGS: table_store.encode_table(inventory.quarantined, ("source", "entity", "source_id", "attribute")),
        CROSSWALK: table_store.encode_table(inventory.crosswalk, ("minted_id", "source", "source_id")),
    }


def read_inventory(url: str) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Plants, units and structures of a stored `inventory.parquet`.

    Raises:
        ContractError: the columns are not the declared ones.
        DataError: the file is no Parquet table, or holds a plant twice.
        TransportError: it could not be moved.
    """
    table = table_store.decode_table(objectstore.read_bytes(url), plant_tables.INVENTORY)
    ids = table.column("plant_id")
    if len(pc.unique(ids)) < table.num_rows:
        raise DataError(
            "a plant appears twice",
            where=url,
            expected=f"{table.num_rows} different ids, found {len(pc.unique(ids))}",
            remedy="Merge the inventory again; ids are never shared.",
        )
    return flat(table)


def read_crosswalk(url: str) -> pa.Table:
    """The crosswalk of an earlier run; empty where there is none yet.

    Raises:
        ContractError: the columns are not the declared ones.
        DataError: the file is no Parquet table.
        TransportError: it could not be moved.
    """
    if not url or not objectstore.exists(url):
        return plant_tables.CROSSWALK.empty_table()
    return table_store.decode_table(objectstore.read_bytes(url), plant_tables.CROSSWALK)


def read_own(url: str) -> Listing:
    """A stored inventory as a listing, so that one run's plants can be merged with other inventories.

    Raises:
        ContractError: the columns are not the declared ones.
        DataError: the file is no Parquet table, or holds a plant twice.
        TransportError: it could not be moved.
    """
    plants, units, structures = read_inventory(url)
    return Listing(
        source="carbonray",
        namespace="carbonray",
        plants=_renamed(plants, {"source_id": "plant_id"}, LISTED_PLANTS),
        units=_renamed(
            units.append_column("efficiency", pa.array(np.full(units.num_rows, np.nan))),
            {"source_id": "plant_id", "unit_source_id": "unit_id"},
            LISTED_UNITS,
        ),
        structures=_renamed(
            structures.append_column("plant_ref", pc.binary_join_element_wise("carbonray", _ids(structures), ":")),
            {},
            LISTED_STRUCTURES,
        ),
        links=LINKS.empty_table(),
        findings=plant_tables.INVENTORY_FINDINGS.empty_table(),
    )


def _ids(table: pa.Table) -> pa.Array:
    return table.column("plant_id").combine_chunks()


def _renamed(table: pa.Table, names: dict[str, str], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays([table.column(names.get(name, name)) for name in schema.names], schema=schema)


def _lists(rows: pa.Table, key: str, ids: pa.ChunkedArray, field: pa.Field) -> pa.Array:
    """The rows of each plant as a list, in the order of `ids`."""
    ordered = rows.sort_by([("plant_id", "ascending"), (key, "ascending")]).combine_chunks()
    owner = pc.index_in(ordered.column("plant_id"), value_set=ids.combine_chunks())
    counts = np.bincount(owner.to_numpy(), minlength=len(ids))
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    items = list(field.type.value_type)
    columns = [ordered.column(item.name).combine_chunks() for item in items]
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=items)).cast(field.type)


def _rows(table: pa.Table, name: str, schema: pa.Schema) -> pa.Table:
    """A nested column as a table again."""
    lists = table.column(name).combine_chunks()
    owner = table.column("plant_id").take(pc.list_parent_indices(lists))
    items = lists.flatten()
    columns = [owner if field.name == "plant_id" else pc.struct_field(items, field.name) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)

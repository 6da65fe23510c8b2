"""Reads every file of inventories and structures, merges them and assigns folds: one small unit of the ingest."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Reading, Unit, object_rows
from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.inventory.harmonise import InventoryMergeRules
from carbonray.io.inventory.listing import Listing
from carbonray.io.inventory.readers import read_listing
from carbonray.io.inventory.store import CROSSWALK, read_crosswalk
from carbonray.io.reported.linking import LINKS
from carbonray.io.table_store import decode_table, encode_table
from carbonray.science.spatial.folds import FoldRules
from carbonray.stages.inventory import FOLD_BLOCKS, encode_inventory, merged_inventory, with_folds
from carbonray.vocab import plant_tables

KNOWN_IDS = "inventory_ids.parquet"


@dataclass(frozen=True)
class MergeInventories:
    """Reader of inventories and annotations, in any order; its rows are the merged inventory's ready objects.

    Attributes:
        rules: whose word counts.
        folds: how blocks are dealt.
        earlier_url: folder of an earlier run, whose ids and folds stay as they are; empty for none.
    """

    rules: InventoryMergeRules
    folds: FoldRules
    earlier_url: str

    def __call__(self, unit: Unit) -> Reading:
        """`inventory.parquet` and its side tables.

        A file that cannot be read is set aside with its reason, and the others are merged.

        Raises:
            DataError: no file can be read.
            TransportError: one could not be moved.
        """
        listings, broken = _read(unit.inputs)
        merged = merged_inventory(listings, (), self.rules, read_crosswalk(self._earlier(CROSSWALK)))
        inventory, blocks, folds = with_folds(merged, self._blocks(), rules=self.folds)
        found = inventory.quarantined.to_pylist()
        aside = Counter(f"{row['source']}: {row['attribute']}" for row in found if row["kind"] == "quarantined")
        listed = sum(part.plants.num_rows + part.units.num_rows + part.structures.num_rows for part in listings)
        facts = {
            "plants": inventory.plants.num_rows,
            "units": inventory.units.num_rows,
            "structures": inventory.structures.num_rows,
            "conflicts": inventory.conflicts.num_rows,
            "close pairs across folds": len(folds.split_pairs),
            "data_tier": ", ".join(sorted(pc.unique(inventory.plants.column("data_tier")).to_pylist())),
        }
        objects = dict(encode_inventory(inventory, blocks, facts).objects)
        objects[KNOWN_IDS] = encode_table(known_ids(listings, inventory.crosswalk), tuple(LINKS.names))
        reasons = dict(aside) | broken
        lost = sum(reasons.values())
        account = {"read": listed + lost, "kept": listed, "quarantined": lost}
        return Reading(object_rows(objects), account, reasons, facts)

    def _blocks(self) -> pa.Table:
        url = self._earlier(FOLD_BLOCKS)
        if not url or not objectstore.exists(url):
            return plant_tables.FOLD_BLOCKS.empty_table()
        return decode_table(objectstore.read_bytes(url), plant_tables.FOLD_BLOCKS)

    def _earlier(self, name: str) -> str:
        return objectstore.join(self.earlier_url, name) if self.earlier_url else ""


def known_ids(listings: Sequence[Listing], crosswalk: pa.Table) -> pa.Table:
    """Every id that any inventory gives a plant or one of its units, with the plant; schema `linking.LINKS`.

    Units of inventories that others outrank are among them: who reports may count in their ids.
    """
    minted = {(r["source"], r["source_id"]): r["minted_id"] for r in crosswalk.to_pylist() if r["entity"] == "plant"}
    found = dict(minted)
    for part in listings:
        pairs = zip(*(part.units.column(name).to_pylist() for name in ("source_id", "unit_source_id")), strict=True)
        for plant, own in pairs:
            if (part.namespace, plant) in minted:  # a plant's id outweighs a unit's
                found.setdefault((part.namespace, own), minted[part.namespace, plant])
    rows = [{"source": source, "source_id": own, "plant_id": plant} for (source, own), plant in sorted(found.items())]
    return pa.Table.from_pylist(rows, schema=LINKS)


def _read(urls: Sequence[str]) -> tuple[list[Listing], dict[str, int]]:
    """What could be read, and why the other files could not."""
    listings, broken = [], {}
    for url in urls:
        try:
            listings.append(read_listing(url))
        except DataError as error:
            broken[str(error)] = 1
    if not listings:
        raise DataError(
            "no inventory can be read: " + "; ".join(broken),
            where="inputs.inventory, inputs.structures",
            expected="at least one inventory of a known layout",
            remedy="Repair the files named.",
        )
    return listings, broken

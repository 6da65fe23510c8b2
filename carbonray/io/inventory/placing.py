"""Which plant each annotated tower or stack belongs to: the one it names, else the nearest that burns something.

Source: appendix A.2 of the plume paper (towers and stacks are mapped to plants). A wind or solar farm beside a tower
does not own it. Positions are degrees WGS84.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from carbonray.io.inventory.harmonise import InventoryMergeRules, minted_ids
from carbonray.io.inventory.listing import Listing, as_table, findings_table
from carbonray.io.inventory.matching import FIRED, fuel_group, neighbours
from carbonray.vocab import plant_tables

# what may stand under a tower; plants of unknown fuel too
_OWNERS = (FIRED, "nuclear", "geothermal", "")


def placed_structures(
    listings: Sequence[Listing], plants: pa.Table, crosswalk: pa.Table, rules: InventoryMergeRules
) -> tuple[pa.Table, pa.Table]:
    """Structures (schema `STRUCTURES`, sorted) and findings for those that no plant answers for.

    Args:
        listings: structures with their `plant_ref`, as `namespace:id` or a minted id.
        plants: schema `PLANTS`.
        crosswalk: schema `CROSSWALK`.
        rules: how far a structure may stand from its plant.
    """
    parts = [part.structures.to_pandas().assign(source=part.source) for part in listings if part.structures.num_rows]
    if not parts:
        return plant_tables.STRUCTURES.empty_table(), findings_table("structures", [])
    found = pd.concat(parts, ignore_index=True).drop_duplicates("structure_id")
    owner = _named(found, plants, crosswalk)
    free = (owner == "") & (found["plant_ref"] == "")
    owner = owner.where(~free, _nearest(found, plants, rules.structure_km))
    reason = np.where(
        found["plant_ref"] != "",
        "names plant '" + found["plant_ref"] + "', which is not in the inventory",
        f"no plant that burns something within {rules.structure_km:g} km",
    )
    lost = owner == ""
    findings = [
        {"entity": "structure", "source_id": own, "kind": "quarantined", "attribute": "plant_id", "reason": why}
        for own, why in zip(found["structure_id"][lost], reason[lost], strict=True)
    ]
    kept = found.assign(plant_id=owner)[~lost].sort_values(["plant_id", "structure_id"], kind="stable")
    return as_table(kept, plant_tables.STRUCTURES), findings_table("structures", findings)


def _named(found: pd.DataFrame, plants: pa.Table, crosswalk: pa.Table) -> "pd.Series[str]":
    """The plant that each annotation names; empty where it names none, or none that is known."""
    known = {f"{source}:{own}": minted for (source, own), minted in minted_ids(crosswalk, "plant").items()}
    known |= {minted: minted for minted in plants.column("plant_id").to_pylist()}
    return found["plant_ref"].map(lambda ref: known.get(ref, ""))


def _nearest(found: pd.DataFrame, plants: pa.Table, radius_km: float) -> "pd.Series[str]":
    """The nearest plant that may own a tower, empty where there is none within the radius."""
    frame = plants.select(["plant_id", "lat", "lon", "primary_fuel"]).to_pandas()
    owners = frame[frame["primary_fuel"].map(fuel_group).isin(_OWNERS)].reset_index(drop=True)
    i, j, km = neighbours(found, owners, radius_km)
    order = np.lexsort((owners["plant_id"].to_numpy()[j].astype(str), km))
    pairs = pd.DataFrame({"structure": i[order], "plant": j[order]}).drop_duplicates("structure")
    nearest = pd.Series("", index=found.index, dtype="object")
    nearest.iloc[pairs["structure"].to_numpy()] = owners["plant_id"].to_numpy()[pairs["plant"].to_numpy()]
    return nearest

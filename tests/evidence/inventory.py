"""Merges every inventory file at hand and writes down what comes of it, beside what others count.

`python -m tests.evidence.inventory --data ../shared/data --out docs/evidence/inventory` merges the files under
`plants`, judges the matching against links that it did not see, joins the on/off labels, and sets CO2 of US plants
beside eGRID's.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from carbonray.errors import DataError
from carbonray.io.inventory.harmonise import InventoryMergeRules
from carbonray.io.inventory.listing import Listing
from carbonray.io.inventory.matching import FIRED, fuel_group
from carbonray.io.inventory.readers import read_listing
from carbonray.io.inventory.store import Inventory
from carbonray.stages.inventory import LEAST_SCORED_MW, encode_inventory, merged_inventory, with_folds
from tests.evidence import inventory_counts, inventory_emissions, inventory_page
from tests.evidence.inventory_labels import LABELS, distances_by_source, labelled_plants
from tests.evidence.inventory_matching import TRIALS, judged

LISTED_ROWS = 150  # of the long tables, the largest plants only: the whole is in the run's folder


def main() -> None:
    """Parses the command line and writes the page and its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    write(flags.data, flags.out)


def write(data: Path, out: Path) -> None:
    """Reads, merges, judges, and writes README.md and the CSV files."""
    listings, refused = read_all(data)
    rules = InventoryMergeRules()
    inventory, blocks, folds = with_folds(merged_inventory(listings, (), rules))
    objects = encode_inventory(inventory, blocks, {}).objects
    trials = [judged(listings, trial, rules) for trial in TRIALS]
    emissions, emission_facts = inventory_emissions.us_emissions(data, inventory, listings)
    summary = pd.read_csv(data / "plants/gppd/country_summary_v1.3.csv")
    tables = {
        "countries": inventory_counts.by_country(inventory, listings, summary),
        "fuels": inventory_counts.by_fuel(inventory, summary),
        "sources": inventory_counts.by_source(inventory, listings),
        "findings": inventory_counts.findings(inventory),
        "conflicts": inventory_counts.conflicts(inventory),
        "largest_conflicts": inventory_counts.largest_conflicts(inventory, LISTED_ROWS),
        "possible_duplicates": inventory_counts.possible_duplicates(inventory),
        "matching": pd.DataFrame([trial.row for trial in trials]),
        "disputed_matches": _disputed(trials),
        "labelled_plants": labelled_plants(data, inventory),
        "label_distances": distances_by_source(data, listings, rules),
        "us_co2_by_fuel": inventory_emissions.by_fuel(emissions),
        "us_co2_largest_errors": _largest_errors(emissions),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.head(LISTED_ROWS if name == "possible_duplicates" else len(table)).to_csv(
            out / f"{name}.csv", index=False, lineterminator="\n"
        )
    facts = {
        "inputs": hashes(data),
        "refused": refused,
        "objects": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(objects.items())},
        "folds": {
            "blocks": blocks.num_rows,
            "split_pairs": len(folds.split_pairs),
            "plants": _fold_sizes(inventory, 0.0),
            "scored": _fold_sizes(inventory, LEAST_SCORED_MW),
        },
        "emissions": emission_facts,
        "rows": {name: getattr(inventory, name).num_rows for name in ("plants", "units", "conflicts", "quarantined")},
    }
    (out / "README.md").write_text(inventory_page.readme(facts, tables), encoding="utf-8")


def read_all(data: Path) -> tuple[list[Listing], list[tuple[str, str]]]:
    """A listing of every file that some reader knows, and the others with the reason."""
    listings, refused = [], []
    for path in sorted((data / "plants").rglob("*.*")):
        try:
            listings.append(read_listing(str(path)))
        except DataError as error:
            refused.append((str(path.relative_to(data)), error.what))
    return listings, refused


def hashes(data: Path) -> dict[str, str]:
    """sha256 of every file that the page depends on."""
    files = [*sorted((data / "plants").rglob("*.*")), data / LABELS]
    files += [data / inventory_emissions.EGRID, data / inventory_emissions.REPORTED]
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _disputed(trials: list[Any]) -> pd.DataFrame:
    parts = [t.disputed.assign(first=t.row["first"], second=t.row["second"]) for t in trials if len(t.disputed)]
    table = pd.concat(parts).drop(columns=["right", "linked"])
    return table.sort_values(["first", "second", "both_linked", "km"], ascending=[True, True, False, True])


def _largest_errors(emissions: pd.DataFrame) -> pd.DataFrame:
    known = emissions[emissions["factor"].notna()]
    error = (known["estimated_mt"] - known["reported_mt"]).rename("error_mt")
    table = known.join(error).reindex(error.abs().sort_values(ascending=False).index).head(25).round(4)
    columns = [
        "name",
        "egrid_fuel",
        "capacity_mw",
        "generation_mwh",
        "factor",
        "estimated_mt",
        "reported_mt",
        "error_mt",
    ]
    return table[columns].reset_index(names="plant_id")


def _fold_sizes(inventory: Inventory, least_mw: float) -> list[int]:
    """Plants by fold: all, or of some size those that burn something."""
    plants = inventory.plants.to_pandas()
    burns = (plants["primary_fuel"].map(fuel_group) == FIRED) & (plants["capacity_mw"] >= least_mw)
    chosen = plants[burns] if least_mw > 0 else plants
    return [int((chosen["fold"] == number).sum()) for number in range(4)]


if __name__ == "__main__":
    main()

"""Sets the yearly share of real on labels beside the capacity factor that the same plant reported for the year.

`python -m tests.evidence.on_fraction --data ../shared/data --out docs/evidence/on-fraction` joins the on/off labels to
the merged inventory, takes the generation that the Global Power Plant Database says was reported (never what it
estimated) by the inventory's ids, and scores the pairs of plant-years.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from carbonray.io.inventory.files import read_frame
from carbonray.io.reported.readers import read_reported
from carbonray.science.power.capacity_factor import capacity_factor, hours_in_year
from carbonray.stages.inventory import merged_inventory
from tests.evidence import on_fraction_page
from tests.evidence.inventory import read_all
from tests.evidence.labels import FILES, LABELS, placed_labels, sha256
from tests.evidence.on_fraction_scores import OnFractionRules, scores

EDITIONS = "plants/gppd/database_*.csv"
REPORTED = "generation_gwh_"  # the year follows; the column of estimates has another name
MWH_PER_GWH = 1000.0
WRI_YEAR = 2014
USED, KEEPS_ZEROS = "used", ("used", "exactly zero")
DIGITS = 4


def main() -> None:
    """Parses the command line and writes the page, its tables and its figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    write(flags.data, flags.out, OnFractionRules())


def write(data: Path, out: Path, rules: OnFractionRules) -> None:
    """Reads everything and writes README.md, the CSV files and the figure."""
    inventory = merged_inventory(read_all(data)[0])
    _, placed, plants = placed_labels(data, inventory)
    files = sorted(data.glob(EDITIONS))
    reported = reported_years(files)
    years = judged_years(label_years(placed.labels.to_pandas()), plants.to_pandas(), reported, rules)
    used = years[years["verdict"] == USED]
    cases = {
        "all": used,
        "USA": used[used["country"] == "USA"],
        "with zeros": years[years["verdict"].isin(KEEPS_ZEROS)],
    }
    tables = {
        "plant_years": years.round(DIGITS),
        "scores": pd.concat([scores(rows, rules).assign(case=case) for case, rows in cases.items()]).round(DIGITS),
        "plants": by_plant(years),
        "zeros": zeros_of_2014(reported, data / FILES["wri"]),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
    inventories = (path for path in (data / "plants").rglob("*.*") if path.is_file())
    inputs = sorted({*inventories, data / LABELS, data / FILES["wri"]})
    hashes = {str(path.relative_to(data)): sha256(path) for path in inputs}
    on_fraction_page.draw(used, rules, out / "scatter.svg")
    (out / "README.md").write_text(on_fraction_page.readme(hashes, tables, rules), encoding="utf-8")


def label_years(labels: pd.DataFrame) -> pd.DataFrame:
    """Labels and the share of them that is on, by plant and UTC year; an image counts once, whatever it shows.

    Args:
        labels: schema `LABELS`.
    """
    once = labels.drop_duplicates(["plant_id", "time_utc_ns"])
    year = pd.to_datetime(once["time_utc_ns"], utc=True).dt.year
    groups = once.assign(year=year).groupby(["plant_id", "year"])["on"]
    return groups.agg(labels="size", on_fraction="mean").reset_index()


def reported_years(files: Sequence[Path]) -> pd.DataFrame:
    """Every GPPD row and year: its id, fuel, edition, capacity and reported generation, NaN where nothing is said."""
    parts = []
    for path in files:
        rows = read_frame(str(path)).rename(columns={"fuel1": "primary_fuel"})
        columns = [name for name in rows if name.startswith(REPORTED)]
        long = rows.melt(["gppd_idnr", "primary_fuel", "capacity_mw"], columns, "year", "generation")
        year = long["year"].str.removeprefix(REPORTED).astype(int)
        parts.append(long.assign(year=year, edition=path.stem.removeprefix("database_")))
    every = pd.concat(parts, ignore_index=True)
    return pd.DataFrame(
        {
            "gppd_id": every["gppd_idnr"],
            "fuel": every["primary_fuel"],
            "edition": every["edition"],
            "year": every["year"],
            "capacity_mw": pd.to_numeric(every["capacity_mw"]),
            "generation_mwh": pd.to_numeric(every["generation"]) * MWH_PER_GWH,
        }
    )


def judged_years(
    labelled: pd.DataFrame, plants: pd.DataFrame, reported: pd.DataFrame, rules: OnFractionRules
) -> pd.DataFrame:
    """One row a labelled plant-year: what was reported for it, and whether the pair counts or why not.

    Args:
        labelled: of `label_years`.
        plants: schema `PLANTS`.
        reported: of `reported_years`.
        rules: what cannot be.
    """
    ids = plants["source_ids"].map(lambda text: json.loads(text).get("gppd", []))
    links = plants[["plant_id", "name", "country"]].assign(gppd_id=ids).explode("gppd_id")
    found = links.merge(reported, on="gppd_id", how="inner")
    coal = found[found["fuel"] == "Coal"].groupby(["plant_id", "year"], as_index=False)
    sums = coal.agg(
        edition=("edition", "first"),
        capacity_mw=("capacity_mw", "sum"),
        generation_mwh=("generation_mwh", lambda rows: rows.sum(skipna=False)),
    )
    rows = labelled.merge(plants[["plant_id", "name", "country"]], on="plant_id").merge(
        sums, on=["plant_id", "year"], how="left"
    )
    rows["capacity_factor"] = capacity_factor(
        rows["generation_mwh"], rows["capacity_mw"], hours_in_year(rows["year"].to_numpy())
    )
    in_gppd, burns = set(found["plant_id"]), set(sums["plant_id"])
    rules_of = (
        (~rows["plant_id"].isin(in_gppd), "no row in GPPD"),
        (~rows["plant_id"].isin(burns), "no coal in GPPD"),
        (rows["capacity_factor"].isna(), "nothing reported"),
        (rows["generation_mwh"] == 0, "exactly zero"),
        (rows["capacity_factor"] < 0, "negative"),
        (rows["capacity_factor"] > rules.max_capacity_factor, "beyond capacity"),
    )
    verdict = np.select([rule.to_numpy() for rule, _ in rules_of], [why for _, why in rules_of], USED)
    first = ["plant_id", "name", "country", "year", "labels", "on_fraction", "capacity_factor", "verdict"]
    return rows.assign(verdict=verdict)[[*first, "generation_mwh", "capacity_mw", "edition"]]


def by_plant(years: pd.DataFrame) -> pd.DataFrame:
    """Labels of each plant, in which years they are, how many of them count, and what keeps the others out."""
    rows = []
    for (plant, name, country), group in years.groupby(["plant_id", "name", "country"]):
        used = group[group["verdict"] == USED]
        lost = group[group["verdict"] != USED].groupby("verdict")["year"].agg(lambda found: ", ".join(map(str, found)))
        rows.append(
            {
                "plant_id": plant,
                "name": name,
                "country": country,
                "labels": int(group["labels"].sum()),
                "a_year": ", ".join(
                    f"{year}: {count}" for year, count in zip(used["year"], used["labels"], strict=True)
                ),
                "labels_used": int(used["labels"].sum()),
                "left_out": "; ".join(f"{why} ({found})" for why, found in lost.items()),
            }
        )
    return pd.DataFrame(rows)


def zeros_of_2014(reported: pd.DataFrame, wri: Path) -> pd.DataFrame:
    """US coal rows of GPPD by what they say of 2014, beside the same plants in WRI's own collection of that year."""
    reading = read_reported("wri", str(wri)).reported.to_pandas()
    own = reading.groupby("source_id")["generation_mwh"].sum()
    rows = reported[(reported["edition"] == "USA") & (reported["fuel"] == "Coal") & (reported["year"] == WRI_YEAR)]
    code = rows["gppd_id"].str.removeprefix("USA").str.lstrip("0")
    rows = rows.assign(said=rows["generation_mwh"].fillna(0) / 1e6, other=code.map(own) / 1e6)
    kind = np.where(rows["generation_mwh"].isna(), "nothing", np.where(rows["said"] == 0, "exactly zero", "a number"))
    table = rows.assign(gppd_says=kind).groupby("gppd_says")
    told = table.agg(
        rows=("said", "size"),
        gppd_twh=("said", "sum"),
        in_wri=("other", "count"),
        above_zero_in_wri=("other", lambda twh: int((twh > 0).sum())),
        wri_twh=("other", "sum"),
    )
    return told.reset_index().round(3)


if __name__ == "__main__":
    main()

"""Reads every file of reported generation and of labels at hand and writes down what comes of it, beside known totals.

`python -m tests.evidence.labels --data ../shared/data --out docs/evidence/labels` reads the files under `generation`,
`labels` and the ERA5 file of Matimba, counts what was kept, set aside and noted, sets totals beside those the files or
their publishers state, links the NEM's units to the merged inventory and joins the labels to its plants.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.io.inventory.store import Inventory
from carbonray.io.plant_weather import PlantWeatherRules, gridded_weather, sites_of
from carbonray.io.reported.linking import LINKS, link
from carbonray.io.reported.on_off import OnOffLabels, read_on_off
from carbonray.io.reported.readers import read_reported
from carbonray.io.reported.reading import ReportedReading
from carbonray.science.power.capacity_factor import capacity_factor
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.stages.inventory import merged_inventory
from carbonray.stages.labels import PlacedLabels, PlaceLabels
from carbonray.stages.plant_generation import plant_records
from carbonray.vocab.plants import FUELS
from tests.evidence import labels_page
from tests.evidence.inventory import read_all

FILES = {
    "wri": "generation/wri_reported_generation_ARG_BRA_EGY_IND_USA.csv",
    "egrid": "generation/usa/egrid2014_PLNT14.xlsx",
    "campd_annual": "generation/usa/camd_sample_data.csv",
    "nem": "generation/australia/scada_nsw1_coal_5min_2021-02-01_08.csv",
}
LABELS = "labels/coal_plant_on_off_sentinel2.csv"
WEATHER = "tropomi/matimba/Matimba_ERA5-sl-20210725.nc"
MATIMBA = pa.table({"plant_id": ["Matimba"], "lat": [-23.668], "lon": [27.611]})
LARGE_MW = 100.0  # the labelled stations are large; a works' boiler house beside one is not meant


def main() -> None:
    """Parses the command line and writes the page and its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    write(flags.data, flags.out)


def write(data: Path, out: Path) -> None:
    """Reads everything and writes README.md and the CSV files."""
    readings = {name: read_reported(name, str(data / path)) for name, path in FILES.items()}
    inventory = merged_inventory(read_all(data)[0])
    placed, placed_facts = labelled_plants(data, inventory)
    tables = {
        "files": pd.DataFrame([{"reader": name, **reading.rows()} for name, reading in readings.items()]),
        "set_aside": set_aside(readings),
        "wri_totals": wri_totals(data / FILES["wri"], readings["wri"]),
        "usa_2014": usa_2014(readings),
        "nem_week": nem_week(readings["nem"], inventory),
        "labelled_plants": placed,
        "weather": weather(data),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False, lineterminator="\n")
    inputs = {path: sha256(data / path) for path in (*FILES.values(), LABELS, WEATHER)}
    (out / "README.md").write_text(labels_page.readme(inputs, tables, placed_facts), encoding="utf-8")


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def set_aside(readings: dict[str, ReportedReading]) -> pd.DataFrame:
    """Quarantined lines and gaps by reason, and notes on kept rows, by reader."""
    rows = []
    for name, reading in readings.items():
        reasons = reading.quarantined.column("reason").to_pandas()
        kinds = reasons.where(~reasons.str.startswith("units"), "units: beyond capacity").value_counts()
        rows += [{"reader": name, "what": "set aside", "why": why, "rows": count} for why, count in kinds.items()]
        notes = reading.notes.to_pandas().groupby("note")["rows"].sum()
        rows += [{"reader": name, "what": "kept, noted", "why": why, "rows": count} for why, count in notes.items()]
    return pd.DataFrame(rows, columns=["reader", "what", "why", "rows"])


def wri_totals(path: Path, reading: ReportedReading) -> pd.DataFrame:
    """Generation by country: rows kept, all lines of the file, and the total that the file's side columns state."""
    raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    number = raw["Net Generation (MWh)"].str.replace(",", "").astype(float)
    lines = pd.DataFrame({"country": raw["Country"], "twh_of_all_lines": number / 1e6})
    side = raw.iloc[:5, 11:14].set_axis(["country", "mw", "mwh"], axis=1)
    stated = side["mwh"].str.replace(",", "").astype(float).to_numpy() / 1e6
    sites = dict(zip(*(reading.sites.column(name).to_pylist() for name in ("source_id", "country")), strict=True))
    words = {"USA": "USA", "Argentina": "ARG", "Egypt": "EGY", "Brazil": "BRA", "India": "IND"}
    kept = reading.reported.to_pandas()
    kept["code"] = kept["source_id"].map(sites)
    by_code = kept.groupby("code")["generation_mwh"].agg(["size", "sum"])
    whole = lines.groupby("country")["twh_of_all_lines"].agg(["size", "sum"])
    rows = []
    for country, twh in zip(side["country"], stated, strict=True):
        found = by_code.reindex([words[country]]).fillna(0).iloc[0]
        lines_of = whole.loc[country]
        rows.append((country, lines_of["size"], found["size"], found["sum"] / 1e6, lines_of["sum"], twh))
    table = pd.DataFrame(rows, columns=["country", "lines", "kept", "twh_kept", "twh_of_all_lines", "twh_stated"])
    return table.astype({"lines": int, "kept": int}).round(3)


def usa_2014(readings: dict[str, ReportedReading]) -> pd.DataFrame:
    """The USA's generation in 2014 by two sources, beside EIA's total."""
    wri = readings["wri"]
    american = {row["source_id"] for row in wri.sites.to_pylist() if row["country"] == "USA"}
    kept = wri.reported.to_pandas()
    egrid = readings["egrid"].reported
    rows = [
        ("WRI, plants kept", kept[kept["source_id"].isin(american)]["generation_mwh"].sum() / 1e6, np.nan),
        (
            "eGRID, capacity factor x capacity x hours",
            np.nansum(egrid.column("generation_mwh").to_numpy()) / 1e6,
            np.nansum(egrid.column("emissions_t_co2").to_numpy()) / 1e6,
        ),
    ]
    return pd.DataFrame(rows, columns=["source", "twh", "mt_co2e"]).round(2)


def nem_week(reading: ReportedReading, inventory: Inventory) -> pd.DataFrame:
    """Energy and capacity factor of each unit, and of each station through the inventory's ids."""
    units = inventory.units.filter(pc.equal(inventory.units.column("source"), "nem")).to_pandas()
    known = units.drop_duplicates("source_id").set_index("source_id")
    rows = reading.reported.to_pandas()
    hours = (rows["end_utc_ns"] - rows["start_utc_ns"]) / HOUR_NS
    week = rows.assign(hours=hours).groupby("source_id")[["generation_mwh", "hours"]].sum()
    capacity = known["capacity_mw"].reindex(week.index)
    table = week.assign(level="unit", capacity_mw=capacity).reset_index(names="name")
    links = known["plant_id"].reindex(week.index).dropna().rename("plant_id").reset_index()
    linked = link(reading.reported, pa.Table.from_pandas(links.assign(source="NEM")[LINKS.names], preserve_index=False))
    stations = plant_records(linked.reported, inventory.units)
    records = stations.records
    names = dict(zip(*(inventory.plants.column(name).to_pylist() for name in ("plant_id", "name")), strict=True))
    sums = pd.DataFrame(
        {
            "name": [names[stations.plant_id[number]] for number in records.plant],
            "generation_mwh": records.generation_mwh,
            "hours": (records.end_utc_ns - records.start_utc_ns) / HOUR_NS,
            "capacity_mw": records.capacity_mw,
        }
    )
    station = sums.groupby("name").agg({"generation_mwh": "sum", "hours": "sum", "capacity_mw": "mean"}).reset_index()
    both = pd.concat([table, station.assign(level="station")], ignore_index=True)
    factor = capacity_factor(both["generation_mwh"], both["capacity_mw"], both["hours"])
    both = both.assign(gwh=both["generation_mwh"] / 1e3, capacity_factor=factor)
    return both[["level", "name", "capacity_mw", "hours", "gwh", "capacity_factor"]].round(3)


def placed_labels(data: Path, inventory: Inventory) -> tuple[OnOffLabels, PlacedLabels, pa.Table]:
    """The labels as they were read and as the inventory's coal plants have them, and those plants, schema `PLANTS`."""
    seen = read_on_off(str(data / LABELS))
    units = inventory.units.to_pandas()
    coal = units[units["fuel"].map(lambda fuel: FUELS[fuel].family == "coal")].groupby("plant_id")["capacity_mw"].sum()
    large = pa.array(sorted(coal.index[coal >= LARGE_MW]))
    plants = inventory.plants.filter(pc.is_in(inventory.plants.column("plant_id"), value_set=large))
    return seen, PlaceLabels()(seen, plants, inventory.structures), plants


def labelled_plants(data: Path, inventory: Inventory) -> tuple[pd.DataFrame, dict[str, float]]:
    """The labels by the coal plant of the inventory that they fell to, and what was lost on the way."""
    seen, found, plants = placed_labels(data, inventory)
    labels = found.labels.to_pandas()
    names = plants.to_pandas().set_index("plant_id")[["name", "country", "capacity_mw"]]
    table = labels.groupby("plant_id").agg(labels=("on", "size"), share_on=("on", "mean")).join(names).reset_index()
    rules = pd.Series(found.rejected.column("rule").to_pylist(), dtype=object).value_counts()
    facts = {
        "labels": len(seen.on),
        "unreadable": len(seen.quarantined),
        "plants": len(table),
        "labels of plants and times": len(labels),
        "share on": float(labels["on"].mean()),
        "median distance, km": float(np.median(found.distance_km)),
        "largest distance, km": float(found.distance_km.max()),
        **{f"rejected: {rule}": int(count) for rule, count in rules.items()},
    }
    return table[["plant_id", "name", "country", "capacity_mw", "labels", "share_on"]].round(3), facts


def weather(data: Path) -> pd.DataFrame:
    """The day's weather at Matimba."""
    found = pa.concat_tables(gridded_weather(str(data / WEATHER), sites_of(MATIMBA), PlantWeatherRules())).to_pandas()
    numbers = found.drop(columns=["plant_id", "time_utc_ns"]).astype(float)
    told = numbers.agg(["min", "mean", "max"]).T.reset_index(names="variable")
    return told.assign(hours=numbers.notna().sum().to_numpy()).round(2)


if __name__ == "__main__":
    main()

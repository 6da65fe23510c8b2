"""CO2 of US plants from reported generation and factors, beside what eGRID 2014 says.

Net generation of 2014 is WRI's file of reported generation, by EIA's plant code; eGRID's sheet at hand has no code,
so its plants are matched by name, place and fuel with the inventory's own matching. eGRID counts CO2 equivalent in
short tons and takes the heat of cogeneration out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carbonray.io.inventory.eia860 import FUEL_WORDS
from carbonray.io.inventory.harmonise import minted_ids
from carbonray.io.inventory.listing import Listing
from carbonray.io.inventory.matching import MatchRules, one_to_one, scored_pairs
from carbonray.io.inventory.store import Inventory
from carbonray.science.power.capacity import ALWAYS_NS, NEVER_NS, in_service
from carbonray.science.power.emissions import Calibration, unit_factors
from tests.evidence.egrid import read_plants

EGRID = "generation/usa/egrid2014_PLNT14.xlsx"
REPORTED = "generation/wri_reported_generation_ARG_BRA_EGY_IND_USA.csv"
T_PER_SHORT_TON = 0.90718474
MID_2014_NS = int(np.datetime64("2014-07-01", "ns").astype(np.int64))
COAL_CALIBRATION = (
    Calibration("USA", "coal", 1.06, "SCIENCE 4.8: mean of US coal in 2022 over the uncalibrated factor"),
)
MIN_TWH = 0.001  # plants of less are not judged one by one


def us_emissions(data: Path, inventory: Inventory, listings: Sequence[Listing]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """One row a plant: generation, factor, estimated and reported Mt, eGRID's fuel; and what could not be joined."""
    plants = inventory.plants.to_pandas().set_index("plant_id")
    generation, lost = _generation(data / REPORTED, inventory)
    egrid = _egrid(data / EGRID)
    reported = _matched(egrid, _us_rows(inventory, listings))
    table = (
        pd.DataFrame({"generation_mwh": generation}).join(reported, how="inner").join(plants[["name", "capacity_mw"]])
    )
    for name, rows in (("factor", ()), ("factor_calibrated", COAL_CALIBRATION)):
        table[name] = _plant_factors(inventory, rows).reindex(table.index)
    burnt = table["generation_mwh"].clip(lower=0.0)
    table["estimated_mt"] = burnt * table["factor"] / 1e6
    table["calibrated_mt"] = burnt * table["factor_calibrated"] / 1e6
    facts = {
        "egrid_plants": len(egrid),
        "egrid_mt": float(egrid["reported_mt"].sum()),
        "egrid_matched": int(reported["egrid_rows"].sum()),
        "egrid_matched_mt": float(reported["reported_mt"].sum()),
        "reported_generation_rows": len(generation) + lost,
        "reported_generation_without_plant": lost,
        "plants": len(table),
        "plants_without_factor": int(table["factor"].isna().sum()),
        "mt_without_factor": float(table["reported_mt"][table["factor"].isna()].sum()),
    }
    return table, facts


def by_fuel(table: pd.DataFrame) -> pd.DataFrame:
    """Per fuel category of eGRID, and in all: sums, bias and error of plants, without and with calibrated coal."""
    known = table[table["factor"].notna()]
    groups = [(name, part) for name, part in known.groupby("egrid_fuel")] + [("ALL", known)]
    return pd.DataFrame([_errors(str(name), part) for name, part in groups])


def _errors(name: str, part: pd.DataFrame) -> dict[str, Any]:
    off, off_calibrated = (part[column] - part["reported_mt"] for column in ("estimated_mt", "calibrated_mt"))
    reported = float(part["reported_mt"].sum())
    emitting = part[(part["generation_mwh"] > MIN_TWH * 1e6) & (part["reported_mt"] > 0.001)]
    relative = (emitting["estimated_mt"] / emitting["reported_mt"] - 1.0).abs()
    return {
        "fuel": name,
        "plants": len(part),
        "generation_twh": round(float(part["generation_mwh"].sum()) / 1e6, 2),
        "reported_mt": round(reported, 2),
        "estimated_mt": round(float(part["estimated_mt"].sum()), 2),
        "error_pct": round(100 * float(off.sum()) / reported, 1) if reported > 0.05 else None,
        "rmse_mt": round(float(np.sqrt((off**2).mean())), 4),
        "mbe_mt": round(float(off.mean()), 4),
        "median_error_of_a_plant_pct": round(100 * float(relative.median()), 1) if len(relative) else None,
        "calibrated_mt": round(float(part["calibrated_mt"].sum()), 2),
        "calibrated_rmse_mt": round(float(np.sqrt((off_calibrated**2).mean())), 4),
    }


def _generation(path: Path, inventory: Inventory) -> tuple["pd.Series[float]", int]:
    """plant_id -> net MWh of 2014, and rows of reported generation whose plant the inventory lacks."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    rows = rows[rows["Country"] == "USA"]
    ids = minted_ids(inventory.crosswalk, "plant")
    plant = rows["Plant Code"].map(lambda code: ids.get(("eia860", code), ids.get(("gppd", code), "")))
    mwh = pd.to_numeric(rows["Net Generation (MWh)"], errors="coerce")
    kept = set(inventory.plants.column("plant_id").to_pylist())
    known = plant.isin(kept)
    return mwh[known].groupby(plant[known]).sum(), int((~known).sum())


def _egrid(path: Path) -> pd.DataFrame:
    rows = read_plants(path)
    return pd.DataFrame(
        {
            "name": rows["PNAME"],
            "country": "USA",
            "lat": pd.to_numeric(rows["LAT"], errors="coerce"),
            "lon": pd.to_numeric(rows["LON"], errors="coerce"),
            "capacity_mw": pd.to_numeric(rows["NAMEPCAP"], errors="coerce"),
            "fuel": rows["PLPRMFL"].map(FUEL_WORDS).fillna(""),
            "egrid_fuel": rows["PLFUELCT"].replace("", "not stated"),
            "reported_mt": pd.to_numeric(rows["PLCO2EQA"], errors="coerce").fillna(0.0) * T_PER_SHORT_TON / 1e6,
        }
    )


def _us_rows(inventory: Inventory, listings: Sequence[Listing]) -> pd.DataFrame:
    """Listed US plants under their own names, with the id, fuel and capacity of the plant that they became."""
    ids = minted_ids(inventory.crosswalk, "plant")
    plants = inventory.plants.to_pandas().set_index("plant_id")
    parts = [part.plants.to_pandas().assign(namespace=part.namespace) for part in listings if part.plants.num_rows]
    rows = pd.concat(parts, ignore_index=True)
    keys = zip(rows["namespace"], rows["source_id"], strict=True)
    rows = rows.assign(plant_id=[ids.get(key, "") for key in keys])
    rows = rows[(rows["country"] == "USA") & rows["plant_id"].isin(plants.index)].reset_index(drop=True)
    return rows.assign(fuel=rows["plant_id"].map(plants["primary_fuel"]))


def _matched(egrid: pd.DataFrame, side: pd.DataFrame) -> pd.DataFrame:
    """By plant_id: Mt, fuel category of most of it, rows; several eGRID rows may fall on one complex."""
    pairs = scored_pairs(egrid, side, MatchRules())
    pairs = pairs[pairs["log_odds"] >= MatchRules().min_log_odds]
    pairs = pairs.assign(plant=pd.factorize(side["plant_id"])[0][pairs["right"]])
    best = pairs.sort_values("log_odds", ascending=False, kind="stable").drop_duplicates(["left", "plant"])
    keep = one_to_one(best["left"].to_numpy(), best["plant"].to_numpy(), best["log_odds"].to_numpy())
    first = best.iloc[keep]
    rest = pairs[~pairs["left"].isin(first["left"]) & (pairs["km"] < 1.0)]
    parts = rest.sort_values("log_odds", ascending=False, kind="stable").drop_duplicates("left")
    both = pd.concat([first, parts])
    joined = egrid.iloc[both["left"]].assign(plant_id=side["plant_id"].to_numpy()[both["right"]])
    joined = joined.sort_values("reported_mt", ascending=False, kind="stable")
    grouped = joined.groupby("plant_id")
    return pd.DataFrame(
        {
            "reported_mt": grouped["reported_mt"].sum(),
            "egrid_fuel": grouped["egrid_fuel"].first(),
            "egrid_rows": grouped.size(),
        }
    )


def _plant_factors(inventory: Inventory, calibration: Sequence[Calibration]) -> "pd.Series[float]":
    """plant_id -> mean factor of its units of mid 2014 (of all, where none served then), by capacity."""
    units = inventory.units.to_pandas()
    country = inventory.plants.to_pandas().set_index("plant_id")["country"]
    factor, _ = unit_factors(units["fuel"], units["prime_mover"], units["plant_id"].map(country), calibration)
    start = units["start_utc_ns"].astype("Int64").fillna(ALWAYS_NS).to_numpy(np.int64)
    end = units["end_utc_ns"].astype("Int64").fillna(NEVER_NS).to_numpy(np.int64)
    serving = in_service(start, end, [MID_2014_NS])[:, 0]
    any_serving = pd.Series(serving).groupby(units["plant_id"].to_numpy()).transform("any").to_numpy()
    weight = units["capacity_mw"].where(serving | ~any_serving, 0.0).fillna(0.0)
    counted = weight > 0  # the unknown factor of a unit that did not serve says nothing
    total = weight.groupby(units["plant_id"]).sum()
    parts = (
        pd.Series(np.where(counted, factor * weight, 0.0))
        .groupby(units["plant_id"])
        .apply(lambda x: x.sum(skipna=False))
    )
    return (parts / total.where(total > 0)).rename("factor")

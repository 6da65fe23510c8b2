"""Counts and capacity of the merged inventory by country, fuel and source, beside the summary that WRI publishes."""

from collections.abc import Sequence

import pandas as pd

from carbonray.io.inventory.listing import Listing
from carbonray.io.inventory.matching import MatchRules, scored_pairs
from carbonray.io.inventory.store import Inventory
from carbonray.vocab.plants import FUELS

KOSOVO = {"KOS": "XKX"}
# GPPD's words by what they are here; petcoke and cogeneration have no family of their own
GPPD_GROUPS = {
    "coal": ("coal",), "gas": ("gas",), "oil and petcoke": ("oil", "petcoke"), "hydro": ("hydro",),
    "nuclear": ("nuclear",), "wind": ("wind",), "solar": ("solar",), "geothermal": ("geothermal",),
    "biomass": ("biomass",), "waste": ("waste",), "marine": ("wave_and_tidal",), "storage": ("storage",),
    "other": ("other", "cogeneration"),
}  # fmt: skip


def by_country(inventory: Inventory, listings: Sequence[Listing], summary: pd.DataFrame) -> pd.DataFrame:
    """Plants and GW here, those set aside for want of a place, and both in GPPD 1.3."""
    plants = inventory.plants.to_pandas()
    here = plants.groupby("country")["capacity_mw"].agg(["size", "sum"])
    aside = _placeless(inventory, listings).groupby("country")["capacity_mw"].agg(["size", "sum"])
    theirs = summary.assign(country=summary["iso_code"].replace(KOSOVO)).set_index("country")
    table = pd.DataFrame(
        {
            "plants": here["size"],
            "gw": here["sum"] / 1e3,
            "rows_without_place": aside["size"],
            "gw_without_place": aside["sum"] / 1e3,
            "gppd_plants": theirs["count"],
            "gppd_gw": theirs["total_capacity_gw"],
        }
    )
    table["gw_over_gppd"] = table["gw"] / table["gppd_gw"]
    counts = ["plants", "rows_without_place", "gppd_plants"]
    table[counts] = table[counts].fillna(0).astype(int)
    return table.round(3).sort_values("gppd_gw", ascending=False).reset_index(names="country")


def by_fuel(inventory: Inventory, summary: pd.DataFrame) -> pd.DataFrame:
    """The same by fuel, over the countries that the files at hand are meant to cover: those with plants here."""
    plants = inventory.plants.to_pandas()
    theirs = summary[summary["iso_code"].replace(KOSOVO).isin(set(plants["country"]))]
    group = plants["primary_fuel"].map(_group)
    here = plants.groupby(group)["capacity_mw"].agg(["size", "sum"])
    rows = []
    for name, words in GPPD_GROUPS.items():
        count = sum(int(theirs[f"count_fuel_{word}"].sum()) for word in words)
        gw = sum(float(theirs[f"capacity_gw_fuel_{word}"].sum()) for word in words)
        own = here.loc[name] if name in here.index else pd.Series({"size": 0, "sum": 0.0})
        rows.append(
            {
                "fuel": name,
                "plants": int(own["size"]),
                "gw": round(own["sum"] / 1e3, 2),
                "gppd_plants": count,
                "gppd_gw": round(gw, 2),
            }
        )
    return pd.DataFrame(rows)


def by_source(inventory: Inventory, listings: Sequence[Listing]) -> pd.DataFrame:
    """What each inventory listed, what of it leads a plant, and whose units were taken."""
    plants, units = inventory.plants.to_pandas(), inventory.units.to_pandas()
    rows = []
    for source in dict.fromkeys(part.source for part in listings):
        own = [part for part in listings if part.source == source]
        rows.append(
            {
                "source": source,
                "files": len(own),
                "plants_listed": sum(part.plants.num_rows for part in own),
                "units_listed": sum(part.units.num_rows for part in own),
                "links": sum(part.links.num_rows for part in own),
                "plants_led": int((plants["source"] == source).sum()),
                "gw_led": round(plants.loc[plants["source"] == source, "capacity_mw"].sum() / 1e3, 2),
                "units_taken": int((units["source"] == source).sum()),
                "gw_of_units_taken": round(units.loc[units["source"] == source, "capacity_mw"].sum() / 1e3, 2),
            }
        )
    return pd.DataFrame(rows)


def findings(inventory: Inventory) -> pd.DataFrame:
    """Rows left out, values unset and doubts kept, counted."""
    table = inventory.quarantined.to_pandas()
    return table.groupby(["source", "entity", "kind", "attribute"]).size().rename("count").reset_index()


def conflicts(inventory: Inventory) -> pd.DataFrame:
    """Contradictions counted by attribute and by who contradicts whom."""
    table = inventory.conflicts.to_pandas()
    kinds = table["rule"].str.extract(r"^(one plant of two rows|two plants though)")[0].fillna("")
    table = table.assign(kind=kinds)
    keys = ["attribute", "kept_source", "other_source", "kind"]
    return table.groupby(keys).size().rename("count").reset_index().sort_values("count", ascending=False)


def largest_conflicts(inventory: Inventory, rows: int) -> pd.DataFrame:
    """The contradictions of the largest plants."""
    plants = inventory.plants.select(["plant_id", "name", "country", "capacity_mw"]).to_pandas()
    table = inventory.conflicts.to_pandas()
    table = table[table["attribute"] != "identity"].merge(plants, on="plant_id")
    return table.sort_values(["capacity_mw", "plant_id"], ascending=[False, True], kind="stable").head(rows)


def possible_duplicates(inventory: Inventory) -> pd.DataFrame:
    """Pairs of plants that different inventories lead and that stand, burn and measure alike, the largest first."""
    plants = inventory.plants.to_pandas().rename(columns={"primary_fuel": "fuel"})
    pairs = scored_pairs(plants, plants, MatchRules(radius_km=1.0))
    a, b = (plants.iloc[pairs[side]].reset_index(drop=True) for side in ("left", "right"))
    family = [FUELS[fuel].family if FUELS[fuel].family != "none" else fuel for fuel in plants["fuel"]]
    same = pd.Series(family).to_numpy()[pairs["left"]] == pd.Series(family).to_numpy()[pairs["right"]]
    alike = same & (pairs["capacity_ratio"] >= 0.9).to_numpy() & (a["source"] != b["source"]).to_numpy()
    table = pd.DataFrame(
        {
            "country": a["country"],
            "plant_id": a["plant_id"],
            "name": a["name"],
            "source": a["source"],
            "other_plant_id": b["plant_id"],
            "other_name": b["name"],
            "other_source": b["source"],
            "fuel": a["fuel"],
            "km": pairs["km"].round(2).to_numpy(),
            "smaller_mw": a["capacity_mw"].combine(b["capacity_mw"], min),
            "log_odds": pairs["log_odds"].round(2).to_numpy(),
        }
    )
    once = table[alike & (pairs["left"] < pairs["right"]).to_numpy()]
    return once.sort_values(["smaller_mw", "plant_id"], ascending=[False, True], kind="stable")


def _group(fuel: str) -> str:
    family = FUELS[fuel].family
    if family in ("coal", "gas"):
        return family
    return "oil and petcoke" if family == "oil" else fuel


def _placeless(inventory: Inventory, listings: Sequence[Listing]) -> pd.DataFrame:
    """Listed rows that were set aside because nobody says where they are."""
    told = inventory.quarantined.to_pandas()
    aside = told[(told["attribute"] == "location") & (told["kind"] == "quarantined")][["source", "source_id"]]
    rows = pd.concat([part.plants.to_pandas().assign(source=part.source) for part in listings])
    return rows.merge(aside, on=["source", "source_id"])

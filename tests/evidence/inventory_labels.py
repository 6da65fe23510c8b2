"""The on/off labels joined to the plants of the inventory: which plant each labelled tower or stack belongs to.

The labels name no plant. Points within 3 km of each other are one site; a site is joined to the nearest plant that has
coal units of some size, wherever the inventory puts it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from carbonray.io.inventory.harmonise import InventoryMergeRules, harmonised
from carbonray.io.inventory.listing import Listing
from carbonray.io.inventory.matching import neighbours
from carbonray.io.inventory.store import Inventory
from carbonray.science.spatial.folds import close_pairs
from carbonray.vocab import plant_tables
from carbonray.vocab.plants import FUELS

LABELS = "labels/coal_plant_on_off_sentinel2.csv"
ONE_PLANT_KM = 3.0  # labelled points nearer than this stand on one site
SEARCH_KM = 20.0
LARGE_MW = 100.0  # the labelled stations are large; a works' boiler house beside one is not meant
JOINED_KM = 5.0


def labelled_plants(data: Path, inventory: Inventory) -> pd.DataFrame:
    """One row a labelled site: points, labels, share on, nearest coal plant and nearest plant of any fuel."""
    labels = pd.read_csv(data / LABELS)
    points = labels.groupby(["lat", "lon"])["is_powered_on"].agg(["size", "mean"]).reset_index()
    pairs = close_pairs(points["lat"], points["lon"], ONE_PLANT_KM)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    points["site"] = connected_components(graph, directed=False)[1]
    plants = inventory.plants.to_pandas()
    units = inventory.units.to_pandas()
    coal = units[units["fuel"].map(lambda fuel: FUELS[fuel].family == "coal")]
    installed = coal.groupby("plant_id")["capacity_mw"].sum()  # the retired too: labels begin in 2015
    burning = plants[plants["plant_id"].isin(set(installed.index[installed >= LARGE_MW]))]
    sites = points.groupby("site").agg(
        lat=("lat", "mean"), lon=("lon", "mean"), points=("size", "count"), labels=("size", "sum")
    )
    on = (points["size"] * points["mean"]).groupby(points["site"]).sum() / sites["labels"]
    sites = sites.assign(share_on=on.round(3)).reset_index()
    return sites.join(_nearest(points, burning, "coal")).join(_nearest(points, plants, "any"))


def distances_by_source(data: Path, listings: Sequence[Listing], rules: InventoryMergeRules) -> pd.DataFrame:
    """By inventory: how far its own coordinates of the labelled plants lie from the nearest labelled point."""
    points = pd.read_csv(data / LABELS)[["lat", "lon"]].drop_duplicates()
    rows = harmonised(listings, rules, plant_tables.CROSSWALK.empty_table()).rows
    is_coal = rows["fuel"].map(lambda fuel: bool(fuel) and FUELS[fuel].family == "coal")
    large = rows["root"].isin(set(rows["root"][is_coal & (rows["capacity_mw"] >= LARGE_MW)]))
    side = rows[large].reset_index(drop=True)
    _, j, km = neighbours(points.reset_index(drop=True), side, SEARCH_KM)
    pairs = pd.DataFrame({"root": side["root"].to_numpy()[j], "source": side["source"].to_numpy()[j], "km": km})
    labelled = pairs[pairs["km"] <= JOINED_KM]["root"].unique()
    best = pairs[pairs["root"].isin(labelled)].groupby(["source", "root"])["km"].min()
    table = best.groupby("source").agg(
        plants="size", median_km="median", mean_km="mean", largest_km="max", beyond_1_km=lambda d: int((d > 1).sum())
    )
    return table.round(2).reset_index()


def _nearest(points: pd.DataFrame, plants: pd.DataFrame, kind: str) -> pd.DataFrame:
    """By site: name, MW and distance of the plant nearest to any of its points."""
    side = plants.reset_index(drop=True)
    i, j, km = neighbours(points, side, SEARCH_KM)
    pairs = pd.DataFrame({"site": points["site"].to_numpy()[i], "plant": j, "km": km})
    best = pairs.sort_values("km", kind="stable").drop_duplicates("site").set_index("site")
    told = side.iloc[best["plant"]]
    return pd.DataFrame(
        {
            f"{kind}_plant_id": told["plant_id"].to_numpy(),
            f"{kind}_name": told["name"].to_numpy(),
            f"{kind}_country": told["country"].to_numpy(),
            f"{kind}_mw": told["capacity_mw"].round(0).to_numpy(),
            f"{kind}_km": best["km"].round(2).to_numpy(),
        },
        index=best.index,
    )

"""JRC Open Power Plants Database: European units, their efficiency, and their links to other inventories.

Source: JRC-PPDB-OPEN (CC BY 4.0), the files UNITS, PERFORMANCE and LINKAGES. A row is a generating unit; ids are EIC
codes of the unit and of its plant. Hard coal is read as bituminous (inferred: anthracite is rare in Europe's stations).
"""

from collections.abc import Mapping

import pandas as pd

from carbonray.io.inventory.files import read_frame
from carbonray.io.inventory.listing import LISTED_UNITS, Listing, as_table, checked_listing, mapped, year_ns

COLUMNS = frozenset({"eic_p", "eic_g", "name_p", "name_g", "capacity_g", "type_g", "cooling_type", "lat", "lon"})
LINKAGE_COLUMNS = frozenset({"eic_p", "eic_g", "eprtr_facilityID", "WRI_id"})
PERFORMANCE_COLUMNS = frozenset({"eic_p", "eic_g", "eff", "best_source"})

NAMESPACE = "jrc"

FUEL_WORDS: Mapping[str, str] = {
    "Fossil Hard coal": "bituminous",
    "Fossil Hard Coal": "bituminous",
    "Fossil Brown coal/Lignite": "lignite",
    "Fossil Gas": "gas",
    "Fossil gas": "gas",
    "Fossil Oil": "oil",
    "Fossil Coal-derived gas": "other",  # blast-furnace and coke-oven gas differ sixfold in carbon
    "Fossil Oil shale": "other",
    "Fossil Peat": "other",
    "Biomass": "biomass",
    "Waste": "waste",
    "Nuclear": "nuclear",
    "Hydro Water Reservoir": "hydro",
    "Hydro Run-of-river and poundage": "hydro",
    "Hydro Pumped Storage": "hydro",
    "Wind Onshore": "wind",
    "Wind Offshore": "wind",
    "Solar": "solar",
    "Geothermal": "geothermal",
    "Marine": "marine",
    "Other": "other",
}
MOVER_WORDS: Mapping[str, str] = {
    "Fossil Hard coal": "ST",
    "Fossil Hard Coal": "ST",
    "Fossil Brown coal/Lignite": "ST",
    "Fossil Oil shale": "ST",
    "Fossil Peat": "ST",
    "Nuclear": "ST",
    "Geothermal": "ST",
    "Hydro Water Reservoir": "HY",
    "Hydro Run-of-river and poundage": "HY",
    "Hydro Pumped Storage": "PS",
    "Wind Onshore": "WT",
    "Wind Offshore": "WT",
}
COOLING_WORDS: Mapping[str, str] = {
    "Natural Draught Tower": "natural_draft",
    "Mechanical Draught Tower": "mechanical_draft",
    "Once-through": "once_through",
    "Air Cooling": "dry",
    "No Cooling": "other",
}
LINKED: Mapping[str, str] = {"WRI_id": "gppd", "eprtr_facilityID": "eprtr", "GEO_id": "geo"}


def read_jrc_units(url: str) -> Listing:
    """Plants and units; a plant lies where its largest located unit does.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    rows = read_frame(url)
    rows = rows.assign(plant=_plant_ids(rows), power=pd.to_numeric(rows["capacity_g"], errors="coerce"))
    units = pd.DataFrame(
        {
            "source_id": rows["plant"],
            "unit_source_id": rows["eic_g"].where(rows["eic_g"] != "", rows["plant"] + ":" + rows["name_g"]),
            "name": rows["name_g"],
            "fuel_word": rows["type_g"],
            "fuel": mapped(rows["type_g"], FUEL_WORDS),
            "prime_mover": rows["type_g"].map(MOVER_WORDS).fillna(""),
            "capacity_word": rows["capacity_g"],
            "start_utc_ns": year_ns(rows["year_commissioned"]),
            "end_utc_ns": year_ns(rows["year_decommissioned"], after=True),
            "retired": rows["status_g"].str.upper() == "DECOMMISSIONED",
            "cooling_type": rows["cooling_type"].map(COOLING_WORDS).fillna(""),
        }
    )
    links = [(NAMESPACE, plant, "eic", eic) for plant, *eics in _eics(rows) for eic in eics if eic]
    return checked_listing("jrc", NAMESPACE, _plants(rows), units, links, _scattered(rows))


def read_jrc_linkages(url: str) -> Listing:
    """Links of plants to GPPD, to E-PRTR and to GEO; no plants of its own.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    rows = read_frame(url)
    links = [
        (NAMESPACE, plant, LINKED[name], other)
        for name in sorted(LINKED)
        for plant, other in zip(rows["eic_p"], rows[name], strict=True)
        if plant and other
    ]
    return checked_listing("jrc_linkages", NAMESPACE, _no_plants(), links=links)


def read_jrc_performance(url: str) -> Listing:
    """Efficiencies by unit, as units without a plant's row: harmonising joins them by the unit's id.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    rows = read_frame(url)
    told = rows[(rows["eff"] != "") & (rows["eic_g"] != "")].drop_duplicates("eic_g")
    blank = pd.DataFrame({name: [""] * len(told) for name in LISTED_UNITS.names})
    units = blank.assign(
        source_id=told["eic_p"].to_numpy(),
        unit_source_id=told["eic_g"].to_numpy(),
        efficiency=pd.to_numeric(told["eff"], errors="coerce").to_numpy(),
        capacity_mw=float("nan"),
        start_utc_ns=None,
        end_utc_ns=None,
        wet_fgd=None,
    )
    listing = checked_listing("jrc_performance", NAMESPACE, _no_plants())
    return Listing(**{**vars(listing), "units": as_table(units, LISTED_UNITS)})


def _plant_ids(rows: pd.DataFrame) -> "pd.Series[str]":
    """The plant's EIC; without one its name and country; without a name either, the unit's own EIC."""
    named = ("name:" + rows["country"] + ":" + rows["name_p"]).where(rows["name_p"] != "", rows["eic_g"])
    return rows["eic_p"].where(rows["eic_p"] != "", named)


def _plants(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.assign(located=(rows["lat"] != "") & (rows["lon"] != ""))
    first = rows.sort_values(["located", "power"], ascending=False, kind="stable").drop_duplicates("plant")
    by_fuel = rows.groupby(["plant", "type_g"])["power"].sum().sort_values(kind="stable").reset_index()
    fuel = by_fuel.drop_duplicates("plant", keep="last").set_index("plant")["type_g"]
    words = first["plant"].map(fuel)
    total = first["plant"].map(rows.groupby("plant")["power"].sum()).astype(str)
    return pd.DataFrame(
        {
            "source_id": first["plant"],
            "name": first["name_p"].where(first["name_p"] != "", first["name_g"]),
            "country_word": first["country"],
            "lat": first["lat"],
            "lon": first["lon"],
            "capacity_word": first["capacity_p"].where(first["capacity_p"] != "", total),
            "fuel_word": words,
            "fuel": mapped(words, FUEL_WORDS),
        }
    ).sort_values("source_id", kind="stable")


def _scattered(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Plants whose units stand at different coordinates."""
    spots = rows[rows["lat"] != ""].drop_duplicates(["plant", "lat", "lon"]).sort_values(["plant", "lat", "lon"])
    spots = spots[spots.duplicated("plant", keep=False)]
    told: dict[str, list[str]] = {}
    for plant, lat, lon in zip(spots["plant"], spots["lat"], spots["lon"], strict=True):
        told.setdefault(plant, []).append(f"{lat},{lon}")
    return [
        {
            "entity": "plant",
            "source_id": plant,
            "kind": "kept",
            "attribute": "location",
            "reason": f"its units stand at {' and '.join(places)}; that of the largest is taken",
        }
        for plant, places in told.items()
    ]


def _eics(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(zip(rows["plant"], rows["eic_p"], rows["eic_g"], strict=True))


def _no_plants() -> pd.DataFrame:
    columns = ("source_id", "name", "country_word", "lat", "lon", "capacity_word", "fuel_word", "fuel")
    return pd.DataFrame({name: pd.Series(dtype="object") for name in columns})

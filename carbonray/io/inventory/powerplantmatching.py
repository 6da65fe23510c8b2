"""Tables of powerplantmatching, and trackers of the Global Energy Monitor: plants with ids of several inventories.

Sources: https://github.com/PyPSA/powerplantmatching, powerplants.csv (CC BY 4.0; a row is a plant and fuel,
`projectID` a Python literal of inventory -> ids); Global Energy Monitor, Global Coal and Gas Plant Trackers (a row
is a unit). Years are whole: a unit serves from 1 January of the first to 31 December of the last (inferred).
"""

import ast
from collections.abc import Mapping
from typing import Any

import pandas as pd

from carbonray.errors import DataError
from carbonray.io.inventory.files import read_frame
from carbonray.io.inventory.listing import Listing, checked_listing, mapped, year_ns

COLUMNS = frozenset({"Name", "Fueltype", "Technology", "Set", "Country", "Capacity", "projectID"})
GEM_COLUMNS = frozenset({"Country/Area", "Plant name", "Unit name", "Capacity (MW)", "Status", "Start year"})

NAMESPACE = "ppm"
GEM_NAMESPACE = "gem"

FUEL_WORDS: Mapping[str, str] = {
    "Hard Coal": "bituminous",  # inferred, as in jrc_ppdb
    "Lignite": "lignite",
    "Natural Gas": "gas",
    "Oil": "oil",
    "Nuclear": "nuclear",
    "Hydro": "hydro",
    "Wind": "wind",
    "Solar": "solar",
    "Geothermal": "geothermal",
    "Solid Biomass": "biomass",
    "Biogas": "biomass",
    "Waste": "waste",
    "Battery": "storage",
    "Other": "other",
}
MOVER_WORDS: Mapping[str, str] = {
    "Steam Turbine": "ST",
    "CCGT": "CC",
    "OCGT": "GT",
    "Combustion Engine": "IC",
    "Run-Of-River": "HY",
    "Reservoir": "HY",
    "Pumped Storage": "PS",
    "Onshore": "WT",
    "Offshore": "WT",
    "PV": "PV",
    "Pv": "PV",
    "CSP": "ST",
    "Marine": "OT",
}
# powerplantmatching's names of inventories -> namespaces; the first that a row has gives its id
INVENTORIES: Mapping[str, str] = {
    "GEM": "gem",
    "ENTSOE": "eic",
    "GPD": "gppd",
    "OPSD": "opsd",
    "GEO": "ppm_geo",
    "JRC": "jrc_hydro",
    "BEYONDCOAL": "beyond_coal",
    "WIKIPEDIA": "wikipedia",
}
GEM_FUEL_WORDS: Mapping[str, str] = {
    "anthracite": "anthracite",
    "bituminous": "bituminous",
    "subbituminous": "subbituminous",
    "lignite": "lignite",
    "unknown": "coal",
    "waste coal": "coal",
    "natural gas": "gas",
    "fossil gas": "gas",
    "oil": "oil",
}
GEM_SERVING = ("operating", "mothballed", "retired")  # the rest was never built, or is not yet


def read_powerplantmatching(url: str) -> Listing:
    """Plants, one unit each, and their ids in other inventories.

    Raises:
        DataError: the file is no table, or `projectID` is no literal.
        TransportError: it could not be moved.
    """
    rows = read_frame(url)
    ids = [_project_ids(text, url) for text in rows["projectID"]]
    own = [_own_id(known, number) for known, number in zip(ids, rows.index, strict=True)]
    fuel = mapped(rows["Fueltype"], FUEL_WORDS)
    plants = pd.DataFrame(
        {
            "source_id": own,
            "name": rows["Name"],
            "country_word": rows["Country"],
            "lat": rows["lat"],
            "lon": rows["lon"],
            "capacity_word": rows["Capacity"],
            "fuel_word": rows["Fueltype"],
            "fuel": fuel,
        }
    )
    units = plants[["source_id", "name", "capacity_word"]].assign(
        unit_source_id=own,
        fuel=fuel.fillna("other"),
        prime_mover=rows["Technology"].map(MOVER_WORDS).fillna(""),
        start_utc_ns=year_ns(rows["DateIn"]),
        end_utc_ns=year_ns(rows["DateOut"], after=True),
        efficiency=rows["Efficiency"],
    )
    links = [
        (NAMESPACE, plant, INVENTORIES[name], other)
        for plant, known in zip(own, ids, strict=True)
        for name in known
        for other in sorted(known[name])
    ]
    return checked_listing("powerplantmatching", NAMESPACE, plants, units, links)


def read_gem(url: str) -> Listing:
    """Plants and units of a tracker; units that were never built are set aside.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    rows = read_frame(url)
    plant_id = _first_of(rows, "GEM location ID", "Plant name")
    unit_id = _first_of(rows, "GEM unit/phase ID", "GEM unit ID", "Unit name")
    status, word = rows["Status"].str.lower(), _first_of(rows, "Coal type", "Fuel", "Plant name").str.lower()
    serving = status.isin(GEM_SERVING)
    one = rows.assign(plant=plant_id, fuel_word=word)[serving].drop_duplicates("plant")
    plants = pd.DataFrame(
        {
            "source_id": one["plant"],
            "name": one["Plant name"],
            "country_word": one["Country/Area"],
            "lat": one["Latitude"],
            "lon": one["Longitude"],
            "capacity_word": "",
            "fuel_word": one["fuel_word"],
            "fuel": mapped(one["fuel_word"], GEM_FUEL_WORDS),
        }
    )
    units = pd.DataFrame(
        {
            "source_id": plant_id,
            "unit_source_id": unit_id,
            "name": rows["Unit name"],
            "fuel_word": word,
            "fuel": mapped(word, GEM_FUEL_WORDS),
            "prime_mover": "ST" if "Coal type" in rows else "",
            "capacity_word": rows["Capacity (MW)"],
            "start_utc_ns": year_ns(rows["Start year"]),
            "end_utc_ns": year_ns(_first_of(rows, "Retired year"), after=True),
            "retired": status == "retired",
        }
    )
    aside = [_unbuilt(unit, now) for unit, now in zip(unit_id[~serving], status[~serving], strict=True)]
    links = [(GEM_NAMESPACE, p, GEM_NAMESPACE, u) for p, u in zip(plant_id[serving], unit_id[serving], strict=True)]
    return checked_listing("gem", GEM_NAMESPACE, plants, units[serving], links, aside)


def _project_ids(text: str, url: str) -> dict[str, list[str]]:
    """Inventory -> ids; the literal holds sets of strings and nothing else."""
    try:
        known: Any = ast.literal_eval(text or "{}")
        return {name: sorted(known[name]) for name in INVENTORIES if name in known}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise DataError(
            f"projectID {text[:80]!r} is no literal ({type(error).__name__})",
            where=url,
            expected="a dictionary of inventory -> set of ids",
            remedy="Take the file as powerplantmatching writes it.",
        ) from error


def _own_id(known: Mapping[str, list[str]], number: int) -> str:
    """A row's number changes from one release to the next: the first id that it carries stands for it."""
    for name in INVENTORIES:
        if known.get(name):
            return f"{name}:{known[name][0]}"
    return f"row:{number}"


def _first_of(rows: pd.DataFrame, *names: str) -> "pd.Series[str]":
    """The first of some columns that is there, empty where none is."""
    for name in names:
        if name in rows:
            return rows[name]
    return pd.Series("", index=rows.index)


def _unbuilt(unit: str, status: str) -> dict[str, str]:
    return {
        "entity": "unit",
        "source_id": unit,
        "kind": "quarantined",
        "attribute": "status",
        "reason": f"'{status}' (taken: {', '.join(GEM_SERVING)})",
    }

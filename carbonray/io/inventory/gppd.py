"""Global Power Plant Database of the WRI: the components of v1.3 and the national file of June 2018.

Source: https://github.com/wri/global-power-plant-database (CC BY 4.0), its README for the columns. A row is a plant;
its one unit carries the primary fuel. `commissioning_year` is a mean over units weighted by capacity, so a start is
rough.
"""

from collections.abc import Mapping

import pandas as pd

from carbonray.io.inventory.files import read_frame
from carbonray.io.inventory.listing import Listing, checked_listing, mapped, year_ns

COLUMNS = frozenset({"gppd_idnr", "capacity_mw", "latitude", "longitude", "primary_fuel", "country"})
COLUMNS_2018 = frozenset({"gppd_idnr", "capacity_mw", "latitude", "longitude", "fuel1", "fuel4", "country"})

NAMESPACE = "gppd"

FUEL_WORDS: Mapping[str, str] = {
    "Coal": "coal",
    "Gas": "gas",
    "Oil": "oil",
    "Petcoke": "petcoke",
    "Hydro": "hydro",
    "Nuclear": "nuclear",
    "Wind": "wind",
    "Solar": "solar",
    "Geothermal": "geothermal",
    "Biomass": "biomass",
    "Waste": "waste",
    "Wave and Tidal": "marine",
    "Storage": "storage",
    "Cogeneration": "other",  # says how, not what is burnt
    "Other": "other",
}
# what a fuel says of the machine where nothing else does
MOVERS: Mapping[str, str] = {
    "coal": "ST",
    "petcoke": "ST",
    "nuclear": "ST",
    "geothermal": "ST",
    "hydro": "HY",
    "wind": "WT",
}

# an id made of a letter code and another register's number
FOREIGN_IDS: Mapping[str, str] = {"USA": "eia860"}


def read_gppd(url: str) -> Listing:
    """Plants of a component of v1.3.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    return _listing(read_frame(url), "gppd", "primary_fuel")


def read_gppd_2018(url: str) -> Listing:
    """Plants of the national file of June 2018; many have no coordinates.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    return _listing(read_frame(url), "gppd_2018", "fuel1")


def _listing(rows: pd.DataFrame, source: str, fuel_column: str) -> Listing:
    plants = pd.DataFrame(
        {
            "source_id": rows["gppd_idnr"],
            "name": rows["name"],
            "country_word": rows["country"],
            "lat": rows["latitude"],
            "lon": rows["longitude"],
            "capacity_word": rows["capacity_mw"],
            "fuel_word": rows[fuel_column],
            "fuel": mapped(rows[fuel_column], FUEL_WORDS),
        }
    )
    units = plants[["source_id", "name", "capacity_word"]].assign(
        unit_source_id=plants["source_id"],
        fuel=plants["fuel"].fillna("other"),  # the plant's finding names the word
        prime_mover=plants["fuel"].map(MOVERS).fillna(""),
        start_utc_ns=year_ns(rows["commissioning_year"]),
    )
    return checked_listing(source, NAMESPACE, plants, units, _foreign_links(rows["gppd_idnr"]))


def _foreign_links(ids: "pd.Series[str]") -> list[tuple[str, str, str, str]]:
    return [
        (NAMESPACE, own, FOREIGN_IDS[own[:3]], str(int(own[3:])))
        for own in ids
        if own[:3] in FOREIGN_IDS and own[3:].isdigit()
    ]

"""Form EIA-860 of the US Energy Information Administration: the plant table and the generator table.

Source: https://www.eia.gov/electricity/data/eia860/, 2___Plant_Y*.xlsx and 3_1_Generator_Y*.xlsx and their LayoutY*;
codes of fuels and prime movers as listed there. Capacity is nameplate; retirement is known to the month.
"""

from collections.abc import Mapping

import pandas as pd

from carbonray.io.inventory.files import read_frame
from carbonray.io.inventory.listing import Listing, checked_listing, mapped

PLANT_COLUMNS = frozenset({"Plant Code", "Plant Name", "State", "Latitude", "Longitude", "NERC Region"})
GENERATOR_COLUMNS = frozenset({"Plant Code", "Generator ID", "Prime Mover", "Energy Source 1", "Operating Year"})

NAMESPACE = "eia860"
COUNTRY = "USA"  # the form is a national one

FUEL_WORDS: Mapping[str, str] = {
    "ANT": "anthracite", "BIT": "bituminous", "SUB": "subbituminous", "LIG": "lignite",
    "RC": "coal", "WC": "coal", "SGC": "coal", "SC": "coal",
    "NG": "gas", "PG": "gas", "OG": "other", "BFG": "other", "H2": "other",
    "DFO": "diesel", "KER": "diesel", "JF": "diesel", "RFO": "residual_oil", "WO": "oil",
    "PC": "petcoke", "SGP": "petcoke", "TDF": "other", "PUR": "other", "WH": "other", "OTH": "other",
    "AB": "biomass", "BLQ": "biomass", "OBG": "biomass", "OBL": "biomass", "OBS": "biomass", "SLW": "biomass",
    "WDL": "biomass", "WDS": "biomass", "LFG": "biomass", "MSW": "waste",
    "NUC": "nuclear", "WAT": "hydro", "WND": "wind", "SUN": "solar", "GEO": "geothermal", "MWH": "storage",
}  # fmt: skip
MOVER_WORDS: Mapping[str, str] = {
    "ST": "ST", "BT": "ST", "CP": "ST", "CA": "CC", "CT": "CC", "CS": "CC", "CC": "CC", "GT": "GT", "IC": "IC",
    "HY": "HY", "PS": "PS", "WT": "WT", "WS": "WT", "PV": "PV", "BA": "BA", "FC": "OT", "CE": "OT", "FW": "OT",
    "ES": "OT", "HA": "OT", "HB": "OT", "HK": "OT", "OT": "OT",
}  # fmt: skip


def read_eia_plants(url: str) -> Listing:
    """Plants by name and place; the table states neither fuel nor capacity.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    rows = read_frame(url)
    rows = rows[rows["Plant Code"].str.fullmatch(r"\d+")]  # notes stand below the table
    plants = _plants(rows["Plant Code"], rows["Plant Name"]).assign(lat=rows["Latitude"], lon=rows["Longitude"])
    return checked_listing("eia860", NAMESPACE, plants, fuel_stated=False)


def read_eia_generators(url: str) -> Listing:
    """Generating units with fuel, mover and dates; their plants have no coordinates here.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    rows = read_frame(url)
    rows = rows[rows["Plant Code"].str.fullmatch(r"\d+")]
    nameplate = rows["Nameplate Capacity (MW)"]
    fuel = mapped(rows["Energy Source 1"], FUEL_WORDS)
    units = pd.DataFrame(
        {
            "source_id": rows["Plant Code"],
            "unit_source_id": rows["Plant Code"] + ":" + rows["Generator ID"],
            "name": rows["Generator ID"],
            "fuel_word": rows["Energy Source 1"],
            "fuel": fuel,
            "prime_mover": rows["Prime Mover"].map(MOVER_WORDS).fillna(""),
            "capacity_word": nameplate,
            "start_utc_ns": _month_ns(rows, "Operating", 0),
            "end_utc_ns": _month_ns(rows, "Retirement", 1),
            "retired": rows.get("Status", pd.Series("", index=rows.index)).eq("RE"),
        }
    )
    one = rows.drop_duplicates("Plant Code")
    names = one["Plant Name"] if "Plant Name" in one else one["Plant Code"]
    return checked_listing("eia860_generators", NAMESPACE, _plants(one["Plant Code"], names), units, fuel_stated=False)


def _plants(code: "pd.Series[str]", name: "pd.Series[str]") -> pd.DataFrame:
    empty = {"capacity_word": "", "fuel_word": "", "fuel": "", "lat": "", "lon": "", "country_word": COUNTRY}
    return pd.DataFrame({"source_id": code, "name": name}).assign(**empty)


def _month_ns(rows: pd.DataFrame, event: str, months_after: int) -> "pd.Series[int]":
    """Start of a month, or of so many months after it, UTC ns; a month that is not given is January."""
    blank = pd.Series("", index=rows.index)
    year = pd.to_numeric(rows.get(f"{event} Year", blank), errors="coerce")
    month = pd.to_numeric(rows.get(f"{event} Month", blank), errors="coerce").fillna(1)
    months = (year.fillna(1970) - 1970) * 12 + month - 1 + months_after
    starts = months.astype("int64").to_numpy().astype("datetime64[M]").astype("datetime64[ns]").astype("int64")
    return pd.Series(starts, index=rows.index, dtype="Int64").where(year.notna(), pd.NA)

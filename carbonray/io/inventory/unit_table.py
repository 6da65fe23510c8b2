"""Reads a table of generating units in carbonray's own words: for what no public inventory says, such as wet FGD.

One row a unit; plants are the distinct `plant_ref`s, `NAMESPACE:ID`, which also link them to that inventory's plant.
Dates are ISO days, UTC; an end is the first day out of service. Cooling and FGD may be empty: not stated.
"""

from typing import Any

import pandas as pd

from carbonray.io.inventory.files import read_frame
from carbonray.io.inventory.listing import Listing, checked_listing, mapped
from carbonray.vocab.plants import COOLING_TYPES, FUELS, PRIME_MOVERS

NAMESPACE = "units"
COLUMNS = frozenset(
    {
        "plant_ref", "plant_name", "country", "lat", "lon", "unit_id", "unit_name", "fuel", "prime_mover",
        "capacity_mw", "start_date", "end_date", "cooling_type", "wet_fgd",
    }
)  # fmt: skip
_TRUTH = {"true": True, "false": False}


def read_units(url: str) -> Listing:
    """Units and the plants they stand in; a word that is not carbonray's is set aside with its reason.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    rows = read_frame(url)
    units = pd.DataFrame(
        {
            "source_id": rows["plant_ref"],
            "unit_source_id": rows["unit_id"],
            "name": rows["unit_name"],
            "fuel_word": rows["fuel"],
            "fuel": mapped(rows["fuel"], {name: name for name in FUELS}),
            "prime_mover": rows["prime_mover"].where(rows["prime_mover"].isin(list(PRIME_MOVERS)), ""),
            "capacity_word": rows["capacity_mw"],
            "start_utc_ns": _day_ns(rows["start_date"]),
            "end_utc_ns": _day_ns(rows["end_date"]),
            "cooling_type": rows["cooling_type"].where(rows["cooling_type"].isin(list(COOLING_TYPES)), ""),
            "wet_fgd": rows["wet_fgd"].str.lower().map(_TRUTH).astype(object),
        }
    )
    one = rows.drop_duplicates("plant_ref")
    plants = pd.DataFrame(
        {
            "source_id": one["plant_ref"],
            "name": one["plant_name"],
            "country_word": one["country"],
            "lat": one["lat"],
            "lon": one["lon"],
            "capacity_word": "",
            "fuel_word": "",
            "fuel": "",
            "data_tier": one.get("data_tier", "REAL"),
        }
    )
    links = [(NAMESPACE, ref, *ref.split(":", 1)) for ref in one["plant_ref"] if ":" in ref]
    return checked_listing("units", NAMESPACE, plants, units, links, fuel_stated=False)


def _day_ns(dates: "pd.Series[str]") -> "pd.Series[Any]":
    days = pd.to_datetime(dates, format="%Y-%m-%d", errors="coerce")
    whole = days.fillna(pd.Timestamp(0)).to_numpy("datetime64[ns]").astype("int64")
    return pd.Series(whole, index=dates.index, dtype="Int64").where(days.notna(), pd.NA)

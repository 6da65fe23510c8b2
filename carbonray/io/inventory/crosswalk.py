"""EPA-EIA power sector crosswalk: the units that CAMPD reports, by the generators of Form EIA-860.

Source: https://github.com/USEPA/camd-eia-crosswalk (MIT), epa_eia_crosswalk.csv. A row is a pair of a CAMD unit and
an EIA generator (and boiler); generators repeat where several boilers feed one. It lists what CAMD regulates, so the
units of a plant are not all there. Dates are those of the CAMD unit's status: since when it operates, or when it
retired.
"""

import pandas as pd

from carbonray.io.inventory.eia860 import COUNTRY, FUEL_WORDS, MOVER_WORDS
from carbonray.io.inventory.files import read_frame
from carbonray.io.inventory.listing import Listing, checked_listing, mapped, year_ns

COLUMNS = frozenset({"CAMD_PLANT_ID", "CAMD_UNIT_ID", "EIA_PLANT_ID", "EIA_GENERATOR_ID", "MATCH_TYPE_GEN"})

NAMESPACE = "camd"


def read_epa_eia(url: str) -> Listing:
    """CAMD's plants, the generators behind their units, and the links to EIA-860.

    Raises:
        DataError: the file is no table.
        TransportError: it could not be moved.
    """
    rows = read_frame(url)
    one = rows.drop_duplicates("CAMD_PLANT_ID")
    plants = pd.DataFrame(
        {
            "source_id": one["CAMD_PLANT_ID"],
            "name": one["CAMD_FACILITY_NAME"],
            "country_word": COUNTRY,
            "lat": one["CAMD_LATITUDE"],
            "lon": one["CAMD_LONGITUDE"],
            "capacity_word": "",
            "fuel_word": "",
            "fuel": "",
        }
    )
    pairs = zip(rows["CAMD_PLANT_ID"], rows["EIA_PLANT_ID"], strict=True)
    links = [(NAMESPACE, camd, "eia860", eia) for camd, eia in pairs if eia]
    return checked_listing(
        "epa_eia", NAMESPACE, plants, _units(rows), links, _unmatched(rows), units_complete=False, fuel_stated=False
    )


def _units(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a generator: it serves from the first to the last of the CAMD units that feed it."""
    rows = rows[rows["EIA_GENERATOR_ID"] != ""]
    ids = rows["EIA_PLANT_ID"] + ":" + rows["EIA_GENERATOR_ID"]
    date = _day_ns(rows["CAMD_STATUS_DATE"])
    retired = rows["CAMD_STATUS"] == "RET"
    gone = year_ns(rows["EIA_RETIRE_YEAR"], after=True).fillna(date)
    dated = rows.assign(
        unit_source_id=ids, start_utc_ns=date.where(rows["CAMD_STATUS"] == "OPR"), end_utc_ns=gone.where(retired)
    )
    grouped = dated.groupby("unit_source_id", sort=False)
    one = dated.drop_duplicates("unit_source_id").set_index("unit_source_id")
    all_gone = retired.groupby(ids).all().reindex(one.index)
    return pd.DataFrame(
        {
            "source_id": one["CAMD_PLANT_ID"],
            "unit_source_id": one.index,
            "name": one["EIA_GENERATOR_ID"],
            "fuel_word": one["EIA_FUEL_TYPE"],
            "fuel": mapped(one["EIA_FUEL_TYPE"], FUEL_WORDS),
            "prime_mover": one["EIA_UNIT_TYPE"].map(MOVER_WORDS).fillna(""),
            "capacity_word": one["EIA_NAMEPLATE_CAPACITY"],
            "start_utc_ns": grouped["start_utc_ns"].min(),
            "end_utc_ns": grouped["end_utc_ns"].max().where(all_gone),
            "retired": all_gone,
        }
    )


def _day_ns(dates: "pd.Series[str]") -> "pd.Series[int]":
    days = pd.to_datetime(dates, errors="coerce")
    ns = days.fillna(pd.Timestamp(0)).to_numpy().astype("datetime64[ns]").astype("int64")
    return pd.Series(ns, index=dates.index, dtype="Int64").where(days.notna(), pd.NA)


def _unmatched(rows: pd.DataFrame) -> list[dict[str, str]]:
    alone = rows[rows["EIA_GENERATOR_ID"] == ""]
    return [
        {
            "entity": "unit",
            "source_id": f"{plant}:{unit}",
            "kind": "quarantined",
            "attribute": "id",
            "reason": f"no generator of EIA-860 ({why})",
        }
        for plant, unit, why in zip(alone["CAMD_PLANT_ID"], alone["CAMD_UNIT_ID"], alone["MATCH_TYPE_GEN"], strict=True)
    ]

"""Stations of Australia's markets as OpenNEM keeps them: plants, their units by DUID, fuel technology and status.

Source: https://github.com/opennem/opennem (MIT), stations.json. A station's `facilities` are its dispatchable units;
those that only draw power (charging, pumping) are set aside. Dates are mostly missing.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from carbonray.errors import DataError
from carbonray.io.inventory.files import read_json
from carbonray.io.inventory.listing import Listing, checked_listing, mapped

KEYS = frozenset({"code", "name", "facilities", "location"})

NAMESPACE = "nem"

FUEL_WORDS: Mapping[str, str] = {
    "coal_black": "bituminous",
    "coal_brown": "lignite",
    "gas_ccgt": "gas",
    "gas_ocgt": "gas",
    "gas_steam": "gas",
    "gas_recip": "gas",
    "gas_wcmg": "gas",  # waste coal mine gas, mostly methane
    "distillate": "diesel",
    "hydro": "hydro",
    "wind": "wind",
    "solar_utility": "solar",
    "solar_rooftop": "solar",
    "bioenergy_biogas": "biomass",
    "bioenergy_biomass": "biomass",
    "battery_discharging": "storage",
    "nuclear": "nuclear",
    "aggregator_vpp": "other",
}
MOVER_WORDS: Mapping[str, str] = {
    "coal_black": "ST",
    "coal_brown": "ST",
    "gas_ccgt": "CC",
    "gas_ocgt": "GT",
    "gas_steam": "ST",
    "gas_recip": "IC",
    "gas_wcmg": "IC",
    "hydro": "HY",
    "wind": "WT",
    "solar_utility": "PV",
    "battery_discharging": "BA",
}
DRAWING = ("battery_charging", "pumps")


def read_nem(url: str) -> Listing:
    """Stations and their generating units.

    Raises:
        DataError: the file is no list of stations.
        TransportError: it could not be moved.
    """
    stations = read_json(url)
    if not isinstance(stations, list) or not all(isinstance(row, dict) and row.keys() >= KEYS for row in stations):
        raise DataError(
            "not a list of stations",
            where=url,
            expected=f"a list of objects with {sorted(KEYS)}",
            remedy="Take stations.json as OpenNEM writes it.",
        )
    pairs = [(row["code"], unit) for row in stations for unit in row["facilities"] or ()]
    drawing = [unit["code"] for _, unit in pairs if unit["fueltech_id"] in DRAWING]
    units = _units([(code, unit) for code, unit in pairs if unit["fueltech_id"] not in DRAWING])
    return checked_listing("nem", NAMESPACE, _plants(stations, units), units, findings=list(map(_consumer, drawing)))


def _units(pairs: list[tuple[str, dict[str, Any]]]) -> pd.DataFrame:
    word = pd.Series([unit["fueltech_id"] or "" for _, unit in pairs], dtype="object")
    return pd.DataFrame(
        {
            "source_id": [code for code, _ in pairs],
            "unit_source_id": [unit["code"] for _, unit in pairs],
            "name": [unit["code"] for _, unit in pairs],
            "fuel_word": word,
            "fuel": mapped(word, FUEL_WORDS),
            "prime_mover": word.map(MOVER_WORDS).fillna(""),
            "capacity_word": [_text(unit["capacity_registered"]) for _, unit in pairs],
            "start_utc_ns": _date_ns([unit["registered"] for _, unit in pairs]),
            "end_utc_ns": _date_ns([unit["deregistered"] for _, unit in pairs]),
            "retired": [unit["status_id"] == "retired" for _, unit in pairs],
        }
    )


def _plants(stations: list[dict[str, Any]], units: pd.DataFrame) -> pd.DataFrame:
    """Stations; fuel and capacity are those of the units that are not retired, or of all where all are."""
    power = units.assign(mw=pd.to_numeric(units["capacity_word"], errors="coerce").fillna(0.0))
    serving = power[~power["retired"] | power.groupby("source_id")["retired"].transform("all")]
    by_fuel = serving.groupby(["source_id", "fuel_word"])["mw"].sum().sort_values(kind="stable").reset_index()
    fuel = by_fuel.drop_duplicates("source_id", keep="last").set_index("source_id")["fuel_word"].to_dict()
    total = power[~power["retired"]].groupby("source_id")["mw"].sum().to_dict()
    code = pd.Series([row["code"] for row in stations], dtype="object")
    places = [row["location"] or {} for row in stations]
    word = code.map(lambda name: fuel.get(name, ""))
    return pd.DataFrame(
        {
            "source_id": code,
            "name": [row["name"] or row["code"] for row in stations],
            "country_word": [place.get("country") or "" for place in places],
            "lat": [place.get("lat") for place in places],
            "lon": [place.get("lng") for place in places],
            "capacity_word": code.map(lambda name: _text(total.get(name))),
            "fuel_word": word,
            "fuel": mapped(word, FUEL_WORDS),
        }
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _date_ns(dates: list[str | None]) -> "pd.Series[int]":
    days = pd.to_datetime(pd.Series(dates, dtype="object"), errors="coerce", utc=True).dt.tz_localize(None)
    ns = days.fillna(pd.Timestamp(0)).to_numpy().astype("datetime64[ns]").astype("int64")
    return pd.Series(ns, dtype="Int64").where(days.notna(), pd.NA)


def _consumer(code: str) -> dict[str, str]:
    return {
        "entity": "unit",
        "source_id": code,
        "kind": "quarantined",
        "attribute": "fuel",
        "reason": f"draws power and generates none ({', '.join(DRAWING)})",
    }

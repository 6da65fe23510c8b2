"""Electricity of countries by source and year, as Our World in Data publishes it from Ember and BP.

Sources: Our World in Data, 'Electricity mix' (columns such as 'Electricity from coal (TWh)') and its energy data set
(columns such as `coal_electricity`), TWh a calendar year, whose edges are taken in UTC. Bioenergy and the other
renewables are `other`. Which columns are sums of others is data below: they are read to be checked, never added.
Rows of continents, groups of incomes and states that are no more are left out and counted.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.io.energy.reading import EnergyReading, EnergyRules, lines_of, notes_of, origin_of, reading_of
from carbonray.io.energy.region_names import is_country, region_name
from carbonray.io.text_tables import NEVER_NS, Aliases, csv_chunks, faults, numbers
from carbonray.vocab.energy import SOURCES

GWH_PER_TWH = 1e3
PUBLISHER = "Our World in Data"

_COLUMNS: Aliases = {
    "region": ("country", "entity"),
    "year": ("year",),
    "coal": ("electricityfromcoaltwh", "coalelectricity"),
    "gas": ("electricityfromgastwh", "gaselectricity"),
    "oil": ("electricityfromoiltwh", "oilelectricity"),
    "nuclear": ("electricityfromnucleartwh", "nuclearelectricity"),
    "hydro": ("electricityfromhydrotwh", "hydroelectricity"),
    "solar": ("electricityfromsolartwh", "solarelectricity"),
    "wind": ("electricityfromwindtwh", "windelectricity"),
    "bioenergy": ("electricityfrombioenergytwh", "biofuelelectricity"),
    "remainder": (
        "electricityfromotherrenewablesexcludingbioenergytwh",
        "otherrenewableexcbiofuelelectricity",
        "otherrenewablesexcbiofuelelectricity",
    ),
    "other": (
        "electricityfromotherrenewablesincludingbioenergytwh",
        "otherrenewableelectricity",
        "otherrenewableselectricity",
    ),
    "generation": ("electricitygenerationtwh", "electricitygeneration"),
}
_REQUIRED = ("region", "year", *(name for name in SOURCES if name != "other"))
_AMOUNTS = (*SOURCES, "bioenergy", "remainder", "generation")

# columns that the publisher adds up from others; fossil, renewable and low-carbon electricity are not even read
SUMS: Mapping[str, tuple[str, ...]] = {"other": ("bioenergy", "remainder"), "generation": SOURCES}


def read_owid(url: str, rules: EnergyRules, data_tier: str) -> EnergyReading:
    """One table of yearly electricity by source.

    A source that a year does not give has no record, and a note; a year whose sources do not add up to what is said of
    all of them is refused.

    Raises:
        DataError: the file is no such table.
        TransportError: it could not be moved.
    """
    lines = lines_of((_lines(chunk, rules) for chunk in csv_chunks(url, _COLUMNS, _REQUIRED, rules.chunk_bytes)), url)
    foreign = ~lines["region"].map(is_country) & lines["region"].ne("")
    good = lines[~foreign & (lines["fault"] == "")]
    bad = lines[~foreign & (lines["fault"] != "")]
    named = good.assign(region=good["region"].map(region_name))
    records = named.melt(["region", "start_ns", "end_ns"], list(SOURCES), "name", "value")
    unknown = records[records["value"].isna()]
    notes = [
        notes_of(lines[foreign].assign(note="no country"), left_out=True),
        notes_of(unknown.assign(note=unknown["name"] + " not given"), left_out=False),
    ]
    return reading_of(
        origin_of(PUBLISHER, url, data_tier),
        records=records[records["value"].notna()].assign(kind="energy"),
        refused=bad.assign(name="", region=bad["region"].map(region_name), reason=bad["fault"]),
        notes=pd.concat(notes, ignore_index=True),
        read=len(lines),
        kept=len(good),
    )


def _lines(chunk: pd.DataFrame, rules: EnergyRules) -> pd.DataFrame:
    year, bad_year = numbers(chunk["year"])
    bad_year |= ~((year >= 1900) & (year < 2200) & (year % 1 == 0))
    read = {name: numbers(chunk[name]) for name in _AMOUNTS}
    amounts = {name: values for name, (values, _) in read.items()}
    unlike = {name: _differs(amounts, name, rules) for name in SUMS}
    both = amounts["bioenergy"] + amounts["remainder"]
    amounts["other"] = np.where(np.isnan(amounts["other"]), both, amounts["other"])
    return pd.DataFrame(
        {
            "line": chunk["line"].to_numpy(),
            "region": chunk["region"].to_numpy(),
            "start_ns": _year_ns(year, bad_year),
            "end_ns": _year_ns(year + 1, bad_year),
            **{name: amounts[name] * GWH_PER_TWH for name in SOURCES},
            "fault": faults(
                chunk,
                ((chunk["region"] == "").to_numpy(), "region: missing", chunk["region"]),
                (bad_year, "time: no year", chunk["year"]),
                *((bad, f"{name}: no number", chunk[name]) for name, (_, bad) in read.items()),
                *((bad, f"{name}: not the sum of its parts, TWh", chunk[name]) for name, bad in unlike.items()),
            ),
        }
    )


def _differs(amounts: Mapping[str, NDArray[np.float64]], name: str, rules: EnergyRules) -> NDArray[np.bool_]:
    """(line,) whether a published sum is another than that of its parts, where all of them are given."""
    parts = np.stack([amounts[part] for part in SUMS[name]]).sum(axis=0)
    allowed = rules.total_tolerance * np.abs(amounts[name]) + rules.rounding
    return np.asarray(np.abs(parts - amounts[name]) > allowed)


def _year_ns(year: NDArray[np.float64], bad: NDArray[np.bool_]) -> NDArray[np.int64]:
    years = (np.where(bad, 1970, year).astype(np.int64) - 1970).astype("datetime64[Y]")
    return np.where(bad, NEVER_NS, years.astype("datetime64[ns]").astype(np.int64))

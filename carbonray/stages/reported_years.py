"""Reported generation and CO2 of plants by calendar year, and what a country's plants of a fuel give on average.

Sources: SCIENCE 4.10 (generation over capacity times hours of every plant of a fuel and country, each year), plume
paper sections 4.3 and A.5. A record counts in a year with the part of its time that lies in it, so that fiscal years
are shared out evenly over their months. Fuels count by family, as national statistics do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.io.text_tables import csv_chunks, numbers
from carbonray.science.power.annual import country_fuel_capacity_factor
from carbonray.science.power.capacity_factor import first_day, hours_in_year
from carbonray.science.power.label_rules import LabelRules, Records
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS
from carbonray.stages.generation_folds import LEAST_YEAR
from carbonray.stages.plant_generation import plant_records
from carbonray.vocab.plants import FUELS

Floats = NDArray[np.float64]

STATISTICS, OTHER_PLANTS = "country-fuel mean, national statistics", "country-fuel mean of other plants"
_YEAR = ["plant_id", "year"]
_AMOUNTS = ["generation_mwh", "emissions_t_co2", "capacity_mwh"]
_COLUMNS = {
    "country": ("country",), "fuel": ("fuel",), "year": ("year",), "generation": ("generationmwh",),
    "capacity": ("capacitymw",),
}  # fmt: skip
_CHUNK_BYTES = 2**20


def reported_years(
    reported: Iterable[pa.Table], units: pa.Table, years: Sequence[int], labels: LabelRules | None = None
) -> pd.DataFrame:
    """A row a plant and year whose generation is known for at least `LEAST_YEAR` of it.

    Args:
        reported: tables of schema `REPORTED`, each with all rows of its plants.
        units: schema `UNITS`, of all plants.
        years: calendar years.
        labels: which capacity factors of a year are implausible; such years have no row.

    Returns:
        `plant_id`, `year`, `generation_mwh` and `emissions_t_co2` of the whole year (the known part scaled up; CO2 is
        NaN where too little is known), `capacity_mwh`, which the plant's capacity gives in the year.
    """
    rules, parts = labels or LabelRules(), []
    for table in reported:
        generation = plant_records(table, units)
        parts.append(_years_of(generation.plant_id, generation.records, _emitted(table, units), years))
    kinds = {"plant_id": object, "year": np.int64} | dict.fromkeys(_AMOUNTS, np.float64)
    rows = pd.concat([pd.DataFrame(columns=list(kinds)), *parts], ignore_index=True).astype(kinds)
    factor = rows["generation_mwh"] / rows["capacity_mwh"]
    believed = (factor >= rules.min_capacity_factor) & (factor <= rules.max_capacity_factor)
    return rows[believed.to_numpy(np.bool_)].reset_index(drop=True)


@dataclass(frozen=True)
class CountryFuel:
    """What a country's plants of a fuel give on average, for the baseline of the annual tables.

    Attributes:
        plants: of other plants: `plant_id`, `country`, `family`, `year`, `generation_mwh`, `capacity_mwh`.
        statistics: (country, family, year) -> capacity factor, empty where no statistics were given.
    """

    plants: pd.DataFrame
    statistics: "pd.Series[float]"

    @property
    def name(self) -> str:
        """What it is made of."""
        return STATISTICS if len(self.statistics) else OTHER_PLANTS

    def __call__(self, asked: pd.DataFrame) -> Floats:
        """(row,) capacity factors for rows with `plant_id`, `country`, `family`, `year`.

        Where statistics do not speak of a country, fuel and year, it is the mean of all other plants of these; where
        there are none, of the fuel and year anywhere, then of the year; NaN where nobody else reports.
        """
        found = self.statistics.reindex(pd.MultiIndex.from_frame(asked[["country", "family", "year"]])).to_numpy(float)
        for by in (["country", "family", "year"], ["family", "year"], ["year"]):
            found = np.where(np.isfinite(found), found, self._others(asked, by))
        return np.asarray(found, np.float64)

    def _others(self, asked: pd.DataFrame, by: list[str]) -> Floats:
        """Mean of all plants of a group but the asked one."""
        amounts = ["generation_mwh", "capacity_mwh"]
        whole = self.plants.groupby(by)[amounts].sum().reindex(_index(asked, by)).fillna(0.0)
        own = (
            self.plants.groupby(["plant_id", *by])[amounts].sum().reindex(_index(asked, ["plant_id", *by])).fillna(0.0)
        )
        rest = whole.to_numpy(np.float64) - own.to_numpy(np.float64)
        # a difference of sums that ought to be nothing may be a little more
        some = rest[:, 1] > 1e-9 * whole.to_numpy(np.float64)[:, 1]
        mean: Floats = np.divide(rest[:, 0], rest[:, 1], out=np.full(len(asked), np.nan), where=some)
        return mean


def country_fuel(reported: pd.DataFrame, plants: pa.Table, statistics: pd.DataFrame | None = None) -> CountryFuel:
    """The baseline.

    Args:
        reported: `reported_years`, of every plant there is.
        plants: schema `PLANTS`: a plant's generation is that of its main fuel.
        statistics: `national_statistics`.
    """
    known = plants.select(["plant_id", "country", "primary_fuel"]).to_pandas()
    known["family"] = families(known["primary_fuel"])
    rows = reported.merge(known[["plant_id", "country", "family"]], on="plant_id")
    if statistics is None or not len(statistics):
        nothing = pd.MultiIndex.from_arrays([[], [], []], names=["country", "family", "year"])
        return CountryFuel(rows, pd.Series(np.zeros(0), nothing))
    group = statistics.groupby(["country", "family", "year"])
    number, keys = group.ngroup().to_numpy(), group.size().index
    amounts = (statistics["generation_mwh"], statistics["capacity_mw"], hours_in_year(statistics["year"].to_numpy()))
    return CountryFuel(rows, pd.Series(country_fuel_capacity_factor(number, len(keys), *amounts), keys))


def families(fuels: "pd.Series[str]") -> "pd.Series[str]":
    """Family of each fuel; a word that is no fuel is a family already."""
    return fuels.map(lambda fuel: FUELS[fuel].family if fuel in FUELS else fuel)


def national_statistics(url: str) -> pd.DataFrame:
    """Generation and capacity of countries by fuel and year.

    Args:
        url: CSV with `country` (ISO3), `fuel` (of `vocab.plants`, or a family), `year`, `generation_mwh` and
            `capacity_mw`.

    Raises:
        DataError: it is no such table.
        TransportError: it could not be moved.
    """
    cells = pd.concat(csv_chunks(url, _COLUMNS, tuple(_COLUMNS), _CHUNK_BYTES), ignore_index=True)
    year, generation, capacity = (numbers(cells[name])[0] for name in ("year", "generation", "capacity"))
    rows = pd.DataFrame(
        {
            "country": cells["country"], "family": families(cells["fuel"]), "year": year,
            "generation_mwh": generation, "capacity_mw": capacity,
        }
    )  # fmt: skip
    return rows[np.isfinite(year)].astype({"year": np.int64})


def _emitted(reported: pa.Table, units: pa.Table) -> Records | None:
    """Tons as generation, so that units add up under the same rules; None where nobody reports any."""
    tons = reported.column("emissions_t_co2")
    if not np.isfinite(tons.to_numpy()).any():
        return None
    at = reported.schema.get_field_index("generation_mwh")
    return plant_records(reported.set_column(at, reported.schema.field(at), tons), units).records


def _years_of(
    plant: NDArray[np.object_], generation: Records, emitted: Records | None, years: Sequence[int]
) -> pd.DataFrame:
    """Sums of every plant and year."""
    rows, nothing = [], [np.zeros(len(plant))] * 3
    for year in years:
        hours = float(hours_in_year(year))
        sums = _sums(generation, generation.generation_mwh, year, len(plant))
        tons = nothing if emitted is None else _sums(emitted, emitted.generation_mwh, year, len(plant))
        for number in np.flatnonzero(sums[0] >= LEAST_YEAR * hours).tolist():
            share, told = sums[0][number] / hours, tons[0][number] / hours
            tons_of_year = tons[1][number] / told if told >= LEAST_YEAR else np.nan
            rows.append((plant[number], year, sums[1][number] / share, tons_of_year, sums[2][number] / share))
    return pd.DataFrame(rows, columns=[*_YEAR, *_AMOUNTS])


def _sums(records: Records, amount: Floats, year: int, n_plants: int) -> list[Floats]:
    """(plant,) hours that are known of a year, the amount in them, and MWh that the capacity gives in them."""
    begin, after = (int(first_day(at)) * DAY_NS for at in (year, year + 1))
    inside = np.minimum(records.end_utc_ns, after) - np.maximum(records.start_utc_ns, begin)
    hours = np.maximum(inside, 0) / HOUR_NS
    known = np.isfinite(amount) & np.isfinite(records.capacity_mw) & (hours > 0)
    share = inside / (records.end_utc_ns - records.start_utc_ns)
    columns = (hours, amount * share, records.capacity_mw * hours)
    sums = (np.bincount(records.plant[known], column[known], minlength=n_plants) for column in columns)
    return [of.astype(np.float64) for of in sums]


def _index(asked: pd.DataFrame, by: list[str]) -> pd.Index:
    return pd.MultiIndex.from_frame(asked[by]) if len(by) > 1 else pd.Index(asked[by[0]])

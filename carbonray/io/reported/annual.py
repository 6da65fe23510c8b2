"""Annual generation and emissions of plants, by calendar or fiscal year, in the layouts of their publishers.

Sources: WRI's collection of reported generation (about 2014: USA, Argentina, Egypt, Brazil, India), EPA eGRID 2014
(sheet PLNT14), and a plain layout of our own names. A fiscal year is named by the calendar year it begins in and starts
with a month of its country; the edges of a year are taken in UTC. eGRID's generation is its capacity factor (three
digits) times its capacity and the hours of the year, its CO2 the CO2 equivalent with CH4 and N2O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import SettingsError
from carbonray.io.inventory.countries import ISO3
from carbonray.io.reported.campd import T_PER_SHORT_TON
from carbonray.io.reported.checks import checked
from carbonray.io.reported.reading import SITES, ReportedReading, ReportedRules, SourceFacts, frame_of
from carbonray.io.text_tables import NEVER_NS, Aliases, csv_chunks, faults, numbers, sheet
from carbonray.science.power.capacity_factor import hours_in_year

_PLAIN: Aliases = {
    "plant": ("sourceid", "plantid", "id"),
    "name": ("name", "plantname"),
    "country": ("country",),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "longitude"),
    "capacity": ("capacitymw",),
    "year": ("year",),
    "month": ("startmonth", "fiscalstartmonth"),
    "generation": ("generationmwh",),
    "factor": ("capacityfactor",),
    "emissions": ("emissionstco2",),
}


@dataclass(frozen=True)
class AnnualLayout:
    """How a publisher lays its annual table out.

    Attributes:
        source: who reports.
        columns: our names -> theirs, made plain.
        required: of our names.
        year: calendar year in which the years of a file without a year column begin.
        t_per_ton: tons of the emissions column.
        country: of files that name none.
    """

    source: str
    columns: Aliases
    required: tuple[str, ...]
    year: int | None = None
    t_per_ton: float = 1.0
    country: str = ""


LAYOUTS: Mapping[str, AnnualLayout] = {
    "wri": AnnualLayout(
        source="WRI",
        columns={
            **_PLAIN,
            "plant": ("plantcode",),
            "name": ("plantname",),
            "capacity": ("totalcapacitymw",),
            "generation": ("netgenerationmwh",),
        },
        required=("plant", "country", "capacity", "generation"),
        year=2014,
    ),
    "egrid": AnnualLayout(
        source="EGRID",
        columns={
            **_PLAIN,
            "plant": ("seqplt14",),
            "name": ("pname",),
            "lat": ("lat",),
            "lon": ("lon",),
            "capacity": ("namepcap",),
            "factor": ("capfac",),
            "emissions": ("plco2eqa",),
        },
        required=("plant", "capacity", "factor", "emissions"),
        year=2014,
        t_per_ton=T_PER_SHORT_TON,
        country="USA",
    ),
    "annual": AnnualLayout(source="ANNUAL", columns=_PLAIN, required=("plant", "year")),
}


@dataclass(frozen=True)
class FiscalYears:
    """Months in which fiscal years begin, by country; January elsewhere.

    Attributes:
        start_month: India and Australia [paper, appendix A.5]; Egypt's electricity reports run from July (inferred).
    """

    start_month: Mapping[str, int] = field(default_factory=lambda: {"IND": 4, "AUS": 7, "EGY": 7})


def read_annual(
    url: str, layout: AnnualLayout, rules: ReportedRules, facts: SourceFacts, fiscal: FiscalYears | None = None
) -> ReportedReading:
    """One annual table, CSV or workbook, with its sites.

    Raises:
        DataError: the file is not of this layout.
        SettingsError: nothing says which year it is of.
        TransportError: it could not be moved.
    """
    if url.casefold().endswith((".xlsx", ".xls", ".xlsb", ".ods")):
        cells = sheet(url, layout.columns, layout.required)
    else:
        cells = pd.concat(csv_chunks(url, layout.columns, layout.required, rules.chunk_bytes), ignore_index=True)
    country = cells["country"].where(cells["country"] != "", layout.country)
    cells["country"] = country.map(dict(ISO3)).fillna("")
    rows = _years(cells, layout, facts, fiscal or FiscalYears(), url)
    return checked(layout.source, [rows], rules, facts, _sites(cells, layout.source))


def _years(
    cells: pd.DataFrame, layout: AnnualLayout, facts: SourceFacts, fiscal: FiscalYears, url: str
) -> pd.DataFrame:
    year, bad_year = _calendar_years(cells, layout, facts, url)
    month, bad_month = numbers(cells["month"])
    usual = cells["country"].map(dict(fiscal.start_month)).fillna(1).to_numpy(np.float64)
    month = np.where(np.isnan(month), usual, month)
    bad_month |= ~np.isin(month, np.arange(1, 13))
    capacity, bad_capacity = numbers(cells["capacity"])
    factor, bad_factor = numbers(cells["factor"])
    generation, bad_generation = numbers(cells["generation"])
    emissions, bad_emissions = numbers(cells["emissions"])
    timed = ~bad_year & ~bad_month
    safe_year, safe_month = np.where(timed, year, 2000).astype(np.int64), np.where(timed, month, 1).astype(np.int64)
    return frame_of(
        line=cells["line"],
        source_id=cells["plant"],
        start_utc_ns=np.where(timed, _month_ns(safe_year, safe_month), NEVER_NS),
        end_utc_ns=np.where(timed, _month_ns(safe_year + 1, safe_month), NEVER_NS),
        generation_mwh=np.where(np.isnan(generation), factor * capacity * hours_in_year(safe_year), generation),
        emissions_t_co2=emissions * layout.t_per_ton,
        capacity_mw=np.where(capacity > 0, capacity, np.nan),
        fault=faults(
            cells,
            (bad_year, "time: no year", cells["year"]),
            (bad_month, "time: no month", cells["month"]),
            (bad_capacity, "capacity: no number", cells["capacity"]),
            (capacity < 0, "capacity: negative", cells["capacity"]),
            (bad_generation, "generation: no number", cells["generation"]),
            (bad_factor, "capacity factor: no number", cells["factor"]),
            (bad_emissions, "emissions: no number", cells["emissions"]),
        ),
    )


def _calendar_years(
    cells: pd.DataFrame, layout: AnnualLayout, facts: SourceFacts, url: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The year each row begins in: the row's, else the file's, else the layout's."""
    year, bad = numbers(cells["year"])
    whole = facts.year or layout.year
    if whole is None and (cells["year"] == "").all():
        raise SettingsError(
            "nothing says which year the table is of",
            where=url,
            expected="a column year, or the year beside the file",
            remedy="Give the calendar year in which its years begin.",
        )
    year = np.where(np.isnan(year) & ~bad, np.nan if whole is None else whole, year)
    return year, bad | ~((year >= 1950) & (year < 2200) & (year % 1 == 0))


def _month_ns(year: NDArray[np.int64], month: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first instant of a month."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return np.asarray(months.astype("datetime64[ns]").astype(np.int64))


def _sites(cells: pd.DataFrame, source: str) -> pa.Table:
    """Every plant once, as its first row has it; places that are not WGS 84 are unknown."""
    first = cells[(cells["plant"] != "") & ~cells["plant"].duplicated()]
    lat, lon, capacity = (numbers(first[name])[0] for name in ("lat", "lon", "capacity"))
    placed = (np.abs(lat) <= 90) & (np.abs(lon) <= 180)
    columns = {
        "source": [source] * len(first),
        "source_id": first["plant"].to_list(),
        "name": first["name"].to_list(),
        "country": first["country"].to_list(),
        "lat": np.where(placed, lat, np.nan),
        "lon": np.where(placed, lon, np.nan),
        "capacity_mw": capacity,
    }
    return pa.table(columns, schema=SITES)

"""The fleet's generation and weather as agencies publish them: a file a plant and year, in the agency's time and units.

Sources: the layouts of EPA CAMPD (hourly emissions), ENTSO-E (actual generation per generation unit), AEMO (unit
SCADA), EPIAS (real-time generation) and India's daily generation report, as `carbonray.io.reported` describes them;
hourly weather by place, in the columns of `vocab.plant_tables.PLANT_WEATHER`. A year is that of the agency's clock.
What reports leave out or get wrong is drawn from a stream of its own; numbers are inferred.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.synthetic.dispatch import FleetGeneration
from carbonray.synthetic.fleet_plants import FleetPlant
from carbonray.synthetic.fleet_regions import REGIONS
from carbonray.synthetic.fleet_weather import FleetWeather
from carbonray.synthetic.fleet_words import plant_code, unit_code
from carbonray.vocab.plant_tables import PLANT_WEATHER

Floats = NDArray[np.float64]
WEATHER_COLUMNS = tuple(name for name in PLANT_WEATHER.names if name not in ("plant_id", "time_utc_ns"))
_DAY_H = 24
_SHORT_TON_T = 0.90718474  # NIST SP 811
_LB_KG = 0.45359237
_NEM_STEPS = 12  # five-minute intervals an hour
_EPIAS_SINCE = np.datetime64("2016-03-27T01", "ns")  # from then on Turkey keeps one time all year
_STATES = MappingProxyType({-5.0: "OH", -6.0: "IA"})  # states that keep the region's standard time throughout
_EIA_FUELS = MappingProxyType({"bituminous": "Coal", "subbituminous": "Coal", "lignite": "Coal", "gas": "Natural Gas"})


@dataclass(frozen=True)
class ReportRules:
    """What is wrong with reports; numbers are inferred.

    Attributes:
        lost_day_share: days of a plant without any line.
        false_zero_share: days of a plant that are reported as zero although it ran.
    """

    lost_day_share: float = 0.004
    false_zero_share: float = 0.002


@dataclass(frozen=True)
class Reported:
    """Generation as it is reported, cut to one year of the agency's clock.

    Attributes:
        local: (hour,) starts by that clock.
        power_mw: (unit, hour), NaN in hours without a line.
        capacity_mw: (unit, hour) installed.
    """

    local: NDArray[np.datetime64]
    power_mw: Floats
    capacity_mw: Floats


def generation_report(
    rules: ReportRules, plant: FleetPlant, generation: FleetGeneration, year: int, rng: np.random.Generator
) -> tuple[str, bytes]:
    """File name and bytes of a year of generation, in the layout of the plant's region.

    Args:
        rules: what is wrong with reports.
        plant: whose units run.
        generation: their true power.
        year: of the agency's clock.
        rng: the plant's generator for reports; the same for every year.
    """
    layout = REGIONS[plant.region].reports
    reported = _reported(rules, plant, generation, year, rng)
    return f"{layout}_{plant.plant_id}_{year}.csv", REPORTS[layout](plant, reported)


def weather_parquet(plant: FleetPlant, weather: FleetWeather, year: int) -> tuple[str, bytes]:
    """File name and Parquet bytes of a UTC year of hourly weather at a plant's place, as a weather service sells it."""
    inside = _year(weather.time_utc_ns.astype("datetime64[ns]")) == year
    columns = {name: getattr(weather, name)[inside].astype(np.float32) for name in WEATHER_COLUMNS}
    place = {"lat": _same(plant.lat, weather.time_utc_ns[inside]), "lon": _same(plant.lon, weather.time_utc_ns[inside])}
    table = pa.table(place | {"time_utc_ns": weather.time_utc_ns[inside]} | columns)
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"data_tier": plant.data_tier}), buffer, compression="zstd")
    return f"weather_{plant.plant_id}_{year}.parquet", buffer.getvalue()


def _reported(
    rules: ReportRules, plant: FleetPlant, generation: FleetGeneration, year: int, rng: np.random.Generator
) -> Reported:
    region = REGIONS[plant.region]
    offset = 0.0 if region.reports == "entsoe" else region.utc_offset_h
    local_h = generation.time_utc_ns / HOUR_NS + offset
    days = np.floor(local_h / _DAY_H).astype(np.int64)
    lots = rng.random(days[-1] - days[0] + 1)[days - days[0]]
    honest = plant.data_tier == "SYNTHETIC-T0"
    lost = (lots < rules.lost_day_share) & (not honest)
    zero = (lots > 1 - rules.false_zero_share) & (not honest)
    power = np.where(lost, np.nan, np.where(zero, 0.0, generation.power_mw))
    local = (generation.time_utc_ns + int(offset * HOUR_NS)).astype("datetime64[ns]")
    # where clocks are half an hour off, the hour across New Year belongs to both years
    last: NDArray[np.datetime64] = np.asarray(local + np.timedelta64(59, "m"))
    inside = (_year(local) == year) | (_year(last) == year)
    return Reported(local[inside], power[:, inside], generation.capacity_mw[:, inside])


def _campd(plant: FleetPlant, reported: Reported) -> bytes:
    """Hour-beginning in local standard time; load is empty while a unit stands still, CO2 in short tons."""
    parts = []
    days, hours = _days_hours(reported.local)
    for unit, power in zip(plant.units, reported.power_mw, strict=True):
        there = np.isfinite(power)
        running = power[there] > 0
        load = pa.array(power[there].round(1), mask=~running)
        tons = pa.array((power[there] * unit.intensity_t_per_mwh / _SHORT_TON_T).round(3), mask=~running)
        pounds = pa.array((power[there] * unit.nox_kg_per_mwh / _LB_KG).round(3), mask=~running)
        parts.append(
            pa.table(
                {
                    "State": _same(_STATES[REGIONS[plant.region].utc_offset_h], there),
                    "Facility Name": _same(plant.name, there),
                    "Facility ID": _same(plant_code(plant), there),
                    "Unit ID": _same(unit_code(plant, unit), there),
                    "Date": days[there],
                    "Hour": hours[there],
                    "Operating Time": running.astype(float),
                    "Gross Load (MW)": load,
                    "CO2 Mass (short tons)": tons,
                    "NOx Mass (lbs)": pounds,
                    "Primary Fuel Type": _same(_EIA_FUELS[unit.fuel], there),
                }
            )
        )
    return _csv(pa.concat_tables(parts))


def _entsoe(plant: FleetPlant, reported: Reported) -> bytes:
    """Hour-beginning in UTC, net MW, tab between columns."""
    parts = []
    moments = _text(reported.local)
    for unit, power, installed in zip(plant.units, reported.power_mw, reported.capacity_mw, strict=True):
        there = np.isfinite(power)
        parts.append(
            pa.table(
                {
                    "DateTime": moments[there],
                    "ResolutionCode": _same("PT60M", there),
                    "AreaTypeCode": _same("CTY", there),
                    "AreaName": _same(plant.country, there),
                    "MapCode": _same(plant.country, there),
                    "GenerationUnitEIC": _same(unit_code(plant, unit), there),
                    "PowerSystemResourceName": _same(f"{plant.name} {unit.name}", there),
                    "ActualGenerationOutput": power[there].round(2),
                    "ActualConsumption": pa.nulls(int(there.sum()), pa.float64()),
                    "InstalledGenCapacity": installed[there],
                }
            )
        )
    return _csv(pa.concat_tables(parts), "\t")


def _nem(plant: FleetPlant, reported: Reported) -> bytes:
    """Five-minute power, each interval named by its end in market time."""
    parts = []
    ends = reported.local[:, None] + np.arange(1, _NEM_STEPS + 1) * np.timedelta64(60 // _NEM_STEPS, "m")
    for unit, power in zip(plant.units, reported.power_mw, strict=True):
        there = np.isfinite(power)
        moments = _text(ends[there].ravel())
        steps = np.repeat(power[there].round(5), _NEM_STEPS)
        code = np.full(steps.size, unit_code(plant, unit))
        parts.append(pa.table({"trading_interval": moments, "facility_code": code, "generated": steps}))
    return _csv(pa.concat_tables(parts))


def _epias(plant: FleetPlant, reported: Reported) -> bytes:
    """Plant totals by hour of Turkey's time, decimal comma, since that time has no summer."""
    total = reported.power_mw.sum(axis=0)
    kept = np.isfinite(total) & (reported.local >= _EPIAS_SINCE + np.timedelta64(3, "h"))
    moments = reported.local[kept].astype("datetime64[m]").astype(object)
    figures = np.char.replace(np.char.mod("%.2f", total[kept]), ".", ",")
    table = pa.table(
        {
            "Tarih": [f"{moment:%d.%m.%Y}" for moment in moments],
            "Saat": [f"{moment:%H:%M}" for moment in moments],
            "Santral": _same(plant.name, total[kept]),
            "Toplam": figures,
        }
    )
    return _csv(table, ";")


def _india(plant: FleetPlant, reported: Reported) -> bytes:
    """Plant totals by day of Indian time, million units; the clock is half an hour off the fleet's hours."""
    total = reported.power_mw.sum(axis=0)
    day = reported.local.astype("datetime64[D]")
    days, place = np.unique(day, return_inverse=True)
    before = np.append(day[1:] > day[:-1], False) * 0.5  # half of the hour across midnight belongs to the next day
    energy = np.bincount(place, total * (1 - before)) + np.append(np.nan, np.bincount(place, total * before)[:-1])
    whole = np.isfinite(energy) & (np.bincount(place) == _DAY_H)
    installed = reported.capacity_mw.sum(axis=0)
    table = pa.table(
        {
            "Date": np.datetime_as_string(days[whole]),
            "Name of the Station": _same(plant.name, days[whole]),
            "Monitored Cap (MW)": np.round(np.bincount(place, installed)[whole] / _DAY_H, 1),
            "Today's Actual (MU)": np.round(energy[whole] / 1e3, 5),
        }
    )
    return _csv(table)


def _year(moments: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return moments.astype("datetime64[Y]").astype(np.int64) + 1970


def _days_hours(local: NDArray[np.datetime64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    day = local.astype("datetime64[D]")
    return np.datetime_as_string(day), (local - day).astype("timedelta64[h]").astype(np.int64)


def _text(moments: NDArray[np.datetime64]) -> NDArray[Any]:
    """Times as `YYYY-MM-DD hh:mm:ss`."""
    return np.char.replace(np.datetime_as_string(moments, unit="s"), "T", " ")


def _same(value: object, rows: NDArray[Any]) -> pa.Array:
    """A column of one value, as long as there are rows (or rows that hold)."""
    length = int(rows.sum()) if rows.dtype == bool else rows.size
    return pa.repeat(value, length)


def _csv(table: pa.Table, delimiter: str = ",") -> bytes:
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(table, buffer, pyarrow.csv.WriteOptions(delimiter=delimiter))
    return buffer.getvalue()


# layout -> its writer, by the names of `fleet_regions.FleetRegion.reports`
REPORTS: Mapping[str, Callable[[FleetPlant, Reported], bytes]] = MappingProxyType(
    {"campd": _campd, "entsoe": _entsoe, "nem": _nem, "epias": _epias, "india": _india}
)

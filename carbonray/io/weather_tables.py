"""Weather at power stations from tables: by plant, or by the place of a station or grid point near it.

Source: tables of weather services (the paper bought World Weather Online's). A column's name says its unit: see
`ALIASES`. Times are UTC where they name no offset. Rows that are bad are set aside with their reason; rows of places
that serve no plant are counted.
"""

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.plant_weather import ZERO_C_K, PlantWeatherRules, Sites, relative_humidity_pct
from carbonray.io.text_tables import (
    CHUNK_BYTES,
    NEVER_NS,
    Aliases,
    csv_chunks,
    faults,
    instants_ns,
    named_cells,
    numbers,
)
from carbonray.science.spatial.geodesy import distance_km
from carbonray.vocab.columns import column
from carbonray.vocab.plant_tables import PLANT_WEATHER

# our name -> names in tables, made plain
ALIASES: Aliases = {
    "plant": ("plantid", "plant"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "longitude", "lng"),
    "time": ("time", "timeutc", "datetime", "datetimeutc", "timestamp", "date", "validtime"),
    "time_ns": ("timeutcns",),
    "celsius": ("temperaturec", "tempc", "tc", "airtemperaturec", "t2mc"),
    "kelvin": ("temperaturek", "tempk", "tk", "t2m", "t2mk"),
    "dewpoint_celsius": ("dewpointc", "dewpointtemperaturec", "d2mc", "tdc"),
    "dewpoint_kelvin": ("dewpointk", "d2m", "d2mk", "tdk"),
    "humidity": ("relativehumiditypct", "relativehumidity", "rh", "rhpct", "humidity"),
    "wind_u": ("windums", "u10", "u10ms"),
    "wind_v": ("windvms", "v10", "v10ms"),
    "cloud": ("cloudcover", "tcc"),
}
COLDEST_C, HOTTEST_C = -90.0, 60.0  # beyond the records (WMO: -89.2 and 56.7 C): another unit, or no measurement

SET_ASIDE = pa.schema(
    [
        column("line", pa.int64(), "1", "line of data in the file, from 1"),
        column("place", pa.string(), "1", "plant, or latitude and longitude, as read"),
        column("reason", pa.string(), "1", "fault: what was found"),
    ]
)


@dataclass(frozen=True)
class WeatherReading:
    """`weather` has schema `PLANT_WEATHER`, sorted by plant and time; `set_aside` has schema `SET_ASIDE`.

    Attributes:
        weather: rows of the plants asked for.
        set_aside: bad rows.
        unplaced: good rows of plants that were not asked for, or of places too far from any plant.
    """

    weather: pa.Table
    set_aside: pa.Table
    unplaced: int


def read_weather_table(
    url: str, sites: Sites, rules: PlantWeatherRules, chunk_bytes: int = CHUNK_BYTES
) -> WeatherReading:
    """One CSV or Parquet table, by plant id, or by place: each plant has the rows of the nearest place.

    Raises:
        DataError: the file is no table, or lacks time, temperature, or both plant and place.
        TransportError: it could not be moved.
    """
    with objectstore.opened(url) as file:
        parquet = file.read(4) == b"PAR1"
    chunks = [_parquet_cells(url)] if parquet else list(csv_chunks(url, ALIASES, (), chunk_bytes))
    _require(chunks, url)
    rows = pd.concat([_rows(chunk) for chunk in chunks], ignore_index=True)
    good = rows[rows["fault"] == ""]
    rows.loc[good.index[good.duplicated(["place", "time_utc_ns"])], "fault"] = "time: appears before"
    good = rows[rows["fault"] == ""]
    chosen = _of_sites(good, sites, rules)
    bad = rows[rows["fault"] != ""]
    weather = chosen.sort_values(["plant_id", "time_utc_ns"], kind="stable")
    return WeatherReading(
        weather=pa.table(
            {f.name: pa.array(weather[f.name], type=f.type, from_pandas=False) for f in PLANT_WEATHER},
            schema=PLANT_WEATHER,
        ),
        set_aside=pa.table({"line": bad["line"], "place": bad["place"], "reason": bad["fault"]}, schema=SET_ASIDE),
        unplaced=len(good) - int(good["place"].isin(set(chosen["place"])).sum()),
    )


def _parquet_cells(url: str) -> pd.DataFrame:
    try:
        frame = pq.read_table(io.BytesIO(objectstore.read_bytes(url))).to_pandas()
    except pa.ArrowInvalid as error:
        raise _no_table(url, str(error), "a whole Parquet file") from error
    text = frame.astype(object).where(frame.notna(), "").astype(str)
    return named_cells(text, ALIASES, (), url).assign(line=np.arange(1, len(text) + 1), broken="")


def _require(chunks: list[pd.DataFrame], url: str) -> None:
    """Time, temperature, and plant or place, in any of the ways to say them."""
    known = {name for chunk in chunks for name in ALIASES if (chunk[name] != "").any()}
    if not (known & {"time", "time_ns"} and known & {"celsius", "kelvin"} and known & {"plant", "lat"}):
        raise _no_table(url, f"columns {sorted(known)} are not enough", "time, temperature, and plant or place")


def _rows(cells: pd.DataFrame) -> pd.DataFrame:
    """Numbers, and the fault of every row."""
    value, bad = {}, {}
    for name in (
        "lat",
        "lon",
        "celsius",
        "kelvin",
        "dewpoint_celsius",
        "dewpoint_kelvin",
        "humidity",
        "wind_u",
        "wind_v",
        "cloud",
    ):
        value[name], bad[name] = numbers(cells[name])
    warm = np.where(np.isnan(value["celsius"]), value["kelvin"] - ZERO_C_K, value["celsius"])
    dew = np.where(np.isnan(value["dewpoint_celsius"]), value["dewpoint_kelvin"] - ZERO_C_K, value["dewpoint_celsius"])
    humid = np.where(np.isnan(value["humidity"]), relative_humidity_pct(warm, dew), value["humidity"])
    time = np.where(cells["time_ns"] != "", _whole_ns(cells["time_ns"]), instants_ns(cells["time"], ("ISO8601",)))
    by_plant = (cells["plant"] != "").to_numpy()
    nowhere = ~by_plant & ~((np.abs(value["lat"]) <= 90) & (np.abs(value["lon"]) <= 360))
    place = cells["plant"].where(by_plant, cells["lat"] + " " + cells["lon"])
    heat = cells["celsius"].where(cells["celsius"] != "", cells["kelvin"])
    fault = faults(
        cells,
        (nowhere, "place: neither a plant nor coordinates", place),
        (time == NEVER_NS, "time: unreadable", cells["time"]),
        (bad["celsius"] | bad["kelvin"], "temperature: no number", heat),
        ((warm < COLDEST_C) | (warm > HOTTEST_C), "temperature: not on Earth in this unit", heat),
        (bad["humidity"] | (humid < 0) | (humid > 105), "humidity: not 0 to 100 %", cells["humidity"]),
        (dew > warm + 1.0, "dewpoint: above the temperature", cells["dewpoint_celsius"]),
        ((value["cloud"] < 0) | (value["cloud"] > 1), "cloud cover: not 0 to 1", cells["cloud"]),
    )
    return pd.DataFrame(
        {
            "line": cells["line"], "place": place, "by_plant": by_plant, "lat": value["lat"], "lon": value["lon"],
            "time_utc_ns": time, "temperature_c": warm, "relative_humidity_pct": np.minimum(humid, 100.0),
            "wind_u_m_s": value["wind_u"], "wind_v_m_s": value["wind_v"], "cloud_cover": value["cloud"], "fault": fault,
        }
    )  # fmt: skip


def _of_sites(rows: pd.DataFrame, sites: Sites, rules: PlantWeatherRules) -> pd.DataFrame:
    """Rows with the plants they serve: their own, or every plant that has no nearer place."""
    own = rows[rows["by_plant"]]
    own = own[own["place"].isin(set(sites.plant_id))].assign(plant_id=lambda frame: frame["place"])
    placed = rows[~rows["by_plant"]]
    spots = placed.drop_duplicates("place")
    if spots.empty or not len(sites.lat):
        return own
    away = distance_km(sites.lat[:, None], sites.lon[:, None], spots["lat"].to_numpy(), spots["lon"].to_numpy())
    nearest = away.argmin(axis=1)
    near = away[np.arange(len(nearest)), nearest] <= rules.max_distance_km
    served = pd.DataFrame({"plant_id": sites.plant_id[near], "place": spots["place"].to_numpy()[nearest[near]]})
    return pd.concat([own, placed.merge(served, on="place")], ignore_index=True)


def _whole_ns(text: "pd.Series[str]") -> NDArray[np.int64]:
    """Whole nanoseconds; float64 would lose digits."""
    whole = text.str.fullmatch(r"-?\d{1,19}")
    return np.array([int(cell) if good else NEVER_NS for cell, good in zip(text, whole, strict=True)], np.int64)


def _no_table(url: str, what: str, expected: str) -> DataError:
    return DataError(
        f"no table of weather ({what})", where=url, expected=expected, remedy="Repair the file or leave it out."
    )

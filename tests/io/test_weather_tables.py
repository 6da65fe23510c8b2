"""Weather tables by plant or by place, in the units their columns name; bad rows are named."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carbonray.errors import DataError
from carbonray.io.plant_weather import PlantWeatherRules, Sites
from carbonray.io.weather_tables import WeatherReading, read_weather_table
from carbonray.vocab.plant_tables import PLANT_WEATHER

RULES = PlantWeatherRules()
SITES = Sites(np.array(["a", "b"], dtype=object), np.array([50.0, 50.1]), np.array([10.0, 10.0]))


def read(folder: Path, text: str, **rules: float) -> WeatherReading:
    path = folder / "weather.csv"
    path.write_text(text)
    reading = read_weather_table(str(path), SITES, PlantWeatherRules(**rules))
    assert reading.weather.schema.equals(PLANT_WEATHER)
    return reading


def test_by_plant_in_celsius_and_by_place_in_kelvin(tmp_path: Path) -> None:
    by_plant = read(
        tmp_path, "plant_id,time_utc,temperature_c,relative_humidity\na,2020-01-01T00:00Z,-5,80\nz,2020-01-01,1,5\n"
    )
    row = by_plant.weather.to_pylist()
    assert [(r["plant_id"], r["temperature_c"], r["relative_humidity_pct"]) for r in row] == [("a", -5.0, 80.0)]
    assert by_plant.unplaced == 1
    text = (
        "lat,lon,datetime,temperature_k,dewpoint_k,u10\n"
        "50.0,10.01,2020-01-01 01:00:00+01:00,283.15,273.15,4\n51,10,2020-01-01,283.15,,\n"
    )
    by_place = read(tmp_path, text)
    told = by_place.weather.to_pylist()
    assert [r["plant_id"] for r in told] == ["a", "b"]  # both lie nearest to one place
    assert told[0]["relative_humidity_pct"] == pytest.approx(49.8, abs=0.2)
    assert told[0]["temperature_c"] == pytest.approx(10.0)
    assert told[0]["wind_u_m_s"] == 4.0
    assert told[0]["time_utc_ns"] == np.datetime64("2020-01-01", "ns").astype(np.int64)
    assert by_place.unplaced == 1
    assert read(tmp_path, text, max_distance_km=5.0).weather.column("plant_id").to_pylist() == ["a"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,,,2020-01-01,278.15,50,", "temperature: not on Earth in this unit"),
        ("a,,,2020-01-01,warm,50,", "temperature: no number"),
        ("a,,,yesterday,5,50,", "time: unreadable"),
        ("a,,,2020-01-01,5,120,", "humidity: not 0 to 100 %"),
        ("a,,,2020-01-01,5,-1,", "humidity: not 0 to 100 %"),
        (",95,10,2020-01-01,5,50,", "place: neither a plant nor coordinates"),
        (",,,2020-01-01,5,50,", "place: neither a plant nor coordinates"),
        ("a,,,2020-01-01,5,,7", "dewpoint: above the temperature"),
        ("a,,,2020-01-02,5,50,", "time: appears before"),
        ("a,2020-01-01,5", "line: 3 cells (expected 7)"),
    ],
)
def test_a_bad_row_is_set_aside(tmp_path: Path, row: str, reason: str) -> None:
    head = "plant_id,lat,lon,time,temperature_c,relative_humidity,dewpoint_c\na,,,2020-01-02,1,50,\n"
    reading = read(tmp_path, head + row + "\n")
    assert reading.weather.num_rows == 1
    assert [(r["line"], r["reason"].split(": '")[0]) for r in reading.set_aside.to_pylist()] == [(2, reason)]


def test_parquet_in_the_columns_of_the_schema(tmp_path: Path) -> None:
    time = np.datetime64("2020-01-01T00:00:00.123456789", "ns").astype(np.int64)
    table = pa.table(
        {
            "plant_id": ["a", "a"],
            "time_utc_ns": [int(time), int(time) + 1],
            "temperature_c": pa.array([5.0, 6.0], pa.float32()),
            "relative_humidity_pct": pa.array([np.nan, 60.0], pa.float32()),
        }
    )
    pq.write_table(table, tmp_path / "weather.parquet")
    found = read_weather_table(str(tmp_path / "weather.parquet"), SITES, RULES).weather.to_pylist()
    assert [row["time_utc_ns"] for row in found] == [time, time + 1]
    assert np.isnan(found[0]["relative_humidity_pct"])
    assert np.isnan(found[1]["cloud_cover"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plant_id,time\na,2020-01-01\n",
        "time,temperature_c\n2020-01-01,5\n",
        "PAR1 cut",
        "plant_id,temperature_c\na,5\n",
    ],
)
def test_what_is_no_weather_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError):
        read(tmp_path, text)

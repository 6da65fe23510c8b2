from pathlib import Path

import pandas as pd
import pytest

from carbonray.errors import DataError
from carbonray.io.energy.opennem import read_opennem
from carbonray.io.energy.reading import EnergyReading
from carbonray.vocab.energy import SOURCES
from tests.io.energy.energy_files import Series, opennem_text, written

DAYS = ("2023-03-01T00:00:00+10:00", "1d", "2023-03-02T00:00:00+10:00")
COAL: Series = ("energy", "coal_black", "GWh", [90.0, 80.0])
SMOKE: Series = ("emissions", "coal_black", "tCO2e", [81_000.0, 72_000.0])


def read(folder: Path, *series: Series, times: tuple[str, str, str] = DAYS) -> EnergyReading:
    return read_opennem(written(folder, "nem.json", opennem_text(series, *times)), "REAL")


def values(reading: EnergyReading, name: str) -> list[float]:
    table = reading.records.to_pandas().sort_values("start")
    return [float(value) for value in table.loc[table["name"] == name, "value"]]


def test_a_day_is_that_of_the_network_and_begins_at_its_time(tmp_path: Path) -> None:
    reading = read(tmp_path, COAL, SMOKE)
    table = reading.records.to_pandas()

    assert values(reading, "coal") == [90.0, 80.0]
    assert values(reading, "power") == [81_000.0, 72_000.0]
    assert table["start"].min() == pd.Timestamp("2023-02-28T14:00", tz="UTC")
    assert table["end"].max() == pd.Timestamp("2023-03-02T14:00", tz="UTC")
    assert set(table["region"]) == {"ABC1"}


def test_fuels_of_one_source_are_added(tmp_path: Path) -> None:
    roof: Series = ("energy", "solar_rooftop", "GWh", [5.0, 6.0])
    field: Series = ("energy", "solar_utility", "MWh", [1_500.0, 2_500.0])

    assert values(read(tmp_path, COAL, roof, field), "solar") == [6.5, 8.5]


def test_trade_storage_and_pumps_are_no_generation(tmp_path: Path) -> None:
    others: list[Series] = [
        ("energy", "imports", "GWh", [-3.0, -4.0]),
        ("energy", "battery_discharging", "GWh", [1.0, 1.0]),
        ("energy", "pumps", "GWh", [2.0, 2.0]),
        ("emissions", "imports", "tCO2e", [9.0, 9.0]),
        ("market_value", "coal_black", "AUD", [1.0, 2.0]),
        ("energy", "", "GWh", [7.0, 7.0]),
    ]
    reading = read(tmp_path, COAL, SMOKE, *others)

    assert reading.rows() == {"read": 16, "kept": 4, "dropped": 12, "refused": 0}
    assert values(reading, "power") == [81_000.0, 72_000.0]
    assert sum(values(reading, name)[0] for name in SOURCES) == 90.0


def test_a_source_without_a_series_is_zero_with_a_note(tmp_path: Path) -> None:
    reading = read(tmp_path, COAL, SMOKE)
    notes = {note["note"]: note["rows"] for note in reading.notes.to_pylist()}

    assert values(reading, "nuclear") == [0.0, 0.0]
    assert notes["nuclear: no unit, taken as 0"] == 2
    assert reading.records.num_rows == 2 * (8 + 1)


def test_a_null_makes_its_source_unknown(tmp_path: Path) -> None:
    reading = read(tmp_path, ("energy", "coal_black", "GWh", [90.0, None]), ("energy", "coal_brown", "GWh", [1.0, 1.0]))

    assert values(reading, "coal") == [91.0]
    assert [(row["name"], row["line"]) for row in reading.refused.to_pylist()] == [("energy of coal_black", 2)]
    assert reading.rows() == {"read": 4, "kept": 3, "dropped": 0, "refused": 1}


def test_power_becomes_energy_of_its_interval(tmp_path: Path) -> None:
    five_minutes = ("2022-01-10T00:00:00+10:00", "5m", "2022-01-10T00:05:00+10:00")
    reading = read(tmp_path, ("power", "wind", "MW", [1_200.0, 600.0]), times=five_minutes)

    assert values(reading, "wind") == pytest.approx([0.1, 0.05])


def test_months_are_those_of_the_calendar(tmp_path: Path) -> None:
    times = ("2020-01-01T00:00:00+10:00", "1M", "2020-02-01T00:00:00+10:00")
    table = read(tmp_path, COAL, times=times).records.to_pandas()
    coal = table[table["name"] == "coal"]

    assert ((coal["end"] - coal["start"]).dt.days).tolist() == [31, 29]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "no JSON"),
        ("{}", "no list of series"),
        (opennem_text([COAL], "2023-03-01T00:00:00+10:00", "1d", "2023-03-05T00:00:00+10:00"), "do not end at"),
        (opennem_text([COAL], "2023-03-01T00:00:00", "1d", "2023-03-02T00:00:00"), "without an offset"),
        (opennem_text([COAL], "2023-03-01T00:00:00+10:00", "fortnight", ""), "fortnight"),
    ],
)
def test_other_json_is_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        read_opennem(written(tmp_path, "nem.json", text), "REAL")

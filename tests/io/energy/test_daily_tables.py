from pathlib import Path

import pytest

from carbonray.errors import DataError
from carbonray.io.energy.carbon_monitor import read_carbon_monitor
from carbonray.io.energy.power_mix import read_power_mix
from carbonray.io.energy.reading import EnergyReading, EnergyRules
from carbonray.vocab.energy import SECTORS, SOURCES
from tests.io.energy.energy_files import SECTOR_NAMES, written

RULES = EnergyRules()
DAY = "\n".join(f"France,31/01/2023,{name},0.{number}" for number, name in enumerate(SECTOR_NAMES, start=1))


def monitor(folder: Path, lines: str, head: str = "country,date,sector,MtCO2 per day") -> EnergyReading:
    return read_carbon_monitor(written(folder, "cm.csv", f"{head}\n{lines}\n"), RULES, "REAL")


def test_a_day_becomes_six_records_in_tonnes_of_its_utc_day(tmp_path: Path) -> None:
    reading = monitor(tmp_path, DAY)
    table = reading.records.to_pandas()

    assert dict(zip(table["name"], table["value"], strict=True)) == pytest.approx(
        {name: number * 1e5 for number, name in enumerate(SECTORS, start=1)}
    )
    assert set(table["unit"]) == {"t CO2"} and set(table["publisher"]) == {"Carbon Monitor"}
    assert str(table["start"][0]) == "2023-01-31 00:00:00+00:00"
    assert str(table["end"][0]) == "2023-02-01 00:00:00+00:00"
    assert table["file"][0] == "cm.csv" and len(table["file_sha256"][0]) == 64
    assert reading.rows() == {"read": 6, "kept": 6, "dropped": 0, "refused": 0}


@pytest.mark.parametrize(
    "head",
    ["country,date,sector,value", "\ufeffcountry,date,sector,MtCO2 per day", "\ufeffCountry;Date;Sector;Value"],
)
def test_the_column_of_amounts_and_the_mark_of_byte_order_may_differ(tmp_path: Path, head: str) -> None:
    reading = monitor(tmp_path, DAY.replace(",", ";") if ";" in head else DAY, head)

    assert reading.records.num_rows == 6
    assert reading.records["value"].to_pylist()[0] == pytest.approx(1e5)


def test_kilotonnes_in_the_head_are_kilotonnes(tmp_path: Path) -> None:
    reading = monitor(tmp_path, DAY, "country,date,sector,ktCO2 per day")

    assert reading.records["value"].to_pylist()[0] == pytest.approx(100.0)


def test_footers_and_empty_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    reading = monitor(tmp_path, f"{DAY}\n\n,,,\nSource: Carbon Monitor,,,\nLast update, today\n")

    assert reading.rows() == {"read": 9, "kept": 6, "dropped": 3, "refused": 0}
    assert {note["note"] for note in reading.notes.to_pylist()} == {"a footer or an empty line"}


def test_a_broken_line_among_good_ones_is_refused(tmp_path: Path) -> None:
    reading = monitor(tmp_path, f"France,30/01/2023\n{DAY}")

    assert reading.rows() == {"read": 7, "kept": 6, "dropped": 0, "refused": 1}
    assert reading.refused.to_pylist()[0]["reason"] == "line: 2 cells (expected 4)"


def test_the_world_and_its_rest_are_left_out_and_the_composite_is_kept_with_a_note(tmp_path: Path) -> None:
    lines = "\n".join(DAY.replace("France", name) for name in ("WORLD", "ROW", "EU27 & UK", "France"))
    reading = monitor(tmp_path, lines)
    notes = {(note["region"], note["rows"]): note["note"] for note in reading.notes.to_pylist()}

    assert reading.rows() == {"read": 24, "kept": 12, "dropped": 12, "refused": 0}
    assert notes["ROW", 6] == notes["WORLD", 6] == "an aggregate of all regions, or of the rest"
    assert notes["EU27 & UK", 6] == "a composite that contains France, Germany, Italy, Spain, United Kingdom"
    assert set(reading.records["region"].to_pylist()) == {"EU27 & UK", "France"}


@pytest.mark.parametrize(
    ("written_name", "name"),
    [("USA", "United States"), ("UK", "United Kingdom"), ("Russian Federation", "Russia"), ("region-03", "region-03")],
)
def test_a_region_has_one_name_whatever_its_publisher_calls_it(tmp_path: Path, written_name: str, name: str) -> None:
    assert set(monitor(tmp_path, DAY.replace("France", written_name)).records["region"].to_pylist()) == {name}


def test_sectors_have_aliases_and_their_total_is_left_out(tmp_path: Path) -> None:
    reading = monitor(
        tmp_path, f"{DAY.replace('Ground Transport', 'ground transportation')}\nFrance,31/01/2023,Total,9"
    )

    assert set(reading.records["name"].to_pylist()) == set(SECTORS)
    assert [note["note"] for note in reading.notes.to_pylist()] == ["a sum of others: Total"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("France,13/31/2023,Power,1", "time: no day: '13/31/2023'"),
        ("France,31/01/2023,Fishing,1", "name: unknown: 'Fishing'"),
        ("France,31/01/2023,Power,much", "emissions: no number: 'much'"),
        ("France,31/01/2023,Power,", "emissions: missing: ''"),
        (",31/01/2023,Power,1", "region: missing: ''"),
    ],
)
def test_a_line_that_says_nothing_is_refused_by_name(tmp_path: Path, line: str, reason: str) -> None:
    reading = monitor(tmp_path, f"{line}\n{DAY}")

    assert [row["reason"] for row in reading.refused.to_pylist()] == [reason]
    assert reading.refused.to_pylist()[0]["line"] == 1
    assert reading.rows()["kept"] == 6


def test_a_file_without_a_column_of_amounts_is_no_such_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column of emissions"):
        monitor(tmp_path, DAY, "country,date,sector,amount")


def test_electricity_by_source_is_read_in_gigawatt_hours(tmp_path: Path) -> None:
    names = ("Coal", "Gas", "Oil", "Nuclear", "Hydroelectricity", "Solar", "Wind", "Other sources")
    lines = "\n".join(f"Japan,01/02/2022,{name},{number}" for number, name in enumerate(names, start=1))
    url = written(tmp_path, "power.csv", f"\ufeffcountry,date,sector,value\n{lines}\nJapan,01/02/2022,Fossil,6\n")
    reading = read_power_mix(url, RULES, "SYNTHETIC-T1")
    table = reading.records.to_pandas()

    assert dict(zip(table["name"], table["value"], strict=True)) == {
        name: number for number, name in enumerate(SOURCES, start=1)
    }
    assert set(table["unit"]) == {"GWh"} and set(table["data_tier"]) == {"SYNTHETIC-T1"}
    assert reading.rows() == {"read": 9, "kept": 8, "dropped": 1, "refused": 0}

from pathlib import Path

import pandas as pd
import pytest

from carbonray.errors import DataError
from carbonray.io.energy.owid import read_owid
from carbonray.io.energy.reading import EnergyReading, EnergyRules
from tests.io.energy.energy_files import OWID_HEAD, written

# bioenergy, coal, generation, fossil, gas, hydro, nuclear, oil, other without and with bioenergy, solar, wind
CHILE = "2,10,58,17,4,20,0,3,1,3,8,10"
CODES = (
    "iso_code,country,year,biofuel_electricity,coal_electricity,electricity_generation,fossil_electricity,"
    "gas_electricity,hydro_electricity,nuclear_electricity,oil_electricity,other_renewable_exc_biofuel_electricity,"
    "other_renewable_electricity,solar_electricity,wind_electricity"
)


def read(folder: Path, *lines: str, head: str = OWID_HEAD) -> EnergyReading:
    return read_owid(written(folder, "owid.csv", "\n".join([head, *lines]) + "\n"), EnergyRules(), "REAL")


def amounts(reading: EnergyReading) -> dict[str, float]:
    table = reading.records.to_pandas()
    return dict(zip(table["name"], table["value"], strict=True))


GWH = {"coal": 10e3, "gas": 4e3, "oil": 3e3, "nuclear": 0, "hydro": 20e3, "solar": 8e3, "wind": 10e3, "other": 3e3}


def test_a_year_is_its_sources_in_gwh_and_bioenergy_is_other(tmp_path: Path) -> None:
    reading = read(tmp_path, f"Chile,2020,{CHILE}")

    assert amounts(reading) == GWH
    assert reading.records["start"].to_pylist()[0] == pd.Timestamp("2020-01-01", tz="UTC")
    assert reading.records["end"].to_pylist()[0] == pd.Timestamp("2021-01-01", tz="UTC")
    assert reading.rows() == {"read": 1, "kept": 1, "dropped": 0, "refused": 0}


def test_the_names_of_the_energy_data_set_are_known_too(tmp_path: Path) -> None:
    assert amounts(read(tmp_path, f"CHL,Chile,2020,{CHILE}", head=CODES)) == GWH


def test_other_is_added_up_only_where_its_sum_is_not_given(tmp_path: Path) -> None:
    without = CHILE.replace(",1,3,8,", ",1,,8,")
    assert amounts(read(tmp_path, f"Chile,2020,{without}")) == GWH
    older = CHILE.replace("2,10,", ",10,").replace(",1,3,8,", ",,3,8,")  # BP's years give the sum alone
    assert amounts(read(tmp_path, f"Chile,1980,{older}")) == GWH


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"Chile,2020,{CHILE.replace(',58,', ',70,')}", "generation: not the sum of its parts, TWh: '70'"),
        (f"Chile,2020,{CHILE.replace(',1,3,8,', ',2,3,8,')}", "other: not the sum of its parts, TWh: '3'"),
        (f"Chile,MMXX,{CHILE}", "time: no year: 'MMXX'"),
        (f"Chile,2020,{CHILE.replace('2,10,', '2,ten,')}", "coal: no number: 'ten'"),
    ],
)
def test_a_year_that_does_not_add_up_is_refused(tmp_path: Path, line: str, reason: str) -> None:
    reading = read(tmp_path, line)

    assert [row["reason"] for row in reading.refused.to_pylist()] == [reason]
    assert reading.records.num_rows == 0


def test_what_a_year_does_not_give_has_no_record_but_a_note(tmp_path: Path) -> None:
    reading = read(tmp_path, f"Chile,1970,{CHILE.replace('2,10,58,', '2,,,')}")

    assert "coal" not in amounts(reading) and len(amounts(reading)) == 7
    assert [(note["note"], note["rows"]) for note in reading.notes.to_pylist()] == [("coal not given", 1)]


def test_continents_and_groups_are_no_countries(tmp_path: Path) -> None:
    lines = [f"{name},2020,{CHILE}" for name in ("World", "Europe", "High-income countries", "USSR", "Chile")]
    reading = read(tmp_path, *lines)

    assert reading.rows() == {"read": 5, "kept": 1, "dropped": 4, "refused": 0}
    assert set(reading.records["region"].to_pylist()) == {"Chile"}


def test_a_table_without_a_source_is_no_such_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nuclear"):
        read(tmp_path, f"Chile,2020,{CHILE}", head=OWID_HEAD.replace("Electricity from nuclear (TWh)", "Fusion"))

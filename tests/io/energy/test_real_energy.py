"""The real files beside the checkout: rows by region, and totals against a plain sum of the files' own numbers."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from carbonray.io.energy.opennem import FUELS
from carbonray.io.energy.readers import read_energy
from carbonray.io.energy.reading import EnergyReading
from carbonray.io.energy.records import MixReading, MixRules, mix_rows

MONITOR = "country/carbon_monitor/carbon_monitor_2023_2024.csv"
OWID = "country/owid_electricity_mix_bp_ember_2022.csv"
NEM = "country/nem_energy_emissions"
COUNTRIES = {
    "Brazil", "China", "France", "Germany", "India", "Italy", "Japan", "Russia", "Spain", "United Kingdom",
    "United States",
}  # fmt: skip


@pytest.fixture(scope="module")
def monitor(shared_data: Path) -> EnergyReading:
    return read_energy(str(shared_data / MONITOR))


@pytest.fixture(scope="module")
def owid(shared_data: Path) -> EnergyReading:
    return read_energy(str(shared_data / OWID))


@pytest.fixture(scope="module")
def months(shared_data: Path) -> MixReading:
    return network(shared_data, "all")


def rows_by_region(reading: MixReading) -> dict[str, int]:
    names, counts = np.unique(reading.rows.region.astype(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def network(folder: Path, span: str) -> MixReading:
    readings = [read_energy(str(path)) for path in sorted((folder / NEM).glob(f"*_{span}.json"))]
    assert len(readings) == 4
    return mix_rows(pa.concat_tables([reading.records for reading in readings]), MixRules(sectors=("power",)))


def test_carbon_monitor_is_730_days_of_twelve_regions(monitor: EnergyReading, shared_data: Path) -> None:
    """13 regions x 6 sectors x 730 days: of 2023 and 2024 one day is not in the file."""
    assert monitor.rows() == {"read": 56_940, "kept": 52_560, "dropped": 4_380, "refused": 0}
    with (shared_data / MONITOR).open(encoding="utf-8-sig") as file:
        lines = [line for line in csv.DictReader(file) if line["country"] != "ROW"]
    megatonnes = sum(float(line["MtCO2 per day"]) for line in lines)
    assert pc.sum(monitor.records["value"]).as_py() == pytest.approx(1e6 * megatonnes, rel=1e-9)
    china = pc.filter(monitor.records["value"], pc.equal(monitor.records["region"], "China"))
    assert pc.sum(china).as_py() / 730 == pytest.approx(32.528e6, rel=1e-4)
    assert {note["region"]: note["rows"] for note in monitor.notes.to_pylist()} == {"EU27 & UK": 4_380, "ROW": 4_380}


def test_the_day_that_carbon_monitor_leaves_out(monitor: EnergyReading) -> None:
    starts = pd.DatetimeIndex(pc.unique(monitor.records["start"]).to_pandas())
    missing = pd.date_range("2023-01-01", "2024-12-31", tz="UTC").difference(starts)

    assert [str(day.date()) for day in missing] == ["2024-02-29"]


def test_international_aviation_is_zero_throughout(monitor: EnergyReading) -> None:
    aviation = pc.equal(monitor.records["name"], "international_aviation")

    assert pc.max(pc.filter(monitor.records["value"], aviation)).as_py() == 0.0


def test_the_composite_holds_more_than_its_five_members(monitor: EnergyReading) -> None:
    table = monitor.records.to_pandas()
    wide = table.pivot_table(index=["start", "name"], columns="region", values="value", aggfunc="sum")
    members = wide[["France", "Germany", "Italy", "Spain", "United Kingdom"]].sum(axis=1)

    assert (members <= wide["EU27 & UK"] * (1 + 1e-6)).all()
    assert members.sum() / wide["EU27 & UK"].sum() == pytest.approx(0.609, abs=0.001)


def test_owid_keeps_countries_and_refuses_years_that_do_not_add_up(owid: EnergyReading) -> None:
    assert owid.rows() == {"read": 7_995, "kept": 6_862, "dropped": 1_055, "refused": 78}
    table = owid.records.to_pandas()
    twh = table[table["start"] == pd.Timestamp("2021-01-01", tz="UTC")].groupby("region")["value"].sum() / 1e3
    # the file's own totals of generation
    expected = {"Brazil": 640.46, "France": 548.68, "Germany": 573.71, "Japan": 967.79, "United States": 4157.10}
    assert {name: twh[name] for name in expected} == pytest.approx(expected, abs=0.01)
    found = {(row["region"], pd.Timestamp(row["start_utc_ns"]).year) for row in owid.refused.to_pylist()}
    assert {name for name, _ in found} >= {"South Korea", "Taiwan", "South Africa"}
    assert not any(name in COUNTRIES and year >= 2000 for name, year in found)


def test_a_constant_mix_gives_eleven_countries_730_days(monitor: EnergyReading, owid: EnergyReading) -> None:
    both = pa.concat_tables([monitor.records, owid.records])
    reading = mix_rows(both, MixRules(join="constant"))

    assert rows_by_region(reading) == dict.fromkeys(COUNTRIES, 730)
    assert reading.constant_mix.all()
    refused = reading.refused.to_pandas()
    assert refused.loc[refused["region"] == "EU27 & UK", "reason"].tolist() == ["missing: all energy"] * 730
    german = reading.rows.rows(reading.rows.region == "Germany")
    assert german.energy.sum(axis=1) == pytest.approx(np.full(730, 573.71e3 / 365), rel=1e-4)
    china = reading.rows.rows(reading.rows.region == "China")  # 2021 does not give its other renewables
    assert china.energy.sum(axis=1) == pytest.approx(np.full(730, 7727.444e3 / 366), rel=1e-4)


def test_four_australian_regions_by_month(months: MixReading) -> None:
    assert rows_by_region(months) == {"NSW1": 289, "QLD1": 289, "SA1": 289, "TAS1": 204}
    reasons = months.refused["reason"].to_pylist()
    # before Tasmania joined the market in 2005 nothing is reported; later some months burn no gas
    assert sum(reason == "total: no electricity" for reason in reasons) == 77
    assert sum(reason == "total: no emissions" for reason in reasons) == 3
    assert sum(reason.startswith("negative: ") for reason in reasons) == 5


@pytest.mark.parametrize("region", ["nsw1", "qld1", "sa1"])
def test_monthly_totals_are_those_of_the_file(shared_data: Path, months: MixReading, region: str) -> None:
    rows = months.rows
    document = json.loads((shared_data / NEM / f"nem_{region}_all.json").read_text())
    last = {"energy": 0.0, "emissions": 0.0}
    for series in document["data"]:
        if series["data_type"] in last and series.get("fuel_tech") in FUELS:
            last[series["data_type"]] += series["history"]["data"][-1]
    december = rows.rows((rows.region == region.upper()) & (rows.start_ns == rows.start_ns.max()))

    assert pd.Timestamp(december.start_ns[0], tz="UTC") == pd.Timestamp("2022-12-01T00:00+10:00")
    assert december.energy.sum() * 31 == pytest.approx(last["energy"], rel=1e-9)
    assert december.emissions.sum() * 31 == pytest.approx(last["emissions"], rel=1e-9)


def test_four_australian_regions_by_day(shared_data: Path) -> None:
    reading = network(shared_data, "1y")

    assert rows_by_region(reading) == {"NSW1": 23, "QLD1": 23, "SA1": 23, "TAS1": 17}
    assert set(reading.refused["reason"].to_pylist()) == {"total: no emissions"}


def test_a_week_of_five_minutes_has_emissions_of_its_power(shared_data: Path) -> None:
    """Coal of New South Wales: 899,416 t of 971,931 MWh, 0.925 t a MWh, if power is MW over five minutes."""
    reading = read_energy(str(shared_data / NEM / "nem_nsw1_week.json"))
    table = reading.records.to_pandas()

    assert table.loc[table["name"] == "coal", "value"].sum() == pytest.approx(971.931, rel=1e-5)
    assert ((table["end"] - table["start"]) == pd.Timedelta(minutes=5)).all()
    power = table.loc[table["name"] == "power", "value"].sum()
    assert power == pytest.approx(899_415.8 + 18_800.5 + 288.5, rel=1e-5)

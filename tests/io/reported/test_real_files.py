"""The real files beside the checkout: rows, units and totals as their publishers give them."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from carbonray.io.reported.on_off import read_on_off
from carbonray.io.reported.readers import read_reported


def test_a_week_of_sixteen_coal_units_in_new_south_wales(shared_data: Path) -> None:
    reading = read_reported("nem", str(shared_data / "generation/australia/scada_nsw1_coal_5min_2021-02-01_08.csv"))
    assert reading.rows() == {"read": 34_576, "kept": 34_576, "quarantined": 0, "gaps": 0}
    assert pc.sum(reading.reported.column("generation_mwh")).as_py() == pytest.approx(1_050_303.3, abs=0.1)
    first = reading.reported.column("start_utc_ns").to_numpy().min()
    assert np.datetime64(int(first), "ns") == np.datetime64("2021-01-31T13:55")


def test_the_annual_camd_sample(shared_data: Path) -> None:
    reading = read_reported("campd_annual", str(shared_data / "generation/usa/camd_sample_data.csv"))
    assert reading.rows() == {"read": 101, "kept": 101, "quarantined": 0, "gaps": 0}
    by_unit = {row["source_id"]: row["generation_mwh"] for row in reading.reported.to_pylist()}
    assert by_unit["3:4"] == 979_760.5
    assert np.isnan(by_unit["880041:Z005"])


def test_wri_keeps_what_it_can_and_names_the_rest(shared_data: Path) -> None:
    path = shared_data / "generation/wri_reported_generation_ARG_BRA_EGY_IND_USA.csv"
    reading = read_reported("wri", str(path))
    assert reading.rows()["read"] == 8_663
    sites = {row["source_id"]: row["country"] for row in reading.sites.to_pylist()}
    by_country = {"USA": 0.0, "IND": 0.0, "ARG": 0.0}
    for row in reading.reported.to_pylist():
        country = sites[row["source_id"]]
        by_country[country] = by_country.get(country, 0.0) + row["generation_mwh"]
    # the totals that the file's own side columns state: 4,079.8 TWh and 972.0 TWh and 118.3 TWh
    assert by_country["USA"] == pytest.approx(4_079_788_236, rel=1e-4)
    assert by_country["IND"] == pytest.approx(972_041_541, rel=1e-6)
    words = [str(reason).split(":")[0] for reason in reading.quarantined.column("reason").to_pylist()]
    assert words.count("id") == 55  # Egypt's plants have neither id nor name
    assert words.count("repeated interval") == 839  # Brazil's have three rows each, and no year


def test_egrid_2014_by_its_three_digits(shared_data: Path) -> None:
    reading = read_reported("egrid", str(shared_data / "generation/usa/egrid2014_PLNT14.xlsx"))
    assert reading.rows()["read"] == 8_503
    # WRI's file states 4,079,788,236 MWh for the plants of the same country and year
    assert np.nansum(reading.reported.column("generation_mwh").to_numpy()) == pytest.approx(4_079_788_236, rel=0.005)


def test_the_labels_of_coal_plants(shared_data: Path) -> None:
    labels = read_on_off(str(shared_data / "labels/coal_plant_on_off_sentinel2.csv"))
    assert len(labels.on) == 5_932
    assert labels.quarantined == ()
    assert labels.on.mean() == pytest.approx(0.878, abs=0.001)

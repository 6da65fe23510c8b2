"""What is wrong with a row is said of it: set aside, unset, or kept with a doubt, never in silence."""

import numpy as np
import pytest

from carbonray.io.inventory.countries import ISO3
from carbonray.io.inventory.gppd import read_gppd
from carbonray.io.inventory.jrc_ppdb import read_jrc_units
from tests.io.inventory import files

GOOD = "FRA,France,Good,G,100,45,5,Gas,,2000\n"


def found(tmp_path, *lines):
    """The plants kept, by id, and what was found, as (id, kind, attribute) -> reason."""
    listing = read_gppd(files.written(tmp_path, "x.csv", files.GPPD + GOOD + "".join(f"{line}\n" for line in lines)))
    rows = listing.findings.to_pylist()
    told = {
        (row["source_id"], row["kind"], row["attribute"]): row["reason"] for row in rows if row["entity"] == "plant"
    }
    return {row["source_id"]: row for row in listing.plants.to_pylist()}, told


def test_a_good_row_is_not_spoken_of(tmp_path):
    plants, told = found(tmp_path)

    assert told == {}
    assert plants["G"]["capacity_mw"] == 100.0


def test_a_negative_capacity_is_set_aside_with_its_unit(tmp_path):
    url = files.written(tmp_path, "x.csv", files.GPPD + GOOD + "FRA,France,Bad,B,-5,46,5,Gas,,\n")
    listing = read_gppd(url)
    told = {(row["entity"], row["source_id"]): row for row in listing.findings.to_pylist()}

    assert listing.plants.column("source_id").to_pylist() == ["G"] == listing.units.column("source_id").to_pylist()
    assert told["plant", "B"]["reason"] == "-5.0 MW is negative"
    assert told["unit", "B"]["reason"] == "its plant 'B' is not in the list"
    assert {row["kind"] for row in told.values()} == {"quarantined"}


@pytest.mark.parametrize(
    ("lat", "lon"), [("", ""), ("", "5"), ("91", "5"), ("45", "181"), ("0", "0"), ("north", "5"), ("nan", "5")]
)
def test_a_place_that_is_none_is_unset_and_said(tmp_path, lat, lon):
    plants, told = found(tmp_path, f"FRA,France,Bad,B,5,{lat},{lon},Gas,,")

    assert np.isnan(plants["B"]["lat"]) and np.isnan(plants["B"]["lon"])
    assert ("B", "unset", "location") in told


def test_an_unknown_fuel_becomes_other_and_is_named(tmp_path):
    plants, told = found(tmp_path, "FRA,France,Bad,B,5,46,5,Unobtainium,,", "FRA,France,Blank,C,5,47,5,,,")

    assert plants["B"]["primary_fuel"] == "other"
    assert told["B", "unset", "primary_fuel"] == "'Unobtainium' is no fuel this reader knows"
    assert plants["C"]["primary_fuel"] == ""
    assert told["C", "kept", "primary_fuel"] == "not stated"


def test_a_repeated_a_missing_and_a_homeless_id_are_set_aside(tmp_path):
    plants, told = found(
        tmp_path, "FRA,France,Again,G,7,46,5,Gas,,", "FRA,France,None,,7,47,5,Gas,,", "ZZZ,Atlantis,At,A,7,48,5,Gas,,"
    )

    assert list(plants) == ["G"]
    assert plants["G"]["name"] == "Good"
    assert told["G", "quarantined", "id"] == "'G' appears before"
    assert told["", "quarantined", "id"] == "missing (name 'None')"
    assert told["A", "quarantined", "country"] == "'ZZZ' is no country of countries.py"


def test_two_plants_at_one_coordinate_are_kept_and_listed(tmp_path):
    plants, told = found(tmp_path, "FRA,France,Beside,B,7,45,5,Coal,,")

    assert set(plants) == {"G", "B"}
    assert {key for key in told if key[2] == "location"} == {("G", "kept", "location"), ("B", "kept", "location")}


def test_a_capacity_that_is_no_number_is_unknown_and_said(tmp_path):
    plants, told = found(tmp_path, "FRA,France,Bad,B,many,46,5,Gas,,")

    assert np.isnan(plants["B"]["capacity_mw"])
    assert told["B", "unset", "capacity_mw"] == "'many' is no number"


def test_a_unit_that_ends_before_it_starts_loses_both_dates(tmp_path):
    row = "P,U,Foo,Foo 1,10,10,Fossil Gas,50,8,Germany,D,COMMISSIONED,2015,2010,F,,,\n"
    listing = read_jrc_units(files.written(tmp_path, "j.csv", files.JRC + row))
    (unit,) = listing.units.to_pylist()

    assert (unit["start_utc_ns"], unit["end_utc_ns"]) == (None, None)
    assert [row["reason"] for row in listing.findings.to_pylist()] == ["ends before it starts"]


@pytest.mark.parametrize(("text", "lon"), [("180", -180.0), ("-180", -180.0), ("179.9999", 179.9999), ("-0.5", -0.5)])
def test_longitudes_are_turned_into_one_range(tmp_path, text, lon):
    plants, _ = found(tmp_path, f"FRA,France,B,B,5,46,{text},Gas,,")

    assert plants["B"]["lon"] == pytest.approx(lon, abs=1e-9)


def test_codes_stand_for_themselves():
    assert ISO3["FRA"] == "FRA" == ISO3["France"]
    assert ISO3["Türkiye"] == ISO3["Turkey"] == "TUR"
    assert all(len(code) == 3 and code.isupper() for code in ISO3.values())

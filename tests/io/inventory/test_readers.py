"""Every inventory is recognised by its columns, and its words become carbonray's; real counts are quoted."""

import numpy as np
import pytest

from carbonray.errors import DataError, SettingsError
from carbonray.io.inventory.listing import LINKS, LISTED_PLANTS, LISTED_STRUCTURES, LISTED_UNITS
from carbonray.io.inventory.readers import READERS, read_listing, recognised
from carbonray.io.inventory.structures import structure_kind
from carbonray.vocab import plant_tables
from carbonray.vocab.plants import COOLING_TYPES, FUELS, PRIME_MOVERS
from tests.io.inventory import files


def ns(date):
    return int(np.datetime64(date, "ns").astype(np.int64))


def made(folder):
    """One file of every text layout, by the reader that must recognise it."""
    return {
        "gppd": files.written(folder, "a.csv", files.GPPD + "AUS,Australia,Foo,AUS1,10,-30,140,Coal,,1990.4\n"),
        "gppd_2018": files.written(folder, "b.csv", files.GPPD_2018 + "FRA,France,Bar,WRI1,20,45,5,Gas,Oil,,,\n"),
        "jrc": files.written(
            folder, "c.csv",
            files.JRC + "P1,G1,Baz,Baz 1,300,120,Fossil Hard coal,50,8,Germany,D,COMMISSIONED,1980,2020,F,"
            "Natural Draught Tower,,\n"
            "P1,G2,Baz,Baz 2,300,180,Fossil Gas,50.01,8,Germany,D,COMMISSIONED,,,F,No Cooling,,\n",
        ),
        "jrc_linkages": files.written(folder, "d.csv", files.LINKAGES + "P1,G1,,WRI9,,\nP1,G2,77,WRI9,,\n"),
        "jrc_performance": files.written(folder, "e.csv", files.PERFORMANCE + "P1,G1,.4,0.38,OEM\nP1,G2,.4,,\n"),
        "powerplantmatching": files.written(
            folder, "f.csv",
            files.PPM + "0,Qux,Lignite,Steam Turbine,PP,Poland,500,0.4,1990,,2024,51,19,,"
            "\"{'GEM': {'G7', 'G5'}, 'GPD': {'WRI3'}, 'ENTSOE': {'G1'}}\"\n",
        ),
        "epa_eia": files.written(
            folder, "g.csv",
            files.CROSSWALK + "3,Quux,1,31,-88,OPR,1954-02-11T00:00:00,3,1,153,ST,BIT,0,exact\n"
            "3,Quux,2,31,-88,RET,2015-08-24T00:00:00,3,2,100,CA,NG,2015,exact\n"
            "3,Quux,2B,31,-88,OPR,1960-01-01T00:00:00,3,2,100,CA,NG,0,exact\n"
            "4,Corge,B1,31.5,-88,OPR,1990-01-01T00:00:00,,,,,,,Manual CAMD Excluded\n",
        ),
        "gem": files.written(
            folder, "h.csv",
            files.GEM + "G1,L1,Türkiye,Grault,Unit 1,600,operating,2015,,lignite,38,37\n"
            "G2,L1,Türkiye,Grault,Unit 2,600,cancelled,,,lignite,38,37\n",
        ),
        "nem": files.written(
            folder, "i.json",
            files.stations(
                {"code": "S", "name": "Garply", "lat": -33.0, "lon": 151.0, "units": [
                    ("U1", "coal_black", 700.0, "operating"), ("U2", "coal_black", 700.0, "retired"),
                    ("B1", "battery_charging", 50.0, "operating"), ("X", "", None, "operating")]},
            ),
        ),
        "structures": files.written(
            folder, "j.geojson", files.points((8.0, 50.0, {"structure_kind": "NDT", "structure_id": "t1"}))
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def listings(tmp_path_factory):
    return {name: read_listing(url) for name, url in made(tmp_path_factory.mktemp("made")).items()}


def test_every_layout_is_recognised_by_its_columns(tmp_path):
    urls = made(tmp_path)

    assert {name: recognised(url) for name, url in urls.items()} == {name: name for name in urls}


def test_every_listing_speaks_the_words_of_the_vocabulary(listings):
    for listing in listings.values():
        assert listing.plants.schema.equals(LISTED_PLANTS, check_metadata=True)
        assert listing.units.schema.equals(LISTED_UNITS, check_metadata=True)
        assert listing.structures.schema.equals(LISTED_STRUCTURES, check_metadata=True)
        assert listing.links.schema.equals(LINKS, check_metadata=True)
        assert listing.findings.schema.equals(plant_tables.INVENTORY_FINDINGS, check_metadata=True)
        assert set(listing.plants.column("primary_fuel").to_pylist()) <= {*FUELS, ""}
        if listing.source != "jrc_performance":
            assert set(listing.units.column("fuel").to_pylist()) <= set(FUELS)
        assert set(listing.units.column("prime_mover").to_pylist()) <= set(PRIME_MOVERS)
        assert set(listing.units.column("cooling_type").to_pylist()) <= set(COOLING_TYPES)


def test_the_words_of_every_reader_are_those_of_the_vocabulary():
    from carbonray.io.inventory import eia860, gppd, jrc_ppdb, nem, powerplantmatching

    for module in (eia860, gppd, jrc_ppdb, nem, powerplantmatching):
        assert set(module.FUEL_WORDS.values()) <= set(FUELS)
        assert set(getattr(module, "MOVER_WORDS", {}).values()) <= set(PRIME_MOVERS)
    assert set(jrc_ppdb.COOLING_WORDS.values()) <= set(COOLING_TYPES)


def test_a_plant_of_units_lies_where_its_largest_does(listings):
    (plant,) = listings["jrc"].plants.to_pylist()
    first, second = listings["jrc"].units.to_pylist()

    assert (plant["lat"], plant["capacity_mw"], plant["primary_fuel"], plant["country"]) == (50.01, 300.0, "gas", "DEU")
    assert (first["fuel"], first["prime_mover"], first["cooling_type"]) == ("bituminous", "ST", "natural_draft")
    assert (first["start_utc_ns"], first["end_utc_ns"]) == (ns("1980-01-01"), ns("2021-01-01"))
    assert (second["start_utc_ns"], second["end_utc_ns"], second["cooling_type"]) == (None, None, "other")
    (finding,) = listings["jrc"].findings.to_pylist()
    assert (finding["kind"], finding["attribute"]) == ("kept", "location")


def test_links_name_both_inventories(listings):
    told = {name: {tuple(row.values())[:4] for row in listing.links.to_pylist()} for name, listing in listings.items()}

    assert told["jrc_linkages"] == {("jrc", "P1", "gppd", "WRI9"), ("jrc", "P1", "eprtr", "77")}
    assert ("jrc", "P1", "eic", "G1") in told["jrc"]
    assert told["powerplantmatching"] == {
        ("ppm", "GEM:G5", other, own) for other, own in (("gem", "G5"), ("gem", "G7"), ("gppd", "WRI3"), ("eic", "G1"))
    }
    assert told["epa_eia"] == {("camd", "3", "eia860", "3")}


def test_an_american_id_of_gppd_is_the_code_of_the_register(tmp_path):
    url = files.written(tmp_path, "us.csv", files.GPPD + "USA,x,Foo,USA0000123,10,40,-90,Gas,,\n")

    assert [tuple(row.values())[:4] for row in read_listing(url).links.to_pylist()] == [
        ("gppd", "USA0000123", "eia860", "123")
    ]


def test_generators_behind_several_units_serve_until_the_last_of_them(listings):
    units = {row["unit_source_id"]: row for row in listings["epa_eia"].units.to_pylist()}

    assert set(units) == {"3:1", "3:2"}
    assert (units["3:1"]["fuel"], units["3:1"]["prime_mover"]) == ("bituminous", "ST")
    assert units["3:1"]["start_utc_ns"] == ns("1954-02-11")
    assert (units["3:2"]["prime_mover"], units["3:2"]["end_utc_ns"]) == ("CC", None)
    assert not listings["epa_eia"].units_complete
    (unmatched,) = listings["epa_eia"].findings.to_pylist()
    assert (unmatched["source_id"], unmatched["kind"]) == ("4:B1", "quarantined")


def test_what_draws_power_was_never_built_or_retired_at_an_unknown_date_is_set_aside(listings):
    nem = {row["source_id"]: row["reason"] for row in listings["nem"].findings.to_pylist()}
    gem = {row["source_id"]: row["reason"] for row in listings["gem"].findings.to_pylist()}

    assert "draws power" in nem["B1"]
    assert nem["U2"] == "retired at an unknown date"
    assert listings["nem"].plants.column("capacity_mw").to_pylist() == [700.0]
    assert "'cancelled'" in gem["G2"]
    assert listings["gem"].units.column("unit_source_id").to_pylist() == ["G1"]
    assert listings["gem"].plants.column("country").to_pylist() == ["TUR"]


def test_the_forms_of_the_eia_are_read_below_their_title(tmp_path):
    plants = files.workbook(
        tmp_path / "2___Plant.xlsx", "Form EIA-860", files.EIA_PLANTS,
        [[7, "Foo", "AL", 33.5, -87.25, "SERC"], [8, "Bar", "AK", "", "", ""], ["NOTE: x", "", "", "", "", ""]],
    )  # fmt: skip
    generators = files.workbook(
        tmp_path / "3_1_Generator.xlsx", "Form EIA-860", files.EIA_GENERATORS,
        [[7, "Foo", "1", "CS", "NG", 250.5, "OP", 6, 2003, "", ""],
         [7, "Foo", "2", "ST", "BIT", 90, "RE", 1, 1960, 4, 2011]],
    )  # fmt: skip
    assert (recognised(plants), recognised(generators)) == ("eia860", "eia860_generators")
    first, second = read_listing(plants).plants.to_pylist()
    units = read_listing(generators).units.to_pylist()

    assert (first["source_id"], first["name"], first["lat"], first["lon"]) == ("7", "Foo", 33.5, -87.25)
    assert np.isnan(second["lat"]) and first["primary_fuel"] == ""
    assert [(unit["prime_mover"], unit["fuel"], unit["capacity_mw"]) for unit in units] == [
        ("CC", "gas", 250.5), ("ST", "bituminous", 90.0),
    ]  # fmt: skip
    assert (units[0]["start_utc_ns"], units[0]["end_utc_ns"]) == (ns("2003-06-01"), None)
    assert units[1]["end_utc_ns"] == ns("2011-05-01")


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"man_made": "cooling_tower", "cooling_tower:type": "natural_draught"}, "NDT"),
        ({"man_made": "cooling_tower", "cooling_tower:type": "mechanical"}, ""),
        ({"man_made": "cooling_tower"}, ""),
        ({"man_made": "chimney", "flue_gas:desulphurisation": "yes"}, "FGD"),
        ({"man_made": "chimney", "desulfurization": "no"}, ""),
        ({"man_made": "chimney"}, ""),
        ({"structure_kind": "FGD"}, "FGD"),
        ({"building": "yes"}, ""),
    ],
)
def test_tags_tell_towers_and_stacks_from_the_rest(tags, kind):
    assert structure_kind(tags) == kind


def test_structures_that_are_none_are_set_aside_with_the_reason(tmp_path):
    tower = {"structure_kind": "NDT"}
    url = files.written(
        tmp_path, "s.geojson",
        files.points((180.0, 10.0, tower | {"structure_id": "a"}), (8.0, 95.0, tower | {"structure_id": "b"}),
                     (8.0, 50.0, {"man_made": "chimney"}), (8.0, 50.0, tower | {"structure_id": "a"})),
    )  # fmt: skip
    listing = read_listing(url)

    assert [(row["structure_id"], row["lon"]) for row in listing.structures.to_pylist()] == [("a", -180.0)]
    assert [(row["source_id"], row["attribute"]) for row in listing.findings.to_pylist()] == [
        ("b", "location"), ("feature:2", "structure_kind"), ("a", "id"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "{}", "[]", '{"type": "FeatureCollection"', "", "[1, 2]"])
def test_a_file_that_no_reader_knows_says_what_would_be_one(tmp_path, text):
    with pytest.raises(DataError) as caught:
        read_listing(files.written(tmp_path, "x", text))

    assert caught.value.where.endswith("x")


def test_an_unknown_reader_is_named_with_the_known_ones(tmp_path):
    with pytest.raises(SettingsError, match="no reader 'gpdd'") as caught:
        read_listing(files.written(tmp_path, "x.csv", files.GPPD), "gpdd")
    assert all(name in str(caught.value) for name in READERS)


def test_a_project_id_that_is_no_literal_is_refused_not_run(tmp_path):
    url = files.written(tmp_path, "p.csv", files.PPM + "0,A,Oil,,PP,Spain,5,,,,,40,-3,,__import__('os').getcwd()\n")

    with pytest.raises(DataError, match="is no literal"):
        read_listing(url)


def test_the_real_files_have_the_published_counts(shared_data):
    plants = shared_data / "plants"
    counts = {
        str(path.relative_to(plants)): read_listing(str(path))
        for path in (
            plants / "australia_nem/stations.json",
            plants / "eia860/2___Plant_Y2019.xlsx",
            plants / "gppd/database_IND.csv",
            plants / "jrc_ppdb/JRC_OPEN_UNITS.csv",
        )
    }
    told = {name.split("/")[0]: (part.plants.num_rows, part.units.num_rows) for name, part in counts.items()}

    assert told["australia_nem"][0] == 507
    assert told["eia860"][0] == 11_833
    assert counts["gppd/database_IND.csv"].plants.num_rows == 907
    jrc = counts["jrc_ppdb/JRC_OPEN_UNITS.csv"]
    assert jrc.units.num_rows + sum(row["entity"] == "unit" for row in jrc.findings.to_pylist()) == 7_117
    assert jrc.units.column("cooling_type").to_pylist().count("natural_draft") > 450  # 501 with the retired undated

"""Merging keeps every plant once, every id for ever, every contradiction listed, in whatever order files come."""

import itertools
import json

import numpy as np
import pyarrow as pa
import pytest

from carbonray.errors import ContractError, DataError
from carbonray.io import table_store
from carbonray.io.inventory import store
from carbonray.io.inventory.harmonise import CountryOrder, InventoryMergeRules
from carbonray.io.inventory.readers import read_listing
from carbonray.science.power.capacity import ALWAYS_NS, NEVER_NS, capacity_mw_on
from carbonray.science.spatial.folds import plant_blocks
from carbonray.stages.inventory import encode_inventory, merged_inventory, with_folds
from carbonray.vocab import plant_tables
from tests.io.inventory import files

JRC = (
    files.JRC + "P1,G1,Foo,Foo 1,300,300,Fossil Hard coal,50.02,8,Germany,D,COMMISSIONED,1980,2019,F,"
    "Natural Draught Tower,,\n"
    "P1,G2,Foo,Foo 2,400,400,Fossil Hard coal,50.02,8,Germany,D,COMMISSIONED,1990,,F,Natural Draught Tower,,\n"
    "P2,G3,Nowhere,Nowhere 1,50,50,Fossil Gas,,,Germany,D,COMMISSIONED,,,F,,,\n"
)
PPM = files.PPM + (
    "0,Kraftwerk Foo,Hard Coal,Steam Turbine,PP,Germany,650,,1980,,,50.0,8.0,,\"{'GPD': {'WRI1'}}\"\n"
    "1,Bar Wind Farm,Wind,Onshore,PP,Germany,20,,2010,,,51.0,9.0,,\"{'GEM': {'G9'}}\"\n"
)
GPPD_2018 = files.GPPD_2018 + (
    "DEU,Germany,Foo Süd,WRI1,700,50.0,8.001,Gas,,,,1985\nDEU,Germany,Bar,WRI2,21,51.001,9.0,Wind,,,,2010\n"
    "DEU,Germany,Far,WRI3,10,48.0,11.0,Hydro,,,,\n"
)
US_GPPD = files.GPPD + "USA,x,Baz,USA0000003,400,31.0,-88.0,Gas,,\nUSA,x,Qux Solar,USA0000005,5,32,-90,Solar,,\n"
CROSSWALK = (
    files.CROSSWALK + "3,Baz Plant,1,31,-88,OPR,1954-02-11T00:00:00,3,1,153,ST,BIT,0,exact\n"
    "3,Baz Plant,2,31,-88,OPR,1960-01-01T00:00:00,3,2,100,GT,NG,0,exact\n"
)
TOWERS = files.points(
    (8.002, 50.001, {"structure_kind": "NDT", "structure_id": "near"}),
    (9.0, 51.0, {"structure_kind": "NDT", "structure_id": "by the farm"}),
    (20.0, 10.0, {"structure_kind": "FGD", "structure_id": "named", "plant_ref": "gppd:USA0000003"}),
    (20.0, 10.0, {"structure_kind": "FGD", "structure_id": "misnamed", "plant_ref": "gppd:NONE"}),
)


@pytest.fixture(scope="module")
def listings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inventories")
    texts = {
        "jrc.csv": JRC,
        "links.csv": files.LINKAGES + "P1,G1,,WRI1,,\n",
        "ppm.csv": PPM,
        "gppd_2018.csv": GPPD_2018,
        "gppd.csv": US_GPPD,
        "epa.csv": CROSSWALK,
        "towers.geojson": TOWERS,
    }
    return [read_listing(files.written(folder, name, text)) for name, text in texts.items()]


@pytest.fixture(scope="module")
def inventory(listings):
    return merged_inventory(listings)


def by_name(inventory):
    return {row["name"]: row for row in inventory.plants.to_pylist()}


def units_of(inventory, plant):
    return [row for row in inventory.units.to_pylist() if row["plant_id"] == plant["plant_id"]]


def test_every_table_is_of_its_declared_schema(inventory):
    for name, schema in (
        ("plants", plant_tables.PLANTS),
        ("units", plant_tables.UNITS),
        ("structures", plant_tables.STRUCTURES),
        ("conflicts", plant_tables.INVENTORY_CONFLICTS),
        ("crosswalk", plant_tables.CROSSWALK),
        ("quarantined", plant_tables.INVENTORY_FINDINGS),
    ):
        assert getattr(inventory, name).schema.equals(schema, check_metadata=True), name


def test_every_plant_is_there_once_with_the_ids_of_all(inventory):
    assert set(by_name(inventory)) == {"Kraftwerk Foo", "Bar Wind Farm", "Far", "Baz Plant", "Qux Solar"}
    known = json.loads(by_name(inventory)["Kraftwerk Foo"]["source_ids"])
    assert known == {"gppd": ["WRI1"], "jrc": ["P1"], "ppm": ["GPD:WRI1"]}


def test_capacity_is_that_of_the_units_in_service(inventory):
    plant = by_name(inventory)["Kraftwerk Foo"]
    units = units_of(inventory, plant)
    start = [ALWAYS_NS if unit["start_utc_ns"] is None else unit["start_utc_ns"] for unit in units]
    end = [NEVER_NS if unit["end_utc_ns"] is None else unit["end_utc_ns"] for unit in units]
    days = [int(np.datetime64(day, "ns").astype(np.int64)) for day in ("1985-01-01", "2019-12-31", "2025-01-01")]

    assert (plant["source"], plant["primary_fuel"], {unit["source"] for unit in units}) == (
        "jrc",
        "bituminous",
        {"jrc"},
    )
    assert capacity_mw_on(start, end, [unit["capacity_mw"] for unit in units], days).tolist() == [300.0, 700.0, 400.0]
    assert plant["capacity_mw"] == 400.0
    assert {unit["cooling_type"] for unit in units} == {"natural_draft"}


def test_an_incomplete_list_of_units_is_completed_by_what_another_states(inventory):
    plant = by_name(inventory)["Baz Plant"]
    units = {unit["name"]: unit for unit in units_of(inventory, plant)}

    assert plant["capacity_mw"] == 400.0
    assert (units["1"]["capacity_mw"], units["2"]["capacity_mw"]) == (153.0, 100.0)
    assert (units["units not listed"]["capacity_mw"], units["units not listed"]["source"]) == (147.0, "gppd")


def test_contradictions_are_listed_with_what_was_kept(inventory):
    plant = by_name(inventory)["Kraftwerk Foo"]
    rows = [row for row in inventory.conflicts.to_pylist() if row["plant_id"] == plant["plant_id"]]
    told = {(row["attribute"], row["other_source"]): row for row in rows}

    assert told["capacity_mw", "gppd_2018"]["kept_value"] == "400.0"
    assert told["capacity_mw", "gppd_2018"]["other_value"] == "700.0"
    assert told["primary_fuel", "gppd_2018"]["other_value"] == "gas"
    assert told["primary_fuel", "gppd_2018"]["kept_source"] == "jrc"
    assert "(2.2 km)" in told["location", "jrc"]["other_value"]
    assert all(row["rule"] for row in rows)


def test_a_plant_that_nobody_places_is_set_aside(inventory):
    rows = [row for row in inventory.quarantined.to_pylist() if row["kind"] == "quarantined"]

    assert ("plant", "jrc", "P2", "no inventory gives its coordinates") in {
        (row["entity"], row["source"], row["source_id"], row["reason"]) for row in rows
    }
    assert "P2" not in inventory.crosswalk.column("source_id").to_pylist()


def test_structures_go_to_the_plant_they_name_or_the_nearest_that_burns(inventory):
    plants = by_name(inventory)
    owner = {row["structure_id"]: row["plant_id"] for row in inventory.structures.to_pylist()}
    lost = {
        row["source_id"]: row["reason"] for row in inventory.quarantined.to_pylist() if row["entity"] == "structure"
    }

    assert owner == {"near": plants["Kraftwerk Foo"]["plant_id"], "named": plants["Baz Plant"]["plant_id"]}
    assert "names plant 'gppd:NONE'" in lost["misnamed"]
    assert "no plant that burns something within 2 km" in lost["by the farm"]


def test_the_order_of_the_files_changes_no_byte(listings, inventory):
    blocks = with_folds(inventory)[1]
    expected = encode_inventory(inventory, blocks, {}).objects
    for order in itertools.islice(itertools.permutations(listings), 777, 5000, 3333):
        assert encode_inventory(merged_inventory(order), blocks, {}).objects == expected


def test_ids_stay_when_inventories_come_and_go(listings, inventory):
    ids = {json.dumps(row): row for row in inventory.crosswalk.to_pylist()}
    fewer = [part for part in listings if part.source not in ("jrc", "gppd")]
    shrunk = merged_inventory(fewer, crosswalk=inventory.crosswalk)
    again = merged_inventory(listings, crosswalk=shrunk.crosswalk)

    assert shrunk.crosswalk.slice(0, inventory.crosswalk.num_rows).equals(inventory.crosswalk)
    assert ids.keys() <= {json.dumps(row) for row in again.crosswalk.to_pylist()}
    assert by_name(again).keys() == by_name(inventory).keys()
    for name, row in by_name(again).items():
        assert row["plant_id"] == by_name(inventory)[name]["plant_id"]
    assert again.units.column("unit_id").to_pylist() == inventory.units.column("unit_id").to_pylist()


def test_new_plants_get_new_ids_after_the_old(listings, inventory):
    first = merged_inventory([part for part in listings if part.source == "gppd"])
    grown = merged_inventory(listings, crosswalk=first.crosswalk)
    old = set(first.plants.column("plant_id").to_pylist())

    assert old == {"P0000001", "P0000002"}
    assert by_name(grown)["Qux Solar"]["plant_id"] in old
    assert sorted(grown.plants.column("plant_id").to_pylist())[2:] == ["P0000003", "P0000004", "P0000005"]


def test_a_country_may_trust_another_inventory(listings):
    trusting = InventoryMergeRules(country_order=(CountryOrder("DEU", ("gppd_2018",)),))
    plant = next(
        row for row in merged_inventory(listings, (), trusting).plants.to_pylist() if "WRI1" in row["source_ids"]
    )

    assert (plant["source"], plant["capacity_mw"], plant["primary_fuel"]) == ("gppd_2018", 700.0, "gas")


def test_every_plant_gets_the_fold_of_its_block_and_blocks_only_grow(listings, inventory):
    first, blocks, _ = with_folds(merged_inventory([part for part in listings if part.source == "gppd"]))
    folded, grown, _ = with_folds(inventory, blocks)
    fold = {(row["block_lat"], row["block_lon"]): row["fold"] for row in grown.to_pylist()}
    at = plant_blocks(folded.plants.column("lat").to_numpy(), folded.plants.column("lon").to_numpy())

    assert set(first.plants.column("fold").to_pylist()) <= {0, 1, 2, 3}
    assert set(inventory.plants.column("fold").to_pylist()) == {-1}
    assert folded.plants.column("fold").to_pylist() == [fold[tuple(block)] for block in at.tolist()]
    assert {tuple(row.values()) for row in blocks.to_pylist()} <= {tuple(row.values()) for row in grown.to_pylist()}


def test_a_stored_inventory_comes_back_and_can_be_merged_again(inventory, tmp_path):
    objects = encode_inventory(inventory, with_folds(inventory)[1], {}).objects
    for name, data in objects.items():
        (tmp_path / name).write_bytes(data)
    plants, units, structures = store.read_inventory(str(tmp_path / store.INVENTORY))
    nested = table_store.decode_table(objects[store.INVENTORY])

    assert nested.schema.equals(plant_tables.INVENTORY)
    assert plants.equals(inventory.plants)
    assert units.sort_by("unit_id").equals(inventory.units.sort_by("unit_id"))
    assert structures.equals(inventory.structures)
    assert store.read_crosswalk(str(tmp_path / store.CROSSWALK)).num_rows == inventory.crosswalk.num_rows
    again = merged_inventory([read_listing(str(tmp_path / store.INVENTORY))])
    assert again.plants.column("capacity_mw").to_pylist() == inventory.plants.column("capacity_mw").to_pylist()
    assert again.structures.num_rows == inventory.structures.num_rows


def test_a_plant_stored_twice_or_another_schema_is_refused(inventory, tmp_path):
    twice = pa.concat_tables([store.nested(inventory)] * 2)
    (tmp_path / "a.parquet").write_bytes(table_store.encode_table(twice, ("plant_id",)))
    (tmp_path / "b.parquet").write_bytes(table_store.encode_table(inventory.plants, ("plant_id",)))

    with pytest.raises(DataError, match="a plant appears twice"):
        store.read_inventory(str(tmp_path / "a.parquet"))
    with pytest.raises(ContractError, match="a stored table has columns"):
        store.read_inventory(str(tmp_path / "b.parquet"))
    assert store.read_crosswalk(str(tmp_path / "absent.parquet")).num_rows == 0


def test_nothing_merged_is_an_empty_inventory():
    nothing = merged_inventory([])

    assert (nothing.plants.num_rows, nothing.units.num_rows, nothing.conflicts.num_rows) == (0, 0, 0)
    folded, blocks, _ = with_folds(nothing)
    assert encode_inventory(folded, blocks, {}).objects.keys() >= {store.INVENTORY, store.CONFLICTS}

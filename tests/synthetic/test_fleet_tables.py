"""The fleet's files are what the readers of real files take, and say what the fleet did."""

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest

from carbonray.io.inventory.readers import read_listing
from carbonray.io.plant_weather import PlantWeatherRules, Sites
from carbonray.io.reported.campd import read_campd_hourly
from carbonray.io.reported.entsoe import read_entsoe
from carbonray.io.reported.epias import read_epias
from carbonray.io.reported.india import read_india
from carbonray.io.reported.nem import read_nem
from carbonray.io.reported.reading import ReportedRules, SourceFacts
from carbonray.io.weather_tables import read_weather_table
from carbonray.stages.inventory import merged_inventory
from carbonray.stages.inventory_files import known_ids
from carbonray.stages.reported import PlantIds
from carbonray.synthetic.fleet import FleetRules, generation_of, plant_of, plants_of, report_of, weather_of
from carbonray.synthetic.fleet_national import NATIONAL
from carbonray.synthetic.fleet_regions import REGIONS
from carbonray.synthetic.fleet_reports import REPORTS, WEATHER_COLUMNS, ReportRules, weather_parquet
from carbonray.synthetic.fleet_tables import inventory_files, units_csv
from carbonray.synthetic.fleet_weather import weather_at
from carbonray.synthetic.fleet_words import gppd_id, jrc_plant, plant_code, report_ids, unit_code
from carbonray.vocab.plants import COOLING_TYPES

RULES = FleetRules(plants=21, first_year=2019, last_year=2019)
PLANTS = tuple(plants_of(RULES))
READERS = {
    "campd": read_campd_hourly,
    "entsoe": read_entsoe,
    "nem": read_nem,
    "epias": read_epias,
    "india": read_india,
}


@pytest.fixture(scope="module")
def listings(tmp_path_factory):
    """Every inventory as its reader takes it."""
    folder = tmp_path_factory.mktemp("inventory")
    found = {}
    for name, data in inventory_files(PLANTS).items():
        (folder / name).write_bytes(data)
        found[name] = read_listing(str(folder / name))
    return found


def reading(rules, plant, tmp_path, year=2019):
    """What the reader of a plant's region makes of a year."""
    generation = generation_of(rules, plant, weather_of(rules, plant))
    name, data = report_of(rules, plant, generation, year)
    (tmp_path / name).write_bytes(data)
    return generation, READERS[REGIONS[plant.region].reports](str(tmp_path / name), ReportedRules(), SourceFacts())


def test_every_layout_has_a_writer_an_inventory_and_a_reader():
    layouts = {region.reports for region in REGIONS.values()}
    assert layouts == set(REPORTS) == set(NATIONAL) == set(READERS)


def test_gppd_lists_every_plant_where_it_stands(listings):
    table = listings["gppd.csv"].plants.to_pylist()
    assert [row["source_id"] for row in table] == [gppd_id(plant) for plant in PLANTS]
    for row, plant in zip(table, PLANTS, strict=True):
        assert (row["country"], row["name"]) == (plant.country, plant.name)
        assert (row["lat"], row["lon"]) == pytest.approx((plant.lat, plant.lon), abs=1e-9)
        assert row["capacity_mw"] == pytest.approx(sum(u.capacity_mw for u in plant.units), abs=0.06)
        assert row["primary_fuel"] == "coal"


def test_national_inventories_list_the_units_and_lead_to_gppd(listings):
    links = {(row["id"], row["other_id"]) for name in listings for row in listings[name].links.to_pylist()}
    for plant in PLANTS:
        layout = REGIONS[plant.region].reports
        if layout == "campd":
            assert (gppd_id(plant), str(plant_code(plant))) in links
            keys = {f"{plant_code(plant)}:{unit.name}" for unit in plant.units}
            assert keys <= set(listings["eia860_generators.csv"].units["unit_source_id"].to_pylist())
        if layout == "entsoe":
            assert (jrc_plant(plant), gppd_id(plant)) in links
            keys = {unit_code(plant, unit) for unit in plant.units}
            assert keys <= set(listings["jrc_units.csv"].units["unit_source_id"].to_pylist())
        if layout == "nem":
            keys = {unit_code(plant, unit) for unit in plant.units}
            assert keys <= set(listings["nem_stations.json"].units["unit_source_id"].to_pylist())
    coal = [u for p in PLANTS if p.country == "TUR" for u in p.units if u.prime_mover == "ST"]
    assert listings["gem_turkiye.csv"].units.num_rows == len(coal)


def test_readers_find_nothing_wrong_but_what_the_layouts_lack(listings):
    for name, listing in listings.items():
        reasons = {row["reason"] for row in listing.findings.to_pylist()}
        assert reasons <= {"no coordinates"}, name  # EIA's generator table has none


def test_structures_are_annotated_with_kind_plant_and_tier(listings):
    listing = listings["structures.geojson"]
    rows = listing.structures.to_pylist()
    assert len(rows) == sum(len(plant.structures) for plant in PLANTS)
    by_id = {s.structure_id: (s, plant) for plant in PLANTS for s in plant.structures}
    for row in rows:
        structure, plant = by_id[row["structure_id"]]
        assert row["structure_kind"] == structure.kind
        assert (row["lat"], row["lon"]) == pytest.approx((structure.lat, structure.lon), abs=1e-9)
        assert row["plant_ref"] == f"gppd:{gppd_id(plant)}"


def test_the_unit_table_knows_cooling_and_desulphurisation():
    table = pyarrow.csv.read_csv(pa.BufferReader(units_csv(PLANTS)))
    assert table.num_rows == sum(len(plant.units) for plant in PLANTS)
    assert set(filter(None, table["cooling_type"].to_pylist())) <= set(COOLING_TYPES)
    assert table["wet_fgd"].to_pylist() == [unit.wet_fgd for plant in PLANTS for unit in plant.units]


@pytest.mark.parametrize("index", [0, 2, 4, 5, 6])
def test_reports_say_what_was_generated_in_the_readers_own_time(index, tmp_path):
    rules = dataclasses.replace(RULES, report=ReportRules(lost_day_share=0.0, false_zero_share=0.0))
    plant = plant_of(rules, index)
    generation, found = reading(rules, plant, tmp_path)
    rows = found.reported
    assert found.rows()["quarantined"] == found.rows()["gaps"] == 0
    total = np.append(0.0, np.cumsum(generation.power_mw.sum(axis=0)))  # MWh until the start of each hour
    hours = np.append(generation.time_utc_ns, generation.time_utc_ns[-1] + 3_600_000_000_000)
    by_start = rows.group_by(["start_utc_ns", "end_utc_ns"]).aggregate([("generation_mwh", "sum")])
    start, end = by_start["start_utc_ns"].to_numpy(), by_start["end_utc_ns"].to_numpy()
    truth = np.interp(end, hours, total) - np.interp(start, hours, total)
    np.testing.assert_allclose(by_start["generation_mwh_sum"].to_numpy(), truth, atol=0.35)
    assert (end - start).sum() >= (364 if index == 6 else 365) * 24 * 3_600_000_000_000  # India: whole days only


def test_us_reports_hold_co2_too(tmp_path):
    plant = plant_of(RULES, 0)
    _, found = reading(RULES, plant, tmp_path)
    units = {f"{plant_code(plant)}:{unit.name}": unit for unit in plant.units}
    for row in found.reported.slice(0, 50).to_pylist():
        expected = row["generation_mwh"] * units[row["source_id"]].intensity_t_per_mwh
        assert row["emissions_t_co2"] == pytest.approx(expected, abs=0.06)


def test_flaws_are_few_the_same_each_time_and_absent_without_confusers(tmp_path):
    often = dataclasses.replace(RULES, report=ReportRules(lost_day_share=0.05, false_zero_share=0.05))
    plant = plant_of(often, 2)
    generation, found = reading(often, plant, tmp_path)
    assert report_of(often, plant, generation, 2019) == report_of(often, plant, generation, 2019)
    assert found.rows()["gaps"] > 0
    zero = pc.sum(pc.equal(found.reported["generation_mwh"], 0.0)).as_py()
    clean = dataclasses.replace(often, tier="T0")
    _, honest = reading(clean, plant_of(clean, 2), tmp_path)
    assert honest.rows()["gaps"] == 0
    assert zero > 0.9 * pc.sum(pc.equal(honest.reported["generation_mwh"], 0.0)).as_py()
    assert found.reported.num_rows < honest.reported.num_rows


def test_every_reported_id_leads_to_its_plant(listings, tmp_path):
    """By its id, or, in Türkiye and India, by its name."""
    inventory = merged_inventory(list(listings.values()))
    known = PlantIds(inventory.plants, known_ids(list(listings.values()), inventory.crosswalk))
    listed = {row["plant_id"]: json.loads(row["source_ids"])["gppd"] for row in inventory.plants.to_pylist()}
    for index in (0, 2, 4, 5, 6):
        plant = plant_of(RULES, index)
        _, found = reading(RULES, plant, tmp_path)
        links = known.links(found.reported).to_pylist()
        assert {tuple(listed[row["plant_id"]]) for row in links} == {(gppd_id(plant),)}
        assert len(links) == len(report_ids(plant))


def test_a_plant_of_the_merged_inventory_has_its_own_tier(listings):
    plants = merged_inventory(list(listings.values())).plants.to_pylist()
    tiers = {gppd_id(plant): plant.data_tier for plant in PLANTS}
    assert {json.loads(row["source_ids"])["gppd"][0]: row["data_tier"] for row in plants} == tiers


def test_the_reader_of_weather_tables_places_it_at_the_plant(tmp_path):
    plant = PLANTS[0]
    weather = weather_of(RULES, plant)
    name, data = weather_parquet(plant, weather, 2019)
    assert (name, data) == weather_parquet(plant, weather, 2019)
    (tmp_path / name).write_bytes(data)
    sites = Sites(np.array(["P1"], object), np.array([plant.lat]), np.array([plant.lon]))
    found = read_weather_table(str(tmp_path / name), sites, PlantWeatherRules())
    assert (found.weather.num_rows, found.set_aside.num_rows, found.unplaced) == (8760, 0, 0)
    assert set(found.weather["plant_id"].to_pylist()) == {"P1"}
    truth = weather_at(weather, found.weather["time_utc_ns"].to_numpy())
    for field in WEATHER_COLUMNS:
        np.testing.assert_allclose(found.weather[field].to_numpy(), getattr(truth, field), rtol=1e-5, atol=1e-5)

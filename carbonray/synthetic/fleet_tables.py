"""The fleet as global inventories and annotators publish it, and every file that lists a set of plants.

Sources: column names of WRI GPPD v1.3; OpenStreetMap's tags for towers and chimneys. Every function takes plants, as
few at a time as memory asks for, and gives the bytes of one file.
"""

import json
from collections.abc import Iterable
from types import MappingProxyType

from carbonray.synthetic.fleet_national import NATIONAL
from carbonray.synthetic.fleet_plants import FleetPlant
from carbonray.synthetic.fleet_regions import REGIONS
from carbonray.synthetic.fleet_words import (
    COUNTRIES,
    SOURCE,
    date_text,
    gppd_id,
    moment,
    rows_csv,
    unit_code,
)
from carbonray.vocab.plants import FUELS, NDT

_GPPD_FUELS = MappingProxyType({"coal": "Coal", "gas": "Gas", "oil": "Oil"})
_TOWER = MappingProxyType({"man_made": "cooling_tower", "cooling_tower:type": "natural_draught"})
_STACK = MappingProxyType({"man_made": "chimney", "chimney:flue_gas_desulphurisation": "wet"})


def inventory_files(plants: tuple[FleetPlant, ...]) -> dict[str, bytes]:
    """Every inventory that lists some of the plants: file name -> bytes; those without a country list all."""
    files = {"gppd.csv": gppd_csv(plants), "units.csv": units_csv(plants)}
    files["structures.geojson"] = structures_geojson(plants)
    for layout, national in NATIONAL.items():
        chosen = tuple(plant for plant in plants if REGIONS[plant.region].reports == layout)
        files |= {name: write(chosen) for name, write in national.items() if chosen}
    return files


def gppd_csv(plants: Iterable[FleetPlant]) -> bytes:
    """Global Power Plant Database, v1.3: a row a plant."""
    rows = []
    for plant in plants:
        by_fuel = _capacity_by_fuel(plant)
        fuels = [*sorted(by_fuel, key=lambda fuel: -by_fuel[fuel]), "", ""]
        rows.append(
            {
                "country": plant.country,
                "country_long": COUNTRIES[plant.country],
                "name": plant.name,
                "gppd_idnr": gppd_id(plant),
                "capacity_mw": round(sum(by_fuel.values()), 1),
                "latitude": plant.lat,
                "longitude": plant.lon,
                "primary_fuel": fuels[0],
                "other_fuel1": fuels[1],
                "other_fuel2": "",
                "other_fuel3": "",
                "commissioning_year": round(_mean_start_year(plant), 1),
                "owner": "",
                "source": SOURCE,
                "url": "",
                "geolocation_source": SOURCE,
                "wepp_id": "",
                "year_of_capacity_data": 2018,
            }
        )
    return rows_csv(rows)


def units_csv(plants: Iterable[FleetPlant]) -> bytes:
    """Everything an inventory can know of units, in the words of `vocab.plants`: a row a unit.

    No inventory at hand says what is behind wet desulphurisation; the paper had it from proprietary ones.
    """
    return rows_csv(
        {
            "plant_ref": f"gppd:{gppd_id(plant)}",
            "plant_name": plant.name,
            "country": plant.country,
            "lat": plant.lat,
            "lon": plant.lon,
            "unit_id": unit.unit_id,
            "unit_name": unit.name,
            "report_id": unit_code(plant, unit),
            "fuel": unit.fuel,
            "prime_mover": unit.prime_mover,
            "capacity_mw": unit.capacity_mw,
            "start_date": date_text(unit.start_utc_ns),
            "end_date": date_text(unit.end_utc_ns),
            "cooling_type": unit.cooling_type,
            "wet_fgd": "true" if unit.wet_fgd else "false",
            "data_tier": plant.data_tier,
        }
        for plant in plants
        for unit in plant.units
    )


def structures_geojson(plants: tuple[FleetPlant, ...]) -> bytes:
    """Towers and stacks as points with OpenStreetMap's tags, and the kind that only an annotator knows."""
    features = [
        {
            "type": "Feature",
            "id": structure.structure_id,
            "geometry": {"type": "Point", "coordinates": [structure.lon, structure.lat]},
            "properties": {
                "structure_id": structure.structure_id,
                "structure_kind": structure.kind,
                "plant_ref": f"gppd:{gppd_id(plant)}",
                "height": f"{structure.height_m:.0f}",
                **(_TOWER if structure.kind == NDT else _STACK),
            },
        }
        for plant in plants
        for structure in plant.structures
    ]
    document = {"type": "FeatureCollection", "name": SOURCE, "data_tier": _tier(plants), "features": features}
    return json.dumps(document, indent=1).encode()


def _tier(plants: tuple[FleetPlant, ...]) -> str:
    """The tier of a file is that of its plant farthest from reality's training grounds."""
    return max((plant.data_tier for plant in plants), default="SYNTHETIC-T1")


def _mean_start_year(plant: FleetPlant) -> float:
    """The year of commissioning, weighted by capacity, as GPPD gives it."""
    weighted = sum(moment(unit.start_utc_ns).year * unit.capacity_mw for unit in plant.units)
    return weighted / sum(unit.capacity_mw for unit in plant.units)


def _capacity_by_fuel(plant: FleetPlant) -> dict[str, float]:
    found: dict[str, float] = {}
    for unit in plant.units:
        word = _GPPD_FUELS[FUELS[unit.fuel].family]
        found[word] = found.get(word, 0.0) + unit.capacity_mw
    return found

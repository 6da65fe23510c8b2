"""The fleet as national and European inventories list it: files with the columns and words of the real ones.

Sources: column names of JRC-PPDB-OPEN (units and linkages), Form EIA-860 (generators), OpenNEM's stations and GEM's
coal plant tracker, as in the real files. Every function takes plants, as few at a time as memory asks for, and gives
the bytes of one file.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from carbonray.synthetic.fleet_plants import FleetPlant
from carbonray.synthetic.fleet_words import (
    COUNTRIES,
    date_text,
    gppd_id,
    jrc_plant,
    moment,
    plant_code,
    rows_csv,
    unit_code,
)

_JRC_TYPES = MappingProxyType(
    {"lignite": "Fossil Brown coal/Lignite", "bituminous": "Fossil Hard coal", "gas": "Fossil Gas"}
)
_JRC_COOLING = MappingProxyType({"natural_draft": "Natural Draught Tower", "once_through": "Once-through"})
_EIA_FUELS = MappingProxyType({"bituminous": "BIT", "subbituminous": "SUB", "lignite": "LIG", "gas": "NG"})
_NEM_FUELS = MappingProxyType({"bituminous": "coal_black", "lignite": "coal_brown", "gas": "gas_ocgt"})


def jrc_units_csv(plants: Iterable[FleetPlant]) -> bytes:
    """JRC-PPDB-OPEN, UNITS: a row a unit."""
    return rows_csv(
        {
            "eic_p": jrc_plant(plant),
            "eic_g": unit_code(plant, unit),
            "name_p": plant.name,
            "name_g": f"{plant.name} {unit.name}",
            "capacity_p": round(sum(u.capacity_mw for u in plant.units), 1),
            "capacity_g": unit.capacity_mw,
            "type_g": _JRC_TYPES[unit.fuel],
            "lat": plant.lat,
            "lon": plant.lon,
            "country": COUNTRIES[plant.country],
            "NUTS2": "",
            "status_g": "COMMISSIONED" if unit.end_utc_ns is None else "DECOMMISSIONED",
            "year_commissioned": moment(unit.start_utc_ns).year,
            "year_decommissioned": None if unit.end_utc_ns is None else moment(unit.end_utc_ns).year,
            "water_type": "Freshwater",
            "cooling_type": _JRC_COOLING.get(unit.cooling_type, ""),
            "water_withdrawal": "",
            "water_consumption": "",
        }
        for plant in plants
        for unit in plant.units
    )


def jrc_linkages_csv(plants: Iterable[FleetPlant]) -> bytes:
    """JRC-PPDB-OPEN, LINKAGES: which plant of GPPD a unit belongs to."""
    return rows_csv(
        {
            "eic_p": jrc_plant(plant),
            "eic_g": unit_code(plant, unit),
            "eprtr_facilityID": "",
            "WRI_id": gppd_id(plant),
            "GEO_id": "",
            "fresna_id": "",
        }
        for plant in plants
        for unit in plant.units
    )


def eia_generators_csv(plants: Iterable[FleetPlant]) -> bytes:
    """Form EIA-860, generators: a row a unit."""
    return rows_csv(
        {
            "Plant Code": plant_code(plant),
            "Plant Name": plant.name,
            "State": "",
            "Generator ID": unit.name,
            "Prime Mover": unit.prime_mover,
            "Nameplate Capacity (MW)": unit.capacity_mw,
            "Status": "OP" if unit.end_utc_ns is None else "RE",
            "Energy Source 1": _EIA_FUELS[unit.fuel],
            "Operating Month": moment(unit.start_utc_ns).month,
            "Operating Year": moment(unit.start_utc_ns).year,
            # retired in the month before its first day without the unit
            "Retirement Month": None if unit.end_utc_ns is None else moment(unit.end_utc_ns - 1).month,
            "Retirement Year": None if unit.end_utc_ns is None else moment(unit.end_utc_ns - 1).year,
        }
        for plant in plants
        for unit in plant.units
    )


def gem_csv(plants: Iterable[FleetPlant]) -> bytes:
    """Global Energy Monitor, coal plant tracker: a row a coal unit; gas turbines are in another tracker."""
    return rows_csv(
        {
            "GEM location ID": f"L{plant_code(plant)}",
            "GEM unit/phase ID": f"G{plant_code(plant)}{unit.name:0>2}",
            "Country/Area": COUNTRIES[plant.country],
            "Plant name": plant.name,
            "Unit name": f"Unit {unit.name}",
            "Capacity (MW)": unit.capacity_mw,
            "Status": "operating" if unit.end_utc_ns is None else "retired",
            "Start year": moment(unit.start_utc_ns).year,
            "Retired year": None if unit.end_utc_ns is None else moment(unit.end_utc_ns).year,
            "Coal type": unit.fuel,
            "Latitude": plant.lat,
            "Longitude": plant.lon,
        }
        for plant in plants
        for unit in plant.units
        if unit.prime_mover == "ST"
    )


def nem_stations_json(plants: Iterable[FleetPlant]) -> bytes:
    """Stations of Australia's National Electricity Market, as OpenNEM lists them."""
    stations = [
        {
            "code": f"SYN{plant.index:04d}",
            "name": plant.name,
            "network_name": plant.name,
            "facilities": [
                {
                    "network_id": "NEM",
                    "fueltech_id": _NEM_FUELS[unit.fuel],
                    "status_id": "operating" if unit.end_utc_ns is None else "retired",
                    "code": unit_code(plant, unit),
                    "network_code": "NEM",
                    "network_region": "NSW1",
                    "dispatch_type": "GENERATOR",
                    "capacity_registered": unit.capacity_mw,
                    "registered": date_text(unit.start_utc_ns),
                    "deregistered": date_text(unit.end_utc_ns),
                    "emissions_factor_co2": round(unit.intensity_t_per_mwh, 4),
                }
                for unit in plant.units
            ],
            "location": {"state": "NSW", "country": "AU", "lat": plant.lat, "lng": plant.lon},
        }
        for plant in plants
    ]
    return json.dumps(stations, indent=1).encode()


# layout of a region's reports -> the inventories that list its plants
NATIONAL: Mapping[str, Mapping[str, Callable[[Iterable[FleetPlant]], bytes]]] = MappingProxyType(
    {
        "campd": {"eia860_generators.csv": eia_generators_csv},
        "entsoe": {"jrc_units.csv": jrc_units_csv, "jrc_linkages.csv": jrc_linkages_csv},
        "nem": {"nem_stations.json": nem_stations_json},
        "epias": {"gem_turkiye.csv": gem_csv},
        "india": {"gem_india.csv": gem_csv},
    }
)

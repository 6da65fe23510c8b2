"""Small made-up inventories in the layouts of the real ones, for the tests of the readers and of merging."""

import json
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

GPPD = (
    "country,country_long,name,gppd_idnr,capacity_mw,latitude,longitude,primary_fuel,other_fuel1,commissioning_year\n"
)
GPPD_2018 = (
    "country,country_long,name,gppd_idnr,capacity_mw,latitude,longitude,fuel1,fuel2,fuel3,fuel4,commissioning_year\n"
)
JRC = (
    "eic_p,eic_g,name_p,name_g,capacity_p,capacity_g,type_g,lat,lon,country,NUTS2,status_g,year_commissioned,"
    "year_decommissioned,water_type,cooling_type,water_withdrawal,water_consumption\n"
)
LINKAGES = "eic_p,eic_g,eprtr_facilityID,WRI_id,GEO_id,fresna_id\n"
PERFORMANCE = "eic_p,eic_g,min_load,eff,best_source\n"
PPM = "id,Name,Fueltype,Technology,Set,Country,Capacity,Efficiency,DateIn,DateRetrofit,DateOut,lat,lon,EIC,projectID\n"
CROSSWALK = (
    "CAMD_PLANT_ID,CAMD_FACILITY_NAME,CAMD_UNIT_ID,CAMD_LATITUDE,CAMD_LONGITUDE,CAMD_STATUS,CAMD_STATUS_DATE,"
    "EIA_PLANT_ID,EIA_GENERATOR_ID,EIA_NAMEPLATE_CAPACITY,EIA_UNIT_TYPE,EIA_FUEL_TYPE,EIA_RETIRE_YEAR,MATCH_TYPE_GEN\n"
)
GEM = (
    "GEM unit/phase ID,GEM location ID,Country/Area,Plant name,Unit name,Capacity (MW),Status,Start year,Retired year,"
    "Coal type,Latitude,Longitude\n"
)
EIA_PLANTS = ["Plant Code", "Plant Name", "State", "Latitude", "Longitude", "NERC Region"]
EIA_GENERATORS = [
    "Plant Code", "Plant Name", "Generator ID", "Prime Mover", "Energy Source 1", "Nameplate Capacity (MW)", "Status",
    "Operating Month", "Operating Year", "Retirement Month", "Retirement Year",
]  # fmt: skip


def written(folder: Path, name: str, text: str) -> str:
    """The path of a text file."""
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def stations(*rows: dict[str, Any]) -> str:
    """NEM stations as JSON; a row gives code, name, lat, lon and units (code, fuel, MW, status)."""
    return json.dumps(
        [
            {
                "code": row["code"],
                "name": row["name"],
                "location": {"country": "AU", "lat": row.get("lat"), "lng": row.get("lon")},
                "facilities": [
                    {
                        "code": code,
                        "fueltech_id": fuel,
                        "capacity_registered": mw,
                        "status_id": status,
                        "registered": None,
                        "deregistered": None,
                    }
                    for code, fuel, mw, status in row["units"]
                ],
            }
            for row in rows
        ]
    )


def points(*rows: tuple[float, float, dict[str, Any]]) -> str:
    """A GeoJSON collection of (lon, lat, properties)."""
    features = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": tags}
        for lon, lat, tags in rows
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def workbook(path: Path, title: str, heading: list[str], rows: list[list[Any]]) -> str:
    """A workbook of one sheet with a title above its heading, as EIA publishes its forms."""
    cells = [[title], heading, *rows]
    body = "".join(f"<row r='{n}'>{''.join(_cell(n, c, v) for c, v in enumerate(row))}</row>"
                   for n, row in enumerate(cells, start=1))  # fmt: skip
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f"<Types xmlns='{package}/content-types'><Default Extension='xml' "
        "ContentType='application/xml'/><Default Extension='rels' "
        "ContentType='application/vnd.openxmlformats-package.relationships+xml'/></Types>",
        "_rels/.rels": f"<Relationships xmlns='{package}/relationships'><Relationship Id='r1' "
        f"Type='{rel}/officeDocument' Target='xl/workbook.xml'/></Relationships>",
        "xl/workbook.xml": f"<workbook xmlns='{main}' xmlns:r='{rel}'><sheets>"
        "<sheet name='Plant' sheetId='1' r:id='r1'/></sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships xmlns='{package}/relationships'><Relationship Id='r1' "
        f"Type='{rel}/worksheet' Target='worksheets/sheet1.xml'/></Relationships>",
        "xl/worksheets/sheet1.xml": f"<worksheet xmlns='{main}'><sheetData>{body}</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f"<?xml version='1.0' encoding='UTF-8'?>{text}")
    return str(path)


def _cell(row: int, column: int, value: Any) -> str:
    at = f"{chr(ord('A') + column)}{row}"
    if isinstance(value, int | float):
        return f"<c r='{at}'><v>{value}</v></c>"
    return f"<c r='{at}' t='inlineStr'><is><t>{escape(str(value))}</t></is></c>" if value != "" else ""

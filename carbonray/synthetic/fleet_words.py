"""Ids and words that all the fleet's files share: how plants and units are called by those who list and report them.

Sources: the codes of WRI GPPD, Form EIA-860, ENTSO-E (EIC) and AEMO (DUID). Ids lead from one inventory to the next as
the real ones do: GPPD's of the United States hold EIA's plant code, and reports of generation use the inventories' ids.
Numbers begin beyond those of real plants.
"""

import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import pyarrow as pa
import pyarrow.csv

from carbonray.synthetic.fleet_plants import FleetPlant, FleetUnit
from carbonray.synthetic.fleet_regions import REGIONS

SOURCE = "carbonray synthetic Earth"
_FIRST_CODE = 900_000  # beyond the codes that EIA has given to real plants

COUNTRIES: Mapping[str, str] = MappingProxyType(
    {
        "USA": "United States of America",
        "DEU": "Germany",
        "POL": "Poland",
        "CZE": "Czech Republic",
        "ROU": "Romania",
        "BGR": "Bulgaria",
        "GRC": "Greece",
        "AUS": "Australia",
        "TUR": "Turkey",
        "IND": "India",
    }
)
# layout of reports -> who reports, as `io.reported` names it


def plant_code(plant: FleetPlant) -> int:
    """The plant's number in national registers; EIA's plant code in the United States."""
    return _FIRST_CODE + plant.index


def gppd_id(plant: FleetPlant) -> str:
    """The plant's id in the Global Power Plant Database."""
    return f"{plant.country}{plant_code(plant):07d}"


def unit_code(plant: FleetPlant, unit: FleetUnit) -> str:
    """The unit's code where its region publishes generation: EIC in Europe, DUID in Australia, else its name."""
    place = plant.units.index(unit) + 1
    codes = {"entsoe": f"99W-S{plant.index:06d}-{place:02d}-", "nem": f"SYN{plant.index:04d}{place}"}
    return codes.get(REGIONS[plant.region].reports, unit.name)


def jrc_plant(plant: FleetPlant) -> str:
    """The plant's energy identification code."""
    return f"99W-S{plant.index:06d}-P-"


def report_ids(plant: FleetPlant) -> tuple[str, ...]:
    """Ids under which its region reports the plant's generation: a unit's, or the plant's name."""
    layout = REGIONS[plant.region].reports
    if layout in ("epias", "india"):
        return (plant.name,)
    prefix = f"{plant_code(plant)}:" if layout == "campd" else ""
    return tuple(f"{prefix}{unit_code(plant, unit)}" for unit in plant.units)


def rows_csv(rows: Iterable[Mapping[str, object]]) -> bytes:
    """Rows of the same columns as CSV; None is an empty cell."""
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(pa.Table.from_pylist(list(rows)), buffer)
    return buffer.getvalue()


def moment(time_utc_ns: int) -> datetime:
    """A time as a date and hour in UTC."""
    return datetime.fromtimestamp(time_utc_ns / 1e9, tz=UTC)


def date_text(time_utc_ns: int | None) -> str | None:
    """`YYYY-MM-DD` in UTC, None where there is no time."""
    return None if time_utc_ns is None else f"{moment(time_utc_ns):%Y-%m-%d}"

"""Small files as publishers lay them out, and records and rows made by hand."""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from carbonray.vocab.energy import SECTORS, SOURCES
from carbonray.vocab.energy_tables import ENERGY_RECORDS

SECTOR_NAMES = (
    "Power",
    "Industry",
    "Ground Transport",
    "Residential",
    "Domestic Aviation",
    "International Aviation",
)
OWID_HEAD = (
    "Country,Year,Electricity from bioenergy (TWh),Electricity from coal (TWh),Electricity generation (TWh),"
    "Electricity from fossil fuels (TWh),Electricity from gas (TWh),Electricity from hydro (TWh),"
    "Electricity from nuclear (TWh),Electricity from oil (TWh),"
    "Electricity from other renewables excluding bioenergy (TWh),"
    "Electricity from other renewables including bioenergy (TWh),Electricity from solar (TWh),"
    "Electricity from wind (TWh)"
)

Series = tuple[str, str, str, list[float | None]]  # type, fuel, units, values


def written(folder: Path, name: str, text: str) -> str:
    """The URL of a new file."""
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return str(path)


def opennem_text(series: Sequence[Series], start: str, interval: str, last: str) -> str:
    """OpenNEM's JSON of one region."""
    history = {"start": start, "last": last, "interval": interval}
    data = [
        {"type": kind, "data_type": kind, "units": units, "history": {**history, "data": values}}
        | ({"fuel_tech": fuel} if fuel else {})
        for kind, fuel, units, values in series
    ]
    return json.dumps({"type": "energy", "network": "nem", "region": "abc1", "data": data})


def days(first: str, count: int) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """UTC days, begin and end."""
    edges = pd.date_range(first, periods=count + 1, freq="D", tz="UTC")
    return list(itertools.pairwise(edges))


def records(
    amounts: Mapping[str, Mapping[str, float]],
    intervals: Sequence[tuple[pd.Timestamp, pd.Timestamp]],
    data_tier: str = "REAL",
) -> pa.Table:
    """Records with the same amounts (a region -> a source or sector -> in a whole interval) in every interval."""
    rows = [
        {"region": region, "start": start, "end": end, "name": name, "value": value}
        for region, parts in amounts.items()
        for start, end in intervals
        for name, value in parts.items()
    ]
    frame = pd.DataFrame(rows, columns=["region", "start", "end", "name", "value"])
    energy = frame["name"].isin(SOURCES)
    frame = frame.assign(
        kind=np.where(energy, "energy", "emissions"),
        unit=np.where(energy, "GWh", "t CO2"),
        publisher="nobody",
        file="by hand",
        file_sha256="",
        data_tier=data_tier,
    )
    arrays = [pa.array(frame[field.name], field.type, from_pandas=False) for field in ENERGY_RECORDS]  # NaN stays NaN
    return pa.Table.from_arrays(arrays, schema=ENERGY_RECORDS)


def region_parts(gwh: float = 100.0, t_per_mwh: float = 1.0, **changed: float) -> dict[str, float]:
    """Amounts of a day: equal sources, equal sectors, some of them changed."""
    parts = dict.fromkeys(SOURCES, gwh / len(SOURCES))
    parts |= dict.fromkeys(SECTORS, gwh * 1e3 * t_per_mwh / len(SECTORS))
    return parts | changed

"""The tables of energy and emissions of regions, as Arrow schemas: what publishers say, and one row a region and time.

Source: SCIENCE 2.2. Times are UTC intervals [start, end); a part of a mix that is not known is NaN.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column
from carbonray.vocab.energy import SECTORS, SOURCES

REGION = column("region", pa.string(), "1", "name of a region, as the first publisher of its emissions writes it")
START = column("start", pa.timestamp("ns", "UTC"), "1", "begin of the interval")
END = column("end", pa.timestamp("ns", "UTC"), "1", "end of the interval, not in it")

# what publishers say: an amount a row
ENERGY_RECORDS = pa.schema(
    [
        REGION,
        START,
        END,
        column("kind", pa.string(), "1", "'energy' by source or 'emissions' by sector"),
        column("name", pa.string(), "1", "the source or the sector"),
        column("value", pa.float64(), "1", "GWh or t CO2 in the whole interval, as `unit` says"),
        column("unit", pa.string(), "1", "'GWh' or 't CO2'"),
        column("publisher", pa.string(), "1", "who says so"),
        column("file", pa.string(), "1", "name of the file"),
        column("file_sha256", pa.string(), "1", "of the file"),
        DATA_TIER,
    ]
)


def _parts(names: tuple[str, ...], suffix: str, units: str, what: str) -> list[pa.Field]:
    return [column(f"{name}_{suffix}", pa.float64(), units, f"{what} of {name.replace('_', ' ')}") for name in names]


# one row a region and interval, amounts a day
ENERGY_ROWS = pa.schema(
    [
        REGION,
        START,
        END,
        *_parts(SOURCES, "gwh", "GWh/d", "electricity a day"),
        *_parts(SECTORS, "t_co2", "t/d", "CO2 a day"),
        column("constant_mix", pa.bool_(), "1", "whether the mix is that of a longer time than the emissions"),
        DATA_TIER,
    ]
)

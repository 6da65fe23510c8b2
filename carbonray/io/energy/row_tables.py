"""Rows of a mix as a table of schema `ENERGY_ROWS`, and back.

Source: SCIENCE 2.2. Amounts a day: GWh by source, t CO2 by sector, in the order of the vocabulary; NaN is unknown.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.io.energy.records import MixReading
from carbonray.science.energy.mix import MixRows
from carbonray.vocab.energy import SECTORS, SOURCES
from carbonray.vocab.energy_tables import ENERGY_ROWS

_ENERGY = [f"{name}_gwh" for name in SOURCES]
_EMISSIONS = [f"{name}_t_co2" for name in SECTORS]


def row_table(reading: MixReading) -> pa.Table:
    """The rows of a reading, schema `ENERGY_ROWS`."""
    rows = reading.rows
    columns = {
        "region": rows.region,
        "start": rows.start_ns,
        "end": rows.end_ns,
        **dict(zip(_ENERGY, rows.energy.T, strict=True)),
        **dict(zip(_EMISSIONS, rows.emissions.T, strict=True)),
        "constant_mix": reading.constant_mix,
        "data_tier": reading.data_tier,
    }
    arrays = [pa.array(np.ascontiguousarray(columns[field.name]), field.type) for field in ENERGY_ROWS]
    return pa.Table.from_arrays(arrays, schema=ENERGY_ROWS)


def rows_of(table: pa.Table) -> MixRows:
    """The rows of a table of schema `ENERGY_ROWS`."""
    return MixRows(
        region=table["region"].to_numpy(zero_copy_only=False).astype(object),
        start_ns=_instants(table, "start"),
        end_ns=_instants(table, "end"),
        energy=_amounts(table, _ENERGY),
        emissions=_amounts(table, _EMISSIONS),
    )


def _instants(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(table[name].cast(pa.int64()).to_numpy(), np.int64)


def _amounts(table: pa.Table, names: list[str]) -> NDArray[np.float64]:
    return np.column_stack([np.asarray(table[name].to_numpy(), np.float64) for name in names])

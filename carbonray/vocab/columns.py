"""How a column of a table is declared: units and meaning travel in the Arrow field's metadata."""

import pyarrow as pa


def column(name: str, kind: pa.DataType, units: str, meaning: str, *, nullable: bool = False) -> pa.Field:
    """An Arrow field with its units (UDUNITS words) and its meaning."""
    return pa.field(name, kind, nullable=nullable, metadata={"units": units, "long_name": meaning})


DATA_TIER = column("data_tier", pa.string(), "1", "REAL, SYNTHETIC-T0, SYNTHETIC-T1 or SYNTHETIC-T2")

"""Tables with positions as GeoParquet 1.1: what geopandas, GDAL, DuckDB and QGIS open without being told anything.

Source: GeoParquet specification 1.1.0. A column `geometry` of WKB points is appended to the declared table, whose
units stay in the field metadata; coordinates are longitude, latitude on WGS 84 (OGC:CRS84).
"""

import json

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.io.table_store import TableRules, encode_table

GEOMETRY = pa.field("geometry", pa.binary(), nullable=False, metadata={"units": "1", "long_name": "WKB point"})


def encode_geoparquet(
    table: pa.Table, keys: tuple[str, ...], lat: str = "lat", lon: str = "lon", rules: TableRules | None = None
) -> bytes:
    """The table as GeoParquet, sorted by its keys.

    Args:
        table: any table with a latitude and a longitude column, degrees.
        keys: columns to sort by.
        lat: name of the latitude column.
        lon: name of the longitude column.
        rules: how to write.

    Raises:
        ContractError: a position or key column is missing, or a position is not a finite WGS 84 coordinate.
    """
    x, y = (_degrees(table, name, limit) for name, limit in ((lon, 180.0), (lat, 90.0)))
    points = pa.array(shapely.to_wkb(shapely.points(x, y), byte_order=1), type=pa.binary())
    columns = table.append_column(GEOMETRY, points)
    return encode_table(columns.replace_schema_metadata(_geo_metadata(x, y)), keys, rules)


def _degrees(table: pa.Table, name: str, limit: float) -> NDArray[np.float64]:
    degrees = table.column(name).to_numpy() if name in table.column_names else np.array([np.nan])
    if not np.all(np.abs(degrees) <= limit):
        raise ContractError(
            f"column {name!r} holds no usable coordinates",
            where="geoparquet",
            expected=f"finite degrees within {limit} of zero in every row",
            remedy="Let the stage that makes the table emit WGS 84 positions.",
        )
    return np.asarray(degrees, dtype=np.float64)


def _geo_metadata(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> dict[str, str]:
    column: dict[str, object] = {"encoding": "WKB", "geometry_types": ["Point"]}
    if lon.size:
        column["bbox"] = [float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())]
    # no `crs` member: the specification then means OGC:CRS84, longitude and latitude on WGS 84
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    return {"geo": json.dumps(geo, sort_keys=True)}

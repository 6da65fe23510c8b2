"""Points of interest from text tables and workbooks: a row each, with a class, a latitude and a longitude.

Sources: Geofabrik's `fclass` tables, SafeGraph's and map services' exports; columns by the names in `poi_rows`.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from carbonray.errors import DataError
from carbonray.io import text_tables
from carbonray.io.urban.poi_categories import CategoryMap
from carbonray.io.urban.poi_rows import PoiRows, PoiRules, aliases, classified

_PLACE = ("lat", "lon")


def text_rows(url: str, categories: CategoryMap, rules: PoiRules) -> Iterator[PoiRows]:
    """Rows of a CSV or TSV file, some lines at a time.

    Raises:
        DataError: no text table, or no column of latitude, longitude or class.
        TransportError: it could not be moved.
    """
    names = aliases(rules, categories)
    for cells in text_tables.csv_chunks(url, names, _PLACE, rules.chunk_bytes):
        yield _rows(cells, categories, url)


def sheet_rows(url: str, categories: CategoryMap, rules: PoiRules) -> Iterator[PoiRows]:
    """Rows of the first sheet of a workbook, which is read whole: its format ends at 65,536 or 1,048,576 rows."""
    yield _rows(text_tables.sheet(url, aliases(rules, categories), _PLACE), categories, url)


def _rows(cells: pd.DataFrame, categories: CategoryMap, url: str) -> PoiRows:
    lat, no_lat = text_tables.numbers(cells["lat"])
    lon, no_lon = text_tables.numbers(cells["lon"])
    fault = text_tables.faults(cells, (no_lat, "latitude", cells["lat"]), (no_lon, "longitude", cells["lon"]))
    told = {name: cells[name].tolist() for name in cells if name == "class" or str(name).startswith("tag:")}
    if len(cells) and not any(any(column) for column in told.values()) and not cells["broken"].all():
        raise DataError(
            "no column says what the points are",
            where=url,
            expected="a column fclass, class, category or type, or one for a key of tags such as amenity",
            remedy="Name it in grid.points.class_column.",
        )
    written, category = classified({str(name): column for name, column in told.items()}, categories)
    return PoiRows(
        row=cells["line"].to_numpy(np.int64),
        point_id=cells["point_id"].to_numpy(object),
        written=written,
        category=category,
        lat=lat,
        lon=lon,
        fault=fault,
    )

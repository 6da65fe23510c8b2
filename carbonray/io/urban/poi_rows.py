"""What every reader of points of interest gives: rows as they stand in the file, not yet sorted out.

Arrays are (row,), in the file's order; nothing is left out but what is no point of interest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.io.text_tables import plain
from carbonray.io.urban.poi_categories import CategoryMap, decided

Texts = NDArray[np.object_]

# made plain (`text_tables.plain`); the first that a file has counts
CLASS_NAMES = ("fclass", "class", "poiclass", "category", "poicategory", "topcategory", "poitype", "type")
ID_NAMES = ("osmid", "poiid", "placekey", "safegraphplaceid", "uid", "id", "objectid", "fid")
LAT_NAMES = ("lat", "latitude", "wgs84lat", "y")
LON_NAMES = ("lon", "lng", "long", "longitude", "wgs84lon", "x")


@dataclass(frozen=True)
class PoiRules:
    """How points of interest are read.

    Attributes:
        class_column, lat_column, lon_column, id_column: columns of tables, or properties of features; empty for the
            first that is there of the usual names (`poi_rows`).
        layer: of a GeoPackage; empty for its first.
        osm_ways: whether areas and lines of OpenStreetMap count, at the mean of their nodes, or nodes only.
        chunk_bytes: of a text file held at once (inferred).
        chunk_rows: features or nodes held at once (inferred).
        remembered_ids: a repeated id is found among so many ids before it in its file (inferred).
    """

    class_column: str = ""
    lat_column: str = ""
    lon_column: str = ""
    id_column: str = ""
    layer: str = ""
    osm_ways: bool = True
    chunk_bytes: int = 16 * 2**20
    chunk_rows: int = 65_536
    remembered_ids: int = 1_000_000


@dataclass(frozen=True)
class PoiRows:
    """Some rows of a file.

    Attributes:
        row: int64, line of data from 1, or place among the features or objects read.
        point_id: in the source, empty where it has none.
        written: the class as it was written.
        category: int16, or a code below 0 of `poi_categories`.
        lat, lon: degrees WGS84, NaN where there are none.
        fault: why the row cannot be read, empty where it can.
    """

    row: NDArray[np.int64]
    point_id: Texts
    written: Texts
    category: NDArray[np.int16]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    fault: Texts


def aliases(rules: PoiRules, categories: CategoryMap) -> dict[str, tuple[str, ...]]:
    """Our name of each column -> the plain names that files may have for it; a key of tags stands for itself."""
    named = {
        "class": (rules.class_column, CLASS_NAMES),
        "point_id": (rules.id_column, ID_NAMES),
        "lat": (rules.lat_column, LAT_NAMES),
        "lon": (rules.lon_column, LON_NAMES),
    }
    columns = {ours: (plain(theirs),) if theirs else usual for ours, (theirs, usual) in named.items()}
    return columns | {f"tag:{key}": (plain(key),) for key in categories.keys}


def classified(columns: Mapping[str, Sequence[str]], categories: CategoryMap) -> tuple[Texts, NDArray[np.int16]]:
    """(row,) class as written and category, from a column `class` and columns `tag:KEY`.

    The class column speaks first; a row where it says nothing is what its tags say.
    """
    names = [name for name in columns if name == "class" or name.startswith("tag:")]
    keys = [name.removeprefix("tag:") for name in names]
    rows = list(zip(*(columns[name] for name in names), strict=True))
    known = {cells: _decided(keys, cells, categories) for cells in set(rows)}
    written = np.array([known[cells][0] for cells in rows], object)
    return written, np.array([known[cells][1] for cells in rows], np.int16)


def _decided(keys: Sequence[str], cells: Sequence[str], categories: CategoryMap) -> tuple[str, int]:
    told = [(key, cell) for key, cell in zip(keys, cells, strict=True) if cell]
    found = [categories.of_class(cell) if key == "class" else categories.of_tag(key, cell) for key, cell in told]
    code = decided(found)
    key, cell = told[found.index(code)] if found else ("class", "")
    return (cell if key == "class" else f"{key}={cell}"), code

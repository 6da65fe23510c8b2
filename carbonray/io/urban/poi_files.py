"""Points of interest of any file, streamed: placed in cells by category, every other row with the rule it broke.

Source: SCIENCE 1.2. Kept and rejected rows add up to those read. What is known of the formats is in `poi_tables`,
`poi_vectors` and `poi_osm`, which class counts as what in `poi_categories.yaml`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.urban.poi_categories import DROPPED, NONE, UNKNOWN, CategoryMap
from carbonray.io.urban.poi_osm import osm_rows
from carbonray.io.urban.poi_rows import PoiRows, PoiRules, Texts
from carbonray.io.urban.poi_tables import sheet_rows, text_rows
from carbonray.io.urban.poi_vectors import vector_rows
from carbonray.science.spatial import cells
from carbonray.science.urban.poi import first_of_each, point_order
from carbonray.vocab.grid_tables import POINT_REJECTIONS, POINTS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Reader = Callable[[str, CategoryMap, PoiRules], Iterator[PoiRows]]

# by the end of a file's name
READERS: Mapping[str, Reader] = MappingProxyType(
    {
        ".pbf": osm_rows,
        ".csv": text_rows,
        ".tsv": text_rows,
        ".txt": text_rows,
        ".xls": sheet_rows,
        ".xlsx": sheet_rows,
        ".xlsb": sheet_rows,
        ".ods": sheet_rows,
        ".geojson": vector_rows,
        ".geojsonl": vector_rows,
        ".json": vector_rows,
        ".gpkg": vector_rows,
    }
)

_CLASS_FAULTS = ((NONE, "no class"), (UNKNOWN, "unknown class"), (DROPPED, "class of no category"))


@dataclass(frozen=True)
class PoiChunk:
    """Some rows of a file, sorted out.

    Attributes:
        points: schema `POINTS`, in its order.
        rejections: schema `POINT_REJECTIONS`, in the file's order.
    """

    points: pa.Table
    rejections: pa.Table

    @property
    def read(self) -> int:
        """Rows of the file: kept and rejected."""
        return int(self.points.num_rows + self.rejections.num_rows)


def read_poi_file(
    url: str, categories: CategoryMap, rules: PoiRules | None = None, within: NDArray[np.int64] | None = None
) -> Iterator[PoiChunk]:
    """Points of interest of a file, some at a time.

    A row is rejected where it is broken, has no coordinates or such as are not of this world, has no class or one that
    is of no category, has the id of a row before it, or lies in none of the cells that are asked for.

    Args:
        url: of a file whose name ends as a key of `READERS`.
        categories: what a class counts as.
        rules: columns and sizes.
        within: ascending numbers of the cells wanted; None for the whole world.

    Raises:
        DataError: it is no such file, or holds no coordinates and classes.
        TransportError: it could not be moved.
    """
    rule = rules or PoiRules()
    seen = _Seen(rule.remembered_ids)
    for rows in _reader(url)(url, categories, rule):
        yield _sorted_out(rows, seen, within, url)


def merged_points(tables: Iterable[pa.Table]) -> tuple[pa.Table, int]:
    """Points of several files as one table in the order of `POINTS`, and how many were told more than once.

    A point whose id has been met in its cell is dropped. What comes out does not hang on the order of the tables.
    """
    every = pa.concat_tables([POINTS.empty_table(), *tables]).combine_chunks()
    cell, category, y, x, key = (every[name].to_numpy() for name in POINTS.names)
    ordered = point_order(cell, category, y, x, key)
    first = ordered[first_of_each(cell[ordered], key[ordered])]
    return every.take(pa.array(first)), len(ordered) - len(first)


def _reader(url: str) -> Reader:
    name = url.rsplit("/", 1)[-1].casefold()
    for end, reader in READERS.items():
        if name.endswith(end):
            return reader
    raise DataError(
        "a file of points of interest of no known kind",
        where=url,
        expected=f"a name that ends in {', '.join(READERS)}",
        remedy="Convert it, or leave it out of inputs.poi.",
    )


class _Seen:
    """The ids met last, as hashes, so that memory does not grow with a file."""

    def __init__(self, most: int) -> None:
        self._most, self._keys = most, np.empty(0, np.int64)

    def again(self, keys: Ints) -> Bools:
        """(n,) whether each key has been met, here or before; those met are remembered."""
        _, first = np.unique(keys, return_index=True)
        again = np.ones(len(keys), np.bool_)
        again[first] = np.isin(keys[first], self._keys)
        self._keys = np.concatenate([self._keys, keys[~again]])[-self._most :]
        return again


def _sorted_out(rows: PoiRows, seen: _Seen, within: Ints | None, url: str) -> PoiChunk:
    reason = rows.fault.copy()
    for wrong, words in _faults(rows):
        _reject(reason, wrong, words)
    named = rows.point_id != ""
    own = np.array([f"{url.rsplit('/', 1)[-1]}:{row}" for row in rows.row[~named]], object)
    names = rows.point_id.copy()
    names[~named] = own
    keys = pd.util.hash_array(names, categorize=False).view(np.int64)
    good = np.flatnonzero(reason == "")
    again = np.zeros(len(names), np.bool_)
    again[good] = seen.again(keys[good])
    _reject(reason, again, lambda at: f"duplicate id: {names[at]!r}")
    good = np.flatnonzero(reason == "")
    row, col, y, x = cells.place_at(rows.lat[good], rows.lon[good])
    cell = cells.cell_id(row, col)
    if within is not None:
        outside = cells.positions(within, cell) < 0
        for at, number in zip(good[outside], cell[outside], strict=True):
            reason[at] = f"outside the cells: it lies in {number}"
        good, cell, y, x = good[~outside], cell[~outside], y[~outside], x[~outside]
    columns = (cell, rows.category[good], y, x, keys[good])
    ordered = point_order(*columns)
    points = pa.table([pa.array(column[ordered]) for column in columns], schema=POINTS)
    return PoiChunk(points, _rejections(rows, reason, url))


def _faults(rows: PoiRows) -> Iterator[tuple[Bools, Callable[[int], str]]]:
    """Rows that break a rule, the gravest first, and the words for one of them."""
    absent = np.isnan(rows.lat) | np.isnan(rows.lon)
    nowhere = absent | ((rows.lat == 0.0) & (rows.lon == 0.0))  # 0, 0 is how some write that there are none
    yield nowhere, lambda at: f"no coordinates: latitude {rows.lat[at]:g}, longitude {rows.lon[at]:g}"
    beyond = (np.abs(rows.lat) > 90.0) | (np.abs(rows.lon) > 180.0)
    yield beyond, lambda at: f"outside the world: latitude {rows.lat[at]:g}, longitude {rows.lon[at]:g}"
    for code, what in _CLASS_FAULTS:
        yield rows.category == code, lambda at, what=what: f"{what}: {rows.written[at]!r}"  # type: ignore[misc]


def _reject(reason: Texts, wrong: Bools, words: Callable[[int], str]) -> None:
    for at in np.flatnonzero(wrong & (reason == "")).tolist():
        reason[at] = words(at)


def _rejections(rows: PoiRows, reason: Texts, url: str) -> pa.Table:
    bad = np.flatnonzero(reason != "")
    columns = [
        pa.array([objectstore.lasting(url)] * len(bad), pa.string()),
        pa.array(rows.row[bad]),
        pa.array(rows.point_id[bad], pa.string()),
        pa.array(reason[bad], pa.string()),
    ]
    return pa.table(columns, schema=POINT_REJECTIONS)

"""Reads what the 1 km product starts from: masks to cells, files to points of interest, and both with images by tile.

Source: SCIENCE 1.2. Every row is kept, rejected by a rule or set aside with its reason; a cell without an image stays a
cell, and says so.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.contract import Encoded, Reading, Unit, to_batch
from carbonray.errors import DataError
from carbonray.io import objectstore, table_store
from carbonray.io.urban.basemap import BasemapRules, read_cell_images
from carbonray.io.urban.basemap_index import BasemapIndex
from carbonray.io.urban.masks import MaskRules, raster_cells, read_city_cells
from carbonray.io.urban.poi_categories import CategoryMap
from carbonray.io.urban.poi_files import merged_points, read_poi_file
from carbonray.io.urban.poi_rows import PoiRules
from carbonray.stages.cell_encoding import POINT
from carbonray.stages.cell_places import (
    CELLS_FOLDER,
    PLACED_CELLS,
    PLACED_POINTS,
    POINTS_FOLDER,
    encode_placed,
    first_of,
    read_tiles,
    tables_under,
    tiles_in,
)
from carbonray.vocab.grid_tables import CELLS, CITY_REJECTIONS, POINT_REJECTIONS, POINTS

REJECTED = "-rejections.parquet"
RASTERS = (".tif", ".tiff", ".vrt")
OUTSIDE = "outside the cells"  # of a country's points most lie outside its cities: counted, not listed


@dataclass(frozen=True)
class ReadMask:
    """Reader of the cells of one mask: polygons of cities, or a raster of the planet.

    Attributes:
        rules: which cells are urban.
    """

    rules: MaskRules

    def __call__(self, unit: Unit) -> Reading:
        """Rows of `vocab.grid_tables.CELLS`.

        Raises:
            DataError: the file is broken, or holds no cell.
        """
        url = unit.inputs[0]
        if url.lower().endswith(RASTERS):
            cells, rejected = pa.concat_tables([CELLS.empty_table(), *raster_cells(url, self.rules)]), {}
        else:
            found = read_city_cells(url, self.rules)
            cells, rejected = found.cells, found.rejections.to_pydict()
        if not cells.num_rows:
            raise DataError(
                f"no cell in the mask ({'; '.join(rejected.get('reason', [])) or 'nothing urban'})",
                where=url,
                expected="at least one urban cell",
                remedy="Correct the file, or the rules in grid.mask.",
            )
        rows = {"read": cells.num_rows, "kept": cells.num_rows, "quarantined": 0}
        return Reading(to_batch(cells), rows, facts={"rejected": rejected})


@dataclass(frozen=True)
class ReadPoints:
    """Reader of one file of points of interest; those outside the cells are left out.

    Attributes:
        categories: what a class counts as.
        rules: columns and sizes.
        cells: URLs of the tables of cells.
    """

    categories: CategoryMap
    rules: PoiRules
    cells: tuple[str, ...]

    def __call__(self, unit: Unit) -> Reading:
        """Rows of `vocab.grid_tables.POINTS`, and how many a city has in the facts.

        Raises:
            DataError: it is no file of points.
        """
        known = first_of(_whole(self.cells), "cell_id")
        within, city = known.column("cell_id").to_numpy(), known.column("city").to_numpy(zero_copy_only=False)
        kept, rejected, counts = [], [POINT_REJECTIONS.empty_table()], Counter[str]()
        for chunk in read_poi_file(unit.inputs[0], self.categories, self.rules, within):
            rules = [reason.partition(":")[0] for reason in chunk.rejections.column("reason").to_pylist()]
            counts.update(rules)
            rejected.append(chunk.rejections.filter(pa.array([rule != OUTSIDE for rule in rules], pa.bool_())))
            kept.append(chunk.points)
        points, again = merged_points(kept)
        rows = {"read": sum(part.num_rows for part in kept) + counts.total(), "kept": points.num_rows, "quarantined": 0}
        rows |= {f"rejected: {rule}": count for rule, count in sorted(counts.items())}
        if again:
            rows["rejected: duplicate id"] = rows.get("rejected: duplicate id", 0) + again
        cities = Counter(city[np.searchsorted(within, points.column("cell_id").to_numpy())].tolist())
        facts = {"cities": dict(sorted(cities.items())), "rejected": pa.concat_tables(rejected).to_pydict()}
        return Reading(to_batch(points), rows, facts=facts)


@dataclass(frozen=True)
class EncodePlaced:
    """Encoder of cells or points: a table cut at the borders of tiles, and what was rejected beside it.

    Attributes:
        folder: of the tables.
        schema: of the rows.
        rejections: schema of the rejected rows.
        tile_cells: side of a tile.
    """

    folder: str
    schema: pa.Schema
    rejections: pa.Schema
    tile_cells: int

    def __call__(self, unit: Unit, batch: Mapping[str, Any], facts: Mapping[str, Any]) -> Encoded:
        """`FOLDER/KEY.parquet` and, where a row was rejected, `FOLDER/KEY-rejections.parquet`; tiles in the facts."""
        table = pa.table({name: batch[name] for name in self.schema.names}, schema=self.schema)
        lost = pa.table(facts["rejected"] or self.rejections.empty_table().to_pydict(), schema=self.rejections)
        objects = {f"{self.folder}{unit.key}.parquet": encode_placed(table, self.tile_cells)}
        if lost.num_rows:
            objects[f"{self.folder}{unit.key}{REJECTED}"] = table_store.encode_table(lost, ())
        told = {name: value for name, value in facts.items() if name != "rejected"}
        tiles = tiles_in(table.column("cell_id").to_numpy(), self.tile_cells)
        return Encoded(objects, {**told, "tiles": tiles, "rejected": lost.num_rows, "rows": table.num_rows})


CELLS_ENCODING = (CELLS_FOLDER, CELLS, CITY_REJECTIONS)
POINTS_ENCODING = (POINTS_FOLDER, POINTS, POINT_REJECTIONS)


@dataclass(frozen=True)
class ReadTile:
    """Reader of the cells of one tile: inputs are the tables of cells, then those of points.

    Attributes:
        basemap: the images' files, None where none are given.
        rules: how images are made.
        tile_cells: side of a tile.
        told_cities: cities whose points of interest are known: in all others having none means nothing.
    """

    basemap: BasemapIndex | None
    rules: BasemapRules
    tile_cells: int
    told_cities: frozenset[str]

    def __call__(self, unit: Unit) -> Reading:
        """Rows of `vocab.cell_tables.CELL_INPUTS`.

        Raises:
            DataError: a file of the basemap is broken.
        """
        tile = (int(unit.partition["tile_row"]), int(unit.partition["tile_col"]))
        tables = tables_under(unit.inputs, CELLS_FOLDER)
        cells = first_of(read_tiles(tables, [tile], self.tile_cells, PLACED_CELLS), "cell_id")
        number = cells.column("cell_id").to_numpy()
        points = tables_under(unit.inputs, POINTS_FOLDER)
        told = np.isin(cells.column("city").to_numpy(zero_copy_only=False), list(self.told_cities))
        found = points_of(read_tiles(points, [tile], self.tile_cells, PLACED_POINTS), number)
        images, present, reasons = self._images(number)
        n = len(number)
        batch = {
            "cell_id": number,
            "image_present": present,
            "poi_present": told,
            "image": images,
            "points": _packed(found),
            "n_points": np.where(told, found.count, -1).astype(np.int32),
        }
        facts = {"absent": reasons, "points_told_again": found.again, "points": int(found.count.sum())}
        return Reading(batch, {"read": n, "kept": n, "quarantined": 0}, facts=facts)

    def _images(self, number: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.bool_], dict[str, int]]:
        """Packed images, which there are, and how many are absent by reason."""
        empty = np.full(len(number), b"", object)
        if self.basemap is None:
            return empty, np.zeros(len(number), np.bool_), {"no basemap is given": len(number)}
        found = read_cell_images(self.basemap, number, self.rules)
        for at in np.flatnonzero(found.present):
            empty[at] = found.images[at].tobytes()
        return empty, found.present, absences(found.reason)


def absences(reasons: Iterable[str]) -> dict[str, int]:
    """How many cells have no image, by the kind of reason: shares of coverage differ from cell to cell."""
    kinds = (reason.partition(":")[0].partition(" of the cell")[0] for reason in reasons if reason)
    counts = Counter("imagery covers too little" if kind.startswith("imagery covers") else kind for kind in kinds)
    return dict(sorted(counts.items()))


@dataclass(frozen=True)
class CellPoints:
    """Points of interest of some cells.

    Attributes:
        values: (point, 3) uint16 category, y, x, by cell; those of other cells stand between.
        first: (cell,) position of a cell's first point.
        count: (cell,) how many it has.
        again: points that several files told.
    """

    values: NDArray[np.uint16]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    again: int


def points_of(points: pa.Table, number: NDArray[np.int64]) -> CellPoints:
    """Points of interest of some cells, from a table of those about them."""
    merged, again = merged_points([points.select(POINTS.names)])
    cell = merged.column("cell_id").to_numpy()
    columns = [merged.column(name).to_numpy().astype(POINT) for name in ("category", "y", "x")]
    values = np.column_stack(columns) if len(cell) else np.zeros((0, 3), POINT)
    first, last = np.searchsorted(cell, number, "left"), np.searchsorted(cell, number, "right")
    return CellPoints(values, first, last - first, again)


def _packed(points: CellPoints) -> NDArray[Any]:
    """(cell,) points as bytes."""
    packed = np.full(len(points.count), b"", object)
    for at in np.flatnonzero(points.count):
        packed[at] = points.values[points.first[at] : points.first[at] + points.count[at]].tobytes()
    return packed


def _whole(urls: Sequence[str] | Iterable[str]) -> pa.Table:
    parts = [table_store.decode_table(objectstore.read_bytes(url), PLACED_CELLS) for url in urls]
    return pa.concat_tables([PLACED_CELLS.empty_table(), *parts])

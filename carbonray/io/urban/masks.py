"""Cells of urban areas: from the polygons of cities, or from a raster that tells town from country.

Sources: RFC 7946 and OGC 12-128 for polygons; any raster of classes, shares or densities for the planet, such as
GHS-SMOD (classes of 21 and more are suburban to urban centre). Tables have the schema `CELLS`, sorted by cell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.io import DatasetReader
from rasterio.windows import Window

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.imagery.raster import opened_raster
from carbonray.io.urban.cell_windows import CellBlock, cells_mean, degree_bounds
from carbonray.io.urban.local_files import local_copy
from carbonray.io.urban.nightlights import measured
from carbonray.science.spatial import cells
from carbonray.vocab.grid_tables import CELLS, CITY_REJECTIONS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TIER, REAL = "data_tier", "REAL"  # property or tag that simulated masks carry; without it a mask is a real one
# cells of a side that are looked at together (inferred); they divide 21600 and 43200
_SIDE = 120  # of polygons
_COARSE_SIDE, _FINE_SIDE = 360, 40  # of rasters, by whether a cell is more than so many pixels wide
_COARSE = 8
_HALF_TURN = 180.0


@dataclass(frozen=True)
class MaskRules:
    """Which cells are urban.

    Attributes:
        name_property: of polygons, the city's name.
        kept: by the `centre` of the cell inside a polygon, or by the `share` of its area.
        least_share: of a cell inside, where the share decides; of a raster always (inferred).
        least_value: of a raster's pixel that is urban.
        raster_city: name of a raster's cells.
    """

    name_property: str = "city"
    kept: Literal["centre", "share"] = "centre"
    least_share: float = 0.5
    least_value: float = 21.0
    raster_city: str = "urban"


@dataclass(frozen=True)
class UrbanCells:
    """Cells of a mask, and its features that gave none.

    Attributes:
        cells: schema `CELLS`; a cell that lies in two cities is that one's which has more of it.
        rejections: schema `CITY_REJECTIONS`, in the file's order.
    """

    cells: pa.Table
    rejections: pa.Table


def read_city_cells(url: str, rules: MaskRules | None = None) -> UrbanCells:
    """Cells of the polygons of a GeoJSON or GeoPackage file, across 180 too; features of one name are one city.

    A feature without a name or without an area, and a city without a cell, are rejected.

    Raises:
        DataError: no vector file, no coordinate system, or no property of that name.
        TransportError: it could not be moved.
    """
    rule = rules or MaskRules()
    with local_copy(url) as path:
        names, tiers, shapes = _features(path, rule, url)
    rejected: list[tuple[str, str]] = []
    parts: dict[str, list[shapely.Geometry]] = {}
    for name, shape in zip(names, shapes, strict=True):
        if not name:
            rejected.append(("", f"no name: property {rule.name_property!r} is empty"))
        elif shape is None or shapely.area(shape) == 0.0:
            rejected.append((name, "no area: neither a polygon nor several"))
        else:
            parts.setdefault(name, []).extend(shapely.get_parts(shapely.make_valid(shape)))
    found = {name: _city(polygons, rule) for name, polygons in sorted(parts.items())}
    rejected += [
        (name, f"no cell: none has its {rule.kept} inside") for name, (cell, _) in found.items() if not cell.size
    ]
    file = objectstore.lasting(url)
    columns = [[file] * len(rejected), [name for name, _ in rejected], [reason for _, reason in rejected]]
    told = pa.table([pa.array(c, pa.string()) for c in columns], schema=CITY_REJECTIONS)
    return UrbanCells(_table(found, dict(zip(names, tiers, strict=True))), told)


def _features(path: Path, rules: MaskRules, url: str) -> tuple[list[str], list[str], NDArray[np.object_]]:
    """Name, data tier and polygons, in degrees, of each feature."""
    try:
        layer = str(pyogrio.list_layers(path)[0][0])
        meta, table = pyogrio.read_arrow(path, layer=layer, columns=[rules.name_property, TIER])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, IndexError) as error:
        raise _fault(f"no layer of features ({error})", url, "a whole GeoJSON or GeoPackage file") from error
    if rules.name_property not in table.column_names:
        raise _fault(f"no property {rules.name_property!r}", url, "the city's name in grid.mask.name_property")
    if not meta["crs"]:
        raise _fault("the layer does not say where it lies", url, "a coordinate system")
    shapes = shapely.from_wkb(table.column(meta["geometry_name"] or "wkb_geometry").to_numpy(), on_invalid="ignore")
    theirs = CRS.from_user_input(meta["crs"])
    if theirs != CRS.from_epsg(4326):
        into = Transformer.from_crs(theirs, 4326, always_xy=True)
        shapes = shapely.transform(shapes, lambda places: np.column_stack(into.transform(*places.T)))
    names = table.column(rules.name_property).cast(pa.string()).to_pylist()
    tiers = table.column(TIER).to_pylist() if TIER in table.column_names else []
    told = [str(tier or REAL) for tier in tiers or [REAL] * len(names)]
    return [(name or "").strip() for name in names], told, shapely.transform(shapes, _unrolled)


def _unrolled(places: Floats) -> Floats:
    """Longitudes that go on beyond 180, where a ring steps over the date line."""
    turns = np.cumsum(np.concatenate([[0.0], -np.rint(np.diff(places[:, 0]) / (2 * _HALF_TURN))]))
    return np.column_stack([places[:, 0] + 2 * _HALF_TURN * turns, places[:, 1]])


def _city(polygons: list[shapely.Geometry], rules: MaskRules) -> tuple[Ints, Floats]:
    """Ascending cells of a city, and the share of each inside."""
    area = shapely.union_all([polygon for polygon in polygons if shapely.area(polygon) > 0.0])
    shapely.prepare(area)
    pieces = [_piece(area, block, rules) for block in _blocks(area)]
    numbers = np.concatenate([np.empty(0, np.int64), *(number for number, _ in pieces)])
    share = np.concatenate([np.empty(0), *(inside for _, inside in pieces)])
    # a city that is split at 180, one half told beyond it, meets its cells from both sides
    unique, at = np.unique(numbers, return_inverse=True)
    return unique, np.minimum(np.bincount(at, share, minlength=len(unique)), 1.0)


def _blocks(area: shapely.Geometry) -> Iterator[CellBlock]:
    """Blocks that hold some of an area, cut to its bounds; columns of those beyond 180 are counted on."""
    west, south, east, north = shapely.bounds(area)
    rows = [int(np.floor((90.0 - lat) * 120)) for lat in (north, south)]
    cols = [int(np.floor((lon + 180.0) * 120)) for lon in (west, east)]
    for top, height in _cut(max(rows[0], 0), min(rows[1], cells.ROWS - 1)):
        for left, width in _cut(*cols):
            block = CellBlock(top, left, height, width)
            if shapely.intersects(area, shapely.box(*block.bounds)):
                yield block


def _cut(first: int, last: int) -> Iterator[tuple[int, int]]:
    """(first, length) of runs of lines between two, cut where blocks begin."""
    for side in range(first // _SIDE, last // _SIDE + 1):
        begin, end = max(side * _SIDE, first), min((side + 1) * _SIDE, last + 1)
        yield begin, end - begin


def _piece(area: shapely.Geometry, block: CellBlock, rules: MaskRules) -> tuple[Ints, Floats]:
    row, col = (part.ravel() for part in np.indices((block.rows, block.cols)))
    row, col = row + block.row, col + block.col
    if rules.kept == "centre":  # boxes are dear: only of cells that count
        lat, lon = cells.cell_centre(row, col)
        inside = shapely.contains_xy(area, lon, lat)
        row, col = row[inside], col[inside]
    boxes = shapely.box(*cells.cell_bounds(row, col))
    share = shapely.contains_properly(area, boxes).astype(np.float64)
    partly = (share == 0.0) & shapely.intersects(area, boxes)
    share[partly] = shapely.area(shapely.intersection(area, boxes[partly])) / shapely.area(boxes[partly])
    kept = np.ones(len(row), np.bool_) if rules.kept == "centre" else share >= rules.least_share
    return cells.cell_id(row[kept], col[kept]), share[kept]


def _table(found: dict[str, tuple[Ints, Floats]], tiers: dict[str, str]) -> pa.Table:
    """Cells of all cities, each once."""
    city = np.repeat(np.array(list(found), object), [len(cell) for cell, _ in found.values()])
    cell = np.concatenate([np.empty(0, np.int64), *(cell for cell, _ in found.values())])
    share = np.concatenate([np.empty(0), *(share for _, share in found.values())])
    order = np.lexsort([-share, cell])  # stable: of equal shares the first name counts
    first = order[np.flatnonzero(np.diff(cell[order], prepend=-1))]
    tier = np.array([tiers[name] for name in city[first]], object)
    return cell_table(cell[first], city[first], share[first], tier)


def cell_table(cell: Ints, city: NDArray[np.object_], share: Floats, tier: NDArray[np.object_]) -> pa.Table:
    """Schema `CELLS` from numbers, names, urban shares and data tiers of cells."""
    row, col = cells.row_col(cell)
    lat, lon = cells.cell_centre(row, col)
    columns = (cell, city, lat, lon, cells.area_km2(row), share.astype(np.float32), tier)
    return pa.table([pa.array(c, kind) for c, kind in zip(columns, CELLS.types, strict=True)], schema=CELLS)


def raster_cells(url: str, rules: MaskRules | None = None) -> Iterator[pa.Table]:
    """Cells whose share of urban pixels is large enough, some rows of them after the other.

    Raises:
        DataError: the raster is broken, or does not say where it lies.
        TransportError: a part of it could not be moved.
    """
    rule = rules or MaskRules()

    def urban(dataset: DatasetReader, window: Window, shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        values, valid = measured(dataset, window, shape)
        return (valid & (values[0] >= rule.least_value))[None].astype(np.float32), np.ones(valid.shape, np.bool_)

    with opened_raster(url) as dataset:
        tier = str(dataset.tags().get(TIER, REAL))
        west, south, east, north = degree_bounds(dataset, url)
        side = _COARSE_SIDE if dataset.height <= _COARSE * (north - south) * 120 else _FINE_SIDE
        rows = _span((90.0 - north) * 120, (90.0 - south) * 120, side)
        columns = sorted({at % (cells.COLS // side) for at in _span((west + 180.0) * 120, (east + 180.0) * 120, side)})
        for row in range(max(rows.start, 0), min(rows.stop, cells.ROWS // side)):
            blocks = [CellBlock(row * side, col * side, side, side) for col in columns]
            found = [_urban_block(dataset, url, block, urban, rule) for block in blocks]
            cell, share = (np.concatenate(part) for part in zip(*found, strict=True))
            if cell.size:
                order = np.argsort(cell)
                names = (np.full(len(cell), word, object) for word in (rule.raster_city, tier))
                yield cell_table(cell[order], next(names), share[order], next(names))


def _span(first: float, last: float, side: int) -> range:
    """Blocks between two places in cells."""
    return range(int(np.floor(first / side)), int(np.ceil(last / side)))


def _urban_block(
    dataset: DatasetReader, url: str, block: CellBlock, urban: Any, rules: MaskRules
) -> tuple[Ints, Floats]:
    found = cells_mean(dataset, url, block, 1, urban, finer=None)
    if found is None:
        return np.empty(0, np.int64), np.empty(0)
    # what the raster does not hold is no town: a mean over the part it holds becomes a share of the whole
    share = found[0][0] * found[1]
    y, x = np.nonzero(share >= max(rules.least_share, np.finfo(np.float32).tiny))
    return cells.cell_id(y + block.row, x + block.col), share[y, x].astype(np.float64)


def _fault(what: str, url: str, expected: str) -> DataError:
    return DataError(what, where=url, expected=expected, remedy="Correct the file of inputs.mask.")

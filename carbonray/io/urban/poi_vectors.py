"""Points of interest from vector files: GeoJSON, GeoPackage and whatever else GDAL streams.

Sources: RFC 7946; OGC 12-128. A polygon or a line counts at its centroid. Coordinates in another system are turned to
WGS84.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from carbonray.errors import DataError
from carbonray.io.text_tables import plain
from carbonray.io.urban.local_files import local_copy
from carbonray.io.urban.poi_categories import CategoryMap
from carbonray.io.urban.poi_rows import PoiRows, PoiRules, aliases, classified


def vector_rows(url: str, categories: CategoryMap, rules: PoiRules) -> Iterator[PoiRows]:
    """Features of a layer, some at a time.

    Raises:
        DataError: no vector file, no coordinate system, or no property that says what the features are.
        TransportError: it could not be moved.
    """
    with local_copy(url) as path:
        try:
            layer = rules.layer or str(pyogrio.list_layers(path)[0][0])
            info = pyogrio.read_info(path, layer=layer)
            fields = _fields(list(info["fields"]), rules, categories, url)
            turn = _to_wgs84(info["crs"], url)
            wanted = list(dict.fromkeys(fields.values()))
            told = 0
            with pyogrio.open_arrow(
                path, layer=layer, columns=wanted, batch_size=rules.chunk_rows, use_pyarrow=True
            ) as (meta, reader):
                for batch in reader:
                    yield _rows(batch, meta["geometry_name"] or "wkb_geometry", fields, categories, turn, told)
                    told += batch.num_rows
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pa.ArrowException, IndexError) as error:
            raise _fault(f"no layer of features ({error})", url, "a whole GeoJSON or GeoPackage file") from error


def _fields(present: list[str], rules: PoiRules, categories: CategoryMap, url: str) -> dict[str, str]:
    """Our name of each column that is there -> the file's."""
    theirs = {plain(name): name for name in reversed(present)}
    names = aliases(rules, categories).items()
    found = {ours: next((theirs[name] for name in usual if name in theirs), "") for ours, usual in names}
    fields = {ours: name for ours, name in found.items() if name and ours not in ("lat", "lon")}
    if set(fields) <= {"point_id"}:
        raise _fault(
            f"properties {present[:20]} say no class", url, "fclass, class, category, type, or amenity and so on"
        )
    return fields


def _rows(
    batch: pa.RecordBatch,
    geometry: str,
    fields: Mapping[str, str],
    categories: CategoryMap,
    turn: Transformer | None,
    told: int,
) -> PoiRows:
    shapes = shapely.from_wkb(batch.column(geometry).to_numpy(zero_copy_only=False), on_invalid="ignore")
    middles = shapely.centroid(shapes)
    lon, lat = (np.asarray(axis(middles), np.float64) for axis in (shapely.get_x, shapely.get_y))
    if turn is not None:
        lon, lat = turn.transform(lon, lat)
    texts = {ours: _text(batch.column(name)) for ours, name in fields.items()}
    written, category = classified({ours: column.tolist() for ours, column in texts.items()}, categories)
    return PoiRows(
        row=told + np.arange(1, batch.num_rows + 1),
        point_id=texts.get("point_id", np.full(batch.num_rows, "", object)),
        written=written,
        category=category,
        lat=np.where(np.isfinite(lat), lat, np.nan),  # what a projection cannot place is infinite
        lon=np.where(np.isfinite(lon), lon, np.nan),
        fault=np.full(batch.num_rows, "", object),
    )


def _text(column: pa.Array) -> NDArray[np.object_]:
    return np.array([cell.strip() for cell in pc.fill_null(pc.cast(column, pa.string()), "").to_pylist()], object)


def _to_wgs84(crs: str | None, url: str) -> Transformer | None:
    """What turns the file's x and y into longitude and latitude; None where they are."""
    if not crs:
        raise _fault("the layer does not say where it lies", url, "a coordinate system")
    theirs = CRS.from_user_input(crs)
    return None if theirs == CRS.from_epsg(4326) else Transformer.from_crs(theirs, 4326, always_xy=True)


def _fault(what: str, url: str, expected: str) -> DataError:
    return DataError(what, where=url, expected=expected, remedy="Repair the file or leave it out of inputs.poi.")

"""Points of interest from OpenStreetMap's own files: nodes and ways whose tags the category map knows.

Source: OpenStreetMap wiki, PBF format; libosmium reads it. Areas count at the mean of their nodes; relations hold no
nodes of their own and are told as rejected. An object whose tags name nothing of interest is no row.
"""

import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import osmium
from osmium.osm import Node, Relation, Way

from carbonray.errors import DataError
from carbonray.io.urban.local_files import local_copy
from carbonray.io.urban.poi_categories import NONE, CategoryMap, decided
from carbonray.io.urban.poi_rows import PoiRows, PoiRules

_Row = tuple[str, str, int, float, float, str]


def osm_rows(url: str, categories: CategoryMap, rules: PoiRules) -> Iterator[PoiRows]:
    """Objects of interest, some at a time; places of nodes are kept on disk while ways are read.

    Raises:
        DataError: no such file, or it is broken.
        TransportError: it could not be moved.
    """
    with local_copy(url) as path, tempfile.TemporaryDirectory(prefix="carbonray-") as room:
        rows: list[_Row] = []
        told = 0
        try:
            for row in _objects(path, Path(room) / "nodes", categories, rules):
                rows.append(row)
                if len(rows) == rules.chunk_rows:
                    yield _gathered(rows, told)
                    told, rows = told + len(rows), []
            yield _gathered(rows, told)
        except RuntimeError as error:  # all that libosmium raises
            raise DataError(
                f"not read as OpenStreetMap data ({error})",
                where=url,
                expected="a whole .osm.pbf file",
                remedy="Fetch the extract again, or leave it out of inputs.poi.",
            ) from error


def _objects(path: Path, nodes: Path, categories: CategoryMap, rules: PoiRules) -> Iterator[_Row]:
    of_tag = lru_cache(maxsize=65_536)(categories.of_tag)
    source = osmium.FileProcessor(path)
    if rules.osm_ways:
        source = source.with_locations(f"sparse_file_array,{nodes}")
    for thing in source.with_filter(osmium.filter.KeyFilter(*categories.keys)):
        if not isinstance(thing, Node | Way | Relation) or not (rules.osm_ways or isinstance(thing, Node)):
            continue
        tags = [(key, thing.tags[key]) for key in categories.keys if key in thing.tags]
        found = [of_tag(key, value) for key, value in tags]
        code = decided(found)
        if code == NONE:
            continue
        key, value = tags[found.index(code)]
        lat, lon, fault = _place(thing)
        yield f"{thing.type_str()}{thing.id}", f"{key}={value}", code, lat, lon, fault


def _place(thing: Node | Way | Relation) -> tuple[float, float, str]:
    """Latitude, longitude, and why there are none."""
    if isinstance(thing, Relation):
        return np.nan, np.nan, "relation: it holds no nodes of its own"
    if isinstance(thing, Node):
        return thing.lat, thing.lon, ""
    places = [(node.lat, node.lon) for node in thing.nodes if node.location.valid()]
    if len(places) > 1 and thing.is_closed():
        places.pop()  # the first node again
    if not places:
        return np.nan, np.nan, "no coordinates: its nodes are not in the file"
    west = places[0][1]
    turned = [(lon - west + 180.0) % 360.0 - 180.0 for _, lon in places]  # a way may lie across 180
    lon = (west + float(np.mean(turned)) + 180.0) % 360.0 - 180.0
    return float(np.mean([lat for lat, _ in places])), lon, ""


def _gathered(rows: list[_Row], told: int) -> PoiRows:
    point_id, written, category, lat, lon, fault = zip(*rows, strict=True) if rows else ((),) * 6
    return PoiRows(
        row=told + np.arange(1, len(rows) + 1),
        point_id=np.array(point_id, object),
        written=np.array(written, object),
        category=np.array(category, np.int16),
        lat=np.array(lat, np.float64),
        lon=np.array(lon, np.float64),
        fault=np.array(fault, object),
    )

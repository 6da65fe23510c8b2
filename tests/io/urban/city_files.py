"""Small files of a city that tests write: rasters in any system, trees of map tiles, polygons, points, OSM extracts."""

import json

import numpy as np
import osmium
import pyogrio
import rasterio
from rasterio.transform import Affine
from rasterio.warp import Resampling, calculate_default_transform, reproject

from carbonray.science.spatial import cells

STEP = cells.STEP_DEG


def grid_of(row, col, rows=1, cols=1):
    """Ascending numbers of a square of cells."""
    return cells.cell_id(*(part.ravel() for part in np.mgrid[row : row + rows, col : col + cols]))


def north_up(row, col, size_px, margin=0):
    """Transform of a raster with size_px pixels a cell, whose corner is a cell's, less a margin of pixels."""
    west, _, _, north = (float(edge) for edge in cells.cell_bounds(row, col))
    px = STEP / size_px
    return Affine(px, 0.0, west - margin * px, 0.0, -px, north + margin * px)


def raster(path, values, transform, crs="EPSG:4326", driver="GTiff", colormap=None, colours=None, **options):
    """A raster file of (band, y, x)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = values.shape
    place = {"crs": crs, "transform": transform} if crs else {}
    with rasterio.open(
        path, "w", driver=driver, width=width, height=height, count=bands, dtype=values.dtype, **place, **options
    ) as file:
        if colours:
            file.colorinterp = colours
        if colormap:
            file.write_colormap(1, colormap)
        file.write(values)
    return str(path)


def smooth_picture(rows, cols, size_px):
    """(3, y, x) uint8, smooth enough to survive a change of projection, and different in every cell."""
    y, x = np.mgrid[0 : rows * size_px, 0 : cols * size_px] / size_px
    waves = (np.sin(2.1 * x + 0.3 * y), np.cos(1.3 * y - 0.4 * x), np.sin(0.7 * (x + y)))
    return np.stack([128 + 100 * wave for wave in waves]).astype(np.uint8)


def reprojected(path, values, transform, crs, **options):
    """The same picture in another coordinate system, with a mask where it does not reach."""
    _, height, width = values.shape
    bounds = rasterio.transform.array_bounds(height, width, transform)
    to, wide, high = calculate_default_transform("EPSG:4326", crs, width, height, *bounds)
    found = np.zeros((len(values) + 1, high, wide), np.uint8)
    opaque = np.concatenate([values, np.full((1, height, width), 255, np.uint8)])
    reproject(
        opaque, found, src_transform=transform, src_crs="EPSG:4326", dst_transform=to, dst_crs=crs,
        resampling=Resampling.bilinear,
    )  # fmt: skip
    kinds = rasterio.enums.ColorInterp
    return raster(path, found, to, crs, colours=[kinds.red, kinds.green, kinds.blue, kinds.alpha], **options)


def geojson(path, features):
    """A file of (properties, geometry) pairs."""
    shown = [{"type": "Feature", "properties": dict(words), "geometry": shape} for words, shape in features]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": shown}))
    return str(path)


def geopackage(path, source, crs=None):
    """A GeoPackage with what a GeoJSON file holds, in its own or another coordinate system."""
    frame = pyogrio.read_dataframe(source)
    pyogrio.write_dataframe(frame.to_crs(crs) if crs else frame, path)
    return str(path)


def square(row, col, rows=1, cols=1, inset=0.0):
    """GeoJSON polygon about some cells, smaller by an inset of cells on every side."""
    west, _, _, north = (float(edge) for edge in cells.cell_bounds(row, col))
    left, right = west + inset * STEP, west + (cols - inset) * STEP
    top, bottom = north - inset * STEP, north - (rows - inset) * STEP
    ring = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
    return {"type": "Polygon", "coordinates": [ring]}


def osm_extract(path, nodes=(), ways=(), relations=()):
    """An OpenStreetMap file: (id, lon, lat, tags), (id, nodes, tags) and (id, members, tags)."""
    writer, make = osmium.SimpleWriter(str(path)), osmium.osm.mutable
    for number, lon, lat, tags in nodes:
        writer.add_node(make.Node(id=number, location=(lon, lat), tags=tags))
    for number, refs, tags in ways:
        writer.add_way(make.Way(id=number, nodes=refs, tags=tags))
    for number, members, tags in relations:
        writer.add_relation(make.Relation(id=number, members=members, tags=tags))
    writer.close()
    return str(path)

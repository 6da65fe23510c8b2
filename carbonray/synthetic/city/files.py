"""The synthetic cities as files like the real ones: basemap, points of interest, mask, labels, night light, truth.

Source: SCIENCE 1.8; Geofabrik's layout of points (osm_id, name, fclass, lon, lat), ODIAC's of labels (GeoTIFF, tonnes
of carbon a cell and month, names ending in yymm). Files are (name, bytes), the name relative to the place of all
cities; the bytes hold no clock and no path, so equal rules give equal files.
"""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.io import MemoryFile
from rasterio.windows import Window as Span

from carbonray.contract import Reading, Unit, object_rows
from carbonray.science.spatial.cells import COLS, PARTS, STEP_DEG, cell_bounds, row_col
from carbonray.synthetic.city.cities import City, CityRules, cell_image, city_points, drawn_city
from carbonray.synthetic.city.emissions import SECTORS
from carbonray.synthetic.city.geography import by_cell
from carbonray.synthetic.city.labels import MONTHS, monthly_t_c
from carbonray.synthetic.city.zones import ZONES
from carbonray.vocab.columns import DATA_TIER, column
from carbonray.vocab.grid_tables import CELL_ID, CITY

File = tuple[str, bytes]
TILE_CELLS = 20  # along a side of a basemap file, on the lattice

# sorted by cell_id
CITY_TRUTH = pa.schema(
    [
        CELL_ID,
        CITY,
        column("zone", pa.string(), "1", "functional zone of most of the cell"),
        column("people", pa.float64(), "1", "residents"),
        column("floor_m2", pa.float64(), "m2", "commercial floor"),
        column("road_km", pa.float64(), "km", "roads"),
        *(column(f"{sector}_t_co2", pa.float64(), "t", f"CO2 a year, {sector}") for sector in SECTORS),
        column("emissions_t_co2", pa.float64(), "t", "CO2 a year, the sum of the sectors"),
        column("oracle_ln_t_co2", pa.float64(), "1", "ln t CO2 a year from activities, efficiencies unknown"),
        column("label_t_co2", pa.float64(), "t", "CO2 a year of the ODIAC-like label, 0 where the night is dark"),
        column("night_light", pa.float64(), "1", "sensor value, 0 to 63"),
        DATA_TIER,
    ]
)


@dataclass(frozen=True)
class MakeCities:
    """Reader of one part of one city, whose rows are ready objects.

    Attributes:
        cities: the rules of the cities, in the order that units number them.
        px: pixels along a cell's side in the basemap.
    """

    cities: tuple[CityRules, ...]
    px: int

    def __call__(self, unit: Unit) -> Reading:
        """A city's tables and grids (`kind` tables), or one file of its basemap (`kind` basemap, `row`, `col`)."""
        part = unit.partition
        city = drawn_city(self.cities[int(part["city"])])
        if part["kind"] == "basemap":
            files = dict([basemap_file(city, (int(part["row"]), int(part["col"])), self.px)])
        else:
            files = city_tables(city)
        rows = {"read": len(files), "kept": len(files), "quarantined": 0}
        return Reading(object_rows(files), rows, facts={"data_tier": city.rules.tier})


def city_tables(city: City) -> dict[str, bytes]:
    """Every file of a city but its basemap."""
    truth = truth_table(city)
    buffer = io.BytesIO()
    pq.write_table(truth, buffer, compression="zstd")
    label, true = (truth.column(name).to_numpy() for name in ("label_t_co2", "emissions_t_co2"))
    return {
        **dict([points_csv(city), mask_geojson(city), night_light_file(city)]),
        **dict(label_files(city, label, "odiac_like")),
        **dict(label_files(city, true, "truth")),
        f"truth/{city.rules.name}.parquet": buffer.getvalue(),
    }


def basemap_tiles(city: City) -> list[tuple[int, int]]:
    """(row, col) of the basemap's files, in units of 20 cells of the lattice, in order."""
    row, col = row_col(city.cells)
    return sorted(set(zip((row // TILE_CELLS).tolist(), (col // TILE_CELLS).tolist(), strict=True)))


def basemap_file(city: City, tile: tuple[int, int], px: int) -> File:
    """A GeoTIFF of 20 x 20 cells, (3, y, x) uint8; 0 where the city has no cell."""
    row, col = row_col(city.cells)
    mine = city.cells[(row // TILE_CELLS == tile[0]) & (col // TILE_CELLS == tile[1])]
    side = TILE_CELLS * px
    corner = tile[0] * TILE_CELLS, tile[1] * TILE_CELLS
    profile = {"count": 3, "dtype": "uint8", "height": side, "width": side, "nodata": 0, "photometric": "rgb",
               "tiled": True, "blockxsize": 256, "blockysize": 256}  # fmt: skip
    with MemoryFile() as file:
        with file.open(**_profile(corner, px), **profile) as to:
            to.update_tags(data_tier=city.rules.tier)
            for band in range(corner[0], corner[0] + TILE_CELLS):
                strip = np.zeros((3, px, side), np.uint8)
                for cell in mine[mine // COLS == band].tolist():
                    left = (cell % COLS - corner[1]) * px
                    strip[:, :, left : left + px] = cell_image(city, cell, px)
                to.write(strip, window=Span(0, (band - corner[0]) * px, side, px))
        return f"basemap/{city.rules.name}/r{tile[0]:04d}c{tile[1]:04d}.tif", bytes(file.read())


def points_csv(city: City) -> File:
    """The points of interest, as an extract of OpenStreetMap has them."""
    parts = list(city_points(city))
    cells = np.repeat([cell for cell, _ in parts], [len(points.fclass) for _, points in parts])
    row, col = row_col(cells)
    y, x = (np.concatenate([getattr(points, name) for _, points in parts]) for name in ("y", "x"))
    # the middle of a part, told to 1e-7 degrees, falls back into that part
    lat = 90.0 - (row + (y + 0.5) / PARTS) * STEP_DEG
    lon = (col + (x + 0.5) / PARTS) * STEP_DEG - 180.0
    table = pa.table({
        "osm_id": city.rules.key * 10**9 + np.arange(cells.size),
        "name": pa.array([""] * cells.size),
        "fclass": pa.array([word for _, points in parts for word in points.fclass], pa.string()),
        "lon": pa.array(np.char.mod("%.7f", lon)),
        "lat": pa.array(np.char.mod("%.7f", lat)),
    })  # fmt: skip
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(table, buffer, pyarrow.csv.WriteOptions(quoting_style="none"))
    return f"poi/{city.rules.name}.csv", buffer.getvalue()


def mask_geojson(city: City) -> File:
    """The outline of a city's cells as one feature whose property `city` is its name."""
    west, south, east, north = cell_bounds(*row_col(city.cells))
    # the lattice's last column ends at 180 and its first begins at -180: an outline is cut there, as RFC 7946 asks
    outline = shapely.simplify(shapely.union_all(shapely.box(west, south, east, north)), 0.0)
    feature = {
        "type": "Feature",
        "properties": {"city": city.rules.name, "data_tier": city.rules.tier},
        "geometry": json.loads(shapely.to_geojson(outline)),
    }
    text = json.dumps({"type": "FeatureCollection", "features": [feature]}, sort_keys=True)
    return f"mask/{city.rules.name}.geojson", text.encode()


def label_files(city: City, t_co2: NDArray[np.float64], kind: str) -> Iterator[File]:
    """Twelve monthly GeoTIFFs of the city's window, tonnes of carbon a cell, from (cell,) tonnes of CO2 a year."""
    months = monthly_t_c(city.rules.label, _grid(city, t_co2))
    year = city.rules.label.year % 100
    for month in range(MONTHS):
        tags = {"units": "t C a cell and month", "data_tier": city.rules.tier}
        data = _window_geotiff(city, months[month].astype(np.float32), tags)
        yield f"co2/{kind}/{city.rules.name}_{year:02d}{month + 1:02d}.tif", data


def night_light_file(city: City) -> File:
    """A GeoTIFF of the city's window: night light, 0 to 63."""
    light = truth_table(city).column("night_light").to_numpy()
    tags = {"units": "sensor value", "data_tier": city.rules.tier}
    return f"lights/{city.rules.name}.tif", _window_geotiff(city, _grid(city, light).astype(np.float32), tags)


def truth_table(city: City) -> pa.Table:
    """What a city knows of each of its cells; schema `CITY_TRUTH`."""
    at = city.where(np.arange(city.cells.size))
    zones = np.stack([by_cell((city.zones.zone == zone).astype(np.float64))[at] for zone in range(len(ZONES))])
    activity, emissions = city.activity, city.emissions
    values = {
        "cell_id": city.cells,
        "city": [city.rules.name] * city.cells.size,
        "zone": [ZONES[zone] for zone in zones.argmax(axis=0)],
        **{name: by_cell(getattr(activity, name))[at] for name in ("people", "floor_m2", "road_km")},
        **{f"{name}_t_co2": each[at] for name, each in zip(SECTORS, emissions.by_sector, strict=True)},
        "emissions_t_co2": emissions.t_co2[at],
        "oracle_ln_t_co2": np.log(emissions.oracle_t_co2[at]),
        "label_t_co2": city.labels.t_co2[at],
        "night_light": city.labels.night_light[at],
        "data_tier": [city.rules.tier] * city.cells.size,
    }
    return pa.table(values, schema=CITY_TRUTH)


def _grid(city: City, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(row, col) of the city's window, 0 outside the city."""
    window = city.lie.window
    row, col = row_col(city.cells)
    grid = np.zeros((window.rows, window.cols))
    grid[row - window.row, (col - window.col) % COLS] = values
    return grid


def _window_geotiff(city: City, values: NDArray[np.float32], tags: Mapping[str, str]) -> bytes:
    window = city.lie.window
    with MemoryFile() as file:
        profile = _profile((window.row, window.col), 1)
        with file.open(**profile, count=1, dtype="float32", height=window.rows, width=window.cols) as to:
            to.write(values, 1)
            to.update_tags(**tags)
        return bytes(file.read())


def _profile(corner: tuple[int, int], px: int) -> dict[str, Any]:
    step, (row, col) = STEP_DEG / px, corner
    return {"driver": "GTiff", "crs": "EPSG:4326", "compress": "deflate", "predictor": 2 if px > 1 else 1,
            "transform": Affine(step, 0, col / 120 - 180.0, 0, -step, 90.0 - row / 120)}  # fmt: skip

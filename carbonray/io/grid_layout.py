"""What an annual grid is: its lattice, its variables, its objects' sizes and the CF metadata that follow from them.

Sources: CF-1.11 (coordinates, bounds, grid mapping); the Zarr conventions `spatial` and `geo-proj` that GeoZarr builds
on. Arrays are (time, lat, lon), row 0 north, column 0 west, one time step a calendar year.
"""

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from carbonray.errors import ContractError
from carbonray.science.spatial.cells import COLS, ROWS, STEP_DEG

# WGS 84 (EPSG:4326) in OGC WKT 1: a literal, so that the bytes do not depend on the PROJ that is installed
_WGS84_WKT = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]'
)
# ids from the registry of the Zarr conventions
_CONVENTIONS = (
    {
        "uuid": "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
        "name": "spatial:",
        "schema_url": "https://raw.githubusercontent.com/zarr-conventions/spatial/refs/tags/v1/schema.json",
        "spec_url": "https://github.com/zarr-conventions/spatial/blob/v1/README.md",
        "description": "Spatial coordinate information",
    },
    {
        "uuid": "f17cb550-5864-4468-aeb7-f3180cfb622f",
        "name": "proj:",
        "schema_url": "https://raw.githubusercontent.com/zarr-conventions/geo-proj/refs/tags/v1/schema.json",
        "spec_url": "https://github.com/zarr-conventions/geo-proj/blob/v1/README.md",
        "description": "Coordinate reference system information for geospatial data",
    },
)


@dataclass(frozen=True)
class GridRules:
    """How a grid is cut into objects.

    Attributes:
        shard_px: side of a shard, the object one work unit writes, pixels.
        chunk_px: side of a chunk inside it, the piece a reader decodes, pixels.
        zstd_level: compression level.
    """

    shard_px: int = 360
    chunk_px: int = 120
    zstd_level: int = 5


@dataclass(frozen=True)
class Lattice:
    """A regular latitude-longitude lattice, row 0 north, column 0 west, of `step_deg` degrees."""

    rows: int
    cols: int
    step_deg: float
    north_deg: float = 90.0
    west_deg: float = -180.0

    def lat_deg(self) -> NDArray[np.float64]:
        """(rows,) latitudes of pixel centres, degrees north, descending."""
        return self.north_deg - (np.arange(self.rows, dtype=np.float64) + 0.5) * self.step_deg

    def lon_deg(self) -> NDArray[np.float64]:
        """(cols,) longitudes of pixel centres, degrees east, ascending."""
        return self.west_deg + (np.arange(self.cols, dtype=np.float64) + 0.5) * self.step_deg


@dataclass(frozen=True)
class GridVariable:
    """One variable of a grid: dtype, value where nothing is known, CF units and name."""

    name: str
    dtype: str
    fill: float
    units: str
    long_name: str


@dataclass(frozen=True)
class GridLayout:
    """Everything that decides a grid's metadata, hashable: years, variables, lattice, rules, global attributes."""

    years: tuple[int, ...]
    variables: tuple[GridVariable, ...]
    lattice: Lattice
    rules: GridRules = GridRules()
    attributes: tuple[tuple[str, str], ...] = ()

    def shards(self) -> tuple[int, int]:
        """Rows and columns of shards."""
        return self.lattice.rows // self.rules.shard_px, self.lattice.cols // self.rules.shard_px


NO2_LATTICE = Lattice(rows=3600, cols=7200, step_deg=0.05)

HOTSPOT_VARIABLES = (
    GridVariable("n_valid_days", "int16", -1, "day", "days on which the pixel was judged"),
    GridVariable("n_detections", "int16", -1, "day", "days with relative emission at or above the cut"),
    GridVariable("detect_freq", "float32", np.nan, "1", "detections over valid days"),
    GridVariable("rel_emission", "float32", np.nan, "1", "mean relative emission over valid days"),
    GridVariable("rel_emission_sd", "float32", np.nan, "1", "standard deviation of relative emission over valid days"),
    GridVariable("rel_emission_detected", "float32", np.nan, "1", "mean relative emission over detections"),
    GridVariable("no2_umol_m2", "float32", np.nan, "umol m-2", "mean tropospheric NO2 column over valid days"),
)

CELL_LATTICE = Lattice(ROWS, COLS, STEP_DEG)

CELL_VARIABLES = (
    GridVariable("emissions_t_co2", "float32", np.nan, "t", "CO2 of the year in the cell"),
    GridVariable("emissions_t_co2_p05", "float32", np.nan, "t", "lower end of its 90 % interval"),
    GridVariable("emissions_t_co2_p95", "float32", np.nan, "t", "upper end of its 90 % interval"),
    GridVariable("emissions_t_c", "float32", np.nan, "t", "carbon of the year in the cell: 12/44 of its CO2"),
    GridVariable("ln_spread", "float32", np.nan, "1", "standard deviation of ln CO2 over model instances"),
    GridVariable("poi_attention", "float32", np.nan, "1", "weight of points of interest beside the image"),
    GridVariable("area_km2", "float32", np.nan, "km2", "area of the cell, of cells that were looked at"),
)


def empty_dataset(layout: GridLayout) -> xr.Dataset:
    """The grid as a lazy dataset of nothing but fill, with its coordinates and attributes."""
    shape = (len(layout.years), layout.lattice.rows, layout.lattice.cols)
    data = {
        v.name: (
            ("time", "lat", "lon"),
            # one chunk that is never made: a task a shard would take seconds to lay out for the planet's cells
            da.full(shape, v.fill, dtype=v.dtype, chunks=shape),  # type: ignore[no-untyped-call]
            {"units": v.units, "long_name": v.long_name, "grid_mapping": "spatial_ref"},
        )
        for v in layout.variables
    }
    return xr.Dataset(data, coords=_coordinates(layout), attrs=_attributes(layout))


def _coordinates(layout: GridLayout) -> dict[str, Any]:
    starts = np.array([f"{year}-01-01" for year in layout.years], "datetime64[ns]")
    ends = np.array([f"{year + 1}-01-01" for year in layout.years], "datetime64[ns]")
    lat = {"standard_name": "latitude", "long_name": "latitude of pixel centre", "units": "degrees_north", "axis": "Y"}
    lon = {"standard_name": "longitude", "long_name": "longitude of pixel centre", "units": "degrees_east", "axis": "X"}
    time = {"standard_name": "time", "long_name": "start of the calendar year", "axis": "T", "bounds": "time_bnds"}
    return {
        "time": ("time", starts, time),
        "time_bnds": (("time", "bnds"), np.stack([starts, ends], axis=1)),
        "lat": ("lat", layout.lattice.lat_deg(), lat),
        "lon": ("lon", layout.lattice.lon_deg(), lon),
        "spatial_ref": ((), np.int32(0), _grid_mapping(layout.lattice)),
    }


def _grid_mapping(lattice: Lattice) -> dict[str, Any]:
    step = lattice.step_deg
    return {
        "grid_mapping_name": "latitude_longitude",
        "semi_major_axis": 6378137.0,
        "inverse_flattening": 298.257223563,
        "longitude_of_prime_meridian": 0.0,
        "crs_wkt": _WGS84_WKT,
        "spatial_ref": _WGS84_WKT,
        "GeoTransform": f"{lattice.west_deg} {step} 0.0 {lattice.north_deg} 0.0 {-step}",
    }


def _attributes(layout: GridLayout) -> dict[str, Any]:
    lattice, step = layout.lattice, layout.lattice.step_deg
    south, east = lattice.north_deg - lattice.rows * step, lattice.west_deg + lattice.cols * step
    return {
        "Conventions": "CF-1.11",
        "zarr_conventions": list(_CONVENTIONS),
        "proj:code": "EPSG:4326",
        "spatial:dimensions": ["lat", "lon"],
        "spatial:bbox": [lattice.west_deg, round(south, 9), round(east, 9), lattice.north_deg],
        "spatial:transform": [step, 0.0, lattice.west_deg, 0.0, -step, lattice.north_deg],
        "spatial:shape": [lattice.rows, lattice.cols],
        **dict(layout.attributes),
    }


def store_encoding(layout: GridLayout) -> dict[str, Any]:
    """Chunks, shards, codecs, fill values and time units of every variable, as xarray takes them."""
    rules = layout.rules
    encoding: dict[str, Any] = {
        v.name: {
            "chunks": (1, rules.chunk_px, rules.chunk_px),
            "shards": (1, rules.shard_px, rules.shard_px),
            "compressors": ZstdCodec(level=rules.zstd_level),
            "_FillValue": np.dtype(v.dtype).type(v.fill),
            "fill_value": np.dtype(v.dtype).type(v.fill),
        }
        for v in layout.variables
    }
    days = {"units": "days since 1970-01-01", "calendar": "proleptic_gregorian", "dtype": "int32"}
    return encoding | {"time": days, "time_bnds": days, "lat": {"_FillValue": None}, "lon": {"_FillValue": None}}


def check_layout(layout: GridLayout) -> None:
    """Checks that chunks divide shards and shards the lattice.

    Raises:
        ContractError: they do not.
    """
    lattice, rules = layout.lattice, layout.rules
    if lattice.rows % rules.shard_px or lattice.cols % rules.shard_px or rules.shard_px % rules.chunk_px:
        raise ContractError(
            f"{lattice.rows} x {lattice.cols} pixels, shards of {rules.shard_px}, chunks of {rules.chunk_px}",
            where="grid_layout.GridLayout",
            expected="chunks that divide shards, shards that divide the lattice",
            remedy="Choose shard_px and chunk_px that divide: one writer owns whole shards.",
        )

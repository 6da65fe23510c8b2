"""Windows of a gridded CO2 inventory, in tonnes of CO2: ODIAC's GeoTIFF and NetCDF files, or anything laid out alike.

Source: ODIAC data product description (30 arc seconds, tonnes of carbon a cell and month; 1 t C = 44/12 t CO2).
Arrays are (y, x), row 0 north, column 0 at the western bound; cells without data are NaN.
"""

import io
from dataclasses import dataclass

import h5netcdf
import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.windows import Window

from carbonray.errors import DataError
from carbonray.io.objectstore import local_path, read_bytes

T_CO2_PER_T_C = 44.0 / 12.0


@dataclass(frozen=True)
class Co2Grid:
    """A window of a CO2 inventory.

    Attributes:
        lat: (y,) cell centres, degrees north, descending.
        lon: (x,) cell centres, degrees east, within 180 of zero; ascending except where the window crosses 180.
        emissions_t_co2: (y, x) float64, tonnes of CO2 a cell in the file's period.
    """

    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    emissions_t_co2: NDArray[np.float64]


def read_co2_grid(url: str, bounds: tuple[float, float, float, float], variable: str | None = None) -> Co2Grid:
    """Cells whose centres lie in (west, south, east, north) degrees; west > east means across 180.

    Args:
        url: GeoTIFF (`.tif`, `.tiff`) or NetCDF (`.nc`) in tonnes of carbon a cell.
        bounds: the window.
        variable: NetCDF variable; None where the file holds only one on a latitude-longitude grid.

    Raises:
        DataError: not a grid, not on geographic axes, or with negative emissions.
        TransportError: the bytes could not be moved.
    """
    geotiff = url.lower().endswith((".tif", ".tiff"))
    grid = _read_geotiff(url, bounds) if geotiff else _read_netcdf(url, bounds, variable)
    if np.any(grid.emissions_t_co2 < 0):
        raise _fault("negative emissions", url, "emissions of zero and more, nodata marked as such")
    return grid


def _read_geotiff(url: str, bounds: tuple[float, float, float, float]) -> Co2Grid:
    path = local_path(url)
    try:
        if path is not None:
            with rasterio.open(path) as raster:
                return _window(raster, bounds, url)
        with MemoryFile(read_bytes(url)) as file, file.open() as raster:
            return _window(raster, bounds, url)
    except rasterio.errors.RasterioError as error:
        raise _fault(f"not a GeoTIFF ({error})", url, "a GeoTIFF of one band") from error


def _window(raster: rasterio.DatasetReader, bounds: tuple[float, float, float, float], url: str) -> Co2Grid:
    step = raster.transform
    if step.b or step.d or (raster.crs and not raster.crs.is_geographic):
        raise _fault(f"transform {tuple(step)[:6]}, {raster.crs}", url, "latitude and longitude axes")
    lat = step.f + step.e * (np.arange(raster.height) + 0.5)
    lon = step.c + step.a * (np.arange(raster.width) + 0.5)
    rows, runs = _selection(lat, lon, bounds)
    pieces = [
        raster.read(1, window=Window(run[0], rows[0], len(run), len(rows)), masked=True)
        .astype(np.float64)
        .filled(np.nan)
        for run in runs
        if len(run) and len(rows)
    ]
    values = np.concatenate(pieces, axis=1) if pieces else np.empty((len(rows), 0))
    return _north_up(lat[rows], lon[np.concatenate(runs)], values)


def _read_netcdf(url: str, bounds: tuple[float, float, float, float], variable: str | None) -> Co2Grid:
    try:
        with xr.open_dataset(io.BytesIO(read_bytes(url)), engine="h5netcdf") as dataset:
            field = _grid_variable(dataset, variable, url)
            lat, lon = (np.asarray(dataset[field.dims[axis]], dtype=np.float64) for axis in (0, 1))
            rows, runs = _selection(lat, lon, bounds)
            cols = np.concatenate(runs)
            return _north_up(lat[rows], lon[cols], np.asarray(field[rows, cols], dtype=np.float64))
    except (OSError, ValueError, h5netcdf.CompatibilityError) as error:
        raise _fault(f"not a NetCDF grid ({error})", url, "a NetCDF 4 file with a (lat, lon) variable") from error


def _grid_variable(dataset: xr.Dataset, variable: str | None, url: str) -> xr.DataArray:
    names = ({"lat", "latitude", "y"}, {"lon", "longitude", "x"})
    fields = {name: array.squeeze(drop=True) for name, array in dataset.data_vars.items() if variable in (None, name)}
    grids = [f for f in fields.values() if f.ndim == 2 and f.dims[0] in names[0] and f.dims[1] in names[1]]
    if len(grids) != 1:
        raise _fault(f"{len(grids)} grids among {list(dataset.data_vars)}", url, "one (lat, lon) variable, or its name")
    return grids[0]


def _selection(
    lat: NDArray[np.float64], lon: NDArray[np.float64], bounds: tuple[float, float, float, float]
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Rows in the bounds, and one run of columns, or two where the window crosses the seam of the file's axis."""
    west, south, east, north = bounds
    rows = np.flatnonzero((lat > south) & (lat < north))
    width = (east - west) % 360 or 360.0
    offset = (lon - west) % 360
    cols = np.flatnonzero(offset < width)
    seam = np.flatnonzero(np.diff(offset[cols]) < 0) + 1  # where the axis passes the western bound
    first, *rest = np.split(cols, seam)
    return rows, [*rest, first]


def _north_up(lat: NDArray[np.float64], lon: NDArray[np.float64], tonnes_c: NDArray[np.float64]) -> Co2Grid:
    down = -1 if lat.size > 1 and lat[0] < lat[-1] else 1
    return Co2Grid(lat[::down], (lon + 180) % 360 - 180, tonnes_c[::down] * T_CO2_PER_T_C)


def _fault(what: str, url: str, expected: str) -> DataError:
    return DataError(what, where=url, expected=expected, remedy="Repair the file or leave it out of inputs.co2_grid.")

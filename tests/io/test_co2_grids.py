"""Windows of CO2 grids: tonnes of carbon to CO2, either way up, across 180."""

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio import Affine

from carbonray.errors import DataError
from carbonray.io.co2_grids import read_co2_grid

STEP = 2.0
LAT = 90 - (np.arange(90) + 0.5) * STEP
LON = -180 + (np.arange(180) + 0.5) * STEP
TONNES_C = (np.arange(90)[:, None] * 1000.0 + np.arange(180)).astype("f4")
MATIMBA, ACROSS = (26.0, -26.0, 30.0, -22.0), (176.0, -4.0, -176.0, 4.0)


def geotiff(path, values=TONNES_C, transform=None, crs="EPSG:4326", nodata=None):
    transform = transform or Affine(STEP, 0, -180, 0, -STEP, 90)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=90,
        width=180,
        count=1,
        dtype="float32",
        crs=crs,
        transform=transform,
        nodata=nodata,
    ) as raster:
        raster.write(values, 1)
    return str(path)


def netcdf(path, lat=LAT, lon=LON, values=TONNES_C):
    data = xr.Dataset({"land": (("month", "lat", "lon"), values[None])}, {"lat": lat, "lon": lon})
    data.to_netcdf(path, engine="h5netcdf")
    return str(path)


def files(folder):
    up = Affine(STEP, 0, -180, 0, STEP, -90)
    return [
        geotiff(folder / "a.tif"),
        geotiff(folder / "south_up.tif", TONNES_C[::-1], up),
        netcdf(folder / "b.nc"),
        netcdf(folder / "south_up.nc", LAT[::-1], LON, TONNES_C[::-1]),
        netcdf(folder / "from_0.nc", LAT, np.sort(LON % 360), TONNES_C[:, np.argsort(LON % 360)]),
    ]


@pytest.mark.parametrize("bounds", [MATIMBA, ACROSS])
def test_every_layout_gives_the_same_window_north_up(tmp_path, bounds):
    west, south, east, north = bounds
    for url in files(tmp_path):
        grid = read_co2_grid(url, bounds)
        assert np.all(np.diff(grid.lat) < 0), url
        assert np.all((grid.lat > south) & (grid.lat < north))
        assert np.all((grid.lon - west) % 360 < (east - west) % 360)
        assert np.all(np.diff((grid.lon - west) % 360) > 0)
        row, col = (
            np.round((90 - grid.lat) / STEP - 0.5).astype(int),
            np.round((grid.lon + 180) / STEP - 0.5).astype(int),
        )
        np.testing.assert_allclose(grid.emissions_t_co2, TONNES_C[np.ix_(row, col)] * 44 / 12, rtol=1e-6)
        assert grid.emissions_t_co2.shape == (round((north - south) / STEP), round(((east - west) % 360) / STEP))


def test_nodata_is_missing_and_negative_is_bad(tmp_path):
    holes = TONNES_C.copy()
    holes[33, 103] = -9999
    everywhere = (-180.0, -90.0, 180.0, 90.0)
    grid = read_co2_grid(geotiff(tmp_path / "holes.tif", holes, nodata=-9999.0), everywhere)
    assert np.argwhere(np.isnan(grid.emissions_t_co2)).tolist() == [[33, 103]]
    with pytest.raises(DataError, match="negative emissions"):
        read_co2_grid(geotiff(tmp_path / "negative.tif", holes), everywhere)


def test_grids_on_other_axes_or_of_other_files_are_bad_data(tmp_path):
    with pytest.raises(DataError, match="EPSG:3857"):
        read_co2_grid(geotiff(tmp_path / "mercator.tif", crs="EPSG:3857"), MATIMBA)
    for name in ("garbage.tif", "garbage.nc"):
        (tmp_path / name).write_bytes(b"garbage" * 99)
        with pytest.raises(DataError, match="not a"):
            read_co2_grid(str(tmp_path / name), MATIMBA)
    two = xr.Dataset(dict.fromkeys(("land", "bunker"), (("lat", "lon"), TONNES_C)), {"lat": LAT, "lon": LON})
    two.to_netcdf(tmp_path / "two.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="2 grids"):
        read_co2_grid(str(tmp_path / "two.nc"), MATIMBA)
    assert read_co2_grid(str(tmp_path / "two.nc"), MATIMBA, "land").emissions_t_co2.shape == (2, 2)

"""Small TROPOMI granules in the official layout, as bytes, for tests to break."""

import io
from collections.abc import Callable

import h5netcdf
import h5py
import numpy as np

FILL = np.float32(9.969209968386869e36)
NAME = "S5P_OFFL_L2__NO2____20210725T110715_20210725T124844_19594_03_020400_20221104T141836.nc"
NO2 = "PRODUCT/nitrogendioxide_tropospheric_column"
GEO = "PRODUCT/SUPPORT_DATA/GEOLOCATIONS"
DETAIL = "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS"
CLOUD = f"{DETAIL}/cloud_fraction_crb_nitrogendioxide_window"
START_S = 364_867_200  # 2021-07-25T00:00:00 in seconds since 2010-01-01
FIRST_MS = 42_292_595  # 11:44:52.595


def corners_and_centres(lines: int = 6, pixels: int = 5, lat0: float = -26.0, lon0: float = 28.0):
    """Corners (s, p, 4), counter-clockwise, and centres (s, p) of a tilted swath."""
    s, p = np.meshgrid(np.arange(lines + 1.0), np.arange(pixels + 1.0), indexing="ij")
    lat, lon = lat0 + 0.05 * s - 0.01 * p, lon0 + 0.04 * p - 0.01 * s
    ring = [v[a : a + lines, b : b + pixels] for v in (lat, lon) for a, b in ((0, 0), (0, 1), (1, 1), (1, 0))]
    lat_corners, lon_corners = np.stack(ring[:4], -1), np.stack(ring[4:], -1)
    return lat_corners, lon_corners, lat_corners.mean(-1), lon_corners.mean(-1)


def columns(lines: int = 6, pixels: int = 5) -> np.ndarray:
    """(s, p) columns, mol m-2, the first missing and the second negative."""
    values = np.linspace(1e-5, 4e-4, lines * pixels).reshape(lines, pixels).astype(np.float32)
    values[0, :2] = FILL, -2e-5
    return values


def official_granule(change: Callable[[h5py.File], None] | None = None, **kwargs: float) -> bytes:
    """A granule in the official layout; `change` may then break it through h5py."""
    buffer = io.BytesIO()
    lat_corners, lon_corners, lat, lon = corners_and_centres(**kwargs)
    lines, pixels = lat.shape
    with h5netcdf.File(buffer, "w") as file:
        file.attrs["orbit"] = np.int32(19594)
        product = file.create_group("PRODUCT")
        product.dimensions = {"time": 1, "scanline": lines, "ground_pixel": pixels, "corner": 4}
        pixel, corner = ("time", "scanline", "ground_pixel"), ("time", "scanline", "ground_pixel", "corner")
        _put(product, "time", ("time",), np.array([START_S], np.int32), units="seconds since 2010-01-01 00:00:00")
        ms = (FIRST_MS + 840 * np.arange(lines)).astype(np.int32)[None]
        _put(product, "delta_time", ("time", "scanline"), ms, units="milliseconds")
        _put(product, "latitude", pixel, lat[None].astype(np.float32), FILL, units="degrees_north")
        _put(product, "longitude", pixel, lon[None].astype(np.float32), FILL, units="degrees_east")
        _put(product, "nitrogendioxide_tropospheric_column", pixel, columns(lines, pixels)[None], FILL, units="mol m-2")
        qa = np.full((1, lines, pixels), 100, np.uint8)
        qa[0, -1] = 74
        _put(
            product,
            "qa_value",
            pixel,
            qa,
            np.uint8(255),
            units="1",
            scale_factor=np.float32(0.01),
            add_offset=np.float32(0),
        )
        geolocations = product.create_group("SUPPORT_DATA/GEOLOCATIONS")
        _put(geolocations, "latitude_bounds", corner, lat_corners[None].astype(np.float32), FILL)
        _put(geolocations, "longitude_bounds", corner, lon_corners[None].astype(np.float32), FILL)
        details = product.create_group("SUPPORT_DATA/DETAILED_RESULTS")
        cloud = np.full((1, lines, pixels), 0.25, np.float32)
        _put(details, "cloud_fraction_crb_nitrogendioxide_window", pixel, cloud, FILL, units="1")
    if change is not None:
        with h5py.File(buffer, "r+") as file:
            change(file)
    return buffer.getvalue()


def _put(
    group: h5netcdf.Group, name: str, dimensions: tuple[str, ...], data: np.ndarray, fill=None, **attributes
) -> None:
    variable = group.create_variable(name, dimensions, data.dtype, data=data, fillvalue=fill)
    variable.attrs.update(attributes)


def put(path: str, values: np.ndarray, **attributes: object) -> Callable[[h5py.File], None]:
    """A change that replaces a variable, keeping the attributes it had."""

    def change(file: h5py.File) -> None:
        kept = {key: value for key, value in file[path].attrs.items() if key in ("units", "_FillValue", "scale_factor")}
        del file[path]
        file[path] = values
        file[path].attrs.update(kept | attributes)

    return change


def remove(path: str) -> Callable[[h5py.File], None]:
    """A change that takes a variable or group away."""
    return lambda file: file.__delitem__(path)


def edit(path: str, at: tuple[int, ...], value: float) -> Callable[[h5py.File], None]:
    """A change of one number."""

    def change(file: h5py.File) -> None:
        file[path][at] = value

    return change

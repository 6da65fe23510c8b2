"""Fields on (time, lat, lon) grids, however a file writes its axes, and their values at points.

Source: ERA5 files of Copernicus C3S, NetCDF-4 and Zarr, old and new names. Axes are ascending, float64
degrees; a box across +-180 counts longitudes on past 180. Values between grid points are multilinear.
"""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.science.spatial.geodesy import wrapped_longitude

Field = NDArray[np.float32]

_AXES = {
    "time": ("valid_time", "time"),
    "level": ("pressure_level", "level", "isobaricInhPa", "plev"),
    "lat": ("latitude", "lat"),
    "lon": ("longitude", "lon"),
}


class Place(NamedTuple):
    """Points along one axis: the indices on either side, and the weight of the upper, NaN beyond the limit."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    weight: NDArray[np.float64]


def open_dataset(url: str) -> xr.Dataset:
    """A weather file or store as it is, lazily; libraries' own errors come through."""
    dataset: xr.Dataset
    if ".zarr" in url:
        objectstore.version(url)  # absent or out of reach is told here, by name
        dataset = xr.open_zarr(url, consolidated=False)
    else:
        source = objectstore.local_path(url) or io.BytesIO(objectstore.read_bytes(url))
        dataset = xr.open_dataset(source, engine="h5netcdf", decode_timedelta=False)
    return dataset


def ordered(dataset: xr.Dataset, url: str) -> xr.Dataset:
    """The dataset with axes named time, level, lat, lon, in that order, ascending (levels upward)."""
    found: dict[str, list[str]] = {
        ours: [name for name in names if name in dataset.dims] for ours, names in _AXES.items()
    }
    missing = [ours for ours, names in found.items() if not names and ours != "level"]
    if missing:
        raise bad_field(f"axes {missing} are missing", url, f"dimensions {_AXES}, found {dict(dataset.sizes)}")
    dataset = dataset.rename({names[0]: ours for ours, names in found.items() if names and names[0] != ours})
    extra = {name: size for name, size in dataset.sizes.items() if name not in _AXES}
    if any(size > 1 for size in extra.values()):
        raise bad_field(f"axes {extra}", url, "time, level, lat and lon only: one analysis, no ensemble")
    dataset = dataset.isel(dict.fromkeys(extra, 0), drop=True)
    dataset = dataset.assign_coords(lon=wrapped_longitude(dataset["lon"].to_numpy())).sortby(["time", "lat", "lon"])
    lon = dataset["lon"].to_numpy()
    gap = np.diff(np.append(lon, lon[0] + 360.0))
    first = (int(gap.argmax()) + 1) % len(lon)  # a box across +-180 starts after the widest gap, not at -180
    dataset = dataset.roll(lon=-first, roll_coords=True)
    dataset = dataset.assign_coords(lon=np.unwrap(dataset["lon"].to_numpy(), period=360.0))
    if "level" in dataset.dims:
        dataset = dataset.sortby("level", ascending=False)
    return dataset


def around(times: NDArray[np.datetime64], between_ns: tuple[int, int]) -> NDArray[np.int64]:
    """Indices of the times inside an interval and of the nearest on either side of it."""
    ns = times.astype("datetime64[ns]").astype(np.int64)
    first, last = int(np.searchsorted(ns, between_ns[0], "right")) - 1, int(np.searchsorted(ns, between_ns[1], "left"))
    return np.arange(max(0, first), min(len(ns), last + 1), dtype=np.int64)


def joined(name: str, pieces: list[xr.DataArray]) -> xr.DataArray:
    """The pieces of one variable along time, each time once, the first file's where they overlap."""
    for piece in pieces[1:]:
        for axis in piece.dims:
            if axis != "time" and not np.array_equal(piece[axis].to_numpy(), pieces[0][axis].to_numpy()):
                raise bad_field(f"{name} on different {axis} axes", "inputs.weather", "files of one grid")
    whole = xr.concat(pieces, "time", coords="minimal", compat="override") if len(pieces) > 1 else pieces[0]
    return whole.drop_duplicates("time").sortby("time")


def place(axis: NDArray[np.float64], at: NDArray[np.float64], limit: float) -> Place:
    """Where points lie along an ascending axis; held at its ends for points up to `limit` outside it."""
    low = np.clip(np.searchsorted(axis, at, "right") - 1, 0, max(len(axis) - 2, 0))
    high = np.minimum(low + 1, len(axis) - 1)
    width = np.where(high > low, axis[high] - axis[low], 1.0)
    weight = np.clip((at - axis[low]) / width, 0.0, 1.0)
    outside = np.maximum(axis[0] - at, at - axis[-1])
    return Place(low, high, np.where(outside <= limit, weight, np.nan))


def interpolated(fields: Sequence[Field], places: tuple[Place, Place, Place]) -> tuple[Field, ...]:
    """(t, y, x) fields at the same places along each axis, multilinear."""
    totals = [np.zeros(places[0].low.shape) for _ in fields]
    for corner in np.ndindex(2, 2, 2):
        sides = list(zip(places, corner, strict=True))
        index = tuple(at.high if side else at.low for at, side in sides)
        weights = [at.weight if side else 1.0 - at.weight for at, side in sides]
        weight = weights[0] * weights[1] * weights[2]
        totals = [total + weight * field[index] for total, field in zip(totals, fields, strict=True)]
    return tuple(total.astype(np.float32) for total in totals)


def bad_field(what: str, where: str, expected: str) -> DataError:
    """A weather file that is damaged or says something else than expected."""
    return DataError(what, where=where, expected=expected, remedy="Fetch the weather again, or name other files.")

"""Simulated granules in the official layout of TROPOMI L2 NO2: the same groups, names, types, scales and fill values.

Source: Sentinel-5P Level 2 Product User Manual Nitrogen Dioxide (variables, `qa_value` as percent in a byte, times in
milliseconds after the day that `time` names in seconds since 2010-01-01). Arrays are (scanline, ground pixel), NaN
where missing; in the file they carry a leading time axis of one. The bytes hold no clock and no path: equal input
gives equal files. Every file says what it is in the global attribute `data_tier`.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import h5netcdf
import h5py
import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.orbits import PERIOD_S, SwathGeometry

Floats = NDArray[np.float64]

FILL = np.float32(9.969209968386869e36)  # NC_FILL_FLOAT, as in the product
_EPOCH = datetime(2010, 1, 1, tzinfo=UTC)
_PIXEL = ("time", "scanline", "ground_pixel")
_PRODUCT = "PRODUCT"
_GEOLOCATIONS = "PRODUCT/SUPPORT_DATA/GEOLOCATIONS"
_DETAILED = "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS"
_INPUT = "PRODUCT/SUPPORT_DATA/INPUT_DATA"
_MOL = {"units": "mol m-2", "multiplication_factor_to_convert_to_molecules_percm2": np.float32(6.02214e19)}
_BOUNDS = "/PRODUCT/SUPPORT_DATA/GEOLOCATIONS/"


@dataclass(frozen=True)
class Retrieval:
    """What the retrieval reports: (s, p) arrays, NaN where there is nothing.

    Attributes:
        no2_mol_m2: tropospheric column.
        precision_mol_m2: its standard error.
        qa_value: 0 to 1.
        cloud_fraction: effective cloud fraction in the NO2 window.
        cloud_radiance_fraction: share of the light that comes from cloud.
        amf_troposphere: tropospheric air mass factor.
    """

    no2_mol_m2: Floats
    precision_mol_m2: Floats
    qa_value: Floats
    cloud_fraction: Floats
    cloud_radiance_fraction: Floats
    amf_troposphere: Floats


@dataclass(frozen=True)
class _Variable:
    group: str
    name: str
    values: NDArray[Any]
    dims: tuple[str, ...]
    attributes: dict[str, Any]
    fill: Any = None


def granule_name(geometry: SwathGeometry) -> str:
    """File name by the product's convention: class SYNT, start and end, orbit, collection, processor, processed."""
    start, end = (_utc(geometry.time_utc_ns[k]).strftime("%Y%m%dT%H%M%S") for k in (0, -1))
    done = (_utc(geometry.time_utc_ns[-1]) + timedelta(seconds=PERIOD_S)).strftime("%Y%m%dT%H%M%S")
    return f"S5P_SYNT_L2__NO2____{start}_{end}_{geometry.orbit:05d}_01_000000_{done}.nc"


def encode_granule(geometry: SwathGeometry, retrieval: Retrieval, tier: str) -> bytes:
    """One granule as NetCDF-4 bytes.

    Args:
        geometry: where and when the pixels are.
        retrieval: what was retrieved there.
        tier: data tier, such as SYNTHETIC-T2.
    """
    scans, pixels = geometry.lat.shape
    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as file:
        file.attrs.update(_global_attributes(geometry, tier))
        for group in (_PRODUCT, _GEOLOCATIONS, _DETAILED, _INPUT):
            file.create_group(group)
        sizes = {"scanline": scans, "ground_pixel": pixels, "corner": 4, "time": 1}
        file[_PRODUCT].dimensions = sizes
        for variable in _variables(geometry, retrieval):
            _write(file, variable)
    return buffer.getvalue()


def _write(file: h5netcdf.File, variable: _Variable) -> None:
    shape = tuple(1 if dim == "time" else file[_PRODUCT].dimensions[dim].size for dim in variable.dims)
    packed = variable.values.size > 10_000
    created = file[variable.group].create_variable(
        variable.name,
        variable.dims,
        variable.values.dtype if variable.values.dtype.kind != "O" else h5py.string_dtype(),
        data=variable.values.reshape(shape),
        fillvalue=variable.fill,
        compression="gzip" if packed else None,
        compression_opts=3 if packed else None,
        shuffle=packed,
    )
    created.attrs.update(variable.attributes)


def _variables(geometry: SwathGeometry, retrieval: Retrieval) -> Iterator[_Variable]:
    yield from _axes(geometry)
    yield from _times(geometry)
    yield from _positions(geometry)
    yield from _results(retrieval)


def _axes(geometry: SwathGeometry) -> Iterator[_Variable]:
    sizes = {"scanline": geometry.lat.shape[0], "corner": 4}
    for name, size in sizes.items():
        yield _Variable(_PRODUCT, name, np.arange(size, dtype="i4"), (name,), {"units": "1"})
    across = {"units": "1", "long_name": "across-track dimension index"}
    yield _Variable(_PRODUCT, "ground_pixel", geometry.ground_pixel, ("ground_pixel",), across)


def _times(geometry: SwathGeometry) -> Iterator[_Variable]:
    moments = [_utc(ns) for ns in geometry.time_utc_ns]
    day = moments[0].replace(hour=0, minute=0, second=0, microsecond=0)
    milliseconds = (geometry.time_utc_ns // 1_000_000 - round(day.timestamp() * 1e3)).astype("i4")
    stamps = np.array([moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z" for moment in moments], dtype=object)
    reference = {"standard_name": "time", "units": "seconds since 2010-01-01 00:00:00"}
    since = {"units": f"milliseconds since {day:%Y-%m-%d %H:%M:%S}", "long_name": "offset from reference start time"}
    yield _Variable(_PRODUCT, "time", np.array([(day - _EPOCH).total_seconds()], "i4"), ("time",), reference)
    yield _Variable(_PRODUCT, "delta_time", milliseconds, ("time", "scanline"), since)
    yield _Variable(_PRODUCT, "time_utc", stamps, ("time", "scanline"), {"long_name": "time of observation, ISO 8601"})


def _positions(geometry: SwathGeometry) -> Iterator[_Variable]:
    corners = (*_PIXEL, "corner")
    for name, units, centre, around in (
        ("latitude", "degrees_north", geometry.lat, geometry.lat_corners),
        ("longitude", "degrees_east", geometry.lon, geometry.lon_corners),
    ):
        attributes = {"standard_name": name, "units": units, "bounds": f"{_BOUNDS}{name}_bounds"}
        yield _floats(_PRODUCT, name, centre, attributes)
        yield _floats(_GEOLOCATIONS, f"{name}_bounds", around, {}, corners)
    zenith = {"standard_name": "platform_zenith_angle", "units": "degree"}
    yield _floats(_GEOLOCATIONS, "viewing_zenith_angle", geometry.viewing_zenith_deg, zenith)


def _results(retrieval: Retrieval) -> Iterator[_Variable]:
    column = "nitrogendioxide_tropospheric_column"
    name = {"standard_name": "troposphere_mole_content_of_nitrogen_dioxide"}
    quality = {
        "units": "1",
        "scale_factor": np.float32(0.01),
        "add_offset": np.float32(0.0),
        "valid_max": np.uint8(100),
    }
    percent = np.where(np.isnan(retrieval.qa_value), 255, np.rint(retrieval.qa_value * 100)).astype("u1")
    window = "nitrogendioxide_window"
    yield _floats(_PRODUCT, column, retrieval.no2_mol_m2, _MOL | name)
    yield _floats(_PRODUCT, f"{column}_precision", retrieval.precision_mol_m2, _MOL)
    yield _Variable(_PRODUCT, "qa_value", percent, _PIXEL, quality, np.uint8(255))
    yield _floats(_PRODUCT, "air_mass_factor_troposphere", retrieval.amf_troposphere, {"units": "1"})
    yield _floats(_DETAILED, f"cloud_fraction_crb_{window}", retrieval.cloud_fraction, {"units": "1"})
    yield _floats(_DETAILED, f"cloud_radiance_fraction_{window}", retrieval.cloud_radiance_fraction, {"units": "1"})
    yield _floats(_INPUT, "cloud_fraction_crb", retrieval.cloud_fraction, {"units": "1"})


def _floats(
    group: str, name: str, values: Floats, attributes: dict[str, Any], dims: tuple[str, ...] = _PIXEL
) -> _Variable:
    return _Variable(group, name, np.where(np.isnan(values), FILL, values).astype("f4"), dims, attributes, FILL)


def _global_attributes(geometry: SwathGeometry, tier: str) -> dict[str, Any]:
    start, end = (_utc(geometry.time_utc_ns[k]).strftime("%Y-%m-%dT%H:%M:%SZ") for k in (0, -1))
    return {
        "Conventions": "CF-1.7",
        "title": "TROPOMI/S5P NO2 1-Orbit L2 Swath, simulated",
        "institution": "carbonray synthetic Earth",
        "source": "simulation: no instrument measured these data",
        "id": granule_name(geometry).removesuffix(".nc"),
        "orbit": np.array([geometry.orbit], "i4"),
        "time_coverage_start": start,
        "time_coverage_end": end,
        "data_tier": tier,
    }


def _utc(time_ns: np.int64) -> datetime:
    return datetime.fromtimestamp(int(time_ns) / 1e9, tz=UTC)

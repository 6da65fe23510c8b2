"""Swaths of TROPOMI L2 NO2: the official NetCDF layout, granules cropped around a source, and ingested Zarr groups.

Source: Sentinel-5P Product User Manual for NO2 (groups, `qa_value`, times); the cropped layout is that of ddeq 1.1.
Swath arrays are (scan line, ground pixel[, corner]) in the file's order, whichever way the orbit runs. Missing is
NaN. Negative columns are kept: they are noise about a small mean, and dropping them would bias every average.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import netcdf, objectstore
from carbonray.io.array_group import ArrayNotes, decode_group, encode_group
from carbonray.io.swath_checks import BELIEVABLE, SwathRules, repaired
from carbonray.vocab.sensors import SWATHS

SWATH_FORMAT = "carbonray-swath-1"
CHUNK_LINES = 256  # scan lines in a chunk of an ingested shard: about 1 MB of a float32 variable

_OFFICIAL = {
    "no2_mol_m2": ("PRODUCT/nitrogendioxide_tropospheric_column",),
    "qa_value": ("PRODUCT/qa_value",),
    "lat": ("PRODUCT/latitude",),
    "lon": ("PRODUCT/longitude",),
    "lat_corners": ("PRODUCT/SUPPORT_DATA/GEOLOCATIONS/latitude_bounds",),
    "lon_corners": ("PRODUCT/SUPPORT_DATA/GEOLOCATIONS/longitude_bounds",),
    "cloud_fraction": (
        "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/cloud_fraction_crb_nitrogendioxide_window",
        "PRODUCT/SUPPORT_DATA/INPUT_DATA/cloud_fraction_crb",
    ),
}
_CROPPED = {
    "no2_mol_m2": ("NO2",),
    "qa_value": ("qa_value",),
    "lat": ("lat",),
    "lon": ("lon",),
    "lat_corners": ("latc",),
    "lon_corners": ("lonc",),
    "cloud_fraction": ("clouds",),
}
_OPTIONAL = ("qa_value", "cloud_fraction")  # see `_filtered_qa`; no cloud fraction is NaN

_PIXEL = ("scanline", "ground_pixel")
_NOTES = {
    "time_utc_ns": ArrayNotes(("scanline",), "ns since 1970-01-01T00:00:00Z", "time of the scan line"),
    "lat": ArrayNotes(_PIXEL, "degrees_north", "pixel centre"),
    "lon": ArrayNotes(_PIXEL, "degrees_east", "pixel centre"),
    "lat_corners": ArrayNotes((*_PIXEL, "corner"), "degrees_north", "pixel corners"),
    "lon_corners": ArrayNotes((*_PIXEL, "corner"), "degrees_east", "pixel corners"),
    "no2_mol_m2": ArrayNotes(_PIXEL, "mol m-2", "tropospheric NO2 column"),
    "qa_value": ArrayNotes(_PIXEL, "1", "quality, 0 to 1"),
    "cloud_fraction": ArrayNotes(_PIXEL, "1", "effective cloud fraction"),
}


@dataclass(frozen=True)
class Swath:
    """The pixels of one granule, s scan lines of p ground pixels.

    Attributes:
        granule: name of the file it came from, without extension.
        orbit: orbit number, -1 where the file does not tell.
        data_tier: REAL, or the SYNTHETIC tier that the file declares.
        repairs: what was wrong in the file and put right, in words.
        time_utc_ns: (s,) int64 UTC.
        lat, lon: (s, p) pixel centres, degrees, lon in [-180, 180).
        lat_corners, lon_corners: (s, p, 4) around the pixel.
        no2_mol_m2: (s, p) tropospheric column, NaN missing.
        qa_value: (s, p) quality 0 to 1.
        cloud_fraction: (s, p) 0 to 1, NaN where the file does not tell.
    """

    granule: str
    orbit: int
    data_tier: str
    repairs: tuple[str, ...]
    time_utc_ns: NDArray[np.int64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    lat_corners: NDArray[np.float64]
    lon_corners: NDArray[np.float64]
    no2_mol_m2: NDArray[np.float32]
    qa_value: NDArray[np.float32]
    cloud_fraction: NDArray[np.float32]


def read_granule(url: str, rules: SwathRules = BELIEVABLE) -> Swath:
    """The swath at a URL (`file://`, `s3://` or a path): a NetCDF granule, or a Zarr group that was ingested.

    Raises:
        DataError: the file is damaged, of another layout, or holds no usable swath.
        TransportError: its bytes could not be moved.
    """
    if ".zarr" in url:
        keys = {objectstore.join(url, key): key for key in objectstore.listing(url)}
        return decode_swath({keys[full]: data for full, data in objectstore.read_many(keys).items()}, url)
    return parse_granule(objectstore.local_path(url) or objectstore.read_bytes(url), url, rules)


def parse_granule(data: bytes | Path, name: str, rules: SwathRules = BELIEVABLE) -> Swath:
    """The swath in a NetCDF file of either layout, given as bytes or as a path.

    Raises:
        DataError: with `name` and the reason.
    """
    granule = Path(name).name.removesuffix(".nc")
    with netcdf.opened(data, name) as file:
        official = "PRODUCT" in file
        if not official and "NO2" not in file:
            raise _bad("no NO2 swath in the file", name, "a group PRODUCT or a variable NO2")
        arrays = _arrays(file, _OFFICIAL if official else _CROPPED, name)
        times = _official_times(file, name) if official else netcdf.time_ns(_variable(file, ("time",), name), name)
        orbit, tier = _orbit(file, granule), netcdf.attribute(file, "data_tier") or "REAL"
    lines_read = len(arrays["lat"]) if arrays["lat"].ndim else 0
    arrays, lines, repairs = repaired(arrays, name, rules)
    if times.size not in (1, lines_read):
        raise _bad(f"{times.size} times", name, f"one for each of {lines_read} scan lines")
    each = np.broadcast_to(times.reshape(-1), (lines_read,))[lines]
    return _swath({**arrays, "time_utc_ns": each}, granule=granule, orbit=orbit, data_tier=str(tier), repairs=repairs)


def encode_swath(swath: Swath) -> dict[str, bytes]:
    """The swath as the objects of one Zarr v3 group: keys relative to the group, `zarr.json` last.

    Positions are stored as float32 where that loses nothing, as in the product itself.
    """
    arrays = {name: _compact(getattr(swath, name)) for name in _NOTES}
    facts = {
        "granule": swath.granule,
        "orbit": swath.orbit,
        "data_tier": swath.data_tier,
        "repairs": list(swath.repairs),
    }
    return encode_group(arrays, _NOTES, {"format": SWATH_FORMAT, **facts}, CHUNK_LINES)


def decode_swath(objects: Mapping[str, bytes], where: str) -> Swath:
    """The swath from the objects of its group.

    Raises:
        DataError: an object is absent or damaged, or the group is no ingested swath.
    """
    arrays, facts = decode_group(objects, where)
    told = {"granule", "orbit", "data_tier", "repairs"} <= facts.keys()
    if facts.get("format") != SWATH_FORMAT or arrays.keys() != _NOTES.keys() or not told:
        raise _bad(f"a Zarr group of format {facts.get('format')!r}", where, SWATH_FORMAT)
    return _swath(
        arrays,
        granule=str(facts["granule"]),
        orbit=int(facts["orbit"]),
        data_tier=str(facts["data_tier"]),
        repairs=tuple(facts["repairs"]),
    )


def _swath(
    arrays: Mapping[str, NDArray[Any]], granule: str, orbit: int, data_tier: str, repairs: tuple[str, ...]
) -> Swath:
    return Swath(
        granule=granule,
        orbit=orbit,
        data_tier=data_tier,
        repairs=repairs,
        time_utc_ns=arrays["time_utc_ns"].astype(np.int64),
        lat=arrays["lat"].astype(np.float64),
        lon=arrays["lon"].astype(np.float64),
        lat_corners=arrays["lat_corners"].astype(np.float64),
        lon_corners=arrays["lon_corners"].astype(np.float64),
        no2_mol_m2=arrays["no2_mol_m2"].astype(np.float32),
        qa_value=arrays["qa_value"].astype(np.float32),
        cloud_fraction=arrays["cloud_fraction"].astype(np.float32),
    )


def _arrays(file: h5py.File, layout: Mapping[str, tuple[str, ...]], name: str) -> dict[str, NDArray[np.float64]]:
    """Every variable of a layout, unpacked, without the product's leading time of length 1."""
    found = {}
    for key, paths in layout.items():
        if key in _OPTIONAL and not any(path in file for path in paths):
            continue
        values = netcdf.numbers(_variable(file, paths, name), f"{name}:{paths[0]}")
        found[key] = values[0] if "PRODUCT" in file and values.shape[:1] == (1,) else values
    _check_units(_variable(file, layout["no2_mol_m2"], name), name)
    columns = found["no2_mol_m2"]
    if "qa_value" not in found:
        found["qa_value"] = _filtered_qa(file, columns, name)
    found.setdefault("cloud_fraction", np.full(columns.shape, np.nan))
    return found


def _variable(file: h5py.File, paths: tuple[str, ...], name: str) -> h5py.Dataset:
    """The first of several paths that is a variable of the file."""
    for path in paths:
        if isinstance(file.get(path), h5py.Dataset):
            return file[path]
    raise _bad(f"variable {paths[0]} is missing", name, f"one of {list(paths)}")


def _check_units(variable: h5py.Dataset, name: str) -> None:
    units = netcdf.attribute(variable, "units")
    if units is not None and re.sub(r"[\s*^/]", "", str(units)) not in ("molm-2", "molm2"):
        raise _bad(f"columns in {units!r}", name, "mol m-2")


def _filtered_qa(file: h5py.File, columns: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Quality of a cropped granule: 1 where it has a column, if it says that it kept only what the rule keeps."""
    said = re.search(r">\s*([0-9.]+)", str(netcdf.attribute(file, "QA value filter")))
    least = SWATHS["tropomi"].min_qa_value
    if not said or float(said[1]) < least:
        raise _bad("no qa_value", name, f"the variable, or an attribute 'QA value filter' of at least > {least}")
    return np.isfinite(columns).astype(np.float64)


def _official_times(file: h5py.File, name: str) -> NDArray[np.int64]:
    """(s,) times: `delta_time` after `time`, else the text of `time_utc`."""
    if "PRODUCT/delta_time" not in file:
        texts = _variable(file, ("PRODUCT/time_utc",), name)[()].reshape(-1)
        plain = (text.decode() if isinstance(text, bytes) else str(text) for text in texts)
        return np.fromiter((netcdf.instant_ns(text, name) for text in plain), np.int64)
    delta = file["PRODUCT/delta_time"]
    if " since " in str(netcdf.attribute(delta, "units")):
        return netcdf.time_ns(delta, name).reshape(-1)
    start = netcdf.time_ns(_variable(file, ("PRODUCT/time",), name), name).reshape(-1)
    times: NDArray[np.int64] = start[0] + netcdf.duration_ns(delta, "milliseconds", name).reshape(-1)
    return times


def _orbit(file: h5py.File, granule: str) -> int:
    """Orbit number: attribute, variable, or the field of the official file name; -1 where none tells."""
    said = netcdf.attribute(file, "orbit")
    if said is None and isinstance(file.get("orbit"), h5py.Dataset):
        said = file["orbit"][()].reshape(-1)[0]
    named = re.search(r"_\d{8}T\d{6}_\d{8}T\d{6}_(\d{5})_", granule)
    return int(said) if said is not None else int(named[1]) if named else -1


def _compact(values: NDArray[Any]) -> NDArray[Any]:
    narrow = values.astype(np.float32) if values.dtype == np.float64 else values
    return narrow if np.array_equal(narrow.astype(values.dtype), values, equal_nan=values.dtype.kind == "f") else values


def _bad(what: str, name: str, expected: str) -> DataError:
    return DataError(what, where=name, expected=expected, remedy="Check the product, or set the file aside.")

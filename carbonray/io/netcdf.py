"""Variables of NetCDF-4 files as numbers: scale, offset and every way of saying "missing" applied in one place.

Source: CF conventions 1.11, 2.5.1 (missing data) and 8.1 (packed data). Opened through h5py, so that a file may be
a path or bytes that came from an object store.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError

DEFAULT_FILL = 9.969209968386869e36  # NC_FILL_FLOAT, found in files whose attributes name another value
_ABSURD = 1e30  # nothing measured is larger: a fill value whatever the attributes say
_UNIT_NS = {"nanoseconds": 1, "milliseconds": 10**6, "seconds": 10**9, "hours": 3600 * 10**9, "days": 86400 * 10**9}


@contextmanager
def opened(data: bytes | Path, name: str) -> Iterator[h5py.File]:
    """An open NetCDF-4 file; whatever HDF5 finds broken in it, now or while reading, is a `DataError`."""
    try:
        with h5py.File(io.BytesIO(data) if isinstance(data, bytes) else data, "r") as file:
            yield file
    except FileNotFoundError as error:
        raise DataError("there is no such file", where=name, expected="a file", remedy="Check the path.") from error
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"the file cannot be read ({error})",
            where=name,
            expected="a whole NetCDF-4 file",
            remedy="Fetch it again: it is truncated, damaged or of another format.",
        ) from error


def attribute(node: h5py.Dataset | h5py.Group, key: str) -> Any:
    """An attribute as text or as a Python number, None where there is none."""
    value = node.attrs.get(key)
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value


def numbers(variable: h5py.Dataset, where: str) -> NDArray[np.float64]:
    """The variable unpacked to float64, NaN where missing.

    Missing is the variable's `_FillValue`, its `missing_value`, the NetCDF default fill even where the attributes
    name another, and anything infinite.

    Raises:
        DataError: it does not hold numbers.
    """
    if variable.dtype.kind not in "iuf":
        raise DataError(
            f"holds {variable.dtype}, not numbers",
            where=where,
            expected="an integer or float type",
            remedy="Fix the writer.",
        )
    raw = variable[()]
    value = np.array(raw, np.float64)
    missing = ~np.isfinite(value) | (np.abs(value) > _ABSURD)
    for key in ("_FillValue", "missing_value"):
        fill = attribute(variable, key)
        if isinstance(fill, int | float):
            missing |= value == fill
    scale, offset = attribute(variable, "scale_factor"), attribute(variable, "add_offset")
    value = value * (1.0 if scale is None else float(scale)) + (0.0 if offset is None else float(offset))
    return np.where(missing, np.nan, value)


def time_ns(variable: h5py.Dataset, where: str) -> NDArray[np.int64]:
    """A time variable with units "<unit> since <date>" as UTC int64 ns since 1970.

    Raises:
        DataError: units that are not of that form, or missing times.
    """
    units = str(attribute(variable, "units"))
    found = re.fullmatch(r"(\w+) since (.+)", units.strip())
    if not found or found[1] not in _UNIT_NS:
        raise _bad_time(where, f"units {units!r}", f"one of {sorted(_UNIT_NS)} since a date")
    return instant_ns(found[2], where) + duration_ns(variable, found[1], where)


def duration_ns(variable: h5py.Dataset, unit: str, where: str) -> NDArray[np.int64]:
    """A variable of durations in `unit` as int64 ns."""
    value = numbers(variable, where)
    if np.isnan(value).any():
        raise _bad_time(where, f"{np.isnan(value).sum()} missing times", "a time for every scan line")
    return np.rint(value * _UNIT_NS[unit]).astype(np.int64)


def instant_ns(text: str, where: str) -> int:
    """A UTC date and time in text as int64 ns since 1970."""
    plain = re.sub(r"(Z|UTC|\+00:?00)\s*$", "", text.strip()).strip()
    try:
        return int(np.datetime64(plain.replace(" ", "T", 1), "ns").astype(np.int64))
    except ValueError as error:
        raise _bad_time(where, f"time {text!r}", "an ISO 8601 date and time in UTC") from error


def _bad_time(where: str, what: str, expected: str) -> DataError:
    return DataError(what, where=where, expected=expected, remedy="Repair the time coordinate or set the file aside.")

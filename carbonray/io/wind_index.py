"""Which weather file holds which hours: told once for a run, so that a granule opens only the files it needs.

Times are int64 nanoseconds UTC since 1970-01-01.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from carbonray.errors import DataError
from carbonray.io.weather import PlumeWindRules
from carbonray.io.weather_grid import open_dataset
from carbonray.science.spatial.geodesy import HOUR_NS

_TIME_NAMES = ("valid_time", "time")


@dataclass(frozen=True)
class WindFile:
    """A weather file or store and the first and last of its times."""

    url: str
    first_ns: int
    last_ns: int


def index_wind(urls: Iterable[str]) -> tuple[WindFile, ...]:
    """The times of every file, from its time axis alone.

    Raises:
        DataError: a file cannot be read, or has no time axis.
        TransportError: its bytes could not be moved.
    """
    return tuple(_indexed(url) for url in urls)


def files_around(files: Iterable[WindFile], first_ns: int, last_ns: int, rules: PlumeWindRules) -> tuple[str, ...]:
    """URLs of the files that can tell the wind between two times: those that overlap them, an hour on either side."""
    margin = max(int(rules.max_extrapolation_h * HOUR_NS), HOUR_NS)
    return tuple(f.url for f in files if f.first_ns - margin <= last_ns and f.last_ns + margin >= first_ns)


def _indexed(url: str) -> WindFile:
    try:
        with open_dataset(url) as dataset:
            names = [name for name in _TIME_NAMES if name in dataset.variables]
            times = dataset[names[0]].to_numpy().astype("datetime64[ns]").astype(np.int64).reshape(-1)
            return WindFile(url, int(times.min()), int(times.max()))
    except (OSError, ValueError, KeyError, IndexError, RuntimeError) as error:
        raise DataError(
            f"no times can be read from the weather file ({type(error).__name__}: {error})",
            where=url,
            expected="an ERA5 NetCDF-4 file or Zarr store with a time axis",
            remedy="Repair the file or leave it out of inputs.weather.",
        ) from error

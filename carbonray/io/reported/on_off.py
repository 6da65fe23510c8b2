"""Labels that say whether a plant ran, seen at a moment at a place: no generation, no id.

Source: Climate TRACE's labels of coal plants in Sentinel-2 images (timestamp, lat, lon of a stack or tower,
is_powered_on), Apache-2.0. Rows repeat for the towers and stacks of a plant; which plant is the caller's to find.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.io.text_tables import CHUNK_BYTES, NEVER_NS, Aliases, csv_chunks, faults, instants_ns, numbers

_COLUMNS: Aliases = {
    "time": ("timestamp", "time", "timeutc"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "longitude"),
    "on": ("ispoweredon", "on", "ison"),
}
_WORDS = {"1": True, "1.0": True, "true": True, "on": True, "0": False, "0.0": False, "false": False, "off": False}


@dataclass(frozen=True)
class OnOffLabels:
    """What was seen.

    Attributes:
        time_utc_ns: (n,) int64.
        lat, lon: (n,) degrees.
        on: (n,) whether the plant ran.
        quarantined: line of data and reason of every row that is bad.
    """

    time_utc_ns: NDArray[np.int64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    on: NDArray[np.bool_]
    quarantined: tuple[tuple[int, str], ...]


def read_on_off(url: str, chunk_bytes: int = CHUNK_BYTES) -> OnOffLabels:
    """One file of labels.

    Raises:
        DataError: the file is no such table.
        TransportError: it could not be moved.
    """
    parts = [_labels(chunk) for chunk in csv_chunks(url, _COLUMNS, tuple(_COLUMNS), chunk_bytes)]
    rows = pd.concat(parts, ignore_index=True)
    good = rows[rows["fault"] == ""]
    bad = rows[rows["fault"] != ""]
    return OnOffLabels(
        time_utc_ns=good["time"].to_numpy(np.int64),
        lat=good["lat"].to_numpy(np.float64),
        lon=good["lon"].to_numpy(np.float64),
        on=good["on"].to_numpy(np.bool_),
        quarantined=tuple(zip(bad["line"].tolist(), bad["fault"].tolist(), strict=True)),
    )


def _labels(chunk: pd.DataFrame) -> pd.DataFrame:
    time = instants_ns(chunk["time"], ("ISO8601",))
    lat, _ = numbers(chunk["lat"])
    lon, _ = numbers(chunk["lon"])
    on = chunk["on"].str.casefold().map(_WORDS)
    fault = faults(
        chunk,
        (time == NEVER_NS, "time: unreadable", chunk["time"]),
        (~(np.abs(lat) <= 90), "coordinates: no latitude", chunk["lat"]),
        (~(np.abs(lon) <= 180), "coordinates: no longitude", chunk["lon"]),
        (on.isna().to_numpy(), "label: neither on nor off", chunk["on"]),
    )
    return pd.DataFrame({"line": chunk["line"], "time": time, "lat": lat, "lon": lon, "on": on == 1, "fault": fault})

"""What can be wrong with a swath: each fault is refused with its reason, or put right and said so.

Arrays are float64 by name, (scan line, ground pixel[, corner]), NaN missing. A wrong shape, unit or position condemns
the granule; longitudes of 0 to 360, repeated scan lines and the odd misplaced corner are repaired and reported.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.science.spatial.geodesy import longitude_difference, wrapped_longitude

Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class SwathRules:
    """What a believable swath looks like."""

    max_column_mol_m2: float = 0.05  # inferred: fifty times the strongest column of the Highveld; more is a unit error
    max_misplaced: float = 0.01  # inferred: share of pixels whose corners may miss their centre before all are doubted
    max_abs_lat_deg: float = 88.0  # inferred: nearer a pole corners are not compared with centres


BELIEVABLE = SwathRules()


def repaired(arrays: Arrays, name: str, rules: SwathRules) -> tuple[Arrays, NDArray[np.int64], tuple[str, ...]]:
    """The swath fit for use, the scan lines kept, and what was repaired, in words.

    Args:
        arrays: lat, lon, lat_corners, lon_corners, no2_mol_m2, qa_value, cloud_fraction.
        name: of the granule, for messages.
        rules: limits of belief.

    Raises:
        DataError: the granule is not usable, with the reason.
    """
    _check_shapes(arrays, name)
    _check_ranges(arrays, name, rules)
    repairs = []
    east = sum(int((arrays[lon] >= 180.0).sum()) for lon in ("lon", "lon_corners"))
    arrays = {key: wrapped_longitude(v) if key.startswith("lon") else v for key, v in arrays.items()}
    if east:
        repairs.append(f"{east} longitudes of 180 and more wrapped")
    lines = _first_of_each_line(arrays)
    if len(lines) < len(arrays["lat"]):
        repairs.append(f"{len(arrays['lat']) - len(lines)} repeated scan lines dropped")
    arrays = {key: v[lines] for key, v in arrays.items()}
    misplaced = _misplaced(arrays, rules)
    if misplaced.sum() > rules.max_misplaced * misplaced.size:
        raise _bad(
            f"corners of {misplaced.sum()} pixels miss their centres", name, "corners in order around each pixel"
        )
    if misplaced.any():
        repairs.append(f"{misplaced.sum()} pixels whose corners miss their centre set missing")
        arrays["no2_mol_m2"] = np.where(misplaced, np.nan, arrays["no2_mol_m2"])
    if not np.isfinite(arrays["no2_mol_m2"]).any():
        raise _bad("no valid column", name, "at least one pixel with a column and a position")
    return arrays, lines, tuple(repairs)


def _check_shapes(arrays: Arrays, name: str) -> None:
    shape = arrays["no2_mol_m2"].shape
    if len(shape) != 2 or 0 in shape:
        raise _bad(f"columns of shape {shape}", name, "(scan lines, ground pixels), at least one of each")
    for key, values in arrays.items():
        expected = (*shape, 4) if key.endswith("_corners") else shape
        if values.shape != expected:
            raise _bad(f"{key} of shape {values.shape}", name, f"{expected}, as the columns have")


def _check_ranges(arrays: Arrays, name: str, rules: SwathRules) -> None:
    limits = {
        "lat": (-90.0, 90.0),
        "lon": (-360.0, 360.0),
        "lat_corners": (-90.0, 90.0),
        "lon_corners": (-360.0, 360.0),
        "no2_mol_m2": (-rules.max_column_mol_m2, rules.max_column_mol_m2),
        "qa_value": (0.0, 1.0),
    }
    for key, (low, high) in limits.items():
        known = arrays[key][np.isfinite(arrays[key])]
        # half a step of a packed byte is no fault: 0.01 * 100 may come out above 1
        if known.size and (known.min() < low - 1e-3 or known.max() > high + 1e-3):
            raise _bad(f"{key} from {known.min():g} to {known.max():g}", name, f"{low:g} to {high:g} after unpacking")


def _first_of_each_line(arrays: Arrays) -> NDArray[np.int64]:
    """Indices of scan lines, without those at the very positions of an earlier line; lines without any stay."""
    places = np.concatenate([arrays["lat"], arrays["lon"]], axis=1)
    seen: dict[bytes, int] = {}
    for index, line in enumerate(places):
        seen.setdefault(line.tobytes() if np.isfinite(line).any() else str(index).encode(), index)
    return np.fromiter(seen.values(), np.int64)


def _misplaced(arrays: Arrays, rules: SwathRules) -> NDArray[np.bool_]:
    """(s, p) pixels with a column whose centre is not inside the ring of their corners."""
    x = longitude_difference(arrays["lon_corners"], arrays["lon"][..., None])
    y = arrays["lat_corners"] - arrays["lat"][..., None]
    turn = x * np.roll(y, -1, axis=-1) - np.roll(x, -1, axis=-1) * y
    around = (turn > 0).all(axis=-1) | (turn < 0).all(axis=-1)
    judged = np.isfinite(arrays["no2_mol_m2"]) & (np.abs(arrays["lat"]) <= rules.max_abs_lat_deg)
    unplaced = np.isfinite(arrays["no2_mol_m2"]) & ~np.isfinite(arrays["lat"] + arrays["lon"])
    misplaced: NDArray[np.bool_] = (judged & ~around) | unplaced
    return misplaced


def _bad(what: str, name: str, expected: str) -> DataError:
    return DataError(what, where=name, expected=expected, remedy="Fetch the granule again or set it aside.")

"""Reflectance and brightness temperature reckoned from the files alone, apart from carbonray's readers.

Source: Landsat 8 Data Users Handbook ch. 5. The metadata are read by regular expressions, the pixels by rasterio, whole
and then sliced; the panchromatic band is averaged by shifting and adding. Nothing here imports a reader.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

BANDS = [f"B{number}" for number in range(1, 12)]


def landsat_values(folder: Path, grid: Any) -> np.ndarray:
    """(band, y, x) on the region's grid, NaN outside the clip."""
    text = (folder / "l8_MTL.txt").read_text(encoding="utf-8")
    sine = math.sin(math.radians(_number(text, "SUN_ELEVATION")))
    return np.stack([_landsat_band(folder, text, band, sine, grid) for band in BANDS])


def chip_values(path: Path, grid: Any, places: list[int | None], nodata: float) -> np.ndarray:
    """(band, y, x) reflectance of a chip scaled by 1e-4, NaN outside, where the file says nodata, or without a band."""
    with rasterio.open(path) as file:
        whole = file.read().astype(np.float64)
        left, top = file.transform.c, file.transform.f
    whole[whole == nodata] = np.nan
    bands = [_sliced(whole[place - 1] * 1e-4, left, top, 1.0, grid) if place else _nothing(grid) for place in places]
    return np.stack(bands)


def _landsat_band(folder: Path, text: str, band: str, sine: float, grid: Any) -> np.ndarray:
    with rasterio.open(folder / f"l8_{band}.tif") as file:
        dn = file.read(1).astype(np.float64)
        left, top = file.transform.c, file.transform.f
    dn[dn == 0] = np.nan
    if band == "B8":
        parts = [_sliced(dn, left + 15.0 * b, top - 15.0 * a, 2.0, grid) for a in range(-1, 2) for b in range(-1, 2)]
        shares = [a * b for a in (0.25, 0.5, 0.25) for b in (0.25, 0.5, 0.25)]
        covered = sum(share * np.isfinite(part) for share, part in zip(shares, parts, strict=True))
        total = sum(share * np.nan_to_num(part) for share, part in zip(shares, parts, strict=True))
        # at the clip's edge a pixel is only partly covered: half is enough, as for the reader
        stored = np.rint(np.divide(total, covered, out=_nothing(grid), where=covered >= 0.5))
    else:
        stored = _sliced(dn, left, top, 1.0, grid)
    number = band[1:]
    if band in ("B10", "B11"):
        radiance = _number(text, f"RADIANCE_MULT_BAND_{number}") * stored + _number(text, f"RADIANCE_ADD_BAND_{number}")
        k1, k2 = (_number(text, f"{name}_CONSTANT_BAND_{number}") for name in ("K1", "K2"))
        return k2 / np.log(k1 / radiance + 1.0)
    mult, add = (_number(text, f"REFLECTANCE_{name}_BAND_{number}") for name in ("MULT", "ADD"))
    return (mult * stored + add) / sine


def _sliced(whole: np.ndarray, left: float, top: float, step: float, grid: Any) -> np.ndarray:
    """The pixel that holds each centre of the grid, one by one; `step` pixels of the file to one of the grid."""
    pixel = grid.pixel_m / step
    found = _nothing(grid)
    for y in range(grid.rows):
        for x in range(grid.cols):
            row = math.floor((top - (grid.top - grid.pixel_m * (y + 0.5))) / pixel)
            col = math.floor((grid.left + grid.pixel_m * (x + 0.5) - left) / pixel)
            if 0 <= row < whole.shape[0] and 0 <= col < whole.shape[1]:
                found[y, x] = whole[row, col]
    return found


def _nothing(grid: Any) -> np.ndarray:
    return np.full((grid.rows, grid.cols), np.nan)


def _number(text: str, key: str) -> float:
    found = re.search(rf"^\s*{key} = (\S+)$", text, re.MULTILINE)
    if found is None:
        raise KeyError(key)
    return float(found[1])

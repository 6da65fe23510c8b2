"""A grid's bands as one cloud-optimised GeoTIFF with overviews, written shard by shard.

Source: OGC Cloud Optimized GeoTIFF 1.0 (21-026), by GDAL's COG driver. Shards are (band, y, x) float32, row 0 north,
NaN where nothing is known; what no shard covers stays empty in the file too, so a planet of cities takes little room.
Overviews hold means of what is known: of an emission a cell, the mean over cells, not their sum.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.windows import Window

from carbonray.errors import ContractError

_BLOCK_PX = 256
_CACHE_BYTES = 64 * 2**20  # of GDAL's blocks; left alone it takes a twentieth of the machine's memory


@dataclass(frozen=True)
class CogBand:
    """One band: its name, unit and meaning."""

    name: str
    units: str
    long_name: str


@dataclass(frozen=True)
class CogWindow:
    """The part of a lattice that the file covers.

    Attributes:
        row, col: lattice row and column of its north-west pixel.
        height, width: pixels.
        step_deg: side of a pixel, degrees; the lattice begins at 90 N, 180 W.
    """

    row: int
    col: int
    height: int
    width: int
    step_deg: float

    def transform(self) -> Affine:
        """Pixel to longitude and latitude."""
        step = self.step_deg
        return Affine(step, 0.0, -180.0 + self.col * step, 0.0, -step, 90.0 - self.row * step)


def window_around(shards: Sequence[tuple[int, int]], shard_px: int, step_deg: float) -> CogWindow:
    """The window of whole shards, given by their row and column of shards, that holds all of them.

    Raises:
        ContractError: there are none.
    """
    if not shards:
        raise ContractError(
            "no shard to make a picture of",
            where="publish.cog",
            expected="at least one",
            remedy="Publish a grid that has cells.",
        )
    (top, left), (bottom, right) = np.min(shards, axis=0), np.max(shards, axis=0)
    height, width = (int(last - first + 1) * shard_px for first, last in ((top, bottom), (left, right)))
    return CogWindow(int(top) * shard_px, int(left) * shard_px, height, width, step_deg)


def encode_cog(
    shards: Iterable[tuple[int, int, NDArray[np.float32]]],
    window: CogWindow,
    bands: Sequence[CogBand],
    tags: Mapping[str, str],
) -> bytes:
    """The file's bytes, the same for the same shards in any order.

    Args:
        shards: lattice row and column of the north-west pixel, and (band, y, x); one in memory at a time.
        window: what the file covers.
        bands: of every shard.
        tags: of the whole file.
    """
    profile = {
        "driver": "GTiff",
        "width": window.width,
        "height": window.height,
        "count": len(bands),
        "dtype": "float32",
        "nodata": float("nan"),
        "crs": "EPSG:4326",
        "transform": window.transform(),
        "tiled": True,
        "blockxsize": _BLOCK_PX,
        "blockysize": _BLOCK_PX,
        "sparse_ok": True,
        "bigtiff": "if_safer",
    }
    options = {"compress": "DEFLATE", "predictor": "YES", "blocksize": _BLOCK_PX, "sparse_ok": True}
    with tempfile.TemporaryDirectory() as folder, rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES):
        laid, done = Path(folder) / "laid.tif", Path(folder) / "done.tif"
        with rasterio.open(laid, "w", **profile) as file:
            file.update_tags(**tags)
            for number, band in enumerate(bands, 1):
                file.set_band_description(number, band.name)
                file.set_band_unit(number, band.units)
                file.update_tags(number, long_name=band.long_name)
            for row, col, values in shards:
                height, width = values.shape[1:]
                file.write(values, window=Window(col - window.col, row - window.row, width, height))
        rasterio.shutil.copy(laid, done, driver="COG", overview_resampling="AVERAGE", **options)
        return done.read_bytes()

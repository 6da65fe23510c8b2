"""Raster files by URL: only the window that is wanted is read, and bad data is told from bytes that did not come.

Source: GDAL through rasterio. Arrays are (band, y, x), row 0 north whichever way the file is stored. A remote file is
read through `objectstore.opened`, part by part, so that its retries and credentials are those of every other object.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, BinaryIO

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from carbonray.errors import DataError, TransportError
from carbonray.io import objectstore
from carbonray.io.imagery.placement import Footprint, Placement

# a folder of bands is not listed for each of them, and nothing is read from side files; blocks that are kept would
# take a twentieth of the machine's memory in every process that reads
GDAL_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": 256 * 2**20,
}


@contextmanager
def opened_raster(url: str) -> Iterator[DatasetReader]:
    """An open raster.

    Raises:
        DataError: there is no such file, it is no raster, or it is truncated.
        TransportError: a part of it could not be moved.
    """
    path = objectstore.local_path(url)
    if path is not None:
        with _told_apart(url, []), gdal_options(), rasterio.open(path) as dataset:
            yield dataset
        return
    failures: list[TransportError] = []
    with objectstore.opened(url, block_bytes=2**20) as file, _told_apart(url, failures), gdal_options():

        def parts(_path: str, _mode: str = "rb", **_: Any) -> io.RawIOBase:
            return _Witness(file, failures)

        with rasterio.open(url.partition("://")[2], opener=parts) as dataset:
            yield dataset


def gdal_options() -> AbstractContextManager[object]:
    """GDAL as imagery is read with: entered once around many files, it costs nothing for each of them."""
    if rasterio.env.hasenv() and GDAL_OPTIONS.items() <= rasterio.env.getenv().items():
        return nullcontext()
    options: AbstractContextManager[object] = rasterio.Env(**GDAL_OPTIONS)
    return options


def footprint(dataset: DatasetReader, url: str) -> Footprint:
    """Where a raster lies.

    Raises:
        DataError: it does not say.
    """
    if dataset.crs is None or dataset.transform.determinant == 0.0:
        raise DataError(
            "the raster does not say where it lies",
            where=url,
            expected="a coordinate system and a transform",
            remedy="Leave the image out, or take the file from its provider again.",
        )
    return Footprint(dataset.crs.to_wkt(), tuple(dataset.transform)[:6], dataset.height, dataset.width)


def read_window(
    dataset: DatasetReader, place: Placement, indexes: Sequence[int], url: str, count: int | None = None
) -> NDArray[Any]:
    """The window of a placement, (band, y, x), of a file that must hold `count` bands where it is given.

    Raises:
        DataError: the file has fewer bands, or not so many.
    """
    if max(indexes) > dataset.count or dataset.count != (count or dataset.count):
        raise DataError(
            f"the file holds {dataset.count} bands",
            where=url,
            expected=f"{count} bands" if count else f"band {max(indexes)}",
            remedy="Take the file from its provider again, or correct the item.",
        )
    values: NDArray[Any] = dataset.read(list(indexes), window=Window(*place.window))
    return values


def integers(values: NDArray[Any], nodata: Sequence[float | None], url: str) -> NDArray[np.uint16]:
    """The product's integers, 0 where a band's declared nodata stands, (band, y, x).

    Raises:
        DataError: values are no integers of 16 bits.
    """
    for band, filler in zip(values, nodata, strict=True):
        if filler is not None and filler != 0.0:
            band[np.isnan(band) if np.isnan(filler) else band == filler] = 0
    if values.dtype == np.uint16:
        return values
    if values.dtype.kind not in "ui" or (values.size and not 0 <= int(values.min()) <= int(values.max()) <= 65535):
        raise DataError(
            f"values are {values.dtype}" + ("" if values.dtype.kind == "f" else f", {values.min()} to {values.max()}"),
            where=url,
            expected="the product's own integers, 0 to 65535",
            remedy="Take the file from its provider again: a rescaled copy is another product.",
        )
    return values.astype(np.uint16)


def shifted(values: NDArray[Any], nodata: Sequence[float | None], shift: int, url: str) -> NDArray[np.uint16]:
    """Whole numbers of any type made positive: value + shift, 0 where a band's declared nodata stands, (band, y, x).

    Raises:
        DataError: a measured value is no whole number, or beyond 16 bits once shifted.
    """
    measured = np.isfinite(values)
    for band, filler in enumerate(nodata):
        if filler is not None:
            measured[band] &= values[band] != filler
    moved = np.where(measured, values, 0.0).astype(np.float64) + shift
    whole = moved == np.rint(moved)
    if not (whole & (moved >= 1) & (moved <= 65535))[measured].all():
        raise DataError(
            "values are no whole numbers, or too far from zero",
            where=url,
            expected=f"{1 - shift} to {65535 - shift}",
            remedy="Declare the file's scaling, or take the product's own integers.",
        )
    return np.where(measured, moved, 0.0).astype(np.uint16)


@contextmanager
def _told_apart(url: str, failures: list[TransportError]) -> Iterator[None]:
    """GDAL says only that it could not read; whether bytes did not come is what the file's witness knows."""
    try:
        yield
    except RasterioError as error:
        if failures:
            raise failures[0] from error
        path = objectstore.local_path(url)
        absent = path is not None and not path.exists()
        raise DataError(
            "there is no such file" if absent else f"the raster cannot be read ({error.__cause__ or error})",
            where=url,
            expected="a whole raster file",
            remedy="Take the file from its provider again.",
        ) from error


class _Witness(io.RawIOBase):
    """One of GDAL's handles on a file, its position its own; it remembers the failed transfers that GDAL forgets."""

    def __init__(self, file: BinaryIO, failures: list[TransportError]) -> None:
        self._file, self._failures, self._at = file, failures, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_CUR:
            offset, whence = self._at + offset, io.SEEK_SET
        self._at = self._file.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        try:
            self._file.seek(self._at)
            data = self._file.read(size)
        except TransportError as error:
            self._failures.append(error)
            return b""
        self._at += len(data)
        return data

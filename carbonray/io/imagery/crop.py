"""Bands and masks of one acquisition, wherever their files lie, cut to the region grid of a plant.

Sources: SCIENCE 4.2 (coarse bands are upsampled to the finest, Landsat's panchromatic band averaged), LESSONS 5. Bands
are the product's own integers, 0 where nothing is measured.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS, RegionGrid
from carbonray.io.imagery.placement import placement
from carbonray.io.imagery.raster import footprint, integers, opened_raster, read_window, shifted

SATURATED_DN = 65535  # the ceiling of 16 bits


@dataclass(frozen=True)
class BandSource:
    """Where one band is.

    Attributes:
        url: of the file.
        index: of the band in it, from 1.
        nodata: what the item says stands for nothing, beside what the file says.
        count: bands that the file must hold; None for any.
        shift: added to the file's whole numbers, of any type, where they may be negative; None takes only 16 bits.
    """

    url: str
    index: int = 1
    nodata: float | None = None
    count: int | None = None
    shift: int | None = None


@dataclass(frozen=True)
class BandStack:
    """Bands cut to a region.

    Attributes:
        dn: (band, y, x) uint16.
        flags: (y, x) uint8: nodata and saturated of `FLAG_BITS`.
        quality: warped, partial and missing_band of `QUALITY_BITS`.
        covered_km2: area of the largest file.
    """

    dn: NDArray[np.uint16]
    flags: NDArray[np.uint8]
    quality: int
    covered_km2: float


def cut_bands(sources: Sequence[BandSource | None], grid: RegionGrid, where: str) -> BandStack:
    """All bands of an acquisition on the region's grid.

    Args:
        sources: of each band, in the store's order; None where the product has none.
        grid: of the region.
        where: the acquisition, for errors.

    Raises:
        DataError: a file is bad, or nothing of the region is measured.
        TransportError: bytes could not be moved.
    """
    dn = np.zeros((len(sources), grid.rows, grid.cols), np.uint16)
    quality, areas, present = 0, [0.0], []
    for url in dict.fromkeys(source.url for source in sources if source):
        bands = [band for band, source in enumerate(sources) if source and source.url == url]
        with contextlib.suppress(_Absent):
            dn[bands], bits, area = _cut_file([source for source in sources if source and source.url == url], grid)
            quality |= bits
            areas.append(area)
            present += bands
    quality |= 0 if len(present) == len(sources) else QUALITY_BITS["missing_band"]
    flags = np.where((dn[present] == 0).any(0), FLAG_BITS["nodata"], 0).astype(np.uint8)
    flags[(dn[present] == SATURATED_DN).any(0)] |= FLAG_BITS["saturated"]
    if not present or (flags & FLAG_BITS["nodata"]).all():
        raise DataError(
            "nothing of the region is measured in all bands",
            where=where,
            expected=f"pixels of EPSG:{grid.epsg} {grid.left:.0f} {grid.top:.0f}, {grid.rows} x {grid.cols}",
            remedy="Leave the image out: it does not cover the plant.",
        )
    return BandStack(dn, flags, quality, max(areas))


def cut_mask(url: str, grid: RegionGrid, indexes: Sequence[int] = (1,)) -> NDArray[Any]:
    """A product's mask on the region's grid, (band, y, x), 0 outside; classes and bits are never averaged.

    Raises:
        DataError: the file is absent or bad.
        TransportError: bytes could not be moved.
    """
    with opened_raster(url) as dataset:
        place = placement(footprint(dataset, url), grid)
        if place is None:
            return np.zeros((len(indexes), grid.rows, grid.cols), dataset.dtypes[indexes[0] - 1])
        return dataclasses.replace(place, weights=None).values(read_window(dataset, place, indexes, url))


class _Absent(Exception):  # noqa: N818
    """A band's file is not there."""


def _cut_file(sources: Sequence[BandSource], grid: RegionGrid) -> tuple[NDArray[np.uint16], int, float]:
    """Bands of one file, its quality bits and its area, km2."""
    url, indexes = sources[0].url, [source.index for source in sources]
    try:
        with opened_raster(url) as dataset:
            lies = footprint(dataset, url)
            place = placement(lies, grid)
            if place is None:
                return np.zeros((len(sources), grid.rows, grid.cols), np.uint16), QUALITY_BITS["partial"], lies.area_km2
            window = read_window(dataset, place, indexes, url, sources[0].count)
            fillers = [dataset.nodatavals[index - 1] for index in indexes]
    except DataError as error:
        if objectstore.exists(url):
            raise
        raise _Absent(url) from error
    found = place.values(_whole_numbers(window, fillers, sources))
    bits = (QUALITY_BITS["warped"] if place.warped else 0) | (0 if place.inside.all() else QUALITY_BITS["partial"])
    return found, bits, lies.area_km2


def _whole_numbers(
    window: NDArray[Any], fillers: Sequence[float | None], sources: Sequence[BandSource]
) -> NDArray[np.uint16]:
    """The window's integers, 0 where the file or the item says that nothing is measured."""
    url, shift = sources[0].url, sources[0].shift
    if shift is not None:
        return shifted(window, fillers, shift, url)
    cleared = integers(window, fillers, url)
    return integers(cleared, [source.nodata for source in sources], url)

"""Images of cells from a basemap: red, green and blue of each cell, averaged by area to the same number of pixels.

Source: SCIENCE 1.2 ((3, 256, 256), raw 0 to 255; RGB). A cell is told by itself: its image does not hang on which
others are asked for. Where several files hold a pixel, the first by name counts. Arrays are (cell, 3, y, x) uint8, row
0 north.
"""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.windows import Window

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.imagery.raster import opened_raster
from carbonray.io.urban.basemap_index import BasemapIndex, TileTree
from carbonray.io.urban.cell_windows import CellBlock, array_mean, cell_blocks, cells_mean

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]

_WEB_MERCATOR = "EPSG:3857"
_MEASURED = 0.5  # share of a pixel that a file must hold to tell its colour (inferred)


@dataclass(frozen=True)
class BasemapRules:
    """How a cell's image is made (inferred; the paper takes ready tiles).

    Attributes:
        image_px: of a side; 256 makes pixels of 3.6 m at the equator; the strides of the encoder of points leave out
            a rim of some sizes (of 64 pixels they read 0.74 of the cell, of 72, 80, 96 and 256 all).
        least_coverage: share of its pixels that the basemap must hold; the rest takes the mean colour of the cell.
    """

    image_px: int = 256
    least_coverage: float = 0.99


@dataclass(frozen=True)
class CellImages:
    """Images of cells, in the order asked for.

    Attributes:
        images: (cell, 3, y, x) uint8; 0 where there is none.
        present: (cell,) whether there is one.
        reason: why there is none, empty where there is.
    """

    images: Pixels
    present: Bools
    reason: tuple[str, ...]


def read_cell_images(index: BasemapIndex, cells: ArrayLike, rules: BasemapRules | None = None) -> CellImages:
    """The image of each of (n,) cells.

    Raises:
        DataError: a file of the basemap is broken, or its values are no colours of 8 bits.
        TransportError: a part of one could not be moved.
    """
    rule = rules or BasemapRules()
    numbers = np.asarray(cells, np.int64)
    images = np.zeros((len(numbers), 3, rule.image_px, rule.image_px), np.uint8)
    coverage = np.zeros(len(numbers))
    with _Files() as files:
        for block, members, _, _ in cell_blocks(numbers, side=1):
            image, covered = _image(index, files, block, rule.image_px)
            coverage[members] = covered.mean()
            if coverage[members[0]] >= rule.least_coverage:
                images[members] = _filled(image, covered)
    present = coverage >= rule.least_coverage
    reason = tuple("" if there else _absence(share, rule) for there, share in zip(present, coverage, strict=True))
    return CellImages(images, present, reason)


def _absence(share: float, rules: BasemapRules) -> str:
    if share == 0.0:
        return "no imagery: no file of the basemap holds the cell"
    return f"imagery covers {share:.0%} of the cell (limit {rules.least_coverage:.0%})"


def _filled(image: Pixels, covered: Bools) -> Pixels:
    if covered.all():
        return image
    mean = np.rint(image[:, covered].mean(axis=1)).astype(np.uint8)
    return np.where(covered, image, mean[:, None, None])


class _Files(ExitStack):
    """The raster that was asked for last stays open: cells side by side mostly lie in one.

    Only one is open at a time, for it is the open one that a failure is told of.
    """

    def __init__(self) -> None:
        super().__init__()
        self._url, self._open = "", None

    def raster(self, url: str) -> DatasetReader:
        if url != self._url:
            self.close()
            self._url, self._open = url, self.enter_context(opened_raster(url))
        return self._open


def _image(index: BasemapIndex, files: _Files, block: CellBlock, size_px: int) -> tuple[Pixels, Bools]:
    """A cell's image, (3, y, x), and which of its pixels a file holds."""
    image = np.zeros((3, size_px, size_px), np.uint8)
    covered = np.zeros((size_px, size_px), np.bool_)
    for values, share in _pieces(index, files, block, size_px):
        new = (share >= _MEASURED) & ~covered
        colour = values if values.dtype == np.uint8 else np.rint(values).astype(np.uint8)
        image = colour if new.all() else np.where(new, colour, image)
        covered |= new
        if covered.all():
            break
    return image, covered


def _pieces(
    index: BasemapIndex, files: _Files, block: CellBlock, size_px: int
) -> Iterator[tuple[NDArray[Any], NDArray[np.float32]]]:
    for url in index.files_of(block.bounds):

        def reading(dataset: DatasetReader, window: Window, shape: tuple[int, int], url: str = url) -> Any:
            return colours(dataset, url, window, shape)

        found = cells_mean(files.raster(url), url, block, size_px, reading)
        if found is not None:
            yield found
    for tree in index.trees:
        mosaic = _mosaic(tree, block)
        if mosaic is not None:
            values, valid, transform = mosaic
            yield array_mean(values, valid, _WEB_MERCATOR, transform, block, size_px)


def colours(dataset: DatasetReader, url: str, window: Window, shape: tuple[int, int]) -> tuple[Pixels, Bools]:
    """Red, green and blue of a window, (3, y, x) uint8, and which pixels (y, x) are measured.

    Palettes are looked up, grey is repeated, a fourth band is transparency where it says so and else left out.

    Raises:
        DataError: values are not of 8 bits.
    """
    if dataset.dtypes[0] != "uint8":
        raise DataError(
            f"values are {dataset.dtypes[0]}",
            where=url,
            expected="colours of 8 bits, 0 to 255",
            remedy="Scale the basemap to 8 bits (gdal_translate -ot Byte -scale) with one scale for all its files.",
        )
    if dataset.colorinterp[0] == ColorInterp.palette:  # colours of a palette cannot be averaged by their numbers
        table = np.zeros((256, 4), np.uint8)
        for entry, colour in dataset.colormap(1).items():
            table[entry] = colour
        looked_up = table[dataset.read(1, window=window, out_shape=shape)]
        return np.ascontiguousarray(looked_up[..., :3].transpose(2, 0, 1)), looked_up[..., 3] > 0
    bands = _bands(dataset)
    values: Pixels = dataset.read(bands, window=window, out_shape=(3, *shape), resampling=Resampling.average)
    if MaskFlags.all_valid in dataset.mask_flag_enums[bands[0] - 1]:
        return values, np.ones(shape, np.bool_)
    return values, dataset.dataset_mask(window=window, out_shape=shape) > 0


def _bands(dataset: DatasetReader) -> list[int]:
    named = {colour: band for band, colour in reversed(list(enumerate(dataset.colorinterp, 1)))}
    rgb = [named.get(colour, 0) for colour in (ColorInterp.red, ColorInterp.green, ColorInterp.blue)]
    if all(rgb):
        return rgb
    return [1, 1, 1] if dataset.count < 3 else [1, 2, 3]


def _mosaic(tree: TileTree, block: CellBlock) -> tuple[Pixels, Bools, Affine] | None:
    """The tiles about a cell as one image, which of its pixels are there, and where it lies; None where none is."""
    columns, rows = tree.span(block.bounds)
    tiles = {(x, y): tile for x in columns for y in rows if (tile := _tile(tree, x, y)) is not None}
    if not tiles:
        return None
    side = next(iter(tiles.values()))[0].shape[-1]
    image = np.zeros((3, len(rows) * side, len(columns) * side), np.uint8)
    there = np.zeros(image.shape[1:], np.bool_)
    for (x, y), (values, valid) in tiles.items():
        if valid.shape != (side, side):
            raise _uneven(tree.url(x, y), valid.shape, side)
        part = np.s_[
            (y - rows[0]) * side : (y - rows[0] + 1) * side, (x - columns[0]) * side : (x - columns[0] + 1) * side
        ]
        image[(slice(None), *part)], there[part] = values, valid
    left, top, tile_m = tree.corner_m(columns[0], rows[0])
    return image, there, Affine(tile_m / side, 0.0, left, 0.0, -tile_m / side, top)


def _tile(tree: TileTree, x: int, y: int) -> tuple[Pixels, Bools] | None:
    url = tree.url(x, y)
    if not tree.has(x, y) or (tree.present is None and not objectstore.exists(url)):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a tile's name says where it lies
        return _whole(url)


def _whole(url: str) -> tuple[Pixels, Bools]:
    with opened_raster(url) as dataset:
        return colours(dataset, url, Window(0, 0, dataset.width, dataset.height), dataset.shape)


def _uneven(url: str, shape: tuple[int, ...], side: int) -> DataError:
    return DataError(
        f"a tile of {shape[1]} x {shape[0]} pixels beside one of {side}",
        where=url,
        expected="square tiles, all of one size",
        remedy="Render the tile again, or leave the tree out of inputs.basemap.",
    )

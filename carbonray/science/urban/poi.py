"""Points of interest of cells: counts by category, and the rasters of counts that the network reads.

Source: SCIENCE 1.2 (a count raster a category, co-registered with the image). A point is its cell, its category and its
place in the cell, y southward and x eastward, in parts of 65536 from the north-west corner. Rasters are (cell,
category, y, x), row 0 north.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.spatial.cells import PARTS

Ints = NDArray[np.int64]


def poi_raster(
    cell: ArrayLike, category: ArrayLike, y: ArrayLike, x: ArrayLike, *, cells: int, categories: int, size_px: int
) -> NDArray[np.uint16]:
    """(cells, categories, size_px, size_px) how many points of each category lie in each pixel.

    Args:
        cell: (point,) which of the cells, 0 to cells - 1.
        category: (point,) 0 to categories - 1.
        y: (point,) parts of 65536 south of the cell's northern edge.
        x: (point,) parts of 65536 east of its western edge.
        cells: how many there are.
        categories: of the category map.
        size_px: of a side.

    Raises:
        ValueError: a point of no cell or of no category.
    """
    of, kind = _checked(cell, category, cells, categories)
    row, col = pixel(y, size_px), pixel(x, size_px)
    counts = np.zeros((cells, categories, size_px, size_px), np.uint16)
    np.add.at(counts.reshape(-1), ((of * categories + kind) * size_px + row) * size_px + col, np.uint16(1))
    return counts


def pixel(part: ArrayLike, size_px: int) -> Ints:
    """Row or column of the pixel that holds a place told in parts of 65536 of a cell's side."""
    return np.asarray(part, np.int64) * size_px // PARTS


def category_counts(cell: ArrayLike, category: ArrayLike, *, cells: int, categories: int) -> Ints:
    """(cells, categories) points of each category in each cell; arguments as those of `poi_raster`."""
    of, kind = _checked(cell, category, cells, categories)
    return np.bincount(of * categories + kind, minlength=cells * categories).reshape(cells, categories)


def _checked(cell: ArrayLike, category: ArrayLike, cells: int, categories: int) -> tuple[Ints, Ints]:
    of, kind = np.asarray(cell, np.int64), np.asarray(category, np.int64)
    if np.any((of < 0) | (of >= cells)) or np.any((kind < 0) | (kind >= categories)):
        raise ValueError(f"points beyond the {cells} cells or the {categories} categories")
    return of, kind


def point_order(cell: ArrayLike, category: ArrayLike, y: ArrayLike, x: ArrayLike, key: ArrayLike) -> Ints:
    """The one order in which points are stored, whatever order files and workers gave them in."""
    return np.lexsort([np.asarray(part) for part in (key, x, y, category, cell)])


def first_of_each(cell: ArrayLike, key: ArrayLike) -> NDArray[np.bool_]:
    """(point,) False for a point whose key has been seen in its cell: one place told by two files, or told twice."""
    cells, keys = np.asarray(cell, np.int64), np.asarray(key, np.int64)
    order = np.lexsort([keys, cells])  # stable: of those alike the first comes first
    again = (np.diff(cells[order]) == 0) & (np.diff(keys[order]) == 0)
    first = np.ones(len(cells), np.bool_)
    first[order[1:][again]] = False
    return first

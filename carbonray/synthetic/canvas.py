"""The fine grid that a region is drawn on, and how its cells become pixels.

Fields are (y, x) on cells whose centres lie at `north_m`, falling, and `east_m`, rising, metres from a plant's middle.
A pixel holds a whole number of cells; what it measures is the mean over the cells under its point spread.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from carbonray.io.imagery.image import RegionGrid

Field = NDArray[np.float32]
Window = tuple[slice, slice]


@dataclass(frozen=True)
class Canvas:
    """Cells over a region.

    Attributes:
        grid: the region's pixels.
        cells: cells along a pixel.
        centre_m: easting and northing of the plant's middle in the grid's coordinates.
    """

    grid: RegionGrid
    cells: int
    centre_m: tuple[float, float]

    @property
    def step_m(self) -> float:
        """Side of a cell."""
        return self.grid.pixel_m / self.cells

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.grid.rows * self.cells, self.grid.cols * self.cells

    @cached_property
    def east_m(self) -> Field:
        """(x,) of the cells' centres."""
        start = self.grid.left - self.centre_m[0]
        return np.asarray(start + (np.arange(self.shape[1]) + 0.5) * self.step_m, np.float32)

    @cached_property
    def north_m(self) -> Field:
        """(y,) of the cells' centres, falling."""
        start = self.grid.top - self.centre_m[1]
        return np.asarray(start - (np.arange(self.shape[0]) + 0.5) * self.step_m, np.float32)

    def window(self, west: float, south: float, east: float, north: float) -> Window:
        """Cells that a box touches; empty where it lies outside."""
        rows = np.array([self.north_m[0] - north, self.north_m[0] - south]) / self.step_m
        cols = np.array([west - self.east_m[0], east - self.east_m[0]]) / self.step_m
        (top, bottom), (left, right) = (
            np.clip(np.array([np.floor(span[0]), np.ceil(span[1]) + 1]), 0, size).astype(int)
            for span, size in zip((rows, cols), self.shape, strict=True)
        )
        return slice(top, bottom), slice(left, right)

    def pixels(self, field: Field) -> Field:
        """(..., y, x) means over the pixels."""
        if self.cells == 1:
            return field
        *lead, rows, cols = field.shape
        blocks = field.reshape(*lead, rows // self.cells, self.cells, cols // self.cells, self.cells)
        return np.asarray(blocks.mean(axis=(-3, -1)), np.float32)

    def blurred(self, field: Field, spread_px: float) -> Field:
        """(y, x) field under a Gaussian point spread of a standard deviation in pixels."""
        return np.asarray(gaussian_filter(field, spread_px * self.cells, mode="nearest", truncate=3.0), np.float32)

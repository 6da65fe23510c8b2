"""Night light of cells: the mean of a raster of radiance over each, for the peer that knows nothing else.

Source: SCIENCE 1.5 (the night-light proxy: ODIAC itself is driven by night light). Any raster of one band, such as the
annual VIIRS composites (15 arc seconds, nW cm-2 sr-1) or DMSP; the units stay the file's own.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from carbonray.io.imagery.raster import opened_raster
from carbonray.io.urban.cell_windows import cell_blocks, cells_mean
from carbonray.vocab.grid_tables import CELL_LIGHTS

_SIDE = 60  # cells read at once (inferred)
_MEASURED = 0.5  # share of a cell that must be measured (inferred)


def read_night_lights(url: str, cells: ArrayLike) -> pa.Table:
    """Schema `CELL_LIGHTS` of ascending (n,) cells; NaN where the raster does not hold half of one.

    Raises:
        DataError: the raster is broken, or does not say where it lies.
        TransportError: a part of it could not be moved.
    """
    numbers = np.asarray(cells, np.int64)
    radiance = np.full(len(numbers), np.nan, np.float32)
    with opened_raster(url) as dataset:
        for block, members, row, col in cell_blocks(numbers, _SIDE):
            found = cells_mean(dataset, url, block, 1, measured, finer=None)
            if found is not None:
                values, share = found
                there = share[row, col] >= _MEASURED
                radiance[members[there]] = values[0, row[there], col[there]]
    return pa.table([pa.array(numbers), pa.array(radiance)], schema=CELL_LIGHTS)


def measured(dataset: DatasetReader, window: Window, shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The first band of a window, (1, y, x) float32, and which pixels (y, x) are finite and no nodata."""
    values = dataset.read(1, window=window, out_shape=shape, masked=True)
    valid = ~np.ma.getmaskarray(values) & np.isfinite(values.data)
    return np.where(valid, values.data, 0).astype(np.float32)[None], valid

"""Blocks that folds never split, other than squares of one degree: tiles of a size, and groups left out one by one.

Source: SCIENCE 0.4 (no tile, plant or date has two roles); the layout of tiles is inferred. A tile is named by its band
of latitude, counted from the south pole, and its place in the band, counted eastward from the date line. Names follow
from place and size alone, so that tiles once dealt to folds keep their names whatever is added.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from carbonray.science.spatial.folds import Block, BlockFolds, Name, numbered
from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM, wrapped_longitude


def tile_blocks(lat_deg: ArrayLike, lon_deg: ArrayLike, size_km: float) -> list[Block]:
    """Tile of each place, for `grouped_folds`: all but square, nowhere narrower or lower than a size.

    Bands are equally high. The tiles of a band are equally wide, and as many as can be of that width nearest to a pole;
    none lies across the date line, and around each pole lies one round tile.

    Args:
        lat_deg: (item,) latitude; an item on an edge belongs to the tile north and east of it.
        lon_deg: (item,) longitude.
        size_km: least height and width of a tile, great-circle.

    Raises:
        ValueError: the size is not positive.
    """
    if not size_km > 0:
        raise ValueError(f"tiles of {size_km} km: expected a positive size")
    bands = max(int(np.pi * EARTH_RADIUS_KM / size_km), 1)
    band = np.clip(np.floor((np.asarray(lat_deg, np.float64) + 90.0) / 180.0 * bands), 0, bands - 1)
    edges = np.abs(np.stack([band, band + 1]) / bands - 0.5)  # half turns from the equator
    # what a meridian must be turned by to be a size away from where the band is nearest to a pole
    turned = np.sin(size_km / EARTH_RADIUS_KM) / np.cos(np.pi * edges.max(axis=0))
    count = np.where(turned <= 1.0, np.floor(2.0 * np.pi / np.arcsin(np.minimum(turned, 1.0))), 1.0)
    column = np.minimum(np.floor((wrapped_longitude(lon_deg) + 180.0) / 360.0 * count), count - 1)
    return [(south, west) for south, west in np.column_stack([band, column]).astype(np.int64).tolist()]


def left_out(group: Sequence[Name]) -> BlockFolds[Name]:
    """Every group, such as a city, a fold of its own: `rotation(k, n)` tests on the k-th of n groups by name.

    Args:
        group: (item,) name of the group of each. What must not be told apart, such as a sum of regions and the regions
            in it, bears one name.
    """
    names, fold = numbered(group)
    return BlockFolds({name: number for number, name in enumerate(names)}, fold, np.zeros((0, 2), np.int64))

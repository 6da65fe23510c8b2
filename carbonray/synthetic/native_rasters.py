"""Images of the synthetic fleet as rasters and STAC items, the way catalogs keep what providers deliver.

Sources: Cloud-Optimized GeoTIFF by GDAL; STAC 1.1 with the raster, eo, proj and view extensions. Arrays are
(band, y, x), row 0 north. The bytes hold no clock and no path: equal input gives equal files.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pystac
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.io import MemoryFile

from carbonray.io.imagery.image import RegionGrid, RegionImage
from carbonray.io.imagery.region import WGS84, transformer
from carbonray.synthetic.sensing import lattice_skip

_TILE_PX = 256


def geotiff(values: NDArray[Any], grid: RegionGrid, cells: int = 1) -> bytes:
    """A tiled, compressed GeoTIFF of (band, y, x) values whose pixels are `cells` of the grid's wide.

    Coarse pixels lie on the product's own lattice and are cut with the region, so `values` starts with the coarse pixel
    that holds the region's first.
    """
    pixel, (down, right) = grid.pixel_m * cells, lattice_skip(grid, cells)
    left, top = grid.left - right * grid.pixel_m, grid.top + down * grid.pixel_m
    profile = {
        "driver": "GTiff", "dtype": values.dtype, "count": values.shape[0], "height": values.shape[1],
        "width": values.shape[2], "crs": f"EPSG:{grid.epsg}", "transform": Affine(pixel, 0, left, 0, -pixel, top),
        "tiled": True, "blockxsize": _TILE_PX, "blockysize": _TILE_PX, "compress": "deflate", "predictor": 2,
    }  # fmt: skip
    with MemoryFile() as file:
        with file.open(**profile) as to:
            to.write(values)
        return bytes(file.read())


def coarsest(dn: NDArray[np.uint16], grid: RegionGrid, cells: int) -> NDArray[np.uint16]:
    """(y, x) the coarse pixels of a band whose store repeats them: every pixel of the product once."""
    skips = zip(dn.shape, lattice_skip(grid, cells), strict=True)
    rows, cols = (np.unique((np.arange(size) + skip) // cells, return_index=True)[1] for size, skip in skips)
    return dn[np.ix_(rows, cols)]


def item_json(
    image: RegionImage, assets: Mapping[str, Mapping[str, Any]], properties: Mapping[str, Any]
) -> dict[str, Any]:
    """A STAC item of an image; hrefs are relative to it."""
    west, south, east, north, ring = _outline(image.grid)
    item = pystac.Item(
        id=image.image_id,
        geometry={"type": "Polygon", "coordinates": [ring]},
        bbox=[west, south, east, north],
        datetime=moment(image.time_utc_ns),
        properties={
            "created": moment(image.downloaded_utc_ns).isoformat(),
            "processing:level": "L1",
            "proj:epsg": image.grid.epsg,
            "view:sun_elevation": image.sun_elevation_deg,
            "view:sun_azimuth": image.sun_azimuth_deg,
            "carbonray:data_tier": image.data_tier,
            **properties,
        },
    )
    for key, told in assets.items():
        item.add_asset(key, pystac.Asset.from_dict({"roles": ["data"], **told}))
    return dict(item.to_dict(include_self_link=False, transform_hrefs=False))


def moment(time_utc_ns: int) -> datetime:
    """A time as a date and time of day, UTC."""
    return datetime.fromtimestamp(time_utc_ns / 1e9, tz=UTC)


def corners(grid: RegionGrid) -> list[tuple[float, float]]:
    """(lon, lat) of the upper left, upper right, lower right and lower left corner, degrees."""
    right, bottom = grid.left + grid.cols * grid.pixel_m, grid.top - grid.rows * grid.pixel_m
    x, y = [grid.left, right, right, grid.left], [grid.top, grid.top, bottom, bottom]
    lon, lat = transformer(grid.epsg, WGS84).transform(x, y)
    return [(round(float(each), 7), round(float(other), 7)) for each, other in zip(lon, lat, strict=True)]


def _outline(grid: RegionGrid) -> tuple[float, float, float, float, list[list[float]]]:
    ring = [list(corner) for corner in corners(grid)]
    lon, lat = np.array(ring).T
    # across the 180th meridian west is greater than east
    crossing = float(np.ptp(lon)) > 180.0
    west, east = (lon[lon > 0].min(), lon[lon < 0].max()) if crossing else (lon.min(), lon.max())
    return float(west), float(lat.min()), float(east), float(lat.max()), [*ring, ring[0]]

"""Any other georeferenced image: bands in one file or several, their scaling declared by the item.

Source: STAC raster extension. Bands are found by name, common name or wavelength. `raster:bands` give scale and
offset; values that are not 16-bit integers of their own, such as reflectance times 10,000 that may be negative, are
made so by the item's property `carbonray:shift`. A mask of 0 and 1 may come as an asset `cloud`.
"""

import numpy as np
import pystac

from carbonray.errors import DataError
from carbonray.io.imagery.assets import Scaling, assembled, asset_url, matched_bands, no_mask, sun_of
from carbonray.io.imagery.crop import BandSource, cut_bands, cut_mask
from carbonray.io.imagery.image import FLAG_BITS, RegionGrid, RegionImage
from carbonray.vocab.sensors import Imager

SHIFT = "carbonray:shift"


def read_generic(item: pystac.Item, imager: Imager, grid: RegionGrid) -> RegionImage:
    """One image cut to a region.

    Args:
        item: with an asset for each band or one for all, and their scale and offset.
        imager: declared bands.
        grid: of the region.

    Raises:
        DataError: a file is bad, a band has no scale, or the region is not covered.
        TransportError: bytes could not be moved.
    """
    bands = matched_bands(item, imager)
    shift = int(item.properties[SHIFT]) if SHIFT in item.properties else None
    unscaled = [band.names for band in bands if band and not band.scale]
    if unscaled:
        raise DataError(
            f"bands {unscaled} have no scale",
            where=item.id,
            expected="scale and offset of each in raster:bands",
            remedy="Declare the scaling in the item.",
        )
    sources = [BandSource(band.url, band.index, band.nodata, shift=shift) if band else None for band in bands]
    scale = np.array([band.scale if band else 1.0 for band in bands], np.float64)
    offset = np.array([band.offset or 0.0 if band else 0.0 for band in bands], np.float64) - scale * (shift or 0)
    stack = cut_bands(sources, grid, item.id)
    mask = asset_url(item, "cloud")
    flags = np.zeros(stack.flags.shape, np.uint8)
    if mask:
        flags[cut_mask(mask, grid)[0] != 0] = FLAG_BITS["cloud"]
    quality = no_mask("haze") | (0 if mask else no_mask("cloud"))
    scaling = Scaling.reflective(scale.tolist(), offset.tolist())
    return assembled(item, imager, grid, stack, scaling, flags, sun=sun_of(item), quality=quality)

"""The readers of images by name: an imager says which one reads its files."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pystac

from carbonray.io.imagery.generic import read_generic
from carbonray.io.imagery.image import RegionGrid, RegionImage
from carbonray.io.imagery.landsat8 import read_landsat8
from carbonray.io.imagery.planetscope import read_planetscope
from carbonray.io.imagery.sentinel2 import read_sentinel2
from carbonray.vocab.sensors import Imager

ReadImage = Callable[[pystac.Item, Imager, RegionGrid], RegionImage]

READERS: Mapping[str, ReadImage] = MappingProxyType(
    {
        "planetscope": read_planetscope,
        "sentinel2": read_sentinel2,
        "landsat8": read_landsat8,
        "generic": read_generic,
    }
)

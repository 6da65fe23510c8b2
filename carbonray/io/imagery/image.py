"""One acquisition over one plant's region of interest, as every reader gives it and every store keeps it.

Arrays are (band, y, x), row 0 north, in the product's own integers. value = dn * scale + offset is the reflectance at
the top of the atmosphere, or of a thermal band the radiance L (W m-2 sr-1 um-1), whose brightness temperature is
k2 / ln(k1 / L + 1) kelvin. DN 0 is nodata in all three products.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from carbonray.science.spatial.geodesy import utc_year

NODATA_DN = 0

# bits of a pixel's flags
FLAG_BITS = MappingProxyType(
    {
        "nodata": 1,  # in any band that the image has
        "cloud": 2,  # cirrus included
        "haze": 4,  # heavy haze
        "shadow": 8,
        "snow": 16,
        "saturated": 32,
        "light_haze": 64,
        "suspect": 128,  # the product doubts the pixel
    }
)

# bits of an image's quality
QUALITY_BITS = MappingProxyType(
    {
        "no_cloud_mask": 1,  # the product carries none: cloud_fraction is NaN
        "warped": 2,  # its grid was not the region's: nearest-neighbour resampled
        "partial": 4,  # the region is not wholly inside the image
        "no_metadata_scaling": 8,  # scale and offset are the product's documented constants
        "missing_band": 16,  # a band's file is absent: nodata
        "no_haze_mask": 32,  # the product carries none: haze_fraction is NaN
    }
)


@dataclass(frozen=True)
class Structure:
    """A tower or stack whose vapor is looked for.

    Attributes:
        structure_id: id of the annotation.
        kind: one of `STRUCTURE_KINDS`.
        lat, lon: degrees, WGS84.
    """

    structure_id: str
    kind: str
    lat: float
    lon: float


@dataclass(frozen=True)
class RegionGrid:
    """The fixed pixel grid of one plant and imager, on which all its images lie.

    Attributes:
        epsg: of the projected coordinate system: a UTM zone, near the poles a polar stereographic system.
        left, top: outer corner of the first pixel, m; on the lattice of the imager's own products.
        pixel_m: pixel size.
        rows, cols: shape.
    """

    epsg: int
    left: float
    top: float
    pixel_m: float
    rows: int
    cols: int


@dataclass(frozen=True)
class RegionImage:
    """One acquisition cut to a region grid.

    Attributes:
        image_id: as the provider names it.
        imager: key of `IMAGERS`.
        time_utc_ns: of the acquisition.
        dn: (band, y, x) uint16.
        flags: (y, x) uint8, bits of `FLAG_BITS`.
        scale, offset: (band,) float64: value = dn * scale + offset.
        k1, k2: (band,) float64: thermal constants, NaN for a reflective band.
        grid: where the pixels lie.
        covered_km2: area of the whole image before cropping.
        sun_elevation_deg, sun_azimuth_deg: NaN where not given.
        downloaded_utc_ns: when the file was made or fetched.
        quality: bits of `QUALITY_BITS`.
        source_url: item or file.
        data_tier: REAL or one of the synthetic tiers.
    """

    image_id: str
    imager: str
    time_utc_ns: int
    dn: NDArray[np.uint16]
    flags: NDArray[np.uint8]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    k1: NDArray[np.float64]
    k2: NDArray[np.float64]
    grid: RegionGrid
    covered_km2: float
    sun_elevation_deg: float
    sun_azimuth_deg: float
    downloaded_utc_ns: int
    quality: int
    source_url: str
    data_tier: str

    @property
    def year(self) -> int:
        """Calendar year of the acquisition, UTC."""
        return int(utc_year(self.time_utc_ns))

    def fraction(self, flag: str) -> float:
        """Share of the measured pixels that carry a flag; NaN where nothing is measured."""
        measured = (self.flags & FLAG_BITS["nodata"]) == 0
        count = int(measured.sum())
        return float(((self.flags & FLAG_BITS[flag]) != 0)[measured].sum() / count) if count else float("nan")

"""The instruments: what a file of each holds, at which size and quality.

Sources: Sentinel-5P Product Readme and User Manual for NO2 (pixel sizes, qa_value); the change of the along-track
pixel from 7 to 5.5 km on 2019-08-06 is in both. Imagers: the handbooks of PlanetScope, Sentinel-2 MSI and Landsat 8
OLI/TIRS (band centres, pixel sizes); overpass and revisit from the plume paper, section 3.1 (docs/SCIENCE.md 4.2).
"""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Band:
    """One band of an imager.

    Attributes:
        name: as the product names it.
        centre_nm: centre wavelength.
        pixel_m: native pixel size.
        common: STAC's common name (`blue`, `green`, `red`, `nir`, `swir16`, `swir22`, `lwir11`, `lwir12`, `pan`,
            `cirrus`, ...), by which derived bands find their inputs; empty where it has none.
    """

    name: str
    centre_nm: float
    pixel_m: float
    common: str = ""

    @property
    def thermal(self) -> bool:
        """Whether the band measures emitted heat: its physical value is a brightness temperature, K."""
        return self.centre_nm > 5000.0


@dataclass(frozen=True)
class Imager:
    """A camera of reflected light over a plant's region of interest.

    Attributes:
        name: key of the imager.
        bands: in the order of its stores.
        pixel_m: the store's pixel size: every band is brought to it.
        overpass_local_hour: local solar time of the overpass, hours (a range).
        revisit_days: between overpasses.
        bits: of the product's integers that carry signal.
        derived: derived bands that its bands allow, see `science.power.band_math`.
        patch_px: patch sizes around a structure, pixels, for the tree models.
        reader: the reader of its files, a key of `io.imagery.readers.READERS`.
    """

    name: str
    bands: tuple[Band, ...]
    pixel_m: float
    overpass_local_hour: tuple[float, float]
    revisit_days: float
    bits: int
    derived: tuple[str, ...]
    patch_px: tuple[int, ...]
    reader: str

    def band_index(self, common: str) -> int:
        """Position of the band of a common name; raises KeyError where there is none."""
        for index, band in enumerate(self.bands):
            if band.common == common:
                return index
        raise KeyError(f"{self.name} has no band {common!r}")


@dataclass(frozen=True)
class SwathInstrument:
    """A push-broom spectrometer that leaves swaths of pixels.

    Attributes:
        name: key of the instrument.
        ground_pixels: pixels across the track.
        swath_km: full width of the swath.
        across_track_km: pixel width at nadir and at the edge of the swath.
        along_track_km: pixel length before and after `pixel_change_utc`.
        pixel_change_utc: when the along-track length changed.
        overpass_local_hour: mean local solar time of the overpass, hours.
        min_qa_value: pixels at or below this quality are rejected.
    """

    name: str
    ground_pixels: int
    swath_km: float
    across_track_km: tuple[float, float]
    along_track_km: tuple[float, float]
    pixel_change_utc: datetime
    overpass_local_hour: float
    min_qa_value: float

    def along_track_km_on(self, time_utc: datetime) -> float:
        """Pixel length along the track, km, at a UTC time."""
        return self.along_track_km[time_utc >= self.pixel_change_utc]


IMAGERS: dict[str, Imager] = {
    "planetscope": Imager(
        name="planetscope",
        bands=(
            Band("B", 490.0, 3.0, "blue"),
            Band("G", 565.0, 3.0, "green"),
            Band("R", 665.0, 3.0, "red"),
            Band("NIR", 865.0, 3.0, "nir"),
        ),
        pixel_m=3.0,
        overpass_local_hour=(7.5, 11.5),
        revisit_days=1.0,
        bits=12,
        derived=("hot", "whiteness", "ndvi"),
        patch_px=(8, 16, 32, 64),
        reader="planetscope",
    ),
    "sentinel2": Imager(
        name="sentinel2",
        bands=(
            Band("B1", 443.0, 60.0, "coastal"),
            Band("B2", 490.0, 10.0, "blue"),
            Band("B3", 560.0, 10.0, "green"),
            Band("B4", 665.0, 10.0, "red"),
            Band("B5", 705.0, 20.0, "rededge071"),
            Band("B6", 740.0, 20.0, "rededge075"),
            Band("B7", 783.0, 20.0, "rededge078"),
            Band("B8", 842.0, 10.0, "nir"),
            Band("B8A", 865.0, 20.0, "nir08"),
            Band("B9", 945.0, 60.0, "nir09"),
            Band("B10", 1375.0, 60.0, "cirrus"),
            Band("B11", 1610.0, 20.0, "swir16"),
            Band("B12", 2190.0, 20.0, "swir22"),
        ),
        pixel_m=10.0,
        overpass_local_hour=(10.5, 10.5),
        revisit_days=5.0,
        bits=12,
        derived=("hot", "whiteness", "ndvi", "ndswir"),
        patch_px=(4, 8, 16, 32),
        reader="sentinel2",
    ),
    "landsat8": Imager(
        name="landsat8",
        bands=(
            Band("B1", 443.0, 30.0, "coastal"),
            Band("B2", 482.0, 30.0, "blue"),
            Band("B3", 561.0, 30.0, "green"),
            Band("B4", 655.0, 30.0, "red"),
            Band("B5", 865.0, 30.0, "nir"),
            Band("B6", 1609.0, 30.0, "swir16"),
            Band("B7", 2201.0, 30.0, "swir22"),
            Band("B8", 590.0, 15.0, "pan"),
            Band("B9", 1373.0, 30.0, "cirrus"),
            Band("B10", 10900.0, 100.0, "lwir11"),
            Band("B11", 12000.0, 100.0, "lwir12"),
        ),
        pixel_m=30.0,  # the paper treats Landsat as 30 m: the panchromatic band is averaged (inferred)
        overpass_local_hour=(9.75, 10.25),
        revisit_days=16.0,
        bits=12,
        derived=("hot", "whiteness", "ndvi", "ndswir", "ndtir"),
        patch_px=(4, 8, 16, 32),
        reader="landsat8",
    ),
}

SWATHS: dict[str, SwathInstrument] = {
    "tropomi": SwathInstrument(
        name="tropomi",
        ground_pixels=450,
        swath_km=2600.0,
        across_track_km=(3.5, 14.5),
        along_track_km=(7.0, 5.5),
        pixel_change_utc=datetime(2019, 8, 6, tzinfo=UTC),
        overpass_local_hour=13.5,
        min_qa_value=0.75,
    ),
}

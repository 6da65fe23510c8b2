"""The instruments: what a file of each holds, at which size and quality.

Sources: Sentinel-5P Product Readme and User Manual for NO2 (pixel sizes, qa_value); the change of the along-track
pixel from 7 to 5.5 km on 2019-08-06 is in both.
"""

from dataclasses import dataclass
from datetime import UTC, datetime


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

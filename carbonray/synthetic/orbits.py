"""Where a push-broom spectrometer on Sentinel-5P's orbit looks: pixel centres, corners and times over a region.

Sources: Sentinel-5P orbit (sun-synchronous, inclination 98.74 degrees, 227 orbits in 16 days, ascending node at 13:30
local solar time, ESA); the phase is that of orbit 9761, whose granule starts at 09:16:35 UTC on 2019-09-01, and of the
44 minutes from a granule's start to its node that the overpass of granule 19594 over 23.67 S tells; pixel sizes from
`vocab.sensors`. The orbit is circular, the Earth a sphere. Arrays are (scanline, ground pixel) in the
order of flight, left of it first; corners run around the pixel from the early left one. Longitudes are in [-180, 180).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM, wrapped_longitude
from carbonray.vocab.sensors import SwathInstrument

Floats = NDArray[np.float64]
Region = tuple[float, float, float, float]  # west, south, east, north; west > east lies across 180

INCLINATION_RAD = np.radians(98.74)
PERIOD_S = 16 * 86400.0 / 227
REFERENCE_ORBIT, REFERENCE_NODE_UTC = 9761, datetime(2019, 9, 1, 10, 0, 58, tzinfo=UTC)
SATELLITE_RADIUS_KM = EARTH_RADIUS_KM + 824.0  # mean altitude, ESA
DAY_S = 86400.0

# inferred: how much longer than its scan step a pixel is at the swath's edge, where the line of sight is oblique
BOW_TIE_GROWTH = 0.25
_SEARCH_STEP_S, _SEARCH_PIXELS = 10.0, 10  # finer than a 1 degree region
_ASCENDING_S = PERIOD_S / 4 * 0.95  # the sunlit, northbound part of the orbit, short of the poles


@dataclass(frozen=True)
class SwathGeometry:
    """The part of one orbit's swath that sees a region.

    Attributes:
        orbit: absolute orbit number.
        time_utc_ns: (s,) time of each scan line.
        ground_pixel: (p,) index across the full swath.
        lat, lon: (s, p) pixel centres, degrees.
        lat_corners, lon_corners: (s, p, 4) corners, degrees.
        viewing_zenith_deg: (s, p) angle of the line of sight at the ground.
    """

    orbit: int
    time_utc_ns: NDArray[np.int64]
    ground_pixel: NDArray[np.int32]
    lat: Floats
    lon: Floats
    lat_corners: Floats
    lon_corners: Floats
    viewing_zenith_deg: Floats


def node_utc_s(orbit: int) -> float:
    """Seconds since 1970-01-01 UTC at which an orbit crosses the equator northbound."""
    return REFERENCE_NODE_UTC.timestamp() + (orbit - REFERENCE_ORBIT) * PERIOD_S


def orbits_over(region: Region, local_day: int, instrument: SwathInstrument, most: int) -> tuple[int, ...]:
    """Orbits that see a region on one local solar date, those that see most of it, in the order of flight.

    Args:
        region: west, south, east, north, degrees.
        local_day: days since 1970-01-01.
        instrument: the spectrometer.
        most: number of orbits kept.
    """
    lon, hour = _centre(region)[1], instrument.overpass_local_hour
    overpass_s = local_day * DAY_S + (hour - lon / 15.0) * 3600.0
    nearest = REFERENCE_ORBIT + round((overpass_s - REFERENCE_NODE_UTC.timestamp()) / PERIOD_S)
    seen = {orbit: _looks(orbit, region, instrument)[2].sum() for orbit in range(nearest - 2, nearest + 3)}
    best = sorted((orbit for orbit in seen if seen[orbit]), key=lambda orbit: (-seen[orbit], orbit))
    return tuple(sorted(best[:most]))


def swath_geometry(orbit: int, region: Region, instrument: SwathInstrument) -> SwathGeometry:
    """The scan lines and ground pixels of an orbit that see a region: a rectangle of the swath around it.

    Raises:
        ContractError: the orbit does not see the region.
    """
    times_s, pixels, inside = _looks(orbit, region, instrument)
    if not inside.any():
        raise ContractError(
            "the orbit does not see the region",
            where=f"orbit {orbit}, region {region}",
            expected="an orbit that orbits_over gave",
            remedy="Plan granules with orbits_over.",
        )
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    first_s, last_s = times_s[rows[0]] - _SEARCH_STEP_S, times_s[rows[-1]] + _SEARCH_STEP_S
    start = datetime.fromtimestamp(node_utc_s(orbit) + first_s, tz=UTC)
    step_s = instrument.along_track_km_on(start) / (2 * np.pi * EARTH_RADIUS_KM / PERIOD_S)
    scans = np.arange(np.floor(first_s / step_s), np.ceil(last_s / step_s) + 1)
    low, high = pixels[max(cols[0] - 1, 0)], pixels[min(cols[-1] + 1, pixels.size - 1)]
    return _geometry(orbit, scans * step_s, step_s, np.arange(low, high + 1), instrument)


def across_track_edges_km(instrument: SwathInstrument) -> Floats:
    """(pixels + 1,) distances of pixel edges from the ground track, negative to its left.

    The width grows as a power of the distance from the middle; its exponent follows from nadir, edge and swath width.
    """
    nadir, edge = instrument.across_track_km
    mean = instrument.swath_km / instrument.ground_pixels
    power = (edge - nadir) / (mean - nadir) - 1.0
    x = np.linspace(-1.0, 1.0, instrument.ground_pixels + 1)
    half = instrument.ground_pixels / 2
    return half * (nadir * x + (edge - nadir) * np.sign(x) * np.abs(x) ** (power + 1) / (power + 1))


def _centre(region: Region) -> tuple[float, float]:
    west, south, east, north = region
    return (south + north) / 2, float(wrapped_longitude(west + ((east - west) % 360.0) / 2))


def _looks(
    orbit: int, region: Region, instrument: SwathInstrument
) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """A coarse look along the ascending half: times after the node, ground pixels, and who lies in the region."""
    west, south, east, north = region
    times_s = np.arange(-_ASCENDING_S, _ASCENDING_S, _SEARCH_STEP_S)
    pixels = np.append(np.arange(0, instrument.ground_pixels - 1, _SEARCH_PIXELS), instrument.ground_pixels - 1)
    lat, lon = _ground(orbit, times_s[:, None], across_track_edges_km(instrument)[pixels][None, :])
    return times_s, pixels, (lat > south) & (lat < north) & ((lon - west) % 360.0 < (east - west) % 360.0)


def _geometry(
    orbit: int, times_s: Floats, step_s: float, pixels: NDArray[np.int64], instrument: SwathInstrument
) -> SwathGeometry:
    edges_km = across_track_edges_km(instrument)
    left, right = edges_km[pixels], edges_km[pixels + 1]
    lat, lon = _ground(orbit, times_s[:, None], ((left + right) / 2)[None, :])
    across = np.stack([left, right, right, left], axis=-1)
    reach_s = step_s / 2 * (1 + BOW_TIE_GROWTH * (across / (instrument.swath_km / 2)) ** 2)
    when = times_s[:, None, None] + np.array([-1.0, -1.0, 1.0, 1.0]) * reach_s
    lat_corners, lon_corners = _ground(orbit, when, across[None])
    central = (left + right) / 2 / EARTH_RADIUS_KM
    zenith = central + np.arctan2(np.sin(central), SATELLITE_RADIUS_KM / EARTH_RADIUS_KM - np.cos(central))
    return SwathGeometry(
        orbit=orbit,
        time_utc_ns=np.rint((node_utc_s(orbit) + times_s) * 1e3).astype(np.int64) * 1_000_000,
        ground_pixel=pixels.astype(np.int32),
        lat=lat,
        lon=lon,
        lat_corners=lat_corners,
        lon_corners=lon_corners,
        viewing_zenith_deg=np.broadcast_to(np.abs(np.degrees(zenith)), lat.shape),
    )


def _ground(orbit: int, after_node_s: Floats, across_km: Floats) -> tuple[Floats, Floats]:
    """Latitude and longitude, degrees, seen at a time after the node, so far right of the ground track."""
    turn = 2 * np.pi * after_node_s / PERIOD_S
    tilt_cos, tilt_sin = np.cos(INCLINATION_RAD), np.sin(INCLINATION_RAD)
    below = np.stack([np.cos(turn), tilt_cos * np.sin(turn), tilt_sin * np.sin(turn)])
    ahead = np.stack([-np.sin(turn), tilt_cos * np.cos(turn), tilt_sin * np.cos(turn)])
    # seen from the turning Earth, the track bends westward: one turn a solar day, as the orbit follows the sun
    westward = np.stack([-below[1], below[0], np.zeros_like(turn)]) * (PERIOD_S / DAY_S)
    right = np.cross(ahead - westward, below, axis=0)
    right /= np.linalg.norm(right, axis=0)
    angle = across_km / EARTH_RADIUS_KM
    x, y, z = np.cos(angle) * below + np.sin(angle) * right
    node_lon = (13.5 - (node_utc_s(orbit) % DAY_S) / 3600.0) * 15.0
    lon = np.degrees(np.arctan2(y, x)) + node_lon - 360.0 * after_node_s / DAY_S
    return np.degrees(np.arcsin(np.clip(z, -1.0, 1.0))), wrapped_longitude(lon)

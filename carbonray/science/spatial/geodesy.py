"""Distances, areas, tangent planes and local days on a spherical Earth.

Source: IUGG mean radius R1 = 6371.0088 km (Moritz 2000); spherical formulas as in Snyder, Map Projections: A Working
Manual, USGS PP 1395 (azimuthal equidistant, ch. 25). Arrays are degrees WGS84, longitude eastward, and broadcast.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

EARTH_RADIUS_KM = 6371.0088
HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS


def wrapped_longitude(lon_deg: ArrayLike) -> NDArray[np.float64]:
    """Longitude in [-180, 180), degrees; 180 becomes -180, NaN stays NaN."""
    lon = np.mod(np.asarray(lon_deg, np.float64) + 180.0, 360.0) - 180.0
    # a negative angle under the rounding of the modulus comes out as the full turn
    return np.where(lon >= 180.0, lon - 360.0, lon)


def longitude_difference(lon_deg: ArrayLike, origin_deg: ArrayLike) -> NDArray[np.float64]:
    """Shortest turn from `origin_deg` to `lon_deg`, degrees in [-180, 180), positive eastward."""
    return wrapped_longitude(np.asarray(lon_deg, np.float64) - np.asarray(origin_deg, np.float64))


def distance_km(lat_a: ArrayLike, lon_a: ArrayLike, lat_b: ArrayLike, lon_b: ArrayLike) -> NDArray[np.float64]:
    """Great-circle distance, km (haversine, stable for neighbours)."""
    phi_a, phi_b = np.radians(np.asarray(lat_a, np.float64)), np.radians(np.asarray(lat_b, np.float64))
    half_turn = np.radians(longitude_difference(lon_b, lon_a)) / 2
    chord = np.sin((phi_b - phi_a) / 2) ** 2 + np.cos(phi_a) * np.cos(phi_b) * np.sin(half_turn) ** 2
    angle: NDArray[np.float64] = 2 * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    return EARTH_RADIUS_KM * angle


def band_area_km2(lat_south: ArrayLike, lat_north: ArrayLike, width_deg: ArrayLike) -> NDArray[np.float64]:
    """Area between two parallels over `width_deg` of longitude, km2, exact on the sphere."""
    south, north = np.radians(np.asarray(lat_south, np.float64)), np.radians(np.asarray(lat_north, np.float64))
    # sin(n) - sin(s) as a product keeps its digits for thin bands
    height: NDArray[np.float64] = 2 * np.cos((north + south) / 2) * np.sin((north - south) / 2)
    return EARTH_RADIUS_KM**2 * np.radians(np.asarray(width_deg, np.float64)) * height


def tangent_plane_m(
    lat_deg: ArrayLike, lon_deg: ArrayLike, *, lat_centre: float, lon_centre: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Azimuthal equidistant x (east) and y (north) of points about a centre, metres.

    Distance and bearing from the centre are true; within 300 km of it other distances are true to 4e-4.
    """
    phi, turn = np.radians(np.asarray(lat_deg, np.float64)), np.radians(longitude_difference(lon_deg, lon_centre))
    phi_0 = np.radians(lat_centre)
    east = np.cos(phi) * np.sin(turn)
    # cos(phi0) sin(phi) - sin(phi0) cos(phi) cos(turn), rewritten to keep its digits near the centre
    north = np.sin(phi - phi_0) + 2 * np.sin(phi_0) * np.cos(phi) * np.sin(turn / 2) ** 2
    across = np.hypot(east, north)
    forward = np.sin(phi_0) * np.sin(phi) + np.cos(phi_0) * np.cos(phi) * np.cos(turn)
    angle = np.arctan2(across, forward)
    stretch = np.divide(angle, across, out=np.ones_like(across), where=across > 0)
    radius_m = 1e3 * EARTH_RADIUS_KM
    return radius_m * stretch * east, radius_m * stretch * north


def local_solar_day(time_utc_ns: ArrayLike, lon_deg: ArrayLike) -> NDArray[np.int32]:
    """Days since 1970-01-01 of the mean local solar date: UTC plus one hour for every 15 degrees east."""
    shift_ns = np.rint(wrapped_longitude(lon_deg) / 15.0 * HOUR_NS).astype(np.int64)
    day: NDArray[np.int64] = (np.asarray(time_utc_ns, np.int64) + shift_ns) // DAY_NS
    return day.astype(np.int32)


def utc_year(time_utc_ns: ArrayLike) -> NDArray[np.int64]:
    """Calendar year of moments, ns since 1970-01-01 UTC."""
    return np.asarray(time_utc_ns, np.int64).astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64) + 1970

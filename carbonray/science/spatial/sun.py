"""Where the sun stands: declination and equation of time by short Fourier series.

Source: Spencer (1971), as used in solar engineering: the elevation is good to about 0.3 degrees, without refraction.
Arrays broadcast; angles in degrees, azimuth clockwise from north.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS

Floats = NDArray[np.float64]

_YEAR_DAYS = 365.2422
_FIRST_DAY = 10957  # 2000-01-01 in days since 1970-01-01
_DECLINATION = (0.006918, -0.399912, 0.070257, -0.006758, 0.000907, -0.002697, 0.001480)  # radians
_EQUATION_OF_TIME = (0.000075, 0.001868, -0.032077, -0.014615, -0.040849, 0.0, 0.0)  # radians of rotation
_DISTANCE = (1.000110, 0.034221, 0.001280, 0.000719, 0.000077, 0.0, 0.0)  # (mean distance / distance)^2


def sun_position(time_utc_ns: ArrayLike, lat_deg: ArrayLike, lon_deg: ArrayLike) -> tuple[Floats, Floats]:
    """Elevation and azimuth of the sun, degrees; below the horizon the elevation is negative."""
    time = np.asarray(time_utc_ns, np.int64)
    year = _year_angle(time)
    declination, lag = _series(_DECLINATION, year), _series(_EQUATION_OF_TIME, year)
    hour = np.asarray((time % DAY_NS) / HOUR_NS * 15.0 - 180.0 + np.asarray(lon_deg, np.float64))
    turn, lat = np.radians(hour) + lag, np.radians(np.asarray(lat_deg, np.float64))
    up = np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(turn)
    north = np.cos(lat) * np.sin(declination) - np.sin(lat) * np.cos(declination) * np.cos(turn)
    east = -np.cos(declination) * np.sin(turn)
    return np.degrees(np.arcsin(np.clip(up, -1.0, 1.0))), np.degrees(np.arctan2(east, north)) % 360.0


def sunlight(time_utc_ns: ArrayLike) -> Floats:
    """Sunlight outside the atmosphere over its mean of the year: (mean distance / distance) squared."""
    return _series(_DISTANCE, _year_angle(np.asarray(time_utc_ns, np.int64)))


def _year_angle(time_utc_ns: NDArray[np.int64]) -> Floats:
    day = time_utc_ns / DAY_NS - _FIRST_DAY
    return np.asarray(2 * np.pi * ((day / _YEAR_DAYS) % 1.0))


def _series(terms: tuple[float, ...], angle: Floats) -> Floats:
    total = np.full(angle.shape, terms[0])
    for order in (1, 2, 3):
        total += terms[2 * order - 1] * np.cos(order * angle) + terms[2 * order] * np.sin(order * angle)
    return total

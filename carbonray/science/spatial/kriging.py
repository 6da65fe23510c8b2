"""Values at places from the values nearest to them: ordinary kriging, every place in a window of its own.

Sources: Matheron, Econ. Geol. 58, 1246, 1963 (ordinary kriging: unknown mean, constant in the window); Matern's
correlation of smoothness 3/2 as in Rasmussen and Williams 2006, eq. 4.17. Places are (place, 3) km from the Earth's
centre: chords, not arcs, so that the correlation is one (arcs of a sphere allow no such smoothness), and no place is
special. Values are (place,). That a window of some nearest values stands for all is inferred.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM

Floats = NDArray[np.float64]

_AT_ONCE = 256  # places whose systems stand in memory together: 8 MB of 64 x 64


def chord_places_km(lat_deg: ArrayLike, lon_deg: ArrayLike) -> Floats:
    """(place, 3) km; what lies 30 km apart on the ground is 3 cm nearer on the chord."""
    phi, turn = np.radians(np.asarray(lat_deg, np.float64)), np.radians(np.asarray(lon_deg, np.float64))
    return EARTH_RADIUS_KM * np.stack([np.cos(phi) * np.cos(turn), np.cos(phi) * np.sin(turn), np.sin(phi)], axis=-1)


def nearest_places(places: Floats, wanted: Floats, most: int) -> tuple[Floats, NDArray[np.int64]]:
    """Distances, km, and positions, (wanted, least of most and places), of the places nearest to each wanted one."""
    count = min(most, len(places))
    found = KDTree(places).query(wanted, k=np.arange(1, count + 1))
    return np.asarray(found[0], np.float64), np.asarray(found[1], np.int64)


def matern(distance_km: Floats, length_km: float) -> Floats:
    """Correlation of smoothness 3/2: 1 at no distance, 0.48 at a length."""
    scaled = np.sqrt(3.0) * distance_km / length_km
    return np.asarray((1.0 + scaled) * np.exp(-scaled), np.float64)


def kriged(
    places: Floats, values: Floats, wanted: Floats, *, length_km: float, nugget: float, window: int = 64
) -> Floats:
    """(wanted,) best linear unbiased value at each place; it depends on the window alone, not on what else is wanted.

    Args:
        places: (place, 3) where values are known, one or more.
        values: (place,) what is known.
        wanted: (wanted, 3) where they are asked for.
        length_km: of the correlation.
        nugget: share of the variance that no neighbour shares, 0 to 1; at 0 known values come back exactly, at 1 the
            answer is the mean of the window.
        window: nearest values that have a say.
    """
    distance, near = nearest_places(places, wanted, window)
    answer = np.empty(len(wanted))
    for start in range(0, len(wanted), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        among = _apart_km(places[near[part]])
        told = (1.0 - nugget) * matern(among, length_km) + nugget * np.eye(near.shape[1])
        own = (1.0 - nugget) * matern(distance[part], length_km)
        known = values[near[part]]
        weighed, ones = np.moveaxis(np.linalg.solve(told, np.stack([known, np.ones_like(known)], axis=-1)), -1, 0)
        mean = (weighed.sum(axis=1) / ones.sum(axis=1))[:, None]
        answer[part] = mean[:, 0] + (own * (weighed - mean * ones)).sum(axis=1)
    return answer


def _apart_km(places: Floats) -> Floats:
    """(n, m, 3) -> (n, m, m) distances among the places of each window."""
    square = np.zeros((*places.shape[:2], places.shape[1]))
    for axis in range(3):  # one at a time: all three at once are three times the memory
        square += (places[:, :, None, axis] - places[:, None, :, axis]) ** 2
    return np.sqrt(square)

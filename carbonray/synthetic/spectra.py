"""Reflectance of what a plant's surroundings are made of, at any wavelength.

Source: shapes as in public spectral libraries (vegetation, soil, water, snow, concrete), rounded by hand: inferred.
Arrays are (material, wavelength) or (material,). A material's heat is how much warmer than the air it is in full sun.
"""

from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_ANCHORS_NM = (443, 490, 560, 665, 705, 740, 783, 865, 945, 1240, 1610, 2190)
_TABLE: MappingProxyType[str, tuple[float, ...]] = MappingProxyType(
    {
        "leaves": (0.025, 0.032, 0.075, 0.040, 0.105, 0.290, 0.370, 0.410, 0.410, 0.37, 0.20, 0.095),
        "straw": (0.080, 0.100, 0.150, 0.195, 0.220, 0.240, 0.260, 0.295, 0.310, 0.36, 0.37, 0.28),
        "soil": (0.075, 0.095, 0.130, 0.175, 0.195, 0.210, 0.230, 0.260, 0.280, 0.33, 0.37, 0.34),
        "sand": (0.130, 0.170, 0.240, 0.310, 0.330, 0.345, 0.360, 0.390, 0.405, 0.45, 0.50, 0.46),
        "trees": (0.018, 0.022, 0.042, 0.026, 0.062, 0.170, 0.220, 0.250, 0.250, 0.22, 0.12, 0.055),
        "water": (0.040, 0.042, 0.045, 0.028, 0.022, 0.016, 0.014, 0.010, 0.006, 0.003, 0.002, 0.001),
        "asphalt": (0.075, 0.082, 0.092, 0.102, 0.106, 0.109, 0.112, 0.118, 0.120, 0.13, 0.15, 0.14),
        "concrete": (0.190, 0.220, 0.260, 0.295, 0.305, 0.312, 0.320, 0.335, 0.340, 0.37, 0.38, 0.35),
        "white_roof": (0.520, 0.580, 0.630, 0.660, 0.665, 0.665, 0.660, 0.645, 0.635, 0.58, 0.48, 0.40),
        "dark_roof": (0.070, 0.078, 0.090, 0.105, 0.112, 0.118, 0.124, 0.132, 0.136, 0.15, 0.17, 0.16),
        "coal": (0.030, 0.031, 0.033, 0.036, 0.037, 0.038, 0.040, 0.043, 0.046, 0.05, 0.06, 0.07),
        "snow": (0.880, 0.890, 0.890, 0.870, 0.860, 0.850, 0.840, 0.780, 0.720, 0.42, 0.09, 0.06),
    }
)
MATERIALS = tuple(_TABLE)
# degrees that full sun brings, in the order of the materials; water and snow keep their own temperature
_HEAT_C = (3.0, 9.0, 12.0, 13.0, 1.5, -3.0, 15.0, 10.0, 4.0, 18.0, 17.0, 0.0)
# share of a material that deep snow hides
_SNOW_HOLD = (0.95, 0.95, 0.97, 0.97, 0.45, 0.0, 0.35, 0.55, 0.85, 0.75, 0.5, 1.0)


def reflectance(wavelength_nm: ArrayLike) -> Floats:
    """(material, wavelength) surface reflectance; beyond the anchors the last value holds."""
    wanted = np.asarray(wavelength_nm, np.float64)
    return np.stack([np.interp(wanted, _ANCHORS_NM, values) for values in _TABLE.values()])


def heat_c() -> Floats:
    """(material,) degrees above the air in full sun."""
    return np.asarray(_HEAT_C)


def snow_hold() -> Floats:
    """(material,) largest share that snow covers."""
    return np.asarray(_SNOW_HOLD)

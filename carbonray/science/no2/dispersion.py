"""How a released gas spreads: dispersion widths, stability classes, NO2 chemistry and the Gaussian column plume.

Sources: Briggs (1973) widths as tabulated by Hanna, Briggs and Hosker (Handbook on Atmospheric Diffusion, 1982);
Pasquill (1961) and Turner (1970) for the classes; Meier et al. (2024) for the NO2 to NOx curves (as ddeq 1.1 ships
them). Arrays broadcast; x grows east and y north, in metres; the wind is the vector the air moves toward.
Columns are kg m-2 of NO2, emissions kg s-1 as NO2.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.errors import ContractError

MOLAR_MASS_NO2_KG_MOL = 0.0460055  # IUPAC atomic weights
NOX_OVER_NO2 = 1.32  # the customary constant conversion, molar: Beirle et al. 2019, ddeq 1.1

STABILITY_CLASSES = "ABCDEF"
Terrain = Literal["open", "urban"]
Insolation = Literal["strong", "moderate", "slight"]

# Briggs: sigma = slope * x * (1 + bend * x) ** power, one entry a class A to F, x in metres
_SIGMA_Y = {
    "open": ((0.22, 0.16, 0.11, 0.08, 0.06, 0.04), (1e-4,) * 6, (-0.5,) * 6),
    "urban": ((0.32, 0.32, 0.22, 0.16, 0.11, 0.11), (4e-4,) * 6, (-0.5,) * 6),
}
_SIGMA_Z = {
    "open": ((0.20, 0.12, 0.08, 0.06, 0.03, 0.016), (0.0, 0.0, 2e-4, 1.5e-3, 3e-4, 3e-4), (0, 0, -0.5, -0.5, -1, -1)),
    "urban": (
        (0.24, 0.24, 0.20, 0.14, 0.08, 0.08),
        (1e-3, 1e-3, 0.0, 3e-4, 1.5e-3, 1.5e-3),
        (0.5, 0.5, 0, -0.5, -0.5, -0.5),
    ),
}

# Daytime half of the Pasquill-Turner table: upper edge of the 10 m wind, m s-1, then the class or pair of classes
_PASQUILL_EDGES_M_S = (2.0, 3.0, 5.0, 6.0)
PASQUILL_DAYTIME: dict[Insolation, tuple[str, ...]] = {
    "strong": ("A", "AB", "B", "C", "C"),
    "moderate": ("AB", "B", "BC", "CD", "D"),
    "slight": ("B", "C", "C", "D", "D"),
}


@dataclass(frozen=True)
class No2Curve:
    """NO2 over NOx along a plume as 1 / (m exp(-t / r_s) + f0), t the age of the air in seconds."""

    m: float
    r_s: float
    f0: float


NO2_CURVES: dict[str, No2Curve] = {
    "belchatow": No2Curve(3.8, 546.0, 1.66),
    "jaenschwalde": No2Curve(1.6, 1638.0, 1.31),
    "lipetsk": No2Curve(4.2, 486.0, 1.36),
    "matimba": No2Curve(6.1, 744.0, 1.90),
}


def sigma_y_m(distance_m: ArrayLike, stability: str | ArrayLike, terrain: Terrain = "open") -> NDArray[np.float64]:
    """Crosswind width of a plume, m.

    Args:
        distance_m: distance downwind of the source, m; negative counts as 0.
        stability: letters A to F, or an array of their indices 0 to 5, broadcast with the distance.
        terrain: Briggs' open country or urban set.
    """
    return _briggs(distance_m, stability, *_SIGMA_Y[terrain])


def sigma_z_m(distance_m: ArrayLike, stability: str | ArrayLike, terrain: Terrain = "open") -> NDArray[np.float64]:
    """Vertical width of a plume, m; arguments as for `sigma_y_m`. A column does not depend on it."""
    return _briggs(distance_m, stability, *_SIGMA_Z[terrain])


def _briggs(
    distance_m: ArrayLike,
    stability: str | ArrayLike,
    slope: tuple[float, ...],
    bend_per_m: tuple[float, ...],
    power: tuple[float, ...],
) -> NDArray[np.float64]:
    x = np.maximum(np.asarray(distance_m, np.float64), 0.0)
    k = stability_index(stability)
    widths = np.asarray(slope)[k] * x * (1.0 + np.asarray(bend_per_m)[k] * x) ** np.asarray(power, np.float64)[k]
    return np.asarray(widths, np.float64)


def sigma_y_shape(stability: ArrayLike, terrain: Terrain = "open") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and bend (per m) of sigma_y = slope x / sqrt(1 + bend x), for kernels that evaluate it themselves."""
    slope, bend_per_m, _ = _SIGMA_Y[terrain]
    k = stability_index(stability)
    return np.asarray(slope)[k], np.asarray(bend_per_m)[k]


def stability_index(stability: str | ArrayLike) -> NDArray[np.int64]:
    """Indices 0 (A) to 5 (F) of stability classes given as one or more letters, or checked indices as they are."""
    if isinstance(stability, str):
        found = [STABILITY_CLASSES.find(letter) for letter in stability]
        indices = np.asarray(found[0] if len(found) == 1 else found, np.int64)
    else:
        indices = np.asarray(stability, np.int64)
    if indices.size and (indices.min() < 0 or indices.max() >= len(STABILITY_CLASSES)):
        raise ContractError(
            "unknown stability class",
            where=f"stability={stability!r}",
            expected="letters A to F or indices 0 to 5",
            remedy="Map the class to Pasquill's six.",
        )
    return indices


def pasquill_class(u10_m_s: ArrayLike, insolation: Insolation, coin: ArrayLike = 0.0) -> NDArray[np.int64]:
    """Daytime stability index (0 = A to 3 = D) from the wind at 10 m and the insolation.

    Args:
        u10_m_s: wind speed at 10 m, m s-1.
        insolation: strong, moderate or slight.
        coin: numbers in [0, 1) that settle the table's pairs (A-B): below one half the less stable class.
    """
    row = np.searchsorted(_PASQUILL_EDGES_M_S, np.asarray(u10_m_s, np.float64), side="right")
    first, second = (stability_index("".join(pair[i] for pair in PASQUILL_DAYTIME[insolation])) for i in (0, -1))
    return np.asarray(np.where(np.asarray(coin) < 0.5, first[row], second[row]), np.int64)


def insolation_class(solar_elevation_deg: ArrayLike) -> NDArray[np.int64]:
    """0 slight, 1 moderate, 2 strong: above 35 and 60 degrees of solar elevation (Turner 1970)."""
    return np.searchsorted((35.0, 60.0), np.asarray(solar_elevation_deg, np.float64), side="right").astype(np.int64)


def no2_over_nox(age_s: ArrayLike, m: float, r_s: float, f0: float) -> NDArray[np.float64]:
    """Fraction of NOx that is NO2 at an age of the air; multiply NOx (as NO2) by it, divide to come back."""
    return 1.0 / (m * np.exp(-np.asarray(age_s, np.float64) / r_s) + f0)


def downwind_crosswind_m(
    x_m: ArrayLike, y_m: ArrayLike, wind_u_m_s: ArrayLike, wind_v_m_s: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates (s, n) along and left of the wind of points given relative to the source, m."""
    x, y, u, v = (np.asarray(a, np.float64) for a in (x_m, y_m, wind_u_m_s, wind_v_m_s))
    speed = np.hypot(u, v)
    return (x * u + y * v) / speed, (-x * v + y * u) / speed


def column_plume(
    x_m: ArrayLike,
    y_m: ArrayLike,
    q_kg_s: ArrayLike,
    wind_u_m_s: ArrayLike,
    wind_v_m_s: ArrayLike,
    tau_s: ArrayLike,
    stability: str | ArrayLike,
    *,
    terrain: Terrain = "open",
    diffusivity_m2_s: ArrayLike = 0.0,
) -> NDArray[np.float64]:
    """NO2 column at points, kg m-2: V = Q / (U sigma sqrt(2 pi)) exp(-n^2 / 2 sigma^2) exp(-s / (U tau)), s > 0.

    Args:
        x_m, y_m: position relative to the source, m.
        q_kg_s: emission, kg s-1 as NO2.
        wind_u_m_s, wind_v_m_s: wind toward east and north, m s-1.
        tau_s: lifetime of NO2, s; infinity for none.
        stability: Pasquill class, letter or index.
        terrain: Briggs' open or urban set.
        diffusivity_m2_s: mesoscale widening K, added as sigma^2 + 2 K s / U (0: Briggs alone).
    """
    s, n = downwind_crosswind_m(x_m, y_m, wind_u_m_s, wind_v_m_s)
    speed = np.hypot(np.asarray(wind_u_m_s, np.float64), np.asarray(wind_v_m_s, np.float64))
    downwind = np.maximum(s, 1e-3)  # s <= 0 is masked below; this keeps the width off zero
    briggs = sigma_y_m(downwind, stability, terrain)
    width = np.sqrt(briggs**2 + 2.0 * np.asarray(diffusivity_m2_s) * downwind / speed)
    decay = np.exp(-downwind / (speed * np.asarray(tau_s, np.float64)))
    column = np.asarray(q_kg_s) / (speed * width * np.sqrt(2.0 * np.pi)) * np.exp(-0.5 * (n / width) ** 2) * decay
    return np.asarray(np.where(s > 0.0, column, 0.0), np.float64)


def umol_m2_from_kg_m2(column_kg_m2: ArrayLike) -> NDArray[np.float64]:
    """Micromoles per square metre of an NO2 column in kg m-2."""
    return np.asarray(column_kg_m2, np.float64) * (1e6 / MOLAR_MASS_NO2_KG_MOL)


def kg_m2_from_umol_m2(column_umol_m2: ArrayLike) -> NDArray[np.float64]:
    """Kilograms per square metre of an NO2 column in micromoles per square metre."""
    return np.asarray(column_umol_m2, np.float64) * (MOLAR_MASS_NO2_KG_MOL / 1e6)

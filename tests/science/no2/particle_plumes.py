"""A reference that knows no lattice: plumes as particles at even steps along them and even quantiles across."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from carbonray.science.no2.dispersion import sigma_y_m

PIXEL_M = 5566.0


def particle_plume(
    *,
    row: float,
    col: float,
    u: float,
    v: float,
    tau_s: float,
    stability: str,
    dx: float,
    k: float,
    pixels: int,
    steps_per_px: int = 250,
    quantiles: int = 400,
) -> NDArray[np.float64]:
    """Pixel averages (y, x), s m-2, of a unit source; the pixel is dx by 5566 m, k the mesoscale widening."""
    speed, steps = np.hypot(u, v), steps_per_px * int(1.5 * pixels)
    s = (np.arange(steps) + 0.5) * (PIXEL_M / steps_per_px)
    z = ndtri((np.arange(quantiles) + 0.5) / quantiles)
    width = np.sqrt(sigma_y_m(s, stability) ** 2 + 2 * k * s / speed)
    mass = PIXEL_M / steps_per_px / speed * np.exp(-s / (speed * tau_s)) / quantiles
    east = (s[:, None] * u - width[:, None] * z * v) / speed
    north = (s[:, None] * v + width[:, None] * z * u) / speed
    edges, weights = np.arange(pixels + 1), np.broadcast_to(mass[:, None], east.shape).ravel()
    rows, cols = (row - north / PIXEL_M).ravel(), (col + east / dx).ravel()
    return np.histogram2d(rows, cols, bins=(edges, edges), weights=weights)[0] / (dx * PIXEL_M)

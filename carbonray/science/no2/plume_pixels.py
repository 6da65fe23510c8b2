"""Gaussian column plumes averaged over lattice pixels: mass kept to a thousandth or so, and fast enough to train on.

Source: SCIENCE 3.7 and 3.11; the method is Green's theorem. In plume coordinates (s along, n across the wind) the
column is dG/dn of G = (Q/U) Phi(n / sigma(s)) exp(-s / (U tau)), so a pixel's mass is the line integral of G ds
around its four edges, and what leaves a pixel enters its neighbour whatever the quadrature. Along an edge n / sigma
is taken as linear; that is wrong only beside the source, where the lattice is refined (and at the rim of that
neighbourhood, where two quadratures meet, a little mass is lost or made).
Arrays are (source, y, x), row 0 north; kernels are s m-2: the column in kg m-2 for an emission of 1 kg s-1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]

_Z_MAX = 5.0  # beyond five widths lies 6e-7 of the mass: taken as none
_WEIGHT_MIN = 1e-6  # of the kernel's peak; smaller weights are zero, or denormals cost ten times (SCIENCE 3.11)
_LENGTH_MAX_M = 1e12  # decay length of a gas that does not decay
_REFINE_RADIUS_PX = 2  # the source's pixel and its neighbours are evaluated on sub-pixels
_REFINE = 8
_CHUNK = 16  # sources at a time, so that the work stays in cache


@dataclass(frozen=True)
class PlumeSources:
    """Point or square sources in one steady wind each; every field is (source,).

    Attributes:
        row, col: position in pixels, the north-west corner of the lattice at (0, 0), pixel i from i to i + 1.
        u_m_s, v_m_s: wind toward east and north.
        tau_s: lifetime; infinity for none.
        slope, bend_per_m: sigma_y = slope s / sqrt(1 + bend s), as `dispersion.sigma_y_shape` gives them.
        diffusivity_m2_s: mesoscale widening K, sigma^2 + 2 K s / U.
        dx_m, dy_m: size of a pixel.
        size_px: side of the square the emission is spread over.
    """

    row: F64
    col: F64
    u_m_s: F64
    v_m_s: F64
    tau_s: F64
    slope: F64
    bend_per_m: F64
    diffusivity_m2_s: F64
    dx_m: F64
    dy_m: F64
    size_px: NDArray[np.int64]

    def take(self, which: NDArray[np.int64]) -> "PlumeSources":
        """The sources at these positions."""
        return PlumeSources(**{name: value[which] for name, value in vars(self).items()})


def pixel_plumes(sources: PlumeSources, shape: tuple[int, int]) -> F64:
    """Pixel averages of unit plumes, (source, y, x), s m-2: mass within 1e-2 of a converged reference, mostly 1e-3."""
    kernels = np.zeros((len(sources.row), *shape))
    for size in np.unique(sources.size_px):
        members = np.flatnonzero(sources.size_px == size)
        for start in range(0, len(members), _CHUNK):
            which = members[start : start + _CHUNK]
            kernels[which] = _square_plumes(sources.take(which), int(size), shape)
    return kernels


def _square_plumes(sources: PlumeSources, size: int, shape: tuple[int, int]) -> F64:
    """A square of size^2 equal points one pixel apart is one point's plume under a moving average."""
    pad = size - 1
    # the north-west point of the square, on a lattice extended by `pad` to the north and west
    row, col = sources.row + pad / 2.0, sources.col + pad / 2.0
    plumes = _point_plumes(sources, row, col, (shape[0] + pad, shape[1] + pad))
    rows = plumes[:, : shape[0]].copy()
    for i in range(1, size):
        rows += plumes[:, i : i + shape[0]]
    plumes = rows[:, :, : shape[1]].copy()
    for i in range(1, size):
        plumes += rows[:, :, i : i + shape[1]]
    plumes /= float(size * size)
    floor = _WEIGHT_MIN * plumes.max(axis=(1, 2), keepdims=True)
    plumes[plumes < floor] = 0.0
    return plumes


def _point_plumes(sources: PlumeSources, row: F64, col: F64, shape: tuple[int, int]) -> F64:
    plumes = _plumes_on(sources, row, col, 1, shape)
    side = 2 * _REFINE_RADIUS_PX + 1
    top, left = np.floor(row).astype(int) - _REFINE_RADIUS_PX, np.floor(col).astype(int) - _REFINE_RADIUS_PX
    near = _plumes_on(sources, (row - top) * _REFINE, (col - left) * _REFINE, _REFINE, (side * _REFINE, side * _REFINE))
    near = near.reshape(len(row), side, _REFINE, side, _REFINE).mean(axis=(2, 4))
    for k, (r, c) in enumerate(zip(top, left, strict=True)):
        rows, cols = slice(max(r, 0), max(r + side, 0)), slice(max(c, 0), max(c + side, 0))
        inside = plumes[k, rows, cols]
        inside[...] = near[k, rows.start - r :, cols.start - c :][: inside.shape[0], : inside.shape[1]]
    return plumes


def _plumes_on(sources: PlumeSources, row: F64, col: F64, refine: int, shape: tuple[int, int]) -> F64:
    """Plumes on a lattice of pixels `refine` times smaller, positions counted in those pixels."""
    dx, dy = sources.dx_m / refine, sources.dy_m / refine
    x = (np.arange(shape[1] + 1) - col[:, None]) * dx[:, None]
    y = (row[:, None] - np.arange(shape[0] + 1)) * dy[:, None]
    weight = _decay_integral(sources, x, y)
    z, half_phi, h = _crosswind(sources, x, y)
    along_row = _edge_integrals(weight, half_phi, z, h, axis=2)
    along_col = _edge_integrals(weight, half_phi, z, h, axis=1)
    mass = along_row[:, :-1] - along_row[:, 1:]
    mass -= along_col[:, :, :-1]
    mass += along_col[:, :, 1:]
    mass /= (np.hypot(sources.u_m_s, sources.v_m_s) * dx * dy)[:, None, None]
    return mass


def _decay_integral(sources: PlumeSources, x: F64, y: F64) -> F64:
    """Integral of exp(-s / (U tau)) from the source to every pixel corner, m; zero upwind."""
    speed = np.hypot(sources.u_m_s, sources.v_m_s)
    length = np.minimum(speed * sources.tau_s, _LENGTH_MAX_M)
    # the exponential of a sum of x and y is a product of a row and a column
    across = np.exp(-x * (sources.u_m_s / (speed * length))[:, None]) * length[:, None]
    along = np.exp(-y * (sources.v_m_s / (speed * length))[:, None])
    weight = length[:, None, None] - across[:, None, :] * along[:, :, None]
    return np.asarray(np.maximum(weight, 0.0, out=weight), np.float64)


def _crosswind(sources: PlumeSources, x: F64, y: F64) -> tuple[F32, F32, F32]:
    """At every pixel corner: z = n / sigma(s), Phi(z) - 1/2, and the latter's antiderivative in z.

    In float32: it costs 2e-5 of the mass its place and a third less time; sums over edges are exact all the same.
    """
    speed = np.hypot(sources.u_m_s, sources.v_m_s)
    cos, sin = (sources.u_m_s / speed)[:, None], (sources.v_m_s / speed)[:, None]
    slope, bend, spread = (
        value.astype(np.float32)[:, None, None]
        for value in (sources.slope, sources.bend_per_m, 2.0 * sources.diffusivity_m2_s / speed)
    )
    s = (x * cos).astype(np.float32)[:, None, :] + (y * sin).astype(np.float32)[:, :, None]
    z = (-x * sin).astype(np.float32)[:, None, :] + (y * cos).astype(np.float32)[:, :, None]
    np.maximum(s, np.float32(0.0), out=s)
    variance = s * (slope * slope)
    variance /= 1.0 + s * bend
    variance += spread
    variance *= s
    variance += np.float32(1e-6)  # a millimetre, so that a corner on the source divides by something
    z /= np.sqrt(variance, out=variance)
    np.clip(z, -_Z_MAX, _Z_MAX, out=z)
    half_phi = np.copysign(np.float32(0.5), z)
    h = np.full(z.shape, 0.5 * _Z_MAX, np.float32)
    inside = np.flatnonzero(np.abs(z) < _Z_MAX)
    z_inside = z.reshape(-1)[inside]
    half_inside = np.float32(0.5) * erf(z_inside * np.float32(np.sqrt(0.5)))
    half_phi.reshape(-1)[inside] = half_inside
    bell = np.exp(np.float32(-0.5) * z_inside * z_inside) * np.float32(1.0 / np.sqrt(2.0 * np.pi))
    h.reshape(-1)[inside] = z_inside * half_inside + bell
    return z, half_phi, h


def _edge_integrals(weight: F64, half_phi: F32, z: F32, h: F32, axis: int) -> F64:
    """Integral of (Phi - 1/2) exp(-s / length) ds over the edges between neighbouring corners on an axis."""
    first = (slice(None),) * axis + (slice(None, -1),)
    second = (slice(None),) * axis + (slice(1, None),)
    step = z[second] - z[first]
    mean = half_phi[second] + half_phi[first]
    mean *= np.float32(0.5)
    # a step below 0.03 has the mean of its ends, right to 2e-5; the quotient would lose its digits
    wide = np.flatnonzero(np.abs(step) > np.float32(0.03))
    rise = h[second] - h[first]
    mean.reshape(-1)[wide] = rise.reshape(-1)[wide] / step.reshape(-1)[wide]
    integral = weight[second] - weight[first]
    integral *= mean
    return integral

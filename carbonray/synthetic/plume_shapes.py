"""Plumes seen from above: a spine along the wind that carries spheres, roughened by eddies as large as itself.

Source: SCIENCE 4.13 (chord 2 sqrt(r^2 - n^2), self-similar puff turbulence, drift). From above one looks into the
sphere that holds most water, so that a steep plume keeps its dense core and both ends are round. Eddies live in
coordinates that count radii, so they grow with the plume. Arrays over a plume are (step,), fields (y, x) on a window
of a canvas.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.canvas import Canvas, Field, Window
from carbonray.synthetic.textures import sampled

Floats = NDArray[np.float64]
_ALONG = 192  # places along a spine at which the spheres are compared
_REACH = 1.7  # eddies reach no further, in radii


@dataclass(frozen=True)
class EddyRules:
    """Turbulence of plumes; numbers are inferred.

    Attributes:
        per_radius: cells of the eddies' texture along a radius.
        rough: how far eddies push the edge, standard deviation in radii squared.
        wander: how far the spine strays, radii.
        mixing: standard deviation of the logarithm of the dilution.
        core: how much more dilute the edge is than the core, logarithm.
    """

    per_radius: float = 12.0
    rough: float = 0.22
    wander: float = 0.30
    mixing: float = 0.22
    core: float = 0.3


@dataclass(frozen=True)
class Spine:
    """Where a plume runs.

    Attributes:
        start_m: (2,) east and north.
        direction: (2,) unit vector.
        along_m: (step,) distances of the spheres' centres along it.
        radius_m: (step,) of the spheres.
        density: (step,) of what they hold, in any unit.
    """

    start_m: Floats
    direction: Floats
    along_m: Floats
    radius_m: Floats
    density: Floats


@dataclass(frozen=True)
class Drawn:
    """A plume on a canvas.

    Attributes:
        window: cells that the fields cover.
        chord_m: (y, x) length of the vertical line inside the plume.
        step: (y, x) step of the spine whose sphere is met.
        mixing: (y, x) what eddies add to the logarithm of the dilution.
    """

    window: Window
    chord_m: Field
    step: NDArray[np.intp]
    mixing: Field


def drawn(spine: Spine, canvas: Canvas, eddies: Field, place: Floats, rules: EddyRules) -> Drawn | None:
    """A plume on the canvas, or None where it lies outside.

    Args:
        spine: where it runs.
        canvas: what it is drawn on.
        eddies: texture of the turbulence.
        place: (2,) cells of the texture that this plume begins at.
        rules: how strong the turbulence is.
    """
    reach = float(spine.radius_m.max()) * _REACH
    ends = np.stack([spine.start_m, spine.start_m + spine.along_m[-1] * spine.direction])
    window = canvas.window(*(ends.min(axis=0) - reach), *(ends.max(axis=0) + reach))
    east, north = canvas.east_m[window[1]], canvas.north_m[window[0]]
    if not (east.size and north.size):
        return None
    x, y = (east - spine.start_m[0]).astype(np.float32), (north - spine.start_m[1]).astype(np.float32)[:, None]
    ex, ey = np.float32(spine.direction[0]), np.float32(spine.direction[1])
    along, across = x * ex + y * ey, y * ex - x * ey
    table = _spheres(spine)
    found = np.clip((along - table.first) * np.float32(1.0 / table.step_m), 0, _ALONG - 1).astype(np.intp)
    step = table.place[found]
    scale = (1.0 / spine.radius_m).astype(np.float32)[step]
    age = table.eddy.astype(np.float32)[found]
    u, v = np.float32(rules.per_radius) * age, across * scale
    near = np.minimum(age, 1.0)  # the mouth is a sharp circle
    rows, cols = u + np.float32(place[0]), v * np.float32(rules.per_radius) + np.float32(place[1])
    stray = sampled(eddies, rows * 0.25, np.full_like(rows, place[1] + 97.0)) * near * np.float32(rules.wander)
    first, second = sampled(eddies, rows, cols), sampled(eddies, rows + 131.0, cols + 61.0)
    inside = table.extent[found] - (v - stray) ** 2 + np.float32(rules.rough) * near * first
    chord = 2.0 / scale * np.sqrt(np.maximum(inside, 0.0))
    mixing = near * (np.float32(rules.mixing) * second + np.float32(rules.core) * ((v - stray) ** 2 - 0.5))
    return Drawn(window, chord, step, mixing)


@dataclass(frozen=True)
class _Spheres:
    """Tables along a spine: which sphere holds most above a place, and how far it reaches, in its own radii squared."""

    first: float
    step_m: float
    place: NDArray[np.intp]
    extent: Field
    eddy: Floats  # radii travelled from the start


def _spheres(spine: Spine) -> _Spheres:
    radius, centre = spine.radius_m, spine.along_m
    first, last = -_REACH * float(radius.max()), float(centre[-1] + _REACH * radius.max())
    along = np.linspace(first, last, _ALONG)
    reach = radius**2 - (along[:, None] - centre) ** 2
    held = spine.density * np.sqrt(np.maximum(reach, 0.0))
    # beyond all spheres the nearest one, whose edge the eddies may still carry there
    place = np.where(held.max(axis=1) > 0, held.argmax(axis=1), reach.argmax(axis=1))
    extent = np.take_along_axis(reach, place[:, None], axis=1)[:, 0] / radius[place] ** 2
    eddy = np.cumsum((along[1] - along[0]) / radius[place])
    eddy = np.maximum(eddy - np.interp(0.0, along, eddy), 0.0)
    return _Spheres(first, (last - first) / (_ALONG - 1), place, extent.astype(np.float32), eddy)

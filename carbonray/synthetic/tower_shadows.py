"""Shadows of towers and stacks on the ground.

Source: geometry; SCIENCE 4.13 has shadows displaced by height x tan(zenith angle). Fields are (y, x) on a canvas.
"""

import numpy as np

from carbonray.science.power.radiometry import shadow_shift_m
from carbonray.synthetic.canvas import Canvas, Field
from carbonray.synthetic.vapor_plumes import Structures, Sun

_WAIST = 0.85  # a tower is narrower below its mouth (inferred)


def tower_shade(structures: Structures, sun: Sun, canvas: Canvas) -> Field:
    """Share of the sun's direct light that structures take: 1 inside a shadow, with an edge as wide as a cell."""
    shade = np.zeros(canvas.shape, np.float32)
    for east, north, height, mouth in zip(
        structures.east_m, structures.north_m, structures.height_m, structures.mouth_m, strict=True
    ):
        shift = np.array(shadow_shift_m(height, sun.elevation_deg, sun.azimuth_deg))
        foot, radius = np.array([east, north]), _WAIST * mouth
        ends, reach = np.stack([foot, foot + shift]), radius + canvas.step_m
        window = canvas.window(*(ends.min(axis=0) - reach), *(ends.max(axis=0) + reach))
        x = canvas.east_m[window[1]] - np.float32(east)
        y = (canvas.north_m[window[0]] - np.float32(north))[:, None]
        along = np.clip((x * shift[0] + y * shift[1]) / max(float(shift @ shift), 1e-6), 0.0, 1.0)
        away = np.hypot(x - along * shift[0], y - along * shift[1])
        inside = np.clip((radius - away) / canvas.step_m + 0.5, 0.0, 1.0)
        np.maximum(shade[window], inside, out=shade[window])
    return shade

"""Transport of the training generator G1: one steady wind a scene, Gaussian column plumes.

Source: SCIENCE 3.7 and 3.10. Arrays are (scene, y, x), row 0 north, columns in umol m-2.
"""

import numpy as np
from numpy.typing import NDArray

from carbonray.science.no2.dispersion import umol_m2_from_kg_m2
from carbonray.science.no2.plume_pixels import PlumeSources, pixel_plumes
from carbonray.science.no2.scene_sources import PIXEL_NORTH_M, SCENE_PX, InflowSources, Sources, Transported
from carbonray.science.no2.scene_weather import Weather
from carbonray.science.no2.variates import F32, F64


def steady_transport(weather: Weather, sources: Sources, inflow: InflowSources, dx_m: F64) -> Transported:
    """Columns of all sources in their scene's wind, and the wind as reported, the same all over a tile."""
    scene, slot = np.nonzero(sources.size_px)
    row, col, q = sources.row[scene, slot], sources.col[scene, slot], sources.q_kg_s[scene, slot]
    labelled = _summed_plumes(weather, scene, row, col, q, sources.size_px[scene, slot].astype(np.int64), dx_m)
    scene = np.flatnonzero(inflow.q_kg_s)
    row, col, q = inflow.row[scene], inflow.col[scene], inflow.q_kg_s[scene]
    outside = _summed_plumes(weather, scene, row, col, q, np.ones(len(scene), np.int64), dx_m)
    shape = (len(dx_m), SCENE_PX, SCENE_PX)
    u, v = (w.astype(np.float32)[:, None, None] for w in (weather.reported_u_m_s, weather.reported_v_m_s))
    return Transported(sources, labelled, outside, np.broadcast_to(u, shape), np.broadcast_to(v, shape))


def _summed_plumes(
    weather: Weather, scene: NDArray[np.int64], row: F64, col: F64, q_kg_s: F64, size_px: NDArray[np.int64], dx_m: F64
) -> F32:
    """Columns of sources given with the scene each belongs to."""
    kernels = pixel_plumes(
        PlumeSources(
            row=row,
            col=col,
            u_m_s=weather.u_m_s[scene],
            v_m_s=weather.v_m_s[scene],
            tau_s=3600.0 * weather.tau_h[scene],
            slope=weather.slope[scene],
            bend_per_m=weather.bend_per_m[scene],
            diffusivity_m2_s=weather.diffusivity_m2_s[scene],
            dx_m=dx_m[scene],
            dy_m=np.full(len(scene), PIXEL_NORTH_M),
            size_px=size_px,
        ),
        (SCENE_PX, SCENE_PX),
    )
    total = np.zeros((len(dx_m), SCENE_PX, SCENE_PX), np.float32)
    for k, scale in enumerate(umol_m2_from_kg_m2(q_kg_s)):
        total[scene[k]] += kernels[k] * np.float32(scale)
    return total

"""Noise-free plumes on a regular grid, exactly averaged over pixels, with everything about them known."""

from collections.abc import Iterator

import numpy as np

from carbonray.science.no2.dispersion import sigma_y_shape, umol_m2_from_kg_m2
from carbonray.science.no2.plume_pixels import PlumeSources, pixel_plumes
from carbonray.science.no2.quantify import PlumeView


def plume_view(
    *,
    q_kg_s: float = 1.0,
    wind: tuple[float, float] = (5.0, 0.0),
    lifetime_s: float = 4 * 3600.0,
    stability: str = "C",
    position_px: tuple[float, float] = (32.3, 31.6),
    pixel_m: float = 5000.0,
    side_px: int = 64,
    background_umol_m2: float = 0.0,
) -> PlumeView:
    """One source at (row, col) pixels from the north-west corner; the origin of x and y is that corner."""
    slope, bend_per_m = sigma_y_shape(stability)
    one = {
        "row": position_px[0], "col": position_px[1], "u_m_s": wind[0], "v_m_s": wind[1], "tau_s": lifetime_s,
        "slope": slope, "bend_per_m": bend_per_m, "diffusivity_m2_s": 0.0, "dx_m": pixel_m, "dy_m": pixel_m,
    }  # fmt: skip
    sources = PlumeSources(
        **{name: np.atleast_1d(np.float64(value)) for name, value in one.items()}, size_px=np.array([1])
    )
    column = umol_m2_from_kg_m2(q_kg_s * pixel_plumes(sources, (side_px, side_px))[0]) + background_umol_m2
    centres = (np.arange(side_px) + 0.5) * pixel_m
    x, y = np.meshgrid(centres, -centres)
    return PlumeView(
        column, x, y, *wind, lifetime_s, position_px[1] * pixel_m, -position_px[0] * pixel_m, nox_over_no2=1.0
    )


def random_views(n: int, seed: int) -> Iterator[tuple[float, str, PlumeView]]:
    """The random scenes of SCIENCE 3.9: 64 x 64 at 5 km, classes B to D; emission, class and view."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        speed = float(np.clip(rng.weibull(2.0) * 5.0 / 0.886, 1.0, 15.0))
        turn = rng.uniform(0.0, 2.0 * np.pi)
        q, stability = float(np.exp(rng.uniform(np.log(0.01), np.log(3.0)))), str(rng.choice(list("BCD")))
        position = rng.uniform(20.0, 44.0, 2)
        yield (
            q,
            stability,
            plume_view(
                q_kg_s=q,
                wind=(speed * np.cos(turn), speed * np.sin(turn)),
                lifetime_s=rng.uniform(2.0, 8.0) * 3600.0,
                stability=stability,
                position_px=(position[0], position[1]),
            ),
        )

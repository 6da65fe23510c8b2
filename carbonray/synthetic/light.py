"""From ground, vapor and sky to what reaches an imager: reflectance at the top of the atmosphere, or radiance of heat.

Source: SCIENCE 4.13, radiometry. Fields are (y, x) on the pixels of a region, stacks (band, y, x). Below the pixel
only the clouds' reflectance varies: its mean and the mean of its square are kept, which is what adding over ground
needs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.power.radiometry import (
    KELVIN,
    AtmosphereRules,
    cloud_reflectance,
    diffuse_share,
    droplet_factor,
    emissivity,
    gas_transmission,
    over_ground,
    path_reflectance,
    scattering_transmission,
    thermal_radiance,
    thermal_transmission,
)
from carbonray.synthetic.canvas import Canvas, Field
from carbonray.synthetic.confusers import Sky
from carbonray.synthetic.vapor_plumes import Air, Sun, VaporFields
from carbonray.vocab.sensors import Imager

Floats = NDArray[np.float64]

_CLOUD_COLDER_C, _CIRRUS_COLDER_C = 8.0, 55.0  # than the air at 2 m (inferred)
_CIRRUS_ICE = 0.8  # reflectance of ice at 1375 nm over that of droplets that absorb nothing (inferred)
_SMOKE_NM, _SMOKE_GREY = (400.0, 700.0, 1000.0, 2200.0), (0.20, 0.17, 0.12, 0.02)  # of thick smoke (inferred)


@dataclass(frozen=True)
class Clouding:
    """Water above the ground, as pixels see it.

    Attributes:
        mean, square: mean of the clouds' reflectance, and of its square.
        depth: optical depth.
        direct: share of the sun's direct light that arrives on the ground.
        temperature_c: of the vapor.
        share: of the depth that is vapor of structures or vents.
    """

    mean: Field
    square: Field
    depth: Field
    direct: Field
    temperature_c: Field
    share: Field


def clouding(vapor: VaporFields, sky: Sky, tower_shade: Field, canvas: Canvas, sun: Sun) -> Clouding:
    """Vapor and clouds brought from the canvas to pixels; vapor is shaded by its own form."""
    cloud, shadow = (_widened(field, canvas.cells) for field in (sky.cloud, sky.shadow))
    depth = vapor.depth + cloud
    reflected = (cloud_reflectance(depth) * _shading(vapor, canvas, sun)).astype(np.float32)
    direct = (1.0 - cloud_reflectance(vapor.shadow_depth + shadow)) * (1.0 - tower_shade)
    stack = np.stack([reflected, reflected**2, depth, direct, vapor.temperature_c, vapor.depth])
    mean, square, deep, lit, warm, own = canvas.pixels(stack.astype(np.float32, copy=False))
    share = np.divide(own, deep, out=np.zeros_like(own), where=deep > 0)
    return Clouding(mean, square, deep, lit, warm, share)


def reflected_light(
    ground: Field, centre_nm: Floats, water: Clouding, sky: Sky, sun: Sun, water_cm: float, rules: AtmosphereRules
) -> Field:
    """(band, y, x) reflectance at the top of the atmosphere.

    Args:
        ground: (band, y, x) reflectance of the surface.
        centre_nm: (band,) wavelengths.
        water: vapor and clouds.
        sky: the rest.
        sun: where it stands.
        water_cm: water vapor in the column.
        rules: of the atmosphere.
    """
    high = sun.elevation_deg
    diffuse = _column(diffuse_share(centre_nm, sky.haze, rules))
    lit = ground * (diffuse + (1.0 - diffuse) * water.direct)
    factor = _column(droplet_factor(centre_nm))
    passed = 1.0 - factor * (2.0 * water.mean - factor * water.square)
    light = factor * water.mean + passed * lit / (1.0 - factor * water.mean * lit)
    if sky.smoke.any():
        kept = np.exp(-0.5 * sky.smoke * _column((centre_nm / 550.0) ** -1.3))
        light = light * kept + _column(np.interp(centre_nm, _SMOKE_NM, _SMOKE_GREY)) * (1.0 - kept)
    through, gas = (_column(part) for part in (scattering_transmission(centre_nm, sky.haze, high, rules),
                                               gas_transmission(centre_nm, water_cm, high)))  # fmt: skip
    seen = gas * (_column(path_reflectance(centre_nm, sky.haze, high, rules)) + through * light)
    if sky.cirrus.any():
        ice = _column(np.where((centre_nm > 1300) & (centre_nm < 1450), _CIRRUS_ICE, droplet_factor(centre_nm)))
        seen = over_ground(ice * cloud_reflectance(sky.cirrus), seen)
    return np.asarray(seen, np.float32)


def emitted_heat(
    warmth_c: Field, k1: Floats, k2: Floats, centre_nm: Floats, water: Clouding, sky: Sky, air: Air, water_cm: float,
    rules: AtmosphereRules,
) -> Field:  # fmt: skip
    """(band, y, x) radiance of thermal bands at the top of the atmosphere; `warmth_c` is the ground's excess."""
    ground_k = (KELVIN + air.temperature_c + warmth_c * water.direct).astype(np.float32)
    cloud_c = water.share * water.temperature_c + (1.0 - water.share) * (air.temperature_c - _CLOUD_COLDER_C)
    opaque, ice = emissivity(water.depth), emissivity(sky.cirrus)
    first, second, air_k = _column(k1), _column(k2), KELVIN + air.temperature_c

    def glow(kelvin: ArrayLike) -> Field:
        return np.asarray(thermal_radiance(np.asarray(kelvin, np.float32), first, second), np.float32)

    surface = glow(ground_k) * (1.0 - opaque) + glow(KELVIN + cloud_c) * opaque
    kept = _column(thermal_transmission(centre_nm, water_cm, rules))
    seen = kept * surface + (1.0 - kept) * glow(air_k - rules.thermal_air_c)
    return np.asarray(seen * (1.0 - ice) + glow(air_k - _CIRRUS_COLDER_C) * ice, np.float32)


def thermal_bands(imager: Imager) -> NDArray[np.bool_]:
    """(band,) which bands measure emitted heat."""
    return np.array([band.thermal for band in imager.bands])


def _widened(field: Field, cells: int) -> Field:
    """A field of pixels on the canvas's cells."""
    return np.repeat(np.repeat(field, cells, axis=0), cells, axis=1) if cells > 1 else field


def _shading(vapor: VaporFields, canvas: Canvas, sun: Sun) -> Field:
    """Brightness of the sides of plumes over that of their tops: they are towers of cloud, not sheets."""
    factor = np.ones(canvas.shape, np.float32)
    rows, cols = (np.flatnonzero(vapor.top_m.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return factor
    box = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
    top = canvas.blurred(vapor.top_m[box], 6.0 / canvas.grid.pixel_m)
    if min(top.shape) < 2:
        return factor
    south, east = np.gradient(top, canvas.step_m)
    azimuth = np.radians(sun.azimuth_deg)
    toward = east * np.sin(azimuth) - south * np.cos(azimuth)
    slope = np.sqrt(1.0 + east**2 + south**2)
    # the side away from the sun is lit by the sky and by light from within the plume
    lit = (1.0 - toward / np.tan(np.radians(max(sun.elevation_deg, 35.0)))) / slope
    factor[box] = np.clip(0.62 + 0.38 * lit, 0.60, 1.12)
    return factor


def _column(values: Floats) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)[:, None, None]

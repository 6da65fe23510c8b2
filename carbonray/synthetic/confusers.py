"""What can be mistaken for vapor, or hides it: cumulus and its shadow, cirrus, fog, haze, smoke, steam of other vents.

Source: SCIENCE 4.13, confusers; numbers are inferred. Fields are (y, x) on a canvas of pixels; optical depths are
vertical, at 550 nm. Everything is drawn from the image's own generator and the weather of the moment.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from carbonray.science.power.radiometry import shadow_shift_m
from carbonray.synthetic.canvas import Canvas, Field
from carbonray.synthetic.plume_shapes import EddyRules, Spine, drawn
from carbonray.synthetic.textures import sampled
from carbonray.synthetic.vapor_plumes import Air, Structures, Sun
from carbonray.vocab.plants import FGD

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ConfuserRules:
    """How often and how strongly the sky and the neighbours interfere; numbers are inferred.

    Attributes:
        cloud_cell_m: cell of the clouds' texture: half a cloud field is 256 cells.
        cloud_depth: optical depth that a cumulus gains with each standard deviation of the texture.
        cloud_base_m: height of the base, least and most.
        cirrus_share: images with cirrus under a clear sky; more under clouds.
        cirrus_depth: optical depth of its thickest parts, least and most.
        fog_humidity_pct, fog_wind_m_s: fog forms above and below these.
        fog_share: in how many of such moments.
        fog_depth: least and most.
        haze_depth: median aerosol optical depth in dry air.
        haze_humid: what the fourth power of the relative humidity adds.
        haze_spread: standard deviation of its logarithm.
        smoke_share: images with smoke.
        smoke_depth: least and most.
        vents: most unrelated vents of steam near a plant.
        vent_share: part of the time that a vent blows.
        vent_radius_m: least and most.
    """

    cloud_cell_m: float = 12.0
    cloud_depth: float = 14.0
    cloud_base_m: tuple[float, float] = (700.0, 1800.0)
    cirrus_share: float = 0.15
    cirrus_depth: tuple[float, float] = (0.05, 0.8)
    fog_humidity_pct: float = 93.0
    fog_wind_m_s: float = 2.5
    fog_share: float = 0.5
    fog_depth: tuple[float, float] = (0.5, 10.0)
    haze_depth: float = 0.07
    haze_humid: float = 0.12
    haze_spread: float = 0.45
    smoke_share: float = 0.04
    smoke_depth: tuple[float, float] = (0.3, 2.0)
    vents: int = 2
    vent_share: float = 0.6
    vent_radius_m: tuple[float, float] = (0.8, 2.0)


@dataclass(frozen=True)
class Sky:
    """What stands between a clear ground and the imager.

    Attributes:
        haze: aerosol optical depth.
        cloud: (y, x) optical depth of water clouds and fog.
        shadow: (y, x) optical depth of clouds between ground and sun.
        cirrus: (y, x) optical depth of ice clouds.
        smoke: (y, x) optical depth of smoke.
    """

    haze: float
    cloud: Field
    shadow: Field
    cirrus: Field
    smoke: Field


def clear_sky(canvas: Canvas, haze: float) -> Sky:
    """No confusers: the haze of dry air and nothing else (tier T0)."""
    nothing = np.zeros(canvas.shape, np.float32)
    return Sky(haze, nothing, nothing, nothing, nothing)


def sky_of(
    rules: ConfuserRules, canvas: Canvas, air: Air, cloud_cover: float, sun: Sun, clouds: Field, eddies: Field,
    rng: np.random.Generator,
) -> Sky:  # fmt: skip
    """The sky of an image.

    Args:
        rules: how often and how strongly.
        canvas: of pixels.
        air: weather.
        cloud_cover: fraction of the sky.
        sun: for the clouds' shadows.
        clouds, eddies: textures.
        rng: the image's generator for the sky.
    """
    place, chance, amount = rng.uniform(0.0, 512.0, (4, 2)), rng.random(5), rng.random(5)
    humid = rules.haze_humid * (air.relative_humidity_pct / 100.0) ** 4
    haze = float((rules.haze_depth + humid) * np.exp(rules.haze_spread * ndtri(0.02 + 0.96 * amount[0])))
    base_m = _between(rules.cloud_base_m, amount[1])
    away = shadow_shift_m(base_m, sun.elevation_deg, sun.azimuth_deg)
    cloud = _cumulus(rules, canvas, clouds, place[0], cloud_cover, (0.0, 0.0))
    shadow = _cumulus(rules, canvas, clouds, place[0], cloud_cover, (float(away[0]), float(away[1])))
    foggy = air.relative_humidity_pct > rules.fog_humidity_pct and np.hypot(air.wind_u_m_s, air.wind_v_m_s) < (
        rules.fog_wind_m_s
    )
    if foggy and chance[0] < rules.fog_share:
        cloud = cloud + _between(rules.fog_depth, amount[2] ** 2) * _veil(canvas, clouds, place[1], 60.0, 0.5)
    cirrus = np.zeros(canvas.shape, np.float32)
    if chance[1] < rules.cirrus_share + 0.4 * cloud_cover:
        cirrus = _between(rules.cirrus_depth, amount[3] ** 2) * _veil(canvas, clouds, place[2], 40.0, 1.0)
    smoke = np.zeros(canvas.shape, np.float32)
    if chance[2] < rules.smoke_share:
        smoke = _smoke(canvas, air, eddies, place[3], _between(rules.smoke_depth, amount[4]), rng)
    return Sky(haze, cloud, shadow, cirrus, smoke)


def vents_of(rules: ConfuserRules, reach_m: float, rng: np.random.Generator) -> Structures | None:
    """Vents of steam that have nothing to do with the plant's power, fixed for ever; None where there are none."""
    count = int(rng.integers(rules.vents + 1))
    if not count:
        return None
    east, north = rng.uniform(-reach_m, reach_m, (2, count))
    return Structures(
        (FGD,) * count, east, north, rng.uniform(15.0, 45.0, count), rng.uniform(*rules.vent_radius_m, count),
        rng.uniform(6.0, 14.0, count), rng.uniform(45.0, 65.0, count), np.full(count, 2e-4), np.ones(count, bool),
    )  # fmt: skip


def _cumulus(
    rules: ConfuserRules, canvas: Canvas, clouds: Field, place: Floats, cover: float, shift: tuple[float, float]
) -> Field:
    """Optical depth of broken clouds that cover a fraction of the sky, as they stand over, or shade, the ground."""
    if cover < 0.01:
        return np.zeros(canvas.shape, np.float32)
    rows = (place[0] - (canvas.north_m - np.float32(shift[1])) / rules.cloud_cell_m)[:, None]
    cols = (place[1] + (canvas.east_m - np.float32(shift[0])) / rules.cloud_cell_m)[None, :]
    excess = sampled(clouds, rows, cols) - np.float32(ndtri(1.0 - min(cover, 0.995)))
    return np.asarray(rules.cloud_depth * np.maximum(excess, 0.0), np.float32)


def _veil(canvas: Canvas, clouds: Field, place: Floats, cell_m: float, contrast: float) -> Field:
    """A smooth factor about 1, larger than the region."""
    rows, cols = place[0] - canvas.north_m[:, None] / cell_m, place[1] + canvas.east_m[None, :] / cell_m
    return np.asarray(np.clip(1.0 + contrast * sampled(clouds, rows, cols), 0.0, 3.0), np.float32)


def _smoke(canvas: Canvas, air: Air, eddies: Field, place: Floats, depth: float, rng: np.random.Generator) -> Field:
    """Smoke of a fire somewhere in the region: it widens down the wind and thins out."""
    speed = max(float(np.hypot(air.wind_u_m_s, air.wind_v_m_s)), 0.5)
    direction = np.array([air.wind_u_m_s, air.wind_v_m_s]) / speed
    start = np.array([rng.choice(canvas.east_m), rng.choice(canvas.north_m)], np.float64)
    along = np.linspace(0.0, 1500.0, 40)
    spine = Spine(start, direction, along, 6.0 + 0.08 * along, np.ones(along.size))
    field = np.zeros(canvas.shape, np.float32)
    shape = drawn(spine, canvas, eddies, place, EddyRules(wander=0.8, rough=0.6))
    if shape is not None:
        thinned = (6.0 / spine.radius_m).astype(np.float32)[shape.step] ** 0.7 / (2 * spine.radius_m[shape.step])
        field[shape.window] = depth * thinned * shape.chord_m * np.exp(-shape.mixing)
    return field


def _between(limits: tuple[float, float], share: float) -> float:
    return float(limits[0] + share * (limits[1] - limits[0]))

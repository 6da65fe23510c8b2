"""The ground around a plant: fields, water, roads and the works, fixed for ever, under seasons and snow.

Source: SCIENCE 4.13, background (bare, grass with an NDVI season, water, white roofs, tanks and concrete, tower rims);
numbers are inferred. A scene is geometry in metres east and north of the plant's middle, so that every imager sees the
same one. On a canvas it becomes (cover, y, x) brightness-weighted shares of the pixels; what they reflect is then a
product of two matrices, whatever the day.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from carbonray.synthetic.canvas import Canvas, Field
from carbonray.synthetic.spectra import MATERIALS, heat_c, reflectance, snow_hold
from carbonray.synthetic.textures import sampled, texture
from carbonray.synthetic.works import Shape, painted, works

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cover:
    """A kind of ground: `green` for a share of the year, `bare` for the rest.

    Attributes:
        green, bare: keys of `spectra.MATERIALS`.
        least, gain: share of green out of season, and what the season adds.
        peak_day: day of the year of the most green, north of the equator.
        sharpness: a higher one makes a shorter season.
    """

    green: str
    bare: str
    least: float = 1.0
    gain: float = 0.0
    peak_day: float = 0.0
    sharpness: float = 1.0


COVERS: MappingProxyType[str, Cover] = MappingProxyType(
    {
        "winter_crop": Cover("leaves", "soil", 0.08, 0.80, 128.0, 1.6),
        "summer_crop": Cover("leaves", "soil", 0.06, 0.85, 212.0, 1.8),
        "pasture": Cover("leaves", "straw", 0.30, 0.45, 150.0, 0.8),
        "woods": Cover("trees", "straw", 0.55, 0.45, 190.0, 0.6),
        **{name: Cover(name, name) for name in MATERIALS if name not in ("leaves", "straw", "trees", "snow")},
    }
)
_KEYS = tuple(COVERS)


@dataclass(frozen=True)
class BackgroundRules:
    """What surrounds plants; numbers are inferred.

    Attributes:
        reach_m: the scene is drawn so far from the plant's middle.
        parcel_m: distance between the middles of fields.
        land: cover -> share of the fields, around a plant of T0 or T1.
        shifted_land: the same in the shift tier T2: drier, brighter.
        field_spread: standard deviation of the logarithm of a field's brightness.
        grain, grain_slope: and of the texture within fields; its power falls with the wavenumber to minus this.
        water_share: plants with a river or a lake.
        white_share: of the buildings, those with white roofs and tanks.
    """

    reach_m: float = 2600.0
    parcel_m: float = 240.0
    land: tuple[tuple[str, float], ...] = (
        ("winter_crop", 0.18), ("summer_crop", 0.18), ("pasture", 0.24), ("woods", 0.36), ("soil", 0.04),
    )  # fmt: skip
    shifted_land: tuple[tuple[str, float], ...] = (
        ("winter_crop", 0.12), ("summer_crop", 0.10), ("pasture", 0.18), ("woods", 0.05), ("soil", 0.25),
        ("sand", 0.30),
    )  # fmt: skip
    field_spread: float = 0.16
    grain: float = 0.17
    grain_slope: float = 1.7
    water_share: float = 0.7
    white_share: float = 0.4


@dataclass(frozen=True)
class Scene:
    """The geometry of one plant's surroundings.

    Attributes:
        middles_m: (field, 2) east and north of the fields' middles.
        cover, brightness: (field,) key index in `COVERS`, and factor.
        shapes: what is painted over the fields, in order.
        grain: texture of the ground.
        grain_sd: its strength.
    """

    middles_m: Floats
    cover: NDArray[np.int8]
    brightness: Floats
    shapes: tuple[Shape, ...]
    grain: Field
    grain_sd: float


@dataclass(frozen=True)
class Season:
    """The state of the ground on one day.

    Attributes:
        day: of the year, turned by half a year south of the equator.
        snow: depth in units that hide 63 % of bare ground.
        vigour: factor on the green of fields.
    """

    day: float
    snow: float
    vigour: float


def scene_of(
    rules: BackgroundRules, towers: Floats, rims_m: Floats, tier: str, *, confusers: bool, rng: np.random.Generator
) -> Scene:
    """The surroundings of a plant.

    Args:
        rules: what surrounds plants.
        towers: (structure, 2) east and north of the structures, m.
        rims_m: (structure,) radii of their mouths.
        tier: data tier; T2 has other land.
        confusers: whether there are white roofs and tanks.
        rng: the plant's generator for its scene.
    """
    land_rng, works_rng, grain_rng = rng.spawn(3)
    land = rules.shifted_land if tier.endswith("T2") else rules.land
    steps = np.arange(-rules.reach_m, rules.reach_m, rules.parcel_m)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    grid = grid + land_rng.uniform(-0.42, 0.42, grid.shape) * rules.parcel_m
    turn = land_rng.uniform(0, np.pi)
    middles = grid @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shares = np.array([share for _, share in land])
    drawn = land_rng.choice(len(land), len(middles), p=shares / shares.sum())
    cover = np.array([_KEYS.index(name) for name, _ in land], np.int8)[drawn]
    brightness = np.exp(rules.field_spread * land_rng.standard_normal(len(middles)))
    shapes = works(towers, rims_m, rules.water_share, rules.white_share if confusers else 0.0, works_rng)
    return Scene(middles, cover, brightness, shapes, texture(grain_rng, rules.grain_slope, 512), rules.grain)


def ground_cover(scene: Scene, canvas: Canvas, spread_px: float) -> Field:
    """(cover, y, x) shares of the pixels, each times its brightness, under the imager's point spread."""
    east, north = np.meshgrid(canvas.east_m, canvas.north_m)
    _, nearest = cKDTree(scene.middles_m).query(np.stack([east, north], axis=-1).reshape(-1, 2))
    label = scene.cover[nearest].reshape(canvas.shape)
    bright = scene.brightness[nearest].reshape(canvas.shape).astype(np.float32)
    painted(scene.shapes, east, north, label, bright, _KEYS)
    bright *= np.exp(np.float32(scene.grain_sd) * sampled(scene.grain, north / 4.0, east / 4.0))
    shares = np.zeros((len(_KEYS), canvas.grid.rows, canvas.grid.cols), np.float32)
    for place in np.unique(label):
        shares[place] = canvas.pixels(canvas.blurred(np.where(label == place, bright, 0.0), spread_px))
    return shares


def cover_reflectance(wavelength_nm: Floats, season: Season) -> Field:
    """(band, cover) reflectance of the covers on a day."""
    mixed = _mixing(season) @ reflectance(wavelength_nm)
    return np.asarray(mixed.T, np.float32)


def cover_heat_c(season: Season) -> Floats:
    """(cover,) degrees above the air in full sun; snow keeps ground near the air's temperature."""
    return _mixing(season) @ heat_c()


def snow_depth(temperature_c: Floats, cloud_cover: Floats) -> Floats:
    """(hour,) snow on the ground from hourly weather: it falls from thick cloud in frost and melts in warmth.

    A store that never falls below nothing is the running sum above its running minimum.
    """
    falls = 0.05 * (temperature_c < 0.0) * (cloud_cover > 0.85)
    melts = 0.02 * np.maximum(temperature_c, 0.0) + 0.0008
    total = np.cumsum(falls - melts)
    return np.asarray(total - np.minimum(np.minimum.accumulate(total), 0.0), np.float64)


def season_at(time_utc_ns: int, lat: float, snow: float, vigour: float) -> Season:
    """The season of a moment at a latitude."""
    day = (time_utc_ns / 86_400e9) % 365.2425
    return Season(day if lat >= 0 else (day + 182.6) % 365.2425, snow, vigour)


def _mixing(season: Season) -> Floats:
    """(cover, material) shares of the materials on a day."""
    shares = np.zeros((len(_KEYS), len(MATERIALS)))
    hold = snow_hold() * -np.expm1(-season.snow)
    for place, cover in enumerate(COVERS.values()):
        wave = (0.5 + 0.5 * np.cos(2 * np.pi * (season.day - cover.peak_day) / 365.2425)) ** (2 * cover.sharpness)
        green = np.clip((cover.least + cover.gain * wave) * (season.vigour if cover.gain else 1.0), 0.0, 1.0)
        for name, share in ((cover.green, green), (cover.bare, 1.0 - green)):
            material = MATERIALS.index(name)
            shares[place, material] += share * (1.0 - hold[material])
            shares[place, MATERIALS.index("snow")] += share * hold[material]
    return shares

"""The vapor of a plant's structures in one image: optical depth, heat, shadow, and what was truly there.

Source: SCIENCE 4.13; physics in `science.power.vapor` and `science.power.radiometry`. Arrays of states are
(structure,), fields (y, x) on a canvas. The exhaust follows the load; with `independent` loads, given in its place, the
pictures say nothing of it (negative control).
"""

import dataclasses
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carbonray.science.power.radiometry import optical_depth, shadow_shift_m, water_path_kg_m2
from carbonray.science.power.vapor import (
    Parcel,
    PlumePath,
    VaporRules,
    ambient_air,
    exit_speed_m_s,
    flue_gas,
    mixture,
    plume_path,
    tower_air,
)
from carbonray.synthetic.canvas import Canvas, Field
from carbonray.synthetic.plume_shapes import Drawn, EddyRules, Spine, drawn
from carbonray.vocab.plants import FGD, NDT

Floats = NDArray[np.float64]

_MOST_DILUTE = 3.5  # of the table of condensate, as a factor on the visible dilution
_TABLE = 96
_SEEN_DEPTH = 0.2  # optical depth from which a cell counts as covered by vapor


@dataclass(frozen=True)
class Structures:
    """A plant's structures as they are drawn: (structure,) each.

    Attributes:
        kind: NDT or FGD.
        east_m, north_m: from the plant's middle.
        height_m, mouth_m: height and radius of the mouth.
        full_speed_m_s: exit speed at full load.
        exit_c: temperature of the flue gas; unused by towers.
        liquid: droplets at the mouth, kg/kg.
        emits_vapor: False where the label is wrong.
    """

    kind: tuple[str, ...]
    east_m: Floats
    north_m: Floats
    height_m: Floats
    mouth_m: Floats
    full_speed_m_s: Floats
    exit_c: Floats
    liquid: Floats
    emits_vapor: NDArray[np.bool_]


@dataclass(frozen=True)
class Air:
    """Weather at a moment: temperature, humidity, wind toward east and north at 10 m."""

    temperature_c: float
    relative_humidity_pct: float
    wind_u_m_s: float
    wind_v_m_s: float


@dataclass(frozen=True)
class Sun:
    """Where the sun stands, degrees."""

    elevation_deg: float
    azimuth_deg: float


@dataclass(frozen=True)
class PlumeRules:
    """How vapor is drawn.

    Attributes:
        vapor: the physics.
        eddies: the turbulence.
        effective_radius_um: of the droplets, drawn once an image (SCIENCE 4.13).
        least_on: a structure with a lower load is off.
    """

    vapor: VaporRules = field(default_factory=VaporRules)
    eddies: EddyRules = field(default_factory=EddyRules)
    effective_radius_um: tuple[float, float] = (5.0, 10.0)
    least_on: float = 0.01


@dataclass(frozen=True)
class PlumeTruth:
    """What was truly there of one structure's vapor, within the region.

    Attributes:
        drawn_load: load that the plume was drawn with.
        vapor_m2: area covered by vapor of an optical depth above 0.2.
        vapor_depth_max: largest optical depth.
        plume_length_m: visible length downwind by the mixing law.
        visible_dilution: of the same law.
    """

    drawn_load: float
    vapor_m2: float
    vapor_depth_max: float
    plume_length_m: float
    visible_dilution: float


@dataclass(frozen=True)
class VaporFields:
    """All vapor of an image: optical depth, its top above the mouth (m), temperature (degC), depth over the shadows."""

    depth: Field
    top_m: Field
    temperature_c: Field
    shadow_depth: Field
    truth: tuple[PlumeTruth, ...]


def vapor_fields(
    structures: Structures, load: Floats, air: Air, sun: Sun, canvas: Canvas, eddies: Field, rules: PlumeRules,
    rng: np.random.Generator,
) -> VaporFields:  # fmt: skip
    """The vapor of all structures at their loads.

    Args:
        structures: towers and stacks.
        load: (structure,) power over capacity behind each.
        air: weather.
        sun: for the shadows.
        canvas: what is drawn on.
        eddies: texture of the turbulence.
        rules: physics and turbulence.
        rng: the image's generator for plumes.
    """
    depth, top_m, shadow = (np.zeros(canvas.shape, np.float32) for _ in range(3))
    fields = VaporFields(depth, top_m, np.full(canvas.shape, air.temperature_c, np.float32), shadow, ())
    radius_m = 1e-6 * rng.uniform(*rules.effective_radius_um)
    places = rng.uniform(0.0, 256.0, (len(structures.kind), 2))
    around = ambient_air(air.temperature_c, air.relative_humidity_pct)
    truth = []
    for k, (kind, place) in enumerate(zip(structures.kind, places, strict=True)):
        if load[k] < rules.least_on or not structures.emits_vapor[k]:
            truth.append(PlumeTruth(float(load[k]), 0.0, 0.0, 0.0, 1.0))
            continue
        exhaust = exhaust_of(structures, k, float(load[k]), around, rules.vapor)
        wind = np.hypot(air.wind_u_m_s, air.wind_v_m_s)
        speed = exit_speed_m_s(kind, structures.full_speed_m_s[k], load[k], rules.vapor)
        path = plume_path(exhaust, around, speed, structures.mouth_m[k], wind, rules.vapor)
        liquid = _Liquid(exhaust, around, path)
        area, deepest = _add(fields, structures, k, path, liquid, air, sun, canvas, eddies, place, radius_m, rules)
        truth.append(PlumeTruth(float(load[k]), area, deepest, float(path.length_m), float(path.visible_dilution)))
    return dataclasses.replace(fields, truth=tuple(truth))


def exhaust_of(structures: Structures, k: int, load: float, around: Parcel, rules: VaporRules) -> Parcel:
    """What leaves structure k at a load."""
    if structures.kind[k] == FGD:
        return flue_gas(structures.exit_c[k], structures.liquid[k])
    return tower_air(around, load, structures.liquid[k], rules)


def structures_of(
    kind: tuple[str, ...], east_m: Floats, north_m: Floats, height_m: Floats, mouth_m: Floats,
    emits_vapor: NDArray[np.bool_], rules: VaporRules, rng: np.random.Generator,
) -> Structures:  # fmt: skip
    """Structures with what the rules draw for each, once for ever."""
    speeds, liquids = (
        {NDT: rules.ndt_speed_m_s, FGD: rules.fgd_speed_m_s},
        {NDT: rules.ndt_fog, FGD: rules.fgd_condensate},
    )
    ranges = np.array([(*speeds[name], *rules.fgd_exit_c, *liquids[name]) for name in kind]).reshape(len(kind), 3, 2)
    chance = rng.random((len(kind), 3))
    speed, exit_c, liquid = (ranges[..., 0] + chance * (ranges[..., 1] - ranges[..., 0])).T
    return Structures(kind, east_m, north_m, height_m, mouth_m, speed, exit_c, liquid, emits_vapor)


class _Liquid:
    """Condensate and temperature of one plume at any dilution, by a table over its logarithm."""

    def __init__(self, exhaust: Parcel, around: Parcel, path: PlumePath) -> None:
        self._step = float(np.log(path.visible_dilution * _MOST_DILUTE)) / (_TABLE - 1)
        mixed = mixture(exhaust, around, np.exp(self._step * np.arange(_TABLE)))
        self._liquid = mixed.liquid.astype(np.float32)
        self._temperature = mixed.temperature_c.astype(np.float32)
        self._log_dilution = np.log(path.dilution).astype(np.float32)

    def depth(self, shape: Drawn, radius_m: float) -> tuple[Field, Field]:
        """(y, x) optical depth for droplets of a radius, and temperature, degC."""
        place = (self._log_dilution[shape.step] + shape.mixing) * np.float32(1.0 / self._step)
        place = np.clip(np.rint(place), 0, _TABLE - 1).astype(np.intp)
        depth = optical_depth(water_path_kg_m2(self._liquid[place], shape.chord_m), radius_m)
        return np.asarray(depth, np.float32), self._temperature[place]


def _add(
    fields: VaporFields, structures: Structures, k: int, path: PlumePath, liquid: _Liquid, air: Air, sun: Sun,
    canvas: Canvas, eddies: Field, place: Floats, radius_m: float, rules: PlumeRules,
) -> tuple[float, float]:  # fmt: skip
    """Draws one plume and its shadow into the fields; its area and largest optical depth."""
    start = np.array([structures.east_m[k], structures.north_m[k]])
    heading = _unit(np.array([air.wind_u_m_s, air.wind_v_m_s]), np.array([1.0, 0.0]))
    spine = Spine(start, heading, path.along_m, path.radius_m, path.condensate)
    shadow = drawn(_shadow(start, heading, path, structures.height_m[k], sun), canvas, eddies, place, rules.eddies)
    if shadow is not None:
        fields.shadow_depth[shadow.window] += liquid.depth(shadow, radius_m)[0]
    shape = drawn(spine, canvas, eddies, place, rules.eddies)
    if shape is None:
        return 0.0, 0.0
    depth, temperature = liquid.depth(shape, radius_m)
    np.maximum(depth, _mouth(spine, canvas, shape, float(structures.liquid[k]), radius_m), out=depth)
    seen = depth > _SEEN_DEPTH
    top, warm = fields.top_m[shape.window], fields.temperature_c[shape.window]
    fields.depth[shape.window] += depth
    np.maximum(top, np.where(seen, 0.5 * shape.chord_m, 0.0), out=top)
    warm[...] = np.where(seen, temperature, warm)
    return float(seen.sum()) * canvas.step_m**2, float(depth.max(initial=0.0))


def _mouth(spine: Spine, canvas: Canvas, shape: Drawn, liquid: float, radius_m: float) -> Field:
    """(y, x) optical depth of the fog that fills the mouth itself, whatever becomes of it outside."""
    x = canvas.east_m[shape.window[1]] - np.float32(spine.start_m[0])
    y = (canvas.north_m[shape.window[0]] - np.float32(spine.start_m[1]))[:, None]
    chord = 2.0 * np.sqrt(np.maximum(spine.radius_m[0] ** 2 - x**2 - y**2, 0.0))
    return np.asarray(optical_depth(water_path_kg_m2(liquid, chord), radius_m), np.float32)


def _shadow(start: Floats, heading: Floats, path: PlumePath, height_m: float, sun: Sun) -> Spine:
    """Where the shadow runs: down the wind and, as the plume rises, away from the sun; straight, where it is not."""
    shift = np.stack(shadow_shift_m(height_m + path.rise_m, sun.elevation_deg, sun.azimuth_deg), axis=-1)
    places = heading * path.along_m[:, None] + shift
    direction = _unit(places[-1] - places[0], heading)
    along = np.maximum.accumulate((places - places[0]) @ direction)
    return Spine(start + places[0], direction, along, path.radius_m, path.condensate)


def _unit(vector: Floats, otherwise: Floats) -> Floats:
    length = float(np.hypot(*vector))
    return vector / length if length > 1e-9 else otherwise

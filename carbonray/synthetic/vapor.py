"""Images of the synthetic fleet: every overpass of a plant, rendered from its load, its weather and its surroundings.

Source: SCIENCE 4.13; numbers of the parts are inferred and stand with them. An image is a function of (rules, plant,
imager, moment): what is random comes from `SeedSequence((seed, stream, plant, imager, moment))`, in no order and by
anyone. Images come one after the other: memory does not grow with their number.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import SettingsError
from carbonray.io.imagery.image import RegionImage
from carbonray.science.power.radiometry import KELVIN, water_column_cm
from carbonray.science.spatial.geodesy import DAY_NS, utc_year
from carbonray.science.spatial.sun import sun_position
from carbonray.synthetic.backgrounds import Season, cover_heat_c, cover_reflectance, season_at, snow_depth
from carbonray.synthetic.canvas import Field
from carbonray.synthetic.confusers import Sky, clear_sky, sky_of
from carbonray.synthetic.fleet import FleetRules, acquisitions_of, generation_of, state_of, weather_of
from carbonray.synthetic.fleet_plants import FleetPlant
from carbonray.synthetic.light import Clouding, clouding, emitted_heat, reflected_light, thermal_bands
from carbonray.synthetic.masks import mask_flags, mask_of, mask_quality
from carbonray.synthetic.plant_views import PlantView, RenderRules, view_of
from carbonray.synthetic.sensing import Calibration, calibration_of, product_of, seen
from carbonray.synthetic.tower_shadows import tower_shade
from carbonray.synthetic.vapor_plumes import Air, PlumeTruth, Sun, VaporFields, vapor_fields
from carbonray.vocab.columns import column
from carbonray.vocab.sensors import Imager

Floats = NDArray[np.float64]

FOLLOWS = ("load", "chance", "nothing")
LEAST_SUN_DEG = 5.0  # lower suns are rendered as this one: single scattering ends here
_STREAM_IMAGE, _STREAM_YEAR, _STREAM_VIGOUR = 35, 36, 37

# latent truth of every image and structure, for the ceilings of sounding models
VAPOR_TRUTH = pa.schema(
    [
        column("plant_id", pa.string(), "1", "the plant"),
        column("imager", pa.string(), "1", "key of `vocab.sensors.IMAGERS`"),
        column("image_id", pa.string(), "1", "the image"),
        column("time_utc_ns", pa.int64(), "ns since 1970-01-01", "UTC time of the image"),
        column("structure_id", pa.string(), "1", "the tower or stack"),
        column("structure_kind", pa.string(), "1", "NDT or FGD"),
        column("true_load", pa.float32(), "1", "power over capacity of the units behind the structure"),
        column("drawn_load", pa.float32(), "1", "load that the plume was drawn with; differs in a negative control"),
        column("vapor_m2", pa.float32(), "m2", "area covered by vapor of an optical depth above 0.2 in the region"),
        column("vapor_depth_max", pa.float32(), "1", "largest optical depth of the vapor"),
        column("plume_length_m", pa.float32(), "m", "visible length downwind"),
        column("visible_dilution", pa.float32(), "1", "dilution at which the condensate ends"),
        column("haze_depth", pa.float32(), "1", "aerosol optical depth"),
        column("cloud_share", pa.float32(), "1", "part of the region under clouds of an optical depth above 1"),
    ]
)


@dataclass(frozen=True)
class Moment:
    """What differs from image to image before chance comes in.

    Attributes:
        time_utc_ns: of the image.
        air: weather.
        cloud_cover: fraction of the sky.
        load: (structure,) that the plumes are drawn with.
        season: state of the ground.
    """

    time_utc_ns: int
    air: Air
    cloud_cover: float
    load: Floats
    season: Season


@dataclass(frozen=True)
class Rendering:
    """An image with its latent truth: rows of `VAPOR_TRUTH`, one a structure."""

    image: RegionImage
    truth: pa.Table


def render_plant_year(
    rules: RenderRules, of: FleetRules, plant: FleetPlant, imager: Imager, year: int
) -> Iterator[Rendering]:
    """Every image that an imager takes of a plant in a calendar year, UTC, in order of time.

    Args:
        rules: how images are made.
        of: the fleet that the plant is of.
        plant: the plant.
        imager: a declared imager, or a new one.
        year: calendar year within the fleet's hours.

    Raises:
        SettingsError: the plumes are to follow something unknown.
    """
    if rules.vapor_follows not in FOLLOWS:
        raise SettingsError(
            f"plumes cannot follow {rules.vapor_follows!r}",
            where="render.vapor_follows",
            expected=" | ".join(FOLLOWS),
            remedy="Use load, or one of the two negative controls.",
        )
    taken = acquisitions_of(of, plant, imager)
    chosen = np.flatnonzero(utc_year(taken.time_utc_ns) == year)
    if not chosen.size:
        return
    weather = weather_of(of, plant)
    times = taken.time_utc_ns[chosen]
    state = state_of(plant, weather, generation_of(of, plant, weather), times)
    view = view_of(rules, of.seed, plant, imager)
    snow = snow_depth(weather.temperature_c, weather.cloud_cover) * view.confusers
    hour = np.searchsorted(weather.time_utc_ns, times, side="right") - 1
    drawn = _followed(rules, state.structure_factor, np.random.default_rng((of.seed, _STREAM_YEAR, plant.index, year)))
    seasons = [
        season_at(int(time), plant.lat, float(snow[at]), vigour)
        for time, at, vigour in zip(times, hour, _vigour(of.seed, plant, times), strict=True)
    ]
    now = state.weather
    columns = (now.temperature_c, now.relative_humidity_pct, now.wind_u_m_s, now.wind_v_m_s)
    airs = [Air(*map(float, each)) for each in zip(*columns, strict=True)]
    for k, place in enumerate(chosen):
        moment = Moment(int(times[k]), airs[k], float(now.cloud_cover[k]), drawn[k], seasons[k])
        yield rendered(rules, of.seed, view, moment, taken.image_id[place], state.structure_factor[k])


def rendered(
    rules: RenderRules, seed: int, view: PlantView, moment: Moment, image_id: str, true_load: Floats
) -> Rendering:
    """One image of a plant, and what was truly there; `true_load`, (structure,), is only kept beside the plumes'."""
    chance = _chances(seed, view, moment, image_id)
    elevation, azimuth = (float(part) for part in sun_position(moment.time_utc_ns, view.plant.lat, view.plant.lon))
    sun = Sun(max(elevation, LEAST_SUN_DEG), azimuth)
    sky = _sky(rules, view, moment, sun, chance["sky"])
    load, air = moment.load, moment.air
    own = vapor_fields(view.structures, load, air, sun, view.canvas, view.eddies, rules.plume, chance["plumes"])
    vapor = _with_vents(rules, view, moment, sun, own, chance["vents"])
    water = clouding(vapor, sky, tower_shade(view.structures, sun, view.canvas), view.canvas, sun)
    calibration = calibration_of(view.imager, moment.time_utc_ns, sun.elevation_deg)
    values, green = _values(rules, view, moment, sun, sky, water, calibration)
    kelvin = KELVIN + air.temperature_c
    dn = seen(values, view.imager, moment.time_utc_ns, kelvin, calibration, view.grid, chance["camera"])
    frost, kind, pixel_m = float(-np.expm1(-moment.season.snow)), mask_of(view.imager.name), view.grid.pixel_m
    flags = mask_flags(water, sky, green, kind, frost, view.clouds, rules.mask, pixel_m, chance["mask"])
    image = _image(view, moment, image_id, dn, flags, calibration, sun, chance["delivery"])
    return Rendering(image, _truth_table(view, image, own.truth, true_load, sky))


def _chances(seed: int, view: PlantView, moment: Moment, image_id: str) -> dict[str, np.random.Generator]:
    """Generators of one image: of the moment, which duplicates share, and of the processing, which they do not."""
    again = int(image_id.endswith("_2"))
    key = (seed, _STREAM_IMAGE, view.plant.index, *view.imager.name.encode(), moment.time_utc_ns // 10**9)
    streams = {"plumes": 0, "sky": 1, "mask": 2, "vents": 3, "camera": 4, "delivery": 5 + again}
    return {name: np.random.default_rng(np.random.SeedSequence((*key, place))) for name, place in streams.items()}


def _image(
    view: PlantView, moment: Moment, image_id: str, dn: NDArray[np.uint16], flags: NDArray[np.uint8],
    calibration: Calibration, sun: Sun, rng: np.random.Generator,
) -> RegionImage:  # fmt: skip
    """The image with what its provider would tell of it."""
    day = datetime.fromtimestamp(moment.time_utc_ns / 1e9, tz=UTC).date().isoformat()
    kind = mask_of(view.imager.name)
    return RegionImage(
        image_id=image_id,
        imager=view.imager.name,
        time_utc_ns=moment.time_utc_ns,
        dn=dn,
        flags=np.zeros_like(flags) if day < kind.since else flags,
        scale=calibration.scale,
        offset=calibration.offset,
        k1=calibration.k1,
        k2=calibration.k2,
        grid=view.grid,
        covered_km2=float(np.round(rng.uniform(*product_of(view.imager).covered_km2), 1)),
        sun_elevation_deg=sun.elevation_deg,
        sun_azimuth_deg=sun.azimuth_deg,
        downloaded_utc_ns=moment.time_utc_ns + int(rng.integers(1, 30)) * DAY_NS,
        quality=mask_quality(kind, day),
        source_url=f"synthetic:{image_id}",
        data_tier=view.plant.data_tier,
    )


def _values(
    rules: RenderRules, view: PlantView, moment: Moment, sun: Sun, sky: Sky, water: Clouding, calibration: Calibration
) -> tuple[Field, Field]:
    """(band, y, x) reflectance or radiance at the top of the atmosphere, and the ground's reflectance in green."""
    thermal = thermal_bands(view.imager)
    centre = np.array([band.centre_nm for band in view.imager.bands])
    cover = view.cover.reshape(len(view.cover), -1)
    shape = water.mean.shape
    spectra = cover_reflectance(np.append(centre[~thermal], 560.0), moment.season)
    ground = (spectra @ cover).reshape(-1, *shape)
    column_cm = water_column_cm(moment.air.temperature_c, moment.air.relative_humidity_pct)
    values = np.empty((len(centre), *shape), np.float32)
    values[~thermal] = reflected_light(ground[:-1], centre[~thermal], water, sky, sun, column_cm, rules.atmosphere)
    if thermal.any():
        heat = cover_heat_c(moment.season).astype(np.float32) * np.float32(np.sin(np.radians(sun.elevation_deg)))
        warmth = np.asarray(heat @ cover, np.float32).reshape(*shape)
        values[thermal] = emitted_heat(
            warmth, calibration.k1[thermal], calibration.k2[thermal], centre[thermal], water, sky, moment.air,
            column_cm, rules.atmosphere,
        )  # fmt: skip
    return values, ground[-1]


def _sky(rules: RenderRules, view: PlantView, moment: Moment, sun: Sun, rng: np.random.Generator) -> Sky:
    if not view.confusers:
        return clear_sky(view.pixels, rules.confuser.haze_depth)
    return sky_of(rules.confuser, view.pixels, moment.air, moment.cloud_cover, sun, view.clouds, view.eddies, rng)


def _with_vents(
    rules: RenderRules, view: PlantView, moment: Moment, sun: Sun, own: VaporFields, rng: np.random.Generator
) -> VaporFields:
    """The plant's vapor and the steam of vents that have nothing to do with its load."""
    if view.vents is None:
        return own
    count = len(view.vents.kind)
    load = np.where(rng.random(count) < rules.confuser.vent_share, rng.uniform(0.3, 1.0, count), 0.0)
    other = vapor_fields(view.vents, load, moment.air, sun, view.canvas, view.eddies, rules.plume, rng)
    warmer = np.where(other.depth > own.depth, other.temperature_c, own.temperature_c)
    return VaporFields(
        own.depth + other.depth, np.maximum(own.top_m, other.top_m), warmer, own.shadow_depth + other.shadow_depth,
        own.truth,
    )  # fmt: skip


def _followed(rules: RenderRules, factor: Floats, rng: np.random.Generator) -> Floats:
    """(image, structure) loads that the plumes are drawn with."""
    if rules.vapor_follows == "load":
        return factor
    return factor[rng.permutation(len(factor))] if rules.vapor_follows == "chance" else np.zeros_like(factor)


def _vigour(seed: int, plant: FleetPlant, times: NDArray[np.int64]) -> Floats:
    """(image,) how green fields are for their season: good and bad months, the same for all imagers."""
    knots = np.random.default_rng((seed, _STREAM_VIGOUR, plant.index)).normal(1.0, 0.12, 97)
    month = times / (30.4375 * 86_400e9)
    first = np.floor(month).astype(int)
    share = month - first
    return np.asarray((1 - share) * knots[first % 97] + share * knots[(first + 1) % 97])


def _truth_table(
    view: PlantView, image: RegionImage, truth: tuple[PlumeTruth, ...], true_load: Floats, sky: Sky
) -> pa.Table:
    """A row of `VAPOR_TRUTH` for each structure."""
    whole = {
        "plant_id": view.plant.plant_id,
        "imager": image.imager,
        "image_id": image.image_id,
        "time_utc_ns": image.time_utc_ns,
        "haze_depth": sky.haze,
        "cloud_share": float((sky.cloud > 1.0).mean()),
    }
    rows = [
        whole
        | {"structure_id": structure.structure_id, "structure_kind": structure.kind, "true_load": float(load)}
        | dataclasses.asdict(plume)
        for structure, plume, load in zip(view.plant.structures, truth, true_load, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=VAPOR_TRUTH)

"""How imagers turn light into the integers of their products: point spread, registration, gain, noise, rounding.

Sources: scale and offset of each product from its handbook (Sentinel-2 L1C baseline 04.00; Landsat Collection 2 Level-1
with the constants of its thermal bands; PlanetScope analytic radiance with reflectance coefficients); errors are
inferred (SCIENCE 4.13: misregistration of at most a pixel, drift of the gain, jitter between Doves). Arrays are
(band, y, x) or (band,). An imager that is not listed has reflectance x 10,000 and no offset.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from carbonray.io.imagery.image import RegionGrid
from carbonray.science.power.radiometry import planck_constants, thermal_radiance
from carbonray.science.spatial.sun import sunlight
from carbonray.synthetic.canvas import Field
from carbonray.vocab.sensors import Band, Imager

Floats = NDArray[np.float64]
LARGEST_DN = 65535


@dataclass(frozen=True)
class SensorRules:
    """Errors of a camera; numbers are inferred.

    Attributes:
        spread_px: standard deviation of the point spread, pixels of the store.
        shift_px: half width of the misregistration; never more than a pixel.
        noise: standard deviation of the reflectance of dark ground, and its share of the signal.
        thermal_noise_k: standard deviation of a brightness temperature.
        gain_drift: half width of the slow drift of a band's gain over the years.
        gain_jitter: standard deviation of the gain from one image to the next.
    """

    spread_px: float = 0.42
    shift_px: float = 0.3
    noise: tuple[float, float] = (8e-4, 3e-3)
    thermal_noise_k: float = 0.08
    gain_drift: float = 0.015
    gain_jitter: float = 0.004


@dataclass(frozen=True)
class Product:
    """What a product's integers mean: value = dn * scale + offset.

    Attributes:
        scale: of a reflective band.
        offsets: (first day, offset) in order of time.
        over_sun: whether reflectance must still be divided by the sine of the sun's elevation.
        irradiance: (band,) of the sun, W m-2 um-1, where integers count radiance; empty where they do not.
        thermal: scale and offset of a thermal band's radiance.
        constants: (band, K1, K2) of thermal bands; Planck's of the band's centre where absent.
        thermal_spread_px: point spread of thermal bands, which are brought to the store's pixel by the provider.
        covered_km2: area of a whole image of the product, least and most.
        sensor: the camera's errors.
    """

    scale: float = 1e-4
    offsets: tuple[tuple[str, float], ...] = (("1970-01-01", 0.0),)
    over_sun: bool = False
    irradiance: tuple[float, ...] = ()
    thermal: tuple[float, float] = (3.342e-4, 0.1)
    constants: tuple[tuple[str, float, float], ...] = ()
    thermal_spread_px: float = 1.3
    covered_km2: tuple[float, float] = (1e4, 1e4)
    sensor: SensorRules = SensorRules()


PRODUCTS: MappingProxyType[str, Product] = MappingProxyType(
    {
        "planetscope": Product(
            scale=0.01,
            irradiance=(1984.7, 1812.7, 1565.8, 971.0),
            covered_km2=(150.0, 450.0),
            sensor=SensorRules(0.55, 0.9, (1.5e-3, 6e-3), 0.0, 0.02, 0.035),
        ),
        "sentinel2": Product(offsets=(("1970-01-01", 0.0), ("2022-01-25", -0.1)), covered_km2=(6_000.0, 12_056.0)),
        "landsat8": Product(
            scale=2e-5,
            offsets=(("1970-01-01", -0.1),),
            over_sun=True,
            covered_km2=(33_000.0, 35_000.0),
            constants=(("B10", 774.8853, 1321.0789), ("B11", 480.8883, 1201.1442)),
            sensor=SensorRules(0.45, 0.25, (3e-4, 1.5e-3)),
        ),
    }
)


@dataclass(frozen=True)
class Calibration:
    """(band,) each: value = dn * scale + offset; thermal constants, NaN for a reflective band."""

    scale: Floats
    offset: Floats
    k1: Floats
    k2: Floats


def product_of(imager: Imager) -> Product:
    """The product of an imager."""
    return PRODUCTS.get(imager.name, Product())


def calibration_of(imager: Imager, time_utc_ns: int, sun_elevation_deg: float) -> Calibration:
    """What the integers of an image mean."""
    product, high = product_of(imager), float(np.sin(np.radians(sun_elevation_deg)))
    thermal = np.array([band.thermal for band in imager.bands])
    scale, offset = np.full(thermal.size, product.scale), np.full(thermal.size, _offset(product, time_utc_ns))
    if product.over_sun:
        scale, offset = scale / high, offset / high
    if product.irradiance:
        scale = product.scale * np.pi / (np.array(product.irradiance) * float(sunlight(time_utc_ns)) * high)
    scale[thermal], offset[thermal] = product.thermal
    centre = np.array([band.centre_nm for band in imager.bands])
    k1, k2 = (np.where(thermal, constant, np.nan) for constant in planck_constants(centre))
    for name, first, second in product.constants:
        place = [band.name for band in imager.bands].index(name)
        k1[place], k2[place] = first, second
    return Calibration(scale, offset, k1, k2)


def seen(
    values: Field, imager: Imager, time_utc_ns: int, temperature_k: float, calibration: Calibration,
    grid: RegionGrid, rng: np.random.Generator,
) -> NDArray[np.uint16]:  # fmt: skip
    """The integers of an image.

    Args:
        values: (band, y, x) reflectance; of thermal bands radiance; under the point spread of the ground already.
        imager: whose bands.
        time_utc_ns: for the drift of the gains.
        temperature_k: about which the noise of thermal bands is told in kelvin.
        calibration: what the integers mean.
        grid: of the region: coarse pixels lie on the product's own lattice.
        rng: the image's generator for the camera.
    """
    product = product_of(imager)
    shifted = _misregistered(values, product.sensor, rng)
    gains = _gains(imager, time_utc_ns, product.sensor, rng)
    dn = np.empty(values.shape, np.uint16)
    skip = {band.pixel_m: lattice_skip(grid, _cells(band, imager)) for band in imager.bands}
    for place, band in enumerate(imager.bands):
        field, noise = shifted[place], rng.standard_normal(values.shape[1:], np.float32)
        if band.thermal:
            about = temperature_k + np.array([0.0, product.sensor.thermal_noise_k])
            sd = np.diff(thermal_radiance(about, calibration.k1[place], calibration.k2[place]))[0]
            field = gaussian_filter(field, product.thermal_spread_px, mode="nearest") + np.float32(sd) * noise
        else:
            floor, share = product.sensor.noise
            field = field * np.float32(gains[place])
            field = field + (np.float32(floor) + np.float32(share) * field) * noise
            field = coarse(field, _cells(band, imager), skip[band.pixel_m])
        counts = (field - np.float32(calibration.offset[place])) * np.float32(1.0 / calibration.scale[place])
        dn[place] = np.clip(np.rint(counts), 1, LARGEST_DN)
    return dn


def lattice_skip(grid: RegionGrid, cells: int) -> tuple[int, int]:
    """Pixels from the corner of the coarse pixel that holds the region's first, down and to the right."""
    return int(np.ceil(-grid.top / grid.pixel_m)) % cells, int(np.floor(grid.left / grid.pixel_m)) % cells


def coarse(field: Field, cells: int, lattice: tuple[int, int]) -> Field:
    """(y, x) means over coarse pixels of cells x cells that lie on the product's own lattice, spread out again."""
    if cells == 1:
        return field
    for axis, start in zip((0, 1), lattice, strict=True):
        place = (np.arange(field.shape[axis]) + start) // cells
        edges = np.flatnonzero(np.diff(place, prepend=place[0] - 1))
        counts = np.diff(edges, append=place.size)
        shape = [1, 1]
        shape[axis] = counts.size
        means = np.add.reduceat(field, edges, axis=axis) / counts.reshape(shape).astype(np.float32)
        field = np.repeat(means, counts, axis=axis)
    return field


def _offset(product: Product, time_utc_ns: int) -> float:
    day = datetime.fromtimestamp(time_utc_ns / 1e9, tz=UTC).date().isoformat()
    return [offset for since, offset in product.offsets if since <= day][-1]


def _misregistered(values: Field, rules: SensorRules, rng: np.random.Generator) -> Field:
    """The image a fraction of a pixel beside its place; linear between pixels, the edge held."""
    down, right = rng.uniform(-rules.shift_px, rules.shift_px, 2)
    for axis, part in ((1, down), (2, right)):
        values = _slid(values, axis, float(part))
    return values


def _slid(values: Field, axis: int, part: float) -> Field:
    neighbour = np.roll(values, 1 if part > 0 else -1, axis=axis)
    edge: list[slice | int] = [slice(None)] * 3
    edge[axis] = 0 if part > 0 else -1
    neighbour[tuple(edge)] = values[tuple(edge)]
    share = np.float32(abs(part))
    return np.asarray(values + share * (neighbour - values), np.float32)


def _gains(imager: Imager, time_utc_ns: int, rules: SensorRules, rng: np.random.Generator) -> Floats:
    years = time_utc_ns / 31_556_952e9
    phase = np.arange(len(imager.bands)) * 2.4
    drift = rules.gain_drift * np.sin(2 * np.pi * years / 6.0 + phase)
    together, apart = rng.normal(), rng.normal(size=len(imager.bands))
    return np.asarray(1.0 + drift + rules.gain_jitter * (0.8 * together + 0.6 * apart))


def _cells(band: Band, imager: Imager) -> int:
    """Pixels of the store along a pixel of a band, no less than one; thermal bands come at the store's."""
    return 1 if band.thermal else max(1, round(band.pixel_m / imager.pixel_m))

"""Light and heat of droplets, air and ground, as an imager measures them at the top of the atmosphere.

Source: SCIENCE 4.13; two-stream cloud as Bohren (1987); Rayleigh optical depth after Hansen and Travis (1974); Planck.
Reflectances are of a Lambertian surface under the same sun; wavelengths in nm; optical depths are vertical. Arguments
broadcast. The atmosphere is single scattering: path + transmission x ground, enough for blue to rise with haze.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.power.vapor import AIR_KG_M3

Floats = NDArray[np.float64]

WATER_KG_M3 = 1000.0
ASYMMETRY = 0.85  # of droplets much larger than the wavelength (SCIENCE 4.13)
C1_W_UM4_M2_SR = 1.191042e8  # 2 h c^2
C2_UM_K = 14387.77  # h c / k
KELVIN = 273.15

# droplets absorb in the short-wave infrared: factors .65 and .5 of SCIENCE 4.13 (inferred); none below 1000 nm
_DROPLET_NM = (1000.0, 1375.0, 1610.0, 2190.0)
_DROPLET_FACTOR = (1.0, 0.8, 0.65, 0.5)
# (centre nm, width nm, optical depth at air mass 1): ozone, oxygen, then water at 2 cm (inferred, for bands 20-100 nm
# wide); the band at 1375 nm sees nothing below the cirrus
_ABSORPTION = ((600.0, 60.0, 0.035), (762.0, 6.0, 0.4), (943.0, 25.0, 0.55), (1376.0, 35.0, 6.0), (1900.0, 60.0, 4.0))
_WINDOW_DEPTH = 0.02  # absorption between the lines, everywhere


@dataclass(frozen=True)
class AtmosphereRules:
    """The air between ground and imager; numbers are inferred.

    Attributes:
        aerosol_exponent: optical depth goes with wavelength to minus this.
        aerosol_backscatter: share of the scattered light that goes up.
        single_scattering: share of the extinguished light that is scattered.
        thermal_depth: optical depth of the air at 10.9 and at 12.0 um for 1 cm of water vapor.
        thermal_air_c: the radiating air is colder than the air at 2 m by this.
    """

    aerosol_exponent: float = 1.3
    aerosol_backscatter: float = 0.11
    single_scattering: float = 0.93
    thermal_depth: tuple[float, float] = (0.07, 0.11)
    thermal_air_c: float = 12.0


def water_path_kg_m2(condensate: ArrayLike, chord_m: ArrayLike) -> Floats:
    """Liquid along a chord: rho_air q_l l."""
    return AIR_KG_M3 * np.asarray(condensate, np.float64) * np.asarray(chord_m, np.float64)


def optical_depth(water_kg_m2: ArrayLike, effective_radius_m: ArrayLike) -> Floats:
    """3 LWP / (2 rho_w r_eff)."""
    return np.asarray(1.5 * np.asarray(water_kg_m2) / (WATER_KG_M3 * np.asarray(effective_radius_m)))


def cloud_reflectance(depth: ArrayLike) -> NDArray[np.floating]:
    """Two-stream reflectance of a cloud that absorbs nothing; keeps the precision of its argument."""
    scattered = (1.0 - ASYMMETRY) * np.asarray(depth)
    return np.asarray(scattered / (2.0 + scattered))


def over_ground(cloud: ArrayLike, ground: ArrayLike) -> NDArray[np.floating]:
    """Reflectance of a cloud layer over ground, all reflections between the two included (adding)."""
    r, g = np.asarray(cloud), np.asarray(ground)
    return np.asarray(r + (1.0 - r) ** 2 * g / (1.0 - r * g))


def droplet_factor(wavelength_nm: ArrayLike) -> Floats:
    """Reflectance of droplets over that of droplets that absorb nothing."""
    return np.interp(np.asarray(wavelength_nm, np.float64), _DROPLET_NM, _DROPLET_FACTOR)


def emissivity(depth: ArrayLike) -> NDArray[np.floating]:
    """Emissivity of a cloud in the thermal infrared: 1 - exp(-tau / 2)."""
    return np.asarray(-np.expm1(-0.5 * np.asarray(depth)))


def shadow_shift_m(height_m: ArrayLike, sun_elevation_deg: float, sun_azimuth_deg: float) -> tuple[Floats, Floats]:
    """East and north displacement of the shadow of something above the ground: height x tan(zenith angle)."""
    reach = np.asarray(height_m, np.float64) / np.tan(np.radians(sun_elevation_deg))
    away = np.radians(sun_azimuth_deg + 180.0)
    return reach * np.sin(away), reach * np.cos(away)


def rayleigh_depth(wavelength_nm: ArrayLike) -> Floats:
    """Optical depth of the molecules of the air at sea level."""
    w = np.asarray(wavelength_nm, np.float64) / 1000.0
    return np.asarray(0.008569 * w**-4 * (1.0 + 0.0113 * w**-2 + 0.00013 * w**-4))


def aerosol_depth(wavelength_nm: ArrayLike, depth_550: ArrayLike, rules: AtmosphereRules) -> Floats:
    """Optical depth of haze from that at 550 nm."""
    ratio = np.asarray(wavelength_nm, np.float64) / 550.0
    return np.asarray(np.asarray(depth_550, np.float64) * ratio**-rules.aerosol_exponent)


def path_reflectance(
    wavelength_nm: ArrayLike, depth_550: ArrayLike, sun_elevation_deg: float, rules: AtmosphereRules
) -> Floats:
    """What the air itself sends up to a nadir view: molecules by their phase function, haze by its backscatter."""
    mu = np.sin(np.radians(sun_elevation_deg))
    phase = 0.75 * (1.0 + mu**2)
    molecules = -np.expm1(-rayleigh_depth(wavelength_nm) * (1.0 + 1.0 / mu)) * phase / (4.0 * (1.0 + mu))
    haze = rules.single_scattering * rules.aerosol_backscatter * aerosol_depth(wavelength_nm, depth_550, rules) / mu
    return np.asarray(molecules + haze)


def scattering_transmission(
    wavelength_nm: ArrayLike, depth_550: ArrayLike, sun_elevation_deg: float, rules: AtmosphereRules
) -> Floats:
    """Share of the light that the air's scattering leaves, down to the ground and up again."""
    mass = 1.0 + 1.0 / np.sin(np.radians(sun_elevation_deg))
    lost = 1.0 - rules.single_scattering * (1.0 - rules.aerosol_backscatter)
    depth = 0.5 * rayleigh_depth(wavelength_nm) + lost * aerosol_depth(wavelength_nm, depth_550, rules)
    return np.asarray(np.exp(-depth * mass))


def gas_transmission(wavelength_nm: ArrayLike, water_cm: float, sun_elevation_deg: float) -> Floats:
    """Share of the light that ozone, oxygen and water vapor leave, down and up; about 0 at 1375 nm."""
    w = np.asarray(wavelength_nm, np.float64)
    mass = 1.0 + 1.0 / np.sin(np.radians(sun_elevation_deg))
    depth = np.where(w < 1000.0, 0.0, _WINDOW_DEPTH)
    for centre, width, strength in _ABSORPTION:
        amount = np.sqrt(water_cm / 2.0) if centre > 800.0 else 1.0  # strong lines grow with the root
        depth = depth + 0.5 * strength * amount * np.exp(-(((w - centre) / width) ** 2))
    return np.asarray(np.exp(-depth * mass))


def diffuse_share(wavelength_nm: ArrayLike, depth_550: ArrayLike, rules: AtmosphereRules) -> Floats:
    """Share of the light on the ground that comes from the sky and reaches into shadows."""
    depth = 0.5 * rayleigh_depth(wavelength_nm) + 0.5 * aerosol_depth(wavelength_nm, depth_550, rules)
    return np.asarray(-np.expm1(-1.5 * depth)) + 0.05


def planck_constants(wavelength_nm: ArrayLike) -> tuple[Floats, Floats]:
    """K1 (W m-2 sr-1 um-1) and K2 (K) of a narrow thermal band."""
    w = np.asarray(wavelength_nm, np.float64) / 1000.0
    return np.asarray(C1_W_UM4_M2_SR / w**5), np.asarray(C2_UM_K / w)


def thermal_radiance(temperature_k: ArrayLike, k1: ArrayLike, k2: ArrayLike) -> Floats:
    """Radiance of a black body, W m-2 sr-1 um-1: k1 / (exp(k2 / T) - 1)."""
    return np.asarray(np.asarray(k1) / np.expm1(np.asarray(k2) / np.asarray(temperature_k)))


def brightness_temperature_k(radiance: ArrayLike, k1: ArrayLike, k2: ArrayLike) -> Floats:
    """Temperature of the black body that sends out this radiance."""
    return np.asarray(np.asarray(k2) / np.log1p(np.asarray(k1) / np.asarray(radiance)))


def thermal_transmission(wavelength_nm: ArrayLike, water_cm: float, rules: AtmosphereRules) -> Floats:
    """Share of the ground's heat that reaches the imager; the air, colder, sends out the rest."""
    low, high = rules.thermal_depth
    depth = np.interp(np.asarray(wavelength_nm, np.float64), (10900.0, 12000.0), (low, high)) * water_cm
    return np.asarray(np.exp(-depth))


def water_column_cm(temperature_c: float, relative_humidity_pct: float) -> float:
    """Precipitable water from the air at 2 m, with a scale height of 2 km (inferred)."""
    pressure_pa = 611.2 * np.exp(17.67 * temperature_c / (temperature_c + 243.5)) * relative_humidity_pct / 100.0
    density = pressure_pa / (461.5 * (temperature_c + KELVIN))
    return float(density * 2000.0 / WATER_KG_M3 * 100.0)

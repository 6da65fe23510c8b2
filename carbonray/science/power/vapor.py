"""Visible vapor of cooling towers and wet stacks: what leaves them, how it mixes with the air, how far it is seen.

Source: SCIENCE 4.13; saturation after Buck (1981, 1996 coefficients); plume rise after Briggs. Temperatures are degC,
waters are mixing ratios (kg per kg of dry air), enthalpies J per kg. A dilution D is kg of mixture per kg of what left
the structure. All arguments broadcast. Exhaust and air mix on a straight line in total water and moist enthalpy
c_p T + L_v w_v; water above saturation is liquid, and a plume is seen until that is gone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.vocab.plants import FGD, NDT

Floats = NDArray[np.float64]

PRESSURE_HPA = 1013.25  # standard atmosphere
VAPOR_TO_AIR = 0.622  # molar mass of water over that of dry air
CP_J_KG_K = 1005.0  # dry air at constant pressure
LV_J_KG = 2.5e6  # vaporisation at 0 degC
GRAVITY_M_S2 = 9.80665  # standard gravity
AIR_KG_M3 = 1.2  # near the ground
_BISECTIONS = 40
_NEWTON_STEPS = 7


@dataclass(frozen=True)
class VaporRules:
    """Exhaust and plumes; numbers are inferred (SCIENCE 4.13), pairs are the range over structures.

    Attributes:
        fgd_exit_c: temperature of saturated flue gas.
        fgd_speed_m_s: exit speed at full load; it falls with the load.
        fgd_condensate: liquid in the flue gas, kg/kg.
        fgd_radius_m: radius of a stack's mouth.
        ndt_approach_c: outlet over wet-bulb temperature at no load: a - b T_wb within c..d.
        ndt_load_c: how much warmer the outlet is at full load.
        ndt_speed_m_s: exit speed at full load; it goes with the third root of the load.
        ndt_fog: liquid in the outlet air, kg/kg.
        ndt_radius_m: radius of a tower's mouth.
        least_load: fans and draught keep the exit speed of a running unit at that of this load.
        entrainment: growth of the radius per metre of rise.
        rise: factor of the two-thirds law.
        least_wind_m_s: the laws of a bent-over plume hold above it; U is the wind at 10 m, as weather tables have it.
        max_length_m: plumes are followed so far.
        max_dilution: and so far, in nearly saturated air.
        steps: points along a plume.
    """

    fgd_exit_c: tuple[float, float] = (48.0, 55.0)
    fgd_speed_m_s: tuple[float, float] = (15.0, 20.0)
    fgd_condensate: tuple[float, float] = (2e-4, 2e-4)
    fgd_radius_m: tuple[float, float] = (4.0, 6.0)
    ndt_approach_c: tuple[float, float, float, float] = (16.0, 0.35, 6.0, 18.0)
    ndt_load_c: float = 6.0
    ndt_speed_m_s: tuple[float, float] = (3.0, 5.0)
    ndt_fog: tuple[float, float] = (5e-4, 1e-3)
    ndt_radius_m: tuple[float, float] = (25.0, 35.0)
    least_load: float = 0.1
    entrainment: float = 0.6
    rise: float = 1.6
    least_wind_m_s: float = 1.0
    max_length_m: float = 3000.0
    max_dilution: float = 1000.0
    steps: int = 40


@dataclass(frozen=True)
class Parcel:
    """Air or exhaust: temperature_c, vapor and liquid (kg/kg), arrays that broadcast."""

    temperature_c: Floats
    vapor: Floats
    liquid: Floats

    @property
    def water(self) -> Floats:
        """Total water, kg/kg: mixing conserves it."""
        return self.vapor + self.liquid

    @property
    def enthalpy(self) -> Floats:
        """Moist enthalpy, J/kg: mixing conserves it."""
        return moist_enthalpy(self.temperature_c, self.vapor)


@dataclass(frozen=True)
class PlumePath:
    """A plume along the wind: (..., step) arrays from the mouth to where it vanishes.

    Attributes:
        along_m: distance downwind.
        rise_m: above the mouth.
        radius_m: of the cross-section.
        dilution: kg of mixture per kg of exhaust.
        temperature_c: of the mixture.
        condensate: liquid water, kg/kg.
        visible_dilution: (...,) where the condensate ends.
    """

    along_m: Floats
    rise_m: Floats
    radius_m: Floats
    dilution: Floats
    temperature_c: Floats
    condensate: Floats
    visible_dilution: Floats

    @property
    def length_m(self) -> Floats:
        """(...,) visible length downwind."""
        return self.along_m[..., -1]


def saturation_pressure_hpa(temperature_c: ArrayLike) -> Floats:
    """Saturation pressure of water vapor over water, hPa (Buck)."""
    t = np.asarray(temperature_c, np.float64)
    return np.asarray(6.1121 * np.exp((18.678 - t / 234.5) * t / (257.14 + t)))


def saturation_mixing_ratio(temperature_c: ArrayLike) -> Floats:
    """Vapor that air can hold, kg/kg."""
    pressure = saturation_pressure_hpa(temperature_c)
    return VAPOR_TO_AIR * pressure / (PRESSURE_HPA - pressure)


def moist_enthalpy(temperature_c: ArrayLike, vapor: ArrayLike) -> Floats:
    """c_p T + L_v w_v, J/kg."""
    return CP_J_KG_K * np.asarray(temperature_c, np.float64) + LV_J_KG * np.asarray(vapor, np.float64)


def ambient_air(temperature_c: ArrayLike, relative_humidity_pct: ArrayLike) -> Parcel:
    """Air around a structure, from its weather."""
    t = np.asarray(temperature_c, np.float64)
    partial = np.asarray(relative_humidity_pct, np.float64) / 100.0 * saturation_pressure_hpa(t)
    vapor = VAPOR_TO_AIR * partial / (PRESSURE_HPA - partial)
    return Parcel(t, vapor, np.zeros_like(vapor))


def saturated_temperature_c(enthalpy: ArrayLike) -> Floats:
    """Temperature of saturated air of this moist enthalpy: Newton's steps, which converge from above."""
    h = np.asarray(enthalpy, np.float64)
    t = np.minimum(h / CP_J_KG_K, 20.0 + h / 6000.0)  # above the root from -60 to 70 degC
    for _ in range(_NEWTON_STEPS):
        held = saturation_mixing_ratio(t)
        slope = held * (1.0 + held / VAPOR_TO_AIR) * _log_slope(t)
        t = t - (CP_J_KG_K * t + LV_J_KG * held - h) / (CP_J_KG_K + LV_J_KG * slope)
    return t


def wet_bulb_c(air: Parcel) -> Floats:
    """Wet-bulb temperature: saturated air of the same moist enthalpy."""
    return saturated_temperature_c(air.enthalpy)


def flue_gas(exit_c: ArrayLike, condensate: ArrayLike) -> Parcel:
    """What leaves a stack behind wet desulphurisation: saturated, with some droplets."""
    t = np.asarray(exit_c, np.float64)
    vapor = saturation_mixing_ratio(t)
    return Parcel(t, vapor, np.broadcast_to(np.asarray(condensate, np.float64), vapor.shape))


def tower_air(air: Parcel, capacity_factor: ArrayLike, fog: ArrayLike, rules: VaporRules) -> Parcel:
    """What leaves a natural-draft tower: saturated above the wet-bulb temperature, the warmer the higher the load."""
    start, slope, least, most = rules.ndt_approach_c
    wet_bulb = wet_bulb_c(air)
    approach = np.clip(start - slope * wet_bulb, least, most)
    t = np.asarray(wet_bulb + approach + rules.ndt_load_c * np.asarray(capacity_factor, np.float64))
    vapor = saturation_mixing_ratio(t)
    return Parcel(t, vapor, np.broadcast_to(np.asarray(fog, np.float64), vapor.shape))


def exit_speed_m_s(kind: str, full_load_m_s: ArrayLike, capacity_factor: ArrayLike, rules: VaporRules) -> Floats:
    """Speed at the mouth of a running structure: draught goes with the third root of the load, fans with the load."""
    power = {NDT: 1.0 / 3.0, FGD: 1.0}[kind]
    load = np.clip(np.asarray(capacity_factor, np.float64), rules.least_load, 1.0)
    return np.asarray(full_load_m_s, np.float64) * load**power


def mixture(exhaust: Parcel, air: Parcel, dilution: ArrayLike) -> Parcel:
    """Exhaust mixed with air to a dilution: total water and moist enthalpy are those of the parts."""
    share = 1.0 / np.asarray(dilution, np.float64)
    water = air.water + share * (exhaust.water - air.water)
    enthalpy = air.enthalpy + share * (exhaust.enthalpy - air.enthalpy)
    cloudy = saturated_temperature_c(enthalpy)
    liquid = np.maximum(water - saturation_mixing_ratio(cloudy), 0.0)
    clear = (enthalpy - LV_J_KG * water) / CP_J_KG_K
    return Parcel(np.where(liquid > 0, cloudy, clear), water - liquid, liquid)


def visible_dilution(exhaust: Parcel, air: Parcel, most: float) -> Floats:
    """Dilution at which the last condensate evaporates; `most` where it does not before.

    Along the mixing line the excess over saturation is concave, so it has one end: bisection over the logarithm.
    """
    clear_at_most = ~_supersaturated(exhaust, air, np.asarray(most))
    low, high = np.zeros(clear_at_most.shape), np.full(clear_at_most.shape, np.log(most))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        cloudy = _supersaturated(exhaust, air, np.exp(middle))
        low, high = np.where(cloudy, middle, low), np.where(cloudy, high, middle)
    return np.where(clear_at_most, np.exp(low), most)


def buoyancy_flux(exhaust: Parcel, air: Parcel, speed_m_s: ArrayLike, radius_m: ArrayLike) -> Floats:
    """F = g w0 r0^2 dT_v / T_v, m4 s-3, never negative."""
    warm, cool = _virtual_k(exhaust), _virtual_k(air)
    flow = np.asarray(speed_m_s, np.float64) * np.asarray(radius_m, np.float64) ** 2
    return np.asarray(GRAVITY_M_S2 * flow * np.maximum(warm - cool, 0.0) / warm)


def rise_m(flux: ArrayLike, along_m: ArrayLike, wind_m_s: ArrayLike, rules: VaporRules) -> Floats:
    """Rise above the mouth at a distance downwind: 1.6 F^(1/3) x^(2/3) / U."""
    reach = np.cbrt(np.asarray(flux, np.float64)) * np.asarray(along_m, np.float64) ** (2.0 / 3.0)
    return np.asarray(rules.rise * reach / np.asarray(wind_m_s, np.float64))


def dilution_of(radius_m: ArrayLike, mouth_m: ArrayLike, wind_m_s: ArrayLike, speed_m_s: ArrayLike) -> Floats:
    """D = U r^2 / (w0 r0^2), at least 1."""
    area = (np.asarray(radius_m, np.float64) / np.asarray(mouth_m, np.float64)) ** 2
    return np.maximum(np.asarray(wind_m_s, np.float64) / np.asarray(speed_m_s, np.float64) * area, 1.0)


def plume_path(
    exhaust: Parcel, air: Parcel, speed_m_s: ArrayLike, mouth_m: ArrayLike, wind_m_s: ArrayLike, rules: VaporRules
) -> PlumePath:
    """The visible plume of structures (...,): steps of equal growth from the mouth to where the condensate ends."""
    speed, mouth, wind = (np.asarray(part, np.float64)[..., None] for part in (speed_m_s, mouth_m, wind_m_s))
    wind = np.maximum(wind, rules.least_wind_m_s)
    flux = np.maximum(buoyancy_flux(exhaust, air, speed_m_s, mouth_m), 1e-3)[..., None]
    end = visible_dilution(exhaust, air, rules.max_dilution)
    farthest = mouth + rules.entrainment * rise_m(flux, rules.max_length_m, wind, rules)
    widest = np.clip(mouth * np.sqrt(end[..., None] * speed / wind), mouth, farthest)
    radius = mouth + (widest - mouth) * np.linspace(0.0, 1.0, rules.steps)
    rise = (radius - mouth) / rules.entrainment
    along = (rise * wind / (rules.rise * np.cbrt(flux))) ** 1.5
    dilution = dilution_of(radius, mouth, wind, speed)
    dilution[..., 0] = 1.0  # in the mouth itself nothing is mixed yet
    mixed = mixture(_stepwise(exhaust), _stepwise(air), dilution)
    return PlumePath(along, rise, radius, dilution, mixed.temperature_c, mixed.liquid, end)


def _supersaturated(exhaust: Parcel, air: Parcel, dilution: Floats) -> NDArray[np.bool_]:
    share = 1.0 / dilution
    water = air.water + share * (exhaust.water - air.water)
    enthalpy = air.enthalpy + share * (exhaust.enthalpy - air.enthalpy)
    clear = (enthalpy - LV_J_KG * water) / CP_J_KG_K  # absurdly cold where far above saturation
    return np.asarray(water > saturation_mixing_ratio(np.maximum(clear, -90.0)))


def _log_slope(t: Floats) -> Floats:
    """Slope of the logarithm of Buck's formula, 1/K."""
    return np.asarray(((18.678 - 2 * t / 234.5) * (257.14 + t) - (18.678 - t / 234.5) * t) / (257.14 + t) ** 2)


def _virtual_k(parcel: Parcel) -> Floats:
    return np.asarray((parcel.temperature_c + 273.15) * (1.0 + parcel.vapor / VAPOR_TO_AIR) / (1.0 + parcel.water))


def _stepwise(parcel: Parcel) -> Parcel:
    return Parcel(parcel.temperature_c[..., None], parcel.vapor[..., None], parcel.liquid[..., None])

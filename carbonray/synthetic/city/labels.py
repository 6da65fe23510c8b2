"""What a satellite-based inventory makes of a synthetic city: night lights, and an ODIAC-like label beside the truth.

Source: SCIENCE 1.8, point 6, and 1.6, pitfall 4; the ODIAC data product description (point sources at their listed
places, the rest by night light, tonnes of carbon a cell and month); numbers are inferred. Arrays are (row, col) over
the window's cells.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from carbonray.synthetic.city.activity import Activity
from carbonray.synthetic.city.emissions import SECTORS, Emissions
from carbonray.synthetic.city.fields import Floats
from carbonray.synthetic.city.geography import PLOTS, Geography, by_cell

T_C_PER_T_CO2 = 12.0 / 44.0
MONTHS = 12


@dataclass(frozen=True)
class LabelRules:
    """How the night is seen and the label made; numbers are inferred.

    Attributes:
        blur_km: spread of a light on the sensor.
        saturation: brightest value of the sensor, that of DMSP-OLS's six bits.
        half_light: light, in units of the city's mean, at which half of the brightest value is reached.
        dark: sensor values below it are taken for darkness: no emission.
        noise: of a sensor value, relative.
        misplaced_km: farthest that a power station is listed from where it stands.
        winter: how much more than the mean month December and January emit.
        year: of the label.
    """

    blur_km: float = 0.9
    saturation: float = 63.0
    half_light: float = 1.2
    dark: float = 8.0
    noise: float = 0.05
    misplaced_km: float = 2.0
    winter: float = 0.25
    year: int = 2018


@dataclass(frozen=True)
class Labels:
    """Night light and label of a city's window.

    Attributes:
        night_light: (row, col) sensor values, 0 to the saturation.
        t_co2: (row, col) the ODIAC-like label, tonnes of CO2 a year; 0 where the night is dark.
    """

    night_light: Floats
    t_co2: Floats


def drawn_labels(
    rules: LabelRules, lie: Geography, activity: Activity, emissions: Emissions, rng: np.random.Generator
) -> Labels:
    """The city's total, redistributed by light, with its power stations about where they are."""
    seen = _night(rules, lie, activity)
    lit = np.where(seen < rules.dark, 0.0, seen)
    spread = emissions.by_sector[: SECTORS.index("power")].sum()
    label = spread * lit / lit.sum()
    cell_m = np.array(lie.window.cell_m)
    turn = rng.uniform(0, 2 * np.pi, len(activity.stations))
    off = 1e3 * rules.misplaced_km * np.sqrt(rng.uniform(0, 1, turn.size))
    listed = (activity.stations + 0.5) / PLOTS * cell_m + off[:, None] * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    at = np.clip(np.floor(listed / cell_m).astype(int), 0, np.array(label.shape) - 1)
    np.add.at(label, tuple(at.T), emissions.stations_t_co2)
    light = seen * (1.0 + rules.noise * rng.standard_normal(seen.shape))
    return Labels(np.clip(light, 0.0, rules.saturation), label)


def monthly_t_c(rules: LabelRules, t_co2: Floats) -> Floats:
    """(month, row, col) tonnes of carbon a month, January first; twelve months are the year's tonnes of CO2."""
    warmth = np.cos(2 * np.pi * np.arange(MONTHS) / MONTHS)
    share = (1.0 + rules.winter * warmth) / MONTHS
    return np.asarray(share[:, None, None] * t_co2 * T_C_PER_T_CO2)


def _night(rules: LabelRules, lie: Geography, activity: Activity) -> Floats:
    """Light of homes, shops, roads and works, blurred, then saturated."""
    sources = (activity.people, activity.floor_m2, activity.road_km, np.minimum(activity.site_scale, 4.0))
    light = sum(
        weight * each / max(each[lie.inside].mean(), 1e-9)
        for weight, each in zip((0.3, 0.3, 0.3, 0.1), map(by_cell, sources), strict=True)
    )
    blurred = gaussian_filter(light, [1e3 * rules.blur_km / side for side in lie.window.cell_m])
    return np.asarray(rules.saturation * (1.0 - np.exp2(-blurred / rules.half_light)))

"""What the cells of a synthetic city emit in a year, in truth: five sectors, hidden efficiencies, and neighbours.

Source: SCIENCE 1.8, points 5 and 8; numbers are inferred. Emissions are (row, col) over the window's cells, tonnes of
CO2 a year. The oracle knows every activity but no efficiency: what it misses is the ceiling of any model.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from carbonray.errors import SettingsError
from carbonray.synthetic.city.activity import Activity
from carbonray.synthetic.city.fields import Floats
from carbonray.synthetic.city.geography import PLOTS, by_cell

SECTORS = ("residential", "commercial", "traffic", "industry", "power")
MAX_COUPLING = 0.6  # SCIENCE 1.8


@dataclass(frozen=True)
class EmissionRules:
    """How activities emit; numbers are inferred.

    Attributes:
        degree_days: heating degree days of the city, K d.
        person_t_per_degree_day: t CO2 a person and heating degree day.
        floor_t_m2: t CO2 a square metre of commercial floor.
        road_t_km: t CO2 a kilometre of road at the city's mean flow.
        site_t: t CO2 of the median industrial site.
        site_hidden: of the ln of a site's emissions about what its scale says; with the scale's 1.2 it makes the 1.5
            of SCIENCE 1.8.
        power_t: least and most of a power station, evenly in the logarithm.
        hidden: of the ln efficiency of each other sector in a cell.
        coupling: rho of SCIENCE 1.8, 0 to 0.6: the share of a cell's emissions that is its 3 x 3 neighbourhood's, and
            the neighbours' share of its traffic; at 0 no way leads from a neighbour to a cell.
    """

    degree_days: float = 2400.0
    person_t_per_degree_day: float = 0.00055
    floor_t_m2: float = 0.075
    road_t_km: float = 700.0
    site_t: float = 1800.0
    site_hidden: float = 0.9
    power_t: tuple[float, float] = (2e5, 3e6)
    hidden: float = 0.4
    coupling: float = 0.3


@dataclass(frozen=True)
class Emissions:
    """The emissions of a city's cells.

    Attributes:
        by_sector: (sector, row, col) tonnes of CO2 a year, in the order of SECTORS; they sum to the truth.
        oracle_t_co2: (row, col) the same from activities alone, every efficiency at its median.
        stations_t_co2: (source,) of the power stations, before neighbours are mixed.
    """

    by_sector: Floats
    oracle_t_co2: Floats
    stations_t_co2: Floats

    @property
    def t_co2(self) -> Floats:
        """(row, col) the truth, tonnes of CO2 a year."""
        return np.asarray(self.by_sector.sum(axis=0))


def drawn_emissions(rules: EmissionRules, activity: Activity, rng: np.random.Generator) -> Emissions:
    """Emissions of a city's activities.

    Raises:
        SettingsError: the coupling lies outside 0 to 0.6.
    """
    if not 0.0 <= rules.coupling <= MAX_COUPLING:
        raise SettingsError(
            f"a coupling of {rules.coupling}",
            where="city.emission.coupling",
            expected=f"0 to {MAX_COUPLING}",
            remedy="Set it inside; 0 is the negative control without neighbours.",
        )
    shape = activity.own_trips.shape
    size = np.geomspace(*rules.power_t, 64)[rng.integers(0, 64, len(activity.stations))]
    hidden = np.exp(rules.hidden * rng.standard_normal((len(SECTORS), *shape)))
    sites = activity.site_scale * np.exp(rules.site_hidden * rng.standard_normal(activity.site_scale.shape))
    calm = _sectors(rules, activity, activity.site_scale, size)
    true = _sectors(rules, activity, sites, size) * hidden
    true[3:] /= hidden[3:]  # sites drew their own, and power stations report theirs
    mixed, oracle = _with_neighbors(true, rules.coupling), _with_neighbors(calm, rules.coupling)
    return Emissions(mixed, oracle.sum(axis=0), size)


def _sectors(rules: EmissionRules, activity: Activity, sites: NDArray[np.floating], stations_t: Floats) -> Floats:
    heating = rules.degree_days * rules.person_t_per_degree_day
    power = np.zeros(activity.own_trips.shape)
    np.add.at(power, tuple((activity.stations // PLOTS).T), stations_t)
    return np.stack([
        by_cell(activity.people) * heating,
        by_cell(activity.floor_m2) * rules.floor_t_m2,
        by_cell(activity.road_km) * activity.flow(rules.coupling) * rules.road_t_km,
        by_cell(sites) * rules.site_t,
        power,
    ])  # fmt: skip


def _with_neighbors(each: Floats, coupling: float) -> Floats:
    mean = uniform_filter(each, size=(1, 3, 3), mode="nearest")
    return np.asarray((1.0 - coupling) * each + coupling * np.maximum(mean, 0.0))

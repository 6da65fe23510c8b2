"""What people do in a synthetic city: where they live, work, drive and manufacture.

Source: SCIENCE 1.8, point 5; numbers are inferred. These are the latent activities that emissions follow from, and that
images and points of interest show imperfectly. Arrays are (y, x) over plots, or (row, col) over cells where said.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from carbonray.synthetic.city.fields import Field, Floats
from carbonray.synthetic.city.geography import PLOTS, Geography, by_cell
from carbonray.synthetic.city.zones import INDUSTRY, UTILITY, Zones


@dataclass(frozen=True)
class ActivityRules:
    """How activity fills zones; numbers are inferred. Tuples are in the order of ZONES.

    Attributes:
        living: people of a plot relative to its geography.
        floor_area: commercial floor over ground area, at full vigor.
        streets_km_km2: local streets over ground area.
        trips_person, trips_floor: traffic that a person, and 100 m2 of commercial floor, give rise to.
        reach_km: distance over which trips fall off (gravity model).
        site_share: share of industrial plots that hold a site.
        site_spread: of ln scale from site to site, as far as it can be seen.
        unlisted_share: share of sites without any point of interest: their function is known by imagery alone.
        power_stations: fewest and most point sources of a city.
    """

    living: tuple[float, ...] = (0.5, 0.9, 1.5, 0.9, 0.1, 0.08, 0.02, 0.01)
    floor_area: tuple[float, ...] = (1.0, 0.22, 0.03, 0.008, 0.06, 0.1, 0.001, 0.01)
    streets_km_km2: tuple[float, ...] = (18.0, 15.0, 15.0, 12.0, 7.0, 7.0, 1.5, 3.0)
    trips_person: float = 1.0
    trips_floor: float = 1.5
    reach_km: float = 2.5
    site_share: float = 0.55
    site_spread: float = 1.2
    unlisted_share: float = 0.3
    power_stations: tuple[int, int] = (0, 3)


@dataclass(frozen=True)
class Activity:
    """The latent activities of a city.

    Attributes:
        people: residents of a plot.
        floor_m2: commercial floor.
        road_km: all roads.
        site_scale: size of the industrial site, median 1; 0 where there is none.
        listed: whether a plot's industry has points of interest.
        stations: (source, 2) plots, row and column, of the power stations.
        own_trips, reached_trips: (row, col) trips by cell that start in it, and that come from all other cells, each
            with a mean of one over the city.
    """

    people: Field
    floor_m2: Field
    road_km: Field
    site_scale: Field
    listed: NDArray[np.bool_]
    stations: NDArray[np.int64]
    own_trips: Floats
    reached_trips: Floats

    def flow(self, coupling: float) -> Floats:
        """(row, col) traffic on a cell's roads, mean one over the city; the neighbours' part of it is the coupling."""
        return (1.0 - coupling) * self.own_trips + coupling * self.reached_trips


def drawn_activity(rules: ActivityRules, lie: Geography, zones: Zones, rng: np.random.Generator) -> Activity:
    """Activities over a city's zones."""
    km2 = np.prod(lie.window.plot_m) / 1e6
    living, floor, streets = (
        np.array(each, np.float32)[zones.zone] for each in (rules.living, rules.floor_area, rules.streets_km_km2)
    )
    people = lie.people_km2 * living * np.float32(km2)
    floor_m2 = floor * (0.3 + 1.4 * zones.vigor) * lie.land * np.float32(km2 * 1e6)
    road_km = lie.road_m / 1e3 + streets * lie.land * np.float32(km2)
    shape = zones.zone.shape
    built = (zones.zone == INDUSTRY) & lie.land & (rng.random(shape) < rules.site_share)
    scale = np.where(built, np.exp(rules.site_spread * rng.standard_normal(shape)), 0.0).astype(np.float32)
    listed = rng.random(shape) >= rules.unlisted_share
    trips = by_cell(rules.trips_person * people + rules.trips_floor * floor_m2 / 100.0)
    own, reached = (each / each[lie.inside].mean() for each in (trips, _reached(trips, rules, lie)))
    return Activity(people, floor_m2, road_km, scale, listed, _stations(rules, lie, zones, rng), own, reached)


def _reached(trips: Floats, rules: ActivityRules, lie: Geography) -> Floats:
    """(row, col) trips that reach a cell from all others, weighed by distance."""
    sigma = [rules.reach_km * 1e3 / side for side in lie.window.cell_m]
    alone = np.zeros_like(trips)
    alone[trips.shape[0] // 2, trips.shape[1] // 2] = 1.0
    itself = gaussian_filter(alone, sigma, mode="constant").max()
    return np.asarray(np.maximum(gaussian_filter(trips, sigma, mode="constant") - itself * trips, 0.0))


def _stations(rules: ActivityRules, lie: Geography, zones: Zones, rng: np.random.Generator) -> NDArray[np.int64]:
    """Plots of the power stations: of the utility zone inside the city, in different cells."""
    count = int(rng.integers(rules.power_stations[0], rules.power_stations[1] + 1))
    inside = np.kron(lie.inside, np.ones((PLOTS, PLOTS), bool))
    for zone in (UTILITY, INDUSTRY):
        at = rng.permutation(np.argwhere((zones.zone == zone) & inside & lie.land))
        _, first = np.unique(at // PLOTS, axis=0, return_index=True)
        if len(first) >= count:
            return np.asarray(at[np.sort(first)[:count]], np.int64)
    return np.empty((0, 2), np.int64)

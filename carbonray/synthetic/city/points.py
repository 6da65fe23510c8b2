"""The points of interest of a synthetic city, cell by cell, as open data has them: clustered, incomplete, partly wrong.

Source: SCIENCE 1.8, point 3; numbers are inferred. Each category is a Poisson process over plots whose intensity
follows the zone, ln population and a random field; retail and food come in clusters (Thomas process). Points are then
lost by category and zone, and some are filed under a wrong or an unknown class. Places are parts of 65536 of a cell,
from its north-west corner. A cell is a function of its key: points of its neighbours never enter it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.city.activity import Activity
from carbonray.synthetic.city.fields import Field
from carbonray.synthetic.city.geography import PLOTS, Geography
from carbonray.synthetic.city.zones import INDUSTRY, ZONES, Zones

CATEGORIES: dict[str, tuple[str, ...]] = {  # the classes, in Geofabrik's words, that each is drawn from
    "food": ("restaurant", "cafe", "fast_food", "pub", "bar"),
    "shopping": ("supermarket", "convenience", "clothes", "bakery", "department_store", "mall"),
    "services": ("hairdresser", "laundry", "travel_agent", "post_office", "beauty_shop"),
    "vehicles": ("fuel", "car_repair", "car_wash", "car_dealership"),
    "recreation": ("theatre", "cinema", "sports_centre", "playground", "park", "pitch"),
    "health": ("pharmacy", "doctors", "dentist", "hospital", "clinic"),
    "tourism": ("hotel", "museum", "attraction", "hostel", "guesthouse"),
    "residential": ("apartments", "residential", "dormitory"),
    "government": ("police", "townhall", "fire_station", "courthouse"),
    "education": ("school", "kindergarten", "university", "library", "college"),
    "community": ("place_of_worship", "community_centre", "nursing_home"),
    "transport": ("bus_stop", "railway_station", "parking", "taxi", "subway_entrance"),
    "finance": ("bank", "atm", "insurance"),
    "offices": ("office", "company", "lawyer", "estate_agent"),
    "industry": ("factory", "works", "warehouse", "wastewater_plant", "power_plant"),
}
UNKNOWN_CLASSES = ("yes", "xx_misc", "unclassified_thing")
_CLUSTERED = ("food", "shopping")
_PARTS = 65536
_INDUSTRIAL = list(CATEGORIES).index("industry")

# ln points a square kilometre at the city's mean density; columns are ZONES
_LEVEL = np.array([
    # cbd mixed dense  low  indus logis green util
    [4.3, 3.7, 2.6, 1.0, 0.6, 0.8, -1.2, -2.5],  # food
    [4.2, 3.9, 2.5, 0.9, 0.4, 0.9, -2.0, -2.5],  # shopping
    [3.4, 3.2, 2.5, 1.2, 0.6, 0.4, -2.0, -2.5],  # services
    [0.9, 1.5, 0.8, 0.5, 1.7, 2.0, -1.5, -1.5],  # vehicles
    [2.4, 2.0, 1.6, 1.2, -0.5, -0.8, 1.5, -2.5],  # recreation
    [2.6, 2.5, 2.0, 0.9, -0.6, -0.8, -2.5, -2.5],  # health
    [3.0, 2.0, 0.4, -0.3, -1.2, -0.3, -0.5, -2.5],  # tourism
    [1.2, 1.6, 2.8, 2.0, -1.0, -1.5, -2.5, -2.5],  # residential
    [2.2, 1.5, 0.8, 0.1, -0.5, -0.5, -1.8, -0.8],  # government
    [2.2, 2.0, 2.0, 1.4, -0.8, -1.2, -1.5, -2.5],  # education
    [1.8, 1.7, 1.7, 1.1, -0.6, -1.0, -0.8, -2.5],  # community
    [3.2, 2.9, 2.4, 1.6, 1.6, 2.6, -0.3, -0.8],  # transport
    [3.3, 2.5, 1.1, -0.2, -0.8, -0.3, -3.0, -2.5],  # finance
    [4.3, 3.4, 0.8, 0.0, 1.0, 1.2, -2.8, -1.0],  # offices
    [-0.8, -0.2, -0.8, -1.0, 3.2, 2.5, -2.5, 2.6],  # industry
])  # fmt: skip
_BY_PEOPLE = np.array([0.6, 0.6, 0.7, 0.3, 0.3, 0.6, 0.3, 0.9, 0.2, 0.6, 0.5, 0.4, 0.5, 0.4, 0.0])


@dataclass(frozen=True)
class PointRules:
    """How points are drawn, lost and misfiled; numbers are inferred.

    Attributes:
        level: points of the city over those of the table, its kappa in SCIENCE 1.8.
        spread: of ln intensity from place to place, by category.
        range_km: correlation of that spread.
        cluster: mean points of a cluster of shops or restaurants.
        cluster_m: their distance from its middle.
        completeness: least and most share of points that the data has, by category and zone.
        mislabel: share of points under a class of another category.
        unknown: share of points under a class that no map knows.
        visible: kappa_poi: share of cells whose points tell of the cell; the others' tell of a city that is not there.
    """

    level: float = 1.0
    spread: float = 0.35
    range_km: float = 1.5
    cluster: float = 5.0
    cluster_m: float = 60.0
    completeness: tuple[float, float] = (0.4, 1.0)
    mislabel: float = 0.05
    unknown: float = 0.01
    visible: float = 1.0


@dataclass(frozen=True)
class CellPoints:
    """The points of one cell.

    Attributes:
        fclass: class of each, as the data has it.
        category: place in CATEGORIES by that class; -1 where it is unknown.
        y, x: parts of 65536 of the cell, southward and eastward.
    """

    fclass: tuple[str, ...]
    category: NDArray[np.int16]
    y: NDArray[np.uint16]
    x: NDArray[np.uint16]


def point_rates(rules: PointRules, lie: Geography, zones: Zones, activity: Activity, rng: np.random.Generator) -> Field:
    """(category, y, x) points that the data is expected to have in each plot."""
    km2 = np.prod(lie.window.plot_m) / 1e6
    crowd = np.log(np.maximum(lie.people_km2 / lie.rules.people_km2, 0.05))
    noise = np.stack([lie.window.field(rng, rules.range_km * 1e3) for _ in CATEGORIES])
    kept = rng.uniform(*rules.completeness, (len(CATEGORIES), len(ZONES)))
    ln_rate = _LEVEL[:, zones.zone] + _BY_PEOPLE[:, None, None] * crowd + rules.spread * noise
    rate = rules.level * km2 * np.exp(ln_rate) * kept[:, zones.zone] * lie.land
    hidden = (zones.zone == INDUSTRY) & (activity.site_scale > 0) & ~activity.listed
    rate[_INDUSTRIAL] *= np.where(hidden, 0.0, np.clip(activity.site_scale, 0.3, 4.0))
    return np.asarray(rate, np.float32)


def drawn_points(rules: PointRules, rate: Field, cell_m: tuple[float, float], rng: np.random.Generator) -> CellPoints:
    """The points of a cell from the (category, PLOTS, PLOTS) rates of its plots."""
    names = tuple(CATEGORIES)
    clustered = np.array([name in _CLUSTERED for name in names])[:, None, None]
    middles = rng.poisson(np.where(clustered, rate / rules.cluster, rate))
    category, row, col = (np.repeat(index.ravel(), middles.ravel()) for index in np.indices(rate.shape))
    middle = [(at + rng.uniform(0, 1, at.size)) / PLOTS for at in (row, col)]
    followers = np.where(clustered[category, 0, 0], rng.poisson(rules.cluster, category.size), 1)
    category = np.repeat(category, followers)
    scatter = clustered[category, 0, 0] * rules.cluster_m
    y, x = (
        _folded(np.repeat(at, followers) + scatter * rng.standard_normal(category.size) / side)
        for at, side in zip(middle, cell_m, strict=True)
    )
    wrong = rng.random(category.size) < rules.mislabel
    filed = np.where(wrong, (category + rng.integers(1, len(names), category.size)) % len(names), category)
    filed = np.where(rng.random(category.size) < rules.unknown, -1, filed)
    pick = rng.integers(0, 2**16, category.size)
    words = [UNKNOWN_CLASSES if place < 0 else CATEGORIES[names[place]] for place in filed.tolist()]
    fclass = tuple(each[turn % len(each)] for each, turn in zip(words, pick.tolist(), strict=True))
    return CellPoints(fclass, filed.astype(np.int16), *((at * _PARTS).astype(np.uint16) for at in (y, x)))


def _folded(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places thrown back inside a cell at its edges."""
    turned = np.mod(at, 2.0)
    return np.minimum(np.where(turned > 1.0, 2.0 - turned, turned), 1.0 - 2.0**-17)

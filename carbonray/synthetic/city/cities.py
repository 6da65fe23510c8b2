"""The synthetic cities: a London-, a Beijing- and a Yinchuan-like one, a city for the shift tier, and a small one.

Source: SCIENCE 1.1 (numbers of cells), 1.8; other numbers are inferred. A city is a pure function of its rules; so is
every cell's picture and every cell's points, by the cell's number alone. None lies where a real city is: each has the
latitude of its model, at a longitude over the open sea.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError, SettingsError
from carbonray.science.spatial.cells import COLS as LATTICE_COLS
from carbonray.science.spatial.cells import cell_id, row_col
from carbonray.synthetic.city.activity import Activity, ActivityRules, drawn_activity
from carbonray.synthetic.city.emissions import EmissionRules, Emissions, drawn_emissions
from carbonray.synthetic.city.fields import Field, generator
from carbonray.synthetic.city.geography import PLOTS, Geography, GeographyRules, drawn_geography, window_of
from carbonray.synthetic.city.imagery import Scene, cell_picture, drawn_scene
from carbonray.synthetic.city.labels import LabelRules, Labels, drawn_labels
from carbonray.synthetic.city.photograph import PhotographRules
from carbonray.synthetic.city.points import CellPoints, PointRules, drawn_points, point_rates
from carbonray.synthetic.city.zones import ZoneRules, Zones, drawn_zones

_ELSEWHERE = 1000  # added to the key of a city for the one that is not there
Shuffle = Literal["points", "layout"]


@dataclass(frozen=True)
class CityRules:
    """One city; numbers are inferred.

    Attributes:
        name: what its mask calls it.
        key: its number in every seed.
        lat, lon: about its middle, degrees.
        cells: number of its cells.
        palette: key of `looks.PALETTES`.
        tier: data tier.
        seed: of everything.
        shuffled: negative controls: `points` deals the cells' points out anew, `layout` whole cells with all they
            hold, so that neighbours are strangers.
        geography, zones, activity, points, photograph, emission, label: the rooms' own rules.
    """

    name: str
    key: int
    lat: float
    lon: float
    cells: int
    palette: str
    tier: str = "SYNTHETIC-T1"
    seed: int = 2018
    shuffled: tuple[Shuffle, ...] = ()
    geography: GeographyRules = field(default_factory=GeographyRules)
    zones: ZoneRules = field(default_factory=ZoneRules)
    activity: ActivityRules = field(default_factory=ActivityRules)
    points: PointRules = field(default_factory=PointRules)
    photograph: PhotographRules = field(default_factory=PhotographRules)
    emission: EmissionRules = field(default_factory=EmissionRules)
    label: LabelRules = field(default_factory=LabelRules)


CITIES: dict[str, CityRules] = {
    rules.name: rules
    for rules in (
        CityRules("london_like", 1, 51.5, -24.0, 778, "temperate"),
        CityRules(
            "beijing_like", 2, 39.9, 155.0, 1381, "continental",
            geography=GeographyRules(
                centres=4, core_km=7.5, people_km2=7600.0, river_m=0.0, lakes=0.02, radials=8,
                rings_km=(3.5, 6.5, 10.0, 15.0), grid_km=2.6, main_road_m=42.0, ragged=0.16,
            ),
            zones=ZoneRules(level=(-3.1, -0.6, 0.45, 0.25, -0.4, -0.85, 0.05, -1.3)),
            points=PointRules(level=0.8, completeness=(0.5, 1.0), mislabel=0.03),
            emission=EmissionRules(
                degree_days=2900.0, person_t_per_degree_day=0.0007, floor_t_m2=0.11, road_t_km=800.0, site_t=3600.0,
                power_t=(5e5, 6e6), coupling=0.35,
            ),
            activity=ActivityRules(power_stations=(2, 3)),
        ),
        CityRules(
            "yinchuan_like", 3, 38.5, 160.0, 475, "arid",
            geography=GeographyRules(
                centres=2, core_km=4.5, people_km2=3100.0, river_m=320.0, lakes=0.05, radials=5, rings_km=(7.0,),
                grid_km=2.2, main_road_m=46.0, ragged=0.3,
            ),
            zones=ZoneRules(level=(-3.4, -0.9, 0.05, 0.35, -0.2, -0.75, 0.45, -1.35)),
            points=PointRules(level=0.45, completeness=(0.4, 0.85), mislabel=0.08),
            emission=EmissionRules(
                degree_days=3500.0, person_t_per_degree_day=0.00085, floor_t_m2=0.13, road_t_km=500.0, site_t=5200.0,
                power_t=(8e5, 7e6), coupling=0.25,
            ),
            label=LabelRules(year=2019),
            activity=ActivityRules(power_stations=(1, 2)),
        ),
        CityRules(
            "shift", 4, 14.6, -34.0, 620, "tropical", "SYNTHETIC-T2",
            geography=GeographyRules(
                centres=5, core_km=4.0, people_km2=9800.0, coast=True, radials=6, rings_km=(), grid_km=3.2,
                main_road_m=22.0, ragged=0.35,
            ),
            zones=ZoneRules(level=(-3.0, -0.3, 0.7, 0.2, -0.7, -0.9, 0.15, -1.5)),
            points=PointRules(level=0.6, completeness=(0.4, 0.8), mislabel=0.1),
            emission=EmissionRules(
                degree_days=150.0, person_t_per_degree_day=0.003, floor_t_m2=0.09, road_t_km=600.0, site_t=2600.0,
            ),
        ),
        CityRules(
            "demo", 5, 47.2, -28.0, 100, "temperate",
            geography=GeographyRules(centres=2, core_km=2.6, people_km2=4200.0, rings_km=(2.4,), grid_km=3.0),
            activity=ActivityRules(power_stations=(1, 1)),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class City:
    """One city, drawn.

    Attributes:
        rules: what it was drawn by.
        lie, zones, activity, emissions, labels: its parts, as arrays over its window.
        cells: (n,) numbers of its cells, ascending.
    """

    rules: CityRules
    lie: Geography
    zones: Zones
    activity: Activity
    emissions: Emissions
    labels: Labels
    cells: NDArray[np.int64]

    @cached_property
    def scene(self) -> Scene:
        """What its pictures are drawn from."""
        parts, rng = (self.lie, self.zones, self.activity), _rng(self.rules, "scene")
        return drawn_scene(self.rules.photograph, self.rules.palette, parts, self.rules.emission.coupling, rng)

    @cached_property
    def rates(self) -> Field:
        """(category, y, x) expected points of its plots."""
        return point_rates(self.rules.points, self.lie, self.zones, self.activity, _rng(self.rules, "rates"))

    @cached_property
    def elsewhere(self) -> "City":
        """A city of the same rules and another draw: what cells show that do not tell of themselves."""
        return drawn_city(dataclasses.replace(self.rules, key=self.rules.key + _ELSEWHERE))

    @cached_property
    def dealt(self) -> dict[str, NDArray[np.int64]]:
        """By control, whose content each cell has: places in `cells`."""
        count = self.cells.size
        return {
            name: _rng(self.rules, "shuffle", turn).permutation(count)
            if name in self.rules.shuffled
            else np.arange(count)
            for turn, name in enumerate(("points", "layout"))
        }

    def place(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of cells in `cells`.

        Raises:
            ContractError: one is no cell of the city.
        """
        found = np.minimum(np.searchsorted(self.cells, cells), self.cells.size - 1)
        if not np.array_equal(self.cells[found], cells):
            raise ContractError(
                f"{int((self.cells[found] != cells).sum())} cells that are not of the city",
                where=f"city {self.rules.name}",
                expected="numbers out of City.cells",
                remedy="Ask for the cells that the city's mask holds.",
            )
        return found

    def where(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(row, col) in the window of the cells whose content stands at those places, layout shuffled or not."""
        row, col = row_col(self.cells[self.dealt["layout"][places]])
        return row - self.lie.window.row, (col - self.lie.window.col) % LATTICE_COLS


def city_rules(name: str) -> CityRules:
    """The rules of a city by its name.

    Raises:
        SettingsError: there is no such city.
    """
    if name not in CITIES:
        raise SettingsError(
            f"no city {name!r}",
            where="city.names",
            expected=f"one of {sorted(CITIES)}",
            remedy="Correct the name; a new city is one entry in carbonray.synthetic.city.cities.CITIES.",
        )
    return CITIES[name]


def drawn_city(rules: CityRules) -> City:
    """The city of some rules: a second's work, no picture and no point yet."""
    window = window_of(rules.lat, rules.lon, rules.cells)
    lie = drawn_geography(rules.geography, window, rules.cells, _rng(rules, "geography"))
    zones = drawn_zones(rules.zones, lie, _rng(rules, "zones"))
    activity = drawn_activity(rules.activity, lie, zones, _rng(rules, "activity"))
    emissions = drawn_emissions(rules.emission, activity, _rng(rules, "emissions"))
    labels = drawn_labels(rules.label, lie, activity, emissions, _rng(rules, "label"))
    row, col = np.nonzero(lie.inside)
    cells = np.sort(cell_id(window.row + row, window.col + col))
    return City(rules, lie, zones, activity, emissions, labels, cells)


def cell_image(city: City, cell: int, px: int) -> NDArray[np.uint8]:
    """(3, px, px) picture of a cell, red first, row 0 north; the same whoever draws it.

    Raises:
        ContractError: it is no cell of the city.
    """
    place = city.place(np.array([cell]))
    row, col = city.where(place)
    seen = city if _tells(city, 0)[place[0]] < city.rules.photograph.visible else city.elsewhere
    return cell_picture(seen.scene, int(row[0]), int(col[0]), px)


def cell_points(city: City, cell: int) -> CellPoints:
    """The points of interest of a cell; the same whoever draws them.

    Raises:
        ContractError: it is no cell of the city.
    """
    place = city.dealt["points"][city.place(np.array([cell]))]
    (row, col), rules = city.where(place), city.rules
    shown = city if _tells(city, 1)[place[0]] < rules.points.visible else city.elsewhere
    top, left = int(row[0]) * PLOTS, int(col[0]) * PLOTS
    rate = shown.rates[:, top : top + PLOTS, left : left + PLOTS]
    key = int(city.cells[city.dealt["layout"][place[0]]])
    return drawn_points(rules.points, rate, city.lie.window.cell_m, _rng(shown.rules, "points", key))


def city_points(city: City) -> Iterator[tuple[int, CellPoints]]:
    """Each cell of a city with its points, in the order of their numbers."""
    return ((cell, cell_points(city, cell)) for cell in city.cells.tolist())


def _tells(city: City, of: int) -> NDArray[np.float64]:
    """(cell,) uniform numbers: a modality tells of a cell where they lie below its share."""
    return _rng(city.rules, "veil", of).random(city.cells.size)


def _rng(rules: CityRules, stream: str, *key: int) -> np.random.Generator:
    return generator(rules.seed, rules.key, stream, *key)

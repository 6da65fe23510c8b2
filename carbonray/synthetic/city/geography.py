"""Where a synthetic city lies: its cells, water, centres, roads and people.

Source: SCIENCE 1.8, point 1; numbers are inferred. A city has a window of cells of the 30 arc second lattice, and each
cell PLOTS x PLOTS plots. Places are metres south and east of the window's north-west corner, on a plane as wide as the
parallel of the city's middle. Arrays are (y, x) over the window's plots, or its cells where that is said, row 0 north.
"""

import heapq
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from carbonray.science.spatial.cells import STEP_DEG, cell_at
from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM
from carbonray.synthetic.city.fields import Field, Floats, smooth_field

PLOTS = 4  # along a cell's side
_MARGIN = 2  # cells between a city and the edge of its window
_ROAD_STEP_M = 10.0
_TO_THE_SEA = 0.15  # of the window's size, from its middle (inferred)


@dataclass(frozen=True)
class GeographyRules:
    """The lie of a city; numbers are inferred.

    Attributes:
        centres: number of centres, 1 to 5; sizes fall as 1, 1/2, 1/3 (Zipf).
        core_km: distance over which the first centre's density falls to 1/e; later centres are narrower.
        people_km2: mean population density of the city's cells.
        spread: of ln density about the centres' sum.
        range_km: of that spread's correlation.
        ragged: how far the city's outline departs from a circle, as a share of the radius.
        river_m: width of the river through the city; 0 for none.
        coast: the city lies on a sea to its south-east.
        lakes: share of the window under lakes.
        radials: main roads out of the first centre.
        rings_km: radii of the ring roads.
        grid_km: spacing of the other main roads.
        main_road_m: width of a main road.
    """

    centres: int = 3
    core_km: float = 5.0
    people_km2: float = 5000.0
    spread: float = 0.45
    range_km: float = 3.0
    ragged: float = 0.25
    river_m: float = 230.0
    coast: bool = False
    lakes: float = 0.0
    radials: int = 9
    rings_km: tuple[float, ...] = (6.0,)
    grid_km: float = 4.0
    main_road_m: float = 24.0


@dataclass(frozen=True)
class Window:
    """A rectangle of cells, and the plane over it.

    Attributes:
        row, col: its north-west cell on the lattice; a column may lie beyond the date line.
        rows, cols: its size in cells.
        cell_m: height and width of a cell.
    """

    row: int
    col: int
    rows: int
    cols: int
    cell_m: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of plots."""
        return self.rows * PLOTS, self.cols * PLOTS

    @property
    def plot_m(self) -> tuple[float, float]:
        """Height and width of a plot."""
        return self.cell_m[0] / PLOTS, self.cell_m[1] / PLOTS

    @property
    def size_m(self) -> tuple[float, float]:
        """Height and width of the window."""
        return self.rows * self.cell_m[0], self.cols * self.cell_m[1]

    def plot_centres_m(self) -> tuple[Floats, Floats]:
        """(y, 1) metres south and (1, x) metres east of the plots' middles."""
        (rows, cols), (tall, wide) = self.shape, self.plot_m
        return np.asarray((np.arange(rows)[:, None] + 0.5) * tall), np.asarray((np.arange(cols)[None, :] + 0.5) * wide)

    def field(self, rng: np.random.Generator, range_m: float) -> Field:
        """(y, x) smooth random field over the plots."""
        return smooth_field(rng, self.shape, self.plot_m, range_m)


@dataclass(frozen=True)
class Geography:
    """The lie of one city.

    Attributes:
        window: its cells.
        inside: (row, col) cells of the city.
        river: metres north or south of the river's middle line, smooth; infinite without one.
        shore: positive on land, negative in seas and lakes, smooth.
        nearness: 1 at a centre, falling away from it.
        people_km2: population density.
        roads: (segment, 5) south and east of both ends, metres, and the width.
        road_m: metres of main road.
        rules: what it was drawn by.
    """

    window: Window
    inside: NDArray[np.bool_]
    river: Field
    shore: Field
    nearness: Field
    people_km2: Field
    roads: Floats
    road_m: Field
    rules: GeographyRules

    @cached_property
    def land(self) -> NDArray[np.bool_]:
        """Plots that are not under water."""
        return (np.abs(self.river) > self.rules.river_m / 2.0) & (self.shore > 0.0)


def window_of(lat: float, lon: float, cells: int) -> Window:
    """The window around a place that leaves a city of so many cells room to sprawl."""
    height = np.deg2rad(STEP_DEG) * EARTH_RADIUS_KM * 1e3
    cell_m = (float(height), float(height * np.cos(np.deg2rad(lat))))
    radius = np.sqrt(cells * cell_m[0] * cell_m[1] / np.pi)
    half = [int(np.ceil(1.35 * radius / side)) + _MARGIN for side in cell_m]
    row, col = cell_at(lat, lon)
    return Window(int(row) - half[0], int(col) - half[1], 2 * half[0] + 1, 2 * half[1] + 1, cell_m)


def drawn_geography(rules: GeographyRules, window: Window, cells: int, rng: np.random.Generator) -> Geography:
    """The lie of a city of so many cells."""
    river, shore = _water(rules, window, rng)
    land = (np.abs(river) > rules.river_m / 2.0) & (shore > 0.0)
    centres, reach_m, weight = _centres(rules, window, cells, rng)
    south, east = window.plot_centres_m()
    away = np.stack([np.hypot(south - y, east - x) / far for (y, x), far in zip(centres, reach_m, strict=True)])
    density = np.tensordot(weight, np.exp(-away), axes=1)
    density = density * np.exp(rules.spread * window.field(rng, rules.range_km * 1e3)) * land
    inside = _outline(rules, window, cells, (centres[0], by_cell(land.astype(np.float32))), rng)
    scale = rules.people_km2 / by_cell(density)[inside].mean() * PLOTS**2
    roads = _roads(rules, window, centres, rng)
    nearness = np.exp(-away.min(axis=0)).astype(np.float32)
    road_m = _road_lengths(window, roads) * land
    return Geography(window, inside, river, shore, nearness, (density * scale).astype(np.float32), roads, road_m, rules)


def by_cell(plots: NDArray[np.floating]) -> Floats:
    """(..., row, col) sums of plots over each cell."""
    *lead, rows, cols = plots.shape
    blocks = plots.reshape(*lead, rows // PLOTS, PLOTS, cols // PLOTS, PLOTS)
    return np.asarray(blocks.sum(axis=(-3, -1), dtype=np.float64))


def _water(rules: GeographyRules, window: Window, rng: np.random.Generator) -> tuple[Field, Field]:
    south, east = window.plot_centres_m()
    tall, wide = window.size_m
    bends, shores = window.field(rng, 5e3), window.field(rng, 2.5e3)
    slope = rng.uniform(-0.35, 0.35)
    middle = tall * rng.uniform(0.48, 0.6) + slope * (east - wide / 2)
    river = south - middle + 900.0 * bends if rules.river_m else np.full(window.shape, np.inf)
    shore = np.full(window.shape, 1e3)
    if rules.coast:
        seaward = 0.55 * (south - tall / 2) + 0.83 * (east - wide / 2)
        shore = _TO_THE_SEA * (tall + wide) / 2 - seaward + 700.0 * bends
    if rules.lakes:
        shore = np.minimum(shore, 400.0 * (np.quantile(-shores, 1 - rules.lakes) + shores))
    return river.astype(np.float32), shore.astype(np.float32)


def _centres(
    rules: GeographyRules, window: Window, cells: int, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """(centre, 2) places, (centre,) reach in metres and weight; the first is the main one."""
    middle = np.array(window.size_m) / 2.0
    radius = np.sqrt(cells * window.cell_m[0] * window.cell_m[1] / np.pi)
    turn = rng.uniform(0, 2 * np.pi) + 2.4 * np.arange(rules.centres) + rng.uniform(-0.4, 0.4, rules.centres)
    far = np.r_[0.0, rng.uniform(0.4, 0.75, rules.centres - 1)] * radius
    order = np.arange(1, rules.centres + 1)
    places = middle + far[:, None] * np.stack([np.sin(turn), np.cos(turn)], axis=1)
    return places, rules.core_km * 1e3 / np.sqrt(order), 1.0 / order


def _outline(
    rules: GeographyRules, window: Window, cells: int, around: tuple[Floats, Floats], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """The city's cells: grown from the main centre over land, the nearest first, with a ragged notion of near."""
    (start_y, start_x), land = around
    south, east = ((np.arange(n) + 0.5) * step for n, step in zip(land.shape, window.cell_m, strict=True))
    rough = smooth_field(rng, (window.rows, window.cols), window.cell_m, 5e3)
    cost = np.hypot(south[:, None] - start_y, east[None, :] - start_x) * np.exp(rules.ragged * rough)
    open_to = np.zeros(cost.shape, bool)
    open_to[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = True
    open_to &= land > 0
    inside, seen = np.zeros_like(open_to), ~open_to
    start = int(start_y // window.cell_m[0]), int(start_x // window.cell_m[1])
    seen[start] = True
    heap = [(0.0, *start)]
    for _ in range(cells):
        _, row, col = heapq.heappop(heap)
        inside[row, col] = True
        for y, x in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
            if not seen[y, x]:
                seen[y, x] = True
                heapq.heappush(heap, (float(cost[y, x]), y, x))
    return inside


def _roads(rules: GeographyRules, window: Window, centres: Floats, rng: np.random.Generator) -> Floats:
    """(segment, 5) ends and widths of radials, rings, the grid, and links between centres."""
    main, far = centres[0], float(np.hypot(*window.size_m)) / 2
    lines = [_bent(main, (turn, far), rng) for turn in _spread_turns(rules.radials, rng)]
    lines += [np.stack([main, place]) for place in centres[1:]]
    round_ = np.linspace(0, 2 * np.pi, 49)
    wobble = 1 + 0.05 * np.sin(3 * round_ + rng.uniform(0, 6))
    lines += [main + 1e3 * km * (wobble * np.stack([np.sin(round_), np.cos(round_)])).T for km in rules.rings_km]
    tall, wide = window.size_m
    step = rules.grid_km * 1e3
    across = [np.array([[y, 0.0], [y, wide]]) for y in np.arange(rng.uniform(0, step), tall, step)]
    down = [np.array([[0.0, x], [tall, x]]) for x in np.arange(rng.uniform(0, step), wide, step)]
    widths = [rules.main_road_m] * len(lines) + [0.7 * rules.main_road_m] * (len(across) + len(down))
    return np.concatenate([
        np.column_stack([line[:-1], line[1:], np.full(len(line) - 1, width)])
        for line, width in zip([*lines, *across, *down], widths, strict=True)
    ])  # fmt: skip


def _spread_turns(count: int, rng: np.random.Generator) -> Floats:
    return np.asarray(rng.uniform(0, 2 * np.pi) + 2 * np.pi * (np.arange(count) + rng.uniform(0, 0.5, count)) / count)


def _bent(start: Floats, to: tuple[float, float], rng: np.random.Generator) -> Floats:
    """(16, 2) a road out of a place, bending a little as it goes."""
    turn, far = to
    along = np.linspace(0, far, 16)
    turns = turn + np.cumsum(rng.normal(0, 0.06, 16))
    return np.asarray(start + along[:, None] * np.stack([np.sin(turns), np.cos(turns)], axis=1))


def _road_lengths(window: Window, roads: Floats) -> Field:
    """(y, x) metres of road in each plot, in steps of ten metres."""
    length = np.hypot(roads[:, 2] - roads[:, 0], roads[:, 3] - roads[:, 1])
    steps = np.maximum(1, np.ceil(length / _ROAD_STEP_M)).astype(int)
    of = np.repeat(np.arange(len(roads)), steps)
    along = (np.arange(of.size) - np.repeat(np.cumsum(steps) - steps, steps) + 0.5) / steps[of]
    places = roads[of, :2] + along[:, None] * (roads[of, 2:4] - roads[of, :2])
    at = np.floor(places / np.array(window.plot_m)).astype(int)
    held = ((at >= 0) & (at < np.array(window.shape))).all(axis=1)
    flat = np.ravel_multi_index(tuple(at[held].T), window.shape)
    metres = np.bincount(flat, (length / steps)[of][held], minlength=window.shape[0] * window.shape[1])
    return metres.reshape(window.shape).astype(np.float32)

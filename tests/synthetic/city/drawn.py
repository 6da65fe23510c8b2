"""Cities that several tests look at, drawn once."""

import dataclasses
from functools import cache

import numpy as np

from carbonray.science.spatial.cells import COLS, cell_id
from carbonray.synthetic.city.cities import CITIES, City, CityRules, drawn_city

DEMO = CITIES["demo"]


@cache
def city(rules: CityRules = DEMO) -> City:
    return drawn_city(rules)


def demo(**changes) -> City:
    """The demo city with fields of its rooms changed: `room__field=value`, or `field=value` of the city's own."""
    rules = DEMO
    for name, value in changes.items():
        room, _, inner = name.rpartition("__")
        turned = {room: dataclasses.replace(getattr(rules, room), **{inner: value})} if room else {name: value}
        rules = dataclasses.replace(rules, **turned)
    return city(rules)


def neighbors_in(of: City) -> list[tuple[int, int]]:
    """Every (cell, its eastern neighbour) in a city."""
    cells = set(of.cells.tolist())
    east = {cell: cell + 1 if (cell + 1) % COLS else cell + 1 - COLS for cell in cells}
    return [(cell, beside) for cell, beside in sorted(east.items()) if beside in cells]


def id_at(of: City, row: int, col: int) -> int:
    return int(cell_id(np.array(of.lie.window.row + row), np.array(of.lie.window.col + col)))

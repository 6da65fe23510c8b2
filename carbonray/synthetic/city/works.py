"""Factories and power stations of a synthetic city from above: stacks, tanks and cooling towers.

Source: SCIENCE 1.8, point 4; numbers are inferred. A work is a disc that stands on the city's plane, metres south and
east of the window's corner; a bigger site has more of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.city.activity import Activity
from carbonray.synthetic.city.fields import Field, Floats
from carbonray.synthetic.city.geography import Geography

_TANK = (11.0, 14.0, 214.0)  # radius m, height m, brightness
_STACK = (5.0, 42.0, 176.0)
_TOWER = (38.0, 44.0, 228.0)
_THROAT = 0.55  # of a cooling tower's radius, dark from above
_PER_SITE = 3.0  # works of a site of scale 1


@dataclass(frozen=True)
class Works:
    """Every disc of a city, sorted by its place southward.

    Attributes:
        place: (work, 2) metres south and east.
        radius_m, height_m, bright: (work,).
    """

    place: Floats
    radius_m: Floats
    height_m: Floats
    bright: Floats


def works_of(lie: Geography, activity: Activity, rng: np.random.Generator) -> Works:
    """The works of a city's sites and power stations."""
    plots = np.argwhere(activity.site_scale > 0)
    scale = activity.site_scale[tuple(plots.T)]
    count = np.clip(np.rint(_PER_SITE * np.sqrt(scale)), 0, 14).astype(int)
    sites = np.repeat(plots, count, axis=0) + rng.uniform(0.12, 0.88, (count.sum(), 2))
    kinds = np.where(rng.random((len(sites), 1)) < 0.6, [_TANK], [_STACK])
    towers = np.repeat(activity.stations, 6, axis=0) + rng.uniform(0.1, 0.9, (6 * len(activity.stations), 2))
    large = np.tile([_TOWER, _TOWER, _STACK, _STACK, _TANK, _TANK], (len(activity.stations), 1))
    place = np.concatenate([sites, towers]) * np.array(lie.window.plot_m)
    kind = np.concatenate([kinds, large.reshape(-1, 3)])
    order = np.argsort(place[:, 0], kind="stable")
    return Works(place[order], *kind[order].T)


def raised_works(works: Works, pixels: tuple[Floats, Floats], colours: Field, height: Field) -> None:
    """Draws the works that stand in a picture into its (3, y, x) colours and (y, x) heights."""
    south, east = pixels
    reach = _TOWER[0]
    first, last = np.searchsorted(works.place[:, 0], [south[0] - reach, south[-1] + reach])
    for number in range(first, last):
        (y, x), radius = works.place[number], works.radius_m[number]
        rows = slice(*np.searchsorted(south, [y - radius, y + radius]))
        cols = slice(*np.searchsorted(east, [x - radius, x + radius]))
        away = np.hypot(south[rows, None] - y, east[None, cols] - x) / radius
        disc: NDArray[np.bool_] = away < 1.0
        bright = works.bright[number] * (1.0 - 0.25 * away)
        if radius == reach:
            bright = np.where(away < _THROAT, 70.0, bright)
        colours[:, rows, cols][:, disc] = bright[disc].astype(np.float32)
        height[rows, cols][disc] = np.float32(works.height_m[number])

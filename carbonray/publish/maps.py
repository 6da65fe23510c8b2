"""Maps that need no network: the world in equal areas, and a window of the annual grid with sources and hotspots.

Sources: Natural Earth 1:110 million land (`land_110m.json` names its licence); Equal Earth projection (Savric,
Patterson and Jenny 2019). Maps are SVG with the grid as an embedded picture; positions are degrees WGS 84.
"""

import functools
import json
from dataclasses import dataclass
from importlib import resources

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from carbonray.publish.svg import Axis, Markup, path, picture, png_uri, tag, text

Floats = NDArray[np.float64]

WORLD_WIDTH, WORLD_HEIGHT = 960.0, 470.0
MAP_WIDTH = 460.0
_EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)
_WHITE_BELOW = 0.1  # share of the scale over which colours grow out of white
_FRAME_LEFT, _FRAME_TOP, _FRAME_FOOT = 50.0, 8.0, 62.0


@dataclass(frozen=True)
class Marks:
    """Points on a map, drawn the same way.

    Attributes:
        lat, lon: (n,) degrees.
        names: (n,) what a reader sees on pointing at one.
        shape: `found`, `missed`, `hotspot` or `false`, which the page's legend explains; hollow over the grid.
    """

    lat: Floats
    lon: Floats
    names: tuple[str, ...]
    shape: str


@dataclass(frozen=True)
class Window:
    """What a map shows: (y,) pixel centres descending, (x,) ascending, degrees, and its name, unique on the page."""

    lat: Floats
    lon: Floats
    name: str


@dataclass(frozen=True)
class Shading:
    """How a field is coloured.

    Attributes:
        title: its name.
        colours: of matplotlib.
        high: value of the last colour.
        units: behind numbers.
        low: value of the first colour.
        from_white: whether the first colours are drowned in white, as for amounts.
    """

    title: str
    colours: str
    high: float
    units: str = ""
    low: float = 0.0
    from_white: bool = True


def world_map(marks: tuple[Marks, ...], window: tuple[float, float, float, float] | None) -> Markup:
    """The whole Earth with points, and the window that was looked at (west, south, east, north; east may pass 180)."""
    layers = world_ground()
    if window is not None:
        layers.append(tag("path", d="".join(path(equal_earth(edge)) for edge in _outline(window)), class_="window"))
    for group in marks:
        places = equal_earth(np.column_stack([(group.lon + 180) % 360 - 180, group.lat]))
        layers += [_mark(x, y, group.shape, name, 4.0) for (x, y), name in zip(places, group.names, strict=True)]
    return picture(WORLD_WIDTH, WORLD_HEIGHT, "Map of the world with hotspots", *layers, class_="figure world")


def world_ground() -> list[Markup]:
    """Sea, graticule and land of the world map, to draw on with `equal_earth`."""
    sea = equal_earth(
        np.array([(-180, -90), *((-180, y) for y in range(-90, 91, 3)), *((180, y) for y in range(90, -91, -3))])
    )
    graticule = [np.array([(x, y) for y in range(-90, 91, 3)], float) for x in range(-150, 180, 30)]
    graticule += [np.array([(x, y) for x in range(-180, 181, 6)], float) for y in range(-60, 90, 30)]
    return [
        tag("path", d=path(sea, close=True), class_="sea"),
        tag("path", d="".join(path(equal_earth(line)) for line in graticule), class_="graticule"),
        tag("path", d="".join(path(equal_earth(ring), close=True) for ring in _land()), class_="land"),
    ]


def equal_earth(lon_lat: Floats) -> Floats:
    """(n, 2) longitude and latitude, degrees, as positions on the world map."""
    a1, a2, a3, a4 = _EQUAL_EARTH
    t = np.arcsin(np.sqrt(3) / 2 * np.sin(np.radians(lon_lat[:, 1])))
    t2, t6 = t**2, t**6
    x = 2 * np.sqrt(3) * np.radians(lon_lat[:, 0]) * np.cos(t) / (3 * (9 * a4 * t**8 + 7 * a3 * t6 + 3 * a2 * t2 + a1))
    y = t * (a4 * t**8 + a3 * t6 + a2 * t2 + a1)
    scale = (WORLD_WIDTH - 8) / (2 * 2.7066)  # half the width of the projection's sphere
    return np.column_stack([WORLD_WIDTH / 2 + scale * x, WORLD_HEIGHT / 2 - scale * y])


def region_map(view: Window, field: Floats, shading: Shading, marks: tuple[Marks, ...] = ()) -> Markup:
    """A window of a grid, north up, east-west shortened as at its middle latitude."""
    x, y = _frame(view)
    height = y.end + _FRAME_FOOT
    west, east = float(x.low), float(x.high)
    clip = f"clip-{view.name}-{shading.title}".lower().replace(" ", "-")
    box = {"x": x.start, "y": y.start, "width": x.end - x.start, "height": y.end - y.start}
    coast = "".join(
        path(np.column_stack([x.at(ring[:, 0] + turn), y.at(ring[:, 1])]), close=True)
        for ring in _land()
        for turn in (-360.0, 0.0, 360.0)
        if (ring[:, 0] + turn).min() < east and (ring[:, 0] + turn).max() > west
    )
    layers = [
        tag("clipPath", tag("rect", **box), id=clip),
        tag("rect", **box, class_="unseen"),
        tag("image", href=png_uri(_coloured(field, shading)), **box, preserveAspectRatio="none", class_="raster"),
        tag("path", d=coast, class_="coast", clip_path=f"url(#{clip})"),
        tag("rect", **box, class_="frame"),
        *_degrees(x, y),
        *_colour_bar(shading, x, y.end + 30),
    ]
    for group in marks:
        lon = x.low + (group.lon - x.low) % 360.0
        inside = (lon <= x.high) & (group.lat >= y.high) & (group.lat <= y.low)
        layers += [
            _mark(float(x.at(lon[k])), float(y.at(group.lat[k])), group.shape, group.names[k], 7.0, style="hollow")
            for k in np.flatnonzero(inside)
        ]
    return picture(MAP_WIDTH, height, f"Map of {shading.title.lower()}, {view.name}", *layers)


def legend_mark(shape: str) -> Markup:
    """A mark by itself, for a legend."""
    return tag("svg", _mark(8.0, 8.0, shape, "", 5.0), viewBox="0 0 16 16", class_="key", aria_hidden="true")


def _frame(view: Window) -> tuple[Axis, Axis]:
    """Axes of longitude and latitude; the latitude axis runs from north to south."""
    step_x, step_y = (abs(axis[1] - axis[0]) if axis.size > 1 else 0.05 for axis in (view.lon, view.lat))
    west, east = view.lon[0] - step_x / 2, view.lon[-1] + step_x / 2
    north, south = view.lat[0] + step_y / 2, view.lat[-1] - step_y / 2
    width = MAP_WIDTH - _FRAME_LEFT - 8.0
    height = width * (north - south) / ((east - west) * max(np.cos(np.radians((north + south) / 2)), 0.2))
    return Axis(west, east, _FRAME_LEFT, _FRAME_LEFT + width), Axis(north, south, _FRAME_TOP, _FRAME_TOP + height)


def _mark(x: float, y: float, shape: str, name: str, size: float, style: str = "solid") -> Markup:
    """A cross, a diamond or a disc with a white edge, so that it can be seen on any ground."""
    r = 0.75 * size
    if shape == "missed":
        line = f"M{x - r:.1f} {y - r:.1f}l{2 * r} {2 * r}m0 {-2 * r}l{-2 * r} {2 * r}"
    elif shape == "false":
        d = 1.2 * size
        line = f"M{x:.1f} {y - d:.1f}l{d} {d}l{-d} {d}l{-d} {-d}Z"
    else:
        line = f"M{x - size:.1f} {y:.1f}a{size} {size} 0 1 0 {2 * size} 0a{size} {size} 0 1 0 {-2 * size} 0Z"
    title = (tag("title", name),) if name else ()
    kind = "hollow" if shape == "missed" else style
    return tag(
        "g", *title, tag("path", d=line, class_=f"halo {kind}"), tag("path", d=line, class_=f"mark {shape} {kind}")
    )


def _coloured(field: Floats, shading: Shading) -> NDArray[np.uint8]:
    """(y, x, 4) colours, from white at zero on; transparent where nothing is known."""
    share = np.clip((field - shading.low) / (shading.high - shading.low), 0.0, 1.0)
    known = np.nan_to_num(share)
    rgba = np.asarray(colormaps[shading.colours](known), np.float64)
    if shading.from_white:
        ink = np.minimum(known / _WHITE_BELOW, 1.0)[..., None]
        rgba[..., :3] = 1.0 - ink * (1.0 - rgba[..., :3])
    rgba[np.isnan(share)] = 0.0
    return np.asarray(np.rint(255 * rgba), np.uint8)


def _colour_bar(shading: Shading, x: Axis, top: float) -> list[Markup]:
    bar = Axis(shading.low, shading.high, x.start, x.end)
    strip = _coloured(np.linspace(shading.low, shading.high, 128)[None], shading)
    width = x.end - x.start
    ticks = [text(float(bar.at(v)), top + 23, f"{v:g}{shading.units}", _anchor(v, bar), "tick") for v in bar.ticks(4)]
    return [
        tag("image", href=png_uri(strip), x=x.start, y=top, width=width, height=9.0,
            preserveAspectRatio="none"),
        tag("rect", x=x.start, y=top, width=width, height=9.0, class_="frame"),
        *ticks,
    ]  # fmt: skip


def _anchor(value: float, axis: Axis) -> str:
    if value <= axis.low:
        return "start"
    return "end" if value >= axis.high * 0.999 else "middle"


def _degrees(x: Axis, y: Axis) -> list[Markup]:
    east = [(v, (v + 180) % 360 - 180) for v in x.ticks(4)]
    lon = [text(float(x.at(v)), y.end + 16, _degree(w, "E", "W"), "middle", "tick") for v, w in east]
    south_up = Axis(y.high, y.low, y.end, y.start)
    lat = [text(x.start - 5, float(y.at(v)) + 4, _degree(v, "N", "S"), "end", "tick") for v in south_up.ticks(4)]
    return lon + lat


def _degree(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):g}°{positive if value > 0 else negative if value < 0 else ''}"


def _outline(window: tuple[float, float, float, float]) -> list[Floats]:
    """The window's edge in steps that bend with the map, cut where it passes 180."""
    west, south, east, north = window
    along, up = np.linspace(west, east, 60), np.linspace(south, north, 20)
    edge = np.concatenate(
        [
            np.column_stack([along, np.full(60, north)]),
            np.column_stack([np.full(20, east), up[::-1]]),
            np.column_stack([along[::-1], np.full(60, south)]),
            np.column_stack([np.full(20, west), up]),
        ]
    )
    lon = (edge[:, 0] + 180) % 360 - 180
    cuts = np.flatnonzero(np.abs(np.diff(lon)) > 180) + 1
    return np.split(np.column_stack([lon, edge[:, 1]]), cuts)


@functools.lru_cache(maxsize=1)
def _land() -> tuple[Floats, ...]:
    """Rings of land, (n, 2) longitude and latitude in degrees."""
    data = json.loads(resources.files("carbonray.publish").joinpath("land_110m.json").read_text(encoding="utf-8"))
    steps = (np.asarray(ring, np.float64).reshape(-1, 2) for ring in data["rings"])
    return tuple(np.cumsum(ring, axis=0) / data["units_per_degree"] for ring in steps)

"""The plume paper's figure 6: plants on the world map, one quantity as the area of a disc, another as its colour.

Source: plume paper, figure 6; ground and projection are `publish.maps`. Twice the area is twice the
quantity; discs too small to be seen are drawn as large as can be seen.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from carbonray.publish.maps import WORLD_HEIGHT, WORLD_WIDTH, equal_earth, world_ground
from carbonray.publish.svg import Axis, Markup, picture, png_uri, tag, text

Floats = NDArray[np.float64]

_LARGEST, _SMALLEST = 21.0, 2.2  # radius of a disc, user units
_COLOURS = "viridis_r"
_ENDS = (0.04, 1.0)  # the part of the colours that can be told from the ground
_LEGEND = 104.0  # height of the legend under the map
_MOST_DISCS = 3000


@dataclass(frozen=True)
class Bubbles:
    """Discs on the world map.

    Attributes:
        lat, lon: (n,) degrees.
        size: (n,) what the area shows, not negative; NaN is drawn as an empty ring.
        shade: (n,) what the colour shows, 0 to 1; NaN is drawn without colour.
        names: (n,) what a reader sees on pointing at one.
        size_label: the quantity of the areas, with units.
        shade_label: that of the colours.
    """

    lat: Floats
    lon: Floats
    size: Floats
    shade: Floats
    names: tuple[str, ...]
    size_label: str
    shade_label: str


def bubble_map(bubbles: Bubbles, title: str) -> Markup:
    """The map with its legend; the largest discs lie lowest, and of very many the smallest are left out."""
    top = float(np.nanmax(bubbles.size, initial=0.0)) or 1.0
    order = np.argsort(-np.nan_to_num(bubbles.size, nan=-1.0), kind="stable")[:_MOST_DISCS]
    places = equal_earth(np.column_stack([(bubbles.lon + 180) % 360 - 180, bubbles.lat]))
    discs = [
        _disc(places[k, 0], places[k, 1], bubbles.size[k] / top, bubbles.shade[k], bubbles.names[k])
        for k in order.tolist()
    ]
    legend = [*_sizes(bubbles, top), *_shades(bubbles)]
    return picture(
        WORLD_WIDTH, WORLD_HEIGHT + _LEGEND, title, *world_ground(), *discs, *legend, class_="figure world bubbles"
    )


def _disc(x: float, y: float, share: float, shade: float, name: str) -> Markup:
    """One plant; `share` is its part of the largest area."""
    if not np.isfinite(share):
        return tag("circle", tag("title", name), cx=x, cy=y, r=4.0, class_="bubble unknown")
    radius = max(_LARGEST * float(np.sqrt(max(share, 0.0))), _SMALLEST)
    return tag("circle", tag("title", name), cx=x, cy=y, r=radius, fill=_colour(shade), class_="bubble")


def _colour(shade: float) -> str:
    if not np.isfinite(shade):
        return "none"
    low, high = _ENDS
    red, green, blue, _ = colormaps[_COLOURS](low + (high - low) * float(np.clip(shade, 0.0, 1.0)), bytes=True)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _sizes(bubbles: Bubbles, top: float) -> list[Markup]:
    """Discs of round quantities, side by side."""
    middle = WORLD_HEIGHT + 64.0
    drawn = [text(4.0, WORLD_HEIGHT + 24.0, bubbles.size_label)]
    for k, value in enumerate(round_sizes(top)):
        x = 26.0 + 138.0 * k
        radius = max(_LARGEST * float(np.sqrt(value / top)), _SMALLEST)
        drawn.append(tag("circle", cx=x, cy=middle, r=radius, fill="#fff", class_="bubble"))
        drawn.append(text(x + 28.0, middle + 5.0, f"{value:g}"))
    return drawn


def round_sizes(top: float) -> list[float]:
    """At most three round quantities of the largest one or less, each four to five times the next."""
    decade = np.floor(np.log10(top))
    steps = [m * 10.0 ** (decade - k) for k in range(3) for m in (5.0, 2.0, 1.0)]
    return [float(f"{value:.6g}") for value in steps if value <= top * (1 + 1e-9)][::2][:3]


def _shades(bubbles: Bubbles) -> list[Markup]:
    bar = Axis(0.0, 1.0, 560.0, WORLD_WIDTH - 16.0)
    strip = colormaps[_COLOURS](np.linspace(*_ENDS, 128)[None], bytes=True)
    top = WORLD_HEIGHT + 40.0
    box = {"x": bar.start, "y": top, "width": bar.end - bar.start, "height": 13.0}
    ticks = [text(float(bar.at(v)), top + 42.0, f"{v:g}", "middle", "tick") for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return [
        text(bar.start, WORLD_HEIGHT + 24.0, bubbles.shade_label),
        tag("image", href=png_uri(np.asarray(strip, np.uint8)), **box, preserveAspectRatio="none"),
        tag("rect", **box, class_="frame"),
        *ticks,
    ]

"""Inline SVG and HTML as text: escaped elements, axes with round ticks, rasters as embedded PNG.

Source: SVG 2 and HTML 5. Everything that comes from data goes through `escaped`; markup is only ever made by `tag`.
Pictures carry their own sizes in user units and scale with the page.
"""

import base64
import html
import io
import math
from dataclasses import dataclass
from typing import Any

import matplotlib.image
import numpy as np
from numpy.typing import NDArray


class Markup(str):
    """Text that is markup already and must not be escaped again."""

    __slots__ = ()


def escaped(text: object) -> Markup:
    """Any value as text that a browser shows and never runs; markup stays what it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text), quote=True))


def joined(parts: Any) -> Markup:
    """Pieces of markup or text one after the other."""
    return Markup("".join(escaped(part) for part in parts))


def tag(name: str, *content: object, **attributes: object) -> Markup:
    """One element; `class_` is the class, other underscores become hyphens, None leaves an attribute out."""
    pairs = (
        f' {key.rstrip("_").replace("_", "-")}="{escaped(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{''.join(pairs)}>{joined(content)}</{name}>")


def picture(width: float, height: float, label: str, *content: object, class_: str = "figure") -> Markup:
    """An SVG picture of `width` by `height` user units, named for those who cannot see it."""
    title = tag("title", label)
    box = f"0 0 {width:g} {height:g}"
    return tag("svg", title, *content, viewBox=box, role="img", aria_label=label, class_=class_)


def text(x: float, y: float, content: object, anchor: str = "start", class_: str = "label") -> Markup:
    """A line of text anchored at its start, middle or end."""
    return tag("text", content, x=x, y=y, text_anchor=anchor, class_=class_)


def path(points: NDArray[np.float64], *, close: bool = False) -> str:
    """(n, 2) points as the `d` of a path, a tenth of a unit fine; a line is broken where a point is missing."""
    steps, pen_down = [], False
    for x, y in points.tolist():
        if math.isnan(x) or math.isnan(y):
            pen_down = False
            continue
        steps.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        pen_down = True
    return "".join(steps) + ("Z" if close and steps else "")


def png_uri(rgba: NDArray[np.uint8]) -> str:
    """(y, x, 4) pixels as a `data:` URI, without a clock or a version in it."""
    buffer = io.BytesIO()
    no_version: dict[str, str] = {"Software": None}  # type: ignore[dict-item]
    matplotlib.image.imsave(buffer, rgba, format="png", metadata=no_version)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


@dataclass(frozen=True)
class Axis:
    """Values between `low` and `high` laid on positions from `start` to `end`, evenly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, values: Any) -> NDArray[np.float64]:
        """Positions of values."""
        value, low, high = (
            np.log10(v) if self.log else np.asarray(v, np.float64) for v in (values, self.low, self.high)
        )
        share = (value - low) / (high - low)
        return np.asarray(self.start + share * (self.end - self.start), np.float64)

    def ticks(self, count: int = 5) -> list[float]:
        """About `count` round values inside the axis; powers of ten and their thirds on a logarithmic one."""
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            return [
                m * 10.0**d for d in decades for m in (1, 3) if self.low * 0.999 <= m * 10.0**d <= self.high * 1.001
            ]
        raw = (self.high - self.low) / count
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(m * size for m in (1, 2, 5, 10) if m * size >= raw * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float | np.floating) else value

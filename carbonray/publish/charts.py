"""Small charts as SVG: days, classes, stages, curves; each a pure function of numbers, 460 user units wide.

Axes start at zero where bars stand on them; intervals are drawn wherever they are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, pairwise

import numpy as np
from numpy.typing import NDArray

from carbonray.publish.svg import Axis, Markup, joined, path, picture, tag, text

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 460.0, 270.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 448.0, 14.0, 224.0
_LABELS = 176.0  # where bars start beside their names
_ROW = 30.0  # height of a row in charts of horizontal bars
_DASHES = (None, "6 4", "2 3", "9 3 2 3")


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: what the legend calls it.
        x, y: (n,) points, ascending in x; NaN breaks the line.
        low, high: (n,) interval around y, or None.
        published: a figure from the literature, drawn apart from what this run measured.
    """

    name: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    published: bool = False


@dataclass(frozen=True)
class CurveChart:
    """A chart of curves: title, what it shows, axes and lines."""

    title: str
    caption: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log_x: bool = False
    y_limits: tuple[float, float] | None = None


def day_chart(days: NDArray[np.int64], judged: Floats, detected: Floats) -> Markup:
    """Pixels judged (line) and detected (bars) a day; days count from 1970-01-01."""
    x = Axis(float(days.min()) - 0.7, float(days.max()) + 0.7, _LEFT, _RIGHT - 40)
    left = Axis(0.0, max(float(detected.max()) * 1.08, 1.0), _BOTTOM, _TOP)
    right = Axis(0.0, max(float(judged.max()) * 1.08, 1.0), _BOTTOM, _TOP)
    width = max(0.72 * (_RIGHT - 40 - _LEFT) / (x.high - x.low), 0.6)
    bars = [
        tag("rect", tag("title", f"{date_text(day)}: {n:,.0f} of {seen:,.0f} pixels"), x=float(x.at(day)) - width / 2,
            y=float(left.at(n)), width=width, height=_BOTTOM - float(left.at(n)), class_="bar")
        for day, n, seen in zip(days.tolist(), detected.tolist(), judged.tolist(), strict=True)
    ]  # fmt: skip
    line = tag("path", d=path(np.column_stack([x.at(days), right.at(judged)])), class_="line second")
    return picture(
        WIDTH,
        HEIGHT,
        "Detected and judged pixels a day",
        *left_axis(left),
        *(text(_RIGHT - 34, float(right.at(v)) + 4, _short(v), "start", "tick second") for v in right.ticks(4)),
        *bars,
        line,
        *_day_labels(x),
        text(_LEFT, HEIGHT - 8, "bars: detected pixels", "start", "label"),
        text(_RIGHT, HEIGHT - 8, "line: judged pixels", "end", "label second"),
    )


def class_chart(names: Sequence[str], found: Sequence[int], total: Sequence[int]) -> Markup:
    """Sources found of all, a bar for each class of strength; names carry their units."""
    x = Axis(0.0, max(max(total, default=1), 1), _LABELS, _RIGHT - 108)
    rows: list[Markup] = []
    for k, (name, hit, n) in enumerate(zip(names, found, total, strict=True)):
        y = 10.0 + k * _ROW
        share = f"{hit} of {n}" + (f" ({hit / n:.0%})" if n else "")
        rows += [
            text(_LABELS - 8, y + 15, name, "end"),
            tag("rect", x=x.start, y=y, width=float(x.at(n)) - x.start, height=20.0, class_="bar pale"),
            tag("rect", x=x.start, y=y, width=float(x.at(hit)) - x.start, height=20.0, class_="bar"),
            text(float(x.at(n)) + 6, y + 15, share, "start"),
        ]
    return picture(WIDTH, 16.0 + _ROW * len(names), "Sources found by strength", *rows)


def stage_chart(seconds: Mapping[str, float]) -> Markup:
    """Seconds by stage, longest first."""
    ordered = sorted(seconds.items(), key=lambda item: (-item[1], item[0]))
    x = Axis(0.0, max([value for _, value in ordered] + [1e-9]), _LABELS, _RIGHT - 66)
    rows: list[Markup] = []
    for k, (name, value) in enumerate(ordered):
        y = 10.0 + k * _ROW
        width = float(x.at(value)) - x.start
        rows += [
            text(_LABELS - 8, y + 15, name, "end"),
            tag("rect", x=x.start, y=y, width=width, height=20.0, class_="bar"),
            text(x.start + width + 6, y + 15, f"{value:,.1f} s", "start"),
        ]
    return picture(WIDTH, 16.0 + _ROW * len(ordered), "Seconds by stage", *rows)


def curve_chart(chart: CurveChart) -> Markup:
    """Lines with their intervals; published ones are grey and dashed."""
    x_all = np.concatenate([curve.x for curve in chart.curves])
    x = Axis(float(np.nanmin(x_all)), float(np.nanmax(x_all)), _LEFT, _RIGHT, log=chart.log_x)
    low, high = chart.y_limits or _limits(chart.curves)
    y = Axis(low, high, _BOTTOM, _TOP)
    styles = dict(zip((curve.name for curve in chart.curves), cycle(range(4)), strict=False))
    lines = joined(_curve(curve, x, y, styles[curve.name]) for curve in chart.curves)
    labels = (text(float(x.at(v)), _BOTTOM + 17, f"{v:g}", "middle", "tick") for v in x.ticks(5))
    return picture(
        WIDTH,
        HEIGHT,
        chart.title,
        *left_axis(y),
        lines,
        *labels,
        text((_LEFT + _RIGHT) / 2, HEIGHT - 8, chart.x_label, "middle"),
        text(_LEFT, 10, chart.y_label, "start"),
    )


def curve_key(curve: Curve, index: int) -> Markup:
    """The line of a curve by itself, for a legend."""
    line = tag("path", d="M1 8H23", class_=_line_class(curve, index), stroke_dasharray=_dash(curve, index))
    return tag("svg", line, viewBox="0 0 24 16", class_="key wide", aria_hidden="true")


def interval_bar(value: float, low: float, high: float, limit: float) -> Markup:
    """A value and its interval on a line from zero to `limit`, small enough for a table's cell."""
    x = Axis(0.0, limit, 3.0, 97.0)
    span = (
        tag("path", d=f"M{float(x.at(low)):.1f} 8H{float(x.at(high)):.1f}", class_="span")
        if np.isfinite([low, high]).all()
        else ""
    )
    dot = tag("circle", cx=float(x.at(min(value, limit))), cy=8.0, r=3.4, class_="dot")
    base = tag("path", d="M3 8H97", class_="base")
    return tag("svg", base, span, dot, viewBox="0 0 100 16", class_="interval", aria_hidden="true")


def _curve(curve: Curve, x: Axis, y: Axis, index: int) -> Markup:
    band: Markup | str = ""
    if curve.low is not None and curve.high is not None:
        there = np.isfinite(curve.low) & np.isfinite(curve.high)
        around = np.concatenate(
            [
                np.column_stack([x.at(curve.x), y.at(curve.high)])[there],
                np.column_stack([x.at(curve.x), y.at(curve.low)])[there][::-1],
            ]
        )
        band = tag("path", d=path(around, close=True), class_=f"band s{index}")
    points = np.column_stack([x.at(curve.x), y.at(curve.y)])
    line = tag("path", d=path(points), class_=_line_class(curve, index), stroke_dasharray=_dash(curve, index))
    return joined([band, line])


def _line_class(curve: Curve, index: int) -> str:
    return "line published" if curve.published else f"line s{index}"


def _dash(curve: Curve, index: int) -> str | None:
    return "3 4" if curve.published else _DASHES[index]


def _limits(curves: tuple[Curve, ...]) -> tuple[float, float]:
    parts = [part for curve in curves for part in (curve.y, curve.low, curve.high) if part is not None]
    values = np.concatenate(parts)
    low, high = min(float(np.nanmin(values)), 0.0), float(np.nanmax(values))
    return low, high + 0.05 * (high - low) if high > low else low + 1.0


def left_axis(y: Axis, left: float = _LEFT, right: float = _RIGHT, count: int = 4) -> list[Markup]:
    """Lines across a chart at about `count` round values, and the values before them."""
    ticks = y.ticks(count)
    lines = [tag("path", d=f"M{left} {float(y.at(v)):.1f}H{right}", class_="grid") for v in ticks]
    return lines + [text(left - 6, float(y.at(v)) + 4, _short(v), "end", "tick") for v in ticks]


def _day_labels(x: Axis) -> list[Markup]:
    """At most six dates under the axis, evenly apart."""
    first, last = int(np.ceil(x.low)), int(np.floor(x.high))
    step = max(-(-(last - first + 1) // 6), 1)
    shown = range(first, last + 1, step)
    with_year = {first} | {b for a, b in pairwise(shown) if date_text(a)[:4] != date_text(b)[:4]}
    labels = ((day, date_text(day) if day in with_year else date_text(day)[5:]) for day in shown)
    return [text(float(x.at(day)), _BOTTOM + 17, label, "middle", "tick") for day, label in labels]


def date_text(day: float) -> str:
    """Days since 1970-01-01 as an ISO date."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(day))).strftime("%Y-%m-%d")


def _short(value: float) -> str:
    """1500 -> 1.5k, 2000000 -> 2M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"

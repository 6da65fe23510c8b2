"""The plume paper's figures 5 and 7 as SVG: the days of a plant, and modelled against reported years.

Source: plume paper, figures 5 and 7. Days count from 1970-01-01; arrays over days are (d,), over images (s,), over
years of plants (n,). Axes hold all that is drawn, intervals too; many dots are one path, each a stroke without length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.publish.charts import HEIGHT, WIDTH, left_axis
from carbonray.publish.svg import Axis, Markup, joined, path, picture, tag, text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, 452.0, 14.0, 240.0
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60)  # between two labels of a time axis
_MOST_LABELS = 7
_SIDE = 340.0  # of a scatter plot
_PLOT = (46.0, 330.0, 46.0, 300.0)  # left, right, top and bottom of its axes
_MOST_NAMED = 200  # dots that a reader can point at: those farthest off


@dataclass(frozen=True)
class DayLine:
    """A line over days: NaN breaks it, and so does a day that is not there."""

    day: Ints
    value: Floats

    def spaced(self) -> "DayLine":
        """The line with a gap wherever days are missing."""
        after = np.flatnonzero(np.diff(self.day) > 1) + 1
        return DayLine(np.insert(self.day, after, self.day[after - 1] + 1), np.insert(self.value, after, np.nan))


@dataclass(frozen=True)
class PlantSeries:
    """A plant's days.

    Attributes:
        title: what the picture shows.
        modelled: 30-day capacity factor.
        low, high: (d,) ends of its interval.
        parts: structure kind -> what it alone tells, where the plant is told by both.
        reported: 30-day capacity factor as reported; empty where it is not.
        sounding_day: (s,) with the time of day.
        sounding: (s,) capacity factor that the image tells.
        on: (s,) whether the plant is on in it.
    """

    title: str
    modelled: DayLine
    low: Floats
    high: Floats
    parts: dict[str, DayLine]
    reported: DayLine
    sounding_day: Floats
    sounding: Floats
    on: NDArray[np.bool_]


@dataclass(frozen=True)
class Scatter:
    """Modelled against reported years of plants.

    Attributes:
        title: the quantity.
        units: empty for a share.
        reported, modelled, low, high: (n,) values and the ends of the modelled ones' intervals.
        held_out: (n,) whether models were trained on other plants of the same set; external otherwise.
        names: (n,) what a reader sees on pointing at one.
        scores: lines about each group, written above the axes: (words, class).
    """

    title: str
    units: str
    reported: Floats
    modelled: Floats
    low: Floats
    high: Floats
    held_out: NDArray[np.bool_]
    names: tuple[str, ...]
    scores: tuple[tuple[str, str], ...] = ()


def series_chart(series: PlantSeries) -> Markup:
    """Figure 5: soundings as dots, the modelled line in its band, the reported line."""
    days = np.concatenate([series.modelled.day, series.reported.day, np.floor(series.sounding_day)])
    x = Axis(float(days.min()) - 3.0, float(days.max()) + 4.0, _LEFT, _RIGHT)
    told = np.concatenate([series.reported.value, series.high, series.low, series.sounding, [0.0, 1.0]])
    y = Axis(min(_tenth(np.nanmin(told), np.floor), 0.0), max(_tenth(np.nanmax(told), np.ceil), 1.0), _BOTTOM, _TOP)
    dots = [
        _dots(x.at(series.sounding_day[group]), y.at(series.sounding[group]), f"dots {kind}")
        for kind, group in (("off", ~series.on), ("on", series.on))
    ]
    parts = [_day_path(line, x, y, f"line part {kind.lower()}") for kind, line in series.parts.items()]
    return picture(
        WIDTH,
        HEIGHT,
        series.title,
        *left_axis(y, _LEFT, _RIGHT, 5),
        *_calendar(x),
        *dots,
        tag("path", d=_band(series, x, y), class_="band"),
        *parts,
        _day_path(series.modelled, x, y, "line"),
        _day_path(series.reported, x, y, "line reported"),
    )


def series_key(class_: str) -> Markup:
    """A part of the picture by itself, for a legend."""
    shape = tag("path", d="M12 8h0" if "dots" in class_ else "M1 8H23", class_=class_)
    if class_ == "band":
        shape = tag("path", d="M1 2H23V14H1Z", class_=class_)
    return tag("svg", shape, viewBox="0 0 24 16", class_="key wide", aria_hidden="true")


def scatter_chart(scatter: Scatter) -> Markup:
    """Figure 7: a dot a plant and year with its interval, and the line on which both are the same."""
    left, right, top, bottom = _PLOT
    drawn = np.concatenate([scatter.reported, scatter.modelled, scatter.low, scatter.high])
    low, high = min(float(np.nanmin(drawn)), 0.0), float(np.nanmax(drawn))
    high = 1.0 if not scatter.units and high <= 1.0 else low + 1.04 * max(high - low, 1e-9)
    x, y = Axis(low, high, left, right), Axis(low, high, bottom, top)
    ticks = [text(float(x.at(v)), bottom + 17, f"{v:g}", "middle", "tick") for v in x.ticks(5)]
    units = f", {scatter.units}" if scatter.units else ""
    scores = [text(left - 36, 14.0 + 17 * k, words, "start", kind) for k, (words, kind) in enumerate(scatter.scores)]
    return picture(
        _SIDE,
        _SIDE,
        f"{scatter.title}: modelled against reported",
        *scores,
        *left_axis(y, left, right, 5),
        tag("path", d=f"M{left} {bottom}L{right} {top}", class_="diagonal"),
        *(joined(_group(scatter, x, y, group, kind)) for kind, group in _groups(scatter)),
        *_named(scatter, x, y),
        *ticks,
        text((left + right) / 2, _SIDE - 4, f"reported{units}", "middle"),
        text(left + 6, top + 13, f"modelled{units}"),
    )


def _groups(scatter: Scatter) -> tuple[tuple[str, NDArray[np.bool_]], ...]:
    return ("external", ~scatter.held_out), ("held-out", scatter.held_out)


def _group(scatter: Scatter, x: Axis, y: Axis, group: NDArray[np.bool_], kind: str) -> list[Markup]:
    """The intervals and dots of a group."""
    at, ends = x.at(scatter.reported[group]), (y.at(scatter.low[group]), y.at(scatter.high[group]))
    known = np.isfinite(ends[0]) & np.isfinite(ends[1])
    lines = "".join(
        f"M{a:.1f} {b:.1f}V{c:.1f}" for a, b, c in zip(at[known], ends[0][known], ends[1][known], strict=True)
    )
    return [tag("path", d=lines, class_=f"whisker {kind}"), _dots(at, y.at(scatter.modelled[group]), f"dots {kind}")]


def _named(scatter: Scatter, x: Axis, y: Axis) -> Iterator[Markup]:
    """Places to point at, over the dots that are farthest off."""
    far = np.argsort(-np.abs(scatter.modelled - scatter.reported), kind="stable")[:_MOST_NAMED]
    for k in far.tolist():
        name = tag("title", scatter.names[k])
        cx, cy = float(x.at(scatter.reported[k])), float(y.at(scatter.modelled[k]))
        yield tag("circle", name, cx=cx, cy=cy, r=5.0, class_="point-at")


def _dots(x: Floats, y: Floats, class_: str) -> Markup:
    steps = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return tag("path", d=steps, class_=class_)


def _day_path(line: DayLine, x: Axis, y: Axis, class_: str) -> Markup:
    spaced = line.spaced()
    return tag("path", d=path(np.column_stack([x.at(spaced.day), y.at(spaced.value)])), class_=class_)


def _band(series: PlantSeries, x: Axis, y: Axis) -> str:
    """The area of the interval, a piece for every stretch of days in which it is known."""
    high, low = (DayLine(series.modelled.day, ends).spaced() for ends in (series.high, series.low))
    known = np.isfinite(high.value) & np.isfinite(low.value)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    pieces = []
    for first, after in edges.reshape(-1, 2).tolist():
        at = x.at(high.day[first:after])
        up, down = (np.column_stack([at, y.at(of.value[first:after])]) for of in (high, low))
        pieces.append(path(np.concatenate([up, down[::-1]]), close=True))
    return "".join(pieces)


def _calendar(x: Axis) -> list[Markup]:
    """First days of months under the axis: the year in January and at the first one, the month otherwise."""
    begin, end = (_date(day) for day in (x.low, x.high))
    months = range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month)
    step = next((size for size in _MONTH_STEPS if len(months) / size <= _MOST_LABELS), 120)
    marks: list[Markup] = []
    for month in months:
        first = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
        at = float(x.at((first - datetime(1970, 1, 1, tzinfo=UTC)).days))
        if month % step or not _LEFT <= at <= _RIGHT:
            continue
        words = first.strftime("%Y" if first.month == 1 else "%b" if marks else "%b %Y")
        marks.append(tag("path", d=f"M{at:.1f} {_BOTTOM}v5", class_="grid"))
        marks.append(text(min(max(at, _LEFT + 12), _RIGHT - 14), _BOTTOM + 19, words, "middle", "tick"))
    return marks


def _date(day: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(day))


def _tenth(value: Any, rounded: Any) -> float:
    """To the next tenth outward; rounding noise does not open another one."""
    return float(rounded(np.round(float(value) * 10, 9)) / 10)

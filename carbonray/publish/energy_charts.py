"""Pictures of mixes and of what a scenario does to them: shares as stacked bars, changes as bars about zero.

Source: SCIENCE 2.2 (sources, sectors, shares). Shares are (part,), in the order of the vocabulary; changes are percent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.publish.page import legend_entry
from carbonray.publish.svg import Axis, Markup, picture, tag, text
from carbonray.vocab.energy import SECTORS, SOURCES

Floats = NDArray[np.float64]

WIDTH = 460.0
_LEFT, _RIGHT = 150.0, 448.0
_BAR, _ROW = 15.0, 21.0

COLOURS: Mapping[str, str] = {
    "coal": "#3a3f44", "gas": "#c77f0a", "oil": "#7b3f1d", "nuclear": "#6a3cb0",
    "hydro": "#1f6fb2", "solar": "#eac52b", "wind": "#4fb3a5", "other": "#a9b4bd",
    "power": "#3a3f44", "industry": "#b8480a", "ground_transport": "#6a3cb0", "residential": "#eac52b",
    "domestic_aviation": "#1f6fb2", "international_aviation": "#4fb3a5",
}  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """A bar of shares, or of a change: what stands before it, and its numbers, NaN where there is none."""

    label: str
    values: Floats


def mix_chart(title: str, names: Sequence[str], bars: Sequence[Bar]) -> Markup:
    """Shares of parts, a bar of full length each.

    Args:
        title: what it shows.
        names: of the parts, SOURCES or SECTORS.
        bars: (part,) shares each.
    """
    x = Axis(0.0, 1.0, _LEFT, _RIGHT)
    drawn: list[Markup] = []
    for number, bar in enumerate(bars):
        y, edges = 6.0 + _ROW * number, np.concatenate([[0.0], np.cumsum(np.nan_to_num(bar.values))])
        drawn.append(text(_LEFT - 8, y + 12, bar.label, "end"))
        drawn += [
            tag("rect", tag("title", f"{bar.label}: {worded(name)} {share:.1%}"), x=float(x.at(edge)), y=y,
                width=float(x.at(share)) - x.start, height=_BAR, fill=COLOURS[name])
            for name, share, edge in zip(names, bar.values.tolist(), edges.tolist(), strict=False) if share > 0.0
        ]  # fmt: skip
    return picture(WIDTH, 10.0 + _ROW * len(bars), title, *drawn)


def mix_legend(names: Sequence[str]) -> list[Markup]:
    """A mark and a name for each part."""
    return [legend_entry(_swatch(COLOURS[name]), worded(name)) for name in names]


def change_chart(title: str, bars: Sequence[Bar]) -> Markup:
    """Changes in percent about zero: that of the network, and a pale one under it, that of the peer.

    Args:
        title: what it shows.
        bars: (2,) the network's change, the peer's.
    """
    values = np.array([bar.values for bar in bars])
    known = values[np.isfinite(values)]
    least, most = (float(f(known, initial=0.0)) for f in (np.min, np.max))
    room = max(most - least, 1e-9)
    x = Axis(least - 0.3 * room, most + 0.3 * room, _LEFT, _RIGHT)
    zero, drawn = float(x.at(0.0)), []
    for number, bar in enumerate(bars):
        y = 6.0 + 1.6 * _ROW * number
        drawn.append(text(_LEFT - 8, y + 15, bar.label, "end"))
        for place, (value, class_) in enumerate(zip(bar.values.tolist(), ("bar", "bar pale"), strict=True)):
            if np.isfinite(value):
                end, top = float(x.at(value)), y + place * 13.0
                drawn.append(tag("rect", x=min(zero, end), y=top, width=abs(end - zero), height=11.0, class_=class_))
                anchor, gap = ("start", 4) if value >= 0 else ("end", -4)
                drawn.append(text(end + gap, top + 9.5, f"{value:+.2f} %", anchor, "tick"))
    height = 10.0 + 1.6 * _ROW * len(bars)
    line = tag("path", d=f"M{zero:.1f} 2V{height - 4:.1f}", class_="grid")
    return picture(WIDTH, height, title, line, *drawn)


def change_legend() -> list[Markup]:
    """The network's mark and the peer's."""
    marks = (("bar", "the networks"), ("bar pale", "emission factors"))
    return [legend_entry(_mark(class_=class_), name) for class_, name in marks]


def worded(name: str) -> str:
    """A source or sector as a reader writes it."""
    return name.replace("_", " ")


def parts_of(side: str) -> tuple[str, ...]:
    """The parts of 'energy' or 'emissions'."""
    return SOURCES if side == "energy" else SECTORS


def _swatch(colour: str) -> Markup:
    return _mark(fill=colour)


def _mark(**attributes: object) -> Markup:
    square = tag("rect", x=1.0, y=1.0, width=14.0, height=14.0, **attributes)
    return tag("svg", square, viewBox="0 0 16 16", class_="key", aria_hidden="true")

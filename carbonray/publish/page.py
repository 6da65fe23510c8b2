"""One self-contained HTML page: document, sections, tables, lists of facts. No script, no font, nothing is fetched.

Source: HTML 5; contrast of text and marks at least 4.5 to 1 (WCAG 2.2 AA). The page forbids itself every request by a
content security policy, prints on white, and folds to one column on a telephone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from carbonray.publish.style import STYLE
from carbonray.publish.svg import Markup, escaped, joined, tag

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
MISSING = "–"


def document(title: str, banner: Markup, header: Markup, sections: Iterable[Markup], footer: Markup) -> str:
    """The whole page."""
    head = joined(
        [
            Markup('<meta charset="utf-8">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", title),
            tag("style", Markup(STYLE)),
        ]
    )
    body = tag("body", banner, tag("main", header, *sections), tag("footer", footer))
    return "<!doctype html>\n" + tag("html", tag("head", head), body, lang="en")


def section(name: str, title: str, lead: object, *content: object) -> Markup:
    """A section with an anchor, a heading and a sentence that says what is to be seen."""
    return tag("section", tag("h2", title), tag("p", lead, class_="lead") if lead else "", *content, id=name)


def figure(picture: Markup, caption: object, *legend: object) -> Markup:
    """A picture with its caption and legend."""
    key = tag("div", *legend, class_="legend") if legend else ""
    return tag("figure", picture, key, tag("figcaption", caption))


def side_by_side(*content: object) -> Markup:
    """Blocks beside each other where there is room."""
    return tag("div", *content, class_="columns")


def legend_entry(key: Markup, label: object) -> Markup:
    """A mark and what it means."""
    return tag("span", key, label, class_="entry")


def banner(run: Mapping[str, object]) -> Markup:
    """What kind of data this is, before anything else."""
    tier = str(run.get("data_tier") or "unknown")
    if tier.startswith("REAL") and "SYNTHETIC" in tier:
        words = "Some of the input is simulated: what was made from it measures nothing, and its data tier says so."
        return tag("div", tag("p", tag("strong", tier), words), class_="banner synthetic", role="note")
    if tier.startswith("REAL"):
        return tag("div", tag("p", tag("strong", tier), "Made from real data."), class_="banner real")
    words = "Simulated input: nothing on this page was measured, and its scores say nothing about real data."
    if not tier.startswith("SYNTHETIC"):
        words = "The run does not say where its input came from."
    return tag("div", tag("p", tag("strong", tier), words), class_="banner synthetic", role="note")


def tiles(facts: Mapping[str, object]) -> Markup:
    """The few numbers to read first."""
    return tag("dl", *(tag("div", tag("dt", k), tag("dd", shown(v))) for k, v in facts.items()), class_="tiles")


def fact_list(facts: Mapping[str, object]) -> Markup:
    """Names and values, one a line."""
    return tag("dl", *(tag("div", tag("dt", k), tag("dd", shown(v))) for k, v in facts.items()), class_="facts")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    caption: object = "",
    groups: Sequence[tuple[str, int, str]] = (),
) -> Markup:
    """A table; numbers stand right, and wide tables scroll inside themselves.

    Args:
        columns: heads.
        rows: cells: text, numbers, markup, None for missing.
        caption: what the table shows.
        groups: (name, number of columns, class) above the heads, from the left; the class colours the columns.
    """
    classes = [name for _, count, name in groups for _ in range(count)] or [""] * len(columns)
    above = (
        tag("tr", *(tag("th", n, colspan=k, class_=c or None, scope="colgroup") for n, k, c in groups))
        if groups
        else ""
    )
    cells = [list(row) for row in rows]
    right = [bool(cells) and all(_numeric(row[k]) for row in cells) for k in range(len(columns))]
    digits = [_digits([row[k] for row in cells]) for k in range(len(columns))]
    kinds = [" ".join(filter(None, (c, "number" if r else ""))) or None for c, r in zip(classes, right, strict=True)]
    head = tag("tr", *(tag("th", name, class_=kind, scope="col") for name, kind in zip(columns, kinds, strict=True)))
    body = [
        tag("tr", *(tag("td", shown(v, d), class_=kind) for v, d, kind in zip(row, digits, kinds, strict=True)))
        for row in cells
    ]
    inner = tag("table", tag("caption", caption) if caption else "", tag("thead", above, head), tag("tbody", *body))
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=str(caption) or "table")


def tall(*content: object) -> Markup:
    """Content that scrolls inside itself where it is long."""
    return tag("div", *content, class_="tall")


def code_block(lines: Iterable[str]) -> Markup:
    """Commands or settings as they are."""
    return tag("pre", tag("code", "\n".join(lines)))


def fold(summary: str, *content: object) -> Markup:
    """Content that opens on demand."""
    return tag("details", tag("summary", summary), *content)


def shown(value: object, digits: int | None = None) -> Markup:
    """A value as a reader wants it: few digits, thousands apart, a dash where it is missing.

    Args:
        value: text, markup, a number or None.
        digits: after the point of a float; None for three significant ones.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return escaped(MISSING)
    if isinstance(value, bool):
        return escaped("yes" if value else "no")
    if isinstance(value, int):
        return escaped(f"{value:,}")
    if isinstance(value, float):
        return escaped(f"{value:,.{_digits([value]) if digits is None else digits}f}")
    return escaped(value)


def _digits(values: Sequence[object]) -> int:
    """Digits after the point that show the floats of a column alike: three figures of the largest, three at most."""
    sizes = [abs(v) for v in values if isinstance(v, float) and math.isfinite(v)]
    largest = max(sizes, default=1.0)
    needed = 2 - math.floor(math.log10(largest)) if largest > 0 else 0
    fine = 1 if any(0 < v < 0.095 for v in sizes) and largest < 10 else 0
    return min(max(needed, 0) + fine, 3)


def _numeric(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))

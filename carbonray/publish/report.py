"""The report of a run: one page that says what was found, how sure that is, what it was held against, how to redo it.

Everything shown comes from `ReportFacts`, which a pipeline fills from `run.json`, the product's tables and its grid;
published figures stand in columns of their own and never among measured ones (SCIENCE 0.3).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from carbonray.publish import charts, report_run, report_sources
from carbonray.publish.charts import CurveChart
from carbonray.publish.generation_facts import GenerationFacts
from carbonray.publish.grid_view import GridView
from carbonray.publish.page import banner, document, figure, legend_entry, section, side_by_side, table, tall, tiles
from carbonray.publish.report_annual import ProductFacts, anchor, annual_sentence, chapter, products_section
from carbonray.publish.report_energy import EnergyFacts, energy_sections, energy_sentence
from carbonray.publish.report_generation import generation_sections, generation_sentence
from carbonray.publish.report_grid import GridFacts, grid_sections, grid_sentence
from carbonray.publish.report_plants import PlantFacts, plant_sections, plant_sentence
from carbonray.publish.report_sources import Comparison
from carbonray.publish.svg import Markup, escaped, tag

_Linked = tuple[str, str, Markup]  # a name in the list of sections, empty for none, the link, and the section


@dataclass(frozen=True)
class ScoreTable:
    """A table of scores.

    Attributes:
        title, caption: what it holds.
        columns: heads, the first of them names the row.
        rows: cells; text, numbers, None for what was not measured.
        published: heads of the columns that quote the literature; they must be the last ones.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    published: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportFacts:
    """What the page is made of; every part may be absent but the first two.

    Attributes:
        title: of the page.
        run: the content of `run.json`.
        products: of a year, each with a chapter of its own.
        hotspots: `vocab.tables.HOTSPOTS`.
        grids: the annual grid, a view a year.
        comparison: the hotspots against an inventory of sources.
        plants: the power plants, their images and what was excluded.
        generation: their years: capacity factor, generation and CO2.
        grid: urban cells of 1 km.
        energy: regions by their mixes of energy and of emissions.
        daily: columns `day` (from 1970-01-01), `n_judged` and `n_detected` (pixels).
        quarantine: `vocab.tables.QUARANTINE`.
        scores: evaluation tables.
        curves: evaluation curves.
        commands: command lines that make the run again.
    """

    title: str
    run: Mapping[str, Any]
    products: tuple[ProductFacts, ...] = ()
    hotspots: pa.Table | None = None
    grids: tuple[GridView, ...] = ()
    comparison: Comparison | None = None
    plants: PlantFacts | None = None
    generation: GenerationFacts | None = None
    grid: GridFacts | None = None
    energy: EnergyFacts | None = None
    daily: pa.Table | None = None
    quarantine: pa.Table | None = None
    scores: tuple[ScoreTable, ...] = ()
    curves: tuple[CurveChart, ...] = ()
    commands: tuple[str, ...] = field(default=())


def render_report(facts: ReportFacts) -> bytes:
    """The page as UTF-8 bytes."""
    first = {"Products": products_section(facts.products)}
    last = {
        "Skill": _skill(facts.scores, facts.curves),
        "Run": report_run.run_section(facts.run),
        "Set aside": report_run.quarantine_section(facts.quarantine),
        "Again": report_run.again_section(facts.run, facts.commands),
    }
    found = [*_linked(first), *_found(facts), *_linked(last)]
    links = (tag("a", name, href=href) for name, href, _ in found if name)
    header = tag("header", *_opening(facts), tag("nav", *links, aria_label="Sections"), tiles(_first_numbers(facts)))
    parts = [part for *_, part in found]
    return document(facts.title, banner(facts.run), header, parts, _footer(facts)).encode("utf-8")


def _found(facts: ReportFacts) -> Iterator[_Linked]:
    """The sections of what was found; of a year, behind the chapter of their product, which alone is linked to."""
    sections: dict[str, Mapping[str, Markup | None]] = {
        "hotspots": {
            "Where": report_sources.where_section(facts.hotspots, facts.grids, facts.comparison),
            "Hotspots": report_sources.table_section(facts.hotspots, facts.comparison),
            "Inventory": report_sources.inventory_section(facts.comparison),
            "Days": _days(facts.daily),
        },
        "plants": generation_sections(facts.generation) if facts.generation else {},
        "grid": grid_sections(facts.grid) if facts.grid else {},
        "energy": energy_sections(facts.energy) if facts.energy else {},
        "ingest": plant_sections(facts.plants) if facts.plants else {},
    }
    if not facts.products:
        for own in sections.values():
            yield from _linked(own)
    sentences = _sentences(facts) if facts.products else {}
    for product in facts.products:
        if product.has_page:
            yield product.title, f"#{anchor(product)}", chapter(product, sentences[product.name])
            yield from (("", "", part) for *_, part in _linked(sections[product.name]))


def _linked(sections: Mapping[str, Markup | None]) -> Iterator[_Linked]:
    """Those that there are, each with its link."""
    yield from ((name, f"#{_anchor(name)}", part) for name, part in sections.items() if part)


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _opening(facts: ReportFacts) -> list[Markup]:
    run = facts.run
    started = run.get("started_unix_s")
    when = datetime.fromtimestamp(float(started), tz=UTC).strftime(", %d %B %Y") if started else ""
    return [
        tag("p", f"carbonray {run.get('job', '')} · run {run.get('run_id', '')}{when}", class_="eyebrow"),
        tag("h1", facts.title),
        tag("p", _lead(facts), class_="lead"),
    ]


def _lead(facts: ReportFacts) -> str:
    if facts.products:
        return annual_sentence(facts.products)
    return " ".join(filter(None, _sentences(facts).values()))


def _sentences(facts: ReportFacts) -> dict[str, str]:
    """What was found, a sentence a product."""
    return {
        "hotspots": report_sources.summary_sentence(facts.hotspots, facts.comparison, facts.daily),
        "plants": generation_sentence(facts.generation) if facts.generation else "",
        "grid": grid_sentence(facts.grid) if facts.grid else "",
        "energy": energy_sentence(facts.energy) if facts.energy else "",
        "ingest": plant_sentence(facts.plants) if facts.plants else "",
    }


def _first_numbers(facts: ReportFacts) -> dict[str, object]:
    units = facts.run.get("units") or {}
    first: dict[str, object] = {}
    told_below = bool(facts.products)  # of a year, each product's numbers stand in its chapter
    if facts.hotspots is not None and not told_below:
        first["persistent hotspots"] = facts.hotspots.num_rows
    if facts.comparison is not None and not told_below:
        first["sources found"] = f"{int(facts.comparison.found.sum())} of {len(facts.comparison.found)}"
        first["hotspots without a source"] = int((~facts.comparison.hotspot_has_source).sum())
    summary = {k: v for k, v in (facts.run.get("summary") or {}).items() if k not in ("data tier", "hotspots")}
    if units:
        summary["units committed"] = f"{units.get('committed', 0):,} of {units.get('planned', 0):,}"
    if units.get("quarantined"):
        summary["units set aside"] = units["quarantined"]
    return first | summary


def _days(daily: pa.Table | None) -> Markup | None:
    if daily is None or not daily.num_rows:
        return None
    day, judged, detected = (daily.column(name).to_numpy().astype(float) for name in ("day", "n_judged", "n_detected"))
    chart = charts.day_chart(day.astype("int64"), judged, detected)
    rows = zip(
        map(charts.date_text, day.tolist()), judged.astype(int).tolist(), detected.astype(int).tolist(), strict=True
    )
    listing = table(("local solar date", "pixels judged", "pixels detected"), rows)
    lead = "Detections rise and fall with what could be seen: read the bars against the line."
    caption = (
        "Pixels of the 0.05 degree lattice whose relative emission reached the cut, and pixels the network judged."
    )
    return section("days", "Day by day", lead, side_by_side(figure(chart, caption), tall(listing)))


def _skill(scores: tuple[ScoreTable, ...], curves: tuple[CurveChart, ...]) -> Markup | None:
    if not scores and not curves:
        return None
    lead = (
        "Recall alone is no skill: a map that is hot everywhere finds every source. "
        "Read it beside precision, overlap and false area. Grey columns and lines quote the literature, on other data."
    )
    drawn = [
        figure(charts.curve_chart(chart), chart.caption, *_curve_legend(chart)) for chart in curves if chart.curves
    ]
    return section(
        "skill", "Skill", lead, side_by_side(*drawn) if drawn else "", *(_score_table(part) for part in scores)
    )


def _curve_legend(chart: CurveChart) -> list[Markup]:
    return [legend_entry(charts.curve_key(curve, k % 4), curve.name) for k, curve in enumerate(chart.curves)]


def _score_table(part: ScoreTable) -> Markup:
    own = len(part.columns) - len(part.published)
    groups = (
        ((("this run", own, ""), ("published, on other data", len(part.published), "published")))
        if part.published
        else ()
    )
    return tag("div", tag("h3", part.title), table(part.columns, part.rows, part.caption, groups))


def _footer(facts: ReportFacts) -> Markup:
    lines = ["Coastlines: Natural Earth (public domain), through world-atlas (ISC)."]
    if facts.hotspots is not None:
        lines.append("Local dates are mean solar dates.")
        lines.append("Relative emission is the network's output between 0 and 1 of its training range, not a mass.")
    return escaped(" ".join([*lines, "This page fetches nothing and runs no script."]))

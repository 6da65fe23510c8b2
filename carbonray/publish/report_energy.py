"""The parts of the report about energy and emissions: mixes, totals told and answered, and what if.

Only the regions that emit most are drawn; a region that networks learned from is answered by one that held it out, and
where none did it is said. Sums are over the intervals with both answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.publish import charts
from carbonray.publish.charts import Curve, CurveChart
from carbonray.publish.energy_charts import (
    Bar,
    change_chart,
    change_legend,
    mix_chart,
    mix_legend,
    parts_of,
)
from carbonray.publish.page import fact_list, figure, fold, legend_entry, section, side_by_side, table, tall
from carbonray.publish.svg import Markup, tag

Floats = NDArray[np.float64]
Row = Mapping[str, Any]

MOST_REGIONS = 8  # that are drawn
MOST_ROWS = 100  # of regions that are listed
MOST_POINTS = 1000  # of a line; of more intervals, as many together as it takes are drawn as their mean
_FACTUAL = "factual"
_UNITS = {"energy": ("GWh", "gwh"), "emissions": ("t CO₂", "t_co2")}
_ASKED = {"energy": "emissions", "emissions": "energy"}  # the mix that is changed -> the total that answers


@dataclass(frozen=True)
class RegionDays:
    """One region, told and answered without a scenario, by interval.

    Attributes:
        region: its name.
        day: (row,) middles of the intervals, since 1970-01-01.
        told: task -> (row,) total that was reported.
        answer: task -> (row,) total, and the ends of its interval.
    """

    region: str
    day: Floats
    told: Mapping[str, Floats]
    answer: Mapping[str, tuple[Floats, Floats, Floats]]


@dataclass(frozen=True)
class EnergyFacts:
    """What is known of the regions.

    Attributes:
        summary: `vocab.energy_tables.ENERGY_SUMMARY`.
        days: of a region that is drawn day by day.
        left_out: regions that are sums of others without being declared, with the reason.
        refused: rows that nobody answers for, by reason.
        notes: what was odd about files and rows -> of how many.
        cleaner: scenarios that must not raise emissions.
    """

    summary: pa.Table
    days: RegionDays | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    cleaner: Sequence[str] = ()


def most_emitting(summary: pa.Table, most: int = MOST_REGIONS) -> list[str]:
    """Regions that emit most as reported, the first of them first; those without an answer last."""
    rows = summary.filter(pc.equal(summary["scenario"], _FACTUAL))
    order = rows.sort_by([("told_emissions_t_co2", "descending"), ("region", "ascending"), ("data_tier", "ascending")])
    names = dict.fromkeys(str(name) for name in order["region"].to_pylist())  # one may be of two tiers
    return list(names)[:most]


def energy_sections(facts: EnergyFacts) -> dict[str, Markup | None]:
    """The page's sections by their names."""
    names = most_emitting(facts.summary)
    rows = facts.summary.filter(pc.is_in(facts.summary["region"], pa.array(names, pa.string())))
    drawn: dict[str, dict[str, Row]] = {}
    for row in rows.to_pylist():
        drawn.setdefault(row["scenario"], {})[row["region"]] = row
    order = {name: [of[region] for region in names if region in of] for name, of in drawn.items()}
    factual = order.pop(_FACTUAL, [])
    return {
        "Mix": _mix(factual),
        "Totals": _totals(facts, factual),
        "What if": _what_if(facts, factual, order),
        "Left out": _left_out(facts),
    }


def energy_sentence(facts: EnergyFacts) -> str:
    """What the run found, in a sentence."""
    factual = facts.summary.filter(pc.equal(facts.summary["scenario"], _FACTUAL))
    regions, rows, answered = factual.num_rows, *(int(pc.sum(factual[n]).as_py() or 0) for n in ("rows", "answered"))
    strange = int(pc.sum(factual["extrapolating"]).as_py() or 0)
    scenarios = len({*facts.summary["scenario"].to_pylist()} - {_FACTUAL})
    words = f"{regions:,} regions and {scenarios} scenario{'s' if scenarios != 1 else ''}: {answered:,} of {rows:,}"
    return f"{words} intervals have both answers; in {strange:,} the mix is stranger than that of a new region."


def _mix(rows: Sequence[Row]) -> Markup | None:
    if not rows:
        return None
    pictures = [
        figure(
            mix_chart(f"Mix of {side}", parts_of(side), [Bar(row["region"], _shares(row, side)) for row in rows]),
            caption,
            *mix_legend(parts_of(side)),
        )
        for side, caption in (
            ("energy", "Electricity by source, as reported: what emissions are answered from."),
            ("emissions", "CO₂ by sector, as reported: what electricity is answered from."),
        )
    ]
    lead = "The regions that emit most. Networks see these shares, and totals only where they were taught with them."
    return section("mix", "Mix", lead, side_by_side(*pictures))


def _totals(facts: EnergyFacts, rows: Sequence[Row]) -> Markup | None:
    if not rows:
        return None
    heads = ("region", "days", "Mt CO₂ reported", "answered", "off, %", "TWh reported", "answered", "off, %",
             "intervals strange", "seen by all", "data tier")  # fmt: skip
    listed = [
        (r["region"], r["days"], *_off(r["told_emissions_t_co2"], r["emissions_t_co2"], 1e6),
         *_off(r["told_energy_gwh"], r["energy_gwh"], 1e3), r["extrapolating"], r["seen"], r["data_tier"])
        for r in _factual(facts.summary)
    ]  # fmt: skip
    lead = (
        "Emissions answered from the mix of energy, electricity from that of sectors, each by networks that never saw "
        "the region; where every one of them saw it (seen by all) the answer flatters. Strange intervals lie farther "
        "from the mixes that taught than a new region would."
    )
    drawn = facts.days is not None and len(facts.days.day) > 1  # of one interval there is no line
    curves = [_days(facts.days, task) for task in ("emissions", "energy")] if facts.days and drawn else []
    return section("totals", "Totals", lead, side_by_side(*curves) if curves else "", tall(table(heads, listed)))


def _days(days: RegionDays, task: str) -> Markup:
    """The reported and the answered total of one region by interval."""
    together = -(-len(days.day) // MOST_POINTS)
    since, told, answer, low, high = (
        _means(values, together) for values in (days.day - days.day[0], days.told[task], *days.answer[task])
    )
    curves = (Curve("answered, with its interval", since, answer, low, high), Curve("reported", since, told))
    thinned = f" Means of {together} intervals are drawn." if together > 1 else ""
    unit = _UNITS[task][0]
    first = charts.date_text(float(days.day[0]))
    chart = CurveChart(
        f"{days.region}: {unit} a day",
        f"{days.region}: {unit} a day, reported and answered from the other side's mix; 90 % of new regions' truths "
        f"are meant to lie in the band, which is absent where too few regions judge it.{thinned}",
        f"days since {first}",
        f"{unit} a day",
        curves,
    )
    legend = [legend_entry(charts.curve_key(curve, k), curve.name) for k, curve in enumerate(curves)]
    return figure(charts.curve_chart(chart), chart.caption, *legend)


def _means(values: Floats, together: int) -> Floats:
    """Means of so many values in a row, and of those that are left at the end."""
    first = np.arange(0, len(values), together)
    return np.asarray(np.add.reduceat(values, first) / np.diff(np.append(first, len(values))), np.float64)


def _what_if(facts: EnergyFacts, factual: Sequence[Row], scenarios: Mapping[str, Sequence[Row]]) -> Markup | None:
    if not scenarios:
        return None
    before = {row["region"]: row for row in factual}
    parts = [_scenario(name, rows, before) for name, rows in sorted(scenarios.items())]
    lead = (
        "A network's what-if is a comparison of regions, not physics: it says how places with such a mix differ. The "
        "change by emission factors stands beside it."
    )
    return section("what-if", "What if", lead, *parts, _violations(facts))


def _scenario(name: str, rows: Sequence[Row], before: Mapping[str, Row]) -> Markup:
    """The mix before and after, and the change of both answers."""
    blocks: list[Markup] = []
    for side in ("energy", "emissions"):
        moved = [row for row in rows if not np.array_equal(_shares(row, side), _shares(before[row["region"]], side))]
        if not moved:
            continue
        bars = [
            bar
            for row in moved[: MOST_REGIONS // 2]
            for bar in (Bar(row["region"], _shares(before[row["region"]], side)), Bar("after", _shares(row, side)))
        ]
        mixes = figure(
            mix_chart(f"{name}: mix of {side}", parts_of(side), bars),
            f"{name}: the mix of {side} before and after.",
            *mix_legend(parts_of(side)),
        )
        task = _ASKED[side]
        changes = [Bar(row["region"], _changes(row, before[row["region"]], task)) for row in moved]
        caption = f"{name}: change of {'emissions' if task == 'emissions' else 'electricity'}, percent."
        blocks.append(side_by_side(mixes, figure(change_chart(caption, changes), caption, *change_legend())))
    nothing = tag("p", "No region that is drawn has anything to change.")
    return tag("div", tag("h3", name), *(blocks or [nothing]))


def _violations(facts: EnergyFacts) -> Markup | str:
    """How often emissions rose although sources gave way to ones that emit less."""
    rows = facts.summary.filter(pc.is_in(facts.summary["scenario"], pa.array(list(facts.cleaner), pa.string())))
    if not rows.num_rows:
        return ""
    sums = rows.group_by("scenario").aggregate([("cleaner", "sum"), ("raised", "sum")]).sort_by("scenario")
    counts = zip(*(sums[name].to_pylist() for name in ("scenario", "cleaner_sum", "raised_sum")), strict=True)
    listed = [(name, cleaner, raised, _share(raised, cleaner)) for name, cleaner, raised in counts]
    heads = ("scenario", "intervals", "emissions rose", "share, %")
    caption = "Energy stays and its sources emit less: emissions must not rise, and by emission factors never do."
    return table(heads, listed, caption)


def _left_out(facts: EnergyFacts) -> Markup | None:
    if not (facts.left_out or facts.refused or facts.notes):
        return None
    parts = [fact_list(facts.refused) if facts.refused else "", fact_list(facts.left_out) if facts.left_out else ""]
    notes = fold("What was odd about files and rows", fact_list(facts.notes)) if facts.notes else ""
    lead = "Intervals of regions without an answer, by the rule that refused them; and regions that are sums of others."
    return section("left-out", "Left out", lead, *parts, notes)


def _factual(summary: pa.Table) -> list[Row]:
    names = most_emitting(summary, MOST_ROWS)
    rows = summary.filter(pc.equal(summary["scenario"], _FACTUAL)).to_pylist()
    return sorted((row for row in rows if row["region"] in names), key=lambda row: names.index(row["region"]))


def _shares(row: Row, side: str) -> Floats:
    amounts = np.array([row[f"{name}_{_UNITS[side][1]}"] for name in parts_of(side)])
    total = amounts.sum()
    return amounts / total if total > 0 else np.full(len(amounts), np.nan)


def _changes(row: Row, before: Row, task: str) -> Floats:
    """(2,) percent: of the networks, and of emission factors."""
    name = f"{task}_{_UNITS[task][1]}"
    pairs = ((row[name], row[f"factual_{name}"]), (row[f"factor_{name}"], before[f"factor_{name}"]))
    return np.array([100.0 * (after / known - 1.0) if known else np.nan for after, known in pairs])


def _off(told: float, answer: float, unit: float) -> tuple[float, float, float | None]:
    return told / unit, answer / unit, 100.0 * (answer / told - 1.0) if told else None


def _share(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None

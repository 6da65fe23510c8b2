"""The parts of the report about the annual plant product: figures 5 to 7 of the plume paper, and the tables.

Sources: plume paper, figures 5 to 7; SCIENCE 4.6 to 4.8. Tables are those of `vocab.product_tables`; days count from
1970-01-01. Where there is nothing to draw, a sentence says so.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.publish import generation_tables as tables
from carbonray.publish.bubble_map import Bubbles, bubble_map
from carbonray.publish.generation_charts import DayLine, PlantSeries, Scatter, scatter_chart, series_chart, series_key
from carbonray.publish.generation_facts import KINDS, GenerationFacts, Row
from carbonray.publish.generation_tables import MEGA
from carbonray.publish.page import figure, legend_entry, section, side_by_side, table
from carbonray.publish.svg import Markup, tag
from carbonray.vocab.product_tables import BOTH

_NS_PER_DAY = 86_400_000_000_000
_ON_FROM = 0.5  # the cut of every on/off model's bundle
_NOTHING = DayLine(np.zeros(0, np.int64), np.zeros(0))
_QUANTITIES = (
    ("Capacity factor", "", "capacity_factor", 1.0),
    ("Generation", "TWh", "generation_mwh", MEGA),
    ("Emissions", "Mt CO₂", "emissions_t_co2", MEGA),
)


def generation_sections(facts: GenerationFacts) -> dict[str, Markup | None]:
    """The page's sections by their names."""
    return {
        "Emissions": _emissions(facts),
        "Time series": _time_series(facts),
        "Against reports": _against_reports(facts),
        "Annual": _annual(facts),
        "Models": _models(facts),
    }


def generation_sentence(facts: GenerationFacts) -> str:
    """What the run found, in a sentence."""
    rows = facts.of_year()
    if not rows:
        return "No plant has a year."
    names = ("emissions_t_co2", "emissions_t_co2_p05", "emissions_t_co2_p95", "generation_mwh")
    co2, low, high, twh = (np.nansum([row[name] for row in rows]) / MEGA for name in names)
    tail = "power plant" if len(rows) == 1 else "power plants"
    return (
        f"{len(rows):,} {tail} in {facts.year()}: {co2:,.1f} Mt CO₂ ({low:,.1f} to {high:,.1f} if all err alike) "
        f"from {twh:,.1f} TWh."
    )


def _emissions(facts: GenerationFacts) -> Markup:
    rows = facts.of_year()
    if not rows:
        return section("emissions", "Emissions", "No plant has a year in this run, so there is no map to draw.")
    names = tuple(
        f"{facts.name(row)}, {row['country']}: "
        f"{tables.ranged(*(row[f'emissions_t_co2{end}'] / MEGA for end in ('', '_p05', '_p95')))} Mt CO₂, "
        f"capacity factor {tables.ranged(*(row[f'capacity_factor{end}'] for end in ('', '_p05', '_p95')))}"
        for row in rows
    )
    lat, lon, co2, factor = (
        np.array([row[name] for row in rows], np.float64)
        for name in ("lat", "lon", "emissions_t_co2", "capacity_factor")
    )
    bubbles = Bubbles(lat, lon, co2 / MEGA, factor, names, f"Mt CO₂ in {facts.year()}", "capacity factor")
    title = f"Annual CO₂ of power plants, {facts.year()}"
    unknown = int(np.isnan(co2).sum())
    ring = f" An empty ring marks a plant whose CO₂ is unknown ({unknown:,})." if unknown else ""
    caption = f"{title}. Data tier: {tables.tier_words(rows)}.{ring}"
    lead = "How much each plant emits (area) and how hard it works (colour). Pointing at a disc names the plant."
    return section("emissions", "Emissions", lead, figure(bubble_map(bubbles, title), caption))


def _time_series(facts: GenerationFacts) -> Markup:
    drawn = [_series_figure(facts, plant_id, words) for plant_id, words in facts.chosen.items()]
    pictures = [picture for picture in drawn if picture is not None]
    if not pictures:
        return section("time-series", "Time series", "No plant has days in this run, so there is no series to draw.")
    entries = [
        ("line", "modelled 30-day capacity factor"), ("band", "its 90 % interval"), ("line reported", "reported"),
        ("line part ndt", "towers alone"), ("line part fgd", "stacks alone"),
        ("dots on", "image: on"), ("dots off", "image: off"),
    ]  # fmt: skip
    legend = tag("div", *(legend_entry(series_key(name), words) for name, words in entries), class_="legend")
    lead = (
        "Each dot is an image: its height is the capacity factor that the sounding models tell from it, on average, "
        "its colour whether they call the plant on. The line is what the generation models make of 30 days of them."
    )
    return section("time-series", "Time series", lead, legend, side_by_side(*pictures))


def _series_figure(facts: GenerationFacts, plant_id: str, words: str) -> Markup | None:
    days = facts.days.get(plant_id)
    if days is None or not days.num_rows:
        return None
    name = facts.names.get(plant_id, plant_id)
    kinds = pc.unique(days.column("structure_kind")).to_pylist()
    kind = BOTH if BOTH in kinds else kinds[0]
    whole = _of_kind(days, kind)
    soundings = facts.soundings.get(plant_id)
    at, height, on = image_answers(soundings) if soundings is not None else (np.zeros(0),) * 3
    series = PlantSeries(
        title=f"30-day capacity factor of {name}",
        modelled=_line(whole, "capacity_factor"),
        low=_line(whole, "capacity_factor_p05").value,
        high=_line(whole, "capacity_factor_p95").value,
        parts={part: _line(_of_kind(days, part), "capacity_factor") for part in kinds if part != kind},
        reported=DayLine(*facts.reported_days[plant_id]) if plant_id in facts.reported_days else _NOTHING,
        sounding_day=at,
        sounding=height,
        on=on.astype(np.bool_),
    )
    silent = "" if len(series.reported.day) else " It has no reports."
    tier = ", ".join(sorted(pc.unique(days.column("data_tier")).to_pylist()))
    caption = tag(
        "span", tag("strong", name), f" ({KINDS.get(kind, kind)}): {words}. {len(at):,} image readings.{silent} {tier}."
    )
    return figure(series_chart(series), caption)


def image_answers(
    soundings: pa.Table,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Day, capacity factor and state of each image and structure kind, averaged over models and instances.

    Images without a capacity factor have no height, and are left out; one without an ON-score counts as off.
    """
    image = ["imager", "image_id", "structure_kind"]
    means = soundings.group_by([*image, "head"]).aggregate([("value", "mean"), ("time_utc_ns", "min")])
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for row in means.to_pylist():
        told = found.setdefault(tuple(row[name] for name in image), {"day": row["time_utc_ns_min"] / _NS_PER_DAY})
        told[row["head"]] = row["value_mean"]
    rows = sorted((told["day"], told["reg"], told.get("cls", 0.0)) for told in found.values() if "reg" in told)
    columns = np.array(rows, np.float64).reshape(-1, 3)
    columns = columns[np.isfinite(columns[:, 1])]
    return columns[:, 0], columns[:, 1], columns[:, 2] >= _ON_FROM


def _against_reports(facts: GenerationFacts) -> Markup:
    pairs = facts.pairs()
    drawn, cells = [], []
    for title, units, name, unit in _QUANTITIES:
        rows = [(row, told) for row, told in pairs if np.isfinite([row[name], told[name]]).all()]
        if not rows:
            drawn.append(tag("p", f"{title}: no plant has both a modelled and a reported year.", class_="lead"))
            continue
        scatter = _scatter(facts, rows, (title, units, name, unit))
        drawn.append(figure(scatter_chart(scatter), tag("strong", title)))
        cells += tables.score_cells(scatter, [row["plant_id"] for row, _ in rows])
    if not cells:
        lead = "No plant of this run has a reported year to hold the model against."
        return section("against-reports", "Against reports", lead)
    heads = (
        "quantity", "plants were", "plant-years", "plants", "mean reported", "mean modelled", "RMSE (90 %)",
        "MBE (90 %)",
    )  # fmt: skip
    legend = tag(
        "div",
        legend_entry(series_key("dots held-out"), "training plant, scored by models that held it out"),
        legend_entry(series_key("dots external"), "external plant"),
        legend_entry(series_key("diagonal"), "modelled = reported"),
        class_="legend",
    )
    tier = tables.tier_words([row for row, _ in pairs])
    lead = f"A dot is a plant and a year, a line its 90 % interval. Data tier: {tier}."
    note = "RMSE and MBE (modelled less reported), intervals over resampled plants; an evaluation run has baselines."
    return section(
        "against-reports",
        "Against reports",
        lead,
        legend,
        tag("div", *drawn, class_="thirds"),
        table(heads, cells, note),
    )


def _scatter(facts: GenerationFacts, rows: Sequence[tuple[Row, Row]], quantity: tuple[str, str, str, float]) -> Scatter:
    title, units, name, unit = quantity
    modelled, low, high = (
        np.array([row[f"{name}{end}"] for row, _ in rows], np.float64) / unit for end in ("", "_p05", "_p95")
    )
    reported = np.array([told[name] for _, told in rows], np.float64) / unit
    held_out = np.array([row["fold"] >= 0 for row, _ in rows], np.bool_)
    names = tuple(
        f"{facts.name(row)}, {row['year']}: modelled {m:.2f}, reported {r:.2f} {units}"
        for (row, _), m, r in zip(rows, modelled, reported, strict=True)
    )
    scores = tuple(_score_lines(reported, modelled, held_out, 2 if units else 3))
    return Scatter(title, units, reported, modelled, low, high, held_out, names, scores)


def _score_lines(
    reported: NDArray[np.float64], modelled: NDArray[np.float64], held_out: NDArray[np.bool_], digits: int
) -> Iterator[tuple[str, str]]:
    for words, group in (("held out", held_out), ("external", ~held_out)):
        if group.any():
            error = modelled[group] - reported[group]
            bias = f"{round(error.mean(), digits) + 0.0:+.{digits}f}".replace("-", "−")
            told = f"{words}: n {group.sum():,}, RMSE {np.sqrt((error**2).mean()):.{digits}f}, MBE {bias}"
            yield told, f"label {words.replace(' ', '-')}"


def _annual(facts: GenerationFacts) -> Markup:
    rows = facts.of_year()
    if not rows:
        return section("annual", "Annual", "No plant has a year in this run: the annual table is empty.")
    plants = facts.plants()
    lead = (
        f"{facts.year()}, from plants_annual.parquet. Intervals are those of the activity alone: emission factors are "
        "taken as exact. A country's plants may err alike or each by itself: its interval lies between the two given."
    )
    return section(
        "annual",
        "Annual",
        lead,
        tables.coverage_list(rows, plants, facts.annual.num_rows - len(plants)),
        tables.annual_table(rows, facts.names),
        tables.country_table(rows),
    )


def _models(facts: GenerationFacts) -> Markup:
    told, absent = sum(bool(model["instances"]) for model in facts.models), len(facts.missing)
    missing = f"{absent:,} {'is' if absent == 1 else 'are'} missing" if absent else "none is missing"
    lead = f"{told} of the paper's 16 sounding models told the soundings; {missing}."
    listed = [tables.model_table(facts.models)] if facts.models else []
    return section("models", "Models", lead, *listed, *([tables.missing_table(facts.missing)] if absent else []))


def _of_kind(days: pa.Table, kind: str) -> pa.Table:
    return days.filter(pc.equal(days.column("structure_kind"), kind)).sort_by("date")


def _line(days: pa.Table, name: str) -> DayLine:
    day = days.column("date").to_numpy().astype("datetime64[D]").astype(np.int64)
    return DayLine(day, days.column(name).to_numpy().astype(np.float64))

"""The tables of the annual plant product: plants, countries, scores against reports, coverage, and who told it all.

Sources: SCIENCE 4.7 and 4.8 (years and their intervals), 0.2 (RMSE, MBE, intervals over resampled plants). A row of a
plant is a dictionary of `vocab.product_tables.PLANTS_ANNUAL`; quantities are shown in TWh and Mt.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from carbonray.publish.charts import interval_bar
from carbonray.publish.generation_charts import Scatter
from carbonray.publish.generation_facts import KINDS, Row
from carbonray.publish.page import MISSING, fact_list, shown, table, tall
from carbonray.publish.svg import Markup, escaped, joined, tag
from carbonray.science.stats.bootstrap import BootstrapRules, block_draws
from carbonray.science.stats.plant_scores import Score, error_scores

MEGA = 1e6  # MWh of a TWh, t of a Mt
_WATCHED = {"BOTH": Markup("NDT&nbsp;+&nbsp;FGD")}
_MOST_PLANTS = 40
_MOST_COUNTRIES = 40


def annual_table(rows: Sequence[Row], names: Mapping[str, str]) -> Markup:
    """Plants by CO2, largest first; those whose CO2 is unknown come last."""
    ordered = sorted(rows, key=lambda row: (-np.nan_to_num(row["emissions_t_co2"], nan=-1.0), row["plant_id"]))
    most = max((row["emissions_t_co2_p95"] / MEGA for row in rows if row["emissions_t_co2_p95"] > 0), default=1.0)
    heads = (
        "", "plant", "country", "seen by", "capacity factor", "TWh", "Mt CO₂", "soundings", "year seen", "imputed",
        "scored by",
    )  # fmt: skip
    cells = [
        (
            escaped(rank),
            _plant(row, names),
            row["country"],
            _WATCHED.get(row["structure_kind"], row["structure_kind"]),
            _barred(row, "capacity_factor", 1.0, 1.0),
            float(row["generation_mwh"]) / MEGA,
            _barred(row, "emissions_t_co2", MEGA, most),
            int(row["n_soundings"]),
            _percent(row["coverage"]),
            _percent(row["imputed_fraction"]),
            lineage(row),
        )
        for rank, row in enumerate(ordered[:_MOST_PLANTS], 1)
    ]
    more = f": the largest {_MOST_PLANTS} of {len(rows):,}; all are in plants_annual.parquet"
    words = (
        "90 % intervals below the values. NDT: cooling towers, FGD: stacks. A plant with a fold was scored by the "
        "instances that held its fold out, an external one by all, none of which has seen it."
    )
    caption = f"Plants by CO₂{more if len(rows) > _MOST_PLANTS else ''}. {words}"
    return table(heads, cells, caption)


def lineage(row: Row) -> Markup:
    """Whether the plant is one that models were trained on, and which instances answered."""
    if row["fold"] < 0:
        words, kind = "external", "tag false nowrap"
    else:
        words, kind = f"fold {row['fold']}", "tag nowrap"
    return tag("span", words, class_=kind, title=f"scored by instance {row['instances']}")


def country_table(rows: Sequence[Row]) -> Markup:
    """Sums by country, with the interval if all plants err alike, and if each errs by itself."""
    totals = country_totals(rows)
    most = max((total["high"] for total in totals), default=1.0) or 1.0
    heads = (
        "country", "plants", "CO₂ unknown", "GW", "TWh", "Mt CO₂", "if all plants err alike", "if each errs by itself"
    )  # fmt: skip
    cells = [
        (
            total["country"], total["plants"], total["unknown"], total["gw"], total["twh"],
            tag("div", interval_bar(total["mt"], total["low"], total["high"], most), f"{total['mt']:,.2f}",
                class_="pair"),
            _span(total["low"], total["high"]),
            _span(total["mt"] - total["down"], total["mt"] + total["up"]),
        )
        for total in totals[:_MOST_COUNTRIES]
    ]  # fmt: skip
    more = f": the largest {_MOST_COUNTRIES} of {len(totals)}" if len(totals) > _MOST_COUNTRIES else ""
    return table(heads, cells, f"Sums over the plants of a country that this run scored{more}")


def country_totals(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Mt, TWh and GW by country, most CO2 first; a plant of unknown CO2 is counted and not summed.

    Ends of plants' intervals are added up (`low`, `high`), as if all plants erred alike; `down` and `up` are the root
    of the sum of their squares, as if each erred by itself. What is true lies between (inferred).
    """
    by_country: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_country[str(row["country"])].append(row)
    totals = []
    for country, plants in by_country.items():
        value, low, high = (_column(plants, f"emissions_t_co2{end}") / MEGA for end in ("", "_p05", "_p95"))
        totals.append(
            {
                "country": country,
                "plants": len(plants),
                "unknown": int(np.isnan(value).sum()),
                "gw": float(np.nansum(_column(plants, "capacity_mw")) / 1e3),
                "twh": float(np.nansum(_column(plants, "generation_mwh")) / MEGA),
                "mt": float(np.nansum(value)),
                "low": float(np.nansum(low)),
                "high": float(np.nansum(high)),
                "down": float(np.sqrt(np.nansum((value - low) ** 2))),
                "up": float(np.sqrt(np.nansum((high - value) ** 2))),
            }
        )
    return sorted(totals, key=lambda total: (-total["mt"], total["country"]))


def score_cells(scatter: Scatter, plants: Sequence[str], rules: BootstrapRules | None = None) -> list[tuple[Any, ...]]:
    """RMSE and MBE of each group of a scatter plot with their intervals, a row a group that has plants.

    Args:
        scatter: modelled and reported years.
        plants: (n,) the plant of each.
        rules: how intervals are drawn.
    """
    cells = []
    for group, words in ((scatter.held_out, "training, held out"), (~scatter.held_out, "external")):
        if not group.any():
            continue
        reported, modelled, of = scatter.reported[group], scatter.modelled[group], np.asarray(plants, object)[group]
        draws = block_draws(of.astype(str), rules or BootstrapRules(), seed=0)
        alone = draws.times.shape[1] < 2  # one plant resampled is always itself
        digits = 2 if scatter.units else 3
        scores = [_scored(score, digits, alone=alone) for score in error_scores(reported, modelled, draws)]
        quantity = f"{scatter.title}, {scatter.units}" if scatter.units else scatter.title
        means = (_signed(reported.mean(), digits), _signed(modelled.mean(), digits))
        cells.append((quantity, words, len(reported), draws.times.shape[1], *means, *scores))
    return cells


def coverage_list(rows: Sequence[Row], every_year: Sequence[Row], units: int) -> Markup:
    """What the tables hold, in numbers.

    Args:
        rows: the plants of the year shown.
        every_year: plants of all years.
        units: rows of generating units of all years.
    """
    years = sorted({int(row["year"]) for row in every_year})
    scored = Counter("held-out training plants" if row["fold"] >= 0 else "external plants" for row in rows)
    kinds = Counter(KINDS.get(row["structure_kind"], row["structure_kind"]) for row in rows)
    facts: dict[str, object] = {
        "plants": f"{len(rows):,} in {len({row['country'] for row in rows}):,} countries",
        "seen by": ", ".join(f"{name} {count:,}" for name, count in sorted(kinds.items())),
        "scored as": ", ".join(f"{name} {count:,}" for name, count in sorted(scored.items())),
        "soundings": int(sum(row["n_soundings"] for row in rows)),
        "year seen": f"{_percent(_median(rows, 'coverage'))} of the year has a sounding in its 30 days, at the median",
        "imputed": f"{_percent(_median(rows, 'imputed_fraction'))} of the features, at the median",
        "plants without CO₂": int(np.isnan(_column(rows, "emissions_t_co2")).sum()),
        "all years": f"{years[0]} to {years[-1]}: {len(every_year):,} plant-years, {units:,} unit-years",
        "data tier": tier_words(rows),
    }
    return fact_list(facts)


def tier_words(rows: Iterable[Row]) -> str:
    """What kind of data the rows were made from."""
    tiers = Counter(tier for _, tier in {(row["plant_id"], str(row["data_tier"])) for row in rows})
    counted = ", ".join(f"{name} ({count:,} plants)" for name, count in sorted(tiers.items()))
    simulated = any("SYNTHETIC" in name for name in tiers)
    return f"{counted}: simulated, nothing of it was measured" if simulated else counted


def model_table(models: Sequence[Mapping[str, str]]) -> Markup:
    """The models that answered."""
    heads = ("model", "instances", "first weights", "sha256")
    cells = [
        (
            model["name"],
            model["instances"] or None,
            (model["initialisation"] or "none: trees") if model["instances"] else None,
            joined(_digest(part) for part in model["sha256"].split(",")),
        )
        for model in models
    ]
    return tall(table(heads, cells, "Models that answered, and what pins them"))


def missing_table(missing: Sequence[str]) -> Markup:
    """The models that told nothing; each text is a name, or a name, a colon and a reason."""
    cells = [(name, reason.strip() or None) for name, _, reason in (text.partition(":") for text in missing)]
    return tall(table(("model", "why"), cells, "Models that are missing"))


def ranged(value: float, low: float, high: float) -> str:
    """A value and its interval in words."""
    return f"{shown(value)} ({_span(low, high)})" if np.isfinite(value) else MISSING


def _digest(text: str) -> Markup:
    return tag("span", text.strip()[:12], " ", class_="mono", title=text.strip())


def _plant(row: Row, names: Mapping[str, str]) -> Markup:
    name, plant_id = names.get(row["plant_id"], row["plant_id"]), row["plant_id"]
    return tag("span", name, tag("small", f"{plant_id}, {row['fuel']}, {row['capacity_mw']:,.0f} MW", class_="nowrap"))


def _barred(row: Row, name: str, unit: float, limit: float) -> Markup:
    """A value with its interval as a bar and in words."""
    value, low, high = (float(row[f"{name}{end}"]) / unit for end in ("", "_p05", "_p95"))
    if not np.isfinite(value):
        return escaped(MISSING)
    bar = interval_bar(value, low, high, max(limit, 1e-12))
    return tag("div", bar, _stacked(row, name, unit), class_="pair")


def _stacked(row: Row, name: str, unit: float) -> Markup:
    """A value above its interval."""
    value, low, high = (float(row[f"{name}{end}"]) / unit for end in ("", "_p05", "_p95"))
    if not np.isfinite(value):
        return escaped(MISSING)
    return tag("span", f"{value:,.2f}", tag("small", _span(low, high)), class_="nowrap")


def _span(low: float, high: float, digits: int = 2) -> str:
    return f"{_signed(low, digits)} to {_signed(high, digits)}" if np.isfinite([low, high]).all() else MISSING


def _scored(score: Score, digits: int, *, alone: bool) -> Markup:
    """A score and its interval; a single plant has none."""
    interval = "" if alone else f" ({_span(score.low, score.high, digits)})"
    return tag("span", _signed(score.value, digits), interval, class_="nowrap")


def _signed(value: float, digits: int) -> str:
    """A true minus, and none before a zero."""
    words = f"{value:,.{digits}f}"
    return words.replace("-", "−") if float(words.replace(",", "")) else words.removeprefix("-")


def _percent(share: float) -> str:
    return f"{share:.0%}" if np.isfinite(share) else MISSING


def _column(rows: Iterable[Row], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([row[name] for row in rows], np.float64)


def _median(rows: Iterable[Row], name: str) -> float:
    known = _column(rows, name)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else float("nan")

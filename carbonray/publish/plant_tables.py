"""The scores of the power plants' models as Markdown, in the form of the plume paper's tables 2 to 8.

Source: SCIENCE 0.3: synthetic results carry their tier, published figures stand in columns of their own and were
measured on other data. Tables are `vocab.plant_score_tables`; a dash is an undefined score. What differs from the
baseline, its 90 % interval says so, is better (a star) or worse (a cross); of one plant nothing can be said.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from carbonray.publish.markdown import number, table

Row = Mapping[str, Any]

PUBLISHED = "published (other data)"
_VALIDATIONS = {
    "cross": "cross-validation: plants held out in turn",
    "external": "external: plants that no model has seen",
    "cross and external": "cross and external together",
}
_QUANTITIES = {
    "capacity_factor": ("capacity factor of a year", 3),
    "generation_twh": ("generation of a year, TWh", 3),
    "emissions_mt_co2": ("CO2 of a year, Mt", 3),
}
_ROLES = {"model": 0, "variant": 1, "trivial": 2, "peer": 3, "oracle": 4}


def plant_tables_markdown(
    tables: Mapping[str, pa.Table], facts: Sequence[tuple[str, str]], notes: Sequence[str]
) -> str:
    """The whole page.

    Args:
        tables: `soundings`, `generation`, `annual` and `coverage`, of the schemas of `vocab.plant_score_tables`.
        facts: names and values of what was judged: runs, bundles, tiers, first weights.
        notes: sentences on what is missing and why.
    """
    rows = {name: found.to_pylist() for name, found in tables.items()}
    parts = [_head(rows, facts, notes), _coverage(rows["coverage"])]
    parts += _sounding_tables(rows["soundings"])
    parts += _generation_tables(rows["generation"])
    parts += _annual_tables(rows["annual"])
    return "\n\n".join(parts) + "\n"


def plant_summary(tables: Mapping[str, pa.Table]) -> str:
    """The models' rows in lines narrow enough for a terminal; in brackets the baseline's error."""
    lines = []
    for name in ("soundings", "generation", "annual"):
        for row in _ordered([row for row in tables[name].to_pylist() if row["role"] == "model"]):
            if row.get("region", "all") == "all":
                ranked = f"mAP {number(row['map'])}, " if "map" in row else ""
                error = f"RMSE {number(row['rmse'])} ({number(row['baseline_rmse'])})"
                lines.append(f"{_subject(row):44} {ranked}{error}, {row['n_plants']} plants, {row['data_tier']}")
    return "\n".join(lines)


def _subject(row: Row) -> str:
    """What a line of the summary is about."""
    if "quantity" in row:
        return f"{row['validation']}, {_QUANTITIES[row['quantity']][0]}"
    seen = f"{row['imager']} {row['model']}" if "imager" in row else "30 days"
    return f"{row['validation']}, {row['structure_kind']} {seen}"


def _head(rows: Mapping[str, Sequence[Row]], facts: Sequence[tuple[str, str]], notes: Sequence[str]) -> str:
    named = {str(row["data_tier"]) for name in rows for row in rows[name] if row["data_tier"]}
    tiers = sorted({tier for text in named for tier in text.split(", ")})
    synthetic = any(tier.startswith("SYNTHETIC") for tier in tiers)
    tier = "Every figure is SYNTHETIC" if synthetic else "Every figure is of the tier its table names"
    listed = "\n".join(f"| {name} | `{value}` |" for name, value in facts)
    said = "".join(f"\n- {note}" for note in notes)
    return (
        "# Evaluation of the power plants\n\n"
        f"{tier} ({', '.join(tiers) or 'no row'}), but those in columns headed `{PUBLISHED}`, which were measured on "
        "other data and cannot be compared with them. Brackets hold 90 % intervals over resampled plants, the same "
        "draws for every method on the same plants. Where the interval excludes the baseline's score, `*` marks a "
        "better one and `x` a worse one; of a single plant nothing can be said.\n\n"
        f"| what | value |\n|---|---|\n{listed}" + (f"\n\nMissing:\n{said}" if said else "")
    )


def _coverage(rows: Sequence[Row]) -> str:
    names = ("n_observations", "n_plants", "n_countries", "first_year", "last_year", "power_emissions_pct")
    heads = ("observations", "plants", "countries", "first year", "last year", "% of the power sector's emissions")
    columns = (*names, *(f"published_{name}" for name in names))
    lines = [[row["approach"], row["data_tier"], *(_count(row[name]) for name in columns)] for row in rows]
    titles = ("approach", "tier", *heads, *(f"{head}, {PUBLISHED}" for head in heads))
    return f"## Table 2: coverage\n\n{table(titles, lines)}"


def _sounding_tables(rows: Sequence[Row]) -> Iterable[str]:
    heads = (
        "imager", "model", "role", "first weights", "plants", "images", "mAP [90 %]", "RMSE [90 %]", "RMSE of the mean",
        "MBE [90 %]", f"mAP, {PUBLISHED}", f"RMSE, {PUBLISHED}", f"MBE, {PUBLISHED}",
    )  # fmt: skip
    for (validation, kind, tier), own in _split(rows, ("validation", "structure_kind", "data_tier")):
        lines = [
            [
                row["imager"], row["model"], row["role"], row["initialisation"] or "–",
                row["n_plants"], row["n_images"],
                _interval(row, "map") + _mark(row, "map", better=row["map"] > row["baseline_map"]),
                _interval(row, "rmse") + _mark(row, "rmse", better=row["rmse"] < row["baseline_rmse"]),
                number(row["baseline_rmse"]),
                _interval(row, "mbe"), *(_interval(row, f"published_{name}") for name in ("map", "rmse", "mbe")),
            ]
            for row in own
        ]  # fmt: skip
        which = "tables 3 and 4" if validation == "cross" else "tables A2 and A3"
        title = f"## {tier}: soundings of {kind}, {_VALIDATIONS[validation]} ({which})"
        yield f"{title}\n\nA score that never changes has mAP 0.5.\n\n{table(heads, lines)}"


def _generation_tables(rows: Sequence[Row]) -> Iterable[str]:
    for (validation, kind, tier), own in _split(rows, ("validation", "structure_kind", "data_tier")):
        title = f"## {tier}: 30-day capacity factor by {kind}, {_VALIDATIONS[validation]} (table 5)"
        yield f"{title}\n\n{_error_table((), own, ('days', 'n_days'), 3)}"


def _annual_tables(rows: Sequence[Row]) -> Iterable[str]:
    for (quantity, tier), own in _split(rows, ("quantity", "data_tier")):
        what, digits = _QUANTITIES[quantity]
        number_of = {"capacity_factor": 6, "generation_twh": 7, "emissions_mt_co2": 8}[quantity]
        title = f"## {tier}: {what} (table {number_of})"
        yield f"{title}\n\n{_error_table(('region', 'validation'), own, ('years', 'n_years'), digits)}"


def _error_table(keys: Sequence[str], rows: Sequence[Row], counted: tuple[str, str], digits: int) -> str:
    heads = (
        *keys, "method", "role", "plants", counted[0], "RMSE [90 %]", "RMSE of the baseline", "MBE [90 %]",
        "MBE of the baseline", f"plants, {PUBLISHED}", f"RMSE, {PUBLISHED}", f"RMSE of the baseline, {PUBLISHED}",
        f"MBE, {PUBLISHED}",
    )  # fmt: skip
    lines = [
        [
            *(row[key] for key in keys), row["model"], row["role"], row["n_plants"], row[counted[1]],
            _interval(row, "rmse", digits) + _mark(row, "rmse", better=row["rmse"] < row["baseline_rmse"]),
            number(row["baseline_rmse"], digits),
            _interval(row, "mbe", digits), number(row["baseline_mbe"], digits), _count(row["published_n_plants"]),
            _interval(row, "published_rmse", digits), number(row["published_baseline_rmse"], digits),
            _interval(row, "published_mbe", digits),
        ]
        for row in rows
    ]  # fmt: skip
    return table(heads, lines)


def _split(rows: Sequence[Row], keys: Sequence[str]) -> Iterable[tuple[tuple[str, ...], list[Row]]]:
    """The rows of each table, in the order of its lines."""
    for key in sorted({tuple(str(row[name]) for name in keys) for row in rows}):
        yield key, [row for row in _ordered(rows) if tuple(str(row[name]) for name in keys) == key]


def _ordered(rows: Sequence[Row]) -> list[Row]:
    """Lines by imager or place, models before their peers, oracles last."""
    return sorted(
        rows,
        key=lambda row: (
            row.get("imager", ""), row.get("region", ""), row["validation"], _ROLES[row["role"]], row["model"],
        ),
    )  # fmt: skip


def _interval(row: Row, name: str, digits: int = 3) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_p05", "_p95"))
    if number(low) == "–":
        return number(value, digits)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def _mark(row: Row, name: str, *, better: bool) -> str:
    """Whether a score differs from the baseline's, and which way."""
    if not row[f"{name}_significant"] or row["n_plants"] < 2:
        return ""
    return " *" if better else " x"


def _count(value: float) -> str:
    """A count, a dash for nothing."""
    return f"{value:.10g}" if value > 0 else "–"

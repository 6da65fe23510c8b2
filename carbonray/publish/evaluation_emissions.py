"""Errors of estimated emissions as Markdown: methods that were told a source's place, and those that found it, apart.

Source: SCIENCE 0.3: synthetic results carry their tier. Tables are `vocab.evaluation_tables.EMISSION_SCORES`; a dash is
an undefined score. No published figure is of the same task, so none stands here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from carbonray.publish.markdown import number, table

Row = Mapping[str, Any]
GROUPS = {True: "told the place", False: "found the place"}
_ABOUT = {
    True: (
        "Each method is told where the source truly is, a privilege no detector has, and the wind reported there. "
        "`times gain` multiplies by the oracle's gain, which validation scenes give for what the retrieval takes away. "
        "The trivial row answers the mean emission of validation sources; the oracle also knows the true weather."
    ),
    False: (
        "Each method looked for the source itself; one that it did not detect at its own cut has no estimate, while "
        "bias and RMSE in the tables of detection above are over all sources, whatever the map says of those missed."
    ),
}
_HEADS = (
    "method", "estimated", "bias kg/s [90 %]", "RMSE kg/s [90 %]", "median relative error [90 %]",
    "common: estimated", "common: bias kg/s", "common: RMSE kg/s",
)  # fmt: skip


def emission_markdown(scores: pa.Table, refused: Sequence[Row]) -> str:
    """The sections on emissions.

    Args:
        scores: every method, group and stratum.
        refused: generator, method, group, reason and number of sources without an estimate.
    """
    rows = scores.to_pylist()
    groups = list(dict.fromkeys((row["generator"], row["told_place"]) for row in rows))
    parts = []
    for generator, told in groups:
        own = [row for row in rows if (row["generator"], row["told_place"]) == (generator, told)]
        parts += [_main_section(own), _strata_section(own)]
    return "\n\n".join([*parts, _refusal_section(refused)]) + "\n"


def _main_section(rows: Sequence[Row]) -> str:
    first = rows[0]
    common = {row["method"]: row for row in rows if row["stratum_of"] == "common"}
    n_common = next(iter(common.values()))["n_sources"]
    lines = [[*_cells(row), *_common_cells(common[row["method"]])] for row in rows if row["stratum_of"] == "all"]
    title = f"## {first['data_tier']}: emissions of {first['generator'].upper()} sources above {first['theta']:g}, "
    counts = f"{first['n_sources']} sources, of which {n_common} are common: refused by no told method."
    return (
        f"{title}{GROUPS[first['told_place']]}\n\n{_ABOUT[first['told_place']]}\n\n{counts}\n\n{table(_HEADS, lines)}"
    )


def _cells(row: Row) -> list[str]:
    scored = ("bias_kg_s", "rmse_kg_s", "relative_error")
    return [
        row["method"],
        str(row["n_estimated"]),
        *(f"{number(row[name])} [{number(row[f'{name}_p05'])}, {number(row[f'{name}_p95'])}]" for name in scored),
    ]


def _common_cells(row: Row) -> list[str]:
    return [str(row["n_estimated"]), number(row["bias_kg_s"]), number(row["rmse_kg_s"])]


def _strata_section(rows: Sequence[Row]) -> str:
    """RMSE by strength and by number of sources, each with the number of estimates behind it."""
    chosen = [row for row in rows if row["stratum_of"] in ("strength", "sources")]
    strata = list(dict.fromkeys((row["stratum_of"], row["stratum"], row["n_sources"]) for row in chosen))
    by_method: dict[str, list[str]] = {}
    for row in chosen:
        by_method.setdefault(row["method"], []).append(f"{number(row['rmse_kg_s'])} ({row['n_estimated']})")
    first = rows[0]
    title = f"## {first['data_tier']}: RMSE kg/s by stratum, {GROUPS[first['told_place']]} (estimated sources)"
    heads = ("method", *(f"{of} {name} ({n})" for of, name, n in strata))
    return f"{title}\n\n{table(heads, ([name, *cells] for name, cells in by_method.items()))}"


def _refusal_section(refused: Sequence[Row]) -> str:
    heads = ("generator", "method", "group", "why there is no estimate", "sources")
    lines = [
        (row["generator"], row["method"], GROUPS[row["told_place"]], row["refused"], row["n_sources"])
        for row in refused
        if row["told_place"]
    ]
    return f"## SYNTHETIC: refusals of those that were told the place\n\n{table(heads, lines)}"

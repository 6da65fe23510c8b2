"""The tables of the page on energy and emissions: the published form, both protocols side by side, pairs, searches."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from carbonray.models.energy_peers import ENERGY_PEERS
from carbonray.publish.markdown import number, table
from carbonray.stages.energy_bundles import TASKS
from tests.evidence.energy_fits import EVERY, LONG, ORACLE, RATIO, REAL, SHIFT, TRIVIAL, TUNED
from tests.evidence.energy_scores import BACKBONES, PARTS

CLASSICAL = ("lr", "knn", "dt", "xgb")
ROWS = (*CLASSICAL, "mlp", "cnn", "clean_mlp", "clean_cnn")  # the published order
BESIDE = (*(name for name in ENERGY_PEERS if name not in CLASSICAL), TRIVIAL, RATIO, ORACLE)
TOLD = ("mix", "mix and total")
PROTOCOLS: Mapping[str, str] = {
    "paper": "P-paper: rows at random, synthesised countries made of all and divided with them",
    "region": "P-honest: one region left out, synthesised countries made of those that teach",
    "time": "P-honest: runs of months left out, a week and more between",
}
WORLDS: Mapping[str, str] = {
    "synthetic": "SYNTHETIC regions",
    "australia": "Four Australian regions, real and paired, months of 1998 to 2022, power alone",
    "carbon_monitor": "Carbon Monitor 2023 and 2024, real, with countries' yearly mixes of 2021: a plausibility check",
}


def views(scores: pd.DataFrame, world: str) -> list[tuple[str, str]]:
    """(protocol, subset) of a world's tables: at random with the synthesised rows, as published; else real ones."""
    own = scores[(scores["world"] == world) & (scores["part"] == "main")]
    return [(name, EVERY if name == "paper" else REAL) for name in PROTOCOLS if name in set(own["protocol"])]


def of(rows: pd.DataFrame, **told: Any) -> pd.DataFrame:
    """The rows with these values."""
    for name, value in told.items():
        rows = rows[rows[name] == value]
    return rows


def world_sheet(world: str, scores: pd.DataFrame, sizes: Sequence[int], size: int) -> str:
    """Every table of one world in the published form, and the other scores."""
    parts = [f"## {WORLDS[world]}"]
    for protocol, subset in views(scores, world):
        for told in TOLD:
            own = of(scores, world=world, part="main", protocol=protocol, subset=subset, told=told)
            fits = of(own, metric="mape", model="clean_mlp")
            counts = f"{fits['fits'].max()} fits a cell, {fits['blocks'].min()} to {fits['blocks'].max()} blocks"
            parts.append(f"### {PROTOCOLS[protocol]}; told {told}\n\nMAPE, {counts}:\n\n{_form(own, sizes)}")
            parts.append(f"ln-RMSE and bias of ln, {size} synthesised countries:\n\n{_others(of(own, n=size))}")
    return "\n\n".join(parts)


def overview(scores: pd.DataFrame, size: int) -> str:
    """Both protocols side by side, on real rows."""
    lines = []
    for world in WORLDS:
        for told in TOLD:
            for task in TASKS:
                own = of(scores, world=world, part="main", subset=REAL, told=told, task=task, n=size, metric="mape")
                there = [name for name in PROTOCOLS if name in set(own["protocol"])]
                lines += [(world, told, task, name, *_summary(of(own, protocol=name))) for name in there]
    heads = ("world", "told", "task", "protocol", "clean_mlp", "mlp", "best classical peer", "factors", "region mean")
    return table((*heads, "trivial", "oracle"), lines)


def backbones(pairs: pd.DataFrame, seeds: pd.DataFrame, scores: pd.DataFrame) -> str:
    """CLEAN minus its own backbone in every cell."""
    lines = []
    for world in WORLDS:
        for protocol, subset in views(scores, world):
            keys = {"world": world, "part": "main", "protocol": protocol, "subset": subset, "metric": "mape"}
            own, spread = of(pairs, **keys), of(seeds, **keys)
            for told in TOLD:
                for n in sorted(set(own["n"])):
                    cells = [
                        _pair(of(own, **cell), of(spread, **cell))
                        for first, second in BACKBONES.items()
                        for task in TASKS
                        for cell in [{"told": told, "n": n, "task": task, "first": first, "second": second}]
                    ]
                    lines.append((world, protocol, told, n, *cells))
    names = [f"{first} - {second}, {task}" for first, second in BACKBONES.items() for task in TASKS]
    return table(("world", "protocol", "told", "n", *names), lines)


def ablations(pairs: pd.DataFrame, scores: pd.DataFrame, size: int) -> str:
    """CLEAN minus itself without a part."""
    lines = []
    for world in WORLDS:
        for protocol, subset in views(scores, world):
            keys = {"world": world, "part": "main", "protocol": protocol, "subset": subset, "n": size}
            own = of(pairs, **keys, metric="mape", first="clean_mlp")
            for told in TOLD:
                for task in TASKS:
                    cells = [_pair(of(own, told=told, task=task, second=other)) for other in ("mlp", *PARTS)]
                    lines.append((world, protocol, told, task, *cells))
    return table(("world", "protocol", "told", "task", "minus mlp", *(f"minus {name}" for name in PARTS)), lines)


def searches(found: Sequence[Mapping[str, Any]]) -> str:
    """What was chosen, and the validation scores of the defaults and of the best trial."""
    lines = []
    for one in found:
        scores = [trial["validation_mape"] for trial in one["trials"]]
        chosen = json.dumps(one["settings"], sort_keys=True)
        told = TOLD[one["total"]]
        lines.append((one["world"], one["model"], told, len(scores), number(scores[0]), number(min(scores)), chosen))
    heads = ("world", "model", "told", "trials", "defaults, validation MAPE", "best", "chosen")
    return table(heads, lines)


def tuned(scores: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """Searched and default settings on what no trial saw."""
    lines = []
    models = [name for first in ("mlp", "clean_mlp") for name in (first, f"{first}{TUNED}")]
    own, both = (
        of(scores, part="tuned", subset=REAL, metric="mape"),
        of(pairs, part="tuned", subset=REAL, metric="mape"),
    )
    for world in WORLDS:
        for told in TOLD:
            for task in TASKS:
                cell = {"world": world, "told": told, "task": task}
                if len(mine := of(own, **cell)):
                    values = [_figure(of(mine, model=model)) for model in (*models, "xgb", TRIVIAL)]
                    ahead = of(both, **cell, first=f"clean_mlp{TUNED}", second=f"mlp{TUNED}")
                    lines.append((world, told, task, *values, _pair(ahead)))
    heads = ("world", "told", "task", *models, "xgb", TRIVIAL, f"clean_mlp{TUNED} - mlp{TUNED}")
    return table(heads, lines)


def shifted(scores: pd.DataFrame, size: int) -> str:
    """Answers about the shift tier, of fits that left a usual region out."""
    lines = []
    for told in TOLD:
        keys = {"world": "synthetic", "part": "main", "protocol": "region", "told": told, "n": size, "metric": "mape"}
        beside, usual = of(scores, **keys, subset=SHIFT), of(scores, **keys, subset=REAL)
        for model in (*ROWS, *BESIDE):
            if len(of(beside, model=model)):
                cells = [_figure(of(rows, model=model, task=task)) for rows in (usual, beside) for task in TASKS]
                lines.append((told, model, *cells))
    return table(("told", "model", *(f"{where}, {task}" for where in ("usual", "shift") for task in TASKS)), lines)


def countries(changes: pd.DataFrame, sizes: Sequence[int]) -> str:
    """MAPE with most synthesised countries minus without, where a region or a time is left out."""
    lines, most = [], max(sizes)
    for keys, own in of(changes, n=most, subset=REAL, part="main").groupby(["world", "protocol", "told"], sort=False):
        for task in TASKS:
            mine = of(own, task=task)
            lower, less, more = mine["change"] < 0, mine["p95"] < 0, mine["p05"] > 0
            net = of(mine, model="clean_mlp")
            lines.append((*keys, task, len(mine), lower.sum(), less.sum(), more.sum(), _figure(net, "change")))
    heads = ("world", "protocol", "told", "task", "models", "lower", "interval below 0", "above 0", "clean_mlp")
    return table(heads, lines)


def long_fits(scores: pd.DataFrame, sizes: Sequence[int]) -> str:
    """The published form of the long fits, for both ways of telling."""
    own = of(scores, part=LONG, subset=EVERY)
    if own.empty:
        return "Not fitted."
    return "\n\n".join(f"Told {told}:\n\n{_form(of(own, told=told), sizes)}" for told in TOLD)


def controls(rows: pd.DataFrame) -> str:
    """Every line of the negative control."""
    lines = [
        (
            row["protocol"], row["told"], row["task"], row["metric"], row["model"], row["trivial"], row["blocks"],
            f"{number(row['gain'])} [{number(row['low'])}, {number(row['high'])}]", row["found"],
            number(row["least"]), row["passes"],
        )
        for row in rows.to_dict("records")
    ]  # fmt: skip
    heads = ("protocol", "told", "task", "score", "model", "trivial", "blocks", "gain", "alone", "at least", "passes")
    return table(heads, lines)


def _form(own: pd.DataFrame, sizes: Sequence[int]) -> str:
    rows = of(own, metric="mape")
    lines = [
        (model, *(_figure(of(rows, model=model, n=n, task=task)) for n in sizes for task in TASKS))
        for model in (*ROWS, *BESIDE)
        if model in set(rows["model"])
    ]
    return table(("model", *(f"n = {n}, {task}" for n in sizes for task in TASKS)), lines)


def _others(own: pd.DataFrame) -> str:
    lines = []
    for model in (*ROWS, *PARTS, *BESIDE):
        mine = of(own, model=model)
        if len(mine):
            cells = [_value(of(mine, task=task, metric=metric)) for task in TASKS for metric in ("ln_rmse", "ln_bias")]
            lines.append((model, *cells))
    names = [f"{score}, {task}" for task in TASKS for score in ("ln-RMSE", "bias of ln")]
    return table(("model", *names), lines)


def _summary(own: pd.DataFrame) -> list[str]:
    classical = own[own["model"].isin(CLASSICAL)].sort_values("value")
    best = f"{classical['model'].iloc[0]} {number(classical['value'].iloc[0], 2)}" if len(classical) else "–"
    trivial = min((of(own, model=name) for name in (TRIVIAL, RATIO)), key=_least)
    cells = [_figure(of(own, model=name)) for name in ("clean_mlp", "mlp")]
    beside = [_value(of(own, model=name)) for name in ("emission_factors", "region_mean")]
    return [*cells, best, *beside, _value(trivial), _value(of(own, model=ORACLE))]


def _least(row: pd.DataFrame) -> float:
    return float(row["value"].iloc[0]) if len(row) else float("inf")


def _value(row: pd.DataFrame) -> str:
    return _plain(float(row["value"].iloc[0])) if len(row) else "–"


def _figure(row: pd.DataFrame, column: str = "value") -> str:
    """A value with its interval where there is one."""
    if not len(row):
        return "–"
    value, low, high = (_plain(float(row[name].iloc[0])) for name in (column, "p05", "p95"))
    return value if row["p05"].isna().all() else f"{value} [{low}, {high}]"


def _pair(row: pd.DataFrame, spread: pd.DataFrame | None = None) -> str:
    told = _figure(row, "difference")
    if spread is None or not len(spread):
        return told
    return f"{told}; {_plain(spread['difference'].mean())} ± {_plain(spread['difference'].std(ddof=1))}"


def _plain(value: float) -> str:
    """Three digits after the point, fewer of what is large."""
    return number(value, 3 if abs(value) < 1.0 else 2 if abs(value) < 100.0 else 0)

"""The tables of one way of dividing cells: scores city by city, other scores, and what the network is ahead by."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from carbonray.publish.markdown import number, table
from tests.evidence.grid_scores import BY_LABEL, MODEL, ORDINARY, TRUTH

ROLES = ("model", "ablation", "peer", "trivial", "oracle")
SPLITS: Mapping[str, str] = {
    "random": "cells dealt at random, three fifths to learn from, as the paper's",
    "blocks": "squares of 5 km and more, cells within two of a square that is judged on left out",
    "cities": "one city to learn from, one to choose by, one to be tested, and the shift city that nobody sees",
}
# split -> the score that models are compared by: levels do not travel between cities, ranks may
HEADLINES: Mapping[str, str] = {"random": "r2_ln", "blocks": "r2_ln", "cities": "spearman"}
HEADS: Mapping[str, str] = {"r2_ln": "R2 of ln t CO2", "spearman": "Spearman's rank correlation"}
OTHERS = ("r2_ln", "mae_ln", "rmse_ln", "spearman", "r2_t", "mae_t", "rmse_t", "mape_t", "coverage")


def sheet(split: str, scores: pd.DataFrame, pairs: pd.DataFrame, seeds: pd.DataFrame) -> str:
    """Three tables of one split."""
    own, other = (rows[rows["split"] == split] for rows in (scores, pairs))
    spread = seeds[(seeds["split"] == split) & (seeds["world"] == ORDINARY)]
    metric = HEADLINES[split]
    counts = own.drop_duplicates("city")
    judged = "; ".join(f"{row.city} {row.cells} cells in {row.blocks} blocks" for row in counts.itertuples())
    fits = spread.groupby("city")["seed"].nunique()
    return f"""## {split}: {SPLITS[split]}

Judged: {judged}; {fits.min() if len(fits) else 0} to {fits.max() if len(fits) else 0} fits a model and city.

{HEADS[metric]}, on the labels and on the truth:

{_by_city(own, metric)}

Other scores, mean of the cities:

{_means(own)}

`{MODEL}` minus each other model, {HEADS[metric]} on the labels; interval, then mean ± standard deviation over seeds:

{_differences(other, spread, metric)}"""


def _by_city(scores: pd.DataFrame, metric: str) -> str:
    rows = scores[scores["metric"] == metric]
    cities = list(dict.fromkeys(rows["city"]))
    lines = []
    for model in _ordered(rows):
        cells: list[str] = []
        for by in (BY_LABEL, TRUTH):
            own = rows[(rows["model"] == model) & (rows["judged_by"] == by)].set_index("city")
            told = [figure(own.loc[city], "value") if city in own.index else "–" for city in cities]
            cells += [*told, number(own["value"].mean(), 2)]
        lines.append((model, *cells))
    heads = ["model", *(f"{city}, {by}" for by in (BY_LABEL, TRUTH) for city in (*cities, "mean"))]
    return table(heads, lines)


def _means(scores: pd.DataFrame) -> str:
    lines = []
    for by in (BY_LABEL, TRUTH):
        rows = scores[(scores["judged_by"] == by) & scores["metric"].isin(OTHERS)]
        values = rows.groupby(["model", "metric"])["value"].mean()
        for model in _ordered(rows):
            told = [values.get((model, metric), np.nan) for metric in OTHERS]
            figures = [
                number(v, 0 if metric in ("mae_t", "rmse_t") else 2) for metric, v in zip(OTHERS, told, strict=True)
            ]
            lines.append((by, model, *figures))
    return table(("by", "model", *OTHERS), lines)


def _differences(pairs: pd.DataFrame, seeds: pd.DataFrame, metric: str) -> str:
    rows, apart = (
        each[(each["metric"] == metric) & (each["judged_by"] == BY_LABEL) & (each["first"] == MODEL)]
        for each in (pairs, seeds)
    )
    cities = list(dict.fromkeys(rows["city"]))
    lines = []
    for model in dict.fromkeys(rows["second"]):
        cells = []
        for city in cities:
            own = rows[(rows["second"] == model) & (rows["city"] == city)]
            each = apart[(apart["second"] == model) & (apart["city"] == city)]["difference"]
            spread = f"; {number(each.mean(), 2)} ± {number(each.std(ddof=1), 2)}"
            cells.append(figure(own.iloc[0], "difference") + spread if len(own) else "–")
        lines.append((model, *cells))
    return table(["minus", *cities], lines)


def _ordered(rows: pd.DataFrame) -> list[str]:
    """Models by role, then by their name."""
    roles = rows.drop_duplicates("model").set_index("model")["role"]
    return sorted(roles.index, key=lambda model: (ROLES.index(roles[model]), model))


def figure(row: "pd.Series[Any]", column: str) -> str:
    """A value with its interval."""
    return f"{number(row[column], 2)} [{number(row['p05'], 2)}, {number(row['p95'], 2)}]"

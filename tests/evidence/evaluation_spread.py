"""How much scores vary between five disjoint fifths of the test scenes: mean and standard deviation, as Markdown.

This is a spread over test scenes. It says nothing of other training seeds, of which there is one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from carbonray.publish.markdown import table
from carbonray.stages.emission_scores import found_estimates

FIFTHS = 5
GENERATORS = ("g1", "g2")
_ESTIMATE = ["method", "told_place"]


def f1_spread(run: Path, theta: float, methods: list[str]) -> str:
    """F1 at own cuts."""
    counts = pq.read_table(run / "evaluation" / "scenes").to_pandas()
    counts = counts[(counts["found_at"] == "cut") & (counts["theta"] == theta)]
    columns: dict[str, list[str]] = {name: [] for name in methods}
    for generator in GENERATORS:
        fifths = [_counts(part, methods) for part in _fifths(counts, generator)]
        for name in methods:
            tp, fp, fn = (np.array([fifth.loc[name, count] for fifth in fifths]) for count in ("tp", "fp", "fn"))
            columns[name].append(_spread(2 * tp / np.maximum(2 * tp + fp + fn, 1)))
    heads = ("method", "F1, SYNTHETIC-T1", "F1, SYNTHETIC-T2")
    return table(heads, ([name, *cells] for name, cells in columns.items()))


def rmse_spread(run: Path, theta: float, q_max_kg_s: float, methods: list[tuple[str, bool]]) -> str:
    """RMSE of emissions over estimated sources, kg s-1."""
    folder = run / "evaluation"
    found = [name for name, told in methods if not told]
    estimates = pd.concat(
        [
            pq.read_table(folder / "emissions").to_pandas(),
            found_estimates(pq.read_table(folder / "sources"), found, theta, q_max_kg_s).to_pandas(),
        ]
    )
    scenes = pq.read_table(folder / "scenes").to_pandas()
    columns: dict[tuple[str, bool], list[str]] = {method: [] for method in methods}
    for generator in GENERATORS:
        own = estimates[(estimates["generator"] == generator) & (estimates["refused"] == "")]
        squares = (own["q_found_kg_s"] - own["q_kg_s"]) ** 2
        parts = [own["scene"].isin(part["scene"].unique()) for part in _fifths(scenes, generator)]
        errors = [np.sqrt(squares[part].groupby([own.loc[part, name] for name in _ESTIMATE]).mean()) for part in parts]
        for method in methods:
            columns[method].append(_spread(np.array([float(error.get(method, np.nan)) for error in errors])))
    heads = ("method", "group", "RMSE kg/s, SYNTHETIC-T1", "RMSE kg/s, SYNTHETIC-T2")
    groups = {True: "told the place", False: "found the place"}
    return table(heads, ([name, groups[told], *cells] for (name, told), cells in columns.items()))


def _fifths(rows: pd.DataFrame, generator: str) -> Iterator[pd.DataFrame]:
    """The rows of each fifth of the complete scenes, in the order of their indices."""
    own = rows[rows["generator"] == generator]
    for scenes in np.array_split(np.unique(own["scene"]), FIFTHS):
        yield own[own["scene"].isin(scenes)]


def _counts(rows: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """Pixels found, false and missed by each method; NaN where a small run has no scene."""
    return rows.groupby("method")[["tp", "fp", "fn"]].sum().reindex(methods)


def _spread(values: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    return "–" if np.isnan(values).any() else f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"

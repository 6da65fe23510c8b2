"""Errors of estimated emissions by stratum: of methods that were told a source's place, and of those that found it.

Sources: SCIENCE 3.5 (bias and RMSE), 0.2 (block bootstrap of scenes, the same draws for every method and stratum).
What a method refuses or does not find has no error, so counts stand beside scores, and the stratum `common` holds the
sources that no told method refused. Arrays are (row,), one a method and source; resamples are (resample, scene)
multiplicities.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.contract import to_batch, to_table
from carbonray.science.no2.scoring import STRENGTH_NAMES, strength_class
from carbonray.science.stats.bootstrap import BootstrapRules, block_bootstrap_sums, interval
from carbonray.stages.held_out import DATA_TIERS
from carbonray.stages.quantifying import WITH_GAIN
from carbonray.stages.score_tables import ScoreSheet, StrataRules, count_names
from carbonray.vocab import evaluation_tables as tables

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Method = tuple[str, bool]  # name, and whether it was told the place

NOT_FOUND = "not detected"
COMMON = "refused by no told method"
MIN_ESTIMATES = 10  # for an interval
_SCORES = ("bias_kg_s", "rmse_kg_s", "relative_error")


@dataclass(frozen=True)
class EmissionRules:
    """What the errors are broken down by.

    Attributes:
        theta: sources of a greater relative emission are targets.
        q_max_kg_s: emission of relative emission 1.
        strata: classes of the number of sources.
        bootstrap: how intervals are drawn.
        seed: of the draws.
    """

    theta: float
    q_max_kg_s: float
    strata: StrataRules
    bootstrap: BootstrapRules
    seed: int


def found_estimates(sources: pa.Table, methods: Sequence[str], theta: float, q_max_kg_s: float) -> pa.Table:
    """What detectors gave the target sources they detected at their own cut, as `EMISSION_ESTIMATES`.

    Args:
        sources: `vocab.evaluation_tables.SOURCE_SCORES`.
        methods: those whose answer is an emission.
        theta: sources of a greater relative emission are targets.
        q_max_kg_s: emission of relative emission 1.
    """
    rows = to_batch(sources)
    target = (rows["q_kg_s"] / q_max_kg_s > theta) & (rows["theta"] == theta)
    kept = target & (rows["found_at"] == "cut") & np.isin(rows["method"].astype(str), list(methods))
    own = {name: column[kept] for name, column in rows.items()}
    found = own["detected"].astype(np.bool_)
    answer = {
        "told_place": np.zeros(len(found), np.bool_),
        "q_found_kg_s": np.where(found, own["q_found_kg_s"], np.nan),
        "refused": np.where(found, "", NOT_FOUND).astype(object),
    }
    return to_table(own | answer, tables.EMISSION_ESTIMATES, stage="emission scores")


def emission_rows(
    estimates: pa.Table, sheet: ScoreSheet, generator: str, methods: Sequence[Method], rules: EmissionRules
) -> Iterator[dict[str, Any]]:
    """Rows of `vocab.evaluation_tables.EMISSION_SCORES` of one generator, by stratum, then by method.

    Args:
        estimates: of every method about the same sources.
        sheet: the scenes, and the number of sources in each.
        generator: of the scenes.
        methods: in the order wanted.
        rules: targets, strata and intervals.
    """
    rows = to_batch(estimates)
    rows["at"] = np.searchsorted(sheet.scene, rows["scene"])
    rng = np.random.default_rng(np.random.SeedSequence((rules.seed, len(methods))))
    drawn = block_bootstrap_sums(np.eye(len(sheet.scene)), rules.bootstrap, rng)
    of_method = {(name, told): (rows["method"] == name) & (rows["told_place"] == told) for name, told in methods}
    for of, name, inside in _strata(rows, sheet, rules):
        for (method, told), own in of_method.items():
            yield {
                "generator": generator,
                "data_tier": DATA_TIERS[generator],
                "method": method,
                "told_place": told,
                "theta": rules.theta,
                "stratum_of": of,
                "stratum": name,
                **_scores({column: values[own & inside] for column, values in rows.items()}, drawn, rules.bootstrap),
            }


def refusals(estimates: pa.Table) -> list[dict[str, Any]]:
    """How many target sources each method gave no estimate of, and why; a gain refuses what its method refuses."""
    own = pa.compute.and_(
        pa.compute.not_equal(estimates.column("refused"), ""),
        pa.compute.invert(pa.compute.ends_with(estimates.column("method"), WITH_GAIN)),
    )
    refused = estimates.filter(own)
    keys = ["generator", "method", "told_place", "refused"]
    counted = refused.group_by(keys).aggregate([("source", "count")]).rename_columns([*keys, "n_sources"])
    return list(counted.sort_by([(key, "ascending") for key in keys]).to_pylist())


def _strata(
    rows: Mapping[str, NDArray[Any]], sheet: ScoreSheet, rules: EmissionRules
) -> Iterator[tuple[str, str, Bools]]:
    """All rows, those every told method answered, and the classes of number and of strength that have sources."""
    yield "all", "all", np.ones(len(rows["at"]), np.bool_)
    yield "common", COMMON, _in_common(rows)
    numbers = np.searchsorted(rules.strata.n_sources, sheet.columns["n_sources"][rows["at"]], side="right")
    strengths = strength_class(rows["q_kg_s"] / rules.q_max_kg_s)
    for of, names, classes in (
        ("sources", count_names(rules.strata.n_sources), numbers), ("strength", STRENGTH_NAMES, strengths)
    ):  # fmt: skip
        for number, name in enumerate(names):
            if (classes == number).any():
                yield of, name, np.asarray(classes == number)


def _in_common(rows: Mapping[str, NDArray[Any]]) -> Bools:
    """Rows of sources that no told method refused."""
    source = np.unique(np.stack([rows["at"], rows["source"]]), axis=1, return_inverse=True)[1].ravel()
    refused = rows["told_place"] & (rows["refused"] != "")
    return np.asarray(~np.isin(source, source[refused]))


def _scores(rows: Mapping[str, NDArray[Any]], drawn: Floats, rules: BootstrapRules) -> dict[str, float | int]:
    """Bias, RMSE and median relative error over the estimated sources, with intervals where there are enough."""
    kept = rows["refused"] == ""
    error, at = (rows["q_found_kg_s"] - rows["q_kg_s"])[kept], rows["at"][kept]
    relative = np.abs(error) / rows["q_kg_s"][kept]
    nan = float("nan")
    scores: dict[str, float | int] = {"n_sources": len(kept), "n_estimated": len(error)}
    values = (np.mean(error), np.sqrt(np.mean(error**2)), np.median(relative)) if len(error) else (nan, nan, nan)
    scores |= {name: float(value) for name, value in zip(_SCORES, values, strict=True)}
    enough = len(error) >= MIN_ESTIMATES
    resampled = (*_moments(error, at, drawn), _medians(relative, at, drawn)) if enough else ()
    limits = [interval(draws, rules) for draws in resampled]
    scores |= {f"{name}_p05": limits[i].low if enough else nan for i, name in enumerate(_SCORES)}
    return scores | {f"{name}_p95": limits[i].high if enough else nan for i, name in enumerate(_SCORES)}


def _moments(error: Floats, at: NDArray[np.int64], drawn: Floats) -> tuple[Floats, Floats]:
    """(resample,) bias and RMSE; NaN where no estimate was drawn."""
    sums = [np.bincount(at, weights, minlength=drawn.shape[1]) for weights in (np.ones_like(error), error, error**2)]
    count, total, squares = (drawn @ np.stack(sums, axis=1)).T
    count = np.where(count > 0.0, count, np.nan)
    return total / count, np.sqrt(squares / count)


def _medians(values: Floats, at: NDArray[np.int64], drawn: Floats) -> Floats:
    """(resample,) lower medians of values that count as often as their scene was drawn; NaN where none was."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(drawn[:, at[order]], axis=1)
    half = np.where(reached[:, -1:] > 0.0, 0.5 * reached[:, -1:], np.nan)
    middle = (reached >= half).argmax(axis=1)
    return np.where(np.isnan(half[:, 0]), np.nan, values[order][middle])

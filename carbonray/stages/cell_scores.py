"""Judges what models say of held-out cells, in the logarithm and in tonnes, and compares them in pairs.

Sources: SCIENCE 1.5, 1.6 (R2 in ln is not R2 in tonnes: both), 0.2 (blocks drawn whole, pairs on identical cells and
seeds, mean and standard deviation over five seeds and more), 0.3 (negative controls). Every fit's tonnes carry its own
smearing, from its own validation cells. Intervals are over blocks and seeds, drawn at once; that both are drawn is
inferred. Arrays are (cell,), sorted by number.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from carbonray.errors import ContractError
from carbonray.science.stats import metrics
from carbonray.science.stats.block_scores import resampled_errors, resampled_mean, resampled_spearman
from carbonray.science.stats.bootstrap import BlockDraws, BootstrapRules, block_draws, interval
from carbonray.science.urban.cell_splits import CellSplitRules, group_names
from carbonray.stages.cell_answers import Judged, ModelAnswers, Said
from carbonray.vocab.cell_score_tables import CELL_DIFFERENCES, CELL_SCORES

Floats = NDArray[np.float64]
Score = tuple[Floats, Floats]  # (seed,) of all cells, (resample, seed)


@dataclass(frozen=True)
class CellScoreRules:
    """How intervals are drawn.

    Attributes:
        bootstrap: number of resamples and percentiles.
        block_km: least side of the blocks that are drawn whole, whatever the split was.
        draw_seeds: whether seeds are drawn with the blocks: what another fit would have said is chance too (inferred).
        seed: of the draws (inferred).
    """

    bootstrap: BootstrapRules = field(default_factory=BootstrapRules)
    block_km: float = 5.0
    draw_seeds: bool = True
    seed: int = 0


@dataclass(frozen=True)
class ModelScores:
    """Scores of a model.

    Attributes:
        seeds: it was fitted with, ascending.
        of: metric -> scores of each seed.
    """

    seeds: tuple[int, ...]
    of: Mapping[str, Score]


@dataclass(frozen=True)
class Metric:
    """One score.

    Attributes:
        units: of it.
        good: whether it should be large or small; '' for a score that should be neither.
        value: (ln of tonnes observed, answers) -> the score of all cells.
        drawn: the same, and resamples -> (resample,) scores.
    """

    units: str
    good: Literal["large", "small", ""]
    value: Callable[[Floats, Said], float]
    drawn: Callable[[Floats, Said, BlockDraws], Floats]


def _error(name: str, units: str, good: Literal["large", "small", ""], *, in_tonnes: bool) -> Metric:
    score = getattr(metrics, name)

    def sides(ln_e: Floats, said: Said) -> tuple[Floats, Floats]:
        return (np.exp(ln_e), said.tonnes.mean_t_co2) if in_tonnes else (ln_e, said.ln_e)

    return Metric(
        units,
        good,
        lambda ln_e, said: float(score(*sides(ln_e, said))),
        lambda ln_e, said, draws: resampled_errors(*sides(ln_e, said), draws)[name],
    )


def banded(said: Said) -> Floats:
    """(cell,) 1 where an answer has a band, 0 where nothing is known of how far off it is, NaN without answer."""
    return np.where(np.isnan(said.ln_e), np.nan, np.isfinite(said.tonnes.high_t_co2))


def in_band(ln_e: Floats, said: Said) -> Floats:
    """(cell,) 1 where the truth lies in the band of the answer, 0 where not, or where there is no band."""
    truth = np.exp(ln_e)
    inside = (said.tonnes.low_t_co2 <= truth) & (truth <= said.tonnes.high_t_co2)
    return np.asarray(banded(said) * inside, np.float64)


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    below = np.asarray(whole, np.float64)
    return np.asarray(np.asarray(part, np.float64) / np.where(below == 0.0, np.nan, below))


# name in the tables -> the score; a new one is one entry
METRICS: Mapping[str, Metric] = {
    "mae_ln": _error("mae", "1", "small", in_tonnes=False),
    "rmse_ln": _error("rmse", "1", "small", in_tonnes=False),
    "r2_ln": _error("r2", "1", "large", in_tonnes=False),
    "mbe_ln": _error("mbe", "1", "", in_tonnes=False),
    "spearman": Metric(
        "1",
        "large",
        lambda ln_e, said: metrics.spearman(ln_e, said.ln_e),
        lambda ln_e, said, draws: resampled_spearman(ln_e, said.ln_e, draws),
    ),
    "mae_t": _error("mae", "t", "small", in_tonnes=True),
    "rmse_t": _error("rmse", "t", "small", in_tonnes=True),
    "r2_t": _error("r2", "1", "large", in_tonnes=True),
    "mape_t": _error("mape", "1", "small", in_tonnes=True),
    "mbe_t": _error("mbe", "t", "", in_tonnes=True),
    # of the cells that have a band: an unbounded one holds everything, and tells nothing
    "coverage": Metric(
        "1",
        "",
        lambda ln_e, said: float(_share(np.mean(in_band(ln_e, said)), np.mean(banded(said)))),
        lambda ln_e, said, draws: _share(
            resampled_mean(in_band(ln_e, said), draws), resampled_mean(banded(said), draws)
        ),
    ),
    "banded": Metric(
        "1",
        "",
        lambda _, said: float(np.mean(banded(said))),
        lambda _, said, draws: resampled_mean(banded(said), draws),
    ),
}


def score_tables(
    judged: Judged,
    models: Iterable[ModelAnswers],
    pairs: Iterable[tuple[str, str]],
    rules: CellScoreRules | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Schemas `CELL_SCORES` and `CELL_DIFFERENCES`: every model by every metric, and pairs of them.

    Args:
        judged: the cells; every model and seed is judged by all of them, with the same draws of blocks.
        models: what is judged; read one after another.
        pairs: (first, second) of them.
        rules: intervals.

    Raises:
        ContractError: a model says nothing of one of the cells, or a pair has other seeds.
    """
    rules = rules or CellScoreRules()
    split = CellSplitRules(by="blocks", block_km=rules.block_km)
    blocks = np.array(group_names(judged.cell, [""] * len(judged.cell), split))
    draws = block_draws(blocks, rules.bootstrap, rules.seed)
    counts = {"cells": len(judged.cell), "blocks": draws.times.shape[1]}
    found: dict[str, ModelScores] = {}
    rows: list[dict[str, Any]] = []
    for model in models:
        own = found[model.model] = _scores(judged, model, draws)
        named = {**judged.keys, **counts, "model": model.model, "role": model.role}
        rows += [named | _row(name, score, "value", rules) for name, score in own.of.items()]
    named = {**judged.keys, **counts}
    pairwise = [named | row for pair in pairs for row in _differences(pair, found, rules)]
    return pa.Table.from_pylist(rows, CELL_SCORES), pa.Table.from_pylist(pairwise, CELL_DIFFERENCES)


@dataclass(frozen=True)
class NegativeControl:
    """What a pair of models says where there is nothing to gain: a city without coupling, points of other cells.

    Attributes:
        passes: the interval of the gain holds 0; False where there is no interval.
        gain: score of the model with the module less that of the one without.
        noticeable: half the width of the interval: a smaller gain would not have been noticed, and a control that
            passes says no more than this.
    """

    passes: bool
    gain: float
    noticeable: float


def negative_control(difference: Mapping[str, Any]) -> NegativeControl:
    """Whether a module's gain cannot be told from none.

    Args:
        difference: row of `CELL_DIFFERENCES`: the model with the module first, the one without it second.
    """
    low, high = float(difference["p05"]), float(difference["p95"])
    return NegativeControl(low <= 0.0 <= high, float(difference["difference"]), 0.5 * (high - low))


def _scores(judged: Judged, model: ModelAnswers, draws: BlockDraws) -> ModelScores:
    seeds = tuple(sorted(model.by_seed))
    said = [model.by_seed[seed].of(judged.cell, model.model) for seed in seeds]
    of = {
        name: (
            np.array([metric.value(judged.ln_e, answers) for answers in said]),
            np.stack([metric.drawn(judged.ln_e, answers, draws) for answers in said], axis=1),
        )
        for name, metric in METRICS.items()
    }
    return ModelScores(seeds, of)


def _differences(
    pair: tuple[str, str], found: Mapping[str, ModelScores], rules: CellScoreRules
) -> Iterator[dict[str, Any]]:
    """Rows of `CELL_DIFFERENCES` less their keys, first minus second."""
    first, second = (found[name] for name in pair)
    if first.seeds != second.seeds and min(len(first.seeds), len(second.seeds)) > 1:
        raise ContractError(
            f"{pair[0]} was fitted with seeds {first.seeds}, {pair[1]} with {second.seeds}",
            where="paired differences of cells",
            expected="the same seeds, or one that stands beside all",
            remedy="Fit both with the same seeds, or judge those they share.",
        )
    for name, metric in METRICS.items():
        one, other = first.of[name], second.of[name]
        row = _row(name, (one[0] - other[0], one[1] - other[1]), "difference", rules)
        sign = {"large": 1.0, "small": -1.0, "": 0.0}[metric.good]
        ahead = sign * np.array([row["p05"], row["p95"]])
        better = pair[0] if np.all(ahead > 0.0) else pair[1] if np.all(ahead < 0.0) else ""
        significant = bool(row["p05"] > 0.0 or row["p95"] < 0.0)
        yield {"first": pair[0], "second": pair[1], **row, "significant": significant, "better": better}


def _row(name: str, score: Score, column: str, rules: CellScoreRules) -> dict[str, Any]:
    """Mean over seeds, standard deviation, and the interval over blocks and seeds."""
    value, drawn = score
    seeds = len(value)
    ends = interval((drawn * _seed_shares(seeds, rules)).sum(axis=1), rules.bootstrap)
    return {
        "metric": name,
        "units": METRICS[name].units,
        column: float(value.mean()),
        "seed_sd": float(value.std(ddof=1)) if seeds > 1 else float("nan"),
        "p05": ends.low,
        "p95": ends.high,
        "undefined": ends.n_undefined,
        "seeds": seeds,
    }


def _seed_shares(seeds: int, rules: CellScoreRules) -> Floats:
    """(resample, seed) weights of the seeds, the same for all models of as many seeds."""
    if not rules.draw_seeds:
        return np.full((rules.bootstrap.resamples, seeds), 1.0 / seeds)
    rng = np.random.default_rng(np.random.SeedSequence((rules.seed, seeds, 1)))
    return rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=rules.bootstrap.resamples) / seeds

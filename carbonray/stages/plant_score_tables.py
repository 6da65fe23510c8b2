"""Judges soundings, 30-day means and years of plants in the form of the plume paper's tables 2 to 8.

Sources: plume paper section 4 and appendix D, SCIENCE 0.2 and 0.3: 90 % intervals over resampled plants, the same draws
for every method on the same plants; published figures in columns of their own. Answers come as (row,) arrays.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.models.generation_peers import TRAIN_MEAN
from carbonray.science.stats.bootstrap import BlockDraws, BootstrapRules, block_draws
from carbonray.science.stats.metrics import mbe, rmse
from carbonray.science.stats.plant_scores import Score, error_scores, map_score
from carbonray.stages.generation_folds import HeldOut, role_of
from carbonray.stages.published_plants import PAPER_ANNUAL, PAPER_COVERAGE, PAPER_GENERATION, PAPER_SOUNDINGS, Triple
from carbonray.vocab.plant_score_tables import ANNUAL_SCORES, COVERAGE, GENERATION_SCORES, SOUNDING_SCORES

Floats = NDArray[np.float64]

ALWAYS_ON_MAP = 0.5  # of any constant score (SCIENCE 0.2)
_NAN = float("nan")
_UNPRINTED = (_NAN, _NAN, _NAN)
Printed = tuple[int, Triple, float, Triple, float]  # plants, RMSE, the baseline's, MBE, the baseline's


@dataclass(frozen=True)
class PlantScoreRules:
    """How intervals are drawn.

    Attributes:
        bootstrap: number of resamples and percentiles.
        seed: of the draws (inferred).
    """

    bootstrap: BootstrapRules = field(default_factory=BootstrapRules)
    seed: int = 0


@dataclass(frozen=True)
class Answers:
    """What a method said of some plants.

    Attributes:
        keys: values of the key columns of its row of the table.
        plant: (row,) the plant of each row.
        observed: (row,) what was reported.
        predicted: (row,) what the method says.
        baseline: (row,) what the baseline says.
    """

    keys: Mapping[str, str]
    plant: NDArray[Any]
    observed: Floats
    predicted: Floats
    baseline: Floats


@dataclass(frozen=True)
class SoundingAnswers(Answers):
    """What a pair of sounding models said of images: capacity factors, and whether the plant is on.

    Attributes:
        is_on: (row,) booleans.
        on_score: (row,) what the classifier says.
    """

    is_on: NDArray[np.bool_]
    on_score: Floats


def sounding_scores(answers: Iterable[SoundingAnswers], rules: PlantScoreRules | None = None) -> pa.Table:
    """Tables 3, 4, A2 and A3, schema `SOUNDING_SCORES`.

    Args:
        answers: keys `validation`, `structure_kind`, `imager`, `model`, `role`, `initialisation`, `data_tier`.
        rules: intervals.
    """
    rules, rows = rules or PlantScoreRules(), []
    for said in answers:
        draws = block_draws(said.plant, rules.bootstrap, rules.seed)
        ranked = map_score(said.is_on, said.on_score, draws)
        key = (said.keys["validation"], said.keys["structure_kind"], said.keys["imager"], said.keys["model"])
        published = PAPER_SOUNDINGS.get(key, (_UNPRINTED,) * 3)
        triples = zip(("map", "rmse", "mbe"), published, strict=True)
        rows.append(
            {
                **said.keys,
                "n_images": len(said.observed),
                **_named("map", ranked),
                "baseline_map": ALWAYS_ON_MAP,
                "map_significant": ranked.excludes(ALWAYS_ON_MAP),
                **_errors(said, draws),
                **{name: value for which, triple in triples for name, value in _printed(which, triple).items()},
            }
        )
    return pa.Table.from_pylist(rows, schema=SOUNDING_SCORES)


def generation_scores(answers: Iterable[Answers], rules: PlantScoreRules | None = None) -> pa.Table:
    """Table 5, schema `GENERATION_SCORES`.

    Args:
        answers: keys `validation`, `structure_kind`, `model`, `role`, `data_tier`.
        rules: intervals.
    """
    return _error_table(
        answers,
        rules or PlantScoreRules(),
        GENERATION_SCORES,
        "n_days",
        lambda keys: PAPER_GENERATION.get((keys["validation"], keys["structure_kind"])),
    )


def generation_answers(held_out: HeldOut, keys: Mapping[str, str]) -> list[Answers]:
    """What all methods said of held-out plants' days, for `generation_scores`; the baseline is the training mean.

    Args:
        held_out: answers, the training mean's among them.
        keys: `validation`, `structure_kind`, `data_tier`.
    """
    plant, baseline = np.array(held_out.plants)[held_out.plant], held_out.predicted[TRAIN_MEAN]
    return [
        Answers({**keys, "model": name, "role": role_of(name)}, plant, held_out.observed, predicted, baseline)
        for name, predicted in held_out.predicted.items()
    ]


def annual_scores(answers: Iterable[Answers], rules: PlantScoreRules | None = None) -> pa.Table:
    """Tables 6 to 8, schema `ANNUAL_SCORES`.

    Args:
        answers: keys `quantity`, `region`, `validation`, `model`, `role`, `data_tier`.
        rules: intervals.
    """
    return _error_table(
        answers,
        rules or PlantScoreRules(),
        ANNUAL_SCORES,
        "n_years",
        lambda keys: PAPER_ANNUAL.get((keys["quantity"], keys["region"], keys["validation"])),
    )


def coverage(own: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Table 2, schema `COVERAGE`: our sets of plants, then the paper's approaches that none of ours is called like.

    Args:
        own: `approach`, `data_tier`, and the counts of a set of plants.
    """
    names = ("power_emissions_pct", "n_observations", "n_plants", "n_countries", "first_year", "last_year")
    nothing = dict(zip(names, (_NAN, 0, 0, 0, 0, 0), strict=True))
    ours = {str(row["approach"]): dict(row) for row in own}
    rows = []
    for approach in [*ours, *(name for name in PAPER_COVERAGE if name not in ours)]:
        printed = PAPER_COVERAGE.get(approach, tuple(nothing.values()))
        published = {f"published_{name}": value for name, value in zip(names, printed, strict=True)}
        rows.append({"approach": approach, "data_tier": "", **nothing, **ours.get(approach, {}), **published})
    return pa.Table.from_pylist(rows, schema=COVERAGE)


def _error_table(
    answers: Iterable[Answers],
    rules: PlantScoreRules,
    schema: pa.Schema,
    n: str,
    printed: Callable[[Mapping[str, str]], Printed | None],
) -> pa.Table:
    rows = []
    for said in answers:
        draws = block_draws(said.plant, rules.bootstrap, rules.seed)
        # the paper's row is that of its own model: beside a peer or a baseline it would compare nothing
        published = printed(said.keys) if said.keys["role"] == "model" else None
        plants, rmse_, base_rmse, mbe_, base_mbe = published or (0, _UNPRINTED, _NAN, _UNPRINTED, _NAN)
        rows.append(
            {
                **said.keys,
                n: len(said.observed),
                **_errors(said, draws),
                "published_n_plants": plants,
                **_printed("rmse", rmse_),
                "published_baseline_rmse": base_rmse,
                **_printed("mbe", mbe_),
                "published_baseline_mbe": base_mbe,
            }
        )
    return pa.Table.from_pylist(rows, schema=schema)


def _errors(said: Answers, draws: BlockDraws) -> dict[str, Any]:
    squared, bias = error_scores(said.observed, said.predicted, draws)
    baseline = rmse(said.observed, said.baseline)
    return {
        "n_plants": draws.times.shape[1],
        **_named("rmse", squared),
        "baseline_rmse": baseline,
        **_named("mbe", bias),
        "baseline_mbe": mbe(said.observed, said.baseline),
        "rmse_significant": squared.excludes(baseline),
    }


def _named(name: str, score: Score) -> dict[str, float]:
    return {name: score.value, f"{name}_p05": score.low, f"{name}_p95": score.high}


def _printed(name: str, triple: tuple[float, float, float]) -> dict[str, float]:
    return {f"published_{name}{end}": value for end, value in zip(("", "_p05", "_p95"), triple, strict=True)}

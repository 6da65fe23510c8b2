"""What the fold says that no trial saw: tuned, default and trivial, and tuned against default on the same draws.

Source: SCIENCE 0.2 and 0.3; whole groups (plants, scenes) are drawn anew, and the difference is taken draw by draw, so
that what is hard for both does not blur it. Both models are the instance that held the fold out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.science.stats.bootstrap import BootstrapRules, block_bootstrap, interval
from carbonray.training.learner import Floats, HeldOutAnswers, Target

TUNED, DEFAULT, TRIVIAL, DIFFERENCE = "tuned", "default", "trivial", "tuned - default"


@dataclass(frozen=True)
class Judging:
    """Which fold is judged, how intervals are drawn, and what data it is."""

    fold: int
    rules: BootstrapRules
    seed: int
    data_tier: str


def score_rows(
    target: Target, tuned: HeldOutAnswers, default: HeldOutAnswers, judging: Judging
) -> list[dict[str, Any]]:
    """Rows of `tune.tables.SCORES` for one target.

    Raises:
        ContractError: the two models answered about different rows.
    """
    if tuned.group != default.group or not np.array_equal(tuned.truth, default.truth):
        raise ContractError(
            f"{len(tuned.group)} rows of the tuned model and {len(default.group)} of the default are not the same",
            where=f"held_out of target {target.name!r}",
            expected="the same rows in the same order",
            remedy="Let the learner answer about every row of the fold, whatever the model.",
        )
    of = {TUNED: tuned.answer, DEFAULT: default.answer, TRIVIAL: tuned.trivial}
    scores = {name: partial(_scored, tuned, answer) for name, answer in of.items()}
    rows = [_row(name, score, target, tuned, judging) for name, score in scores.items()]
    difference = _row(DIFFERENCE, partial(_less, scores[TUNED], scores[DEFAULT]), target, tuned, judging)
    ends = {"max": difference["low"], "min": -difference["high"]}
    return [*rows, {**difference, "better": bool(ends[target.mode] > 0.0)}]


def _scored(answers: HeldOutAnswers, answer: Floats, rows: NDArray[np.int64]) -> float:
    return answers.score(answers.truth[rows], answer[rows])


def _less(
    tuned: Callable[[NDArray[np.int64]], float], default: Callable[[NDArray[np.int64]], float], rows: NDArray[np.int64]
) -> float:
    return tuned(rows) - default(rows)


def _row(
    name: str,
    score: Callable[[NDArray[np.int64]], float],
    target: Target,
    answers: HeldOutAnswers,
    judging: Judging,
) -> dict[str, Any]:
    groups = np.asarray(answers.group)
    # the same draws for every model, so that intervals are of one and the same luck
    draws = block_bootstrap(score, groups, judging.rules, np.random.default_rng(judging.seed))
    found = interval(draws, judging.rules)
    return {
        "target": target.name,
        "model": name,
        "metric": target.metric,
        "value": score(np.arange(len(groups))),
        "low": found.low,
        "high": found.high,
        "undefined": found.n_undefined,
        "better": False,
        "rows": len(groups),
        "groups": len(set(answers.group)),
        "fold": judging.fold,
        "data_tier": judging.data_tier,
    }

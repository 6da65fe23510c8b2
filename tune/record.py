"""What a finished search leaves as values: rows of its trials, the winners as one overlay, and where they came from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from carbonray.overlays import merged
from carbonray.training.learner import Target
from tune.overlay import encode_overlay, overlay_of
from tune.spaces import Space
from tune.study import AGAIN, DEFAULT, INVALID, ORIGIN, WARM_START, WHY, counted, winner

STATES = {"scored": TrialState.COMPLETE, "stopped early": TrialState.PRUNED, "failed": TrialState.FAIL}


@dataclass(frozen=True)
class Searched:
    """One target, its space, and its study when no more trials are to come."""

    target: Target
    space: Space
    study: Study


def trial_rows(searched: Searched) -> list[dict[str, Any]]:
    """Rows of `tune.tables.TRIALS`, in the order they were asked for."""
    return [_row(searched.target, trial) for trial in searched.study.get_trials(deepcopy=False)]


def best_overlay(found: Sequence[Searched]) -> dict[str, Any]:
    """The winners of all targets as one overlay of settings.

    Raises:
        IncompleteError: no trial of a target came to its end.
    """
    overlay: dict[str, Any] = {}
    for one in found:
        overlay = merged(overlay, overlay_of(one.space, winner(one.study).params))
    return overlay


def encode_best(found: Sequence[Searched], command: str) -> bytes:
    """`best.yaml`: the overlay, with what won and how it was found."""
    lines = [command]
    for one in found:
        best = winner(one.study)
        lines.append(
            f"{one.study.study_name}: trial {best.number} ({len(counted(one.study))} counted), "
            f"{one.target.metric} {best.value:.6g} (mean over the validation folds of the search)"
        )
    return encode_overlay(best_overlay(found), lines)


def lineage(found: Sequence[Searched], storage: str, seed: int) -> dict[str, Any]:
    """Target -> the facts of its study, for `run.json`.

    Args:
        found: of the sweep.
        storage: 'journal' or 'database'.
        seed: of the sampler.
    """
    return {one.target.name: _facts(one, storage, seed) for one in found}


def _facts(one: Searched, storage: str, seed: int) -> dict[str, Any]:
    own, best = counted(one.study), winner(one.study)
    default = next((trial for trial in own if trial.user_attrs.get(ORIGIN) == DEFAULT), None)
    everything = one.study.get_trials(deepcopy=False)
    return {
        "study": one.study.study_name,
        "storage": storage,
        "seed": seed,
        "metric": one.target.metric,
        "mode": one.target.mode,
        "winner": best.number,
        "value": best.value,
        "value of the default": default.value if default and default.state == TrialState.COMPLETE else None,
        "parameters": dict(best.params),
        "trials": len(own),
        **{name: sum(trial.state == state for trial in own) for name, state in STATES.items()},
        "invalid draws": sum(INVALID in trial.user_attrs for trial in everything),
        "taken up again": sum(AGAIN in trial.user_attrs for trial in everything),
        "warm start": sum(WARM_START in trial.user_attrs for trial in everything),
    }


def _row(target: Target, trial: FrozenTrial) -> dict[str, Any]:
    told: Mapping[str, Any] = trial.user_attrs
    again = f"trial {told[AGAIN]} again" if AGAIN in told else ""
    last = trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else np.nan
    return {
        "target": target.name,
        "number": trial.number,
        "state": trial.state.name,
        "metric": target.metric,
        "value": trial.value if trial.value is not None else last,
        "epochs": max(trial.intermediate_values, default=0),
        "seconds": trial.duration.total_seconds() if trial.duration else np.nan,
        "parameters": json.dumps(trial.params, sort_keys=True),
        "origin": again or str(told.get(WARM_START) or told.get(ORIGIN) or ""),
        "why": str(told.get(WHY) or told.get(INVALID) or ""),
    }

"""What a search knows: which trials count, what a stopped one goes on from, what is tried next, which trial won.

No finished trial is lost: one that its driver left running is told failed, and its parameters are asked for again
before new ones are drawn. Every draw follows from the seed and what was drawn before, so that a search of one trial at
a time that was stopped goes on as if it had not been. Ray is not known here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from carbonray.errors import IncompleteError, SettingsError
from carbonray.execution import TuneRules
from carbonray.training.learner import Target
from tune.spaces import Parameters, Space
from tune.storage import earlier, masked

# what a trial says of itself beside parameters and scores: what cannot be tried together, the trial it repeats, the
# trial of another study that it stands for, why it was asked for, why it failed
INVALID, AGAIN, WARM_START, ORIGIN, WHY = "invalid", "again", "warm_start", "origin", "why"
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
DEFAULT = "default"
MOST_INVALID = 200  # draws in a row before a space counts as one without a valid combination


def counted(study: Study) -> list[FrozenTrial]:
    """Ended trials that count toward the number asked for: scored, stopped early or failed, of this search."""
    trials = study.get_trials(deepcopy=False)
    repeated = {trial.user_attrs[AGAIN] for trial in trials if AGAIN in trial.user_attrs}
    own = (trial for trial in trials if not {INVALID, WARM_START} & set(trial.user_attrs))
    return [trial for trial in own if trial.state in ENDED and trial.number not in repeated]


def taken_up(study: Study) -> int:
    """Tells the trials that a dead driver left running failed, and asks for them again; answers how many they are."""
    trials = study.get_trials(deepcopy=False)
    repeated = {trial.user_attrs.get(AGAIN) for trial in trials}
    left = [trial for trial in trials if trial.state == TrialState.RUNNING]
    for trial in left:
        if trial.params and trial.number not in repeated:
            origin = {name: value for name, value in trial.user_attrs.items() if name == ORIGIN}
            study.enqueue_trial(trial.params, user_attrs={**origin, AGAIN: trial.number})
        study.tell(trial.number, state=TrialState.FAIL)
    return len(left)


def asked_first(study: Study, parameters: Parameters, origin: str) -> None:
    """Asks for parameters before any are drawn, once."""
    if all(trial.user_attrs.get(ORIGIN) != origin for trial in study.get_trials(deepcopy=False)):
        study.enqueue_trial(dict(parameters), user_attrs={ORIGIN: origin})


def warm_started(study: Study, entries: Iterable[str], target: Target, space: Space) -> int:
    """Adds the finished trials of other studies that lie inside this space; answers how many are new.

    The sampler learns from them. Their scores may be of other data, so they never win: the best of them are tried here.

    Raises:
        SettingsError: an entry names no study of this target.
    """
    known = {trial.user_attrs.get(WARM_START) for trial in study.get_trials(deepcopy=False)}
    added = 0
    for entry in entries:
        name = masked(entry)
        found = [
            trial for trial in counted(earlier(entry, target)) if _is_scored(trial) and space.contains(trial.params)
        ]
        for trial in found:
            mark = f"{name}/{trial.number}"
            if mark not in known:
                study.add_trial(_standing_for(trial, space, mark))
                added += 1
        complete = [trial for trial in found if trial.state == TrialState.COMPLETE]
        if complete:
            asked_first(study, _best(complete, study.direction).params, f"best of {name}")
    return added


def draw(study: Study, space: Space, rules: TuneRules) -> optuna.Trial:
    """The next trial: what was asked for, else what the sampler draws; invalid draws are told so and drawn again.

    Raises:
        SettingsError: nothing valid is drawn.
    """
    for _ in range(MOST_INVALID):
        study.sampler = _sampler(study, rules)
        trial = study.ask(space.distributions())
        reason = space.valid(trial.params)
        if not reason:
            return trial
        trial.set_user_attr(INVALID, reason)
        study.tell(trial, state=TrialState.PRUNED)
    raise SettingsError(
        f"{MOST_INVALID} draws in a row cannot be tried: {reason}",
        where="tune.space",
        expected="a space with valid combinations",
        remedy="Widen what tune.space narrows.",
    )


def winner(study: Study) -> FrozenTrial:
    """The trial of this search with the best final score, the earliest of equals.

    Raises:
        IncompleteError: no trial came to its end.
    """
    own = counted(study)
    complete = [trial for trial in own if trial.state == TrialState.COMPLETE]
    if complete:
        return _best(complete, study.direction)
    reasons = [str(trial.user_attrs[WHY]) for trial in own if WHY in trial.user_attrs]
    raise IncompleteError(
        f"none of {len(own)} trials came to its end" + (f"; the first failed: {reasons[0]}" if reasons else ""),
        where=study.study_name,
        expected="at least one trial with a final score",
        remedy="Repair what failed and search again under a new --study.",
    )


def _best(trials: Sequence[FrozenTrial], direction: StudyDirection) -> FrozenTrial:
    sign = 1.0 if direction == StudyDirection.MINIMIZE else -1.0
    return min(trials, key=lambda trial: (sign * float(trial.value or 0.0), trial.number))


def _is_scored(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE or bool(trial.state == TrialState.PRUNED and trial.intermediate_values)


def _standing_for(trial: FrozenTrial, space: Space, mark: str) -> FrozenTrial:
    values: dict[str, Any] = {"value": trial.value} if trial.state == TrialState.COMPLETE else {}
    return optuna.trial.create_trial(
        state=trial.state,
        params=trial.params,
        distributions=space.distributions(),
        user_attrs={WARM_START: mark},
        intermediate_values=trial.intermediate_values,
        **values,
    )


def _sampler(study: Study, rules: TuneRules) -> TPESampler:
    """Optuna's TPE, seeded by the seed and the number of earlier draws; invalid draws are no part of its start."""
    trials = study.get_trials(deepcopy=False)
    drawn = [t for t in trials if t.state != TrialState.WAITING and not {AGAIN, WARM_START} & set(t.user_attrs)]
    invalid = sum(INVALID in trial.user_attrs for trial in drawn)
    seed = int(np.random.SeedSequence((rules.seed, len(drawn))).generate_state(1)[0])
    return TPESampler(n_startup_trials=rules.startup_trials + invalid, seed=seed)

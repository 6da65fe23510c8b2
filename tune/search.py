"""Ray Tune's searcher over an Optuna study: asks the study what is tried next, and tells it what became of it.

A trial that came to its end is told COMPLETE, one that the scheduler stopped PRUNED with the scores so far, one that
failed FAIL with the reason. Tune's own record of the experiment is not needed: everything is in the study.
"""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import TrialState
from ray.tune.search import Searcher

from carbonray.execution import TuneRules
from tune.spaces import Space
from tune.study import WHY, counted, draw

_log = logging.getLogger(__name__)

# what a trial's process reports beside its score: how far it is, that it ended by itself, why it failed
EPOCH, ENDED, FAILED = "epoch", "ended", "failed"


class StudySearch(Searcher):
    """What is tried next, until a study has as many trials as asked for or time is up."""

    def __init__(
        self, study: Study, space: Space, metric: str, mode: str, rules: TuneRules, *, trials: int, deadline_s: float
    ) -> None:
        """Takes the study as it stands.

        Args:
            study: told everything.
            space: what is drawn from.
            metric: the score, as trials report it.
            mode: 'min' or 'max'.
            rules: seed and start of the sampler.
            trials: how many the study shall count in all, earlier ones included.
            deadline_s: on `time.monotonic()`; no trial but the first starts after it.
        """
        super().__init__(metric=metric, mode=mode)
        self._study, self._space, self._rules = study, space, rules
        self._trials, self._deadline_s = trials, deadline_s
        self._live: dict[str, optuna.Trial] = {}
        self._last: dict[str, tuple[int, float]] = {}  # epoch and score

    def suggest(self, trial_id: str) -> Any:
        """Number and parameters of a new trial, or that there is none."""
        known = len(counted(self._study)) + len(self._live)
        if known >= self._trials or (known and time.monotonic() >= self._deadline_s):
            return Searcher.FINISHED
        trial = draw(self._study, self._space, self._rules)
        self._live[trial_id], self._last[trial_id] = trial, (0, math.nan)
        return {"number": trial.number, "parameters": dict(trial.params)}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Tells the score of an epoch; one that an earlier process of the trial told is passed over."""
        before, _ = self._last[trial_id]
        value, epoch = float(result[self.metric]), int(result.get(EPOCH, before + 1))
        if epoch > before:
            self._last[trial_id] = epoch, value
            if math.isfinite(value):
                self._live[trial_id].report(value, epoch)

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,
        error: bool = False,  # noqa: FBT001, FBT002  # Ray's signature
    ) -> None:
        """Tells how a trial ended; one that never ran stays open for the next attempt."""
        if result is None and not error:
            return
        told = dict(result or {})
        if self.metric in told:
            self.on_trial_result(trial_id, told)
        trial = self._live.pop(trial_id)
        epoch, value = self._last.pop(trial_id)
        why = "its process died or raised: see the log" if error else str(told.get(FAILED, ""))
        if not why and not math.isfinite(value):
            why = f"its score is {value}"
        if why:
            trial.set_user_attr(WHY, why)
            self._study.tell(trial, state=TrialState.FAIL)
        elif told.get(ENDED):
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=TrialState.PRUNED)
            why = f"stopped after {epoch} epochs"
        _log.info("%s, trial %d: %s %.6g; %s", self._study.study_name, trial.number, self.metric, value, why or ENDED)

    def open_trials(self) -> int:
        """Trials that began and have not ended."""
        return len(self._live)

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Saves nothing: the study's storage holds all there is."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune copies its configuration into a file, and a connection is no part of that."""
        return {}

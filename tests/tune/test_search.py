"""What Ray Tune tells the searcher ends up in the study: scores, early stops, failures; nothing of what never ran."""

import math
import time

import optuna
import pytest
from optuna.study import Study
from optuna.trial import TrialState
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from carbonray.errors import SettingsError
from carbonray.execution import TrainRules, TuneRules
from tests.tune.toy import AT_ONCE, BY_EPOCH, SPACE
from tune.search import ENDED, EPOCH, FAILED, StudySearch
from tune.storage import opened
from tune.study import WHY, counted
from tune.trials import scheduler_of, trials_at_once

METRIC = BY_EPOCH.metric


@pytest.fixture
def study() -> Study:
    return opened(optuna.storages.InMemoryStorage(), "toy-slow", BY_EPOCH)


def searcher(study: Study, trials: int = 3, seconds: float = 60.0) -> StudySearch:
    deadline = time.monotonic() + seconds
    return StudySearch(study, SPACE, METRIC, "min", TuneRules(), trials=trials, deadline_s=deadline)


def told(search: StudySearch, name: str, scores: list[float]) -> None:
    for epoch, score in enumerate(scores, start=1):
        search.on_trial_result(name, {METRIC: score, EPOCH: epoch})


def test_a_trial_that_ended_by_itself_is_complete_with_its_last_score(study: Study) -> None:
    search = searcher(study)
    asked = search.suggest("a")
    told(search, "a", [0.9, 0.5])
    search.on_trial_complete("a", {METRIC: 0.4, EPOCH: 3, ENDED: True})

    (trial,) = study.get_trials()
    assert asked == {"number": 0, "parameters": trial.params}
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.4)
    assert trial.intermediate_values == {1: 0.9, 2: 0.5, 3: 0.4}
    assert search.open_trials() == 0


def test_a_trial_that_the_scheduler_stopped_is_pruned_with_its_scores(study: Study) -> None:
    search = searcher(study)
    search.suggest("a")
    told(search, "a", [0.9, 0.8])
    search.on_trial_complete("a", {METRIC: 0.7, EPOCH: 3})  # the score that it was stopped for comes with the end

    (trial,) = study.get_trials()
    assert trial.state == TrialState.PRUNED
    assert trial.intermediate_values == {1: 0.9, 2: 0.8, 3: 0.7}
    assert len(counted(study)) == 1


@pytest.mark.parametrize(
    ("result", "error", "why"),
    [
        (None, True, "its process died or raised"),
        ({FAILED: "the fit diverged", ENDED: True}, False, "the fit diverged"),
        ({METRIC: 0.3, EPOCH: 2, FAILED: "no plant is off", ENDED: True}, False, "no plant is off"),
        ({METRIC: math.nan, EPOCH: 2, ENDED: True}, False, "its score is nan"),
        ({ENDED: True}, False, "its score is nan"),
    ],
)
def test_a_trial_that_failed_says_why(study: Study, result: dict | None, error: bool, why: str) -> None:
    search = searcher(study)
    search.suggest("a")
    search.on_trial_complete("a", result, error)

    (trial,) = counted(study)
    assert trial.state == TrialState.FAIL
    assert why in trial.user_attrs[WHY]


def test_scores_that_came_by_another_way_than_the_last_report_count(study: Study) -> None:
    """Of a trial that nests a Train run, whose own process reports the end alone."""
    search = searcher(study)
    search.suggest("a")
    told(search, "a", [0.9, 0.5])
    search.on_trial_complete("a", {ENDED: True})

    assert counted(study)[0].value == 0.5


def test_a_process_that_tells_its_epochs_again_changes_nothing(study: Study) -> None:
    search = searcher(study)
    search.suggest("a")
    told(search, "a", [0.9, 0.5])
    told(search, "a", [0.9, 0.5, 0.4])
    search.on_trial_complete("a", {METRIC: 0.4, EPOCH: 3, ENDED: True})

    assert counted(study)[0].intermediate_values == {1: 0.9, 2: 0.5, 3: 0.4}


def test_a_trial_that_never_ran_stays_open(study: Study) -> None:
    search = searcher(study)
    search.suggest("a")
    search.on_trial_complete("a")

    assert study.get_trials()[0].state == TrialState.RUNNING
    assert search.open_trials() == 1


def test_it_is_enough_when_ended_and_running_trials_are_as_many_as_asked_for(study: Study) -> None:
    first = searcher(study, trials=2)
    first.suggest("a")
    first.on_trial_complete("a", {METRIC: 0.4, EPOCH: 1, ENDED: True})

    second = searcher(study, trials=2)
    assert second.suggest("b") != Searcher.FINISHED
    assert second.suggest("c") == Searcher.FINISHED
    assert len(study.get_trials()) == 2


def test_when_time_is_up_no_trial_starts_but_the_first(study: Study) -> None:
    late = searcher(study, trials=9, seconds=-1.0)

    assert late.suggest("a") != Searcher.FINISHED
    assert late.suggest("b") == Searcher.FINISHED


class _Trial:
    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


def test_a_resumed_search_stops_what_the_first_would_have_stopped(study: Study) -> None:
    rules = TuneRules(grace_epochs=2, reduction_factor=2)
    search = searcher(study, trials=9)
    for name, scores in (("a", [0.9, 0.3, 0.2]), ("b", [0.8, 0.4, 0.3]), ("c", [0.8, 0.5, 0.4])):
        search.suggest(name)
        told(search, name, scores)
        search.on_trial_complete(name, {METRIC: scores[-1], EPOCH: 3, ENDED: True})

    def verdict(scheduler: TrialScheduler, score: float) -> str:
        trial = _Trial(f"new {score}")
        scheduler.on_trial_add(None, trial)
        assert scheduler.on_trial_result(None, trial, {EPOCH: 1, METRIC: 9.0}) == TrialScheduler.CONTINUE
        return scheduler.on_trial_result(None, trial, {EPOCH: 2, METRIC: score})

    empty = opened(optuna.storages.InMemoryStorage(), "fresh", BY_EPOCH)
    assert verdict(scheduler_of(empty, BY_EPOCH, rules), 0.6) == TrialScheduler.CONTINUE
    assert verdict(scheduler_of(study, BY_EPOCH, rules), 0.6) == TrialScheduler.STOP
    assert verdict(scheduler_of(study, BY_EPOCH, rules), 0.1) == TrialScheduler.CONTINUE


def test_trials_that_report_once_all_come_to_their_end(study: Study) -> None:
    assert isinstance(scheduler_of(study, AT_ONCE, TuneRules()), FIFOScheduler)


@pytest.mark.parametrize(
    ("has", "rules", "train", "room"),
    [
        ({"CPU": 8.0}, TuneRules(), TrainRules(), 8),
        ({"CPU": 8.0, "GPU": 2.0}, TuneRules(gpus=0.5), TrainRules(), 4),
        ({"CPU": 9.0}, TuneRules(cpus=2.0), TrainRules(), 4),
        ({"CPU": 8.0}, TuneRules(), TrainRules(workers=2, threads=1), 2),
        ({"CPU": 8.0, "GPU": 2.0}, TuneRules(cpus=0.5), TrainRules(workers=2, gpu=True), 1),
    ],
)
def test_trials_fill_the_cluster(has: dict, rules: TuneRules, train: TrainRules, room: int) -> None:
    assert trials_at_once(has, rules, train) == room


def test_a_cluster_without_room_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"a trial takes .*'GPU': 1.0.* the cluster has .*'GPU': 0.0"):
        trials_at_once({"CPU": 2.0}, TuneRules(gpus=1.0), TrainRules())

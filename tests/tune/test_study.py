"""A study loses no finished trial, asks again for what was cut off, draws by seed, and knows who won."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.study import Study
from optuna.trial import TrialState

from carbonray.errors import IncompleteError, SettingsError
from carbonray.execution import TuneRules
from carbonray.training.learner import Target
from tests.tune.toy import AT_ONCE, BY_EPOCH, SPACE
from tune.distributions import Choice, Uniform
from tune.spaces import Space
from tune.storage import JOURNAL, earlier, kind_of, masked, name_of, opened, place_of, storage_at
from tune.study import (
    AGAIN,
    DEFAULT,
    INVALID,
    ORIGIN,
    WARM_START,
    asked_first,
    counted,
    draw,
    taken_up,
    warm_started,
    winner,
)

SECRET = "hush"  # a password that must appear in no message
WHO, HIDDEN = f"me:{SECRET}", "me:***"
RULES = TuneRules(seed=3, startup_trials=4)


def fresh(target: Target = BY_EPOCH, place: str = "", sweep: str = "s") -> Study:
    storage = storage_at(place) if place else optuna.storages.InMemoryStorage()
    return opened(storage, name_of(sweep, target), target)


def error(params: dict) -> float:
    return (params["rate"] - 0.1) ** 2 + params["width"] / 100


def searched(study: Study, trials: int, score: Callable[[dict], float] = error) -> list[dict]:
    """Trials one after the other, to their end; the parameters of all that count."""
    while len(counted(study)) < trials:
        trial = draw(study, SPACE, RULES)
        study.tell(trial, score(trial.params))
    return [trial.params for trial in counted(study)]


def test_the_default_is_tried_first_and_once() -> None:
    study = fresh()
    for _ in range(3):
        asked_first(study, {"rate": 0.5, "width": 3}, DEFAULT)

    told = searched(study, 3)
    assert told[0] == {"rate": 0.5, "width": 3}
    assert counted(study)[0].user_attrs == {ORIGIN: DEFAULT}
    assert told[1] != told[0]
    assert len(study.get_trials()) == 3


def test_the_seed_alone_says_what_is_drawn() -> None:
    assert searched(fresh(), 12) == searched(fresh(), 12)

    other = fresh()
    assert draw(other, SPACE, TuneRules(seed=4)).params != searched(fresh(), 1)[0]


@pytest.mark.parametrize("stopped_at", [1, 3, 7])
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path, stopped_at: int) -> None:
    unstopped = searched(fresh(), 10)

    place = str(tmp_path / JOURNAL)
    first = fresh(place=place)
    before = searched(first, stopped_at)
    running = draw(first, SPACE, RULES)  # and the driver dies
    again = fresh(place=place)
    assert taken_up(again) == 1
    assert [trial.params for trial in counted(again)] == before

    assert searched(again, 10) == unstopped
    repeats = [trial for trial in again.get_trials() if AGAIN in trial.user_attrs]
    assert [trial.params for trial in repeats] == [running.params]
    assert again.get_trials()[running.number].state == TrialState.FAIL


def test_taking_up_twice_asks_once() -> None:
    study = fresh()
    asked_first(study, {"rate": 0.5, "width": 3}, DEFAULT)
    lost = draw(study, SPACE, RULES)
    study.enqueue_trial(lost.params, user_attrs={AGAIN: lost.number})  # the driver died before it told the failure

    assert taken_up(study) == 1
    assert taken_up(study) == 0
    assert sum(trial.state == TrialState.WAITING for trial in study.get_trials()) == 1


def test_the_default_stays_the_default_when_it_is_taken_up_again() -> None:
    study = fresh()
    asked_first(study, {"rate": 0.5, "width": 3}, DEFAULT)
    draw(study, SPACE, RULES)
    taken_up(study)

    searched(study, 1)
    assert [trial.user_attrs for trial in counted(study)] == [{ORIGIN: DEFAULT, AGAIN: 0}]


def test_a_combination_that_cannot_be_costs_no_trial() -> None:
    space = Space("x", {"rate": Uniform(0.0, 1.0), "width": Choice((9,))}, valid=SPACE.valid)
    study = fresh()
    for _ in range(5):
        trial = draw(study, space, RULES)
        assert trial.params["rate"] <= 0.5
        study.tell(trial, 1.0)

    refused = [trial for trial in study.get_trials() if INVALID in trial.user_attrs]
    assert refused, "the seed must draw some that cannot be"
    assert len(counted(study)) == 5
    for trial in refused:
        assert trial.state == TrialState.PRUNED
        assert trial.params["rate"] > 0.5
        assert "diverges" in trial.user_attrs[INVALID]


def test_a_space_without_a_valid_combination_is_refused() -> None:
    nothing = Space("x", {"width": Choice((9,)), "rate": Uniform(0.6, 1.0)}, valid=SPACE.valid)
    with pytest.raises(SettingsError, match="draws in a row cannot be tried: a width of 9 diverges"):
        draw(fresh(), nothing, RULES)


def test_failed_trials_count_and_those_not_ended_do_not() -> None:
    study = fresh()
    searched(study, 2)
    study.tell(draw(study, SPACE, RULES), state=TrialState.FAIL)
    draw(study, SPACE, RULES)

    assert [trial.state.name for trial in counted(study)] == ["COMPLETE", "COMPLETE", "FAIL"]


@pytest.mark.parametrize(("target", "best"), [(BY_EPOCH, 1), (AT_ONCE, 2)])
def test_the_winner_is_the_best_complete_trial_the_earliest_of_equals(target: Target, best: int) -> None:
    study = fresh(target)
    for value in (0.5, 0.1, 0.9, 0.9, 0.1):
        study.tell(draw(study, SPACE, RULES), value)
    for value in (-9.0, 9.0):  # a stopped trial never wins, however good it looked
        stopped = draw(study, SPACE, RULES)
        stopped.report(value, 1)
        study.tell(stopped, state=TrialState.PRUNED)

    assert winner(study).number == best


def test_without_a_complete_trial_the_first_reason_is_told() -> None:
    study = fresh()
    for why in ("no plant", "no image"):
        trial = draw(study, SPACE, RULES)
        trial.set_user_attr("why", why)
        study.tell(trial, state=TrialState.FAIL)

    with pytest.raises(IncompleteError, match="none of 2 trials came to its end; the first failed: no plant"):
        winner(study)


def test_a_warm_start_adds_what_lies_inside_once_and_tries_its_best_here(tmp_path: Path) -> None:
    place = str(tmp_path / "old.journal")
    old = fresh(place=place, sweep="old")
    known = searched(old, 8)
    inside = Space("x", {"rate": Uniform(0.0, 0.3), "width": Choice((1, 3, 9))})
    expected = [params for params in known if params["rate"] <= 0.3]
    assert 0 < len(expected) < len(known), "the seed must draw some inside and some outside"
    study = fresh()
    entry = f"{place}#old"

    assert warm_started(study, [entry], BY_EPOCH, inside) == len(expected)
    assert warm_started(study, [entry], BY_EPOCH, inside) == 0
    added = [trial for trial in study.get_trials() if WARM_START in trial.user_attrs]
    assert [trial.params for trial in added] == expected
    assert [trial.value for trial in added] == [error(params) for params in expected]
    assert counted(study) == []
    first = draw(study, inside, RULES)
    assert first.params == min(expected, key=error)
    study.tell(first, 1.0)
    assert winner(study).number == first.number, "scores of other data never win"


def test_a_warm_start_needs_a_study_of_the_same_score(tmp_path: Path) -> None:
    place = str(tmp_path / "old.journal")
    searched(fresh(place=place, sweep="old"), 1)

    for entry in (f"{place}#new", f"{tmp_path}/absent.journal#old", "old", "#old"):
        with pytest.raises(SettingsError, match="there is no study"):
            earlier(entry, BY_EPOCH)
    assert not (tmp_path / "absent.journal").exists()
    with pytest.raises(SettingsError, match="to minimize its score"):
        earlier(f"{place}#old", Target(BY_EPOCH.name, "skill", "max", by_epoch=True))


def test_a_journal_survives_a_line_that_was_never_written_whole(tmp_path: Path) -> None:
    place = tmp_path / JOURNAL
    told = searched(fresh(place=str(place)), 4)
    with place.open("ab") as file:
        file.write(b'{"op_code": 4, "worker_id": "torn')

    again = fresh(place=str(place))
    assert [trial.params for trial in counted(again)] == told
    searched(again, 6)
    assert len(counted(fresh(place=str(place)))) == 6


def test_studies_are_kept_in_the_folder_or_in_a_database(tmp_path: Path) -> None:
    assert place_of(f"file://{tmp_path}/sweep", "") == f"{tmp_path}/sweep/{JOURNAL}"
    assert place_of("s3://bucket/sweep", f"sqlite:///{tmp_path}/all.db") == f"sqlite:///{tmp_path}/all.db"
    assert [kind_of(place) for place in (f"{tmp_path}/x", "postgresql://u@h/d")] == ["journal", "database"]
    for out, storage_url in (("s3://bucket/sweep", ""), (str(tmp_path), "s3://bucket/study.journal")):
        with pytest.raises(SettingsError, match="cannot grow in an object store") as refused:
            place_of(out, storage_url)
        assert "tune.storage_url=postgresql" in refused.value.remedy


def test_a_database_keeps_a_study(tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/all.db"
    told = searched(fresh(place=place), 3)

    assert [trial.params for trial in counted(fresh(place=place))] == told


def test_a_database_that_does_not_answer_is_refused_without_its_password() -> None:
    with pytest.raises(SettingsError, match="cannot be opened") as refused:
        storage_at(f"nosuchbase://{WHO}@host/db")
    assert SECRET not in str(refused.value)
    assert masked(f"postgresql://{WHO}@ss@host/db#s and s3://x/y") == f"postgresql://{HIDDEN}@host/db#s and s3://x/y"
    assert masked("sqlite:////tmp/a:b@c") == "sqlite:////tmp/a:b@c"

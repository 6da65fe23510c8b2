"""The benchmarks of training measure what they say: equal batches, a pace from the ends of epochs, the same weights."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import optuna
import pytest
import torch

from carbonray.execution import SampleRules
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.stages.fit_checkpoints import run_here
from tests.benchmarks import folds_parallel, training_stream, tune_overhead
from tests.benchmarks.training_stream import SceneLoop, SoundingLoop

SCENES = SampleRules(scenes=96, test_share=0.0, validation_share=0.0, shard_scenes=24, window_shards=1)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> SceneLoop:
    return training_stream.scene_loop(tmp_path_factory.mktemp("scenes"), SCENES, epochs=2, width=4)


@pytest.fixture(scope="module")
def soundings(tmp_path_factory: pytest.TempPathFactory) -> SoundingLoop:
    loop = training_stream.sounding_loop(tmp_path_factory.mktemp("soundings"), copies=2, epochs=2, width=4)
    return replace(loop, window_files=3)


def test_streamed_and_held_fits_see_the_same_batches(scenes: SceneLoop, soundings: SoundingLoop) -> None:
    for loop in (scenes, soundings):
        streamed, held = training_stream.side_by_side(loop)
        assert streamed > 0.0 and held > 0.0


def test_a_stream_that_gives_other_batches_is_caught(scenes: SceneLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    def later(draw: Callable[[int], object], _epochs: int) -> Callable[[int], object]:
        return lambda epoch: draw(epoch + 1)

    monkeypatch.setattr(training_stream, "kept", later)
    with pytest.raises(AssertionError, match="other batches"):
        training_stream.side_by_side(scenes)


def test_only_a_window_of_what_is_streamed_is_in_memory() -> None:
    rules = training_stream.SCENES
    assert rules.scenes / rules.shard_scenes >= 4 * rules.window_shards
    assert 4 * training_stream.COPIES >= 4 * training_stream.WINDOW_FILES


def test_a_pace_is_from_end_to_end_and_the_start_apart(
    scenes: SceneLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 112.0, 114.0, 118.0, 120.0])  # the call, then the ends of four epochs
    monkeypatch.setattr(training_stream.time, "time", lambda: next(clock))
    epochs = replace(scenes, rules=replace(scenes.rules, epochs=4))
    each, before = training_stream.paced(epochs, lambda loop: list(loop.epochs(Workers())), tmp_path / "ends")
    assert (each, before) == (2.0, 10.0)


def test_the_benched_fit_runs_like_any_other(scenes: SceneLoop, tmp_path: Path) -> None:
    state = run_here(scenes, str(tmp_path))
    plain: list[Epoch] = list(scenes.epochs(Workers()))
    assert state.epoch == 2 and folds_parallel.same([state], [plain[-1].state])
    seeds = {fit.rules.seed for fit in folds_parallel.four_fits(scenes)}
    assert len(seeds) == 4 and len({fit.digest() for fit in folds_parallel.four_fits(scenes)}) == 4


def test_other_weights_are_not_the_same() -> None:
    some, other = FitState(1, {"w": torch.zeros(2)}), FitState(1, {"w": torch.tensor([0.0, 1e-7])})
    assert folds_parallel.same([some], [some]) and not folds_parallel.same([some], [other])
    assert not folds_parallel.same([some], [FitState(1, {})])


def test_fits_per_minute_stand_beside_those_one_after_the_other() -> None:
    found = folds_parallel.row(8.0, 5.0, room=2, cpus=2)
    assert found["ratio"] == pytest.approx(1.6) and "2 at a time on 2 CPUs" in found["name"]


@pytest.mark.parametrize("target", [tune_overhead.AT_ONCE, tune_overhead.BY_EPOCH], ids=["once", "epochs"])
def test_the_search_in_one_process_tells_a_study_all_of_its_trials(
    tmp_path: Path, target: tune_overhead.Target
) -> None:
    study = tune_overhead.study_at(tmp_path / "plain.journal", target)
    tune_overhead.in_process(tune_overhead.searched(target), study, 3)
    told = tune_overhead.counted(study)
    assert len(told) == 3 and all(math.isfinite(trial.value or math.nan) for trial in told)
    assert {len(trial.intermediate_values) for trial in told} == {10 if target.by_epoch else 1}


def test_the_pace_of_a_study_is_the_median_between_ends() -> None:
    called, study = datetime(2026, 1, 1, tzinfo=UTC), optuna.create_study()
    for second in (5.0, 6.0, 9.0, 10.0):
        trial = optuna.trial.create_trial(value=0.0)
        trial.datetime_complete = called + timedelta(seconds=second)
        study.add_trial(trial)
    assert tune_overhead.pace(study, called) == (1.0, 5.0)

"""Where fits run and how many at a time: resources are values; a process that dies costs one epoch."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carbonray.execution import TrainRules
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.stages.fit_checkpoints import FitCheckpoints, run_here
from carbonray.training import launch, torch_fit
from carbonray.training.launch import fits_at_once, run_fits, runner

COUNTS = st.integers(1, 6)


@dataclass(frozen=True)
class Counting:
    """Counts its epochs; where it is told to, it is killed once in the middle of one."""

    name: str
    folder: str
    dies_in: int = 0

    def digest(self) -> str:
        return self.name

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        state = state or FitState()
        while state.epoch < 3:
            epoch, killed = state.epoch + 1, Path(self.folder) / "killed"
            with (Path(self.folder) / "epochs").open("a") as lines:
                lines.write(f"{epoch} {os.getpid()}\n")
            if epoch == self.dies_in and not killed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            metrics = {"epoch": float(epoch), "threads": float(torch.get_num_threads())}
            history = [*state.facts.get("history", []), metrics]
            state = FitState(epoch, {"sum": torch.tensor(sum(range(epoch + 1)))}, {"history": history})
            yield Epoch(metrics, state)


def fitted(folder: Path) -> list[tuple[int, int]]:
    lines = (folder / "epochs").read_text().splitlines()
    return [(int(line.split()[0]), int(line.split()[1])) for line in lines]


@given(workers=COUNTS, threads=COUNTS, gpu=st.booleans(), fits=COUNTS, cpus=st.integers(0, 80), gpus=st.integers(0, 8))
def test_as_many_fits_as_there_is_room_for(
    workers: int, threads: int, gpu: bool, fits: int, cpus: int, gpus: int
) -> None:
    rules = TrainRules(workers=workers, threads=threads, gpu=gpu)
    found = fits_at_once({"CPU": float(cpus), "GPU": float(gpus), "memory": 1e9}, rules, fits)
    assert 1 <= found <= fits
    room = lambda n: n * workers * threads <= cpus and (not gpu or n * workers <= gpus)
    assert found == 1 or room(found)
    assert found == fits or not room(found + 1)


def test_four_folds_in_parallel_or_one_after_the_other() -> None:
    rules = TrainRules(workers=2, threads=2)
    assert [fits_at_once({"CPU": float(cpus)}, rules, 4) for cpus in (0, 3, 4, 8, 15, 16, 99)] == [1, 1, 1, 2, 3, 4, 4]
    assert fits_at_once({"CPU": 99.0}, replace(rules, gpu=True), 4) == 1  # no GPU is free: they wait for one


@pytest.mark.parametrize(
    ("rules", "on_train"),
    [(TrainRules(), False), (TrainRules(ray_train=True), True), (TrainRules(workers=2), True)],
)
def test_one_worker_needs_no_run_of_ray_train(
    rules: TrainRules, on_train: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_to: list[TrainRules] = []
    answer = lambda _fit, _url, told: given_to.append(told) or FitState(9)
    monkeypatch.setattr(torch_fit, "run_on_train", answer)
    state = runner(rules)(Counting("x", str(tmp_path)), f"{tmp_path}/states")
    assert state.epoch == (9 if on_train else 3) and given_to == ([rules] if on_train else [])


def test_a_fit_in_this_process_tells_every_epoch_once_and_again_when_taken_up(tmp_path: Path) -> None:
    fit, told = Counting("x", str(tmp_path)), []
    state = run_here(fit, f"{tmp_path}/states", on_epoch=lambda metrics: told.append(metrics["epoch"]))
    assert told == [1.0, 2.0, 3.0] and state.epoch == 3
    [*_, last] = fit.epochs(Workers(), FitState(1, {}, {"history": state.facts["history"][:1]}))
    FitCheckpoints(f"{tmp_path}/states", fit.digest()).put(replace(last.state, epoch=2, facts=last.state.facts))
    again: list[float] = []
    run_here(fit, f"{tmp_path}/states", on_epoch=lambda metrics: again.append(metrics["epoch"]))
    assert again == [1.0, 2.0, 3.0, 3.0]


@pytest.mark.slow
@pytest.mark.usefixtures("ray_local")
def test_fits_run_in_processes_of_their_own_and_survive_a_kill(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    fits = [Counting(str(number), str(folder), 2 * (number == 1)) for number, folder in enumerate(folders)]
    states = run_fits(fits, [f"{folder}/states" for folder in folders], TrainRules(max_failures=1))
    assert [(state.epoch, int(state.tensors["sum"])) for state in states] == [(3, 6)] * 3
    assert states[0].facts["history"][0]["threads"] == 1.0
    assert [[epoch for epoch, _ in fitted(folder)] for folder in folders] == [[1, 2, 3], [1, 2, 2, 3], [1, 2, 3]]
    assert os.getpid() not in {process for folder in folders for _, process in fitted(folder)}
    assert launch.run_fits([], [], TrainRules()) == []

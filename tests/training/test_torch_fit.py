"""Fits under Ray Train: a death and a second call, workers on two nodes, a node that dies; and the same fits alone."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from ray.train import TrainingFailedError

from carbonray.errors import DataError
from carbonray.execution import TrainRules
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.stages.fit_checkpoints import FACTS
from carbonray.training.ray_windows import read_by_tasks
from carbonray.training.torch_fit import run_on_train
from tests.training.small_fits import scenes
from tests.training.test_ddp import LARGEST

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]
RULES = TrainRules(max_failures=0)


@pytest.mark.usefixtures("ray_local")
def test_a_fit_that_died_goes_on_when_called_again_and_equals_the_fit_in_one_process(tmp_path: Path) -> None:
    """With windows read by tasks of Ray Data, beside which the one process reads by a thread."""
    fit, url = scenes(tmp_path, "unet", epochs=4), f"file://{tmp_path}/states"
    streamed = replace(fit, windows=read_by_tasks)
    killer = threading.Thread(target=_kill_after_first_epoch, args=(tmp_path / "states",))
    killer.start()
    try:
        with pytest.raises(TrainingFailedError):
            run_on_train(streamed, url, RULES)
        trained = run_on_train(streamed, url, RULES)
    finally:
        killer.join()
    [*_, alone] = fit.epochs(Workers())
    assert trained.epoch == 4 and [entry["epoch"] for entry in trained.facts["history"]] == [1.0, 2.0, 3.0, 4.0]
    assert trained.tensors.keys() == alone.state.tensors.keys()
    assert all(torch.equal(trained.tensors[name], value) for name, value in alone.state.tensors.items())


@dataclass(frozen=True)
class Diverging:
    """Finds in its second epoch that something is wrong."""

    name: str = "diverging"

    def digest(self) -> str:
        return "0" * 64

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        yield Epoch({"loss": 1.0}, FitState(1, {"a": torch.zeros(1)}, {"history": [{"loss": 1.0}]}))
        raise DataError("the loss is nan", where="diverging", expected="a number", remedy="Take smaller steps.")


@pytest.mark.usefixtures("ray_local")
def test_what_a_fit_finds_wrong_is_said_as_where_it_runs_alone(tmp_path: Path) -> None:
    """So that a pass sets its unit aside, and does not take it for a worker that died."""
    with pytest.raises(DataError, match="the loss is nan"):
        run_on_train(Diverging(), str(tmp_path), RULES)


def _kill_after_first_epoch(folder: Path) -> None:
    """Kills the worker of Ray Train, once, as soon as there is a checkpoint to go back to."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        time.sleep(0.02)
        if (folder / FACTS).exists():
            workers = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in p.name()]
            for process in workers:
                process.kill()
            if workers:
                return


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("nodes")
    words = [sys.executable, "-m", "tests.training.two_nodes", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=840, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    # Ray speaks of the dead node in between
    found: dict[str, Any] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return found


@pytest.mark.parametrize("number", ["0", "1"], ids=["scenes", "soundings"])
def test_workers_on_two_nodes_are_one_with_the_same_global_batch(number: str, measured: dict[str, Any]) -> None:
    """Without BatchNorm and dropout, within float tolerance; with them they are not, which is printed."""
    plain, usual = measured["plain"][number], measured["usual"][number]
    print(json.dumps({"as usual": usual}))
    assert measured["plain"]["nodes"] == measured["usual"]["nodes"] == 2
    assert plain["weights"] < LARGEST < usual["weights"]
    assert all(two == pytest.approx(one, rel=1e-6) for one, two in plain["scores"].values())


def test_a_node_killed_in_the_middle_of_an_epoch_costs_that_epoch(measured: dict[str, Any]) -> None:
    killed = measured["killed"]
    assert killed["same"] and killed["nodes"] == 3
    assert killed["epochs"] == [1, 2, 3, 3, 4, 5]  # the fifth is none: where the fit finds that it is done

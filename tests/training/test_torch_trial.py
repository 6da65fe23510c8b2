"""A trial tells of every epoch, wherever its networks are fitted, and tells again what it had told before."""

from pathlib import Path

import pytest

from carbonray.execution import TrackRules, TrainRules
from carbonray.training.torch_trial import TrialPlace, run_trial
from carbonray.training.tracking import read_metrics
from tests.training.test_launch import Counting


def told(folder: Path, rules: TrainRules) -> list[float]:
    """Epochs that a trial reports."""
    epochs: list[float] = []
    place = TrialPlace(f"{folder}/sweep", rules, TrackRules(), {"learning_rate": 1e-3})
    run_trial(Counting("toy", str(folder)), place, lambda metrics: epochs.append(metrics["epoch"]))
    return epochs


def test_in_the_process_of_the_trial(tmp_path: Path) -> None:
    assert told(tmp_path, TrainRules()) == [1.0, 2.0, 3.0]
    assert told(tmp_path, TrainRules()) == [1.0, 2.0, 3.0], "what was fitted before is told again"
    [kept] = (tmp_path / "sweep" / "tracking" / "trials").iterdir()
    assert [row["epoch"] for row in read_metrics(str(kept))] == [1.0, 2.0, 3.0]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("ray_local")
def test_on_ray_train_where_several_workers_are_asked_for(tmp_path: Path) -> None:
    assert told(tmp_path, TrainRules(ray_train=True)) == [1.0, 2.0, 3.0]
    assert told(tmp_path, TrainRules(ray_train=True)) == [1.0, 2.0, 3.0]

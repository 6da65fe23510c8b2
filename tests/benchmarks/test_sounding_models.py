"""The benchmarks of runtimes and trees measure what they say: every runtime, and a loop that answers alike."""

import numpy as np
import pytest
import torch

from carbonray.models.sounding_cnn import TASKS, SoundingCnn, SoundingCnnConfig
from carbonray.science.power.patch_features import feature_names
from carbonray.vocab.sensors import IMAGERS
from tests.benchmarks import sounding_runtime, sounding_trees
from tests.benchmarks.run import checked


def test_every_runtime_stands_beside_the_reference() -> None:
    torch.manual_seed(0)
    networks = {task: SoundingCnn(SoundingCnnConfig(task=task, width=8, patch_px=16)) for task in TASKS}
    found = checked(sounding_runtime.compared("small", networks, images=2, rounds=1), "sounding_runtime")
    assert [row["against"] for row in found] == ["", "fp32", "the gate's limit, 0.01", "fp32", "the gate's limit, 0.01"]
    assert all(0.0 < row["ratio"] < 1.0 for row in found if row["unit"] == "score")


def test_trees_are_asked_as_the_loop_asks_them() -> None:
    found = checked(sounding_trees.of_imager("landsat8", rounds=1, trees=3, loop_images=1), "sounding_trees")
    assert [row["against"] for row in found] == ["a plain loop", "all of it", "all of it"]


def test_a_deviating_loop_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(feature_names(IMAGERS["landsat8"]))
    monkeypatch.setattr(sounding_trees, "looped", lambda *_: np.full((1, count), 0.9))
    with pytest.raises(AssertionError):
        sounding_trees.of_imager("landsat8", rounds=1, trees=3, loop_images=1)

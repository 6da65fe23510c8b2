"""Two workers of torch's own group act as one: the same weights, the same scores, whatever share each of them has."""

import subprocess
import sys

import pytest
import torch

from carbonray.models.fit import FitState, Workers, weights_of
from carbonray.models.lockstep import part
from carbonray.stages.fit_checkpoints import FitCheckpoints
from carbonray.training.ddp import grouped_workers
from tests.training.small_fits import plain

LARGEST = 1e-6  # measured 6e-8, of weights that move by 1e-3 a step


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> tuple[FitState, FitState, FitState]:
    """Of one worker, and of both of two."""
    folder = tmp_path_factory.mktemp("fits")
    *_, alone = plain(folder).epochs(Workers())
    words = [sys.executable, "-m", "tests.training.two_workers", str(folder)]
    started = [subprocess.Popen([*words, str(rank)]) for rank in range(2)]
    assert [process.wait(timeout=240) for process in started] == [0, 0]
    first, second = (FitCheckpoints(f"{folder}/{rank}", "").read() for rank in range(2))
    assert first and second
    return alone.state, first, second


def test_workers_hold_the_same_state(states: tuple[FitState, FitState, FitState]) -> None:
    _, first, second = states
    assert first.tensors.keys() == second.tensors.keys()
    assert all(torch.equal(value, second.tensors[name]) for name, value in first.tensors.items())


@pytest.mark.parametrize("number", [0, 1], ids=["scenes", "soundings"])
def test_two_workers_are_one_with_the_same_global_batch(
    number: int, states: tuple[FitState, FitState, FitState]
) -> None:
    """Batches of the soundings are of 7 images, four of one worker and three of the other."""
    alone, both = part(states[0], number), part(states[1], number)
    for name, value in weights_of(alone).items():
        torch.testing.assert_close(weights_of(both)[name], value, rtol=0, atol=LARGEST)
    for one, two in zip(alone.facts["history"], both.facts["history"], strict=True):
        assert one.keys() == two.keys()
        assert {name: two[name] for name in one if name != "seconds"} == pytest.approx(
            {name: value for name, value in one.items() if name != "seconds"}, rel=1e-6
        )


def test_shares_make_the_mean_over_workers_that_over_samples() -> None:
    pooled = [Workers(rank, 3, total=lambda numbers: numbers * 0 + 12) for rank in range(3)]
    shares = [worker.shares(counts) for worker, counts in zip(pooled, ([3, 2], [4], [2, 1]), strict=True)]
    assert shares == [[0.75, 0.5], [1.0], [0.5, 0.25]]
    assert sum(map(sum, shares)) / 3 == 1.0 and Workers().shares([5]) == [1.0]


def test_one_worker_needs_no_group() -> None:
    network = torch.nn.Linear(1, 1)
    assert grouped_workers(0, 1, "cpu").wrap(network) is network

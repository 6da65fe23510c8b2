"""Losses of the sounding networks, by hand, and the law that both classes count alike."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ContractError, DataError
from carbonray.models.sounding_cnn import Sounding
from carbonray.models.sounding_losses import SoundingLoss, class_weights, weighted_entropy

EVEN = torch.ones(2)


def sounding(logits: list[list[float]], load: list[float]) -> Sounding:
    return Sounding(torch.tensor(logits), torch.tensor(load), torch.ones(len(load), 1, 1))


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_both_classes_count_alike_and_an_image_counts_one(off: int, on: int) -> None:
    weights = class_weights(off, on)
    assert float(weights[0]) * off == pytest.approx(float(weights[1]) * on, rel=1e-5)
    assert float(weights[0]) * off + float(weights[1]) * on == pytest.approx(off + on, rel=1e-5)


def test_weights_of_the_papers_prevalence() -> None:
    """About 80 % of the training images are on: N / (2 N_c) is 2.5 and 0.625."""
    assert class_weights(20, 80).tolist() == pytest.approx([2.5, 0.625])


@pytest.mark.parametrize("counts", [(0, 5), (5, 0)])
def test_absent_class_is_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="off and"):
        class_weights(*counts)


def test_entropy_is_divided_by_images_not_by_weights() -> None:
    logits, on = torch.zeros(4, 2), torch.tensor([True, True, True, False])
    weights = torch.tensor([2.0, 0.5])
    assert weighted_entropy(logits, on, weights).item() == pytest.approx((3 * 0.5 + 2.0) / 4 * math.log(2))


def test_multi_task_is_two_hundredths_of_entropy_and_the_rest_of_error() -> None:
    found = sounding([[0.0, 0.0], [0.0, 0.0]], [0.25, 0.75])
    load, on = torch.tensor([0.5, 0.25]), torch.tensor([True, True])
    got = SoundingLoss()(found, load, on, EVEN, "capacity_factor")
    assert got.item() == pytest.approx(0.02 * math.log(2) + 0.98 * (0.0625 + 0.25) / 2)
    assert SoundingLoss()(found, load, on, EVEN, "on").item() == pytest.approx(math.log(2))


def test_huber_grows_linearly_beyond_its_delta() -> None:
    found = sounding([[0.0, 0.0]] * 2, [0.1, 0.9])
    rules = SoundingLoss(regression="huber", classification_share=0.0, huber_delta=0.25)
    got = rules(found, torch.tensor([0.0, 0.0]), torch.tensor([True, False]), EVEN, "capacity_factor")
    assert got.item() == pytest.approx((0.5 * 0.1**2 + 0.25 * (0.9 - 0.125)) / 2)


def test_huber_with_a_delta_of_one_is_half_the_squared_error_for_any_capacity_factor() -> None:
    found, on = sounding([[0.0, 0.0]] * 3, [0.0, 0.4, 1.0]), torch.tensor([True, False, True])
    load = torch.tensor([1.0, 0.4, 0.3])
    huber, mse = (
        SoundingLoss(kind, 0.0, huber_delta=1.0)(found, load, on, EVEN, "capacity_factor") for kind in ("huber", "mse")
    )
    assert huber.item() == pytest.approx(0.5 * mse.item())


def test_loads_beyond_capacity_are_learnt_as_full() -> None:
    found, on = sounding([[0.0, 0.0]], [0.5]), torch.tensor([True])
    clipped, full = (SoundingLoss()(found, torch.tensor([v]), on, EVEN, "capacity_factor").item() for v in (1.3, 1.0))
    assert clipped == full


@pytest.mark.parametrize("wrong", [{"regression": "mae"}, {"classification_share": 1.5}, {"huber_delta": 0.0}], ids=str)
def test_unknown_losses_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError, match="no such loss"):
        SoundingLoss(**wrong)  # type: ignore[arg-type]

"""Losses by hand."""

import math

import pytest
import torch

from carbonray.models.losses import LOSSES, mse, positive_mse, weighted_mse

PREDICTION = torch.tensor([[[0.5, 0.0], [0.0, 1.0]]])
TARGET = torch.tensor([[[1.0, 0.0], [0.2, 0.0]]])


def test_mse_by_hand() -> None:
    assert mse(PREDICTION, TARGET).item() == pytest.approx((0.25 + 0 + 0.04 + 1) / 4)


def test_weighted_mse_weighs_a_pixel_by_1_plus_100_times_its_target() -> None:
    assert weighted_mse(PREDICTION, TARGET).item() == pytest.approx((101 * 0.25 + 0 + 21 * 0.04 + 1) / 4)


def test_positive_mse_looks_where_there_is_emission() -> None:
    assert positive_mse(PREDICTION, TARGET).item() == pytest.approx((0.25 + 0.04) / 2)
    assert positive_mse(PREDICTION, torch.zeros(1, 2, 2)).isnan()


def test_cross_entropy_of_even_odds_is_log_2() -> None:
    assert LOSSES["cross_entropy"](torch.zeros(3, 2), torch.tensor([0, 1, 1])).item() == pytest.approx(math.log(2))

"""Losses of the emission map and of plume presence.

Source: plain mean squared error is the NO2 hotspot paper's (Remote Sensing 17, 1167, 2025). The weighted form is our
named deviation: more than 99 % of target pixels are zero, and the plain mean lets a network answer zero everywhere.
Predictions and targets of maps are (n, y, x), in the units the network is trained in.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

TARGET_WEIGHT = 100.0  # of a pixel with target 1 over a pixel with target 0, inferred


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean over pixels and batch of (target - prediction)^2."""
    return torch.mean((target - prediction) ** 2)


def weighted_mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean over pixels and batch of (1 + 100 target) (target - prediction)^2."""
    return torch.mean((1.0 + TARGET_WEIGHT * target) * (target - prediction) ** 2)


def positive_mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error over the pixels whose target is above zero; NaN where there is none."""
    return torch.mean((target - prediction)[target > 0] ** 2)


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Softmax cross-entropy of (n, 2) logits and (n,) labels 0 (nothing) or 1 (a plume)."""
    return functional.cross_entropy(logits, label)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mse,
    "weighted_mse": weighted_mse,
    "cross_entropy": cross_entropy,
}

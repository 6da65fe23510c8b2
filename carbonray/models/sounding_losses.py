"""Losses of the sounding networks: on and off weighted alike, and a load learnt beside an on/off score.

Source: plume paper, appendix B: class weighting so that both classes count alike, N / (2 N_c); regression with mean
squared error or Huber as a multi-task of 0.02 classification and 0.98 regression (SCIENCE 4.5). Targets are (n,):
`on` bool, `capacity_factor` clipped to 0 to 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from carbonray.errors import ContractError, DataError
from carbonray.models.sounding_cnn import Sounding


@dataclass(frozen=True)
class SoundingLoss:
    """What is minimised.

    Attributes:
        regression: 'mse' or 'huber'.
        classification_share: of the on/off head's loss in that of a capacity factor, the rest is the regression's.
        huber_delta: error from which Huber grows linearly, inferred: with libraries' 1 it is half the squared error
            everywhere, since no error of a capacity factor exceeds 1.

    Raises:
        ContractError: the regression is unknown or the share beyond 0 to 1.
    """

    regression: str = "mse"
    classification_share: float = 0.02
    huber_delta: float = 0.25

    def __post_init__(self) -> None:
        if self.regression not in REGRESSIONS or not 0.0 <= self.classification_share <= 1.0 or self.huber_delta <= 0.0:
            raise ContractError(
                f"no such loss: {self}",
                where="SoundingLoss",
                expected=f"regression of {sorted(REGRESSIONS)}, a share of 0 to 1, a delta above 0",
                remedy="Correct the settings of the fit.",
            )

    def __call__(self, found: Sounding, capacity_factor: Tensor, on: Tensor, weights: Tensor, task: str) -> Tensor:
        """Mean over the images, for the task 'on' or 'capacity_factor'; `weights` (2,) are those of off and on."""
        entropy = weighted_entropy(found.on_logits, on, weights)
        if task == "on":
            return entropy
        regression = REGRESSIONS[self.regression](found.capacity_factor, capacity_factor.clamp(0.0, 1.0), self)
        return self.classification_share * entropy + (1.0 - self.classification_share) * regression


def class_weights(off: int, on: int) -> Tensor:
    """(2,) weights N / (2 N_c) of off and on, by which both count alike and an image counts 1 in the mean.

    Raises:
        DataError: one of the classes is absent.
    """
    if min(off, on) < 1:
        raise DataError(
            f"{off} images of plants that are off and {on} of plants that are on",
            where="class_weights",
            expected="both classes among the training images",
            remedy="Train on more plants or years.",
        )
    counts = torch.tensor([off, on], dtype=torch.float32)
    return counts.sum() / (2.0 * counts)


def weighted_entropy(logits: Tensor, on: Tensor, weights: Tensor) -> Tensor:
    """Mean over the images of weight times softmax cross-entropy of (n, 2) logits and (n,) bool.

    Divided by the number of images and not by the sum of weights, so that an image counts alike in every batch.
    """
    each = functional.cross_entropy(logits, on.long(), weight=weights.to(logits.device), reduction="sum")
    return each / len(logits)


def _mse(prediction: Tensor, target: Tensor, _rules: SoundingLoss) -> Tensor:
    return functional.mse_loss(prediction, target)


def _huber(prediction: Tensor, target: Tensor, rules: SoundingLoss) -> Tensor:
    return functional.huber_loss(prediction, target, delta=rules.huber_delta)


REGRESSIONS: dict[str, Callable[[Tensor, Tensor, SoundingLoss], Tensor]] = {"mse": _mse, "huber": _huber}

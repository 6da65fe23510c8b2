"""Losses of OpenCarbon: the error of ln E, and how well a cell's image finds its own points of interest.

Source: SCIENCE 1.4: l = l_p + alpha l_c; l_p the sum over the batch of |answer - ln E|, l_c InfoNCE (van den Oord et
al. 2018, arXiv 1807.03748) from image to points among the cells of a batch. A sum over 32 cells beside a mean times
0.001 leaves little of l_c (pitfall 2), so that every choice is a setting. Embeddings are (n, d).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from carbonray.errors import ContractError
from carbonray.models.opencarbon import CellAnswer

REDUCTIONS = ("sum", "mean")


@dataclass(frozen=True)
class CellLoss:
    """What is minimised; the defaults are the authors'.

    Attributes:
        reduction: of the error over the cells of a step, 'sum' or 'mean'; with 'mean' the contrastive term counts
            as many times more as there are cells.
        alpha: weight of the contrastive term, 0 for none: 0.001 in London and Beijing, 0.01 in Yinchuan.
        tau: temperature of the similarities.
        contrastive_from: epochs before the contrastive term enters.
        contrastive_normalize: whether embeddings are brought to length 1 first; the authors do not.
        contrastive_symmetric: whether points find their image too; the authors' do not.

    Raises:
        ContractError: the reduction is unknown or a number out of range.
    """

    reduction: str = "sum"
    alpha: float = 1e-3
    tau: float = 0.07
    contrastive_from: int = 100
    contrastive_normalize: bool = False
    contrastive_symmetric: bool = False

    def __post_init__(self) -> None:
        if self.reduction not in REDUCTIONS or self.alpha < 0.0 or self.tau <= 0.0 or self.contrastive_from < 0:
            raise ContractError(
                f"no such loss: {self}",
                where="CellLoss",
                expected=f"reduction of {REDUCTIONS}, alpha and contrastive_from of 0 or more, tau above 0",
                remedy="Correct the settings of the fit.",
            )

    def contrasts(self, epoch: int) -> bool:
        """Whether the contrastive term counts in an epoch, the first being 0."""
        return self.alpha > 0.0 and epoch >= self.contrastive_from

    def error(self, answer: CellAnswer, ln_e: Tensor) -> Tensor:
        """Sum over the cells of |answer - ln E|."""
        return (answer.ln_e - ln_e).abs().sum()

    def contrast(self, answer: CellAnswer, both: Tensor) -> Tensor:
        """InfoNCE of the cells that have image and points, `both` (b,) bool; 0 where there are none."""
        image, poi = answer.image[both], answer.poi[both]
        if self.contrastive_normalize:
            image, poi = functional.normalize(image), functional.normalize(poi)
        found = info_nce(image @ poi.T / self.tau)
        return 0.5 * (found + info_nce(poi @ image.T / self.tau)) if self.contrastive_symmetric else found


def info_nce(similarities: Tensor) -> Tensor:
    """Mean cross-entropy of (n, n) similarities, each row's own place the truth: 0 or more, ln n where all are alike.

    An empty table gives 0.
    """
    if not len(similarities):
        return similarities.sum()
    return functional.cross_entropy(similarities, torch.arange(len(similarities), device=similarities.device))

"""Losses of CLEAN: errors of both totals, what the cycle changes, and how far the two views of a row lie apart.

Source: SCIENCE 2.3: l = mean |ln E^ - ln E| + mean |ln G^ - ln G| + lambda_cycle l_cyc + lambda_latent l_lat; the cycle
in CycleGAN's L1 form. A term of weight 0 is not computed, so that it leaves no trace in any bit. Terms are means over
rows, of which a share of a batch may be taken.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from carbonray.errors import ContractError
from carbonray.models.clean import CleanAnswer, MixBatch

NORMS = ("l1", "l2")


class CleanTerms(NamedTuple):
    """Means over rows, each a number; what does not count is 0."""

    emissions: Tensor
    energy: Tensor
    cycle: Tensor
    latent: Tensor
    translation: Tensor


@dataclass(frozen=True)
class CleanLoss:
    """What is minimised; weights are inferred, SCIENCE 2.3 sweeps them.

    Attributes:
        lambda_cycle: weight of what a mix loses on its way to the other view and back: 0, 0.1, 1 or 10.
        lambda_latent: weight of the squared distance between the two embeddings of a row, a number of d: 0, 0.1 or 1.
        lambda_translation: weight of the distance between a row's mix and the translation of its other; no part of
            SCIENCE 2.3, whose translations nothing holds to the sectors that they stand for; 0 leaves it out.
        norm: of both distances between mixes, summed over their parts: 'l1', or 'l2' for the squares.

    Raises:
        ContractError: a weight is negative, or the norm unknown.
    """

    lambda_cycle: float = 1.0
    lambda_latent: float = 0.1
    lambda_translation: float = 0.0
    norm: str = "l1"

    def __post_init__(self) -> None:
        if min(self.lambda_cycle, self.lambda_latent, self.lambda_translation) < 0.0 or self.norm not in NORMS:
            raise ContractError(
                f"no such loss: {self}",
                where="CleanLoss",
                expected=f"weights of 0 or more, a norm of {NORMS}",
                remedy="Correct the settings of the fit.",
            )

    @property
    def decodes(self) -> bool:
        """Whether a network needs decoders for it."""
        return self.lambda_cycle > 0.0 or self.lambda_translation > 0.0

    def terms(self, answer: CleanAnswer, batch: MixBatch) -> CleanTerms:
        """The five, of a network that has the decoders that are needed."""
        none, a = answer.ln_e.new_zeros(()), answer
        return CleanTerms(
            (a.ln_e - batch.ln_e).abs().mean(),
            (a.ln_g - batch.ln_g).abs().mean(),
            self._apart(a.back_g, a.told_g, a.back_s, a.told_s) if self.lambda_cycle else none,
            (a.z_g - a.z_s).square().mean() if self.lambda_latent else none,
            self._apart(a.seen_g, a.told_g, a.seen_s, a.told_s) if self.lambda_translation else none,
        )

    def weighed(self, terms: CleanTerms) -> Tensor:
        """What is minimised."""
        total = terms.emissions + terms.energy
        weights = (self.lambda_cycle, self.lambda_latent, self.lambda_translation)
        for weight, term in zip(weights, (terms.cycle, terms.latent, terms.translation), strict=True):
            total = total + weight * term if weight else total
        return total

    def _apart(self, g: Tensor | None, told_g: Tensor, s: Tensor | None, told_s: Tensor) -> Tensor:
        if g is None or s is None:
            raise ContractError(
                "a network without decoders",
                where="CleanLoss",
                expected="decoders, for the weights of cycle and translation are not both 0",
                remedy="Build the network with cycle=True: `clean_fit.clean_network` does.",
            )
        return mix_distance(g, told_g, self.norm) + mix_distance(s, told_s, self.norm)


def mix_distance(found: Tensor, told: Tensor, norm: str) -> Tensor:
    """Mean over rows of the sum over parts of |found - told|, or of its squares."""
    gap = found - told
    return (gap.abs() if norm == "l1" else gap.square()).sum(1).mean()

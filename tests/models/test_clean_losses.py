"""CLEAN's losses: by hand, zero for the cycle of the identity, and without a trace where a weight is 0."""

import pytest
import torch
from torch import Tensor, nn

from carbonray.errors import ContractError
from carbonray.models.clean import Clean, CleanAnswer
from carbonray.models.clean_losses import CleanLoss, mix_distance
from tests.models.small_mixes import batch, config, regions

BATCH = batch(regions(4, 10))


def test_terms_are_those_of_the_description() -> None:
    """Two rows, two sources, two sectors, by hand."""
    half, whole = torch.tensor([[0.5, 0.5], [0.5, 0.5]]), torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    answer = CleanAnswer(
        ln_e=torch.tensor([1.0, 2.0]),
        ln_g=torch.tensor([0.0, 0.0]),
        z_g=torch.tensor([[1.0, 0.0], [0.0, 0.0]]),
        z_s=torch.tensor([[0.0, 0.0], [0.0, 2.0]]),
        told_g=half,
        told_s=half,
        seen_s=whole,
        seen_g=half,
        back_g=whole,
        back_s=whole,
    )
    truth = type(BATCH)(half, torch.tensor([0.5, -0.5]), half, torch.tensor([1.5, 2.0]))
    loss = CleanLoss(lambda_cycle=10.0, lambda_latent=0.1, lambda_translation=2.0)
    terms = loss.terms(answer, truth)
    # |0.5| and 0; twice 0.5; (1 + 0) / 2 on both sides; (1 + 4) over two rows of two numbers; (1 + 0) / 2 on one side
    assert [term.item() for term in terms] == pytest.approx([0.25, 0.5, 1.0, 1.25, 0.5])
    assert loss.weighed(terms).item() == pytest.approx(0.25 + 0.5 + 10.0 + 0.125 + 1.0)
    squares = CleanLoss(lambda_latent=0.0, norm="l2").terms(answer, truth)
    assert squares.cycle.item() == pytest.approx(2 * (0.25 + 0.25) / 2) and squares.latent.item() == 0.0


class Logarithm(nn.Module):
    """An embedding whose softmax is the mix itself."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(x)


def test_the_cycle_of_the_identity_loses_nothing() -> None:
    """As many sources as sectors; encoders and decoders that undo each other."""
    network = Clean(config(sources=6, sectors=6, d=6))
    network.phi_g = network.phi_s = Logarithm()  # type: ignore[assignment]
    for decoder in (network.psi_g, network.psi_s):
        decoder.layers = nn.Identity()  # type: ignore[assignment]
    rows = type(BATCH)(BATCH.sector_share, BATCH.ln_g, BATCH.sector_share, BATCH.ln_e)
    terms = CleanLoss(lambda_translation=1.0).terms(network(rows), rows)
    assert terms.cycle.item() == pytest.approx(0.0, abs=1e-6)
    assert terms.translation.item() == pytest.approx(0.0, abs=1e-6) and terms.latent.item() == 0.0
    other = type(BATCH)(BATCH.sector_share.flip(1), BATCH.ln_g, BATCH.sector_share, BATCH.ln_e)
    moved = CleanLoss(lambda_translation=1.0).terms(network(other), other)
    assert moved.cycle.item() == pytest.approx(0.0, abs=1e-6) and moved.translation.item() > 0.1


@pytest.mark.parametrize("name", ["cycle", "latent", "translation"])
def test_a_term_moves_what_it_should_and_only_with_its_weight(name: str) -> None:
    none = {"lambda_cycle": 0.0, "lambda_latent": 0.0, "lambda_translation": 0.0}
    network = Clean(config(dropout=0.0))

    def gradients(weight: float) -> dict[str, Tensor | None]:
        network.zero_grad(set_to_none=True)
        loss = CleanLoss(**{**none, f"lambda_{name}": weight})
        loss.weighed(loss.terms(network(BATCH), BATCH)).backward()
        return {part: p.grad for part, p in network.named_parameters()}

    alone, with_term = gradients(0.0), gradients(1.0)
    decoders = [part for part in alone if part.startswith("psi")]
    assert all(alone[part] is None for part in decoders)
    assert all((with_term[part] is None) == (name == "latent") for part in decoders)
    for part in ("phi_g.layers.0.weight", "phi_s.layers.0.weight"):
        a, b = alone[part], with_term[part]
        assert a is not None and b is not None and not torch.equal(a, b)
    for part in ("a_e.weight", "a_g.bias"):
        a, b = alone[part], with_term[part]
        assert a is not None and b is not None and torch.equal(a, b)


def test_heads_feel_only_their_own_task() -> None:
    network = Clean(config())
    answer = network(BATCH)
    CleanLoss(lambda_latent=0.0).terms(answer, BATCH).emissions.backward()
    assert {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None} == {"phi_g", "a_e"}


def test_totals_are_led_around_too_where_they_are_included() -> None:
    told = torch.tensor([[0.4, 0.6, 5.0]])
    assert mix_distance(torch.tensor([[0.5, 0.5, 7.0]]), told, "l1").item() == pytest.approx(2.2)
    network = Clean(config(include_total=True)).eval()
    answer = network(BATCH)
    assert answer.back_g is not None
    assert mix_distance(answer.back_g, answer.told_g, "l1") > mix_distance(
        answer.back_g[:, :8], answer.told_g[:, :8], "l1"
    )


def test_a_loss_that_needs_decoders_says_so() -> None:
    network = Clean(config(cycle=False))
    for loss in (CleanLoss(), CleanLoss(lambda_cycle=0.0, lambda_translation=1.0)):
        assert loss.decodes
        with pytest.raises(ContractError, match="without decoders"):
            loss.terms(network(BATCH), BATCH)
    assert not CleanLoss(lambda_cycle=0.0).decodes


@pytest.mark.parametrize("wrong", [{"lambda_cycle": -1.0}, {"lambda_latent": -0.1}, {"norm": "l3"}], ids=str)
def test_losses_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError, match="no such loss"):
        CleanLoss(**wrong)  # type: ignore[arg-type]

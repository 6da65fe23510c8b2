"""Losses of OpenCarbon: bounds of InfoNCE, and what each of the settings changes."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.models.opencarbon import CellAnswer
from carbonray.models.opencarbon_losses import CellLoss, info_nce

ALL = torch.ones(6, dtype=torch.bool)


def answer(seed: int = 0, count: int = 6) -> CellAnswer:
    draw = torch.Generator().manual_seed(seed)
    weights = torch.full((count, 2), 0.5)
    embeddings = [torch.randn(count, 8, generator=draw) for _ in range(2)]
    return CellAnswer(torch.randn(count, generator=draw), weights, weights, *embeddings)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.floats(-50.0, 50.0), st.integers(0, 2**31))
def test_info_nce_is_0_or_more_and_ln_b_where_all_are_alike(count: int, level: float, seed: int) -> None:
    noise = torch.randn(count, count, generator=torch.Generator().manual_seed(seed))
    assert info_nce(level * noise) >= 0.0
    assert info_nce(torch.full((count, count), level)).item() == pytest.approx(math.log(count), abs=1e-5)
    assert info_nce(200.0 * torch.eye(count)).item() == pytest.approx(0.0, abs=1e-6)


def test_info_nce_is_the_formula() -> None:
    s = torch.tensor([[1.0, 2.0], [0.5, -1.0]])
    expected = sum(-math.log(math.exp(s[i, i]) / sum(math.exp(x) for x in s[i])) for i in range(2)) / 2.0
    assert info_nce(s).item() == pytest.approx(expected)
    assert info_nce(torch.empty(0, 0)).item() == 0.0


def test_error_is_the_sum_of_absolute_differences() -> None:
    found = answer()
    assert CellLoss().error(found, found.ln_e + torch.tensor([1.0, -2.0, 0, 0, 0, 0.5])).item() == pytest.approx(3.5)


def test_contrast_goes_from_image_to_points_unless_it_is_symmetric() -> None:
    found, loss = answer(), CellLoss(tau=0.5)
    swapped = found._replace(image=found.poi, poi=found.image)
    one, other = loss.contrast(found, ALL), loss.contrast(swapped, ALL)
    assert one != other and torch.equal(one, info_nce(found.image @ found.poi.T / 0.5))
    both = replace(loss, contrastive_symmetric=True)
    assert both.contrast(found, ALL) == pytest.approx(0.5 * (one + other).item(), rel=1e-6)
    assert both.contrast(swapped, ALL) == pytest.approx(both.contrast(found, ALL).item(), rel=1e-6)


def test_normalised_embeddings_have_no_length() -> None:
    found, loss = answer(), CellLoss(contrastive_normalize=True)
    longer = found._replace(image=7.0 * found.image)
    assert torch.allclose(loss.contrast(longer, ALL), loss.contrast(found, ALL))
    assert not torch.allclose(CellLoss().contrast(longer, ALL), CellLoss().contrast(found, ALL))
    assert loss.contrast(found, ALL) <= 2.0 / 0.07 + math.log(6)  # cosines lie within 1


def test_cells_without_one_of_both_are_no_pair() -> None:
    found, both = answer(), ALL.clone()
    both[[1, 4]] = False
    kept = CellAnswer(*(part[both] for part in found))
    assert torch.equal(CellLoss().contrast(found, both), CellLoss().contrast(kept, ALL[:4]))
    assert CellLoss().contrast(found, ~ALL).item() == 0.0


def test_contrast_counts_from_its_epoch_and_with_a_weight() -> None:
    assert [CellLoss().contrasts(epoch) for epoch in (0, 99, 100, 3000)] == [False, False, True, True]
    assert not CellLoss(alpha=0.0, contrastive_from=0).contrasts(500)


def test_unknown_losses_are_refused() -> None:
    for wrong in ({"reduction": "median"}, {"tau": 0.0}, {"alpha": -1.0}):
        with pytest.raises(ContractError, match="no such loss"):
            CellLoss(**wrong)

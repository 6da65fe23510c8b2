"""The parts of OpenCarbon: sizes of maps, gates, weights that sum to 1, orders that must not matter."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.models.opencarbon import parameter_count
from carbonray.models.opencarbon_layers import (
    POI_FORMS,
    AttentionFusion,
    ChannelGate,
    ConcatFusion,
    NeighborCnn,
    PoiEncoder,
    TokenAttention,
)


def test_sides_of_the_maps_are_those_of_the_authors() -> None:
    """SCIENCE 1.3: 256 -> 86 -> 28 -> 10 in London's form, 256 -> 76 -> 14 in Beijing's."""
    london, beijing = POI_FORMS["london"], POI_FORMS["beijing"]
    assert [london.body[0].size_after(256), london.body[1].size_after(86), london.last.size_after(28)] == [86, 28, 10]
    assert [beijing.body[0].size_after(256), beijing.last.size_after(76)] == [76, 14]
    assert london.size_after(256) == 10 and beijing.size_after(256) == 14


@pytest.mark.parametrize(("form", "px"), [("london", 27), ("london", 96), ("beijing", 136)])
def test_encoders_answer_with_one_vector_at_any_size(form: str, px: int) -> None:
    assert PoiEncoder(3, px, 8, form, se=True)(torch.rand(2, 3, px, px)).shape == (2, 8)


def test_rasters_too_small_for_the_kernels_are_refused() -> None:
    with pytest.raises(ContractError, match="64 pixels"):
        PoiEncoder(3, 64, 8, "beijing", se=True)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 5.0))
def test_gates_lie_between_0_and_1(seed: int, size: float) -> None:
    torch.manual_seed(seed)
    x = size * torch.rand(3, 32, 4, 4)
    gate = ChannelGate(32)
    weights = gate.gate(x)
    assert ((weights > 0.0) & (weights < 1.0)).all()
    assert torch.allclose(gate(x), x * weights[:, :, None, None])


def test_gates_have_eight_hidden_channels_or_a_sixteenth() -> None:
    assert ChannelGate(32).squeeze.out_features == 8 and ChannelGate(256).squeeze.out_features == 16


def test_order_of_categories_does_not_matter_with_their_weights() -> None:
    encoder = PoiEncoder(5, 27, 8, "london", se=True).eval()
    counts, order = torch.rand(2, 5, 27, 27), torch.tensor([3, 0, 4, 1, 2])
    before, weights = encoder(counts), encoder.category_weights(counts)
    filters = encoder.get_parameter("body.0.0.weight")
    filters.data = filters.data[:, order]
    assert torch.allclose(encoder(counts[:, order]), before, atol=1e-6)
    assert torch.allclose(encoder.category_weights(counts[:, order]), weights[:, order], atol=1e-6)


def test_category_weights_are_shares_and_nothing_for_a_category_without_filters() -> None:
    encoder = PoiEncoder(5, 27, 8, "london", se=True).eval()
    encoder.get_parameter("body.0.0.weight").data[:, 2] = 0.0
    weights = encoder.category_weights(torch.rand(3, 5, 27, 27))
    assert torch.allclose(weights.sum(1), torch.ones(3)) and (weights[:, 2] == 0.0).all() and (weights >= 0.0).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.booleans(), min_size=2, max_size=2).filter(any))
def test_fusion_weighs_what_is_present_and_knows_no_order(seed: int, present: list[bool]) -> None:
    torch.manual_seed(seed)
    fusion, x, there = AttentionFusion(8), 3.0 * torch.randn(4, 2, 8), torch.tensor([present] * 4)
    fused, weights = fusion(x, there)
    assert torch.allclose(weights.sum(1), torch.ones(4)) and (weights[there] > 0.0).all()
    assert (weights[~there] == 0.0).all()
    swapped, others = fusion(x.flip(1), there.flip(1))
    assert torch.allclose(swapped, fused, atol=1e-6) and torch.allclose(others.flip(1), weights, atol=1e-6)


def test_fusion_of_nothing_is_no_number() -> None:
    fused, weights = AttentionFusion(8)(torch.zeros(1, 2, 8), torch.zeros(1, 2, dtype=torch.bool))
    assert fused.isnan().all() and weights.isnan().all()


def test_concatenation_weighs_nothing() -> None:
    fused, weights = ConcatFusion(8, 2)(torch.rand(3, 2, 8), torch.ones(3, 2, dtype=torch.bool))
    assert fused.shape == (3, 8) and weights.isnan().all()


def test_windows_with_a_row_that_does_not_count_are_as_windows_without_it() -> None:
    """What is absent is as what lies beyond the window: the same answer as to the part that is there."""
    cnn, window = NeighborCnn(8), torch.randn(2, 3, 3, 8)
    counts = torch.ones(2, 3, 3, dtype=torch.bool)
    counts[:, 0] = False
    covered = torch.where(counts[..., None], window, 0.0)
    assert torch.allclose(cnn(covered, counts), cnn(window[:, 1:], counts[:, 1:]), atol=1e-6)
    assert not torch.allclose(cnn(window, torch.ones_like(counts)), cnn(covered, counts), atol=1e-3)


def test_attention_of_tokens_is_as_the_formula_says() -> None:
    """Head by head and token by token, in a loop: softmax(q k) v, the heads mixed to one number."""
    attention, query, key = TokenAttention(2), torch.randn(1, 5), torch.randn(1, 5)
    heads = []
    for head in range(2):
        q, k, v = (
            layer.weight[head, 0] * x[0] + layer.bias[head]
            for layer, x in ((attention.q, query), (attention.k, key), (attention.v, key))
        )
        heads.append(torch.stack([torch.softmax(one * k, 0) @ v for one in q]))
    expected = torch.stack(heads, 1) @ attention.out.weight[0] + attention.out.bias
    assert torch.allclose(attention(query, key, key)[0], expected, atol=1e-6)
    assert parameter_count(attention) == 15


@pytest.mark.parametrize(("side", "share"), [(64, 0.74), (72, 1.0), (80, 1.0), (96, 1.0), (256, 1.0)])
def test_what_the_encoder_of_points_reads_of_a_cell(side: int, share: float) -> None:
    """Strides that do not come out even leave a rim unread but for the gates (grid.basemap.image_px says so)."""
    torch.manual_seed(0)
    encoder = PoiEncoder(1, side, 4, "london", se=False).eval()  # statistics of a batch would tie all pixels
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.abs_()
    counts = torch.ones(2, 1, side, side, requires_grad=True)
    encoder(counts).sum().backward()
    assert counts.grad is not None
    read = (counts.grad[0, 0] != 0).float().mean().item()
    assert read == pytest.approx(share, abs=0.005)

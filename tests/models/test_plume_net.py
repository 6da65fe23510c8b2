"""The paper's network: its published size, its shapes, and that its head starts as asked."""

import pytest
import torch

from carbonray.errors import ContractError
from carbonray.models.layers import SpatialAttention
from carbonray.models.plume_net import PlumeNet, PlumeNetConfig


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_has_the_published_number_of_parameters() -> None:
    """About 2 160 000 in the paper; 2 157 523 for three blocks of 32 channels and a 64x64 answer."""
    assert count(PlumeNet(PlumeNetConfig())) == 2_157_523
    assert count(PlumeNet(PlumeNetConfig(in_channels=4))) == 2_157_523 + 3 * 9 * 32  # SCIENCE 3.3: 864 more


def test_defaults_are_the_papers() -> None:
    assert PlumeNetConfig() == PlumeNetConfig(
        in_channels=1, width=32, blocks=3, dropout=0.05, input_px=64, output_px=64, head_init="default"
    )


def test_answers_one_map_per_tile() -> None:
    assert PlumeNet(PlumeNetConfig(in_channels=4)).eval()(torch.randn(3, 4, 64, 64)).shape == (3, 64, 64)


def test_zero_head_starts_from_the_empty_map_and_the_default_from_noise() -> None:
    x = torch.randn(2, 1, 64, 64)
    assert torch.equal(PlumeNet(PlumeNetConfig(head_init="zero")).eval()(x), torch.zeros(2, 64, 64))
    assert PlumeNet(PlumeNetConfig()).eval()(x).abs().mean() > 1e-3


def test_unknown_head_is_refused() -> None:
    with pytest.raises(ContractError, match="initialisation 'xavier'"):
        PlumeNet(PlumeNetConfig(head_init="xavier"))


def test_answer_does_not_depend_on_the_memory_layout() -> None:
    torch.manual_seed(0)
    network, x = PlumeNet(PlumeNetConfig()).eval(), torch.randn(2, 1, 64, 64)
    plain = network(x)
    moved = network.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, moved, rtol=1e-4, atol=1e-5)


def test_attention_weighs_pixels_alike_in_all_channels() -> None:
    x = torch.rand(2, 5, 8, 8) + 0.5
    weight = SpatialAttention()(x) / x
    torch.testing.assert_close(weight, weight[:, :1].expand_as(weight))
    assert weight.min() > 0 and weight.max() < 1

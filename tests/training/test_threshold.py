"""The cut: the one of the best F1, by hand."""

import pytest
import torch
from torch import Tensor, nn

from carbonray.models.encoding import Encoding
from carbonray.models.tiles import TileBatch, packed
from carbonray.training.threshold import ThresholdRules, choose_cut


class Echo(nn.Module):
    """Answers the input channel."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0]


def chosen(answer: list[float], truth: list[float], rules: ThresholdRules = ThresholdRules()):  # noqa: B008
    pixels = [torch.tensor(values).reshape(1, 2, -1) for values in (answer, truth)]
    one = torch.ones_like(pixels[0])
    tiles = packed(TileBatch(pixels[0], one, one, one, pixels[1]))
    encoding = Encoding().with_range(0.0, 10.0)  # the tenth of the column
    return choose_cut(Echo(), encoding, [tiles, tiles], rules)


def test_cut_lies_between_hits_and_false_alarms() -> None:
    found = chosen([3.0, 2.9, 1.0, 0.0], [0.5, 0.5, 0.0, 0.0])
    assert found.cut == pytest.approx(0.11)  # the lowest of those as good
    assert found.metrics["f1_at_cut"] == found.metrics["precision_at_cut"] == found.metrics["f1_at_0.2"] == 1.0
    assert found.metrics["f1_at_0.05"] == pytest.approx(2 * 2 / (3 + 2))


def test_a_miss_is_accepted_where_a_lower_cut_costs_more() -> None:
    found = chosen([4.0, 1.0, 2.0, 2.0, 2.0, 2.0], [0.5, 0.5, 0, 0, 0, 0], ThresholdRules(target=0.2))
    assert found.cut == pytest.approx(0.21)
    assert (found.metrics["recall_at_cut"], found.metrics["precision_at_cut"]) == (0.5, 1.0)


def test_an_empty_world_has_a_cut_too() -> None:
    assert chosen([0.0, 0.0], [0.0, 0.0]).metrics["f1_at_cut"] == 0.0

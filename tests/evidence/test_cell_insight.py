"""The sentences of the evidence say what the numbers say, and the claim holds only where every instance lets it."""

import numpy as np
import pytest
import torch

from carbonray.models.opencarbon import OpenCarbonConfig
from carbonray.stages.cell_blanks import MovedAnswers
from tests.evidence.cell_insight_maps import read_side
from tests.evidence.cell_insight_words import HOLDS, NOT_SHOWN, REVERSED, check_words, level_means, moved_words, verdict


@pytest.mark.parametrize(
    ("trends", "expected"),
    [
        ({"all": "rises", "0": "rises", "1": "rises", "2": "none"}, HOLDS),
        ({"all": "falls", "0": "falls", "1": "falls", "2": "none"}, REVERSED),
        ({"all": "rises", "0": "rises", "1": "rises", "2": "falls"}, NOT_SHOWN),
        ({"all": "rises", "0": "rises", "1": "none", "2": "none"}, NOT_SHOWN),
        ({"all": "none", "0": "rises", "1": "rises", "2": "rises"}, NOT_SHOWN),
        ({"2": "rises"}, HOLDS),
        ({"2": "none"}, NOT_SHOWN),
    ],
)
def test_the_claim_holds_where_all_cells_and_most_instances_say_so_and_none_the_opposite(trends, expected):
    assert verdict([{"instance": name, "trend": trend} for name, trend in trends.items()]) == expected


def test_a_network_that_hardly_looks_at_images_is_called_so():
    answer, points = np.array([1.0, 3.0]), np.array([0.5, 0.6])
    blind = MovedAnswers(np.arange(2), answer, np.array([0.01, -0.02]), points)
    assert "hardly looks" in moved_words(blind)
    assert "hardly looks" not in moved_words(MovedAnswers(np.arange(2), answer, points, points))


def test_maps_that_only_inputs_made_are_called_so():
    alike, apart = [{"image": 0.6, "poi": 0.1}], [{"image": 0.1, "poi": float("nan")}, {"image": 0.1, "poi": 0.1}]
    said = check_words({"fitted": alike, "untaught": apart})
    assert "Maps of images resemble those of other instances more" in said
    assert "Maps of points resemble those of other instances no more" in said


def test_means_of_a_level_are_of_its_own_cells():
    parts = [
        {"cell_id": cell, "place": place, "modality": modality, "ln_t_co2": value}
        for cell, value in ((1, 1.0), (2, 3.0), (3, -8.0))
        for place in ("own", "around")
        for modality in ("image", "poi", "poi")  # two categories
    ]
    means = level_means(parts, {1: 1, 2: 1, 3: 2})
    assert means[1]["own image"] == 2.0 and means[1]["around points"] == 4.0 and means[1]["cells"] == 2.0
    assert means[1]["share"] == means[2]["share"] == pytest.approx(2.0 / 3.0)


@pytest.mark.parametrize(("px", "reached"), [(64, 55), (80, 80), (96, 96), (256, 256)])
def test_some_sizes_leave_a_strip_that_convolutions_of_points_never_reach(px, reached):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert read_side(OpenCarbonConfig(image_px=px)) == reached
    assert torch.equal(torch.rand(2), expected)

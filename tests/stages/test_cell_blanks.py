"""Blank inputs move answers by what they told, and what a network does not read moves nothing."""

import numpy as np
import pytest
import torch

from carbonray.models.opencarbon import OpenCarbon
from carbonray.stages.cell_attribution import AttributionRules
from carbonray.stages.cell_blanks import moved_answers, without_images, without_points
from tests.models.cell_shards import CATEGORIES, PX, config, town


def network(**changes) -> OpenCarbon:
    """An untrained network whose layers know the spread of what they see, and whose encoder of points is heard."""
    torch.manual_seed(1)
    made, batch = OpenCarbon(config(pad="learned_mask", ln_spread=5.0, **changes)), town()
    with torch.no_grad():
        for _ in range(30):
            made(batch)
        if "poi" in made.config.modalities:
            made.poi_encoder.fc.weight.mul_(100.0)
    return made.eval()


def test_answers_move_by_the_difference_from_blank_ones():
    made, batch = network(), town()
    found = moved_answers(made, [batch.rows(torch.arange(20)), batch.rows(torch.arange(20, 30))])
    assert found.cell_id.tolist() == batch.cell_ids.tolist()
    with torch.inference_mode():
        whole, plain, bare = (
            made(case).ln_e.numpy()
            for case in (batch, without_images(batch, AttributionRules.blank_rgb), without_points(batch))
        )
    np.testing.assert_allclose(found.answer, whole, atol=1e-4)
    np.testing.assert_allclose(found.by_image, whole - plain, atol=2e-4)
    np.testing.assert_allclose(found.by_points, whole - bare, atol=2e-4)
    assert np.abs(found.by_image).max() > 0.01 and np.abs(found.by_points).max() > 0.01
    assert np.all((found.share_of_points > 0.0) & (found.share_of_points < 1.0))


@pytest.mark.parametrize(("reads", "share"), [("image", 0.0), ("poi", 1.0)])
def test_what_is_not_read_moves_nothing(reads, share):
    found = moved_answers(network(modalities=(reads,)), [town()])
    still = found.by_points if reads == "image" else found.by_image
    assert not still.any() and np.all(found.share_of_points == share)


def test_blank_inputs_are_a_flat_colour_and_no_points_at_known_places():
    batch = town()
    flat, bare = without_images(batch, (1.2, 100.6, 255.0)), without_points(batch)
    assert torch.unique(flat.images[:, 0]).tolist() == [1] and torch.unique(flat.images[:, 1]).tolist() == [101]
    assert not bare.raster(CATEGORIES, PX).any() and torch.equal(bare.poi_present, batch.poi_present)
    assert batch.raster(CATEGORIES, PX).any() and torch.equal(bare.images, batch.images)


def test_no_cells_give_no_answers():
    assert len(moved_answers(network(), []).cell_id) == 0

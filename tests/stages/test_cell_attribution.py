"""Attributions add up to the answer, owe nothing to what is absent, and come from what the network learned."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from carbonray.errors import DataError, SettingsError
from carbonray.models.cell_batches import CellBatch
from carbonray.models.opencarbon import OpenCarbon
from carbonray.stages.cell_attribution import AttributionRules, agreement, attributions, randomised
from tests.models.cell_shards import CATEGORIES, PX, config, town

RULES = AttributionRules(steps=32, steps_at_once=16)
NAMES = tuple("abcd")
captum = pytest.importorskip("captum")


def taught(**changes) -> OpenCarbon:
    """A network that tells bright and busy cells of the small town from others."""
    torch.manual_seed(0)
    shape = {"pad": "learned_mask", "ln_center": 10.0, "ln_spread": 0.8, **changes}
    network = OpenCarbon(config(**shape))
    batch, optimizer = town(), torch.optim.Adam(network.parameters(), 3e-3)
    network.train()
    for _ in range(40):
        optimizer.zero_grad()
        torch.mean((network(batch).ln_e - batch.ln_e) ** 2).backward()
        optimizer.step()
    return network.eval()


@pytest.fixture(scope="module")
def network() -> OpenCarbon:
    return taught()


def answers(network: OpenCarbon, batch: CellBatch) -> np.ndarray:
    with torch.inference_mode():
        return network(batch).ln_e.numpy()


def some(*rows: int, batch: CellBatch | None = None) -> CellBatch:
    return (batch or town()).rows(torch.tensor(rows))


def test_attributions_are_the_answer_less_the_blank_one(network):
    whole = answers(network, town())
    for at, found in zip((0, 14, 29), attributions(network, some(0, 14, 29), RULES), strict=True):
        assert found.cell_id == 1000 + at
        assert found.answer == pytest.approx(whole[at], abs=1e-4)
        told = found.image.sum(dtype=np.float64) + found.poi.sum(dtype=np.float64)
        moved = float(np.abs(found.image).sum() + np.abs(found.poi).sum())
        assert told == pytest.approx(found.answer - found.blank, abs=0.02 * moved)
        assert found.missed == pytest.approx(found.answer - found.blank - told, abs=1e-6)
        assert abs(found.answer - found.blank) > 0.05, "an answer like the blank one would prove nothing"
        parts = list(found.parts(NAMES))
        assert sum(part for *_, part in parts) == pytest.approx(told, rel=1e-5)
        assert [part[:3] for part in parts[:2]] == [("own", "image", ""), ("own", "poi", "a")]


def test_more_steps_miss_less(network):
    missed = []
    for steps in (2, 48):
        rules = AttributionRules(steps=steps, steps_at_once=16)
        missed.append(max(abs(found.missed) for found in attributions(network, some(3, 14, 20), rules)))
    assert missed[1] < missed[0]


def test_how_many_steps_go_at_once_changes_nothing(network):
    one, all_at_once = (
        next(attributions(network, some(14), AttributionRules(steps=12, steps_at_once=n))) for n in (1, 12)
    )
    np.testing.assert_allclose(one.image, all_at_once.image, atol=1e-6)
    np.testing.assert_allclose(one.poi, all_at_once.poi, atol=1e-6)


def test_points_owe_only_where_they_are(network):
    batch = some(14)
    found = next(attributions(network, batch, RULES))
    counts = batch.raster(CATEGORIES, PX).numpy()[batch.neighbors[0].numpy()]
    assert not found.poi[counts == 0].any()
    assert found.poi[counts > 0].any() and found.own[1].shape == (CATEGORIES, PX, PX)


@pytest.mark.parametrize("lost", ["image", "poi"])
def test_an_absent_modality_owes_nothing_whatever_stands_in_its_place(network, lost):
    whole = town()
    gone = replace(whole, **{f"{lost}_present": torch.zeros(len(whole.images), dtype=torch.bool)})
    other = replace(gone, images=255 - gone.images) if lost == "image" else gone
    first, second = (next(attributions(network, some(14, batch=batch), RULES)) for batch in (gone, other))
    assert not getattr(first, lost).any()
    assert getattr(first, "poi" if lost == "image" else "image").any()
    assert first.answer == pytest.approx(answers(network, gone)[14], abs=1e-4)
    np.testing.assert_array_equal(first.poi, second.poi)
    assert abs(first.missed) < 0.1


def test_neighbours_beyond_the_town_and_without_inputs_owe_nothing(network):
    whole = town()
    there = torch.ones(len(whole.images), dtype=torch.bool)
    there[1] = False
    corner = some(0, batch=replace(whole, image_present=there, poi_present=there))
    found = next(attributions(network, corner, RULES))
    beyond = corner.neighbors[0].numpy() < 0
    beyond[1, 2] = True  # the cell to the east has nothing
    assert not found.image[beyond].any() and not found.poi[beyond].any()
    assert all(found.image[place].any() for place in np.argwhere(~beyond).tolist() for place in [tuple(place)])


def test_a_network_that_looks_at_the_cell_alone_has_windows_of_one():
    alone = taught(neighborhood=False, modalities=("poi",))
    found = next(attributions(alone, some(14), RULES))
    assert found.image.shape == (1, 1, PX, PX) and not found.image.any() and found.poi.any()


def test_attributions_come_from_what_was_learned(network):
    """Model randomisation (Adebayo et al. 2018): random weights owe otherwise; the same ones owe the same."""
    rows = (2, 9, 14, 20, 27)
    fitted = list(attributions(network, some(*rows), RULES))
    again = list(attributions(network, some(*rows), replace(RULES, steps=20)))
    untaught = list(attributions(randomised(network), some(*rows), RULES))
    for name in ("image", "poi"):
        like = np.mean([agreement(*pair)[name] for pair in zip(fitted, again, strict=True)])
        unlike = np.mean([agreement(*pair)[name] for pair in zip(fitted, untaught, strict=True)])
        assert like > 0.85 and abs(unlike) < 0.3, name
    assert agreement(fitted[0], fitted[0]) == pytest.approx({"image": 1.0, "poi": 1.0})


def test_a_randomised_network_leaves_the_fitted_one_and_the_draws_of_others_alone(network):
    torch.manual_seed(5)
    expected, before = torch.rand(3), {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(5)
    first, second = randomised(network, 1), randomised(network, 1)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    pairs = list(zip(first.parameters(), second.parameters(), network.parameters(), strict=True))
    assert all(torch.equal(one, two) for one, two, _ in pairs) and any(not torch.equal(a, b) for a, _, b in pairs)


def test_a_cell_without_inputs_is_refused(network):
    whole = town()
    nothing = torch.zeros(len(whole.images), dtype=torch.bool)
    with pytest.raises(DataError, match="cell 1014 the network sees neither"):
        next(attributions(network, some(14, batch=replace(whole, image_present=nothing, poi_present=nothing))))


def test_without_captum_the_remedy_is_told(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(SettingsError, match=r"carbonray\[explain\]"):
        next(attributions(network, some(14)))

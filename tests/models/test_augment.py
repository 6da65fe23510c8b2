"""Augmentation: nothing at magnitude 0, repeatable from a seed, one motion for all bands, one light for an image."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from carbonray.models.augment import AugmentRules, augmented

STILL = AugmentRules(
    rotation_deg=0.0, translation=0.0, zoom=0.0, brightness=0.0, contrast=0.0, darkness=0.0, blur_px=0.0
)
MAGNITUDES = st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
LAWS = settings(max_examples=15, deadline=None)


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bag(seed: int = 0, bands: int = 3, side: int = 16) -> Tensor:
    return 0.5 + 0.25 * torch.randn(2, 3, bands, side, side, generator=drawn(seed))


def test_magnitude_zero_is_the_identity() -> None:
    patches = bag()
    assert torch.equal(augmented(patches, AugmentRules(magnitude=0.0), drawn(1)), patches)


def test_small_magnitudes_change_little() -> None:
    """The knob has no step at zero: flips aside, which grow rare, a thousandth of it moves values by thousandths."""
    patches = bag()
    moved = augmented(patches, AugmentRules(magnitude=1e-3), drawn(1))
    assert 0.0 < (moved - patches).abs().max() < 0.02


@LAWS
@given(MAGNITUDES, st.integers(0, 99), st.sampled_from([1, 4, 10]), st.sampled_from([8, 16, 48]))
def test_shape_is_kept_values_finite_and_seeds_repeat(magnitude: float, seed: int, bands: int, side: int) -> None:
    patches, rules = bag(seed, bands, side), AugmentRules(magnitude=magnitude)
    before = patches.clone()
    first, again, other = (augmented(patches, rules, drawn(s)) for s in (seed, seed, seed + 1))
    assert first.shape == patches.shape and bool(first.isfinite().all()) and torch.equal(patches, before)
    assert torch.equal(first, again) and not torch.equal(first, other)


@LAWS
@given(MAGNITUDES, st.integers(0, 99))
def test_bands_move_together(magnitude: float, seed: int) -> None:
    """Bands that were alike stay alike: the same turn, shift and light for each."""
    patches = bag(seed, bands=1).expand(-1, -1, 4, -1, -1)
    found = augmented(patches, AugmentRules(magnitude=magnitude), drawn(seed))
    torch.testing.assert_close(found, found[:, :, :1].expand_as(found))


@LAWS
@given(MAGNITUDES, st.integers(0, 99))
def test_global_random_numbers_play_no_part(magnitude: float, seed: int) -> None:
    torch.manual_seed(seed)
    state = torch.get_rng_state()
    augmented(bag(), AugmentRules(magnitude=magnitude), drawn(seed))
    assert torch.equal(torch.get_rng_state(), state)


@LAWS
@given(st.integers(0, 99))
def test_flips_alone_only_move_pixels(seed: int) -> None:
    patches = bag(seed)
    found = augmented(patches, STILL, drawn(seed))
    ways = [patches, patches.flip(-1), patches.flip(-2), patches.flip(-1, -2)]
    for n in range(2):
        for k in range(3):
            assert any(torch.allclose(found[n, k], way[n, k], atol=1e-4) for way in ways)


def test_flips_go_every_way() -> None:
    patches = bag()[:1, :1]
    ways = [patches, patches.flip(-1), patches.flip(-2), patches.flip(-1, -2)]
    found = [augmented(patches, STILL, drawn(seed)) for seed in range(40)]
    assert all(any(torch.allclose(f, way, atol=1e-4) for f in found) for way in ways)


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"brightness": 0.2}, lambda x, y: ((y - x).flatten(2).std(-1) < 1e-4).all() and (y - x).abs().max() > 0.01),
        ({"darkness": 0.5}, lambda x, y: ((y / x).flatten(2).std(-1) < 1e-3).all() and (y < x).all()),
        ({"contrast": 0.5}, lambda x, y: torch.allclose(y.mean((-2, -1)), x.mean((-2, -1)), atol=1e-4)
            and not torch.allclose(y.flatten(2).std(-1), x.flatten(2).std(-1), atol=1e-3)),
        ({"blur_px": 2.0}, lambda x, y: (y.flatten(2).std(-1) < x.flatten(2).std(-1)).all()),
    ],
    ids=["brightness", "darkness", "contrast", "blur"],
)  # fmt: skip
def test_light_does_what_its_name_says_alike_for_the_patches_of_an_image(change: dict[str, float], law) -> None:
    """Patches of constant sign and symmetric, so that flips leave them as they are."""
    quarter = torch.rand(2, 3, 2, 8, 8, generator=drawn(0)) + 0.5
    patches = torch.cat([quarter, quarter.flip(-1)], -1)
    patches = torch.cat([patches, patches.flip(-2)], -2)
    found = augmented(patches, AugmentRules(**{**vars(STILL), **change}), drawn(3))
    assert law(patches, found)
    one = patches[:, :1].expand(-1, 3, -1, -1, -1)
    same = augmented(one, AugmentRules(**{**vars(STILL), **change}), drawn(3))
    torch.testing.assert_close(same, same[:, :1].expand_as(same), rtol=1e-4, atol=1e-4)


def test_rotation_turns_by_no_more_than_asked() -> None:
    """A soft spot 3 px from the centre stays 3 px from it and within 30 degrees of where it was, mirrors aside."""
    side, centre = 17, 8
    rows, cols = torch.meshgrid(torch.arange(side) - centre, torch.arange(side) - centre, indexing="ij")
    patches = torch.exp(-((cols - 3) ** 2 + rows**2) / 2.0).expand(1, 30, 1, side, side)
    found = augmented(patches, AugmentRules(**{**vars(STILL), "rotation_deg": 30.0}), drawn(0))[0, :, 0]
    mass = found.sum((-2, -1))
    y, x = (found * rows).sum((-2, -1)) / mass, (found * cols).sum((-2, -1)) / mass
    angle = torch.rad2deg(torch.atan2(y.abs(), x.abs()))
    torch.testing.assert_close(torch.hypot(x, y), torch.full((30,), 3.0), atol=0.05, rtol=0)
    assert 20 < angle.max() < 30.5

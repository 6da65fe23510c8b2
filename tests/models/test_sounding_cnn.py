"""The sounding network: the laws of attention pooling (SCIENCE 4.12), its outputs, and what it refuses."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from carbonray.errors import ContractError
from carbonray.models.bags import BandScaling
from carbonray.models.sounding_cnn import (
    PREPROCESSING,
    AttentionPool,
    PatchTooSmallError,
    Sounding,
    SoundingCnn,
    SoundingCnnConfig,
    patch_fits,
)

SMALL = SoundingCnnConfig(task="capacity_factor", width=4, attention_width=6, patch_px=8, dropout=0.0)
NETWORKS = st.builds(
    replace,
    st.just(SMALL),
    trunk=st.sampled_from(["resnet50", "vgg16"]),
    heads=st.sampled_from([1, 8]),
    gated=st.booleans(),
)
LAWS = settings(max_examples=12, deadline=None)


def network(config: SoundingCnnConfig, seed: int = 0) -> SoundingCnn:
    torch.manual_seed(seed)
    return SoundingCnn(config).eval()


def bag(images: int, most: int, seed: int = 0, bands: int = 3, side: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(images, most, dtype=torch.bool)
    return 0.5 + 0.25 * torch.randn(images, most, bands, side, side, generator=generator), mask


def close(a: Sounding, b: Sounding) -> None:
    for name in ("on_logits", "capacity_factor"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=1e-4, atol=1e-5)


@LAWS
@given(NETWORKS, st.permutations(range(5)))
def test_order_of_patches_does_not_matter(config: SoundingCnnConfig, order: list[int]) -> None:
    model, (patches, mask) = network(config), bag(2, 5)
    plain, moved = model(patches, mask), model(patches[:, order], mask)
    close(plain, moved)
    torch.testing.assert_close(plain.attention[..., order], moved.attention, rtol=1e-4, atol=1e-5)


@LAWS
@given(NETWORKS, st.integers(2, 3))
def test_every_patch_twice_is_the_same_sounding(config: SoundingCnnConfig, times: int) -> None:
    model, (patches, mask) = network(config), bag(2, 3)
    plain, repeated = model(patches, mask), model(patches.repeat(1, times, 1, 1, 1), mask.repeat(1, times))
    close(plain, repeated)
    torch.testing.assert_close(repeated.attention[..., :3] * times, plain.attention, rtol=1e-4, atol=1e-5)


@LAWS
@given(NETWORKS, st.integers(0, 9))
def test_one_patch_has_all_attention(config: SoundingCnnConfig, seed: int) -> None:
    found = network(config)(*bag(3, 1, seed))
    assert torch.equal(found.attention, torch.ones(3, config.heads, 1))


@LAWS
@given(NETWORKS, st.integers(1, 4), st.booleans())
def test_padding_changes_nothing_not_even_in_training(config: SoundingCnnConfig, padding: int, training: bool) -> None:
    """BatchNorm too must not see it; what stands there may be anything, NaN included."""
    model, (patches, mask) = network(config).train(training), bag(2, 3)
    mask[1, 2] = False
    padded = torch.cat([patches, torch.full((2, padding, 3, 8, 8), torch.nan)], 1)
    padded[1, 2] = 1e9
    plain = model(patches, mask)
    found = model(padded, torch.cat([mask, torch.zeros(2, padding, dtype=torch.bool)], 1))
    close(plain, found)
    assert torch.equal(found.attention[..., 3:], torch.zeros(2, config.heads, padding))
    assert torch.equal(found.attention[1, :, 2], torch.zeros(config.heads))


@LAWS
@given(NETWORKS)
def test_attention_is_a_distribution_over_structures(config: SoundingCnnConfig) -> None:
    patches, mask = bag(4, 5)
    mask[0, 1:] = mask[1, ::2] = False
    attention = network(config)(patches, mask).attention
    torch.testing.assert_close(attention.sum(-1), torch.ones(4, config.heads))
    assert attention.min() >= 0.0


def test_padding_is_never_computed() -> None:
    seen: list[int] = []

    class Counting(nn.Module):
        def __init__(self, trunk: nn.Module) -> None:
            super().__init__()
            self.trunk, self.channels = trunk, trunk.channels

        def forward(self, x: Tensor) -> Tensor:
            seen.append(len(x))
            out: Tensor = self.trunk(x)
            return out

    model, (patches, mask) = network(SMALL), bag(3, 7)
    model.trunk = Counting(model.trunk)  # type: ignore[assignment]
    mask[:, 2:] = False
    model(patches, mask)
    assert seen == [6]


def test_attention_by_hand() -> None:
    """Two patches, one head of width 1: weights softmax of w tanh(V h)."""
    pool = AttentionPool(2, 1, 1, gated=False)
    with torch.no_grad():
        pool.v.weight.copy_(torch.tensor([[1.0, 0.0]]))
        pool.w.copy_(torch.tensor([[2.0]]))
    z, attention = pool(torch.tensor([[[0.5, 1.0], [-0.5, 3.0]]]), torch.ones(1, 2, dtype=torch.bool))
    expected = torch.softmax(2.0 * torch.tanh(torch.tensor([0.5, -0.5])), 0)
    torch.testing.assert_close(attention, expected.view(1, 1, 2))
    torch.testing.assert_close(
        z, torch.stack([0.5 * (expected[0] - expected[1]), expected[0] + 3.0 * expected[1]])[None]
    )


def test_gate_by_hand() -> None:
    pool = AttentionPool(1, 1, 1, gated=True)
    assert pool.u is not None
    with torch.no_grad():
        pool.v.weight.fill_(1.0)
        pool.u.weight.fill_(3.0)
        pool.w.fill_(2.0)
    h = torch.tensor([0.4, -0.8])
    _, attention = pool(h.view(1, 2, 1), torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(attention[0, 0], torch.softmax(2.0 * torch.tanh(h) * torch.sigmoid(3.0 * h), 0))


def test_heads_have_weights_of_their_own_and_are_concatenated() -> None:
    pool, features = AttentionPool(3, 5, 8, gated=True), torch.randn(2, 4, 3)
    z, attention = pool(features, torch.ones(2, 4, dtype=torch.bool))
    assert z.shape == (2, 24) and attention.shape == (2, 8, 4)
    assert not torch.allclose(attention[:, 0], attention[:, 1])
    torch.testing.assert_close(z.view(2, 8, 3), attention @ features)


def test_answers_of_the_two_tasks() -> None:
    load, on = network(SMALL)(*bag(3, 2)), network(replace(SMALL, task="on"))(*bag(3, 2))
    assert bool(((load.capacity_factor > 0) & (load.capacity_factor < 1)).all()) and load.on_logits.shape == (3, 2)
    assert bool(on.capacity_factor.isnan().all())
    score = on.on_score()
    torch.testing.assert_close(score, torch.sigmoid(on.on_logits[:, 1] - on.on_logits[:, 0]))


def test_embedding_and_pooling_apart_are_the_whole() -> None:
    """Stages embed patches once and pool them later."""
    model, (patches, mask) = network(SMALL), bag(2, 3)
    features = model.embedded(patches.flatten(0, 1)).view(2, 3, -1)
    close(model(patches, mask), model.pooled(features, mask))


def test_preprocessing_undoes_the_standardisation() -> None:
    """A band of mean 0.5 and sd 0.25 is what BigEarthNet's authors feed as z-scores."""
    gain, offset = PREPROCESSING["z_score"][""]
    assert (gain * 0.5 + offset, gain * 0.75 + offset) == (0.0, 1.0)
    model = network(replace(SMALL, preprocessing="torchvision"))
    x = torch.full((1, 3, 1, 1), 0.5)
    expected = (0.5 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close((x * model.gain + model.offset).flatten(), expected)
    assert not {"gain", "offset"} & set(model.state_dict())


@pytest.mark.parametrize(("patch_px", "truncation"), [(8, "block3_pool"), (8, "block4_pool"), (16, "block4_pool")])
def test_patch_below_twice_the_stride_is_refused_by_name(patch_px: int, truncation: str) -> None:
    assert not patch_fits(patch_px, truncation)
    with pytest.raises(PatchTooSmallError, match=f"patch of {patch_px} pixels"):
        SoundingCnnConfig(patch_px=patch_px, truncation=truncation)


def test_search_keeps_twelve_of_fifteen_patches_and_truncations() -> None:
    pairs = [(p, t) for p in (8, 16, 32, 48, 64) for t in ("block2_pool", "block3_pool", "block4_pool")]
    assert sum(patch_fits(*pair) for pair in pairs) == 12


@pytest.mark.parametrize(
    "change",
    [{"task": "cf"}, {"heads": 3}, {"preprocessing": "raw"}, {"bands": (), "stands_for": ()}, {"stands_for": ("red",)},
     {"truncation": "block5_pool"}, {"trunk": "vgg19"}],
    ids=str,
)  # fmt: skip
def test_unknown_choices_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        SoundingCnn(replace(SMALL, **change))  # type: ignore[arg-type]


def test_bags_that_are_not_the_networks_are_refused() -> None:
    model, (patches, mask) = network(SMALL), bag(2, 3)
    empty = mask.clone()
    empty[1] = False
    for wrong in ((patches[:, :, :2], mask), (patches[..., :4], mask), (patches, mask.float()), (patches, empty)):
        with pytest.raises(ContractError, match="a bag of shape"):
            model(*wrong)


def test_defaults_leave_the_gate_open_question_closed() -> None:
    """The paper does not say whether attention is gated: the default is not (SCIENCE 4.5)."""
    assert SoundingCnnConfig().gated is False and SoundingCnnConfig().init == "random"


def test_bands_are_standardised_to_mean_a_half_and_sd_a_quarter() -> None:
    x = (
        torch.randn(64, 2, 2, 8, 8) * torch.tensor([3.0, 20.0])[:, None, None]
        + torch.tensor([1.0, 280.0])[:, None, None]
    )
    scaled = BandScaling((1.0, 280.0), (3.0, 20.0)).standardised(x)
    torch.testing.assert_close(scaled.mean((0, 1, 3, 4)), torch.full((2,), 0.5), atol=0.02, rtol=0)
    torch.testing.assert_close(scaled.std((0, 1, 3, 4)), torch.full((2,), 0.25), atol=0.02, rtol=0)
    x[0, 0, 0, 0, 0] = torch.nan
    assert BandScaling((1.0, 280.0), (3.0, 20.0)).standardised(x)[0, 0, 0, 0, 0] == 0.5


def test_statistics_that_do_not_fit_are_refused() -> None:
    for mean, sd in (((1.0,), (0.0,)), ((1.0, 2.0), (1.0,))):
        with pytest.raises(ContractError, match="spreads"):
            BandScaling(mean, sd)
    with pytest.raises(ContractError, match="3 bands"):
        BandScaling().standardised(torch.zeros(1, 1, 3, 2, 2))

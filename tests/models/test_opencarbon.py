"""OpenCarbon: the published number of parameters, and the laws of what may and what must not change an answer."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.models.cell_batches import CellBatch, gathered
from carbonray.models.opencarbon import CellAnswer, OpenCarbon, OpenCarbonConfig, parameter_count
from tests.models.cell_shards import CATEGORIES, PX, config, town

PADS = ("mask", "learned_mask", "authors")
MASKS = ("mask", "learned_mask")


def network(*, seed: int = 0, **changes: object) -> OpenCarbon:
    torch.manual_seed(seed)
    built = OpenCarbon(config(**changes))
    if built.mask_tokens is not None:
        torch.nn.init.normal_(built.mask_tokens)  # as after some training
    return built.eval()


def without(batch: CellBatch, **absent: list[int]) -> CellBatch:
    known = {}
    for name, tiles in absent.items():
        known[f"{name}_present"] = getattr(batch, f"{name}_present").clone()
        known[f"{name}_present"][tiles] = False
    return replace(batch, **known)


def same(a: CellAnswer, b: CellAnswer, *, atol: float = 0.0) -> bool:
    return all(torch.allclose(x, y, rtol=0.0, atol=atol, equal_nan=True) for x, y in zip(a, b, strict=True))


def test_parameters_are_as_published() -> None:
    """SCIENCE 1.3, part by part, the three convolutions of points of interest without a bias."""
    built = OpenCarbon(OpenCarbonConfig(poi_categories=15))
    parts = {name: parameter_count(part) for name, part in built.named_children()}
    attentions = parts["grid_attention"] + parts["neighbor_attention"] + parts["cross_attention"]
    assert parameter_count(built) == 11_468_734
    assert (parts["poi_encoder"], parts["image_encoder"], parts["neighbor_cnns"]) == (78_448, 11_192_928, 192_960)
    assert (parts["grid_fusion"] + parts["neighbor_fusion"], attentions, parts["regressor"]) == (2_176, 45, 2_177)
    assert built.poi_encoder.fc.in_features == 100


@pytest.mark.parametrize(("pad", "more"), [("mask", 0), ("authors", 0), ("learned_mask", 64)])
def test_only_learned_masks_have_parameters(pad: str, more: int) -> None:
    counts = [parameter_count(OpenCarbon(OpenCarbonConfig(width=1, pad=each))) for each in (pad, "mask")]
    assert counts[0] - counts[1] == more


def test_beijings_form_has_196_numbers_left() -> None:
    assert OpenCarbon(OpenCarbonConfig(width=1, poi_form="beijing")).poi_encoder.fc.in_features == 196


@pytest.mark.parametrize("pad", PADS)
def test_an_answer_is_the_regression_of_what_the_encoders_say(pad: str) -> None:
    built, batch = network(pad=pad), town()
    image, poi = built.encode_image(batch.images), built.encode_poi(batch.raster(CATEGORIES, PX))
    windows = [gathered(part, batch.neighbors) for part in (image, poi)]
    answer = built(batch)
    assert same(answer, built.regress(*windows, batch.present()))
    assert answer.ln_e.shape == (30,) and torch.equal(answer.image, image) and torch.equal(answer.poi, poi)
    assert torch.allclose(answer.grid_attention.sum(1), torch.ones(30)) and (answer.grid_attention > 0.0).all()
    assert torch.allclose(answer.neighbor_attention.sum(1), torch.ones(30))


def test_a_tile_encoded_anew_for_every_window_says_the_same_bits_as_one_kept() -> None:
    """Chunks of one size: whatever else is in the chunk, wherever the tile lies in it."""
    built, batch = network(), town()
    counts, chunk = batch.raster(CATEGORIES, PX), 10
    with torch.inference_mode():
        kept = [
            torch.cat([encode(part[k : k + chunk]) for k in range(0, 30, chunk)])
            for encode, part in ((built.encode_image, batch.images), (built.encode_poi, counts))
        ]
        order = torch.randint(0, 30, (40,), generator=torch.Generator().manual_seed(1))
        for part, encode, whole in zip(
            (batch.images, counts), (built.encode_image, built.encode_poi), kept, strict=True
        ):
            again = torch.cat([encode(part[order[k : k + chunk]]) for k in range(0, 40, chunk)])
            assert torch.equal(again, whole[order])


@pytest.mark.parametrize("pad", PADS)
def test_tiles_beyond_the_window_and_the_order_of_cells_change_nothing(pad: str) -> None:
    built, batch = network(pad=pad), town()
    before = built(batch)
    far = batch.images.clone()
    far[4:6] = 255 - far[4:6]  # three columns from cell 8 on: cells 0 to 2 and 6 to 8 do not see them
    after = built(replace(batch, images=far))
    unmoved = [0, 1, 2, 6, 7, 8, 12, 13, 14]
    assert torch.allclose(after.ln_e[unmoved], before.ln_e[unmoved], atol=1e-6)
    assert not torch.isclose(after.ln_e[9:12], before.ln_e[9:12], atol=1e-6).any()
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    shuffled = CellAnswer(*(part[order] for part in before))
    assert same(built(batch.rows(order)), shuffled, atol=1e-5)


@pytest.mark.parametrize("pad", MASKS)
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 1e3, float("nan"), float("inf")]))
def test_what_is_absent_has_no_influence_at_all(pad: str, seed: int, anything: float) -> None:
    """Neither does it change an answer by a bit, whatever stands there, nor does a gradient reach it."""
    draw = torch.Generator().manual_seed(seed)
    built, present = network(pad=pad), torch.rand(6, 3, 3, 2, generator=draw) < 0.5
    present[:, 1, 1, 0] |= ~present[:, 1, 1, 1]
    cubes = [torch.randn(6, 3, 3, 8, generator=draw) for _ in range(2)]
    others = [torch.where(present[..., k, None], cube, anything).requires_grad_() for k, cube in enumerate(cubes)]
    answer = built.regress(*others, present)
    assert same(answer, built.regress(*cubes, present)) and answer.ln_e.isfinite().all()
    answer.ln_e.sum().backward()
    for k, cube in enumerate(others):
        reached = cube.grad.abs().sum(-1) > 0.0
        assert not reached[~present[..., k]].any()
        assert reached[present[..., k]].float().mean() > 0.9  # and nothing else is left out


def test_masks_differ_from_any_tile_and_from_each_other() -> None:
    """No embedding says what absence says: neither that of an empty cell nor a vector of zeros."""
    batch, edge = town(), [0]
    for pad in MASKS:
        built, absent = network(pad=pad), without(batch, image=[1, 6, 7], poi=[1, 6, 7])
        answer = built(absent).ln_e[edge]
        zeros = [torch.zeros(1, 3, 3, 8) for _ in range(2)]
        image, poi = built.encoded(batch)
        zeros[0][0, 1, 1], zeros[1][0, 1, 1] = image[0], poi[0]
        everywhere = built.regress(*zeros, torch.ones(1, 3, 3, 2, dtype=torch.bool)).ln_e
        assert not torch.isclose(answer, everywhere, rtol=0, atol=1e-6).any()
        assert not torch.isclose(answer, built(batch).ln_e[edge], rtol=0, atol=1e-6).any()


def test_authors_padding_shows_tile_0_and_masks_do_not() -> None:
    batch = town()
    changed = batch.images.clone()
    changed[0] = 255 - changed[0]
    for pad in PADS:
        built = network(pad=pad)
        far = torch.isclose(built(replace(batch, images=changed)).ln_e, built(batch).ln_e, atol=1e-6)[-1]
        assert bool(far) == (pad != "authors")
    whole = network(pad="authors")
    assert same(whole(batch), whole(batch.padded_as_authors()))


@pytest.mark.parametrize("fusion", ["attention", "concat"])
@pytest.mark.parametrize("pad", MASKS)
def test_cells_answer_without_their_image_and_not_without_anything(pad: str, fusion: str) -> None:
    built, batch = network(pad=pad, fusion=fusion), town()
    answer = built(without(batch, image=[0, 2], poi=[1, 2]))
    assert answer.ln_e.isnan().nonzero().tolist() == [[2]]
    if fusion == "attention":
        assert answer.grid_attention[:2].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert (answer.image[0] == 0.0).all() and (answer.poi[0] != 0.0).any()
    no_image = built(without(batch, image=list(range(30))))
    assert no_image.ln_e.isfinite().all()
    if fusion == "attention":
        assert (no_image.neighbor_attention == torch.tensor([0.0, 1.0])).all()


def test_absent_tiles_do_not_move_the_statistics_of_the_encoders() -> None:
    batch, built = town(), network()
    few = without(batch, image=[3, 9], poi=[4])
    built.train()(few)
    moved = {name: value.clone() for name, value in built.named_buffers()}
    white = few.images.clone()
    white[[3, 9]] = 255
    other = network().train()
    other(replace(few, images=white))
    assert all(torch.equal(value, moved[name]) for name, value in other.named_buffers())


@pytest.mark.parametrize("name", ["image", "poi"])
@pytest.mark.parametrize("neighborhood", [True, False])
def test_one_modality_reads_nothing_of_the_other(name: str, neighborhood: bool) -> None:
    built, batch = network(modalities=(name,), neighborhood=neighborhood), town()
    answer = built(batch)
    blind = without(replace(batch, images=255 - batch.images), image=list(range(30)))
    blind = blind if name == "poi" else without(replace(batch, point_y=batch.point_x), poi=list(range(30)))
    assert torch.equal(built(blind).ln_e, answer.ln_e) and not hasattr(
        built, "poi_encoder" if name == "image" else "image_encoder"
    )
    assert (answer.grid_attention == torch.tensor([1.0, 0.0] if name == "image" else [0.0, 1.0])).all()
    assert bool(answer.neighbor_attention.isnan().all()) != neighborhood


def test_without_neighborhood_only_the_cell_is_read_and_encoded() -> None:
    built, batch = network(neighborhood=False), town()
    seen = []
    built.image_encoder.register_forward_hook(lambda _m, inputs, _o: seen.append(len(inputs[0])))
    some = batch.rows(torch.tensor([7, 22]))
    assert torch.allclose(built(some).ln_e, built(batch).ln_e[[7, 22]], atol=1e-6) and seen == [2, 30]


def test_every_tile_of_a_batch_is_encoded_once() -> None:
    built, seen = network(), []
    built.image_encoder.register_forward_hook(lambda _m, inputs, _o: seen.append(len(inputs[0])))
    built(town())
    assert seen == [30]  # and not 30 x 9


def test_rings_are_as_many_as_configured() -> None:
    built, batch = network(neighbor_size=2), town(size=2)
    assert built(batch).ln_e.shape == (30,) and network()(batch).ln_e.shape == (30,)
    with pytest.raises(ContractError, match="windows of 3 x 3"):
        built(town())


def test_images_are_read_as_configured() -> None:
    """The authors': blue first, 0 to 255 as they are."""
    images, fed = torch.randint(0, 256, (2, 3, PX, PX), dtype=torch.uint8), []
    for norm in ("authors", "unit", "imagenet"):
        built = network(image_norm=norm)
        built.image_encoder.register_forward_pre_hook(lambda _m, inputs: fed.append(inputs[0]))
        assert torch.equal(built.encode_image(images), built.encode_image(images.float()))
    assert torch.equal(fed[0], images.flip(1).float()) and torch.allclose(fed[2], images / 255.0)
    assert torch.allclose(fed[4][:, 2], (images[:, 2] / 255.0 - 0.406) / 0.225, atol=1e-5)


def test_answers_are_moved_and_stretched_as_configured() -> None:
    plain, moved = network(), network(ln_center=9.0, ln_spread=2.0)
    assert torch.allclose(moved(town()).ln_e, 9.0 + 2.0 * plain(town()).ln_e)


def test_gates_are_told() -> None:
    counts = town().raster(CATEGORIES, PX)
    assert [tuple(gate.shape) for gate in network().poi_encoder.channel_gates(counts)] == [(30, 32), (30, 32)]
    assert network(se=False).poi_encoder.channel_gates(counts) == []
    assert network().category_weights(counts).shape == (30, CATEGORIES)


def test_configuration_survives_json_and_wrong_ones_are_refused() -> None:
    told = config(modalities=("poi",))
    assert OpenCarbonConfig(**json.loads(json.dumps(asdict(told)))) == told
    for wrong in ({"pad": "zeros"}, {"modalities": ()}, {"modalities": ("poi", "image")}, {"poi_form": "paris"}):
        with pytest.raises(ContractError, match="no such network"):
            config(**wrong)
    with pytest.raises(ContractError, match="27 pixels"):
        network(image_px=30)(town())

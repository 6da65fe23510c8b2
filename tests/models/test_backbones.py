"""Trunks: published sizes and names, strides, and public weights that compute here what they computed there."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from carbonray.errors import ContractError
from carbonray.models.backbones import STRIDES, ResNet50, Vgg16, adapted_stem, load_backbone, trunk_of
from tests.models.public_checkpoints import keras_resnet, shaken, vgg_checkpoint

RGB = ("red", "green", "blue")
TRUNCATIONS = tuple(STRIDES)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_resnet50_has_the_published_sizes() -> None:
    """torchvision's ResNet-50: 9 408 + 128 in the stem, 215 808, 1 219 584 and 7 098 368 in conv2_x to conv4_x."""
    sizes = [count(ResNet50(3, t)) for t in TRUNCATIONS]
    assert sizes == [225_344, 225_344 + 1_219_584, 225_344 + 1_219_584 + 7_098_368]


def test_vgg16_has_the_published_sizes() -> None:
    """VGG-16: 38 720, 221 440, 1 475 328 and 5 899 776 in its first four blocks."""
    sizes = [count(Vgg16(3, t)) for t in TRUNCATIONS]
    assert sizes == [260_160, 260_160 + 1_475_328, 260_160 + 1_475_328 + 5_899_776]


@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize(("name", "channels"), [("resnet50", (256, 512, 1024)), ("vgg16", (128, 256, 512))])
def test_strides_and_channels_are_those_of_the_paper(name: str, channels: tuple[int, ...], truncation: str) -> None:
    trunk = trunk_of(name, 10, truncation, width=8)
    expected = channels[TRUNCATIONS.index(truncation)] // 8
    out = trunk(torch.randn(2, 10, 32, 32))
    assert trunk.channels == expected and out.shape == (2, expected, 32 // trunk.stride, 32 // trunk.stride)
    assert trunk_of(name, 10, truncation).channels == 8 * expected


def test_names_are_torchvisions() -> None:
    """As listed by torchvision.models.resnet50().state_dict() and vgg16().features."""
    names = ResNet50(3, "block3_pool").state_dict()
    assert {n.split(".")[0] for n in names} == {"conv1", "bn1", "layer1", "layer2"}
    assert names["layer1.0.downsample.0.weight"].shape == (256, 64, 1, 1)
    assert names["layer2.3.bn3.running_var"].shape == (512,) and "layer2.3.downsample.0.weight" not in names
    assert names["layer2.0.conv2.weight"].shape == (128, 128, 3, 3) and "layer1.0.conv1.bias" not in names
    vgg = Vgg16(3, "block4_pool").state_dict()
    convs = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)
    assert list(vgg) == [f"features.{n}.{part}" for n in convs for part in ("weight", "bias")]
    assert vgg["features.17.weight"].shape == (512, 256, 3, 3)


@pytest.mark.parametrize("prefix", ["", "backbone.", "module.encoder."])
def test_torchvision_weights_load_as_they_are_whatever_their_prefix(prefix: str) -> None:
    source = shaken(ResNet50(3, "block4_pool", width=4))
    tensors = {f"{prefix}{n}": v for n, v in source.state_dict().items() if not n.endswith("num_batches_tracked")}
    trunk = ResNet50(3, "block2_pool", width=4).eval()
    assert load_backbone(trunk, tensors, source_bands=RGB, stands_for=RGB, where="x") == "torchvision"
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in trunk.state_dict().items()
               if value.is_floating_point())  # fmt: skip


def test_keras_resnet_computes_what_it_computed_there() -> None:
    source, tensors = keras_resnet()
    trunk = ResNet50(3, "block3_pool", width=4, stride_on="conv1").eval()
    assert load_backbone(trunk, tensors, source_bands=RGB, stands_for=RGB, where="x") == "keras"
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(trunk(x), source(x), rtol=1e-4, atol=1e-4)


def test_keras_resnet_needs_the_stride_where_keras_has_it() -> None:
    """The same weights under the other stride give another answer without a word, so they are refused."""
    _, tensors = keras_resnet()
    with pytest.raises(ContractError, match="strides in the first convolution"):
        load_backbone(ResNet50(3, "block3_pool", width=4), tensors, source_bands=RGB, stands_for=RGB, where="x")
    load_backbone(ResNet50(3, "block2_pool", width=4), tensors, source_bands=RGB, stands_for=RGB, where="x")


@pytest.mark.parametrize("naming", ["keras", "slim"])
def test_vgg_of_keras_and_slim_computes_what_it_computed_there(naming: str) -> None:
    source, tensors = vgg_checkpoint(naming)
    trunk = Vgg16(3, "block4_pool", width=4)
    assert load_backbone(trunk, tensors, source_bands=RGB, stands_for=RGB, where="x") == naming
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(trunk(x), source(x))


def test_bands_find_their_filters_whatever_the_order() -> None:
    """Weights of red, green, blue on an input of blue, green, red: the same answer to the same picture."""
    source, tensors = vgg_checkpoint("keras")
    trunk = Vgg16(3, "block2_pool", width=4)
    load_backbone(trunk, tensors, source_bands=RGB, stands_for=RGB[::-1], where="x")
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(trunk(x.flip(1)), source.features[:10](x))


@settings(max_examples=30)
@given(st.permutations(range(5)), st.integers(1, 9))
def test_stem_keeps_its_answer_to_bands_that_are_alike(order: list[int], wanted: int) -> None:
    weight = torch.rand(4, 5, 3, 3, generator=torch.Generator().manual_seed(wanted))
    names = [f"b{n}" for n in range(5)]
    permuted = adapted_stem(weight, names, [names[n] for n in order], where="x")
    assert torch.equal(permuted, weight[:, order])
    target = (["b0", "b1", "b2", "b3", "b4"] + ["other"] * 9)[: max(wanted, 5)]
    torch.testing.assert_close(adapted_stem(weight, names, target, where="x").sum(1), weight.sum(1))


def test_stem_that_fits_no_band_is_refused() -> None:
    with pytest.raises(ContractError, match="first convolution"):
        adapted_stem(torch.rand(4, 3, 3, 3), RGB, ("nir",), where="x")
    with pytest.raises(ContractError, match="first convolution"):
        adapted_stem(torch.rand(4, 4, 3, 3), RGB, RGB, where="x")


def broken(change: str) -> dict[str, torch.Tensor]:
    tensors = {n: v.clone() for n, v in shaken(ResNet50(3, "block2_pool", width=4)).state_dict().items()}
    if change == "missing":
        del tensors["layer1.2.bn1.running_mean"]
    elif change == "shape":
        tensors["layer1.0.conv2.weight"] = torch.zeros(4, 4, 1, 1)
    elif change == "nan":
        tensors["bn1.bias"][0] = torch.nan
    elif change == "twice":
        tensors = {f"{prefix}.{n}": v for n, v in tensors.items() for prefix in ("student", "teacher")}
    return tensors


@pytest.mark.parametrize(
    ("change", "said"),
    [("missing", "missing .'layer1.2.bn1.running_mean"), ("shape", "another shape .'layer1.0.conv2.weight"),
     ("nan", "not finite .'bn1.bias"), ("twice", "there 2 times")],
)  # fmt: skip
def test_weights_that_are_not_the_trunks_are_refused(change: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        load_backbone(ResNet50(3, "block2_pool", width=4), broken(change), source_bands=RGB, stands_for=RGB, where="x")


def test_another_architecture_is_refused() -> None:
    tensors = {"post_bn/gamma": np.ones(4, np.float32), "conv2_block1_preact_bn/gamma": np.ones(4, np.float32)}
    with pytest.raises(ContractError, match="no layer of resnet50"):
        load_backbone(ResNet50(3, "block2_pool", width=4), tensors, source_bands=RGB, stands_for=RGB, where="x")


def test_two_kernels_for_one_layer_are_refused() -> None:
    _, tensors = vgg_checkpoint("keras")
    tensors["moving_mean/block1_conv1/kernel:0"] = tensors["block1_conv1/kernel:0"]
    with pytest.raises(ContractError, match=r"two tensors of the file are features.0.weight"):
        load_backbone(Vgg16(3, "block2_pool", width=4), tensors, source_bands=RGB, stands_for=RGB, where="x")


def test_unknown_trunk_is_refused() -> None:
    for name, truncation, stride in (("vgg19", "block2_pool", "conv2"), ("vgg16", "block5_pool", "conv2"),
                                     ("resnet50", "block2_pool", "both")):  # fmt: skip
        with pytest.raises(ContractError, match="no trunk"):
            trunk_of(name, 3, truncation, stride_on=stride)

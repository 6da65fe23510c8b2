"""Small checkpoints in the namings of public ones, made from trunks whose answers are known."""

import re

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from carbonray.models.backbone_names import KERAS_EPSILON, VGG_LAYERS
from carbonray.models.backbones import ResNet50, Vgg16

Arrays = dict[str, NDArray[np.float32]]
_PARTS = {
    "weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance",
}  # fmt: skip


def shaken(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with every number drawn, BatchNorm's statistics too, so that no tensor passes for another."""
    generator = torch.Generator().manual_seed(seed)
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) - 0.3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.add_(0.5)
    return network.eval()


def keras_resnet(seed: int = 0, truncation: str = "block3_pool") -> tuple[ResNet50, Arrays]:
    """A trunk as Keras computes it, with biases and its epsilon, and its weights under Keras' names."""
    trunk = ResNet50(3, truncation, width=4, stride_on="conv1")
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            module.bias = nn.Parameter(torch.zeros(module.out_channels))
        if isinstance(module, nn.BatchNorm2d):
            module.eps = KERAS_EPSILON
    shaken(trunk, seed)
    out: Arrays = {"predictions/kernel": np.zeros((8, 10), np.float32)}
    for name, value in trunk.state_dict().items():
        layer, _, part = name.rpartition(".")
        if part == "num_batches_tracked":
            continue
        out[f"{keras_layer(layer)}/{keras_part(layer, part)}"] = kernel(value)
    return trunk, out


def keras_layer(layer: str) -> str:
    """`layer2.0.downsample.1` -> `conv3_block1_0_bn`, the naming of keras.applications."""
    if layer in ("conv1", "bn1"):
        return {"conv1": "conv1_conv", "bn1": "conv1_bn"}[layer]
    stage, block, place = re.match(r"layer(\d)\.(\d)\.(.+)", layer).groups()  # type: ignore[union-attr]
    found = {"downsample.0": "0_conv", "downsample.1": "0_bn"}.get(place) or f"{place[-1]}_{place[:-1]}"
    return f"conv{int(stage) + 1}_block{int(block) + 1}_{found}"


def keras_part(layer: str, part: str) -> str:
    """`kernel` and `bias` of a convolution, the four of a BatchNorm."""
    if "bn" in layer or layer.endswith("downsample.1"):
        return _PARTS[part]
    return {"weight": "kernel", "bias": "bias"}[part]


def kernel(value: torch.Tensor) -> NDArray[np.float32]:
    """(out, in, y, x) as (y, x, in, out)."""
    return np.ascontiguousarray(value.permute(2, 3, 1, 0).numpy() if value.ndim == 4 else value.numpy())


def vgg_checkpoint(naming: str, bands: int = 3, seed: int = 0) -> tuple[Vgg16, Arrays]:
    """A trunk and its weights under Keras' or TF-Slim's names, with a classifier and an optimiser's step beside."""
    trunk = shaken(Vgg16(bands, "block4_pool", width=4), seed)
    assert isinstance(trunk, Vgg16)
    places = {number: place for place, number in VGG_LAYERS.items()}
    out: Arrays = {}
    for name, value in trunk.state_dict().items():
        _, number, part = name.split(".")
        block, conv = places[int(number)]
        if naming == "keras":
            out[f"block{block}_conv{conv}/{'kernel' if part == 'weight' else 'bias'}:0"] = kernel(value)
        else:
            slim = {"weight": "weights", "bias": "biases"}[part]
            out[f"vgg_16/conv{block}/conv{block}_{conv}/{slim}"] = kernel(value)
    extra = {"keras": "fc1/kernel:0", "slim": "vgg_16/fc6/weights"}[naming]
    return trunk, out | {extra: np.zeros((2, 2), np.float32)}

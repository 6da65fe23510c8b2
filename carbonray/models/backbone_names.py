"""Public checkpoints' names for the layers of ResNet-50 and VGG-16, and what they are called in torchvision.

Three namings are read: torchvision's own (timm's and most PyTorch checkpoints of RESISC45 and BigEarthNet use it,
often behind a prefix such as `backbone.`), `keras.applications`', and TF-Slim's VGG-16, in which BigEarthNet's authors
publish theirs. Kernels of Keras and Slim are (y, x, in, out) and become (out, in, y, x). Keras' ResNet-50 has biases
before its BatchNorms and another epsilon: both are folded into the BatchNorm's running statistics, exactly.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carbonray.errors import ContractError

KERAS_EPSILON, TORCH_EPSILON = 1.001e-5, 1e-5
VGG_LAYERS = {
    (1, 1): 0, (1, 2): 2, (2, 1): 5, (2, 2): 7, (3, 1): 10, (3, 2): 12, (3, 3): 14,
    (4, 1): 17, (4, 2): 19, (4, 3): 21, (5, 1): 24, (5, 2): 26, (5, 3): 28,
}  # fmt: skip
_PARTS = {
    "kernel": "weight", "weights": "weight", "bias": "bias", "biases": "bias",
    "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var",
}  # fmt: skip
_KERAS_RESNET = re.compile(
    r"^conv(?:1_(?P<stem>conv|bn)|(?P<stage>[2-5])_block(?P<block>\d)_(?P<place>[0-3])_(?P<kind>conv|bn))$"
)
_KERAS_VGG = re.compile(r"^block(\d)_conv(\d)$")
_SLIM_VGG = re.compile(r"^conv\d/conv(\d)_(\d)$")
_STEMS = {"resnet50": "conv1.weight", "vgg16": "features.0.weight"}


def torchvision_tensors(tensors: Mapping[str, Any], trunk: str, *, where: str) -> tuple[str, dict[str, Tensor]]:
    """The tensors under torchvision's names, float32; layers that are no part of a trunk (the classifier) stay out.

    Args:
        tensors: name -> array or tensor as the file has them.
        trunk: 'resnet50' or 'vgg16'.
        where: URL of the file, for errors.

    Returns:
        The naming found, 'torchvision', 'keras' or 'slim', and the tensors.

    Raises:
        ContractError: none of the namings fits, or it fits twice.
    """
    own = _torchvision(tensors, trunk, where)
    if own:
        return "torchvision", own
    naming, renamed = "keras", _renamed(tensors, _keras_resnet if trunk == "resnet50" else _keras_vgg, where)
    if not renamed and trunk == "vgg16":
        naming, renamed = "slim", _renamed(tensors, _slim_vgg, where)
    if not renamed:
        raise ContractError(
            f"no layer of {trunk} found among {sorted(tensors)[:4]} ...",
            where=where,
            expected="names of torchvision, of keras.applications or (VGG-16) of TF-Slim",
            remedy="Rename the tensors to torchvision's; other architectures, such as ResNet-50 v2, do not fit.",
        )
    return naming, _folded(renamed) if trunk == "resnet50" else renamed


def _torchvision(tensors: Mapping[str, Any], trunk: str, where: str) -> dict[str, Tensor]:
    stem = _STEMS[trunk]
    ends = [name for name in tensors if name == stem or name.endswith(f".{stem}")]
    # a bottleneck's own conv1.weight ends alike: the stem's prefix is the one the first layer's share
    prefixes = {name.removesuffix(stem) for name in ends}
    if trunk == "resnet50":
        prefixes = {prefix for prefix in prefixes if f"{prefix}layer1.0.conv1.weight" in tensors}
    if len(prefixes) > 1:
        raise ContractError(
            f"{trunk} is there {len(prefixes)} times, under {sorted(prefixes)}",
            where=where,
            expected="one network in the file",
            remedy="Keep the tensors of one, for example of the encoder that was trained and not of its moving mean.",
        )
    if not prefixes:
        return {}
    prefix = prefixes.pop()
    pattern = r"(conv1|bn1|layer\d)\." if trunk == "resnet50" else r"features\.\d+\."
    plain = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return {name: _tensor(value) for name, value in plain.items() if re.match(pattern, name)}


def _renamed(tensors: Mapping[str, Any], layer_of: Callable[[str], str | None], where: str) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    for name, value in tensors.items():
        layer, _, part = name.removesuffix(":0").rpartition("/")
        place = layer_of(layer)
        if place is None or part not in _PARTS:
            continue
        target = f"{place}.{_PARTS[part]}"
        if target in out:
            raise ContractError(
                f"two tensors of the file are {target}, one of them {name}",
                where=where,
                expected="one network in the file",
                remedy="Leave out optimiser slots and copies.",
            )
        tensor = _tensor(value)
        out[target] = tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor
    return out


def _keras_resnet(layer: str) -> str | None:
    """`conv3_block1_0_conv` is layer2.0.downsample.0: stages count from 2, blocks from 1, place 0 is the shortcut."""
    found = _KERAS_RESNET.match(layer.rpartition("/")[2])
    if found is None:
        return None
    if found["stem"]:
        return {"conv": "conv1", "bn": "bn1"}[found["stem"]]
    block = f"layer{int(found['stage']) - 1}.{int(found['block']) - 1}"
    if found["place"] == "0":
        return f"{block}.downsample.{('conv', 'bn').index(found['kind'])}"
    return f"{block}.{found['kind']}{found['place']}"


def _keras_vgg(layer: str) -> str | None:
    return _vgg(_KERAS_VGG.match(layer.rpartition("/")[2]))


def _slim_vgg(layer: str) -> str | None:
    """`vgg_16/conv3/conv3_2` is features.12, whatever scope it stands in."""
    return _vgg(_SLIM_VGG.match("/".join(layer.split("/")[-2:])))


def _vgg(found: re.Match[str] | None) -> str | None:
    place = VGG_LAYERS.get((int(found[1]), int(found[2]))) if found else None
    return None if place is None else f"features.{place}"


def _folded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A bias b before a BatchNorm is the same as the running mean less b; epsilon belongs to the running variance."""
    out = dict(tensors)
    for name in [n for n in tensors if n.endswith("running_var")]:
        out[name] = tensors[name] + (KERAS_EPSILON - TORCH_EPSILON)
        norm = name.removesuffix(".running_var")
        bias = f"{_conv_before(norm)}.bias"
        if bias in tensors:
            out[f"{norm}.running_mean"] = tensors[f"{norm}.running_mean"] - out.pop(bias)
    return out


def _conv_before(norm: str) -> str:
    return norm.removesuffix("1") + "0" if norm.endswith("downsample.1") else norm.replace("bn", "conv")


def _tensor(value: Any) -> Tensor:
    return torch.from_numpy(np.array(value)).float() if not isinstance(value, Tensor) else value.float()

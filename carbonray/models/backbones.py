"""The convolutional trunks of the sounding networks: ResNet-50 and VGG-16, cut off early, for any number of bands.

Sources: He et al. 2016 (arXiv 1512.03385, stride moved as in torchvision), Simonyan and Zisserman 2015 (arXiv
1409.1556); truncations `block2_pool` to `block4_pool`, strides 4, 8 and 16, SCIENCE 4.5 (for ResNet-50 the outputs of
conv2_x to conv4_x, inferred). Tensors carry torchvision's names, so that its weights, and any that were renamed to it,
load as they are. Patches are (n, band, y, x) standardised to mean 0.5 and standard deviation 0.25.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from carbonray.errors import ContractError
from carbonray.models.backbone_names import torchvision_tensors

STRIDES = {"block2_pool": 4, "block3_pool": 8, "block4_pool": 16}
RESNET50_BLOCKS = (3, 4, 6)  # bottlenecks of conv2_x, conv3_x, conv4_x
VGG16_CONVS = (2, 2, 3, 3)  # convolutions of block 1 to 4
WIDTH = 64  # channels of the first convolution of both published trunks
STEMS = {"resnet50": "conv1.weight", "vgg16": "features.0.weight"}


class Bottleneck(nn.Module):
    """ReLU(F(x) + x) with F = 1x1, 3x3 and 1x1 convolutions; the last widens four times."""

    def __init__(self, channels_in: int, width: int, stride: int, stride_on: str) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_on == "conv1" else (1, stride)
        self.conv1 = nn.Conv2d(channels_in, width, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        changed = stride != 1 or channels_in != 4 * width
        self.downsample = _downsample(channels_in, 4 * width, stride) if changed else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, y, x) -> (n, 4 width, y / stride, x / stride)."""
        inner = self.relu(self.bn1(self.conv1(x)))
        inner = self.relu(self.bn2(self.conv2(inner)))
        out: Tensor = self.relu(self.bn3(self.conv3(inner)) + self.downsample(x))
        return out


class ResNet50(nn.Module):
    """ResNet-50 up to the end of conv2_x, conv3_x or conv4_x.

    Attributes:
        channels: of the answer: 256, 512 or 1024 at the published width.
        stride: input pixels a pixel of the answer.
    """

    def __init__(self, bands: int, truncation: str, width: int = WIDTH, stride_on: str = "conv2") -> None:
        """Builds the trunk with random weights.

        Args:
            bands: input bands.
            truncation: key of `STRIDES`.
            width: channels of the first convolution.
            stride_on: which convolution of a bottleneck strides: 'conv2' (torchvision) or 'conv1' (Keras).
        """
        super().__init__()
        depth = list(STRIDES).index(truncation) + 1
        self.conv1 = nn.Conv2d(bands, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = width
        for number in range(depth):
            inner = width * 2**number
            blocks = [Bottleneck(channels, inner, 1 if number == 0 else 2, stride_on)]
            channels = 4 * inner
            blocks += [Bottleneck(channels, inner, 1, stride_on) for _ in range(RESNET50_BLOCKS[number] - 1)]
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.channels, self.stride, self._depth = channels, STRIDES[truncation], depth
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, band, y, x) -> (n, channels, y / stride, x / stride)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for number in range(self._depth):
            x = self.get_submodule(f"layer{number + 1}")(x)
        return x


class Vgg16(nn.Module):
    """VGG-16 without BatchNorm up to the pooling after block 2, 3 or 4.

    Attributes:
        channels: of the answer: 128, 256 or 512 at the published width.
        stride: input pixels a pixel of the answer.
    """

    def __init__(self, bands: int, truncation: str, width: int = WIDTH) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = bands
        for number in range(list(STRIDES).index(truncation) + 2):
            for _ in range(VGG16_CONVS[number]):
                layers += [nn.Conv2d(channels, width * 2**number, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width * 2**number
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.channels, self.stride = channels, STRIDES[truncation]
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, band, y, x) -> (n, channels, y / stride, x / stride)."""
        out: Tensor = self.features(x)
        return out


Trunk = ResNet50 | Vgg16


def trunk_of(name: str, bands: int, truncation: str, width: int = WIDTH, stride_on: str = "conv2") -> Trunk:
    """A trunk by name, 'resnet50' or 'vgg16', with random weights from torch's global generator.

    Raises:
        ContractError: the name, truncation or stride is unknown.
    """
    if name not in STEMS or truncation not in STRIDES or stride_on not in ("conv1", "conv2"):
        raise ContractError(
            f"no trunk {name!r} up to {truncation!r} that strides on {stride_on!r}",
            where="trunk_of",
            expected=f"a trunk of {sorted(STEMS)}, a truncation of {list(STRIDES)}, a stride on conv1 or conv2",
            remedy="Correct the network's configuration.",
        )
    if name == "vgg16":
        return Vgg16(bands, truncation, width)
    return ResNet50(bands, truncation, width, stride_on)


def load_backbone(
    trunk: Trunk,
    tensors: Mapping[str, Any],
    *,
    source_bands: Sequence[str],
    stands_for: Sequence[str],
    where: str,
) -> str:
    """Loads published weights into a trunk, its first convolution rearranged to the trunk's bands.

    Args:
        trunk: its tensors are changed; deeper layers of the file than the truncation keeps are left out.
        tensors: name -> array, named by torchvision, Keras or TF-Slim (see `backbone_names`).
        source_bands: bands of the file's first convolution, in its order.
        stands_for: of every input band of the trunk, the source band whose filters it takes; one that is not among
            the source's takes the mean of all filters.
        where: URL of the file, for errors.

    Returns:
        The naming found: 'torchvision', 'keras' or 'slim'.

    Raises:
        ContractError: a tensor is missing, of another shape or not finite, or the naming is unknown.
    """
    kind = "resnet50" if isinstance(trunk, ResNet50) else "vgg16"
    naming, found = torchvision_tensors(tensors, kind, where=where)
    wanted = trunk.state_dict()
    stem = STEMS[kind]
    if stem in found:
        found[stem] = adapted_stem(found[stem], source_bands, stands_for, where=where)
    if naming == "keras" and isinstance(trunk, ResNet50) and trunk.stride > STRIDES["block2_pool"]:
        _check_stride(trunk, where)
    chosen = {name: found.get(name, value) for name, value in wanted.items() if _counts(name) or name in found}
    _check(chosen, wanted, where)
    trunk.load_state_dict(chosen)
    return naming


def adapted_stem(weight: Tensor, source_bands: Sequence[str], stands_for: Sequence[str], *, where: str) -> Tensor:
    """Filters (out, band, ky, kx) of a first convolution, rearranged to other bands.

    Where the number of bands changes, all are multiplied by old over new, which keeps the sum over bands of alike
    inputs; a mere rearrangement keeps every number.

    Raises:
        ContractError: the filters are not those of `source_bands`, or no band finds its own.
    """
    source = list(source_bands)
    known = [band for band in stands_for if band in source]
    if weight.ndim != 4 or weight.shape[1] != len(source) or not known:
        raise ContractError(
            f"first convolution of shape {tuple(weight.shape)} for bands {list(stands_for)}",
            where=where,
            expected=f"(filters, {len(source)}, y, x) of the bands {source}, some of them asked for",
            remedy="Name the bands of the file's first convolution in its order.",
        )
    mean = weight.mean(1)
    columns = [weight[:, source.index(band)] if band in source else mean for band in stands_for]
    adapted = torch.stack(columns, 1)
    return adapted if len(columns) == len(source) else adapted * (len(source) / len(columns))


def _downsample(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False), nn.BatchNorm2d(channels_out)
    )


def _initialise(trunk: nn.Module) -> None:
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _counts(name: str) -> bool:
    return name.endswith("num_batches_tracked")  # absent from old files, and without meaning for inference


def _check_stride(trunk: ResNet50, where: str) -> None:
    strides = trunk.get_submodule("layer2.0.conv1").stride
    if strides != (2, 2):
        raise ContractError(
            "Keras' ResNet-50 strides in the first convolution of a block, this trunk in the second",
            where=where,
            expected="a trunk built with stride_on='conv1'",
            remedy="Set `stride_on: conv1` in the network's configuration.",
        )


def _check(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], where: str) -> None:
    missing = [name for name in wanted if name not in found]
    shapes = [f"{n} {tuple(v.shape)}" for n, v in found.items() if v.shape != wanted[n].shape]
    infinite = [name for name, value in found.items() if not bool(torch.isfinite(value).all())]
    if missing or shapes or infinite:
        raise ContractError(
            f"missing {missing[:4]}, of another shape {shapes[:4]}, not finite {infinite[:4]}",
            where=where,
            expected=f"{len(wanted)} finite tensors of the trunk's names and shapes",
            remedy="Give weights of the same trunk and width, or train from random weights.",
        )

"""ResNet-18 that answers with a vector: the image encoder of OpenCarbon.

Source: He et al. 2016 (arXiv 1512.03385), table 1, with torchvision's names, so that its ImageNet weights load as they
are; the last layer answers with d numbers (SCIENCE 1.3). Images are (n, 3, y, x), row 0 north.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from carbonray.errors import ContractError
from carbonray.models.backbone_names import torchvision_tensors

WIDTH = 64  # channels of the first convolution as published
STAGES = 4
BLOCKS = 2  # a stage


class BasicBlock(nn.Module):
    """ReLU(F(x) + x) with F two 3x3 convolutions; the shortcut is convolved where size or channels change."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(channels_in, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, y, x) -> (n, channels, y / stride, x / stride)."""
        inner = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out: Tensor = self.relu(inner + self.downsample(x))
        return out


class ResNet18(nn.Module):
    """Eight basic blocks, averaged over their pixels, and one linear layer; its first weights as torchvision's."""

    def __init__(self, d: int, width: int = WIDTH) -> None:
        """Builds the network.

        Args:
            d: length of the answer.
            width: channels of the first convolution; each later stage doubles them.
        """
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for stage in range(STAGES):
            channels = width * 2**stage
            first = BasicBlock(max(channels // 2, width), channels, 1 if stage == 0 else 2)
            rest = [BasicBlock(channels, channels, 1) for _ in range(BLOCKS - 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, *rest))
        self.fc = nn.Linear(width * 2 ** (STAGES - 1), d)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, y, x) -> (n, d)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in range(STAGES):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        out: Tensor = self.fc(x.mean((-2, -1)))
        return out


def load_resnet18(network: ResNet18, tensors: Mapping[str, Any], *, where: str) -> None:
    """Loads published weights into all layers but the last.

    Args:
        network: its tensors are changed.
        tensors: name -> array under torchvision's names, behind any one prefix.
        where: URL of the file, for errors.

    Raises:
        ContractError: a tensor is missing, of another shape or not finite.
    """
    found = torchvision_tensors(tensors, "resnet50", where=where)[1]  # the two name their layers alike
    wanted = {name: value for name, value in network.state_dict().items() if not name.startswith("fc.")}
    counted = {name for name in wanted if name.endswith("num_batches_tracked")}  # absent from old files
    wrong = [
        name
        for name, value in wanted.items()
        if name not in counted
        and (name not in found or found[name].shape != value.shape or not bool(torch.isfinite(found[name]).all()))
    ]
    if wrong or not wanted.keys() >= found.keys():
        raise ContractError(
            f"{len(wrong)} layers are missing, of another shape or not finite, such as {wrong[:3]}; "
            f"unknown are {sorted(found.keys() - wanted.keys())[:3]}",
            where=where,
            expected="a ResNet-18 of the network's width under torchvision's names",
            remedy="Give ImageNet's ResNet-18, or train from random weights.",
        )
    network.load_state_dict(found, strict=False)


def _shortcut(channels_in: int, channels: int, stride: int) -> nn.Module:
    if stride == 1 and channels_in == channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels))

"""ResNet-18: the published number of parameters, torchvision's names, and weights that load or are refused."""

import pytest
import torch

from carbonray.errors import ContractError
from carbonray.models.backbones import ResNet50
from carbonray.models.opencarbon import parameter_count
from carbonray.models.resnet18 import ResNet18, load_resnet18

PUBLISHED = 11_689_512  # parameters of ResNet-18 with a thousand classes, as torchvision's documentation gives them


def test_parameters_are_as_published() -> None:
    network = ResNet18(1000)
    assert parameter_count(network) == PUBLISHED
    network.fc = torch.nn.Linear(512, 32)
    assert parameter_count(network) == 11_192_928  # SCIENCE 1.3


def test_names_are_torchvisions() -> None:
    names = set(ResNet18(1000, 4).state_dict())
    assert len(names) == 122  # 20 convolutions, 20 BatchNorms of five tensors, a linear layer of two
    told = "conv1.weight bn1.running_var layer1.0.conv2.weight layer2.0.downsample.0.weight layer4.1.bn2.bias fc.bias"
    assert set(told.split()) <= names and "layer1.0.downsample.0.weight" not in names


def test_answers_to_any_size_with_one_vector() -> None:
    network = ResNet18(5, 4).eval()
    for side in (32, 45):
        assert network(torch.rand(2, 3, side, side)).shape == (2, 5)


def test_published_weights_load_behind_a_prefix_and_leave_the_last_layer() -> None:
    given, network = ResNet18(1000, 4), ResNet18(8, 4)
    last = network.fc.weight.clone()
    load_resnet18(network, {f"backbone.{k}": v for k, v in given.state_dict().items()}, where="x")
    assert torch.equal(network.fc.weight, last)
    wanted = given.state_dict()
    assert all(torch.equal(v, wanted[k]) for k, v in network.state_dict().items() if not k.startswith("fc."))


def test_other_weights_are_refused() -> None:
    whole = ResNet18(1000, 4).state_dict()
    holes = {**whole, "layer3.0.conv1.weight": torch.full_like(whole["layer3.0.conv1.weight"], torch.nan)}
    less = {k: v for k, v in whole.items() if k != "layer2.1.bn1.weight"}
    for tensors in (holes, less, ResNet18(8, 6).state_dict(), ResNet50(3, "block3_pool", 4).state_dict(), {}):
        with pytest.raises(ContractError):
            load_resnet18(ResNet18(8, 4), tensors, where="x")

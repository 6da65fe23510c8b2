"""The tensors of a fit by name: the network's as `model.NAME`, Adam's moments as `adam.NUMBER.SLOT`.

Files hold plain tensors; on their way back they take the layout of what they belong to, so that a fit that is gone on
with computes as one that never stopped.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def captured_tensors(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of a network's tensors and of its optimiser's moments."""
    tensors = {f"model.{name}": plain_copy(value) for name, value in network.state_dict().items()}
    for number, slots in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{slot}": plain_copy(value) for slot, value in slots.items()}
    return tensors


def restore_tensors(tensors: Mapping[str, Tensor], network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Puts what `captured_tensors` copied back into a network and its optimiser, which was made of its parameters."""
    network.load_state_dict(under(tensors, "model"))
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in under(tensors, "adam").items():
        number, _, slot = name.partition(".")
        slots.setdefault(int(number), {})[slot] = _laid_out_like(parameters[int(number)], value)
    optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors `PREFIX.NAME` as NAME."""
    return {name.partition(".")[2]: value for name, value in tensors.items() if name.partition(".")[0] == prefix}


def plain_copy(tensor: Tensor) -> Tensor:
    """A copy on the CPU, not channels last."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    # the fused step walks moments and weights side by side in memory, so their layouts must be one
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value

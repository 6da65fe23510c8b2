"""The tensors of a fit by name: the network's as `model.NAME`, Adam's moments as `adam.NUMBER.SLOT`.

Files hold plain tensors; on their way back they take the layout of what they belong to, so that a fit that is gone on
with computes as one that never stopped.
"""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def captured_tensors(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of a network's tensors and of its optimiser's moments."""
    tensors = {f"model.{name}": plain_copy(value) for name, value in network.state_dict().items()}
    for number, slots in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{slot}": plain_copy(value) for slot, value in slots.items()}
    return tensors


def captured_with_best(
    network: nn.Module, optimiser: torch.optim.Optimizer, before: Mapping[str, Tensor], *, best: bool
) -> dict[str, Tensor]:
    """As `captured_tensors`, with the network's tensors at its best epoch as `best.NAME`.

    Args:
        network: as it is after an epoch.
        optimiser: its optimiser.
        before: what was captured after the epoch before.
        best: whether this epoch is the best so far.
    """
    if best:
        kept = {f"best.{name}": plain_copy(value) for name, value in network.state_dict().items()}
    else:
        kept = {name: value for name, value in before.items() if name.startswith("best.")}
    return captured_tensors(network, optimiser) | kept


def restore_tensors(tensors: Mapping[str, Tensor], network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Puts what `captured_tensors` copied back into a network and its optimiser, which was made of its parameters."""
    network.load_state_dict(under(tensors, "model"))
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in under(tensors, "adam").items():
        number, _, slot = name.partition(".")
        slots.setdefault(int(number), {})[slot] = _laid_out_like(parameters[int(number)], value)
    optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})


def best_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's tensors at its best epoch, under the network's names, of what `captured_with_best` kept."""
    return under(tensors, "best")


def stored(tensors: Mapping[str, Tensor], weights: str) -> dict[str, NDArray[Any]]:
    """Tensors as bundles hold them.

    Args:
        tensors: by name.
        weights: 'fp32', or 'fp16' to round those whose every number has a place there, as sums of squares may not.
    """
    halves = {name: value.half() for name, value in tensors.items() if weights == "fp16" and value.is_floating_point()}
    kept = {name: value for name, value in halves.items() if bool(torch.isfinite(value).all())}
    return {name: kept.get(name, value).numpy() for name, value in tensors.items()}


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors `PREFIX.NAME` as NAME."""
    return {name.partition(".")[2]: value for name, value in tensors.items() if name.partition(".")[0] == prefix}


def plain_copy(tensor: Tensor) -> Tensor:
    """A copy on the CPU, not channels last."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    # the fused step walks moments and weights side by side in memory, so their layouts must be one
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value

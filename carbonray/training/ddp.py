"""Workers of a process group that act as one: gradients by torch's DistributedDataParallel, numbers summed over all.

Source: torch.distributed; the group itself is made by whoever starts the workers (Ray Train, see `torch_fit`). Buffers
stay with the worker until an epoch ends and become the workers' mean then (`Workers.average`), so that no worker's
running statistics are lost.
"""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from carbonray.models.fit import Workers


def grouped_workers(rank: int, world: int, device: str) -> Workers:
    """This worker among those of the process group; alone it needs no group.

    Args:
        rank: of this worker.
        world: workers.
        device: 'cpu' or a CUDA device.
    """
    if world == 1:
        return Workers(device=device)

    def wrap(network: nn.Module) -> nn.Module:
        devices = None if device == "cpu" else [torch.device(device)]
        return DistributedDataParallel(network, device_ids=devices, forward_sync_buffers=False)

    def total(numbers: Tensor) -> Tensor:
        moved = numbers.to(device, copy=True)
        torch.distributed.all_reduce(moved)
        return moved.to(numbers.device)

    return Workers(rank, world, device, wrap, total, _alone)


def _alone(network: nn.Module) -> AbstractContextManager[Any]:
    assert isinstance(network, DistributedDataParallel)
    return network.no_sync()

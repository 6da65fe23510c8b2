"""What the fit loops share: the batches of a step, mixed precision, seeds, and numbers too small to matter.

Source: gradient accumulation and automatic mixed precision as the training of large networks knows them. All randomness
of an epoch comes from (seed, epoch, lane), so that it matters neither when an epoch is fitted nor after what.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import torch

T = TypeVar("T")


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Gradients of empty maps are mostly denormal, ten times slower on a CPU; the switch is the whole process's."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Mixed precision where 'bf16' is asked for, plain float32 otherwise."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def epoch_seed(seed: int, epoch: int, lane: int) -> int:
    """Seed of everything random in one epoch of one lane of the batches."""
    return (seed * 1_000_003 + epoch) * 1_009 + lane + 1


def in_steps(batches: Iterable[T], accumulate: int) -> Iterator[list[T]]:
    """The batches whose gradients make one step, together; the last step has what is left."""
    step: list[T] = []
    for batch in batches:
        step.append(batch)
        if len(step) == accumulate:
            yield step
            step = []
    if step:
        yield step

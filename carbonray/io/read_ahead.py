"""Windows of a data set read in order, one ahead of the one in use: memory is two windows, whoever reads them.

A window is made of the items of one group, such as the shards among which scenes are shuffled. A fit is told how its
windows are read (by a thread here, by tasks elsewhere); the windows are the same.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")
W = TypeVar("W")


class ReadWindows(Protocol):
    """Reads groups of items as windows, in their order, and not much further ahead than they are used."""

    def __call__(self, read: Callable[[Sequence[T]], W], groups: Sequence[Sequence[T]]) -> Iterator[W]:
        """The window of every group."""
        ...


def read_by_thread(read: Callable[[Sequence[T]], W], groups: Sequence[Sequence[T]]) -> Iterator[W]:
    """The window of every group, the following one read by a thread meanwhile."""
    with ThreadPoolExecutor(1) as reader:
        ahead = [reader.submit(read, group) for group in groups[:1]]
        for number in range(len(groups)):
            window = ahead.pop().result()
            ahead += [reader.submit(read, group) for group in groups[number + 1 : number + 2]]
            yield window


def in_groups(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Items in groups of a size, the last one as small as it is."""
    return [items[first : first + size] for first in range(0, len(items), size)]

"""Windows of a data set read in order, one ahead of the one in use: memory is two windows, whoever reads them.

A window is made of the items of one group, such as the shards among which scenes are shuffled. A fit is told how its
windows are read (by a thread here, by tasks elsewhere); the windows are the same. Batches are dealt from windows as
they come, and what does not fill one waits for the next window.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
W = TypeVar("W")
Rows = NDArray[np.int64]


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


def windows_of(
    items: Sequence[T], size: int, windows: ReadWindows, read: Callable[[Sequence[T]], W], kept: Callable[[], W]
) -> Iterator[W]:
    """The windows of some items; where one holds them all it is the one that is kept, and not read again."""
    if not items:
        return
    if len(items) <= size:
        yield kept()
        return
    yield from windows(read, in_groups(items, size))


def even_sizes(rows: int, most: int, least: int = 1) -> deque[int]:
    """Sizes of the fewest batches of at most so many rows, no two further apart than one, none below the least."""
    batches = min(-(-rows // most), max(rows // least, 1)) if rows else 0
    return deque((rows * (at + 1)) // batches - (rows * at) // batches for at in range(batches))


def dealt(
    windows: Iterable[W],
    sizes: deque[int],
    *,
    join: Callable[[Sequence[W]], W],
    order: Callable[[W], Rows],
    rest: Callable[[W, Rows], W],
) -> Iterator[tuple[W, Rows]]:
    """Batches of the given sizes: a window, and positions of its rows.

    Args:
        windows: as they are read.
        sizes: of the batches, used up.
        join: what is left of the window before and a new one -> one window.
        order: a window -> positions of all its rows, in the order in which they are dealt.
        rest: a window and positions -> a window of those rows alone.
    """
    waiting: list[W] = []
    for window in windows:
        held = join([*waiting, window])
        drawn, used = order(held), 0
        while sizes and used + sizes[0] <= len(drawn):
            size = sizes.popleft()
            yield held, drawn[used : used + size]
            used += size
        waiting = [rest(held, drawn[used:])] if used < len(drawn) else []

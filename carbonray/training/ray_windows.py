"""Windows of a data set read by tasks of Ray Data, on whichever nodes have room, in the order asked for.

Source: Ray Data's streaming execution. The order and the windows are those of `io.read_ahead.read_by_thread`: a group
is a row, a row is a block, and blocks come back in their order. Tasks hold no processor, since the workers of a fit may
hold them all. Windows that wait to be used lie in the object store, as much of it as Ray Data takes, never in the fit.
"""

from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import ray.data

from carbonray.engine.cluster import quiet_data
from carbonray.errors import CarbonrayError
from carbonray.io.read_ahead import ReadWindows, read_by_thread

T = TypeVar("T")
W = TypeVar("W")
TASKS = 2  # windows of a fit that are read at a time


def read_by_tasks(read: Callable[[Sequence[T]], W], groups: Sequence[Sequence[T]]) -> Iterator[W]:
    """The window of every group in order; Ray must be initialised.

    Args:
        read: makes a window of a group; it travels to the tasks.
        groups: items of each window.

    Raises:
        CarbonrayError: what the reading found wrong, as where a thread reads.
    """
    if not groups:
        return
    quiet_data()
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True

    def window(row: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"window": read(groups[int(row["number"])])}
        except CarbonrayError as error:  # raised here, Ray Data would wrap it
            return {"window": error}

    numbers = ray.data.from_items([{"number": n} for n in range(len(groups))], override_num_blocks=len(groups))
    tasks = ray.data.TaskPoolStrategy(size=TASKS)
    for row in numbers.map(window, num_cpus=0, compute=tasks).iter_rows():
        if isinstance(row["window"], CarbonrayError):
            raise row["window"]
        yield row["window"]


WINDOWS = MappingProxyType[str, ReadWindows]({"threads": read_by_thread, "ray_data": read_by_tasks})

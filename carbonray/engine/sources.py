"""The source of a pass: a Ray Data datasource with one read task a work unit, and nothing read before it runs."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask


class UnitSource(Datasource):
    """Units as read tasks: the list holds only what is not committed, so committed units are never read.

    Args:
        reads: one callable a unit, which gives the unit's one-row block.
        sizes: bytes each will read.
    """

    def __init__(self, reads: Sequence[Callable[[], pa.Table]], sizes: Sequence[int]) -> None:
        self._reads, self._sizes = list(reads), list(sizes)

    def get_name(self) -> str:
        """Name in Ray's progress and logs."""
        return "Units"

    def estimate_inmemory_data_size(self) -> int:
        """Bytes of all inputs."""
        return sum(self._sizes)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """One task a unit, whatever parallelism is asked for."""
        return [
            ReadTask(_Block(read), BlockMetadata(num_rows=1, size_bytes=size, input_files=None, exec_stats=None))
            for read, size in zip(self._reads, self._sizes, strict=True)
        ]


class _Block:
    def __init__(self, read: Callable[[], pa.Table]) -> None:
        self._read = read

    def __call__(self) -> Iterable[pa.Table]:
        return [self._read()]

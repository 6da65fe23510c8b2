"""Batches of rows of energy and emissions from tables of a run, shuffled within a moving window: memory is the window.

Sources: HOUSE "Decided", stores; SCIENCE 2.4. Rows of a synthesised country are nowhere stored: they are mixed from
those of its regions as they are read. An epoch's order follows from (seed, epoch) alone, and every row is seen once: by
one of the workers, who share every batch.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.io import objectstore
from carbonray.io.energy.row_tables import rows_of
from carbonray.io.read_ahead import ReadWindows, dealt, even_sizes, read_by_thread
from carbonray.io.table_store import decode_table
from carbonray.models.clean import MixBatch, mix_batch
from carbonray.science.energy.mix import MixRows, stacked
from carbonray.science.energy.synthesis import Recipe, country
from carbonray.vocab.energy_tables import ENERGY_ROWS

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class RowTable:
    """A stored table of schema `ENERGY_ROWS`.

    Attributes:
        url: of the file.
        sha256: of its bytes.
    """

    url: str
    sha256: str


@dataclass(frozen=True, eq=False)
class EnergyShard:
    """Rows that are read together: some of a table, or some of a country that is mixed from others.

    Attributes:
        tables: one, or that of each region of the country.
        rows: (table, row) which rows of each; those of one column are of one interval.
        recipe: of the country; None for rows as they are.
    """

    tables: tuple[RowTable, ...]
    rows: Rows
    recipe: Recipe | None = None

    def __len__(self) -> int:
        return int(self.rows.shape[1])

    def told(self) -> list[Any]:
        """Everything that can change a bit of it, in plain values."""
        recipe = asdict(self.recipe) if self.recipe else None
        return [[table.sha256 for table in self.tables], objectstore.sha256(self.rows.tobytes()), recipe]


@dataclass(frozen=True)
class EnergyStream:
    """The rows of one role.

    Attributes:
        shards: that hold them.
        batch_size: most rows in a batch of all workers together.
        window_rows: rows among which rows are shuffled, and as many again read ahead, but for one shard more; if there
            are no more, they are read once and kept.
        seed: of the order.
        rank: this worker, of `world` workers, who each take their share of every shuffled batch.
        world: workers.
        windows: how windows are read.
    """

    shards: tuple[EnergyShard, ...]
    batch_size: int
    window_rows: int = 200_000
    seed: int = 0
    rank: int = 0
    world: int = 1
    windows: ReadWindows = read_by_thread

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels without the rows that it keeps."""
        return type(self), tuple(getattr(self, f.name) for f in fields(self))

    def __len__(self) -> int:
        return sum(len(shard) for shard in self.shards)

    def digest(self) -> str:
        """Of everything that can change a batch."""
        told = [[shard.told() for shard in self.shards], self.batch_size, self.window_rows, self.seed]
        return objectstore.sha256(json.dumps(told, sort_keys=True).encode())

    def shuffled(self, epoch: int) -> Iterator[MixBatch]:
        """Every row once, in as few batches as there can be, all but equally large; of each this worker's share.

        Raises:
            ContractError: a batch holds less than a row a worker.
        """
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.shards))
        sizes = even_sizes(len(self), self.batch_size, self.world)
        self._check(min(sizes, default=self.world))
        windows = self._windows([self.shards[at] for at in order])
        mixed = dealt(
            windows, sizes, join=stacked, order=lambda window: rng.permutation(len(window)), rest=MixRows.rows
        )
        for window, chosen in mixed:
            mine = window.rows(chosen[self.rank :: self.world])
            yield mix_batch(mine.energy, mine.emissions)

    def in_order(self) -> Iterator[MixBatch]:
        """All rows by shard, the last batch of a window as small as it is."""
        for rows in self.parts():
            yield mix_batch(rows.energy, rows.emissions)

    def parts(self) -> Iterator[MixRows]:
        """The rows of `in_order`, with their regions and times."""
        for window in self._windows(self.shards):
            for first in range(0, len(window), self.batch_size):
                yield window.rows(np.arange(first, min(first + self.batch_size, len(window))))

    @cached_property
    def _kept(self) -> MixRows:
        return _read(self.shards)

    def _windows(self, shards: Sequence[EnergyShard]) -> Iterator[MixRows]:
        if len(self) <= self.window_rows:
            return iter([self._kept] if shards else [])
        return self.windows(_read, _groups(shards, self.window_rows))

    def _check(self, least: int) -> None:
        if least < self.world:
            raise ContractError(
                f"batches of {least} rows for {self.world} workers",
                where="energy.training.fit.batch_size",
                expected="a row a worker in every batch at least",
                remedy="Fit with fewer workers, or on more rows.",
            )


def _groups(shards: Sequence[EnergyShard], window_rows: int) -> list[Sequence[EnergyShard]]:
    """Consecutive shards of as many rows as a window, or of few more."""
    before = np.cumsum([0, *(len(shard) for shard in shards)])[:-1]
    window = before // window_rows
    return [[shards[at] for at in np.flatnonzero(window == number).tolist()] for number in np.unique(window)]


def _read(shards: Sequence[EnergyShard]) -> MixRows:
    """The rows of some shards; what several of them show is fetched once."""
    tables = {table.url: table for shard in shards for table in shard.tables}
    found = {url: _rows(url, data, tables[url]) for url, data in objectstore.read_many(tables).items()}
    parts = []
    for shard in shards:
        own = [found[table.url].rows(at) for table, at in zip(shard.tables, shard.rows, strict=True)]
        parts.append(country(own, shard.recipe) if shard.recipe else own[0])
    return stacked(parts)


def _rows(url: str, data: bytes, table: RowTable) -> MixRows:
    if objectstore.sha256(data) != table.sha256:
        raise ContractError(
            "the table is another than the one that was listed",
            where=url,
            expected=f"sha256 {table.sha256}",
            remedy="Make the rows again, and list them anew.",
        )
    return rows_of(decode_table(data, ENERGY_ROWS))

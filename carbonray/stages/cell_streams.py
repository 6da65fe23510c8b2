"""Batches of 1 km cells from a store of tiles, shuffled within a moving window of tiles: memory is the window.

Source: HOUSE "Decided", stores; SCIENCE pitfall 9 (a tile of a batch is encoded once: cells of neighbouring shards are
joined by their numbers). An epoch's order follows from (seed, epoch) alone, and every cell is seen once: by one of the
workers, who share every batch.
"""

import itertools
import operator
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.io import objectstore
from carbonray.io.cell_store import CellSamples, decode_samples, joined_samples
from carbonray.io.read_ahead import ReadWindows, dealt, even_sizes, read_by_thread, windows_of
from carbonray.models.cell_batches import CellBatch
from carbonray.models.opencarbon import OpenCarbonConfig
from carbonray.science.spatial.cells import neighbor_ids, positions, row_col

READERS = 4  # shards that are read at once
LEAST = 2  # cells of a worker in a batch: of one alone BatchNorm knows no spread
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class CellShard:
    """One tile of a training store, and which of its cells are asked for.

    Attributes:
        url: folder of the group.
        table_url: of its labelled cells' table.
        keys: of the group's objects.
        sha256: of the group's seals, and so of all its bytes.
        cells: numbers of the cells asked for, ascending.
    """

    url: str
    table_url: str
    keys: tuple[str, ...]
    sha256: str
    cells: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)  # a window is itself and no other
class CellWindow:
    """Cells asked for, and the samples that their windows show."""

    samples: CellSamples
    cells: Rows


@dataclass(frozen=True)
class CellStream:
    """The batches of one network and role.

    Attributes:
        shards: with the cells of the role.
        batch_size: most cells in a batch of all workers together, one more where a cell would be alone.
        reach: rings of neighbours that the network reads.
        images: whether it reads images; if not, batches hold blank ones of one pixel.
        pad_as_authors: whether what is absent beside a cell becomes the first tile of the window of shards.
        patch_cells: side of the squares of neighbouring cells that stay together in the order, 1 for none: their
            windows share tiles, of which fewer are then encoded.
        window_shards: shards among which cells are shuffled, as many again are read ahead; if there are no more shards,
            they are read once and kept.
        seed: of the order.
        rank: this worker, of `world` workers, who each take their share of every shuffled batch.
        world: workers.
        windows: how windows are read.
    """

    shards: tuple[CellShard, ...]
    batch_size: int
    reach: int = 1
    images: bool = True
    pad_as_authors: bool = False
    patch_cells: int = 1
    window_shards: int = 8
    seed: int = 0
    rank: int = 0
    world: int = 1
    windows: ReadWindows = read_by_thread

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels without the shards that it keeps."""
        return type(self), tuple(getattr(self, f.name) for f in fields(self))

    def __len__(self) -> int:
        return sum(len(shard.cells) for shard in self.shards)

    def shuffled(self, epoch: int) -> Iterator[CellBatch]:
        """Every cell once, in as few batches as there can be, all but equally large; of each this worker's share.

        Raises:
            ContractError: a batch holds fewer than two cells a worker.
        """
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.shards))
        sizes = even_sizes(len(self), self.batch_size, LEAST)
        self._check(sizes)
        batches = dealt(
            self._windows([self.shards[at] for at in order]),
            sizes,
            join=_joined,
            order=lambda window: shuffled_patches(window.cells, self.patch_cells, rng),
            rest=self._rest,
        )
        for window, of_window in itertools.groupby(batches, key=operator.itemgetter(0)):
            whole = self._batch(window)
            for _, chosen in of_window:
                yield whole.rows(torch.from_numpy(chosen[self.rank :: self.world]))

    def in_order(self) -> Iterator[CellBatch]:
        """All cells by shard and number, the last batch of a window as small as it is."""
        for window in self._windows(self.shards):
            whole = self._batch(window)
            for first in range(0, len(whole), self.batch_size):
                yield whole.rows(torch.arange(first, min(first + self.batch_size, len(whole))))

    @cached_property
    def _kept(self) -> CellWindow:
        return self._read(self.shards)

    def _windows(self, shards: Sequence[CellShard]) -> Iterator[CellWindow]:
        return windows_of(shards, self.window_shards, self.windows, self._read, lambda: self._kept)

    def _rest(self, window: CellWindow, chosen: Rows) -> CellWindow:
        cells = np.sort(window.cells[chosen])
        return CellWindow(_shown(window.samples, cells, self.reach), cells)

    def _read(self, shards: Sequence[CellShard]) -> CellWindow:
        with ThreadPoolExecutor(READERS) as readers:
            return _joined(list(readers.map(self._opened, shards)))

    def _opened(self, shard: CellShard) -> CellWindow:
        urls = {key: objectstore.join(shard.url, key) for key in shard.keys}
        found = objectstore.read_many(urls.values())
        samples = decode_samples({key: found[url] for key, url in urls.items()}, shard.url)
        samples = samples if self.images else samples.without_images()
        cells = np.array(shard.cells, np.int64)
        # the authors' first tile stays, whether or not a window shows it
        return CellWindow(samples if self.pad_as_authors else _shown(samples, cells, self.reach), cells)

    def _batch(self, window: CellWindow) -> CellBatch:
        """All cells of a window in one, to take rows of."""
        batch = whole_batch(window.samples, window.cells, self.reach)
        return batch.padded_as_authors() if self.pad_as_authors else batch

    def _check(self, sizes: Sequence[int]) -> None:
        least = min(sizes, default=LEAST * self.world)
        if least < LEAST * self.world:
            raise ContractError(
                f"batches of {least} cells for {self.world} workers",
                where="grid.training.fit.batch_size",
                expected=f"{LEAST} cells a worker in every batch at least",
                remedy="Fit with fewer workers, with larger batches, or on more cells.",
            )


def stream_for(config: OpenCarbonConfig, shards: tuple[CellShard, ...], batch_size: int, **more: Any) -> CellStream:
    """The stream of what a network reads.

    Args:
        config: of the network.
        shards: with the cells asked for.
        batch_size: most cells in a batch.
        more: other attributes of the stream.
    """
    images, authors = "image" in config.modalities, config.pad == "authors"
    return CellStream(shards, batch_size, config.reach, images, authors, **more)


def whole_batch(samples: CellSamples, cells: Rows, reach: int) -> CellBatch:
    """Some of the cells with their windows, and all tiles.

    Raises:
        ContractError: a cell is none of the samples.
    """
    place = positions(samples.cell_id, cells)
    if np.any(place < 0):
        raise ContractError(
            f"{int((place < 0).sum())} of {len(cells)} cells are no samples",
            where="CellStream",
            expected="cells of the shards that were listed",
            remedy="Make the samples again, and list them anew.",
        )
    images = samples.images
    if not samples.image_present.all():
        images = np.zeros((len(samples), *images.shape[1:]), np.uint8)
        images[samples.image_present] = samples.images
    category, y, x = (np.ascontiguousarray(part) for part in samples.points.T)
    return CellBatch(
        images=torch.from_numpy(images),
        image_present=torch.from_numpy(samples.image_present),
        poi_present=torch.from_numpy(samples.poi_present),
        point_tile=torch.from_numpy(np.repeat(np.arange(len(samples)), samples.n_points)),
        point_category=torch.from_numpy(category.astype(np.int16)),
        point_y=torch.from_numpy(y),
        point_x=torch.from_numpy(x),
        neighbors=torch.from_numpy(positions(samples.cell_id, neighbor_ids(cells, reach))),
        ln_e=torch.from_numpy(samples.ln_t_co2[place].astype(np.float32)),
        cell_ids=torch.from_numpy(cells),
    )


def shuffled_patches(cells: Rows, side: int, rng: np.random.Generator) -> Rows:
    """(n,) positions of cells in an order of chance in which those of one square of the lattice follow each other."""
    if side <= 1:
        return rng.permutation(len(cells))
    _, square = np.unique(np.column_stack(row_col(cells)) // side, axis=0, return_inverse=True)
    rank = rng.permutation(int(square.max(initial=-1)) + 1)
    return np.argsort(rank[square], kind="stable")


def _joined(parts: Sequence[CellWindow]) -> CellWindow:
    if len(parts) == 1:
        return parts[0]
    samples = joined_samples([part.samples for part in parts])
    return CellWindow(samples, np.concatenate([part.cells for part in parts]))


def _shown(samples: CellSamples, cells: Rows, reach: int) -> CellSamples:
    """What windows of some cells show, and nothing else."""
    around = positions(samples.cell_id, neighbor_ids(cells, reach))
    shown = np.unique(around[around >= 0])
    return samples if len(shown) == len(samples) else samples.rows(shown)

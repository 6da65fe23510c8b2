"""Batches from a store of scenes, shuffled within a moving window of shards: memory is the window, not the data set.

An epoch's order follows from (seed, epoch) and the number of lanes alone. The shuffled shards are dealt to lanes round
robin, every lane gives equally many batches, and each worker serves some lanes: the workers' batches together are the
same however many workers there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from carbonray.errors import ContractError
from carbonray.io.read_ahead import ReadWindows, in_groups, read_by_thread
from carbonray.models.tiles import PackedTiles, joined
from carbonray.training.samples import SceneShard, read_shard


@dataclass(frozen=True)
class SceneStream:
    """The batches of one worker.

    Attributes:
        shards: of one split, as `samples.written_shard` returns them.
        batch_size: tiles a lane gives a batch.
        window_shards: shards of a lane among which scenes are shuffled; as many again are read ahead.
        seed: of the order.
        rank: this worker, of `world` workers.
        world: workers.
        lanes: of all workers, 0 for one a worker.
        windows: how windows are read.
    """

    shards: tuple[SceneShard, ...]
    batch_size: int
    window_shards: int = 8
    seed: int = 0
    rank: int = 0
    world: int = 1
    lanes: int = 0
    windows: ReadWindows = read_by_thread

    def __post_init__(self) -> None:
        lanes = self.lanes or self.world
        if not self.world <= lanes <= len(self.shards):
            raise ContractError(
                f"{len(self.shards)} shards in {lanes} lanes for {self.world} workers",
                where="training.samples.shard_scenes",
                expected="a shard a lane and a lane a worker at least",
                remedy="Lower shard_scenes, or the number of lanes and workers.",
            )

    @property
    def served(self) -> tuple[int, ...]:
        """This worker's lanes."""
        return tuple(range(self.rank, self.lanes or self.world, self.world))

    def shuffled(self, epoch: int) -> Iterator[PackedTiles]:
        """The full batches of one epoch, this worker's lanes one after the other in each.

        Scenes that do not fill a batch of every lane wait for another epoch.

        Raises:
            ContractError: a lane has not one full batch.
        """
        rng = np.random.default_rng((self.seed, epoch))
        dealt = [self.shards[i] for i in rng.permutation(len(self.shards))]
        lanes = self.lanes or self.world
        batches = min(_scenes(dealt[lane::lanes]) // self.batch_size for lane in range(lanes))
        if not batches:
            raise ContractError(
                f"a lane of {lanes} has fewer than {self.batch_size} scenes",
                where=f"{len(self.shards)} shards of training scenes",
                expected="a full batch of every lane in an epoch",
                remedy="Raise training.samples.scenes, or lower training.fit.batch_size or the workers.",
            )
        seed = int(rng.integers(2**62))
        own = [self._lane(dealt[lane::lanes], seed + lane) for lane in self.served]
        for _ in range(batches):
            parts = [next(lane) for lane in own]
            yield parts[0] if len(parts) == 1 else joined(parts)

    def in_order(self) -> Iterator[PackedTiles]:
        """All tiles of this worker's shards in order, the last batch of a shard as small as it is."""
        for tiles in self.windows(_read, in_groups(self.shards[self.rank :: self.world], 1)):
            for first in range(0, len(tiles), self.batch_size):
                yield tiles.rows(torch.arange(first, min(first + self.batch_size, len(tiles))))

    def _lane(self, shards: Sequence[SceneShard], seed: int) -> Iterator[PackedTiles]:
        generator = torch.Generator().manual_seed(seed)
        left_over: list[PackedTiles] = []
        for window in self.windows(_read, in_groups(shards, self.window_shards)):
            tiles = joined([*left_over, window])
            tiles = tiles.rows(torch.randperm(len(tiles), generator=generator))
            full = len(tiles) // self.batch_size * self.batch_size
            for first in range(0, full, self.batch_size):
                yield tiles.rows(torch.arange(first, first + self.batch_size))
            left_over = [tiles.rows(torch.arange(full, len(tiles)))]


def _read(shards: Sequence[SceneShard]) -> PackedTiles:
    return joined([read_shard(shard) for shard in shards])


def _scenes(shards: Sequence[SceneShard]) -> int:
    return sum(shard.complete for shard in shards)

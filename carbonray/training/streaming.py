"""Batches from a store of scenes, shuffled within a moving window of shards: memory is the window, not the data set.

An epoch's order follows from (seed, epoch) alone. Workers share the shuffled shards round robin and all take the same
number of batches, as a distributed step needs.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from carbonray.errors import ContractError
from carbonray.models.tiles import PackedTiles, joined
from carbonray.training.samples import SceneShard, read_shard


@dataclass(frozen=True)
class SceneStream:
    """The batches of one worker.

    Attributes:
        shards: of one split, as `samples.written_shard` returns them.
        batch_size: tiles a batch.
        window_shards: shards among which scenes are shuffled; as many again are read ahead.
        seed: of the order.
        rank: this worker, of `world` workers.
        world: workers.
    """

    shards: tuple[SceneShard, ...]
    batch_size: int
    window_shards: int = 8
    seed: int = 0
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if len(self.shards) < self.world:
            raise ContractError(
                f"{len(self.shards)} shards for {self.world} workers",
                where="training.samples.shard_scenes",
                expected="a shard a worker at least",
                remedy="Lower shard_scenes, or the number of workers.",
            )

    def shuffled(self, epoch: int) -> Iterator[PackedTiles]:
        """The full batches of one epoch; scenes that do not fill a batch on every worker wait for another epoch."""
        rng = np.random.default_rng((self.seed, epoch))
        dealt = [self.shards[i] for i in rng.permutation(len(self.shards))]
        batches = min(_scenes(dealt[rank :: self.world]) // self.batch_size for rank in range(self.world))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)) + self.rank)
        left_over: list[PackedTiles] = []
        for window in self._windows(dealt[self.rank :: self.world]):
            tiles = joined([*left_over, *window])
            tiles = tiles.rows(torch.randperm(len(tiles), generator=generator))
            full = len(tiles) // self.batch_size * self.batch_size
            for first in range(0, full, self.batch_size):
                if batches == 0:
                    return
                batches -= 1
                yield tiles.rows(torch.arange(first, first + self.batch_size))
            left_over = [tiles.rows(torch.arange(full, len(tiles)))]

    def in_order(self) -> Iterator[PackedTiles]:
        """All tiles of this worker's shards in order, the last batch of a shard as small as it is."""
        for shard in self.shards[self.rank :: self.world]:
            tiles = read_shard(shard)
            for first in range(0, len(tiles), self.batch_size):
                yield tiles.rows(torch.arange(first, min(first + self.batch_size, len(tiles))))

    def _windows(self, shards: list[SceneShard]) -> Iterator[list[PackedTiles]]:
        windows = [shards[i : i + self.window_shards] for i in range(0, len(shards), self.window_shards)]
        with ThreadPoolExecutor(1) as reader:  # one window ahead
            ahead = reader.submit(_read, windows[0])
            for following in [*windows[1:], []]:
                window = ahead.result()
                ahead = reader.submit(_read, following)
                yield window


def _read(shards: list[SceneShard]) -> list[PackedTiles]:
    return [read_shard(shard) for shard in shards]


def _scenes(shards: list[SceneShard]) -> int:
    return sum(shard.complete for shard in shards)

"""The stream of batches: every scene once, another order every epoch, and never more than its window in memory."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from carbonray.errors import ContractError
from carbonray.io.objectstore import put_bytes
from carbonray.models.tiles import PackedTiles
from carbonray.training import samples, streaming
from carbonray.training.samples import SceneShard
from carbonray.training.streaming import SceneStream


@pytest.fixture
def shards(tmp_path: Path) -> tuple[SceneShard, ...]:
    """Seven shards of five scenes; a scene's pixels are its number."""
    made = []
    for first in range(0, 35, 5):
        numbers = torch.arange(first, first + 5, dtype=torch.int16)[:, None, None].expand(5, 4, 4)
        shard = SceneShard("train", first, first + 5, str(tmp_path / f"{first}.arrow"), complete=5)
        tiles = PackedTiles(numbers, numbers > -1, numbers, numbers, numbers)
        put_bytes(shard.url, samples._arrow_bytes(np.arange(first, first + 5), tiles))
        made.append(shard)
    return tuple(made)


def numbers(batches: list[PackedTiles]) -> list[int]:
    return [int(n) for batch in batches for n in batch.no2[:, 0, 0]]


def test_in_order_is_every_scene_in_order(shards: tuple[SceneShard, ...]) -> None:
    batches = list(SceneStream(shards, batch_size=3).in_order())
    assert numbers(batches) == list(range(35)) and {len(b) for b in batches} == {3, 2}


def test_shuffled_is_every_scene_once_in_an_order_of_the_epoch(shards: tuple[SceneShard, ...]) -> None:
    stream = SceneStream(shards, batch_size=4, window_shards=2, seed=1)
    orders = [numbers(list(stream.shuffled(epoch))) for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert len(orders[0]) == 32 and max(Counter(orders[0]).values()) == 1


def test_columns_of_a_scene_stay_together(shards: tuple[SceneShard, ...]) -> None:
    for batch in SceneStream(shards, batch_size=4).shuffled(3):
        assert torch.equal(batch.no2, batch.wind_u) and torch.equal(batch.no2, batch.rel_emission)


@pytest.mark.parametrize("world", [2, 3])
def test_workers_take_disjoint_scenes_and_equally_many_batches(shards: tuple[SceneShard, ...], world: int) -> None:
    workers = [list(SceneStream(shards, 2, 2, rank=r, world=world).shuffled(0)) for r in range(world)]
    assert len({len(batches) for batches in workers}) == 1
    seen = [n for batches in workers for n in numbers(batches)]
    assert len(seen) == len(set(seen)) >= 2 * world * (10 // 2)
    in_order = [n for r in range(world) for n in numbers(list(SceneStream(shards, 2, rank=r, world=world).in_order()))]
    assert sorted(in_order) == list(range(35))


def test_at_most_two_windows_are_in_memory(shards: tuple[SceneShard, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(streaming, "read_shard", lambda shard: read.append(shard.url) or samples.read_shard(shard))
    batches = SceneStream(shards, batch_size=5, window_shards=1).shuffled(0)
    for taken in range(1, 8):
        next(batches)
        assert len(read) <= taken + 1 + 1  # the window in use, and the one read ahead


def test_lanes_give_the_same_global_batches_on_any_number_of_workers(shards: tuple[SceneShard, ...]) -> None:
    def batches(world: int) -> list[set[int]]:
        own = [SceneStream(shards, 2, 2, seed=3, rank=r, world=world, lanes=3).shuffled(1) for r in range(world)]
        return [set(numbers(list(parts))) for parts in zip(*own, strict=True)]

    alone = batches(1)
    assert alone == batches(2) == batches(3) and {len(batch) for batch in alone} == {6} and len(alone) == 5


def test_a_batch_holds_the_workers_lanes_one_after_the_other(shards: tuple[SceneShard, ...]) -> None:
    whole = SceneStream(shards, 2, 2, lanes=3).shuffled(0)
    workers = [SceneStream(shards, 2, 2, rank=r, world=3).shuffled(0) for r in range(3)]
    for batch, *parts in zip(whole, *workers, strict=True):
        assert numbers([batch]) == numbers(parts)
    assert SceneStream(shards, 2, rank=1, world=2, lanes=5).served == (1, 3)


@pytest.mark.parametrize(("world", "lanes"), [(8, 0), (1, 8), (3, 2)])
def test_more_lanes_than_shards_or_workers_than_lanes_are_refused(
    shards: tuple[SceneShard, ...], world: int, lanes: int
) -> None:
    with pytest.raises(ContractError, match=f"7 shards in {lanes or world} lanes for {world} workers"):
        SceneStream(shards, 2, world=world, lanes=lanes)


def test_an_epoch_without_a_full_batch_is_refused_by_name(shards: tuple[SceneShard, ...]) -> None:
    stream = SceneStream(shards, batch_size=10_000, world=2)
    with pytest.raises(ContractError, match="fewer than 10000 scenes"):
        next(stream.shuffled(0))

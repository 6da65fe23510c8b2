"""A few simulated scenes as shards, and the same store with other scenes in one fold or in the test share."""

import dataclasses

import numpy as np

from carbonray.execution import SampleRules
from carbonray.io.objectstore import put_bytes
from carbonray.models.tiles import PackedTiles
from carbonray.science.no2.scenes import SceneRules
from carbonray.science.spatial.folds import rotation
from carbonray.science.spatial.tiling import TileRules
from carbonray.training import samples
from carbonray.training.samples import planned_shards, read_shard, written_shard
from carbonray.training.scene_fit import fold_shards

SAMPLES = SampleRules(scenes=45, test_share=0.2, validation_share=0.2, shard_scenes=4, window_shards=2)
SHARE = "test share"


def scenes(url):
    """Nine shards in folds and three of the test share, by split."""
    plan = planned_shards(SAMPLES, SceneRules(), TileRules(), url)
    return {
        split: tuple(written_shard(shard, SAMPLES, SceneRules(), TileRules()) for shard in of_split)
        for split, of_split in plan.items()
    }


def other(shard, folder):
    """The shard with other columns and other emissions, under its own name."""
    tiles = read_shard(shard)
    changed = PackedTiles(
        tiles.no2.flip(2) // 2 + 16000, tiles.mask, tiles.wind_u, tiles.wind_v, tiles.rel_emission.flip(1)
    )
    url = "/".join((str(folder), *shard.url.rsplit("/", 2)[1:]))
    put_bytes(url, samples._arrow_bytes(np.arange(len(tiles)), changed))
    return dataclasses.replace(shard, url=url)


def perturbed(shards, part, folder):
    """Other scenes in one fold, or in the test share."""
    chosen = shards["test"] if part == SHARE else fold_shards(shards, rotation(part))[2]
    assert chosen
    changed = {shard: other(shard, folder) for shard in chosen}
    return {split: tuple(changed.get(shard, shard) for shard in of_split) for split, of_split in shards.items()}

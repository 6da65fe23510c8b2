"""Simulated scenes as training samples: planned as shards, written once, streamed back without ever holding them all.

Source: more than 210 000 scenes of which more than 36 000 are for testing (NO2 hotspot paper, Remote Sensing 17, 1167,
2025). A scene is known by its index alone, so splits are ranges of indices and a shard is the same bytes whoever writes
it. A shard is an Arrow file, one row a complete scene: int16 tiles of 64x64 pixels with their gaps filled, and a mask.
"""

import hashlib
import io
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from carbonray.execution import SampleRules
from carbonray.io.objectstore import exists, join, put_once, read_bytes
from carbonray.models.tiles import PackedTiles, TileBatch, packed
from carbonray.science.no2.scenes import SceneRules, generator_sha256, paint_targets, simulate_g1
from carbonray.science.spatial.tiling import TileRules, fill_gaps

TILES = ("no2", "mask", "wind_u", "wind_v", "rel_emission")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class SceneShard:
    """A range of scenes of one split, and the object that holds the complete observations among them.

    Attributes:
        split: 'train', 'validation' or 'test'.
        start: first scene.
        stop: after the last scene.
        url: of the Arrow file.
        complete: scenes in it, known once it is written.
    """

    split: str
    start: int
    stop: int
    url: str
    complete: int = 0


def split_ranges(rules: SampleRules) -> dict[str, tuple[int, int]]:
    """Half-open ranges of scene indices of 'train', 'validation' and 'test'; scenes are drawn independently."""
    test = round(rules.scenes * rules.test_share)
    validation = round(rules.scenes * rules.validation_share)
    train = rules.scenes - test - validation
    edges = (0, train, train + validation, rules.scenes)
    return {split: (edges[i], edges[i + 1]) for i, split in enumerate(SPLITS)}


def store_digest(rules: SampleRules, scene_rules: SceneRules, tile_rules: TileRules) -> str:
    """Digest of everything that can change a stored scene: generator, its rules, seed, targets, gap filling."""
    facts = {
        "generator": generator_sha256(),
        "scenes": asdict(scene_rules),
        "seed": rules.seed,
        "q_max_kg_s": rules.q_max_kg_s,
        "tiles": (tile_rules.min_covered, tile_rules.gap_sigma_px, tile_rules.gap_min_weight),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def planned_shards(
    rules: SampleRules, scene_rules: SceneRules, tile_rules: TileRules, url: str
) -> dict[str, list[SceneShard]]:
    """The shards of every split under a store's URL, in order of their scenes; nothing is read or written."""
    folder = join(url, f"g1-{store_digest(rules, scene_rules, tile_rules)[:16]}")
    plan: dict[str, list[SceneShard]] = {}
    for split, (start, stop) in split_ranges(rules).items():
        starts = range(start, stop, rules.shard_scenes)
        ranges = ((first, min(first + rules.shard_scenes, stop)) for first in starts)
        plan[split] = [SceneShard(split, a, b, join(folder, f"{a:07d}-{b:07d}.arrow")) for a, b in ranges]
    return plan


def written_shard(shard: SceneShard, rules: SampleRules, scene_rules: SceneRules, tile_rules: TileRules) -> SceneShard:
    """Simulates and stores one shard, unless it is there; the shard comes back with its number of scenes.

    Scenes that see too little of their tile are left out, as such tiles are in use (SCIENCE 3.10).

    Raises:
        ConflictError: other bytes are there, so the generator is not deterministic.
    """
    if exists(shard.url):
        return replace(shard, complete=len(read_shard(shard)))
    indices = np.arange(shard.start, shard.stop, dtype=np.int64)
    scenes = simulate_g1(scene_rules, indices, rules.seed)
    valid = np.isfinite(scenes.no2_umol_m2)
    complete = valid.mean(axis=(1, 2)) > tile_rules.min_covered
    filled = fill_gaps(scenes.no2_umol_m2, valid, tile_rules)
    truth = paint_targets(scenes, rules.q_max_kg_s)
    arrays = (filled, valid, scenes.wind_u_m_s, scenes.wind_v_m_s, truth)
    tiles = packed(TileBatch(*(torch.from_numpy(np.asarray(a[complete], np.float32)) for a in arrays)))
    put_once(shard.url, _arrow_bytes(indices[complete], tiles))
    return replace(shard, complete=len(tiles))


def read_shard(shard: SceneShard) -> PackedTiles:
    """The tiles of one shard."""
    table = pa.ipc.open_file(pa.BufferReader(read_bytes(shard.url))).read_all()
    side = round(table.schema.field("no2").type.list_size ** 0.5)
    return PackedTiles(*(torch.from_numpy(_tiles(table, name, side)) for name in TILES))


def column_range_umol_m2(shards: list[SceneShard]) -> tuple[float, float]:
    """Smallest and largest measured column over shards, one in memory at a time: the paper's global min-max."""
    ranges = []
    for shard in shards:
        tiles = read_shard(shard).unpacked(torch.device("cpu"))
        if not len(tiles):
            continue
        measured = tiles.no2_umol_m2[tiles.mask > 0]
        ranges.append((measured.min().item(), measured.max().item()))
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _arrow_bytes(indices: NDArray[np.int64], tiles: PackedTiles) -> bytes:
    columns = [_column(getattr(tiles, name).numpy()) for name in TILES]
    table = pa.table([pa.array(indices), *columns], names=["scene", *TILES])
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=len(table))
    return sink.getvalue()


def _column(values: NDArray[Any]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1] * values.shape[2])


def _tiles(table: pa.Table, name: str, side: int) -> NDArray[Any]:
    flat = table.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False)
    values: NDArray[Any] = np.array(flat).reshape(len(table), side, side)
    return values

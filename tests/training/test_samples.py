"""Scene shards: planned without touching a byte, the same whoever writes them, complete tiles only."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carbonray.io.objectstore import listing, read_bytes
from carbonray.models.tiles import NO2_STEP_UMOL_M2
from carbonray.science.no2.scenes import SceneRules, SourceRules, paint_targets, simulate_g1
from carbonray.science.spatial.tiling import TileRules
from carbonray.training.samples import (
    SampleRules,
    column_range_umol_m2,
    planned_shards,
    read_shard,
    split_ranges,
    store_digest,
    written_shard,
)

CPU = torch.device("cpu")
RULES = SampleRules(scenes=30, test_share=0.2, validation_share=0.2, shard_scenes=10)


def test_split_of_the_papers_size() -> None:
    """More than 210 000 scenes, of which more than 36 000 for testing."""
    ranges = split_ranges(SampleRules())
    assert ranges["test"] == (174_000, 210_000)


@given(scenes=st.integers(0, 5_000), shard=st.integers(1, 700))
def test_every_scene_is_in_exactly_one_shard_of_one_split(scenes: int, shard: int) -> None:
    rules = SampleRules(scenes=scenes, shard_scenes=shard)
    plan = planned_shards(rules, SceneRules(), TileRules(), "s3://nowhere")
    ranges = [(s.start, s.stop) for split in ("train", "validation", "test") for s in plan[split]]
    assert [a for a, _ in ranges] == [0, *(b for _, b in ranges[:-1])][: len(ranges)]
    assert sum(b - a for a, b in ranges) == scenes and all(0 < b - a <= shard for a, b in ranges)


def test_store_is_another_where_anything_of_a_scene_may_be() -> None:
    stores = {
        store_digest(RULES, SceneRules(), TileRules()),
        store_digest(replace(RULES, seed=1), SceneRules(), TileRules()),
        store_digest(replace(RULES, q_max_kg_s=2.0), SceneRules(), TileRules()),
        store_digest(RULES, SceneRules(sources=SourceRules(empty_share=0.5)), TileRules()),
        store_digest(RULES, SceneRules(), TileRules(gap_sigma_px=9.0)),
    }
    assert len(stores) == 5
    assert store_digest(replace(RULES, scenes=7, shard_scenes=3), SceneRules(), TileRules()) in stores


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("scenes"))


def test_shard_holds_the_complete_scenes_with_their_targets_and_filled_gaps(store: str) -> None:
    shard = planned_shards(RULES, SceneRules(), TileRules(), store)["train"][0]
    written = written_shard(shard, RULES, SceneRules(), TileRules())
    tiles = read_shard(written).unpacked(CPU)
    scenes = simulate_g1(SceneRules(), np.arange(10), RULES.seed)
    seen = np.isfinite(scenes.no2_umol_m2)
    complete = seen.mean(axis=(1, 2)) > 0.75
    assert written.complete == len(tiles) == complete.sum() > 0
    np.testing.assert_array_equal(tiles.mask.numpy() > 0, seen[complete])
    column, truth = scenes.no2_umol_m2[complete], paint_targets(scenes, RULES.q_max_kg_s)[complete]
    np.testing.assert_allclose(
        tiles.no2_umol_m2.numpy()[seen[complete]], column[seen[complete]].clip(-3276.7, 3276.7), atol=NO2_STEP_UMOL_M2
    )
    np.testing.assert_allclose(tiles.truth().numpy(), truth, atol=2e-5)
    assert not tiles.no2_umol_m2.isnan().any()


def test_shard_is_the_same_bytes_twice_and_is_not_written_again(store: str, tmp_path: Path) -> None:
    here, there = (planned_shards(RULES, SceneRules(), TileRules(), url)["train"][1] for url in (store, str(tmp_path)))
    first, second = (written_shard(s, RULES, SceneRules(), TileRules()) for s in (here, there))
    assert read_bytes(here.url) == read_bytes(there.url) and first.complete == second.complete
    before = Path(here.url).stat().st_mtime_ns
    assert written_shard(here, RULES, SceneRules(), TileRules()) == first
    assert Path(here.url).stat().st_mtime_ns == before


def test_column_range_of_train_only_does_not_see_the_test_scenes(store: str, tmp_path: Path) -> None:
    """The leak test: other test scenes, the same range."""
    ranges, everything = [], []
    for sources in (SourceRules(), SourceRules(q_kg_s=(90.0, 100.0), empty_share=0.0)):
        plan = planned_shards(RULES, SceneRules(), TileRules(), store)
        train = [written_shard(s, RULES, SceneRules(), TileRules()) for s in plan["train"]]
        rules = SceneRules(sources=sources)
        tested = planned_shards(RULES, rules, TileRules(), str(tmp_path))["test"]
        test = [written_shard(s, RULES, rules, TileRules()) for s in tested]
        ranges.append(column_range_umol_m2(train))
        everything.append(column_range_umol_m2([*train, *test]))
    assert ranges[0] == ranges[1] and ranges[0][0] < 0 < ranges[0][1]
    assert everything[0] != everything[1]


def test_nothing_is_written_by_planning(tmp_path: Path) -> None:
    planned_shards(RULES, SceneRules(), TileRules(), str(tmp_path))
    assert listing(str(tmp_path)) == {}

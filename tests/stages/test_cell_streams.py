"""The stream of cells: each once, tiles of a batch once, windows whole across shards, workers who share every batch."""

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from carbonray.errors import ContractError
from carbonray.models.opencarbon import OpenCarbonConfig
from carbonray.science.spatial.cells import cell_id, neighbor_ids
from carbonray.stages import cell_streams
from carbonray.stages.cell_roles import read_labelled
from carbonray.stages.cell_streams import shuffled_patches, stream_for
from tests.stages.small_cells import CATEGORIES, PX, stored, town

TOWN = town(12)
CONFIG = OpenCarbonConfig(poi_categories=CATEGORIES, image_px=PX, width=4, d=8, pad="learned_mask")
ASKED = TOWN.cell_id[::4]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Nine shards of sixteen cells, which ask for every fourth."""
    data = stored(TOWN, str(tmp_path_factory.mktemp("town")), tile=4)
    rows = read_labelled(data.shards)
    own = [np.intersect1d(rows.cell_id[rows.shard == at], ASKED) for at in range(len(data.shards))]
    return tuple(replace(shard, cells=tuple(cells.tolist())) for shard, cells in zip(data.shards, own, strict=True))


def stream(shards, config=CONFIG, batch=5, **more):
    return stream_for(config, shards, batch, **{"seed": 1, "window_shards": 3, **more})


def numbers(batches):
    return [int(number) for batch in batches for number in batch.cell_ids]


@pytest.mark.parametrize("window_shards", [1, 3, 64])
def test_every_cell_once_in_an_order_of_the_epoch(shards, window_shards):
    one = stream(shards, window_shards=window_shards)
    orders = [numbers(one.shuffled(epoch)) for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert all(sorted(order) == ASKED.tolist() for order in orders)
    assert sorted(numbers(one.in_order())) == ASKED.tolist() and len(one) == 36
    assert {len(batch) for batch in one.shuffled(0)} <= {4, 5}


@pytest.mark.parametrize("window_shards", [1, 3, 64])
def test_a_batch_shows_each_tile_once_and_every_neighbour_that_was_sampled(shards, window_shards):
    """Windows are whole where their shards are in memory: a shard holds the ring of its own cells."""
    known = set(TOWN.cell_id.tolist())
    for batch in stream(shards, window_shards=window_shards).shuffled(2):
        around = neighbor_ids(batch.cell_ids.numpy())
        there = np.isin(around, list(known))
        np.testing.assert_array_equal(batch.neighbors.numpy() >= 0, there)
        tiles = dict(zip(around[there], batch.neighbors.numpy()[there], strict=True))
        assert len(tiles) == len(set(tiles.values())) == len(batch.images)
        for at, cell in enumerate(batch.cell_ids.tolist()):
            of_town = int(np.flatnonzero(TOWN.cell_id == cell)[0])
            tile = int(batch.neighbors[at, 1, 1])
            assert float(batch.ln_e[at]) == pytest.approx(TOWN.ln[of_town], rel=1e-6)
            assert int((batch.point_tile == tile).sum()) == TOWN.busy[of_town]
            assert batch.images[tile].float().mean() == pytest.approx(200 * TOWN.bright[of_town] + 19.5, abs=2.0)


def test_at_most_two_windows_are_in_memory_and_few_shards_are_read_once(shards, monkeypatch):
    read = []
    known = cell_streams.decode_samples

    def counted(objects, where):
        read.append(where)
        return known(objects, where)

    monkeypatch.setattr(cell_streams, "decode_samples", counted)
    batches = stream(shards, window_shards=1, batch=4).shuffled(0)
    for taken in range(1, 10):
        next(batches)
        assert len(read) <= taken + 1
    read.clear()
    few = stream(shards, window_shards=16)
    for epoch in range(3):
        assert len(numbers(few.shuffled(epoch))) == len(numbers(few.in_order())) == 36
    assert Counter(read) == Counter(shard.url for shard in shards)


@pytest.mark.parametrize("world", [2, 3])
def test_workers_share_every_batch_and_judge_all_cells(shards, world):
    whole = [numbers([batch]) for batch in stream(shards, batch=8).shuffled(1)]
    workers = [stream(shards, batch=8, rank=rank, world=world) for rank in range(world)]
    for parts, batch in zip(zip(*(list(one.shuffled(1)) for one in workers), strict=True), whole, strict=True):
        assert [numbers([part]) for part in parts] == [batch[rank::world] for rank in range(world)]
    assert all(sorted(numbers(one.in_order())) == ASKED.tolist() for one in workers)
    with pytest.raises(ContractError, match="batches of 7 cells for 5 workers"):
        next(stream(shards, batch=8, world=5).shuffled(0))


def test_a_network_gets_what_it_reads_and_no_more(shards):
    alone = replace(CONFIG, neighborhood=False)
    (batch,) = stream(shards, alone, batch=99, window_shards=64).in_order()
    assert batch.neighbors.shape == (36, 1, 1) and len(batch.images) == 36
    blind = replace(alone, modalities=("poi",))
    (batch,) = stream(shards, blind, batch=99, window_shards=64).in_order()
    assert batch.images.shape == (36, 3, 1, 1) and bool(batch.image_present.all())


def test_authors_padding_is_the_first_tile_of_the_window(shards):
    authors = replace(CONFIG, pad="authors")
    (batch,) = stream(shards, authors, batch=99, window_shards=64).in_order()
    corner = int((batch.cell_ids == TOWN.cell_id[0]).nonzero()[0])
    around = batch.neighbors[corner]
    assert int(around[1, 1]) == 0 and around[0].tolist() == [0, 0, 0] and around[:, 0].tolist() == [0, 0, 0]
    assert bool((batch.neighbors >= 0).all()) and bool(batch.present().all())


def test_a_stream_travels_without_the_shards_it_keeps(shards):
    one = stream(shards, window_shards=64)
    whole = numbers(one.in_order())
    data = pickle.dumps(one)
    assert len(data) < 8000 and numbers(pickle.loads(data).in_order()) == whole


def test_no_shards_no_batches_and_a_cell_of_no_shard_is_a_fault(shards):
    assert list(stream(()).shuffled(0)) == list(stream(()).in_order()) == []
    with pytest.raises(ContractError, match="1 of 5 cells are no samples"):
        list(stream((replace(shards[0], cells=(*shards[0].cells, 7)),)).in_order())


@pytest.mark.parametrize("side", [1, 3, 4])
def test_squares_of_cells_stay_together_in_an_order_of_chance(side: int) -> None:
    row, col = (part.ravel() for part in np.mgrid[100:112, 200:212])
    cells = cell_id(row, col)
    orders = [shuffled_patches(cells, side, np.random.default_rng(seed)) for seed in (0, 1)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(144))
        square = (row // side * 1000 + col // side)[order]
        assert (np.diff(square) != 0).sum() == (143 if side == 1 else len(set(square)) - 1)
    assert not np.array_equal(*orders)

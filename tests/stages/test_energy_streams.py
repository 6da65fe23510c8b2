"""The stream of rows: each once, countries mixed as they are read, few windows in memory, workers share every batch."""

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from carbonray.errors import ContractError
from carbonray.models.clean import mix_batch
from carbonray.science.energy.mix import stacked
from carbonray.science.energy.splits import TEST, TRAIN, VALIDATE, sample
from carbonray.stages import energy_streams
from carbonray.stages.energy_streams import EnergyStream, RowTable
from tests.stages.small_energy import COMPOSITES, SPLIT, SYNTHESIS, divided, land, stored

LAND = land()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return stored(LAND, str(tmp_path_factory.mktemp("land")))


@pytest.fixture(scope="module")
def shards(data):
    """Of the rows that teach where Borduria is held out."""
    of = divided(data)
    return of.shards(of.rows_of(of.turn(2)), TRAIN)


def stream(shards, batch=25, **more):
    return EnergyStream(shards, batch, **{"window_rows": 150, "seed": 1, **more})


def totals(batches):
    """ln E of every row: none is twice in the land."""
    return [float(number) for batch in batches for number in batch.ln_e]


@pytest.mark.parametrize("role", [TRAIN, VALIDATE, TEST])
@pytest.mark.parametrize("protocol", ["region", "time", "paper"])
def test_the_rows_of_a_role_are_those_of_the_division_held_whole(data, role, protocol):
    """Amounts read shard by shard, countries mixed from theirs, are those that science mixes with all rows at hand."""
    of = divided(data, protocol=protocol)
    order = np.lexsort((LAND.start_ns, LAND.region.astype(str)))
    for turn in range(len(of.turns)):
        whole = sample(LAND.rows(order), of.turns[turn], of.split, SYNTHESIS, COMPOSITES).of(role)
        found = stacked(list(stream(of.shards(of.rows_of(of.turn(turn)), role)).parts()))
        assert len(found) == len(whole) > 0
        (one, other) = (rows.rows(np.lexsort((rows.start_ns, rows.region.astype(str)))) for rows in (found, whole))
        assert one.region.tolist() == other.region.tolist() and np.array_equal(one.start_ns, other.start_ns)
        assert np.array_equal(one.end_ns, other.end_ns)
        np.testing.assert_allclose(one.energy, other.energy, rtol=1e-12)
        np.testing.assert_allclose(one.emissions, other.emissions, rtol=1e-12)


@pytest.mark.parametrize("window_rows", [1, 150, 10_000])
def test_every_row_once_in_an_order_of_the_epoch(shards, window_rows):
    one = stream(shards, window_rows=window_rows)
    orders = [totals(one.shuffled(epoch)) for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2] != sorted(orders[2])
    assert all(sorted(order) == sorted(totals(one.in_order())) for order in orders)
    sizes = {len(batch) for batch in one.shuffled(0)}
    assert len(one) == len(orders[0]) and max(sizes) <= 25 and max(sizes) - min(sizes) <= 1


def test_few_windows_are_in_memory_and_few_rows_are_read_once(shards, monkeypatch):
    read = []
    known = energy_streams.decode_table

    def counted(data, schema):
        read.append(len(data))
        return known(data, schema)

    monkeypatch.setattr(energy_streams, "decode_table", counted)
    most = max(len(shard.tables) for shard in shards)
    batches = stream(shards, window_rows=1, batch=4).shuffled(0)
    next(batches)
    assert len(read) <= 3 * most, "the window in use, the one before that it goes on from, and the one ahead"
    list(batches)
    read.clear()
    few = stream(shards, window_rows=10_000)
    for epoch in range(3):
        assert len(totals(few.shuffled(epoch))) == len(totals(few.in_order())) == len(few)
    assert len(read) == len({table.url for shard in shards for table in shard.tables})


@pytest.mark.parametrize("world", [2, 3])
def test_workers_share_every_batch_and_judge_all_rows(shards, world):
    whole = [totals([batch]) for batch in stream(shards).shuffled(1)]
    workers = [stream(shards, rank=rank, world=world) for rank in range(world)]
    for parts, batch in zip(zip(*(list(one.shuffled(1)) for one in workers), strict=True), whole, strict=True):
        assert [totals([part]) for part in parts] == [batch[rank::world] for rank in range(world)]
    assert all(totals(one.in_order()) == totals(workers[0].in_order()) for one in workers)
    few = replace(shards[0], rows=shards[0].rows[:, :4])
    with pytest.raises(ContractError, match="batches of 4 rows for 5 workers"):
        next(stream((few,), batch=8, world=5).shuffled(0))


def test_batches_hold_what_the_network_reads(shards):
    found = stream(shards, window_rows=10_000, batch=10_000)
    (rows,), (batch,) = found.parts(), found.in_order()
    whole = mix_batch(rows.energy, rows.emissions)
    for name in ("source_share", "ln_g", "sector_share", "ln_e"):
        assert torch.equal(getattr(batch, name), getattr(whole, name))
    counts = Counter(rows.region.tolist())
    assert {"synthesised-0000", "synthesised-0001"} < set(counts) and "Borduria" not in counts


def test_a_stream_travels_without_the_rows_it_keeps(shards):
    one = stream(shards, window_rows=10_000)
    whole = totals(one.in_order())
    data = pickle.dumps(one)
    assert len(data) < 20_000 and totals(pickle.loads(data).in_order()) == whole
    assert pickle.loads(data).digest() == one.digest() != replace(one, seed=2).digest()


def test_no_shards_no_batches_and_another_table_than_was_listed_is_a_fault(shards):
    assert list(stream(()).shuffled(0)) == list(stream(()).in_order()) == []
    other = replace(shards[0], tables=(RowTable(shards[0].tables[0].url, "0" * 64),))
    with pytest.raises(ContractError, match="another than the one that was listed"):
        list(stream((other,)).in_order())


def test_the_digest_holds_rows_tables_and_recipes(data, shards):
    assert SPLIT.protocol == "region"
    last = shards[-1]
    assert last.recipe is not None
    changed = [
        replace(last, recipe=replace(last.recipe, size=1.0)),
        replace(last, rows=last.rows[:, 1:]),
        replace(last, tables=last.tables[::-1] if len(set(last.tables)) > 1 else (data.tables[0],) * len(last.tables)),
    ]
    digests = {stream((shard,)).digest() for shard in (last, *changed)}
    assert len(digests) == 4

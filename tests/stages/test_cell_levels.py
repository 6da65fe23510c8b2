"""Levels hold equally many cells, trends are found where there are some, and gates are those of the network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ContractError, DataError
from carbonray.models.opencarbon import OpenCarbon, OpenCarbonConfig
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.science.urban.cell_splits import CellSplitRules, group_names
from carbonray.stages.cell_levels import (
    GatedCells,
    LevelRules,
    WeighedCells,
    attention_tables,
    category_table,
    emission_levels,
    gated_cells,
    trend_of,
)
from carbonray.stages.cell_streams import stream_for
from carbonray.vocab.cell_insight_tables import CELL_ATTENTION_LEVELS, CELL_ATTENTION_TRENDS, CELL_CATEGORY_WEIGHTS
from tests.stages.small_cells import CATEGORIES, PX, stored, town

KEYS = {"city": "Arden", "judged_by": "label", "data_tier": "SYNTHETIC-T1"}
RULES = LevelRules(bootstrap=BootstrapRules(resamples=300))
TOWN = town()
RNG = np.random.default_rng(5)
NOISE = RNG.normal(size=len(TOWN.cell_id))


def weighed(instances: int = 1) -> WeighedCells:
    instance = np.array([str(at % instances) for at in range(len(TOWN.cell_id))])
    return WeighedCells(KEYS, TOWN.cell_id, TOWN.ln, instance)


@given(st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=60), st.integers(1, 5))
def test_levels_are_equally_large_and_follow_emissions(ln_e, levels):
    values = np.array(ln_e)
    level = emission_levels(values, levels)
    sizes = np.bincount(level, minlength=levels + 1)[1:]
    assert sizes.sum() == len(ln_e) and np.ptp(sizes) <= 1
    for number in range(1, levels):
        assert values[level == number].max() <= values[level == number + 1].min()


def test_fewer_cells_than_levels_are_refused():
    with pytest.raises(DataError, match="3 cells for 5 levels"):
        emission_levels(np.arange(3.0), 5)


@pytest.mark.parametrize(("slope", "trend"), [(1.0, "rises"), (-1.0, "falls"), (0.0, "none")])
def test_a_trend_is_found_where_there_is_one(slope, trend):
    weight = 0.5 + 0.05 * (slope * (TOWN.ln - TOWN.ln.mean()) + NOISE)
    levels, trends = attention_tables(weighed(), {"own": weight}, RULES)
    assert levels.schema == CELL_ATTENTION_LEVELS and trends.schema == CELL_ATTENTION_TRENDS
    assert trends.column("trend").to_pylist() == [trend, trend]
    means = np.array(levels.column("poi_weight").to_pylist())
    assert means.mean() == pytest.approx(weight.mean())  # levels are equally large
    apart = trends.to_pylist()[0]
    assert apart["measure"] == "top_minus_bottom" and apart["value"] == pytest.approx(means[-1] - means[0])
    assert all(row["p05"] <= row["poi_weight"] <= row["p95"] for row in levels.to_pylist())
    blocks = group_names(TOWN.cell_id, [""] * len(TOWN.cell_id), CellSplitRules())
    assert apart["blocks"] == len(set(blocks)) and apart["cells"] == len(TOWN.cell_id)


def test_every_instance_is_looked_at_alone_and_all_together():
    told = {"own": 0.5 + 0.01 * NOISE, "around": 0.4 + 0.01 * NOISE}
    levels, trends = attention_tables(weighed(3), told, RULES)
    assert levels.num_rows == 4 * 2 * 5 and trends.num_rows == 4 * 2 * 2
    assert sorted(set(trends.column("instance").to_pylist())) == ["0", "1", "2", "all"]
    alone = replace(weighed(3), instance=np.full(len(TOWN.cell_id), "2")).rows(np.arange(len(TOWN.cell_id)) % 3 == 2)
    own = {name: weight[2::3] for name, weight in told.items()}
    expected, _ = attention_tables(alone, own, RULES)
    assert [row for row in levels.to_pylist() if row["instance"] == "2"] == expected.to_pylist()


def test_the_order_of_cells_changes_nothing():
    weight, turned = 0.5 + 0.01 * NOISE, RNG.permutation(len(NOISE))
    cells = weighed(2)
    mixed = WeighedCells(KEYS, cells.cell_id[turned], cells.ln_e[turned], cells.instance[turned])
    for one, two in zip(
        attention_tables(cells, {"own": weight}, RULES),
        attention_tables(mixed, {"own": weight[turned]}, RULES),
        strict=True,
    ):
        for first, second in zip(one.to_pylist(), two.to_pylist(), strict=True):
            assert list(first) == list(second)
            for name, value in first.items():
                assert second[name] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value)


def test_cells_without_weights_are_refused():
    weight = np.where(np.arange(len(NOISE)) < 7, np.nan, 0.5)
    with pytest.raises(DataError, match="7 of 400 cells without weights told by 'own'"):
        attention_tables(weighed(), {"own": weight}, RULES)


def test_an_interval_that_holds_0_shows_no_trend():
    assert [trend_of(0.1, 0.2), trend_of(-0.2, -0.1), trend_of(-0.1, 0.2)] == ["rises", "falls", "none"]
    assert trend_of(float("nan"), float("nan")) == "none"


def test_shares_of_categories_sum_to_one_at_every_level():
    n = len(TOWN.cell_id)
    share = RNG.dirichlet(np.ones(3), n)
    found = category_table(weighed(2), GatedCells(TOWN.cell_id, share, np.ones((n, 3))), ("a", "b", "c"), RULES)
    assert found.schema == CELL_CATEGORY_WEIGHTS and found.num_rows == 3 * 6 * 3
    sums = found.group_by(["instance", "level"]).aggregate([("weight", "sum")])
    np.testing.assert_allclose(sums.column("weight_sum").to_numpy(), 1.0)
    first = found.to_pylist()[0]
    assert (first["instance"], first["level"], first["category"]) == ("all", 0, "a")
    assert first["weight"] == pytest.approx(share[:, 0].mean()) and first["points"] == 1.0


def test_gates_are_the_networks_own_cell_by_cell(tmp_path):
    torch.manual_seed(0)
    shape = OpenCarbonConfig(poi_categories=CATEGORIES, image_px=PX, width=4, d=8)
    network, data = OpenCarbon(shape).eval(), stored(TOWN, str(tmp_path))
    asked = tuple(replace(shard, cells=(int(shard_cells(shard.url)),)) for shard in data.shards[:2])
    found = gated_cells(network, stream_for(shape, asked, 64))
    assert found.cell_id.tolist() == [shard.cells[0] for shard in asked]
    at = np.searchsorted(TOWN.cell_id, found.cell_id)
    assert found.points.sum(axis=1).tolist() == TOWN.busy[at].tolist()
    np.testing.assert_allclose(found.weight.sum(axis=1), 1.0, rtol=1e-5)
    for batch in stream_for(shape, asked, 1).in_order():
        own = int(batch.neighbors[0, 1, 1])
        expected = network.category_weights(batch.raster(CATEGORIES, PX)[[own]])[0].detach().numpy()
        place = found.cell_id.tolist().index(int(batch.cell_ids[0]))
        np.testing.assert_allclose(found.weight[place], expected, rtol=1e-5)


def shard_cells(url: str) -> int:
    """Some labelled cell of a tile of the town: its middle one."""
    tile = int(url.rpartition("tile-")[2].removesuffix(".zarr"))
    return int(TOWN.cell_id[(tile // 100 * 10 + 5) * 20 + tile % 100 * 10 + 5])


@pytest.mark.parametrize("changes", [{"se": False}, {"modalities": ("image",)}])
def test_a_network_without_gates_is_refused(changes):
    shape = OpenCarbonConfig(poi_categories=CATEGORIES, image_px=PX, width=4, d=8, **changes)
    with pytest.raises(ContractError, match="without gates"):
        gated_cells(OpenCarbon(shape), stream_for(shape, (), 8))

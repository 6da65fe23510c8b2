"""What the reduce pass plans from the ledger: the same units in whatever order orbits were committed."""

from hypothesis import given
from hypothesis import strategies as st

from carbonray.engine.run import Run
from carbonray.execution import EngineRules
from carbonray.io.grid_layout import HOTSPOT_VARIABLES, NO2_LATTICE, GridLayout, GridRules
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.pipelines.hotspots import Pinned, data_tier, grid_layout, reduce_pass
from carbonray.settings import load

SETTINGS = load()
RUN = Run("file:///nowhere/run", "hotspots", "digest", EngineRules())
BUNDLE = Pinned("file:///nowhere/bundle", "0" * 64, "unet", 0.2)
LAYOUT = GridLayout((2021, 2022), HOTSPOT_VARIABLES, NO2_LATTICE, GridRules())


def committed(number: int, days: list[int], shards: list[list[int]]) -> Commit:
    record = ObjectRecord(f"partials/orbit-{number}.parquet", f"{number:064d}", 10)
    facts = {"daily": [[day, 5, 1] for day in days], "shards": shards, "data_tier": "REAL"}
    return Commit("detect", f"id-{number}", f"orbit-{number}", "committed", "", (record,), {}, {}, facts)


def set_aside(number: int) -> Commit:
    return Commit("detect", f"id-{number}", f"orbit-{number}", "quarantined", "bad", (), {}, {}, {})


COMMITS = [
    committed(1, [18_992, 18_993], [[6, 11], [6, 12]]),  # on either side of the new year
    committed(2, [18_833], [[6, 11]]),
    committed(3, [18_833], [[6, 11], [7, 11]]),
    committed(4, [], []),  # judged nothing
    set_aside(5),
]


@given(st.permutations(COMMITS))
def test_the_order_of_commits_changes_no_unit(commits):
    found = reduce_pass(RUN, commits, LAYOUT, SETTINGS, BUNDLE).units
    assert found == reduce_pass(RUN, COMMITS, LAYOUT, SETTINGS, BUNDLE).units


def test_a_unit_is_a_shard_and_year_and_reads_what_touches_it_by_its_first_day():
    units = {unit.key: unit for unit in reduce_pass(RUN, COMMITS, LAYOUT, SETTINGS, BUNDLE).units}
    assert list(units) == [
        "2021-shard-06-11", "2021-shard-06-12", "2021-shard-07-11", "2022-shard-06-11", "2022-shard-06-12",
    ]  # fmt: skip
    read = [url.rsplit("-", 1)[1] for url in units["2021-shard-06-11"].inputs]
    assert read == ["2.parquet", "3.parquet", "1.parquet"]
    assert [url.rsplit("-", 1)[1] for url in units["2022-shard-06-12"].inputs] == ["1.parquet"]


def test_another_bundle_or_partial_is_another_unit():
    plain = {unit.unit_id for unit in reduce_pass(RUN, COMMITS, LAYOUT, SETTINGS, BUNDLE).units}
    assert len(plain) == 5
    other = [committed(9, [18_833], [[6, 11]]), *COMMITS[1:]]
    changed = {unit.unit_id for unit in reduce_pass(RUN, other, LAYOUT, SETTINGS, BUNDLE).units}
    assert len(plain & changed) == 1  # the one shard that neither touches


def test_years_and_tier_are_those_of_the_orbits_that_were_used():
    assert grid_layout(COMMITS, SETTINGS).years == (2021, 2022)
    assert grid_layout([set_aside(5)], SETTINGS).years == (1970,)
    assert (data_tier(COMMITS), data_tier([set_aside(5)])) == ("REAL", "none")

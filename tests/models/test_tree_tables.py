"""Where trees are grown follows from counts alone: memory, workers, and who reads which file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import SettingsError
from carbonray.models.tree_tables import PROCESS_GB, TreeTableRules, dealt, fit_gb, tree_workers

RULES = TreeTableRules(max_local_gb=8.0)
FEATURES, BINS = 1224, 128  # of Sentinel-2, of TreeRules


def test_a_table_is_taken_for_so_many_times_its_bytes() -> None:
    # 2.5 x 60 000 x 1000 x 4 bytes, and 4 kB a bin of every feature: 1.1 GB, of which 1.0 GB was measured
    assert fit_gb(60_000, 1000, 128) == pytest.approx(PROCESS_GB + 0.6 + 0.512)


def test_small_tables_stay_here_and_larger_ones_are_dealt_to_as_few_as_have_room() -> None:
    assert tree_workers(1000, FEATURES, BINS, RULES) == 1
    assert tree_workers(560_000, FEATURES, BINS, RULES) == 1
    assert tree_workers(570_000, FEATURES, BINS, RULES) == 2
    assert tree_workers(10_000_000, FEATURES, BINS, RULES) == 18
    assert tree_workers(10_000_000, FEATURES, BINS, TreeTableRules(max_local_gb=8.0, workers=5)) == 5
    assert tree_workers(1000, FEATURES, BINS, TreeTableRules(max_local_gb=8.0, workers=5)) == 1


@given(st.integers(1, 10**8), st.integers(1, 5000), st.integers(2, 512), st.floats(12.0, 500.0))
def test_workers_keep_below_the_limit_and_one_fewer_would_not(rows, features, bins, limit_gb) -> None:
    rules = TreeTableRules(max_local_gb=limit_gb)
    try:
        workers = tree_workers(rows, features, bins, rules)
    except SettingsError:
        assert fit_gb(rows / 1024, features, bins) > limit_gb
        return
    assert fit_gb(rows / workers, features, bins) <= limit_gb * (1 + 1e-9)
    if workers > 2:
        assert fit_gb(rows / (workers - 1), features, bins) > limit_gb * (1 - 1e-9)


def test_a_limit_that_bins_alone_take_is_refused_with_what_they_take() -> None:
    with pytest.raises(SettingsError, match=r"no number of workers .*more than 1\.13 GB"):
        tree_workers(10**6, FEATURES, BINS, TreeTableRules(max_local_gb=1.1))


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40), st.data())
def test_every_file_has_one_reader_and_every_reader_a_file(rows, data) -> None:
    workers = data.draw(st.integers(1, len(rows)))
    hands = dealt(rows, workers)
    assert sorted(position for hand in hands for position in hand) == list(range(len(rows)))
    assert len(hands) == workers and all(hands) and dealt(rows, workers) == hands
    held = [sum(rows[position] for position in hand) for hand in hands]
    assert max(held) - min(held) <= max(rows)


def test_the_largest_files_are_dealt_first() -> None:
    assert dealt([10, 50, 20, 40], 2) == ((0, 1), (2, 3))

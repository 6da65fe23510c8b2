"""Batches dealt from windows: even, full, every row once, whatever the windows are."""

from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from carbonray.io.read_ahead import dealt, even_sizes, in_groups, read_by_thread, windows_of


@given(rows=st.integers(0, 500), most=st.integers(1, 60), least=st.integers(1, 2))
def test_batches_are_even_few_and_never_below_the_least(rows: int, most: int, least: int) -> None:
    sizes = list(even_sizes(rows, most, least))
    assert sum(sizes) == rows and (not sizes or max(sizes) - min(sizes) <= 1)
    assert rows < least or min(sizes) >= least
    assert not sizes or max(sizes) <= max(most, 2 * least - 1)
    assert most < 2 * least or len(sizes) == -(-rows // most)


@given(rows=st.integers(1, 200), window=st.integers(1, 50), most=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_every_row_is_dealt_once_in_batches_of_the_sizes(rows: int, window: int, most: int, seed: int) -> None:
    rng, sizes = np.random.default_rng(seed), even_sizes(rows, most)
    wanted = list(sizes)
    batches = [
        held[chosen]
        for held, chosen in dealt(
            iter(np.array(group) for group in in_groups(range(rows), window)),
            sizes,
            join=np.concatenate,
            order=lambda held: rng.permutation(len(held)),
            rest=lambda held, left: held[left],
        )
    ]
    assert [len(batch) for batch in batches] == wanted and sizes == deque()
    assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(rows))


def test_what_one_window_holds_is_kept_and_never_read_again() -> None:
    read: list[int] = []

    def counted(group: list[int]) -> int:
        read.append(len(group))
        return sum(group)

    assert list(windows_of([1, 2, 3], 3, read_by_thread, counted, lambda: 6)) == [6] and not read
    assert list(windows_of([1, 2, 3], 2, read_by_thread, counted, lambda: 6)) == [3, 3] and read == [2, 1]
    assert not list(windows_of([], 2, read_by_thread, counted, lambda: 6))

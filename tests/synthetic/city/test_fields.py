"""Random numbers by key, smooth fields, interpolation and hashes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from carbonray.synthetic.city.fields import generator, hashed, interpolated, rank_of, smooth_field, unit


def test_a_stream_is_its_key():
    draws = [generator(*key).random(4) for key in ((1, 2, "points", 3), (1, 2, "points", 3), (1, 2, "points", 4))]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0], generator(1, 2, "rates", 3).random(4))


def test_a_field_is_standard_and_correlated_over_its_range():
    field = smooth_field(np.random.default_rng(0), (400, 500), (100.0, 50.0), 1000.0)
    assert abs(field.mean()) < 1e-5 and abs(field.std() - 1.0) < 1e-5
    down, along = (np.mean(field * np.roll(field, by, axis)) for axis, by in ((0, 10), (1, 20)))
    assert 0.2 < down < 0.6 and 0.2 < along < 0.6  # 1000 m in both directions, whatever the steps
    assert abs(np.mean(field * np.roll(field, 60, 0))) < 0.15


def test_ranks_are_uniform():
    rank = rank_of(np.array([[3.0, 1.0], [2.0, 9.0]], np.float32))
    np.testing.assert_allclose(rank, [[0.625, 0.125], [0.375, 0.875]])


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32))
def test_interpolation_is_exact_on_the_lattice_and_between_its_values_elsewhere(rows, cols, seed):
    rng = np.random.default_rng(seed)
    field = rng.standard_normal((rows, cols)).astype(np.float32)
    np.testing.assert_allclose(interpolated(field, np.arange(rows) * 1.0, np.arange(cols) * 1.0), field, atol=1e-6)
    places = [np.sort(rng.uniform(-1.0, size, 5)) for size in (rows, cols)]
    found = interpolated(field, *places)
    assert field.min() - 1e-5 <= found.min() and found.max() <= field.max() + 1e-5


def test_a_plane_is_interpolated_exactly():
    rows, cols = np.indices((6, 7)).astype(np.float32)
    places = np.array([0.25, 2.5, 4.9]), np.array([0.0, 3.3])
    found = interpolated(2 * rows - 3 * cols, *places)
    np.testing.assert_allclose(found, 2 * places[0][:, None] - 3 * places[1][None, :], atol=1e-5)


def test_hashes_are_uniform_and_know_the_order_of_their_keys():
    row, col = (each.ravel() for each in np.indices((200, 200)) - 100)
    bits = hashed(np.uint64(7), row, col)
    assert np.unique(bits).size == bits.size
    for part in range(4):
        share = unit(bits, part)
        assert share.min() >= 0.0 and share.max() < 1.0
        assert abs(share.mean() - 0.5) < 0.01 and abs(share.std() - 12**-0.5) < 0.01
        assert abs(np.corrcoef(share, unit(bits, (part + 1) % 4))[0, 1]) < 0.03
    assert not np.array_equal(bits, hashed(np.uint64(7), col, row))
    assert not np.array_equal(bits, hashed(np.uint64(8), row, col))

"""Samples of cells: what is written is read, joined tiles keep their own labels, and broken groups are refused."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError, DataError
from carbonray.io.cell_store import CellSamples, decode_samples, encode_samples, joined_samples

SIDE = 6


def drawn(numbers, own=None, seed=0, *, images=True, points=True):
    """Samples whose every value follows from the cell's number and the seed."""
    cell_id = np.array(sorted(numbers), np.int64)
    rngs = [np.random.default_rng((seed, number)) for number in cell_id.tolist()]
    present = np.array([bool(rng.integers(4)) and images for rng in rngs], np.bool_)
    count = np.array([rng.integers(5) * points for rng in rngs], np.int32)
    own = np.ones(len(cell_id), np.bool_) if own is None else np.isin(cell_id, list(own))
    ln = np.array([rng.normal() for rng in rngs])
    pictures = [rng.integers(0, 255, (3, SIDE, SIDE)) for rng, there in zip(rngs, present, strict=True) if there]
    placed = [rng.integers(0, 9, (n, 3)) for rng, n in zip(rngs, count, strict=True)]
    return CellSamples(
        cell_id=cell_id,
        own=own,
        image_present=present,
        poi_present=count > 1,
        ln_t_co2=np.where(own, ln, np.nan),
        radiance=ln.astype(np.float32),
        n_points=count,
        images=np.concatenate([np.zeros((0, 3, SIDE, SIDE), np.uint8), *(p[None].astype(np.uint8) for p in pictures)]),
        points=np.concatenate([np.zeros((0, 3), np.uint16), *(p.astype(np.uint16) for p in placed)]),
    )


def assert_alike(found, expected):
    for field in fields(CellSamples):
        got, wanted = getattr(found, field.name), getattr(expected, field.name)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("more", [{}, {"images": False}, {"points": False}, {"images": False, "points": False}])
def test_what_is_written_is_read_and_always_the_same_bytes(more):
    samples = drawn(range(10, 40), own=range(15, 30), **more)
    objects = encode_samples(samples, {"data_tier": "REAL"})
    assert objects == encode_samples(samples, {"data_tier": "REAL"}) and list(objects)[-1] == "zarr.json"
    assert_alike(decode_samples(objects, "x"), samples)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 40), min_size=1), st.sets(st.integers(0, 40), min_size=1), st.integers(0, 9))
def test_joined_tiles_are_the_cells_of_both_with_the_labels_of_their_own_tile(left, right, seed):
    """Two tiles cut from one town, each with a ring of the other's cells that it knows no label of."""
    whole = drawn(left | right, seed=seed)
    parts = [drawn(left, seed=seed), drawn(right, own=right - left, seed=seed)]
    assert_alike(joined_samples(parts), whole)
    assert_alike(joined_samples(parts[::-1]), whole)
    assert joined_samples(parts[:1]) is parts[0]


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, 29), min_size=1))
def test_rows_are_the_cells_themselves(chosen):
    assert_alike(drawn(range(30)).rows(np.array(sorted(chosen))), drawn(chosen))


def test_samples_without_images_keep_who_has_one():
    samples = drawn(range(20))
    small = samples.without_images()
    assert small.images.shape == (samples.image_present.sum(), 3, 1, 1)
    np.testing.assert_array_equal(small.image_present, samples.image_present)


@pytest.mark.parametrize(
    "change",
    [
        {"cell_id": np.arange(20)[::-1].copy()},
        {"n_points": np.zeros(20, np.int32)},
        {"image_present": np.zeros(20, np.bool_)},
        {"radiance": np.zeros(3, np.float32)},
    ],
    ids=str,
)
def test_samples_that_do_not_fit_together_are_refused(change):
    with pytest.raises(ContractError, match="samples of the shapes"):
        replace(drawn(range(20)), **change)


@pytest.mark.parametrize("key", ["points/c/0/0", "images/c/0/0/0/0", "cell_id/c/0", "zarr.json"])
def test_groups_that_are_not_whole_are_bad_data(key):
    objects = encode_samples(drawn(range(20)), {})
    with pytest.raises(DataError, match="cannot be read"):
        decode_samples({name: data for name, data in objects.items() if name != key}, "tile")
    with pytest.raises(DataError, match="cannot be read"):
        decode_samples({**objects, key: objects[key][:-3] + b"abc"}, "tile")

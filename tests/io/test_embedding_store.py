"""Embeddings by tile: what was written is what is read, and a store of tiles opens as any Zarr."""

import hypothesis.strategies as st
import numpy as np
import pytest
import zarr
from hypothesis import given, settings

from carbonray.errors import ContractError, DataError
from carbonray.io import embedding_store
from carbonray.io.embedding_store import IMAGE, PLANNED, POI, EmbeddingLayout, TileEmbeddings

LAYOUT = EmbeddingLayout(instances=2, width=3, tile_cells=12)


def tile(seed: int, tile_row: int = 5, tile_col: int = 3599, count: int = 20) -> TileEmbeddings:
    rng = np.random.default_rng(seed)
    place = np.sort(rng.choice(144, count, replace=False))
    state = (PLANNED | rng.choice([0, IMAGE, POI, IMAGE | POI], count)).astype(np.uint8)
    image, poi = rng.normal(size=(2, count, 2, 3)).astype(np.float32)
    image[(state & IMAGE) == 0], poi[(state & POI) == 0] = np.nan, np.nan
    row, col = tile_row * 12 + place // 12, tile_col * 12 + place % 12
    return TileEmbeddings(row, col, state, rng.integers(-1, 99, count).astype(np.int32), image, poi)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 144))
def test_a_tile_comes_back_to_the_bit(seed: int, count: int) -> None:
    written = tile(seed, count=count)
    objects = embedding_store.encode_tile(LAYOUT, 5, 3599, written)
    assert set(objects) == set(embedding_store.tile_keys(5, 3599))
    read = embedding_store.decode_tile(LAYOUT, 5, 3599, objects, "here")
    for name, values in vars(written).items():
        assert np.array_equal(vars(read)[name], values, equal_nan=name in ("image", "poi")), name
        assert vars(read)[name].dtype == values.dtype


def test_the_same_tile_is_the_same_bytes() -> None:
    assert embedding_store.encode_tile(LAYOUT, 5, 3599, tile(3)) == embedding_store.encode_tile(
        LAYOUT, 5, 3599, tile(3)
    )


def test_tiles_and_metadata_are_one_zarr_store(tmp_path) -> None:  # type: ignore[no-untyped-def]
    objects = embedding_store.template(LAYOUT) | embedding_store.encode_tile(LAYOUT, 5, 3599, tile(3))
    for key, data in objects.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(data)
    group = zarr.open_group(tmp_path, mode="r")
    cell = tile(3)
    found = group["image"][:, cell.row[4], cell.col[4]]  # type: ignore[index]
    assert np.array_equal(found, cell.image[4], equal_nan=True)
    assert np.isnan(group["image"][:, 0, 0]).all()  # type: ignore[index]


def test_a_cell_of_another_tile_is_refused() -> None:
    with pytest.raises(ContractError, match="outside the tile"):
        embedding_store.encode_tile(LAYOUT, 5, 3598, tile(3))


def test_an_absent_object_is_no_silence() -> None:
    objects = embedding_store.encode_tile(LAYOUT, 5, 3599, tile(3))
    del objects["poi/c/0/5/3599/0"]
    with pytest.raises(DataError, match="poi/c/0/5/3599/0"):
        embedding_store.decode_tile(LAYOUT, 5, 3599, objects, "here")


def test_tiles_must_divide_the_lattice() -> None:
    with pytest.raises(ContractError, match="tiles of 7 cells"):
        embedding_store.template(EmbeddingLayout(1, 32, 7))

"""A small Zarr v3 group as objects in memory: named arrays, each in one shard, sealed by their checksums.

Source: Zarr v3 core and sharding specifications. The group is written whole and read whole, so that a sink can put
the objects atomically, one writer owns every shard, and no byte is trusted that its writer did not sign: sharding
checks only its index, and an absent shard would read as missing data. Keys are relative to the group.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu
from zarr.codecs import BloscCodec
from zarr.storage import MemoryStore

from carbonray.errors import DataError

_SEALS = "sha256"  # attribute of the group: digest of each array's shard


@dataclass(frozen=True)
class ArrayNotes:
    """What a reader of one array is told: its dimensions and its units."""

    dimensions: tuple[str, ...]
    units: str
    long_name: str


def encode_group(
    arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, ArrayNotes], attributes: Mapping[str, Any], chunk_rows: int
) -> dict[str, bytes]:
    """The group's objects by key, `zarr.json` last: put in that order, a reader that finds it finds all.

    Args:
        arrays: name -> array of numbers, at least one row each.
        notes: name -> its notes.
        attributes: JSON values to keep beside the arrays.
        chunk_rows: rows in a chunk of a shard.
    """
    objects: dict[str, Buffer] = {}
    group = zarr.create_group(MemoryStore(objects), zarr_format=3)
    for name, values in arrays.items():
        _write(group, name, values, notes[name], chunk_rows)
    seals = {
        name: hashlib.sha256(objects[_shard_key(name, values)].to_bytes()).hexdigest()
        for name, values in arrays.items()
    }
    group.attrs.put({**attributes, _SEALS: seals})
    root = objects.pop("zarr.json").to_bytes()
    return {**{key: objects[key].to_bytes() for key in sorted(objects)}, "zarr.json": root}


def decode_group(objects: Mapping[str, bytes], where: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays by name, and attributes, from the group's objects.

    Raises:
        DataError: the group is not one of these, an object is absent, or its bytes are not those written.
    """
    try:
        store = MemoryStore({key: cpu.Buffer.from_bytes(value) for key, value in objects.items()})
        group = zarr.open_group(store, mode="r", zarr_format=3)
        attributes: dict[str, Any] = dict(group.attrs)
        seals: dict[str, str] = attributes.pop(_SEALS)
        found = {name: _read(group, name, seals[name], objects) for name in sorted(seals)}
    except (KeyError, ValueError, TypeError, AttributeError, OSError, RuntimeError) as error:
        raise DataError(
            f"the Zarr group cannot be read ({type(error).__name__}: {error})",
            where=where,
            expected="a group that carbonray ingested, whole",
            remedy="Ingest the granule again.",
        ) from error
    return found, attributes


def _write(group: zarr.Group, name: str, values: NDArray[Any], notes: ArrayNotes, chunk_rows: int) -> None:
    rows = -(-len(values) // chunk_rows) * chunk_rows
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=(chunk_rows, *values.shape[1:]),
        shards=(rows, *values.shape[1:]),
        # integers: bits of one weight together, at three times the speed for a few percent of the bytes
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")
        if values.dtype.kind in "iu"
        else BloscCodec(cname="zstd", clevel=5, shuffle="shuffle"),
        fill_value=np.nan if values.dtype.kind == "f" else 0,
        dimension_names=notes.dimensions,
        attributes={"units": notes.units, "long_name": notes.long_name},
        # an array of nothing but fill is written too: its absence is a fault
        config={"write_empty_chunks": True},
    )
    array[...] = values


def _read(group: zarr.Group, name: str, seal: str, objects: Mapping[str, bytes]) -> NDArray[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is no array")
    if hashlib.sha256(objects[_shard_key(name, array)]).hexdigest() != seal:
        raise ValueError(f"the shard of {name} is not the one written")
    return np.asarray(array[...])


def _shard_key(name: str, values: NDArray[Any] | zarr.Array[Any]) -> str:
    return "/".join([name, "c", *("0" for _ in values.shape)])

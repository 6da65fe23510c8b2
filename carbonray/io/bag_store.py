"""Bags of patches as Arrow IPC files: a row an image, a record batch a structure kind, the product's own integers.

Source: HOUSE "Decided", stores (integers in the store, scaling in the bundle). A file holds the labelled images of one
plant, imager and year, schema `vocab.sample_tables.BAGS`, ordered by kind, time and id; patches are (image, structure,
band, y, x), row 0 north. A reader takes the record batch of its kind, and the keys without the pixels.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import ContractError, DataError
from carbonray.vocab.sample_tables import BAGS

NUMBERS = ("scale", "offset", "k1", "k2")
PIXELS = ("dn", *NUMBERS)
KEYS = tuple(name for name in BAGS.names if name not in PIXELS)
_NOTES = b"carbonray:bags"  # file metadata: bands, side of a patch, and the kind of every record batch

Source = bytes | BinaryIO


@dataclass(frozen=True)
class Bags:
    """Images of one plant and structure kind, whose bags are all alike.

    Attributes:
        keys: the columns of `BAGS` that are no pixels, a row an image.
        dn: (image, structure, band, y, x) uint16, 0 where nothing is measured.
        numbers: (image, 4, band) scale, offset and thermal constants.
        bands: names, in order.
    """

    keys: pa.Table
    dn: NDArray[np.uint16]
    numbers: NDArray[np.float64]
    bands: tuple[str, ...]


def encode_bags(kinds: Mapping[str, Bags]) -> bytes:
    """The file; the same rows give the same bytes.

    Args:
        kinds: structure kind -> its images, at least one kind and image, all of the same bands and patches.

    Raises:
        ContractError: bands or patches differ between kinds, or keys are not the declared ones.
    """
    shapes = {(bags.bands, bags.dn.shape[2:]) for bags in kinds.values()}
    if len(shapes) != 1:
        raise ContractError(
            f"bags of {len(shapes)} shapes",
            where="bag_store",
            expected="patches of one size and the same bands for all kinds",
            remedy="Cut the patches of all kinds alike.",
        )
    bands, shape = shapes.pop()
    notes = {"bands": list(bands), "patch_px": shape[-1], "kinds": sorted(kinds)}
    schema = BAGS.with_metadata({_NOTES: json.dumps(notes)})
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
    with pa.ipc.new_file(sink, schema, options=options) as writer:
        for kind in sorted(kinds):
            table = _table(kinds[kind], schema)
            writer.write_table(table, max_chunksize=table.num_rows)
    return sink.getvalue()


def read_bags(source: Source, kind: str, *, where: str) -> Bags | None:
    """The images of one structure kind; None where the file has none. Other kinds are not decoded.

    Args:
        source: what `encode_bags` wrote: bytes or an open binary file.
        kind: NDT or FGD.
        where: URL of the file, for errors.

    Raises:
        DataError: the bytes are no such file.
    """
    table, notes = _read(source, kind, BAGS.names, where)
    if not table.num_rows:
        return None
    structures, bands, side = int(table["n_structures"][0].as_py()), len(notes["bands"]), int(notes["patch_px"])
    numbers = [table[name].chunk(0).flatten().to_numpy().reshape(-1, bands) for name in NUMBERS]
    dn = _integers(table["dn"].chunk(0)).reshape(-1, structures, bands, side, side)
    return Bags(table.select(KEYS), dn, np.stack(numbers, axis=1), tuple(notes["bands"]))


def read_bag_keys(source: Source, kind: str, *, where: str) -> pa.Table:
    """The keys and labels of the images of one kind, the columns `KEYS`: no pixel is read.

    Raises:
        DataError: the bytes are no such file.
    """
    return _read(source, kind, KEYS, where)[0]


def _table(bags: Bags, schema: pa.Schema) -> pa.Table:
    n, structures = bags.dn.shape[:2]
    rows = np.ascontiguousarray(bags.dn)
    columns = {name: bags.keys[name] for name in KEYS if name != "n_structures"} | {
        "n_structures": np.full(n, structures, np.int16),
        "dn": pa.array([row.tobytes() for row in rows], pa.large_binary()),
        **{name: pa.array(list(bags.numbers[:, at]), pa.list_(pa.float64())) for at, name in enumerate(NUMBERS)},
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema).combine_chunks()


def _read(source: Source, kind: str, names: tuple[str, ...] | list[str], where: str) -> tuple[pa.Table, dict[str, Any]]:
    chosen = [BAGS.names.index(name) for name in names]
    try:
        buffer = pa.BufferReader(source) if isinstance(source, bytes) else source
        file = pa.ipc.open_file(buffer, options=pa.ipc.IpcReadOptions(included_fields=chosen))
        notes: dict[str, Any] = json.loads(file.schema.metadata[_NOTES])
        batches = [file.get_batch(notes["kinds"].index(kind))] if kind in notes["kinds"] else []
        return pa.Table.from_batches(batches, schema=file.schema).select(list(names)), notes
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"the file holds no bags ({type(error).__name__}: {error})",
            where=where,
            expected="a whole Arrow file of encode_bags",
            remedy="Remove the object and run its unit again.",
        ) from error


def _integers(column: pa.LargeBinaryArray) -> NDArray[np.uint16]:
    """The bytes of all rows one after the other as integers, without a copy."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint16, count=int(ends[-1] - ends[0]) // 2, offset=int(ends[0]))

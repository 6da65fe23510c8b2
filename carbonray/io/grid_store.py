"""Annual grids as Zarr v3: metadata once, then whole shards as objects that a sink can put atomically.

Sources: Zarr v3 core and sharding specifications. Arrays are (time, lat, lon), row 0 north, one time step a year.
Nothing here writes a file: objects are (key, bytes) pairs, so that retried, re-dispatched and resumed units put the
same bytes, and a shard that was never put reads as missing.
"""

import functools
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu
from zarr.errors import ZarrUserWarning
from zarr.storage import MemoryStore

from carbonray.errors import ContractError
from carbonray.io.grid_layout import GridLayout, GridRules, check_layout, empty_dataset, store_encoding


def template(layout: GridLayout) -> dict[str, bytes]:
    """The grid's metadata and coordinate objects by key, relative to the store: put once, before any shard.

    Raises:
        ContractError: lattice, shards and chunks do not divide.
    """
    return dict(_template(layout))


def encode_shard(
    layout: GridLayout, year: int, shard_row: int, shard_col: int, fields: Mapping[str, NDArray[Any]]
) -> dict[str, bytes]:
    """One shard of every variable for one year, as objects by key, relative to the store.

    Args:
        layout: the layout the template was made from.
        year: calendar year, one of the layout's.
        shard_row: row of shards, 0 north.
        shard_col: column of shards, 0 west.
        fields: (shard_px, shard_px) array a variable, of its declared dtype. A field of nothing but fill gives no
            object: it reads back as missing all the same.

    Raises:
        ContractError: a field is missing, or of another shape or dtype; year or shard are outside the layout.
    """
    _check_fields(layout, year, shard_row, shard_col, fields)
    before = _template(layout)
    objects: dict[str, Buffer] = {key: cpu.Buffer.from_bytes(value) for key, value in before}
    group = zarr.open_group(MemoryStore(objects), mode="r+", zarr_format=3)
    rows, cols = shard_slices(layout, shard_row, shard_col)
    for variable in layout.variables:
        array = group[variable.name]
        array[layout.years.index(year), rows, cols] = fields[variable.name]  # type: ignore[index]
    return {key: objects[key].to_bytes() for key in sorted(objects.keys() - {key for key, _ in before})}


def shard_slices(layout: GridLayout, shard_row: int, shard_col: int) -> tuple[slice, slice]:
    """Lattice rows and columns of one shard."""
    side = layout.rules.shard_px
    return slice(shard_row * side, (shard_row + 1) * side), slice(shard_col * side, (shard_col + 1) * side)


def shard_fields(
    layout: GridLayout, shard_row: int, shard_col: int, pixels: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Sparse pixels of one shard as dense fields, fill where there is no pixel.

    Args:
        layout: the grid's layout.
        shard_row: row of shards.
        shard_col: column of shards.
        pixels: (n,) columns `row` and `col` (lattice) and one a variable.

    Raises:
        ContractError: a pixel lies outside the shard.
    """
    side = layout.rules.shard_px
    rows = pixels["row"].astype(np.int64) - shard_row * side
    cols = pixels["col"].astype(np.int64) - shard_col * side
    if rows.size and (min(rows.min(), cols.min()) < 0 or max(rows.max(), cols.max()) >= side):
        raise ContractError(
            "a pixel lies outside its shard",
            where=f"shard {shard_row}/{shard_col}",
            expected=f"lattice rows and columns of {side} x {side} pixels from there",
            remedy="Filter the pixels by shard before scattering them.",
        )
    fields = {}
    for variable in layout.variables:
        fields[variable.name] = np.full((side, side), variable.fill, variable.dtype)
        fields[variable.name][rows, cols] = pixels[variable.name]
    return fields


def open_grid(url: str, storage_options: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Opens a stored grid lazily; missing shards and fill values read as NaN.

    Args:
        url: store, such as `/runs/1/hotspots.zarr` or `s3://bucket/hotspots.zarr`.
        storage_options: options of the file system, from the object store.
    """
    options = dict(storage_options) if storage_options else None
    # bands of whole shards: the store's own chunks would make a task of each, and ten times the work of a whole read
    bands = {"lat": GridRules().shard_px, "lon": -1}
    grid: xr.Dataset = xr.open_zarr(url, storage_options=options, zarr_format=3, consolidated=True, chunks=bands)
    return grid


@functools.lru_cache(maxsize=8)
def _template(layout: GridLayout) -> tuple[tuple[str, bytes], ...]:
    check_layout(layout)
    objects: dict[str, Any] = {}
    with warnings.catch_warnings():
        # consolidated metadata is an extension of Zarr v3 that readers may ignore; it saves them a request a variable
        warnings.simplefilter("ignore", ZarrUserWarning)
        empty_dataset(layout).to_zarr(
            MemoryStore(objects), compute=False, encoding=store_encoding(layout), zarr_format=3, consolidated=True
        )
    return tuple((key, objects[key].to_bytes()) for key in sorted(objects))


def _check_fields(
    layout: GridLayout, year: int, shard_row: int, shard_col: int, fields: Mapping[str, NDArray[Any]]
) -> None:
    side, (rows, cols) = layout.rules.shard_px, layout.shards()
    wrong = [
        f"{v.name}: {fields[v.name].dtype}{fields[v.name].shape}" if v.name in fields else f"{v.name}: missing"
        for v in layout.variables
        if v.name not in fields or fields[v.name].shape != (side, side) or fields[v.name].dtype != np.dtype(v.dtype)
    ]
    inside = year in layout.years and 0 <= shard_row < rows and 0 <= shard_col < cols
    if wrong or not inside:
        raise ContractError(
            f"fields do not fit the grid ({'; '.join(wrong) or 'year or shard outside the layout'})",
            where=f"year {year}, shard {shard_row}/{shard_col}",
            expected=f"({side}, {side}) fields of the declared dtypes, years {layout.years}, {rows} x {cols} shards",
            remedy="Let the stage that reduces pixels emit every variable as the layout declares it.",
        )

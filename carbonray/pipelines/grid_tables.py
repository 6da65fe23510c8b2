"""The last pass of the 1 km product: shards joined to cities' sums, the GeoTIFF, the store's metadata and its entry.

One shard is in memory at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.contract import Batch, Encoded, Reading, Unit, object_rows, to_table
from carbonray.io import grid_store, objectstore, table_store
from carbonray.io.grid_layout import GridLayout
from carbonray.publish.cog import CogBand, encode_cog, window_around
from carbonray.publish.stac import COG_TYPE, PARQUET_TYPE, ZARR_TYPE, AssetFacts, stac_item
from carbonray.science.spatial.cells import row_col
from carbonray.stages.cell_regression import ESTIMATED
from carbonray.vocab.cell_tables import GRID_CELLS, GRID_CITIES

STORE, COG, CITIES, ITEM = "grid.zarr", "grid.tif", "grid_cities.parquet", "stac/item.json"
CELLS = "grid_cells.parquet"
BANDS = ("emissions_t_co2", "emissions_t_co2_p05", "emissions_t_co2_p95")


@dataclass(frozen=True)
class EncodeGridShard:
    """Encoder of one output shard: its part of the grid, and its cells as a table.

    Attributes:
        layout: of the grid.
    """

    layout: GridLayout

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
        """`grid.zarr/...` and `grid_cells.parquet/KEY.parquet`."""
        shard = (int(unit.partition["shard_row"]), int(unit.partition["shard_col"]))
        row, col = row_col(batch["cell_id"])
        pixels = {"row": row, "col": col, **{v.name: batch[v.name] for v in self.layout.variables}}
        fields = grid_store.shard_fields(self.layout, *shard, pixels)
        objects = grid_store.encode_shard(self.layout, self.layout.years[0], *shard, fields)
        table = to_table(batch, GRID_CELLS, stage=type(self).__name__)
        done = batch["status"] == ESTIMATED
        told = {
            "cells": table.num_rows,
            "estimated": int(done.sum()),
            "t_co2": float(batch["emissions_t_co2"][done].sum()),
            "looked_at": int(batch["neighbors"].sum()) + int((batch["image_present"] | batch["poi_present"]).sum()),
            "data_tier": ", ".join(sorted(set(batch["data_tier"]))),
        }
        stored = {f"{STORE}/{key}": data for key, data in objects.items()}
        return Encoded({**stored, f"{CELLS}/{unit.key}.parquet": table_store.encode_table(table, ("cell_id",))}, told)


@dataclass(frozen=True)
class JoinShards:
    """Reader of the last unit: inputs are the tables of all shards.

    Attributes:
        layout: of the grid.
        told: facts that the GeoTIFF and the catalogue's entry carry; the entry is named by what the shards hold.
    """

    layout: GridLayout
    told: Mapping[str, str]

    def __call__(self, unit: Unit) -> Reading:
        """Ready objects: cities, GeoTIFF, metadata and entry."""
        side = self.layout.rules.shard_px
        shards = [_shard(url) for url in unit.inputs]
        window = window_around(shards, side, self.layout.lattice.step_deg)
        named = {variable.name: variable for variable in self.layout.variables}
        bands = [CogBand(name, named[name].units, named[name].long_name) for name in BANDS]
        objects = {f"{STORE}/{key}": data for key, data in grid_store.template(self.layout).items()}
        sums: list[pa.Table] = []
        objects[COG] = encode_cog(_fields(unit.inputs, shards, side, sums), window, bands, self.told)
        objects[CITIES] = table_store.encode_table(_joined(sums), ("city", "year"))
        transform = window.transform()
        west, north = transform.c, transform.f
        south, east = north - window.height * window.step_deg, west + window.width * window.step_deg
        rounded = (round(west, 9), round(south, 9), round(east, 9), round(north, 9))
        properties = {f"carbonray:{name}": word for name, word in self.told.items()}
        held = objectstore.sha256("\n".join(unit.input_sha256).encode())[:12]
        year = self.layout.years[0]
        objects[ITEM] = stac_item(f"grid-{year}-{held}", rounded, year, _assets(), properties)
        return Reading(object_rows(objects), {})


def read_cells(url: str) -> pa.Table:
    """The cells of one shard."""
    return table_store.decode_table(objectstore.read_bytes(url), GRID_CELLS)


def _assets() -> dict[str, AssetFacts]:
    return {
        "cog": AssetFacts(f"../{COG}", "tonnes of CO2 a cell and year, with overviews", COG_TYPE),
        "zarr": AssetFacts(f"../{STORE}", "the whole grid", ZARR_TYPE),
        "cells": AssetFacts(f"../{CELLS}", "a row a cell, by shard", PARQUET_TYPE),
        "cities": AssetFacts(f"../{CITIES}", "sums by urban area", PARQUET_TYPE, ("data", "overview")),
    }


def _shard(url: str) -> tuple[int, int]:
    row, col = url.rsplit("/", 1)[-1].removesuffix(".parquet").rsplit("-", 2)[-2:]
    return int(row), int(col)


def _fields(
    urls: Sequence[str], shards: Sequence[tuple[int, int]], side: int, sums: list[pa.Table]
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Bands of each shard, which is read once: the sums of its cities are put beside."""
    for url, (shard_row, shard_col) in zip(urls, shards, strict=True):
        cells = read_cells(url)
        sums.append(_city_sums(cells))
        row, col = row_col(cells.column("cell_id").to_numpy())
        fields = np.full((len(BANDS), side, side), np.nan, np.float32)
        for number, name in enumerate(BANDS):
            fields[number, row - shard_row * side, col - shard_col * side] = cells.column(name).to_numpy()
        yield shard_row * side, shard_col * side, fields


def _city_sums(cells: pa.Table) -> pa.Table:
    """Rows of `GRID_CITIES` of one shard."""
    done = pc.equal(cells.column("status"), ESTIMATED)
    columns = {
        "city": cells.column("city"),
        "year": cells.column("year"),
        "cells": pa.array(np.ones(cells.num_rows, np.int64)),
        "estimated": pc.cast(done, pa.int64()),
        "area_km2": cells.column("area_km2"),
        "emissions_t_co2": pc.if_else(done, cells.column("emissions_t_co2"), 0.0),
        "emissions_t_c": pc.if_else(done, cells.column("emissions_t_c"), 0.0),
        "data_tier": pc.list_element(pc.split_pattern(cells.column("data_tier"), " ("), 0),  # without what is absent
    }
    return _joined([pa.table([columns[name] for name in GRID_CITIES.names], schema=GRID_CITIES)])


def _joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Rows of one city, year and tier as one, numbers added in the order of the rows."""
    keys = ("city", "year", "data_tier")
    summed = [name for name in GRID_CITIES.names if name not in keys]
    grouped = pa.concat_tables(parts).group_by(keys, use_threads=False)
    whole = grouped.aggregate([(name, "sum") for name in summed])
    columns = [whole.column(name if name in keys else f"{name}_sum") for name in GRID_CITIES.names]
    return pa.table(columns, schema=GRID_CITIES)

"""Reduces daily detections to the annual grid, shard by shard, and persistent pixels to the hotspot table.

Sources: SCIENCE 3.6 (frequency over valid days); docs/adr/0007 (the orbit with most coverage wins a pixel's day; sums
in integer fixed point, so that no order of adding changes a byte). Rows are lattice pixels, then hotspots.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.contract import Batch, Encoded, Reading, Unit, to_batch, to_table
from carbonray.io import grid_store, objectstore, table_store
from carbonray.io.grid_layout import GridLayout
from carbonray.science.no2.hotspots import PersistenceRules, label_pixels, persistent, summarise_blobs
from carbonray.science.spatial.gridding import LATTICE_SHAPE, lattice_area_km2, lattice_lat, lattice_lon
from carbonray.science.stats.reduction import Moments, student_interval, wilson_interval
from carbonray.vocab import tables

REL_BITS = 20  # relative emission in quanta of 1e-6; 2047 days of the largest fit
NO2_BITS = 10  # columns in quanta of 0.001 umol m-2; up to 65,000 umol m-2


@dataclass(frozen=True)
class ReduceShard:
    """Reader of one output shard and year: all orbits' partials that touch it, one orbit in memory at a time.

    Attributes:
        shard_px: side of the shard, pixels.
        cut: relative emission from which a pixel counts as detected.
    """

    shard_px: int
    cut: float

    def __call__(self, unit: Unit) -> Reading:
        """Rows of the annual grid; inputs are partials in the order of their first day."""
        shard = (int(unit.partition["shard_row"]), int(unit.partition["shard_col"]))
        sums = _ShardSums(shard, self.shard_px, self.cut)
        read = 0
        for day_pixels in _days(unit.inputs, shard, self.shard_px, int(unit.partition["year"])):
            read += day_pixels.num_rows
            sums.add(_best_of_day(day_pixels))
        return Reading(sums.rows(), {"read": read, "kept": read, "quarantined": 0})


def _days(urls: tuple[str, ...], shard: tuple[int, int], shard_px: int, year: int) -> Iterator[pa.Table]:
    """The shard's detections one local solar day at a time: never more than the orbits of a day or two in memory."""
    first, last = _day_number(year), _day_number(year + 1)
    waiting: list[pa.Table] = []
    for number, url in enumerate(urls):
        with objectstore.opened(url) as file:
            table = table_store.read_shard(file, shard, shard_px, tables.DETECTIONS)
            begins = table_store.least(file, "day")
        yield from _complete_days(waiting, before=begins)
        inside = table.filter((pa.compute.field("day") >= first) & (pa.compute.field("day") < last))
        waiting.append(inside.append_column("orbit", pa.array(np.full(inside.num_rows, number, np.int32))))
    yield from _complete_days(waiting, before=last)


def _complete_days(waiting: list[pa.Table], *, before: int) -> Iterator[pa.Table]:
    """Takes the days before `before` out of the waiting orbits: no later orbit can add to them."""
    if not waiting:
        return
    pixels = pa.concat_tables(waiting)
    waiting[:] = [pixels.filter(pa.compute.field("day") >= before)]
    ready = pixels.filter(pa.compute.field("day") < before)
    for day in np.unique(ready.column("day").to_numpy()):
        yield ready.filter(pa.compute.field("day") == int(day))


def _best_of_day(pixels: pa.Table) -> Batch:
    """One row a pixel: of a day's orbits the one with most coverage, the earlier of two equal ones."""
    batch = to_batch(pixels)
    key = batch["row"].astype(np.int64) * LATTICE_SHAPE[1] + batch["col"]
    order = np.lexsort((batch["orbit"], -batch["coverage"], key))
    first: NDArray[np.int64] = order[np.flatnonzero(np.diff(key[order], prepend=-1))]
    return {name: column[first] for name, column in batch.items()}


class _ShardSums:
    """Running sums of one shard, dense and of fixed size."""

    def __init__(self, shard: tuple[int, int], shard_px: int, cut: float) -> None:
        self._corner = (shard[0] * shard_px, shard[1] * shard_px)
        self._side, self._cut = shard_px, cut
        size = shard_px * shard_px
        self._all, self._detected = Moments.zero(size, REL_BITS), Moments.zero(size, REL_BITS)
        self._no2 = Moments.zero(size, NO2_BITS)

    def add(self, batch: Batch) -> None:
        """Adds one day: at most one row a pixel."""
        place = (batch["row"].astype(np.int64) - self._corner[0]) * self._side + batch["col"] - self._corner[1]
        rel = self._dense(place, batch["rel_emission"])
        self._all += Moments.of(rel, REL_BITS)
        self._detected += Moments.of(np.where(rel >= self._cut, rel, np.nan), REL_BITS)
        self._no2 += Moments.of(self._dense(place, batch["no2_umol_m2"]), NO2_BITS)

    def rows(self) -> Batch:
        """The grid's variables for every pixel that was judged."""
        seen: NDArray[np.int64] = np.flatnonzero(self._all.count)
        with np.errstate(invalid="ignore"):
            fields: dict[str, NDArray[Any]] = {
                "n_valid_days": self._all.count.astype(np.int16),
                "n_detections": self._detected.count.astype(np.int16),
                "detect_freq": (self._detected.count / np.maximum(self._all.count, 1)).astype(np.float32),
                "rel_emission": self._all.mean().astype(np.float32),
                "rel_emission_sd": self._all.sd().astype(np.float32),
                "rel_emission_detected": self._detected.mean().astype(np.float32),
                "no2_umol_m2": self._no2.mean().astype(np.float32),
            }
        position = {
            "row": (self._corner[0] + seen // self._side).astype(np.int16),
            "col": (self._corner[1] + seen % self._side).astype(np.int16),
        }
        return position | {name: values[seen] for name, values in fields.items()}

    def _dense(self, place: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.float64]:
        field = np.full(self._side * self._side, np.nan)
        field[place] = values
        return field


@dataclass(frozen=True)
class EncodeShard:
    """Encoder of one shard: its part of the annual grid, and its persistent pixels as a small table.

    Attributes:
        layout: the grid's layout.
        store: name of the Zarr store in the run's folder.
        persistence: when a pixel is a hotspot.
    """

    layout: GridLayout
    store: str
    persistence: PersistenceRules

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
        """Shard objects and `hotspot_pixels/KEY.parquet`."""
        year, shard_row, shard_col = (int(unit.partition[name]) for name in ("year", "shard_row", "shard_col"))
        fields = grid_store.shard_fields(self.layout, shard_row, shard_col, batch)
        shards = grid_store.encode_shard(self.layout, year, shard_row, shard_col, fields)
        chosen = persistent(batch["n_detections"], batch["n_valid_days"], self.persistence)
        names = [name for name in tables.HOTSPOT_PIXELS.names if name != "year"]
        pixels = {name: batch[name][chosen] for name in names} | {"year": np.full(chosen.sum(), year, np.int16)}
        pixels |= {name: pixels[name].astype(np.int32) for name in ("n_valid_days", "n_detections")}
        table = to_table(pixels, tables.HOTSPOT_PIXELS, stage=type(self).__name__)
        objects = {f"{self.store}/{key}": data for key, data in shards.items()}
        objects[f"hotspot_pixels/{unit.key}.parquet"] = table_store.encode_table(table, ("year", "row", "col"))
        return Encoded(objects, {**facts, "pixels": len(batch["row"]), "hotspot_pixels": table.num_rows})


@dataclass(frozen=True)
class TabulateHotspots:
    """Reader of all persistent pixels: connected regions across shards and across 180 degrees become hotspots.

    Attributes:
        bundle: name and hash of the bundle that judged.
        data_tier: where the input came from.
    """

    bundle: str
    data_tier: str

    def __call__(self, unit: Unit) -> Reading:
        """Rows of `vocab.tables.HOTSPOTS`."""
        found = objectstore.read_many(unit.inputs)
        parts = [table_store.decode_table(found[url], tables.HOTSPOT_PIXELS) for url in unit.inputs]
        pixels = to_batch(pa.concat_tables([tables.HOTSPOT_PIXELS.empty_table(), *parts]))
        rows = {"read": len(pixels["row"]), "kept": len(pixels["row"]), "quarantined": 0}
        return Reading(hotspot_rows(pixels, bundle=self.bundle, data_tier=self.data_tier), rows)


def hotspot_rows(pixels: Batch, *, bundle: str, data_tier: str) -> Batch:
    """Persistent pixels as hotspots, each told by its strongest pixel; intervals are 90 %."""
    row, col, year = pixels["row"], pixels["col"], pixels["year"]
    columns = LATTICE_SHAPE[1]
    labels = label_pixels(row, col, scene=year, n_cols=columns)
    area = lattice_area_km2(row)
    strength = np.maximum(pixels["rel_emission_detected"], 1e-6)  # weights of the centre must be positive
    blobs = summarise_blobs(labels, row, col, strength, area, scene=year, n_cols=columns)
    peak = _peak_index(pixels, blobs.scene, blobs.peak_row, blobs.peak_col)
    days, hits = pixels["n_valid_days"][peak], pixels["n_detections"][peak]
    low, high = wilson_interval(hits, days)
    mean, sd = (pixels[name][peak].astype(np.float64) for name in ("rel_emission", "rel_emission_sd"))
    mean_low, mean_high = student_interval(mean, sd, days)
    ids = [f"{y}-r{r:04d}-c{c:04d}" for y, r, c in zip(blobs.scene, blobs.peak_row, blobs.peak_col, strict=True)]
    return {
        "hotspot_id": np.array(ids, dtype=object),
        "year": blobs.scene.astype(np.int16),
        "lat": lattice_lat(blobs.row),
        "lon": lattice_lon(blobs.col),
        "peak_lat": lattice_lat(blobs.peak_row),
        "peak_lon": lattice_lon(blobs.peak_col),
        "n_pixels": blobs.n_pixels.astype(np.int32),
        "area_km2": blobs.area_km2,
        "rel_emission": mean,
        "rel_emission_p05": np.maximum(mean_low, 0.0),
        "rel_emission_p95": np.minimum(mean_high, 1.0),
        "rel_emission_detected": pixels["rel_emission_detected"][peak].astype(np.float64),
        "detect_freq": hits / np.maximum(days, 1),
        "detect_freq_p05": low,
        "detect_freq_p95": high,
        "n_valid_days": days.astype(np.int32),
        "n_detections": hits.astype(np.int32),
        "no2_umol_m2": pixels["no2_umol_m2"][peak].astype(np.float64),
        "bundle": np.array([bundle] * len(blobs), dtype=object),
        "data_tier": np.array([data_tier] * len(blobs), dtype=object),
    }


def _peak_index(
    pixels: Batch, scene: NDArray[np.int64], peak_row: NDArray[np.int64], peak_col: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Where each hotspot's strongest pixel stands among the pixels."""

    def key(year: NDArray[Any], row: NDArray[Any], col: NDArray[Any]) -> NDArray[np.int64]:
        per_year = LATTICE_SHAPE[0] * LATTICE_SHAPE[1]
        pixel = row.astype(np.int64) * LATTICE_SHAPE[1] + col.astype(np.int64)
        return np.asarray(year.astype(np.int64) * per_year + pixel)

    all_keys = key(pixels["year"], pixels["row"], pixels["col"])
    order = np.argsort(all_keys)
    found: NDArray[np.int64] = order[np.searchsorted(all_keys[order], key(scene, peak_row, peak_col))]
    return found


def _day_number(year: int) -> int:
    return (datetime(year, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(days=1)

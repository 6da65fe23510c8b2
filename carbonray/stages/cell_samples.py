"""Makes the samples of one tile of 1 km cells: its labelled cells, and every planned cell that their windows show.

Sources: SCIENCE 1.2 (windows of 3 x 3; ln of the tonnes, zeros dropped) and 1.5. A unit is a tile; cells of the mask
alone exist, all else is absent. Nothing is drawn at random and nothing is scaled: that is the fit's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.contract import Reading, Unit, object_rows
from carbonray.io import table_store
from carbonray.io.cell_store import CellSamples, encode_samples
from carbonray.io.imagery.raster import opened_raster
from carbonray.io.urban.basemap import BasemapRules, read_cell_images
from carbonray.io.urban.basemap_index import BasemapIndex
from carbonray.io.urban.co2_labels import CellLabels, LabelRules, read_cell_labels
from carbonray.io.urban.nightlights import read_night_lights
from carbonray.science.spatial.cells import COLS, ROWS, neighbor_ids, positions, row_col
from carbonray.science.urban.poi import category_counts
from carbonray.stages.cell_places import (
    CELLS_FOLDER,
    PLACED_CELLS,
    PLACED_POINTS,
    POINTS_FOLDER,
    first_of,
    read_tiles,
    tables_under,
)
from carbonray.stages.cell_readers import RASTERS, CellPoints, absences, points_of
from carbonray.vocab.cell_sample_tables import CELL_SAMPLES

FOLDER = "samples"
Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class CellSources:
    """What samples are made of, beside the tables of cells and points.

    Attributes:
        basemap: the images' files, None where none are given.
        images: how images are made.
        co2: month -> files of the label's grids, of `monthly_files`.
        labels: how they make a year.
        year: of the label.
        tier: data tier of the label's grids.
        lights: rasters of night light, the first by name counts.
        told_cities: cities whose points of interest are known: in all others having none means nothing.
        categories: of points of interest.
    """

    basemap: BasemapIndex | None
    images: BasemapRules
    co2: Mapping[int, tuple[str, ...]]
    labels: LabelRules
    year: int
    tier: str
    lights: tuple[str, ...]
    told_cities: frozenset[str]
    categories: int


@dataclass(frozen=True)
class ReadCellSamples:
    """Reader of one tile: inputs are the tables of cells and of points of interest that touch it or its ring.

    Attributes:
        sources: of images, labels and lights.
        tile_cells: side of a tile.
        ring: cells around a labelled cell that windows may show.
    """

    sources: CellSources
    tile_cells: int
    ring: int

    def __call__(self, unit: Unit) -> Reading:
        """`samples/KEY.parquet` and, where a cell has a label, `samples/KEY.zarr/...`.

        Raises:
            DataError: a grid, a raster or a file of the basemap is bad, or emissions are negative.
            TransportError: a part of one could not be moved.
        """
        tile = (int(unit.partition["tile_row"]), int(unit.partition["tile_col"]))
        near = tiles_beside(tile, self.tile_cells)
        planned = first_of(self._rows_of(unit, near, CELLS_FOLDER, PLACED_CELLS), "cell_id")
        number = planned.column("cell_id").to_numpy()
        own = (np.column_stack(row_col(number)) // self.tile_cells == tile).all(axis=1)
        sources = self.sources
        labels = read_cell_labels(sources.co2, number[own], sources.year, sources.tier, sources.labels)
        learned = labels.table.filter(pa.array(np.isfinite(labels.table.column("ln_t_co2").to_numpy())))
        taught = learned.column("cell_id").to_numpy()
        shown = np.isin(number, neighbor_ids(taught, self.ring)) if len(taught) else np.zeros(len(number), np.bool_)
        planned, own = planned.filter(pa.array(shown)), own[shown]
        tier = ", ".join(sorted({*sources.tier.split(", "), *planned.column("data_tier").to_pylist()}))
        points = points_of(self._rows_of(unit, near, POINTS_FOLDER, PLACED_POINTS), number[shown])
        samples, absent = self._samples(planned, own, learned, points)
        rows = _account(labels, len(taught))
        facts = {"data_tier": tier if len(taught) else "none", "labelled": len(taught), "shown": len(samples)}
        facts |= {"points": len(samples.points), "absent": absent, "image_px": sources.images.image_px}
        table = sample_table(samples, planned, learned, sources.categories, tier)
        objects = {f"{FOLDER}/{unit.key}.parquet": table_store.encode_table(table, ("cell_id",))}
        if len(taught):
            group = encode_samples(samples, {"data_tier": tier, "year": sources.year})
            objects |= {f"{FOLDER}/{unit.key}.zarr/{key}": data for key, data in group.items()}
        return Reading(object_rows(objects), rows, facts=facts)

    def _rows_of(self, unit: Unit, tiles: Sequence[tuple[int, int]], folder: str, schema: pa.Schema) -> pa.Table:
        return read_tiles(tables_under(unit.inputs, folder), tiles, self.tile_cells, schema)

    def _samples(
        self, planned: pa.Table, own: Bools, learned: pa.Table, points: CellPoints
    ) -> tuple[CellSamples, dict[str, int]]:
        """Cells in the order of their table, and how many have no image, by reason."""
        number, sources = planned.column("cell_id").to_numpy(), self.sources
        images, present, absent = _images(sources, number)
        place = positions(learned.column("cell_id").to_numpy(), number)
        ln = np.append(learned.column("ln_t_co2").to_numpy(), np.nan)[place]
        told = np.isin(planned.column("city").to_numpy(zero_copy_only=False), list(sources.told_cities))
        count = np.where(told, points.count, 0)
        at = np.arange(count.sum()) + np.repeat(points.first - (np.cumsum(count) - count), count)
        samples = CellSamples(
            cell_id=number,
            own=own,
            image_present=present,
            poi_present=told,
            ln_t_co2=ln,
            radiance=night_lights(sources.lights, number),
            n_points=count.astype(np.int32),
            images=images,
            points=points.values[at],
        )
        return samples, absent


def sample_table(samples: CellSamples, planned: pa.Table, learned: pa.Table, categories: int, tier: str) -> pa.Table:
    """Rows of `CELL_SAMPLES`: the labelled cells.

    Args:
        samples: of the tile.
        planned: table of the same cells.
        learned: labels of some of them, by number.
        categories: of points of interest.
        tier: data tiers of labels and mask.
    """
    place = positions(samples.cell_id, learned.column("cell_id").to_numpy())
    of = np.repeat(np.arange(len(samples)), samples.n_points)
    counts = category_counts(of, samples.points[:, 0], cells=len(samples), categories=categories)
    columns: dict[str, Any] = {
        "cell_id": samples.cell_id[place],
        "city": planned.column("city").take(pa.array(place)),
        "ln_t_co2": learned.column("ln_t_co2"),
        "emissions_t_co2": learned.column("emissions_t_co2"),
        "radiance": samples.radiance[place],
        "image_present": samples.image_present[place],
        "poi_present": samples.poi_present[place],
        "counts": _lists(counts[place]),
        "data_tier": pa.array([tier] * len(place), pa.string()),
    }
    return pa.table({name: columns[name] for name in CELL_SAMPLES.names}, schema=CELL_SAMPLES)


def tiles_beside(tile: tuple[int, int], tile_cells: int) -> list[tuple[int, int]]:
    """A tile and the up to eight around it: columns go on across the date line, rows end at the poles."""
    rows, cols = ROWS // tile_cells, COLS // tile_cells
    down = (tile[0] + step for step in (-1, 0, 1))
    return [(row, (tile[1] + step) % cols) for row in down if 0 <= row < rows for step in (-1, 0, 1)]


def night_lights(urls: Sequence[str], number: Rows) -> NDArray[np.float32]:
    """(cell,) night light of ascending cells; NaN where no raster holds one."""
    radiance = np.full(len(number), np.nan, np.float32)
    for url in sorted(urls):
        found = read_night_lights(url, number).column("radiance").to_numpy()
        radiance = np.where(np.isnan(radiance), found, radiance)
    return radiance


def grid_tier(urls: Sequence[str]) -> str:
    """Data tier that GeoTIFFs tell of themselves in the tag `data_tier`; REAL where they tell of none.

    Raises:
        DataError: one is no GeoTIFF.
        TransportError: a part of one could not be moved.
    """
    tiers = set()
    for url in urls:
        if url.lower().endswith(RASTERS):
            with opened_raster(url) as dataset:
                tiers.add(dataset.tags().get("data_tier", "REAL"))
        else:
            tiers.add("REAL")
    return ", ".join(sorted(tiers))


def _images(sources: CellSources, number: Rows) -> tuple[NDArray[np.uint8], Bools, dict[str, int]]:
    """Images of the cells that have one, which they are, and how many have none by reason."""
    if sources.basemap is None:
        side = sources.images.image_px
        none = np.zeros(len(number), np.bool_)
        return np.zeros((0, 3, side, side), np.uint8), none, {"no basemap is given": len(number)}
    found = read_cell_images(sources.basemap, number, sources.images)
    images = found.images if found.present.all() else found.images[found.present]
    return images, found.present, absences(found.reason)


def _account(labels: CellLabels, taught: int) -> dict[str, int]:
    """Rows of the tile's own cells: those without emissions and those of which the grids know nothing teach nobody."""
    rows = {"read": taught + labels.zeros + labels.unknown, "kept": taught, "quarantined": 0}
    lost = {"rejected: no emissions": labels.zeros, "rejected: no label": labels.unknown}
    return rows | {rule: count for rule, count in lost.items() if count}


def _lists(counts: NDArray[np.int64]) -> pa.ListArray:
    ends = np.arange(len(counts) + 1, dtype=np.int32) * counts.shape[1]
    return pa.ListArray.from_arrays(ends, pa.array(counts.reshape(-1).astype(np.int32)))

"""Compares hotspots with what others know: point sources by strength class, and the strong cells of a CO2 grid.

Sources: SCIENCE 3.2 and 3.6 (hits by strength class; the false hotspots, which the paper does not give, are counted
too). Only sources that the run has judged on at least one day count: an unseen source is no miss.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xarray as xr
from numpy.typing import NDArray

from carbonray.contract import Batch, Encoded, Reading, Unit, to_batch, to_table
from carbonray.io import objectstore, table_store
from carbonray.io.co2_grids import read_co2_grid
from carbonray.io.grid_store import open_grid
from carbonray.io.references import read_sources
from carbonray.science.no2.matching import (
    InventoryRules,
    Matches,
    OverlapRules,
    count_by_class,
    match_sources,
    overlap_with_grid,
)
from carbonray.science.spatial.gridding import lattice_col, lattice_lat, lattice_lon, lattice_row
from carbonray.vocab import tables


@dataclass(frozen=True)
class MatchReferences:
    """Reader of a run's hotspots and of the references given; its rows are the judged sources.

    Attributes:
        table_url: the run's hotspot table.
        grid_url: the run's annual grid.
        inventories: URLs of point sources.
        co2_grids: URLs of CO2 grids.
        inventory: how sources are compared.
        overlap: how a CO2 grid is compared.
    """

    table_url: str
    grid_url: str
    inventories: tuple[str, ...]
    co2_grids: tuple[str, ...]
    inventory: InventoryRules
    overlap: OverlapRules

    def __call__(self, unit: Unit) -> Reading:
        """Rows of `vocab.tables.MATCHES`; class counts, false hotspots and overlap are facts."""
        hotspots = table_store.decode_table(objectstore.read_bytes(self.table_url))
        found = [read_sources(url) for url in self.inventories]
        sources = to_batch(pa.concat_tables([tables.SOURCES.empty_table(), *(part.sources for part in found)]))
        days = self._judged_days(sources["lat"], sources["lon"])
        seen = days > 0
        judged = {name: column[seen] for name, column in sources.items()} | {"n_valid_days": days[seen]}
        peak_lat, peak_lon = (hotspots.column(name).to_numpy() for name in ("peak_lat", "peak_lon"))
        matches = match_sources(peak_lat, peak_lon, judged["lat"], judged["lon"], self.inventory.radius_km)
        ids = np.array([*hotspots.column("hotspot_id").to_pylist(), ""], dtype=object)
        batch = judged | {
            "strength": judged["strength"].astype(np.float64),
            "hotspot_id": ids[matches.hotspot],
            "distance_km": matches.distance_km,
        }
        facts = self._facts(judged, matches) | self._overlaps()
        facts["false_hotspots"] = [str(name) for name in ids[:-1][~matches.has_source]] if self.inventories else []
        set_aside = sum(part.set_aside.num_rows for part in found)
        rows = {"read": len(seen) + set_aside, "kept": int(seen.sum()), "rejected: never judged": int((~seen).sum())}
        return Reading(batch, rows | {"quarantined": set_aside}, _reasons([part.set_aside for part in found]), facts)

    def _judged_days(self, lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.int32]:
        """Days, over all years, on which the pixel that holds each source was judged."""
        if not len(lat):
            return np.zeros(0, np.int32)
        days = open_grid(self.grid_url)["n_valid_days"].fillna(0).sum("time")
        row, col = (xr.DataArray(axis.astype(np.int64), dims="source") for axis in (lattice_row(lat), lattice_col(lon)))
        return np.asarray(days.isel(lat=row, lon=col).to_numpy(), np.int32)

    def _facts(self, judged: Batch, matches: Matches) -> dict[str, Any]:
        classes = {}
        for units in sorted(set(judged["strength_units"])):
            chosen = judged["strength_units"] == units
            counts = count_by_class(judged["strength"][chosen], matches.hit()[chosen], self.inventory.edges_in(units))
            classes[str(units)] = [asdict(count) for count in counts]
        return {"classes": classes, "judged_sources": len(judged["lat"]), "hits": int(matches.hit().sum())}

    def _overlaps(self) -> dict[str, Any]:
        """Strong cells of every CO2 grid inside the judged area, and how many of them hotspot pixels overlap."""
        if not self.co2_grids:
            return {"overlaps": {}}
        grid = open_grid(self.grid_url)
        hot_row, hot_col = np.nonzero(_ever(grid["detect_freq"].fillna(0.0) >= self.overlap.min_frequency))
        hot = (lattice_lat(hot_row), lattice_lon(hot_col))
        judged = _ever(grid["n_valid_days"] > 0)
        if not judged.any():
            return {"overlaps": {}}
        overlaps = {}
        for url in self.co2_grids:
            cells = read_co2_grid(url, _bounds(judged))
            cell_lat, cell_lon = (axis.ravel() for axis in np.meshgrid(cells.lat, cells.lon, indexing="ij"))
            inside = judged[lattice_row(cell_lat), lattice_col(cell_lon)]
            tonnes = np.where(inside, cells.emissions_t_co2.ravel(), np.nan)
            overlaps[url.rsplit("/", 1)[-1]] = asdict(overlap_with_grid(cell_lat, cell_lon, tonnes, *hot, self.overlap))
        return {"overlaps": overlaps}


@dataclass(frozen=True)
class EncodeMatches:
    """Encoder of the comparison.

    Attributes:
        table: name of the table in the run's folder.
    """

    table: str

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
        """One table."""
        table = to_table(batch, tables.MATCHES, stage=type(self).__name__)
        return Encoded({self.table: table_store.encode_table(table, ("source_id",))}, facts)


def _ever(yearly: xr.DataArray) -> NDArray[np.bool_]:
    """(y, x) lattice pixels where it holds in any year, a chunk in memory at a time."""
    return np.asarray(yearly.any("time").to_numpy(), np.bool_)


def _bounds(judged: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """West, south, east and north of the judged pixels' centres; the whole circle where they lie on both its ends."""
    rows, cols = np.flatnonzero(judged.any(axis=1)), np.flatnonzero(judged.any(axis=0))
    lat, lon = lattice_lat(rows), lattice_lon(cols)
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())


def _reasons(tables_set_aside: list[pa.Table]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for table in tables_set_aside:
        for reason in table.column("reason").to_pylist():
            counts[reason] = counts.get(reason, 0) + 1
    return counts

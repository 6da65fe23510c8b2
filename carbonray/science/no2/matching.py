"""Hotspots against inventories: hits by strength class, misses, false ones, and overlap with a CO2 grid.

Source: SCIENCE 3.2 and 3.6(4): MEIC 2019 cells by strength, ODIAC cells above a threshold; the paper reports hits only,
here the false ones stand beside them. The monthly reading of MEIC's tons per cell is inferred. Positions are degrees.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from carbonray.science.spatial.geodesy import EARTH_RADIUS_KM

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SECONDS_PER_MONTH = 365.25 * 86400.0 / 12.0


@dataclass(frozen=True)
class InventoryRules:
    """How an inventory is compared.

    Attributes:
        edges_t: edges of the strength classes, tons of NOx per cell and `months_per_value` [paper's MEIC classes].
        months_per_value: months that one value covers; 1 reads MEIC monthly (inferred), 12 annually.
        cell_pixels: lattice pixels along a side of a cell; 5 for 0.25 degrees.
        radius_km: how far a hotspot's centre may lie from a point source (inferred: 0.15 degrees).
        edges_mw: edges of the strength classes of an inventory of capacities (inferred).
    """

    edges_t: tuple[float, ...] = (2000.0, 4000.0, 5000.0)
    months_per_value: float = 1.0
    cell_pixels: int = 5
    radius_km: float = 16.7
    edges_mw: tuple[float, ...] = (500.0, 1000.0, 2000.0)

    def edges_in(self, units: str) -> tuple[float, ...]:
        """The class edges in an inventory's own units: capacities in MW, or emission rates in kg s-1."""
        return self.edges_mw if units == "MW" else self.edges_kg_s()

    def edges_kg_s(self) -> tuple[float, ...]:
        """The class edges as emission rates."""
        return tuple(edge * 1000.0 / (self.months_per_value * SECONDS_PER_MONTH) for edge in self.edges_t)


@dataclass(frozen=True)
class OverlapRules:
    """Overlap with a CO2 inventory.

    Attributes:
        min_t_per_cell: cells at or above it count; the paper's 100 000 t a month.
        radius_km: a hotspot pixel's centre this near overlaps the cell (inferred: one lattice pixel's diagonal).
        min_frequency: pixels detected on this share of their valid days count as hotspot pixels (inferred).
    """

    min_t_per_cell: float = 100_000.0
    radius_km: float = 8.0
    min_frequency: float = 0.10


@dataclass(frozen=True)
class Matches:
    """Nearest hotspot of each source, and whether each hotspot has a source.

    Attributes:
        hotspot: (s,) index of the nearest hotspot within the radius, -1 for a miss.
        distance_km: (s,) distance to the nearest hotspot however far, infinite where there is none.
        has_source: (h,) False marks a false hotspot.
    """

    hotspot: Ints
    distance_km: Floats
    has_source: Bools

    def hit(self) -> Bools:
        """(s,) sources that a hotspot answers for."""
        return self.hotspot >= 0


@dataclass(frozen=True)
class ClassCount:
    """Sources of one strength class and how many were found; additive over regions."""

    name: str
    n_sources: int
    n_hits: int


@dataclass(frozen=True)
class Overlap:
    """Strong cells of a CO2 grid and how many a hotspot overlaps; additive over regions."""

    n_cells: int
    n_overlapped: int

    def fraction(self) -> float:
        """Share of the strong cells that a hotspot overlaps; NaN without any."""
        return self.n_overlapped / self.n_cells if self.n_cells else float("nan")


def match_sources(
    hotspot_lat: ArrayLike, hotspot_lon: ArrayLike, source_lat: ArrayLike, source_lon: ArrayLike, radius_km: float
) -> Matches:
    """Point sources against hotspot centres; one hotspot may answer for several sources within its reach."""
    hotspots, sources = _unit_vectors(hotspot_lat, hotspot_lon), _unit_vectors(source_lat, source_lon)
    distance, index = _nearest(sources, hotspots)
    back, _ = _nearest(hotspots, sources)
    return Matches(np.where(distance <= radius_km, index, -1), distance, back <= radius_km)


def match_cells(
    detected_row: ArrayLike, detected_col: ArrayLike, cell_row: ArrayLike, cell_col: ArrayLike, cell_pixels: int
) -> tuple[Bools, Bools]:
    """Inventory cells that hold a persistent detection, and cells with a detection that the inventory lacks.

    Args:
        detected_row: (d,) lattice rows of persistent pixels.
        detected_col: (d,) lattice columns.
        cell_row: (c,) cell rows, counted from 90 N in cells of `cell_pixels` lattice pixels.
        cell_col: (c,) cell columns from 180 W.
        cell_pixels: lattice pixels along a side of a cell.

    Returns:
        (c,) identified cells, and one True (in the inventory) or False (a false cell) a detected cell.
    """
    span = np.int64(2**32)
    rows, cols = (np.asarray(axis, np.int64) // cell_pixels for axis in (detected_row, detected_col))
    detected = np.unique(rows * span + cols)
    cells = np.asarray(cell_row, np.int64) * span + np.asarray(cell_col, np.int64)
    return np.isin(cells, detected), np.isin(detected, cells)


def count_by_class(strength: ArrayLike, hit: Bools, edges: tuple[float, ...]) -> list[ClassCount]:
    """Hits by strength class, strongest last, sources of unknown (NaN) strength in a class of their own.

    Args:
        strength: (s,) in the units of `edges`.
        hit: (s,) found or not.
        edges: ascending; a source on an edge belongs to the stronger class.
    """
    values = np.asarray(strength, np.float64)
    known = ~np.isnan(values)
    classes = np.where(known, np.searchsorted(edges, values, side="right"), len(edges) + 1)
    names = [
        f"< {edges[0]:.4g}",
        *(f"{low:.4g}-{high:.4g}" for low, high in pairwise(edges)),
        f">= {edges[-1]:.4g}",
        "unknown",
    ]
    counts = [ClassCount(name, int((classes == i).sum()), int(hit[classes == i].sum())) for i, name in enumerate(names)]
    return counts if not known.all() else counts[:-1]


def overlap_with_grid(
    cell_lat: ArrayLike,
    cell_lon: ArrayLike,
    cell_t: ArrayLike,
    hotspot_lat: ArrayLike,
    hotspot_lon: ArrayLike,
    rules: OverlapRules,
) -> Overlap:
    """Strong cells of a CO2 grid that lie within reach of a hotspot pixel.

    Args:
        cell_lat: (c,) cell centres; a dense grid is passed raveled.
        cell_lon: (c,) cell centres.
        cell_t: (c,) tons a cell, in the period of `rules.min_t_per_cell`; NaN is no cell.
        hotspot_lat: (p,) centres of persistent hotspot pixels.
        hotspot_lon: (p,) centres of persistent hotspot pixels.
        rules: threshold and radius.
    """
    strong = np.asarray(cell_t, np.float64) >= rules.min_t_per_cell
    cells = _unit_vectors(np.asarray(cell_lat)[strong], np.asarray(cell_lon)[strong])
    distance, _ = _nearest(cells, _unit_vectors(hotspot_lat, hotspot_lon))
    return Overlap(int(strong.sum()), int((distance <= rules.radius_km).sum()))


def _unit_vectors(lat_deg: ArrayLike, lon_deg: ArrayLike) -> Floats:
    phi, turn = np.radians(np.asarray(lat_deg, np.float64)), np.radians(np.asarray(lon_deg, np.float64))
    return np.column_stack([np.cos(phi) * np.cos(turn), np.cos(phi) * np.sin(turn), np.sin(phi)])


def _nearest(points: Floats, among: Floats) -> tuple[Floats, Ints]:
    """Great-circle distance (km) and index of the nearest neighbour; infinite where there is none to be near."""
    if not len(among) or not len(points):
        return np.full(len(points), np.inf), np.full(len(points), -1, np.int64)
    chord, index = KDTree(among).query(points)
    return 2.0 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0)), np.asarray(index, np.int64)

"""Hotspots: connected regions of strong relative emission, their centres, areas and persistence.

Source: SCIENCE 3.6(4) and 3.2 (detections below 0.2 are discarded; the 10 % persistence is inferred). Pixels are
sparse: equally long arrays of row (southward) and col (eastward), with an optional scene index that never mixes. On the
global lattice columns are a circle (`n_cols`). Results do not depend on the order of the pixels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from carbonray.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FORWARD_NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))  # the other four of the eight are the same pairs backward


@dataclass(frozen=True)
class PersistenceRules:
    """When a pixel of the annual map is a hotspot.

    Attributes:
        min_frequency: detections over valid days, at least (inferred).
        min_detections: days detected, at least (inferred: one, so that a single orbit can be shown).
        min_valid_days: days judged, at least (inferred).
    """

    min_frequency: float = 0.10
    min_detections: int = 1
    min_valid_days: int = 1


@dataclass(frozen=True)
class Blobs:
    """Connected regions, in the order of their first pixel.

    Attributes:
        scene: (k,) scene they lie in.
        row, col: (k,) intensity-weighted centre, pixel coordinates; col in [-0.5, n_cols - 0.5) on a circle.
        peak_row, peak_col: (k,) the strongest pixel, the first of several equal ones.
        peak: (k,) its intensity.
        n_pixels: (k,) size.
        area_km2: (k,) size.
    """

    scene: Ints
    row: Floats
    col: Floats
    peak_row: Ints
    peak_col: Ints
    peak: Floats
    n_pixels: Ints
    area_km2: Floats

    def __len__(self) -> int:
        return len(self.scene)


def persistent(n_detections: ArrayLike, n_valid_days: ArrayLike, rules: PersistenceRules) -> Bools:
    """Pixels detected often enough among the days they could be seen."""
    hits, days = np.asarray(n_detections, np.int64), np.asarray(n_valid_days, np.int64)
    # compared as a product with a hair of slack, or 10 % of 10 days would hang on the last bit of 0.1
    frequent = hits >= rules.min_frequency * days * (1.0 - 1e-12)
    return np.asarray(frequent & (hits >= rules.min_detections) & (days >= rules.min_valid_days))


def label_pixels(
    row: NDArray[Any], col: NDArray[Any], *, scene: NDArray[Any] | None = None, n_cols: int | None = None
) -> Ints:
    """The connected region (eight neighbours) of every pixel.

    Args:
        row: (n,) pixel rows.
        col: (n,) pixel columns; no pixel twice within a scene.
        scene: (n,) index of the image; regions never cross it. One image if absent.
        n_cols: columns of the full circle, where column n_cols - 1 touches column 0.

    Returns:
        (n,) labels 0..k-1, numbered by the first pixel in (scene, row, col) order.

    Raises:
        DataError: a pixel appears twice.
    """
    if not len(row):
        return np.zeros(0, np.int64)
    _, cols, pages = _page_rows(row, col, scene)
    width = n_cols if n_cols is not None else int(cols.max()) + 2  # a spare column keeps rows apart
    keys = pages * width + cols
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    if (np.diff(ordered) == 0).any():
        raise DataError(
            f"{int((np.diff(ordered) == 0).sum())} pixels appear twice",
            where="label_pixels",
            expected="each (scene, row, col) once",
            remedy="Reduce the pixels by key first.",
        )
    starts, ends = _touching_pairs(ordered, width, wraps=n_cols is not None)
    graph = coo_array((np.ones(len(starts), np.int8), (starts, ends)), shape=(len(keys), len(keys)))
    _, component = connected_components(graph, directed=False)
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    labels = np.empty(len(keys), np.int64)
    labels[order] = np.argsort(np.argsort(first))[inverse]
    return labels


def summarise_blobs(
    labels: Ints,
    row: NDArray[Any],
    col: NDArray[Any],
    intensity: NDArray[Any],
    area_km2: ArrayLike,
    *,
    scene: NDArray[Any] | None = None,
    n_cols: int | None = None,
) -> Blobs:
    """Centres, peaks and areas of labelled pixels.

    Args:
        labels: (n,) from `label_pixels` on the same pixels.
        row: (n,) pixel rows.
        col: (n,) pixel columns.
        intensity: (n,) relative emission, positive: the weights of the centre.
        area_km2: (n,) or one number.
        scene: as in `label_pixels`.
        n_cols: as in `label_pixels`.
    """
    if not len(labels):
        none_f, none_i = np.zeros(0), np.zeros(0, np.int64)
        return Blobs(none_i, none_f, none_f, none_i, none_i, none_f, none_i, none_f)
    rows, cols, pages = _page_rows(row, col, scene)
    order = np.lexsort((cols, pages, -np.asarray(intensity, np.float64), labels))
    rows, cols, weights = rows[order], cols[order], np.asarray(intensity, np.float64)[order]
    areas = np.broadcast_to(np.asarray(area_km2, np.float64), len(labels))[order]
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))  # each region's strongest pixel comes first
    sizes = np.diff(np.append(starts, len(labels)))
    peak_cols = np.repeat(cols[starts], sizes)
    east = _circular(cols - peak_cols, n_cols)
    total = np.add.reduceat(weights, starts)
    col_centre = cols[starts] + np.add.reduceat(weights * east, starts) / total
    return Blobs(
        scene=np.zeros(len(starts), np.int64) if scene is None else np.asarray(scene, np.int64)[order][starts],
        row=np.add.reduceat(weights * rows, starts) / total,
        col=col_centre if n_cols is None else np.mod(col_centre + 0.5, n_cols) - 0.5,
        peak_row=rows[starts],
        peak_col=cols[starts],
        peak=weights[starts],
        n_pixels=sizes.astype(np.int64),
        area_km2=np.add.reduceat(areas, starts),
    )


def label_blobs(rel_emission: NDArray[Any], cut: float, pixel_km2: ArrayLike = 1.0) -> tuple[Ints, Blobs]:
    """Hotspots of dense maps.

    Args:
        rel_emission: (n, y, x) or (y, x) relative emission; NaN is below every cut.
        cut: pixels at or above it are detections.
        pixel_km2: area of a pixel, one number or one a scene.

    Returns:
        labels in the shape of the map, -1 where there is no detection, and the regions they name.
    """
    maps = np.asarray(rel_emission, np.float64)
    stack = maps if maps.ndim == 3 else maps[None]
    scene, row, col = np.nonzero(stack >= cut)
    found = label_pixels(row, col, scene=scene)
    areas = np.broadcast_to(np.asarray(pixel_km2, np.float64), len(stack))[scene]
    labels = np.full(stack.shape, -1, np.int64)
    labels[scene, row, col] = found
    blobs = summarise_blobs(found, row, col, stack[scene, row, col], areas, scene=scene)
    return labels.reshape(maps.shape), blobs


def _page_rows(row: NDArray[Any], col: NDArray[Any], scene: NDArray[Any] | None) -> tuple[Ints, Ints, Ints]:
    """Rows, columns, and rows counted through all scenes with one empty row between two scenes."""
    rows, cols = np.asarray(row, np.int64), np.asarray(col, np.int64)
    if scene is None:
        return rows, cols, rows
    return rows, cols, np.asarray(scene, np.int64) * (int(rows.max()) + 2) + rows


def _touching_pairs(ordered: Ints, width: int, *, wraps: bool) -> tuple[Ints, Ints]:
    """Index pairs of neighbouring pixels among ascending keys row * width + col."""
    rows, cols = np.divmod(ordered, width)
    starts, ends = [], []
    for down, east in FORWARD_NEIGHBOURS:
        beside = np.mod(cols + east, width) if wraps else cols + east
        wanted = (rows + down) * width + beside
        at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        met = np.flatnonzero(ordered[at] == wanted)
        starts.append(met)
        ends.append(at[met])
    return np.concatenate(starts), np.concatenate(ends)


def _circular(offset: Ints, n_cols: int | None) -> Ints:
    """The shortest way round in columns."""
    if n_cols is None:
        return offset
    half = n_cols // 2
    return np.mod(offset + half, n_cols) - half

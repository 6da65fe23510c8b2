"""Scores of emission maps against painted truth and against point sources, as counts that add up over scenes.

Source: SCIENCE 3.5. Recognition accuracy, RA = |T and P| / |T|, is recall: the all-positive map scores 1, so it always
stands beside precision, IoU, F1 and the false area. Maps are (n, y, x) relative emission; a NaN prediction is none.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.no2.hotspots import Blobs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STRENGTH_EDGES = (0.33, 0.66)  # the classes of relative emission in the NO2 paper
STRENGTH_NAMES = ("<.33", ".33-.66", ">.66")


@dataclass(frozen=True)
class MapCounts:
    """Pixel counts of one or many scenes: a monoid under `+`, elementwise.

    Attributes:
        tp: target pixels that were found.
        fp: predicted pixels that are no target.
        fn: target pixels that were missed.
        n_pixels: pixels compared.
        fp_km2: area of the false pixels.
        n_pixels_km2: area of the pixels compared.
    """

    tp: Ints
    fp: Ints
    fn: Ints
    n_pixels: Ints
    fp_km2: Floats
    n_pixels_km2: Floats

    def __add__(self, other: "MapCounts") -> "MapCounts":
        return MapCounts(*(mine + theirs for mine, theirs in zip(self.columns(), other.columns(), strict=True)))

    def columns(self) -> tuple[Any, ...]:
        """The six counts in declared order."""
        return self.tp, self.fp, self.fn, self.n_pixels, self.fp_km2, self.n_pixels_km2

    def total(self, where: Bools | None = None) -> "MapCounts":
        """The sum over scenes, or over some of them."""
        kept = slice(None) if where is None else where
        return MapCounts(*(np.asarray(column[kept].sum()) for column in self.columns()))

    def recall(self) -> Floats:
        """Recognition accuracy; NaN for scenes without a target."""
        return _ratio(self.tp, self.tp + self.fn)

    def precision(self) -> Floats:
        """Share of the predicted pixels that are targets; NaN where nothing was predicted."""
        return _ratio(self.tp, self.tp + self.fp)

    def iou(self) -> Floats:
        """Intersection over union; NaN where there is neither target nor prediction."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    def f1(self) -> Floats:
        """Harmonic mean of precision and recall; NaN where there is neither target nor prediction."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    def false_area(self) -> Floats:
        """False area over compared area."""
        return _ratio(self.fp_km2, self.n_pixels_km2)


def score_maps(
    target: NDArray[Any],
    predicted: NDArray[Any],
    theta: float,
    pixel_km2: ArrayLike = 1.0,
    *,
    cut: float | None = None,
    valid: Bools | None = None,
) -> MapCounts:
    """Counts of every scene at one threshold.

    Args:
        target: (n, y, x) painted relative emission.
        predicted: (n, y, x) relative emission; NaN counts as nothing detected.
        theta: pixels above it are targets, and detections too unless `cut` is given.
        pixel_km2: area of a pixel, one number or one a scene.
        cut: pixels at or above it are detections, where a model's own cut is used.
        valid: (n, y, x) pixels to compare; all if absent.
    """
    seen = np.ones(target.shape, np.bool_) if valid is None else valid
    wanted = (np.asarray(target) > theta) & seen
    found = (np.asarray(predicted) > theta if cut is None else np.asarray(predicted) >= cut) & seen
    tp, fp, fn, n_pixels = (
        mask.sum(axis=(-2, -1), dtype=np.int64) for mask in (wanted & found, found & ~wanted, wanted & ~found, seen)
    )
    areas = np.asarray(pixel_km2, np.float64)
    return MapCounts(tp, fp, fn, n_pixels, fp * areas, n_pixels * areas)


def counts_by_cut(
    target: NDArray[Any], predicted: NDArray[Any], theta: float, cuts: NDArray[Any]
) -> tuple[Ints, Ints, Ints]:
    """True positives, false positives and false negatives of all pixels at each of many ascending cuts.

    Additive over batches: the cut with the largest F1 on validation scenes is a model's, or a column threshold's.
    """
    wanted = (np.asarray(target) > theta).ravel()
    values = np.asarray(predicted, np.float64).ravel()
    passed = np.where(np.isnan(values), 0, np.searchsorted(cuts, values, side="right"))  # cuts at or below the value
    hits, others = (np.bincount(passed[which], minlength=len(cuts) + 1) for which in (wanted, ~wanted))
    tp, fp = (np.cumsum(counts[::-1])[::-1][1:].astype(np.int64) for counts in (hits, others))
    return tp, fp, int(wanted.sum()) - tp


def strength_class(rel_emission: ArrayLike) -> Ints:
    """0, 1 or 2 for relative emissions < .33, .33 to .66 and > .66; -1 for NaN and for nothing (0)."""
    strength = np.asarray(rel_emission, np.float64)
    classes = (strength >= STRENGTH_EDGES[0]).astype(np.int64) + (strength > STRENGTH_EDGES[1])
    return np.where(strength > 0.0, classes, -1)


def recall_by_class(target: NDArray[Any], predicted: NDArray[Any], theta: float, cut: float | None = None) -> Floats:
    """(3, n) recognition accuracy of each scene over the target pixels of one strength class alone; NaN without any."""
    classes = np.where(np.asarray(target) > theta, strength_class(target), -1)
    found = np.asarray(predicted) > theta if cut is None else np.asarray(predicted) >= cut
    return np.stack(
        [_ratio((of_class & found).sum(axis=(-2, -1)), of_class.sum(axis=(-2, -1)))
         for of_class in (classes == index for index in range(len(STRENGTH_NAMES)))]
    )  # fmt: skip


def quartiles(per_scene: NDArray[Any]) -> tuple[float, float, float]:
    """First quartile, median and third quartile over the scenes where a score is defined."""
    defined = np.asarray(per_scene, np.float64)
    defined = defined[~np.isnan(defined)]
    if not defined.size:
        return float("nan"), float("nan"), float("nan")
    low, middle, high = np.percentile(defined, [25.0, 50.0, 75.0])
    return float(low), float(middle), float(high)


@dataclass(frozen=True)
class AttributionRules:
    """When a detection belongs to a source.

    Attributes:
        radius_px: half width of the square of pixels about the source that may answer for it (inferred: the 4x4
            footprint and one pixel around it).
        cut: a pixel at or above it is a detection; 0.2 is the paper's.
    """

    radius_px: int = 3
    cut: float = 0.2


@dataclass(frozen=True)
class SourceScores:
    """What became of every source; NaN or False where the padding holds none.

    Attributes:
        detected: (n, s) a detection lies within the radius.
        error_km: (n, s) distance to the nearest centre of a region that reaches into the radius; NaN if undetected.
        q_kg_s: (n, s) estimated emission: the largest prediction within the radius times q_max.
        n_blobs: (n,) regions of the scene.
        n_false_blobs: (n,) regions that reach into no source's radius.
    """

    detected: Bools
    error_km: Floats
    q_kg_s: Floats
    n_blobs: Ints
    n_false_blobs: Ints


def score_sources(
    predicted: NDArray[Any],
    labels: Ints,
    blobs: Blobs,
    source_row: Floats,
    source_col: Floats,
    pixel_km: tuple[ArrayLike, float],
    q_max_kg_s: float,
    rules: AttributionRules,
) -> SourceScores:
    """Detection, localisation and strength of each source, and the regions that belong to none.

    Args:
        predicted: (n, y, x) relative emission.
        labels: (n, y, x) from `hotspots.label_blobs` at `rules.cut`.
        blobs: the regions the labels name.
        source_row: (n, s) pixels from the north edge, pixel i from i to i + 1; NaN where there is no source.
        source_col: (n, s) pixels from the west edge.
        pixel_km: width of a pixel, a number or one a scene, and its height.
        q_max_kg_s: emission of relative emission 1.
        rules: radius and cut.
    """
    near, scene, row, col = _windows(source_row, source_col, predicted.shape[1:], rules.radius_px)
    values = np.where(near, np.nan_to_num(np.asarray(predicted, np.float64)[scene, row, col], nan=0.0), 0.0)
    label = np.where(near, labels[scene, row, col], -1)
    centre_row, centre_col = (np.append(axis, np.nan)[label] for axis in (blobs.row, blobs.col))
    width_km = np.broadcast_to(np.asarray(pixel_km[0], np.float64), len(predicted))[:, None, None]
    distance = np.hypot(
        (centre_row + 0.5 - source_row[..., None]) * pixel_km[1],
        (centre_col + 0.5 - source_col[..., None]) * width_km,
    )
    nearest = np.where(label >= 0, distance, np.inf).min(axis=-1)
    exists = ~np.isnan(source_row)
    owned = np.zeros(len(blobs), np.bool_)
    owned[label[label >= 0]] = True
    return SourceScores(
        detected=(values >= rules.cut).any(axis=-1) & exists,
        error_km=np.where(np.isfinite(nearest), nearest, np.nan),
        q_kg_s=np.where(exists, values.max(axis=-1) * q_max_kg_s, np.nan),
        n_blobs=np.bincount(blobs.scene, minlength=len(predicted)).astype(np.int64),
        n_false_blobs=np.bincount(blobs.scene[~owned], minlength=len(predicted)).astype(np.int64),
    )


def _windows(source_row: Floats, source_col: Floats, shape: tuple[int, ...], radius_px: int) -> tuple[Any, ...]:
    """(n, s, k) indices of the pixels around each source, clipped to the map, and which of them count."""
    steps = np.arange(-radius_px, radius_px + 1)
    down, east = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    exists = ~np.isnan(source_row)[..., None]
    row = np.floor(np.where(exists, source_row[..., None], 0.0)).astype(np.int64) + down
    col = np.floor(np.where(exists, source_col[..., None], 0.0)).astype(np.int64) + east
    inside = (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1]) & exists
    scene = np.broadcast_to(np.arange(len(source_row))[:, None, None], row.shape)
    return inside, scene, np.clip(row, 0, shape[0] - 1), np.clip(col, 0, shape[1] - 1)


def _ratio(part: ArrayLike, whole: ArrayLike) -> Floats:
    below = np.asarray(whole, np.float64)
    return np.asarray(part, np.float64) / np.where(below > 0.0, below, np.nan)

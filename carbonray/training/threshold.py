"""The cut of a trained network: the relative emission at and above which a pixel is called a hotspot.

Source: SCIENCE 3.5; the paper discards detections below 0.2 of relative emission. Here the cut is the one of the best
pixel F1 on validation scenes, and the F1 at the paper's thresholds stands beside it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carbonray.execution import ThresholdRules
from carbonray.models.detector import detect
from carbonray.models.encoding import Encoding
from carbonray.models.layers import channels_last
from carbonray.models.tiles import PackedTiles

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class ChosenCut:
    """A cut and the validation metrics that led to it."""

    cut: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class SceneCounts:
    """Pixels of each scene, (scene,) each: hotspots, called ones, those that are both, and all."""

    true: Counts
    found: Counts
    hits: Counts
    pixels: Counts


def choose_cut(
    network: nn.Module, encoding: Encoding, validation: Iterable[PackedTiles], rules: ThresholdRules
) -> ChosenCut:
    """The cut of the best F1 over validation tiles, the lower one of two as good."""
    cuts = _cuts(rules)
    pairs = [(rules.target, cut) for cut in cuts] + [(0.05, 0.05), (0.2, 0.2)]
    counts = _pixel_counts(channels_last(network), encoding, validation, pairs)
    hits, found_px, true_px = counts.T
    f1 = _f1(counts)
    best = int(np.argmax(f1[: len(cuts)]))
    metrics = {
        "f1_at_cut": f1[best],
        "recall_at_cut": hits[best] / max(true_px[best], 1),
        "precision_at_cut": hits[best] / max(found_px[best], 1),
        "f1_at_0.05": f1[-2],
        "f1_at_0.2": f1[-1],
    }
    return ChosenCut(round(float(cuts[best]), 6), {name: round(float(value), 6) for name, value in metrics.items()})


def best_f1(
    network: nn.Module,
    encoding: Encoding,
    tiles: Iterable[PackedTiles],
    rules: ThresholdRules,
    total: Callable[[Tensor], Tensor],
) -> float:
    """Pixel F1 at the best cut.

    Args:
        network: channels last, in evaluation mode.
        encoding: of its input and answer.
        tiles: this worker's.
        rules: the cuts tried.
        total: sums numbers over the workers, so that F1 is that of all tiles.
    """
    counts = _pixel_counts(network, encoding, tiles, [(rules.target, cut) for cut in _cuts(rules)])
    return float(_f1(total(torch.from_numpy(counts)).numpy()).max())


def scene_counts(
    network: nn.Module, encoding: Encoding, tiles: Iterable[PackedTiles], target: float, cut: float
) -> SceneCounts:
    """Pixels of each scene at one cut.

    Args:
        network: channels last, in evaluation mode.
        encoding: of its input and answer.
        tiles: the scenes.
        target: relative emission above which a pixel of the truth is a hotspot.
        cut: relative emission from which a pixel is called one.
    """
    parts = [np.zeros((4, 0), np.int64)]
    for found, truth in _answered(network, encoding, tiles):
        hot, called = truth > target, found >= cut
        masks = (hot, called, hot & called, np.ones_like(hot))
        parts.append(np.stack([mask.sum(axis=(1, 2), dtype=np.int64) for mask in masks]))
    return SceneCounts(*np.concatenate(parts, axis=1))


def _cuts(rules: ThresholdRules) -> NDArray[np.float64]:
    return np.arange(rules.lowest, rules.highest + rules.step / 2, rules.step)


def _pixel_counts(
    network: nn.Module, encoding: Encoding, tiles: Iterable[PackedTiles], pairs: list[tuple[float, float]]
) -> Counts:
    """(pair, 3) pixels that are both, called, and hotspots, of pairs of a target and a cut."""
    counts = np.zeros((len(pairs), 3), np.int64)
    for found, truth in _answered(network, encoding, tiles):
        counts += [_counts(truth > target, found >= cut) for target, cut in pairs]
    return counts


def _answered(
    network: nn.Module, encoding: Encoding, tiles: Iterable[PackedTiles]
) -> Iterable[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Answer and truth (n, y, x) of every batch."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    for batch in tiles:
        given = batch.unpacked(device)
        with torch.inference_mode():
            found = detect(network, given, encoding)
        yield found.cpu().numpy(), given.truth().cpu().numpy()


def _counts(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> tuple[int, int, int]:
    return int((truth & found).sum()), int(found.sum()), int(truth.sum())


def _f1(counts: Counts) -> NDArray[np.float64]:
    hits, found_px, true_px = counts.T
    return np.asarray(2.0 * hits / np.maximum(found_px + true_px, 1))

"""The cut of a trained network: the relative emission at and above which a pixel is called a hotspot.

Source: SCIENCE 3.5; the paper discards detections below 0.2 of relative emission. Here the cut is the one of the best
pixel F1 on validation scenes, and the F1 at the paper's thresholds stands beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from carbonray.execution import ThresholdRules
from carbonray.models.detector import detect
from carbonray.models.encoding import Encoding
from carbonray.models.layers import channels_last
from carbonray.models.tiles import PackedTiles


@dataclass(frozen=True)
class ChosenCut:
    """A cut and the validation metrics that led to it."""

    cut: float
    metrics: dict[str, float]


def choose_cut(
    network: nn.Module, encoding: Encoding, validation: Iterable[PackedTiles], rules: ThresholdRules
) -> ChosenCut:
    """The cut of the best F1 over validation tiles, the lower one of two as good."""
    cuts = np.arange(rules.lowest, rules.highest + rules.step / 2, rules.step)
    pairs = [(rules.target, cut) for cut in cuts] + [(0.05, 0.05), (0.2, 0.2)]
    counts = np.zeros((len(pairs), 3), np.int64)
    channels_last(network)
    with torch.inference_mode():
        for batch in validation:
            tiles = batch.unpacked(torch.device("cpu"))
            found = detect(network, tiles, encoding).numpy()
            truth = tiles.truth().numpy()
            counts += [_counts(truth > theta, found >= cut) for theta, cut in pairs]
    hits, found_px, true_px = counts.T
    f1 = 2.0 * hits / np.maximum(found_px + true_px, 1)
    best = int(np.argmax(f1[: len(cuts)]))
    metrics = {
        "f1_at_cut": f1[best],
        "recall_at_cut": hits[best] / max(true_px[best], 1),
        "precision_at_cut": hits[best] / max(found_px[best], 1),
        "f1_at_0.05": f1[-2],
        "f1_at_0.2": f1[-1],
    }
    return ChosenCut(round(float(cuts[best]), 6), {name: round(float(value), 6) for name, value in metrics.items()})


def _counts(truth: np.ndarray, found: np.ndarray) -> tuple[int, int, int]:
    return int((truth & found).sum()), int(found.sum()), int(truth.sum())

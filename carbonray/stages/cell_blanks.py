"""How far the answer about a 1 km cell moves when its images, or its points of interest, show nothing.

Source: occlusion (Zeiler and Fergus 2014, arXiv 1311.2901) of a whole modality, in the cell and around it. An attention
weight scales vectors whose lengths the network chose; how far an answer moves does not hang on that. A blank image is
one flat colour; no points are a fact that a city may hold: neither is the token of what is absent.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.models.cell_batches import OF_POINTS, CellBatch
from carbonray.models.opencarbon import OpenCarbon
from carbonray.stages.cell_attribution import AttributionRules

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MovedAnswers:
    """Answers with everything, less those with something blank; ln t CO2 a year.

    Attributes:
        cell_id: (cell,) numbers.
        answer: (cell,) with everything.
        by_image: (cell,) less the answer to blank images.
        by_points: (cell,) less the answer to no points.
    """

    cell_id: NDArray[np.int64]
    answer: Floats
    by_image: Floats
    by_points: Floats

    @property
    def share_of_points(self) -> Floats:
        """(cell,) how far points move the answer, over that and how far images do; NaN where neither does."""
        image, points = np.abs(self.by_image), np.abs(self.by_points)
        both = image + points
        return np.asarray(points / np.where(both > 0.0, both, np.nan), np.float64)


def moved_answers(
    network: OpenCarbon, batches: Iterable[CellBatch], rules: AttributionRules | None = None
) -> MovedAnswers:
    """How far the answers about some cells move; the network is left judging.

    Args:
        network: of the registry.
        batches: cells with their windows.
        rules: colour of a blank image, and the device.
    """
    rules = rules or AttributionRules()
    network.to(rules.device).eval()
    found: list[tuple[NDArray[np.generic], ...]] = [(np.zeros(0, np.int64), *(np.zeros(0) for _ in range(3)))]
    for batch in batches:
        with torch.inference_mode():
            here = batch.to(torch.device(rules.device))
            cases = (here, without_images(here, rules.blank_rgb), without_points(here))
            whole, *less = (network(case).ln_e.double().cpu().numpy() for case in cases)
        found.append((batch.cell_ids.cpu().numpy(), whole, *(whole - other for other in less)))
    return MovedAnswers(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def without_images(batch: CellBatch, rgb: tuple[float, float, float]) -> CellBatch:
    """The same cells with images of one flat colour, rounded to whole numbers."""
    flat = torch.tensor(rgb, device=batch.images.device).round().to(batch.images.dtype)
    return replace(batch, images=flat[:, None, None].expand_as(batch.images).contiguous())


def without_points(batch: CellBatch) -> CellBatch:
    """The same cells without a point of interest, wherever they are known."""
    return replace(batch, **{name: getattr(batch, name)[:0] for name in OF_POINTS})

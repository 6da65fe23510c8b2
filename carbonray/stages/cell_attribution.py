"""What the answer about a 1 km cell owes to every pixel and to every point of interest, of the cell and around it.

Sources: integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) by captum; the check against a network of
random weights is Adebayo et al. 2018 (arXiv 1810.03292). Attributions are parts of ln t CO2 a year: together they are
the answer less the answer to blank inputs, one flat colour and no points, but for the error of the sum over steps.
What is absent owes nothing. They tell of the network, not of what causes emissions.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.errors import DataError, SettingsError
from carbonray.models.cell_batches import CellBatch, gathered
from carbonray.models.layers import channels_last
from carbonray.models.opencarbon import MODALITIES, OpenCarbon
from carbonray.science.stats.metrics import spearman

INSTALL = "pip install 'carbonray[explain]'"


@dataclass(frozen=True)
class AttributionRules:
    """How attributions are summed up.

    Attributes:
        steps: from blank inputs to the cell's own, by Gauss-Legendre's rule (inferred).
        steps_at_once: in one call of the network: memory against speed, the sums are the same to rounding.
        blank_rgb: colour of an image that shows nothing, 0 to 255: ImageNet's mean (inferred).
        device: 'cpu' or 'cuda'.
    """

    steps: int = 64
    steps_at_once: int = 4
    blank_rgb: tuple[float, float, float] = (123.675, 116.28, 103.53)
    device: str = "cpu"


@dataclass(frozen=True)
class CellAttribution:
    """The answer about one cell, taken apart; windows have M x M places, north-west first, images row 0 north.

    Attributes:
        cell_id: number of the cell.
        answer: ln t CO2 a year.
        blank: answer to blank images and no points, with the same presence.
        image: (M, M, s, s) part of each pixel, over its colours; 0 where there is no image.
        poi: (M, M, C, s, s) part of the points in each pixel by category; 0 where none are.
    """

    cell_id: int
    answer: float
    blank: float
    image: NDArray[np.float32]
    poi: NDArray[np.float32]

    @property
    def missed(self) -> float:
        """Answer less blank answer less all attributions: the error of the sum over steps."""
        told = self.image.sum(dtype=np.float64) + self.poi.sum(dtype=np.float64)
        return self.answer - self.blank - float(told)

    @property
    def own(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(s, s) and (C, s, s) attributions of the cell's own image and points."""
        centre = len(self.image) // 2
        return self.image[centre, centre], self.poi[centre, centre]

    def parts(self, categories: tuple[str, ...]) -> Iterator[tuple[str, str, str, float]]:
        """(place, modality, category, ln t CO2) of `vocab.cell_insight_tables.CELL_ATTRIBUTIONS`.

        Args:
            categories: names of the points' categories.
        """
        image, poi = self.image.sum((2, 3), dtype=np.float64), self.poi.sum((3, 4), dtype=np.float64)
        centre = len(image) // 2
        own = np.zeros(image.shape, np.bool_)
        own[centre, centre] = True
        for place, within in (("own", own), ("around", ~own)):
            yield place, MODALITIES[0], "", float(image[within].sum())
            for name, part in zip(categories, poi[within].sum(axis=0).tolist(), strict=True):
                yield place, MODALITIES[1], name, part


def attributions(
    network: OpenCarbon, batch: CellBatch, rules: AttributionRules | None = None
) -> Iterator[CellAttribution]:
    """The answers about the cells of a batch, taken apart one after another; the network is left judging.

    Args:
        network: of the registry.
        batch: cells with their windows, at least as many rings as the network reads.
        rules: steps and blank inputs.

    Raises:
        SettingsError: captum is not installed.
        DataError: of a cell the network sees neither image nor points.
    """
    rules = rules or AttributionRules()
    captum = _captum()
    network.to(rules.device).eval()
    batch = batch.to(torch.device(rules.device)).cropped(network.config.reach)
    windows, present = batch.windows(), batch.present()
    for row in range(len(batch)):
        alone = batch.rows(torch.tensor([row], device=windows.device))
        yield _taken_apart(network, alone, present[row], rules, captum)


def randomised(network: OpenCarbon, seed: int = 0) -> OpenCarbon:
    """A network of the same shape that has learned nothing.

    What its attributions share with those of the fitted one is owed to inputs and architecture.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = OpenCarbon(network.config)
    channels_last(made).eval()
    return made


def agreement(first: CellAttribution, second: CellAttribution) -> dict[str, float]:
    """Modality -> rank correlation of two attributions of one cell, over the places where either owes anything.

    Signs are kept: sizes alone agree between any two networks where inputs differ most from blank ones. NaN where
    nothing is left to compare.
    """
    found = {}
    for name in MODALITIES:
        one, two = (np.asarray(getattr(side, name), np.float64).ravel() for side in (first, second))
        some = (one != 0.0) | (two != 0.0)
        found[name] = spearman(one[some], two[some]) if some.sum() > 1 else float("nan")
    return found


@dataclass(frozen=True)
class _Window:
    """The network as a function of what is there in one window, for some steps at once.

    Attributes:
        network: judging.
        there: modality -> (k,) places with it, of those that the network reads.
        present: (M, M, 2) what is there.
    """

    network: OpenCarbon
    there: dict[str, Tensor]
    present: Tensor

    def __call__(self, *inputs: Tensor) -> Tensor:
        """(n, k, c, s, s) of each modality -> (n,) ln t CO2."""
        n, side, d = len(inputs[0]), len(self.present), self.network.config.d
        cubes = {name: inputs[0].new_zeros(n, side * side, d) for name in MODALITIES}
        encoders = {"image": self.network.encode_image, "poi": self.network.encode_poi}
        for (name, places), tiles in zip(self.there.items(), inputs, strict=True):
            encoded = encoders[name](tiles.flatten(0, 1)).view(n, len(places), d)
            cubes[name] = cubes[name].index_copy(1, places, encoded)
        image, poi = (cubes[name].view(n, side, side, d) for name in MODALITIES)
        return self.network.regress(image, poi, self.present.expand(n, -1, -1, -1)).ln_e


def _taken_apart(
    network: OpenCarbon, alone: CellBatch, present: Tensor, rules: AttributionRules, captum: Any
) -> CellAttribution:
    """One cell, the only one of its batch."""
    inputs, there = _inputs(network, alone, present)
    cell, config = int(alone.cell_ids[0]), network.config
    if not bool(present[config.reach, config.reach, [MODALITIES.index(name) for name in config.modalities]].any()):
        raise DataError(
            f"of the cell {cell} the network sees neither image nor points",
            where="attributions",
            expected="a cell with an answer",
            remedy="Ask for cells whose `status` is `estimated`.",
        )
    answer = _Window(network, there, present)
    blank = {name: _blank(name, tiles, rules) for name, tiles in inputs.items()}
    found = captum.IntegratedGradients(answer).attribute(
        tuple(inputs.values()),
        baselines=tuple(blank.values()),
        n_steps=rules.steps,
        internal_batch_size=rules.steps_at_once,
        method="gausslegendre",
    )
    with torch.inference_mode():
        said, bare = (float(answer(*tiles.values())) for tiles in (inputs, blank))
    image, poi = _maps(network, there, found, len(present))
    return CellAttribution(cell, said, bare, image, poi)


def _maps(
    network: OpenCarbon, there: dict[str, Tensor], found: tuple[Tensor, ...], side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(M, M, s, s) of the image, its colours added up, and (M, M, C, s, s) of the points; 0 where nothing is."""
    s, categories = network.config.image_px, network.config.poi_categories
    image, poi = np.zeros((side * side, s, s), np.float32), np.zeros((side * side, categories, s, s), np.float32)
    for (name, places), parts in zip(there.items(), found, strict=True):
        at, values = places.cpu().numpy(), parts[0].float()
        if name == "image":
            image[at] = values.sum(1).cpu().numpy()
        else:
            poi[at] = values.cpu().numpy()
    return image.reshape(side, side, s, s), poi.reshape(side, side, categories, s, s)


def _inputs(network: OpenCarbon, alone: CellBatch, present: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Modality -> (1, k, c, s, s) what is there of those that the network reads, and (k,) its places in the window."""
    config, windows = network.config, alone.windows()
    inputs, there = {}, {}
    for name in config.modalities:
        places = torch.nonzero(present[..., MODALITIES.index(name)].flatten())[:, 0]
        if len(places):
            tiles = alone.pixels() if name == "image" else alone.raster(config.poi_categories, config.image_px)
            inputs[name] = gathered(tiles.float(), windows).flatten(1, 2)[:, places]
            there[name] = places
    return inputs, there


def _blank(name: str, tiles: Tensor, rules: AttributionRules) -> Tensor:
    """One flat colour, or no points."""
    if name == "poi":
        return torch.zeros_like(tiles)
    return tiles.new_tensor(rules.blank_rgb)[:, None, None].expand_as(tiles)


def _captum() -> Any:
    try:
        return importlib.import_module("captum.attr")
    except ImportError as error:
        raise SettingsError(
            f"attributions need captum ({error})",
            where="attributions",
            expected="captum 0.9 or later",
            remedy=f"{INSTALL}, or do without attributions.",
        ) from error

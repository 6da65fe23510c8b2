"""Fits one network of 1 km cells: the centre of its answers measured, epochs kept, the best weights rounded.

Sources: SCIENCE 1.3 to 1.5. Everything measured is measured on the cells that teach; the validation cells choose the
epoch, and their residuals become the band of the answers in tonnes.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.errors import SettingsError
from carbonray.io.backbone_weights import read_backbone
from carbonray.io.objectstore import sha256
from carbonray.io.read_ahead import ReadWindows, read_by_thread
from carbonray.io.urban.co2_labels import LabelRules
from carbonray.models.cell_batches import CellBatch
from carbonray.models.cell_fit import RECIPES, CellFitRules, cell_epochs, predicted_ln_e
from carbonray.models.cell_registry import cell_entry
from carbonray.models.detector import load_tensors
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.models.fit_tensors import best_weights, stored
from carbonray.models.opencarbon import OpenCarbon, OpenCarbonConfig
from carbonray.models.resnet18 import load_resnet18
from carbonray.science.spatial.folds import Rotation, rotation
from carbonray.science.stats.metrics import mae, r2, rmse
from carbonray.science.urban.cell_splits import CellSplitRules, group_names
from carbonray.science.urban.labels import BackTransform, BandRules, back_transform
from carbonray.stages.cell_roles import DividedCells, TrainingCells
from carbonray.stages.cell_streams import CellStream, stream_for
from carbonray.stages.sounding_rules import changed

SETTINGS = "grid.training"
MEASURED = ("ln_center", "ln_spread")
RANDOM = OpenCarbonConfig().init
OF_DATA = ("poi_categories", "image_px", "init")  # of the network, decided elsewhere


@dataclass(frozen=True)
class CellTrainRules:
    """How networks of cells are fitted.

    Attributes:
        fit: settings of the fit that differ from the recipe's, by nested names such as loss: {alpha: 0.01}.
        config: settings of the network that differ from the registry's; `ln_center` and `ln_spread` are measured on the
            cells that teach unless they stand here (the authors': 0 and 1).
        backbone: URL of a ResNet-18 as .safetensors, torchvision's names, from which image encoders start as in the
            paper (ImageNet's, fed as `config.image_norm` says); '' for random first weights.
        recipe: a city's settings of the fit as published, 'london', 'beijing' or 'yinchuan'; '' for the registry's.
        split: how cells are divided into those that teach, validate and test.
        window_shards: shards of cells among which cells are shuffled; if there are no more, they are read once.
        patch_cells: side of the squares of neighbouring cells that enter batches together; 1 as the authors, 4 encodes
            a third of the tiles, for cells that resemble each other more (inferred).
        labels: how a year's label is put together.
        band: how logarithms become tonnes with a band.
        weights: 'fp16' or 'fp32', as bundles store them.
        device: 'cpu' or 'cuda'.
        threads: of a fit; with another number the last bits differ.
        least_cells: a split with fewer cells to learn from, or to validate on, is refused (inferred).
    """

    fit: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    backbone: str = ""
    recipe: Literal["", "london", "beijing", "yinchuan"] = ""
    split: CellSplitRules = field(default_factory=CellSplitRules)
    window_shards: int = 8
    patch_cells: int = 1
    labels: LabelRules = field(default_factory=LabelRules)
    band: BandRules = field(default_factory=BandRules)
    weights: Literal["fp16", "fp32"] = "fp16"
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    least_cells: int = 20

    def network(self, model: str, poi_categories: int, image_px: int) -> OpenCarbonConfig:
        """The network of a name in the registry, for so many categories and pixels.

        Raises:
            ContractError: the name is unknown.
            SettingsError: something unknown is told, or what follows from the data.
        """
        fixed = sorted(set(OF_DATA) & set(self.config))
        if fixed:
            raise SettingsError(
                f"{SETTINGS}.config tells {fixed[0]}",
                where=f"{SETTINGS}.config",
                expected="sizes that follow from the basemap and the category map, weights from a backbone",
                remedy=f"Leave it out; change grid.basemap.image_px, grid.categories_url or {SETTINGS}.backbone.",
            )
        config = changed(cell_entry(model).config, self.config, where=f"{SETTINGS}.config")
        return replace(config, poi_categories=poi_categories, image_px=image_px)

    def network_fit(self, model: str) -> CellFitRules:
        """How it is fitted: the city's recipe, what makes the model what it is, and what the settings change.

        Raises:
            ContractError: the name is unknown.
            SettingsError: something unknown is told.
        """
        own = cell_entry(model).fit
        if self.recipe:
            own = changed(RECIPES[self.recipe], _differing(asdict(own), asdict(CellFitRules())), where=model)
        return changed(own, self.fit, where=f"{SETTINGS}.fit")


@dataclass(frozen=True)
class CellFit:
    """The fit of one network.

    Attributes:
        name: for people, such as 'opencarbon-2'.
        config: of the network, centre and spread measured.
        train: cells that teach.
        validation: cells that choose the epoch.
        rules: of the fit.
        backbone: URL of the image encoder's first weights; `config.init` tells which they are.
    """

    name: str
    config: OpenCarbonConfig
    train: CellStream
    validation: CellStream
    rules: CellFitRules
    backbone: str = ""

    def digest(self) -> str:
        """Of everything that can change the weights; the shards' seals stand for pixels, points and labels."""
        splits = [[(shard.sha256, shard.cells) for shard in stream.shards] for stream in self._streams]
        order = [(s.window_shards, s.batch_size, s.patch_cells, s.seed) for s in self._streams]
        return sha256(json.dumps([asdict(self.config), asdict(self.rules), splits, order], sort_keys=True).encode())

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        """The epochs after a state.

        Raises:
            DataError: a shard is bad, a batch cannot be learnt from, or the fit diverged.
            ContractError: batches are too small for the workers, or the first weights are others than the ones told.
        """
        shared = self.train if workers.world == 1 else replace(self.train, rank=workers.rank, world=workers.world)
        torch.manual_seed(self.rules.seed)
        network = OpenCarbon(self.config)
        if self.config.init != RANDOM:
            found = read_backbone(self.backbone, self.config.init.rpartition(":")[2])
            load_resnet18(network.image_encoder, found.tensors, where=self.backbone)
        return cell_epochs(network, shared.shuffled, self.validation.in_order, self.rules, state=state, workers=workers)

    @property
    def _streams(self) -> tuple[CellStream, CellStream]:
        return self.train, self.validation


@dataclass(frozen=True)
class FittedCells:
    """A fitted network as bundles store it, and what its validation cells say of it.

    Attributes:
        tensors: by name.
        back: from logarithms to tonnes with a band.
        scores: MAE, RMSE and R2 of the logarithm, of the rounded weights.
    """

    tensors: dict[str, NDArray[Any]]
    back: BackTransform
    scores: dict[str, float]


@dataclass(frozen=True)
class CellAnswers:
    """What a network says of the cells of a stream: numbers, labels and answers, (n,) each."""

    cell_id: NDArray[np.int64]
    truth: NDArray[np.float64]
    answer: NDArray[np.float64]


def cell_fit(
    rules: CellTrainRules,
    model: str,
    data: TrainingCells,
    divided: DividedCells,
    turn: Rotation,
    windows: ReadWindows = read_by_thread,
) -> CellFit:
    """The fit of one network in one rotation.

    Args:
        rules: of all fits.
        model: name in the registry.
        data: the store of samples.
        divided: its labelled cells with their folds.
        turn: which folds train and validate.
        windows: reads windows of shards ahead.

    Raises:
        ContractError: the backbone is no safetensors of floats.
        DataError: too few cells are left in a role, or there is no backbone.
        SettingsError: something unknown is told, or the network looks further than the samples reach.
    """
    config, how = rules.network(model, len(data.categories), data.image_px), rules.network_fit(model)
    if config.reach > data.ring:
        raise SettingsError(
            f"the network reads {config.reach} rings of neighbours",
            where=f"{SETTINGS}.config.neighbor_size",
            expected=f"{data.ring} at most, as the samples hold",
            remedy="Make the samples in a run of their own with these settings.",
        )
    train, validation = divided.checked(turn, config.modalities, rules.least_cells)
    ln = divided.rows.ln_t_co2[train]
    measured = dict(zip(MEASURED, (float(ln.mean()), float(ln.std())), strict=True))
    config = _started(changed(config, {**measured, **rules.config}, where=f"{SETTINGS}.config"), rules.backbone)

    def stream(chosen: NDArray[np.int64]) -> CellStream:
        return stream_for(
            config,
            divided.shards_with(chosen),
            how.batch_size,
            window_shards=rules.window_shards,
            patch_cells=rules.patch_cells,
            seed=how.seed,
            windows=windows,
        )

    same = turn == rotation(turn.test, divided.folds.n_folds)
    number = str(turn.test) if same else f"{turn.test}-stopped-on-{turn.val}"
    return CellFit(f"{model}-{number}", config, stream(train), stream(validation), how, rules.backbone)


def fitted_cells(fit: CellFit, state: FitState, rules: CellTrainRules) -> FittedCells:
    """The network of a fit at its best epoch, judged as it is stored.

    Args:
        fit: the fit.
        state: after its last epoch.
        rules: weights, band and device.
    """
    tensors = stored(best_weights(state.tensors), rules.weights)
    network = OpenCarbon(fit.config)
    load_tensors(network, tensors, where=fit.name)
    told = stream_answers(network, fit.validation, rules.device, fit.rules.precision)
    back = back_transform(told.truth - told.answer, held_out_groups(told.cell_id, rules.split), rules.band)
    scores = {score.__name__: score(told.truth, told.answer) for score in (mae, rmse, r2)}
    return FittedCells(tensors, back, scores)


def stream_answers(network: OpenCarbon, stream: CellStream, device: str, precision: str = "fp32") -> CellAnswers:
    """What a network says of all cells of a stream, in their order; it is left judging, on the device."""
    cells: list[NDArray[np.int64]] = []
    truth: list[NDArray[np.float64]] = []

    def told() -> Iterator[CellBatch]:
        for batch in stream.in_order():
            cells.append(batch.cell_ids.numpy())
            truth.append(batch.ln_e.double().numpy())
            yield batch

    answer = predicted_ln_e(network.to(device), told(), device=device, precision=precision)
    none = np.zeros(0)
    return CellAnswers(np.concatenate([none.astype(np.int64), *cells]), np.concatenate([none, *truth]), answer)


def block_names(cell_id: NDArray[np.int64], split: CellSplitRules) -> list[str]:
    """(n,) the spatial block of each cell, however cells are divided: neighbours err together."""
    return group_names(cell_id, [""] * len(cell_id), replace(split, by="blocks"))


def held_out_groups(cell_id: NDArray[np.int64], split: CellSplitRules) -> list[str]:
    """(n,) what counts once for the band: the cell itself at random, its spatial block otherwise.

    The band holds for cells that are held out as these were; that of a random division flatters, as its scores do.
    """
    return group_names(cell_id, [""] * len(cell_id), split) if split.by == "random" else block_names(cell_id, split)


def _started(config: OpenCarbonConfig, backbone: str) -> OpenCarbonConfig:
    """The network with which first weights its image encoder has; one without images has nothing to start."""
    if not backbone or "image" not in config.modalities:
        return config
    return replace(config, init=f"resnet18 sha256:{read_backbone(backbone).sha256}")


def _differing(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """What of some nested settings differs from the defaults."""
    below = {name: _differing(v, defaults[name]) for name, v in values.items() if isinstance(v, dict)}
    own = {name: v for name, v in values.items() if not isinstance(v, dict) and v != defaults[name]}
    return own | {name: v for name, v in below.items() if v}

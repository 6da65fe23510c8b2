"""Networks of 1 km cells as learners: samples of tiles, one fit a fold, bundles that know their folds and their band.

Sources: SCIENCE 1.4 and 1.5; the rotation of folds of 4.7. A trial fits on every turn of the search; of cells of the
test fold nothing but numbers is read before they are judged, once.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from carbonray.contract import Unit
from carbonray.engine.run import Run
from carbonray.execution import TrackRules, TrainRules
from carbonray.io import objectstore
from carbonray.io.model_store import Lineage, bundle_sha256, save_bundle
from carbonray.models.cell_fit import SCORE
from carbonray.models.cell_registry import CELL_MODELS
from carbonray.models.fit import FitState
from carbonray.models.lockstep import Lockstep
from carbonray.science.spatial.folds import N_FOLDS, search_turns
from carbonray.science.stats.metrics import r2
from carbonray.science.urban.cell_splits import RANDOM_FOLDS
from carbonray.settings import Settings
from carbonray.stages.cell_bundles import cell_bundle, cell_pin
from carbonray.stages.cell_held_out import held_out_cells
from carbonray.stages.cell_networks import (
    MEASURED,
    OF_DATA,
    SETTINGS,
    CellFit,
    CellTrainRules,
    FittedCells,
    cell_fit,
    fitted_cells,
)
from carbonray.stages.cell_roles import DividedCells, TrainingCells, divided_cells
from carbonray.training.cell_passes import planned_inputs, prepared_cells
from carbonray.training.learner import Floats, HeldOutAnswers, Report, Target, flat
from carbonray.training.ray_windows import WINDOWS
from carbonray.training.saved_fits import command_of, commit_bundles, fitted_states, training_place, versions
from carbonray.training.torch_trial import TrialPlace, run_trial

TARGET = "ln_e"
SECTIONS = ("grid.rules", "grid.mask", "grid.points", "grid.basemap", "grid.training", "training.run")


@dataclass(frozen=True)
class CellTrial:
    """Networks, one a turn of the search, that advance together.

    Attributes:
        model: name in the registry.
        rules: of the fits.
        data: the store of samples.
        test_fold: fold that no turn sees.
        splits: turns, the first of those there are.
        train: where the trial runs.
        tracking: who else is told.
    """

    model: str
    rules: CellTrainRules
    data: TrainingCells
    test_fold: int
    splits: int
    train: TrainRules
    tracking: TrackRules

    def run(self, report: Report) -> None:
        """Reports after every epoch.

        Raises:
            DataError: too few cells are left in a role, or there are too few folds.
        """
        divided = divided_cells(self.data, self.rules.split)
        divided.require_fold(self.test_fold, "tune.test_fold")
        turns = search_turns(self.test_fold, divided.folds.n_folds)[: self.splits]
        windows = WINDOWS[self.train.reader]
        fits = tuple(cell_fit(self.rules, self.model, self.data, divided, turn, windows) for turn in turns)
        place = TrialPlace(
            self.data.url, self.train, self.tracking, _parameters(fits[0], self.rules), self.rules.device
        )
        run_trial(Lockstep(self.model, fits, SCORE, "max"), place, report)


@dataclass(frozen=True)
class CellLearner:
    """The networks of `models.cell_registry`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the registry."""
        return tuple(CELL_MODELS)

    @property
    def sections(self) -> tuple[str, ...]:
        """Settings that can change a fit."""
        return SECTIONS

    def targets(self, model: str) -> tuple[Target, ...]:
        """The logarithm of a cell's tonnes of CO2 a year."""
        return (Target(TARGET, SCORE, "max", by_epoch=True),)

    def defaults(self, settings: Settings, target: str) -> Mapping[str, Any]:
        """Settings of the fit, and of the network but for what follows from the data."""
        rules = settings.grid.training
        fit = asdict(rules.network_fit(settings.model))
        shape = asdict(rules.network(settings.model, 1, settings.grid.basemap.image_px))
        config = {name: value for name, value in shape.items() if name not in (*OF_DATA, *MEASURED)}
        return flat(fit, f"{SETTINGS}.fit") | flat(config, f"{SETTINGS}.config")

    def plan(self, settings: Settings, digest: str) -> tuple[Unit, ...]:
        """Masks and points, and a unit a fit; of cities left out as many as there are masks."""
        split = settings.grid.training.split.by
        inputs = planned_inputs(settings, digest)
        masks = sum(unit.pass_name == "cells" for unit in inputs)
        folds = {"random": RANDOM_FOLDS, "cities": masks}.get(split, N_FOLDS)
        chosen = settings.training.instances or range(folds)
        fits = (Unit("fits", f"{settings.model}-{k}", f"{settings.model}-{k}", {}, (), ()) for k in chosen)
        return (*inputs, *fits)

    def prepare(self, run: Run, settings: Settings) -> TrainingCells:
        """The passes `cells`, `points` and `samples`."""
        return prepared_cells(run, settings)

    def instances(self, prepared: TrainingCells, settings: Settings) -> tuple[int, ...]:
        """One a fold: four of blocks, five at random, one a city."""
        return tuple(range(divided_cells(prepared, settings.grid.training.split).folds.n_folds))

    def trial(self, prepared: TrainingCells, settings: Settings, target: str) -> CellTrial:
        """Over the turns of the search."""
        rules, tune = settings.grid.training, settings.tune
        train = training_place(settings, rules.threads, rules.device)
        return CellTrial(settings.model, rules, prepared, tune.test_fold, tune.splits, train, settings.tracking)

    def fit(
        self, run: Run, prepared: TrainingCells, settings: Settings, instances: tuple[int, ...], folder: str
    ) -> None:
        """One fit a fold, each in a process of its own, at once where there is room; then their bundles."""
        rules, model = settings.grid.training, settings.model
        train = training_place(settings, rules.threads, rules.device)
        divided = divided_cells(prepared, rules.split)
        numbers = instances or tuple(range(divided.folds.n_folds))
        windows = WINDOWS[train.reader]
        fits = [cell_fit(rules, model, prepared, divided, divided.turn(k), windows) for k in numbers]
        told_to_trackers = {"command": command_of(settings, SECTIONS), "data_tier": prepared.tier}
        states = fitted_states(
            run, settings, fits, train, lineage=told_to_trackers, parameters=lambda fit: _parameters(fit, rules)
        )
        torch.set_num_threads(rules.threads)  # of what the bundles are judged by
        keys, told = [f"{folder}/{model}/{k}" for k in numbers], {}
        for key, k, fit, state in zip(keys, numbers, fits, states, strict=True):
            fitted = fitted_cells(fit, state, rules)
            lineage = _lineage(settings, prepared, divided, fit, state, fitted, k)
            bundle = cell_bundle(
                model,
                k,
                fit.config,
                fitted.tensors,
                back=fitted.back,
                categories=prepared.categories,
                split=rules.split,
                lineage=lineage,
            )
            url = objectstore.join(run.url, key)
            save_bundle(url, bundle)
            told[key] = f"sha256 {bundle_sha256(url)}, validation R2 {fitted.scores['r2']:.3f}"
            run.facts.setdefault("history", {})[key] = state.facts["history"]
        commit_bundles(run, settings.digest(("model", *SECTIONS)), folder, keys)
        cells = {"data tier": prepared.tier, "labelled cells": len(divided.rows.cell_id)}
        run.facts["summary"] = cells | {"divided by": rules.split.by, **told}

    def held_out(
        self, prepared: TrainingCells, settings: Settings, target: str, folder_url: str, instance: int
    ) -> HeldOutAnswers:
        """Cells of the fold by spatial block; the trivial answer is the mean of the training labels."""
        url, rules = objectstore.join(folder_url, settings.model, str(instance)), settings.grid.training
        divided = divided_cells(prepared, rules.split)
        pin = cell_pin(url, bundle_sha256(url))
        found = held_out_cells(pin, divided, device=rules.device, window_shards=rules.window_shards)
        trivial = np.full(len(found.truth), found.trivial)
        return HeldOutAnswers(found.block, found.truth, found.answer, trivial, _r2)


def _r2(truth: Floats, answer: Floats) -> float:
    return r2(truth, answer)


def _parameters(fit: CellFit, rules: CellTrainRules) -> dict[str, Any]:
    told = {"recipe": rules.recipe, "split": asdict(rules.split), "window_shards": rules.window_shards}
    return {"config": asdict(fit.config), "fit": asdict(fit.rules), **told}


def _lineage(
    settings: Settings,
    data: TrainingCells,
    divided: DividedCells,
    fit: CellFit,
    state: FitState,
    fitted: FittedCells,
    instance: int,
) -> Lineage:
    """How a bundle came about; the same fit gives the same lineage, whenever it ran."""
    rules = settings.grid.training
    return Lineage(
        command=command_of(settings, SECTIONS),
        run_id="",
        seed=fit.rules.seed,
        scenes=len(fit.train),
        validation_scenes=len(fit.validation),
        epochs=state.epoch,
        generator_sha256=data.generator_sha256,
        settings_digest=settings.digest(("model", *SECTIONS)),
        versions=versions(),
        fit={"rules": asdict(fit.rules), "recipe": rules.recipe, "weights": rules.weights, "band": asdict(rules.band)},
        validation=fitted.scores,
        fold_table=divided.table(divided.turn(instance)),
        data_tier=data.tier,
    )

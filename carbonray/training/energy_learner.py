"""Networks between energy and emissions as learners: rows of a run, one fit a turn, bundles that know what they saw.

Sources: SCIENCE 2.3 and 2.5. A trial fits on turns of the search, which see nothing of what its test turn holds out; of
rows that test nothing but region and time is read before they are judged, once.
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
from carbonray.models.clean_fit import SCORE
from carbonray.models.clean_registry import CLEAN_MODELS
from carbonray.models.fit import FitState
from carbonray.models.lockstep import Lockstep
from carbonray.pipelines.energy_rows import SECTIONS as ROW_SECTIONS
from carbonray.pipelines.energy_rows import file_units, prepared_rows
from carbonray.science.energy.splits import PAPER_TURN, EnergySplitRules
from carbonray.science.energy.synthesis import SynthesisRules
from carbonray.science.stats.metrics import mape
from carbonray.settings import Settings
from carbonray.stages.energy_bundles import TASKS, energy_bundle, energy_pin
from carbonray.stages.energy_held_out import held_out_energy
from carbonray.stages.energy_networks import (
    DECIDED,
    SETTINGS,
    CleanTrainRules,
    EnergyFit,
    FittedEnergy,
    energy_fit,
    fitted_energy,
)
from carbonray.stages.energy_roles import DividedEnergy, TrainingEnergy, divided_energy
from carbonray.stages.energy_streams import RowTable
from carbonray.synthetic.regions.frozen import region_generator_sha256
from carbonray.training.learner import Floats, HeldOutAnswers, Report, Target, flat
from carbonray.training.ray_windows import WINDOWS
from carbonray.training.saved_fits import command_of, commit_bundles, fitted_states, training_place, versions
from carbonray.training.torch_trial import TrialPlace, run_trial

TARGET = "totals"
SECTIONS = (*ROW_SECTIONS, "energy.splits", "energy.synthesis", "energy.hull", "energy.training", "training.run")


@dataclass(frozen=True)
class EnergyTrial:
    """Networks, one a turn of the search, that advance together.

    Attributes:
        model: name in the registry.
        rules: of the fits.
        data: the tables of rows.
        split: how rows are divided.
        synthesis: which countries are made.
        test_fold: number of the turn whose rows no fit sees.
        splits: turns, at most.
        train: where the trial runs.
        tracking: who else is told.
    """

    model: str
    rules: CleanTrainRules
    data: TrainingEnergy
    split: EnergySplitRules
    synthesis: SynthesisRules
    test_fold: int
    splits: int
    train: TrainRules
    tracking: TrackRules

    def run(self, report: Report) -> None:
        """Reports after every epoch.

        Raises:
            DataError: too few rows are left in a role.
            SettingsError: there is no such turn.
        """
        divided = divided_energy(self.data, self.split, self.synthesis)
        turns = divided.search_turns(self.test_fold, self.splits)
        windows = WINDOWS[self.train.reader]
        fits = tuple(energy_fit(self.rules, self.model, divided, turn, windows) for turn in turns)
        told = _parameters(fits[0], self.rules)
        place = TrialPlace(self.data.url, self.train, self.tracking, told, self.rules.device)
        run_trial(Lockstep(self.model, fits, SCORE, "min"), place, report)


@dataclass(frozen=True)
class EnergyLearner:
    """The networks of `models.clean_registry`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the registry."""
        return tuple(CLEAN_MODELS)

    @property
    def sections(self) -> tuple[str, ...]:
        """Settings that can change a fit."""
        return SECTIONS

    def targets(self, model: str) -> tuple[Target, ...]:
        """Both totals, judged together: a network answers both."""
        return (Target(TARGET, SCORE, "min", by_epoch=True),)

    def defaults(self, settings: Settings, target: str) -> Mapping[str, Any]:
        """Settings of the fit, and of the network but for what follows from loss and data."""
        rules = settings.energy.training
        fit, shape = asdict(rules.network_fit(settings.model)), asdict(rules.network(settings.model))
        config = {name: value for name, value in shape.items() if name not in DECIDED}
        return flat(fit, f"{SETTINGS}.fit") | flat(config, f"{SETTINGS}.config")

    def plan(self, settings: Settings, digest: str) -> tuple[Unit, ...]:
        """Files, and a unit a fit; how many regions are left out in turn is known once files are read."""
        rules = settings.energy.splits
        turns = {"paper": range(1), "time": range(rules.folds)}.get(rules.protocol, range(0))
        chosen = settings.training.instances or turns
        fits = (Unit("fits", f"{settings.model}-{k}", f"{settings.model}-{k}", {}, (), ()) for k in chosen)
        return (*file_units(settings, digest), *fits)

    def prepare(self, run: Run, settings: Settings) -> TrainingEnergy:
        """The passes `records`, `rows` and `sums`."""
        store = prepared_rows(run, settings)
        composites = {name: tuple(members) for name, members in sorted(store.composites.items())}
        return TrainingEnergy(
            run.url,
            tuple(RowTable(shard.url, shard.sha256) for shard in store.shards),
            composites,
            tuple(sorted(store.sums)),
            store.tier,
            region_generator_sha256() if "SYNTHETIC" in store.tier else "",
        )

    def instances(self, prepared: TrainingEnergy, settings: Settings) -> tuple[int, ...]:
        """One a turn: a region by name, a run of blocks, or the one of rows at random."""
        return tuple(range(len(_divided(prepared, settings).turns)))

    def trial(self, prepared: TrainingEnergy, settings: Settings, target: str) -> EnergyTrial:
        """Over the turns of the search."""
        rules, tune = settings.energy, settings.tune
        return EnergyTrial(
            settings.model,
            rules.training,
            prepared,
            rules.splits,
            rules.synthesis,
            tune.test_fold,
            tune.splits,
            training_place(settings, rules.training.threads, rules.training.device),
            settings.tracking,
        )

    def fit(
        self, run: Run, prepared: TrainingEnergy, settings: Settings, instances: tuple[int, ...], folder: str
    ) -> None:
        """One fit a turn, each in a process of its own, at once where there is room; then their bundles."""
        rules, model = settings.energy, settings.model
        train = training_place(settings, rules.training.threads, rules.training.device)
        divided = _divided(prepared, settings)
        numbers = instances or tuple(range(len(divided.turns)))
        turns, windows = [divided.turn(k) for k in numbers], WINDOWS[train.reader]
        fits = [energy_fit(rules.training, model, divided, turn, windows) for turn in turns]
        told_to_trackers = {"command": command_of(settings, SECTIONS), "data_tier": prepared.tier}
        states = fitted_states(
            run,
            settings,
            fits,
            train,
            lineage=told_to_trackers,
            parameters=lambda fit: _parameters(fit, rules.training),
        )
        torch.set_num_threads(rules.training.threads)  # of what the bundles are judged by
        keys, told = [f"{folder}/{model}/{k}" for k in numbers], {}
        for key, k, fit, state in zip(keys, numbers, fits, states, strict=True):
            fitted = fitted_energy(fit, state, rules.training, rules.hull)
            bundle = energy_bundle(
                model,
                k,
                fit.config,
                fitted.tensors,
                told=fitted.told,
                seen=fit.seen,
                errors=fitted.errors,
                level=rules.training.level,
                lineage=_lineage(settings, prepared, fit, state, fitted),
            )
            url = objectstore.join(run.url, key)
            save_bundle(url, bundle)
            told[key] = f"sha256 {bundle_sha256(url)}, validation MAPE {fitted.scores['mape']:.3f}"
            run.facts.setdefault("history", {})[key] = state.facts["history"]
        commit_bundles(run, settings.digest(("model", *SECTIONS)), folder, keys)
        run.facts["summary"] = {"data tier": prepared.tier, **_divided_by(divided), **told}

    def held_out(
        self, prepared: TrainingEnergy, settings: Settings, target: str, folder_url: str, instance: int
    ) -> HeldOutAnswers:
        """Rows of what the turn held out, by region; the trivial answer is the mean ln total of the region."""
        url, rules = objectstore.join(folder_url, settings.model, str(instance)), settings.energy.training
        pin = energy_pin(url, bundle_sha256(url))
        found = held_out_energy(pin, _divided(prepared, settings), device=rules.device, window_rows=rules.window_rows)
        group = tuple(str(name) for name in found.told.rows.region)
        return HeldOutAnswers(group, found.told.truth, found.told.answer, found.trivial, mean_mape)


def mean_mape(truth: Floats, answer: Floats) -> float:
    """Mean over both tasks of the mean absolute percentage error; (row, task) ln of totals."""
    return float(np.mean([mape(np.exp(truth[:, at]), np.exp(answer[:, at])) for at in range(len(TASKS))]))


def _divided(prepared: TrainingEnergy, settings: Settings) -> DividedEnergy:
    return divided_energy(prepared, settings.energy.splits, settings.energy.synthesis)


def _divided_by(divided: DividedEnergy) -> dict[str, Any]:
    name = divided.split.protocol
    says = f"{name}, which tests on near copies of what taught" if divided.turns == (PAPER_TURN,) else name
    return {"rows": len(divided.index), "synthesised countries": divided.synthesis.n, "divided by": says}


def _parameters(fit: EnergyFit, rules: CleanTrainRules) -> dict[str, Any]:
    told = {"split": asdict(fit.seen.split), "synthesis": asdict(fit.seen.synthesis), "test": fit.seen.turn}
    return {"config": asdict(fit.config), "fit": asdict(fit.rules), "window_rows": rules.window_rows, **told}


def _lineage(
    settings: Settings, data: TrainingEnergy, fit: EnergyFit, state: FitState, fitted: FittedEnergy
) -> Lineage:
    """How a bundle came about; the same fit gives the same lineage, whenever it ran."""
    rules = settings.energy
    told = {"weights": rules.training.weights, "hull": asdict(rules.hull), "hull_rows": rules.training.hull_rows}
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
        fit={"rules": asdict(fit.rules), **told},
        validation=fitted.scores,
        fold_table=dict(fit.seen.table),
        data_tier=data.tier,
    )

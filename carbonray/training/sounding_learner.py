"""Sounding models, trees and networks, as learners: samples of training plants, both tasks, four rotations.

Sources: SCIENCE 4.5 and 4.7. A trial fits one task on every split of the search; of plants of the test fold nothing but
keys is read.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from carbonray.contract import Unit
from carbonray.engine.run import Run
from carbonray.errors import DataError
from carbonray.execution import TrackRules, TrainRules
from carbonray.io import objectstore
from carbonray.io.model_store import open_bundle
from carbonray.models.lockstep import Lockstep
from carbonray.models.sounding_cnn import TASKS
from carbonray.models.sounding_fit import SCORES
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.models.sounding_trees import Task
from carbonray.science.power.patch_features import feature_names
from carbonray.science.spatial.folds import N_FOLDS, Rotation, rotation, search_turns
from carbonray.settings import Settings
from carbonray.stages.sounding_fits import network_fit
from carbonray.stages.sounding_held_out import held_out_answers, training_mean
from carbonray.stages.sounding_networks import check_classes
from carbonray.stages.sounding_rules import TUNED, SoundingRules
from carbonray.stages.sounding_tree_fits import scored
from carbonray.training import sounding_passes
from carbonray.training.learner import Floats, HeldOutAnswers, Report, Target, flat
from carbonray.training.plant_samples import Samples, sample, sample_units, samples_of, teaching_plants
from carbonray.training.ray_windows import WINDOWS
from carbonray.training.saved_fits import command_of
from carbonray.training.torch_trial import TrialPlace, run_trial
from carbonray.training.tracking import lineage_of
from carbonray.training.trees import grower
from carbonray.vocab.sensors import IMAGERS

ALL = tuple(range(N_FOLDS))
MODES: dict[str, Literal["min", "max"]] = {"on": "max", "capacity_factor": "min"}


@dataclass(frozen=True)
class NetworkTrial:
    """Networks of one task, one a split, that advance together."""

    model: str
    task: str
    rules: SoundingRules
    turns: tuple[Rotation, ...]
    urls: tuple[str, ...]
    run_url: str
    train: TrainRules
    tracking: TrackRules

    def run(self, report: Report) -> None:
        """Reports after every epoch.

        Raises:
            DataError: a split has one class only.
        """
        reader = WINDOWS[self.train.reader]
        fits = tuple(network_fit(self.rules, self.model, self.task, self.urls, turn, reader) for turn in self.turns)
        for fit in fits:
            check_classes(self.task, fit.train, fit.validation)
        together = Lockstep(f"{self.model}-{self.task}", fits, SCORES[self.task], MODES[self.task])
        told = {"config": asdict(self.rules.network(self.model, self.task))}
        told["fit"] = asdict(self.rules.network_fit(self.model, self.task))
        where = TrialPlace(self.run_url, self.train, self.tracking, told, self.rules.device)
        run_trial(together, where, report)


@dataclass(frozen=True)
class TreeTrial:
    """Trees of one task, one booster a split."""

    model: str
    task: Task
    rules: SoundingRules
    turns: tuple[Rotation, ...]
    urls: tuple[str, ...]
    run_url: str

    def run(self, report: Report) -> None:
        """Reports once.

        Raises:
            DataError: a split has no row, or one class only.
        """
        entry, told = SOUNDING_MODELS[self.model], self.rules.tree_rules(self.model, self.task)
        names, metric = feature_names(IMAGERS[entry.imager]), SCORES[self.task]
        grow = grower(self.rules.distributed, objectstore.join(self.run_url, "checkpoints"))
        scores = [grow(self.urls, entry.kind, turn, names, {self.task: told}).scores for turn in self.turns]
        undefined = [turn.val for turn, score in zip(self.turns, scores, strict=True) if metric not in score]
        if undefined:
            raise DataError(
                f"{metric} of folds {undefined} is undefined",
                where=f"{self.model}, {self.task}",
                expected="plants on and plants off in every validation fold of the search",
                remedy="Search on more plants, or on fewer splits (tune.splits).",
            )
        told_by = {f"{metric}/{i}": score[metric] for i, score in enumerate(scores)}
        report({metric: float(np.mean(list(told_by.values())))} | told_by)


@dataclass(frozen=True)
class SoundingLearner:
    """The sixteen pairs of the registry."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the registry."""
        return tuple(SOUNDING_MODELS)

    @property
    def sections(self) -> tuple[str, ...]:
        """Settings that can change a fit."""
        return sounding_passes.SECTIONS

    def targets(self, model: str) -> tuple[Target, ...]:
        """On and off by mAP, the capacity factor by RMSE: tuned apart, as the paper did."""
        networks = bool(SOUNDING_MODELS[model].trunk)
        return tuple(Target(task, SCORES[task], MODES[task], by_epoch=networks) for task in TASKS)

    def defaults(self, settings: Settings, target: str) -> Mapping[str, Any]:
        """Settings of the fit and, of networks, of their shape."""
        rules, model = settings.soundings.fit, settings.model
        if SOUNDING_MODELS[model].trunk:
            shape, how = asdict(rules.network(model, target)), asdict(rules.network_fit(model, target))
            known = shape | how
        else:
            known = asdict(rules.tree_rules(model, target))
        return flat(known, f"{TUNED}.{model}.{target}")

    def plan(self, settings: Settings, digest: str) -> tuple[Unit, ...]:
        """Samples, and a unit a fit."""
        own = _alone(settings)
        return (*sample_units(own, digest, *teaching_plants(own)), *sounding_passes.planned_fits((own.model,), ALL))

    def prepare(self, run: Run, settings: Settings) -> Samples:
        """The pass `samples` for this model's imager."""
        own = _alone(settings)
        store, known = teaching_plants(own)
        samples = samples_of(run.url, sample(run, own, store, known), known)
        run.facts["data_tier"], run.facts["store_url"] = samples.tier, store.url
        return samples

    def instances(self, prepared: Samples, settings: Settings) -> tuple[int, ...]:
        """Four."""
        return ALL

    def trial(self, prepared: Samples, settings: Settings, target: str) -> "NetworkTrial | TreeTrial":
        """Over the turns of the search."""
        model, rules = settings.model, settings.soundings.fit
        turns = search_turns(settings.tune.test_fold)[: settings.tune.splits]
        seen = sorted({fold for turn in turns for fold in (*turn.train, turn.val)})
        urls = tuple(prepared.inputs(model, seen))
        if SOUNDING_MODELS[model].trunk:
            how = (settings.training.run, settings.tracking)
            return NetworkTrial(model, target, rules, turns, urls, prepared.url, *how)
        return TreeTrial(model, _task(target), rules, turns, urls, prepared.url)

    def fit(self, run: Run, prepared: Samples, settings: Settings, instances: tuple[int, ...], folder: str) -> None:
        """A pass of fits; both tasks of an instance are one bundle."""
        own = _alone(settings)
        digest = own.digest(("model", *self.sections))
        command = command_of(own, sounding_passes.SECTIONS)
        name = "fits" if folder == "bundles" else f"fits-{folder}"
        commits = run.execute(
            sounding_passes.fit_pass(
                name,
                own,
                prepared,
                (own.model,),
                instances or ALL,
                command=command,
                digest=digest,
                lineage=lineage_of(run),
                folder=folder,
            )
        )
        lost = {commit.key: commit.reason for commit in commits if commit.status == "quarantined"}
        run.facts["summary"] = {
            "data tier": prepared.tier,
            "training plants": len(prepared.folds),
            "bundles": ", ".join(commit.key for commit in commits if commit.status == "committed"),
            **{f"not fitted: {key}": why for key, why in lost.items()},
        }

    def held_out(
        self, prepared: Samples, settings: Settings, target: str, folder_url: str, instance: int
    ) -> HeldOutAnswers:
        """Images of the fold that the instance held out; the trivial answer is the mean of the training labels."""
        url = objectstore.join(folder_url, settings.model, str(instance))
        bundle = open_bundle(url)
        told = held_out_answers(
            bundle, target, tuple(prepared.inputs(settings.model, (instance,))), instance, where=url
        )
        train = rotation(instance).train
        mean = training_mean(settings.model, target, tuple(prepared.inputs(settings.model, train)), train)
        return HeldOutAnswers(
            told.plants, told.truth, told.answer, np.full(len(told.truth), mean), partial(_score, _task(target))
        )


def _score(task: Task, truth: Floats, answer: Floats) -> float:
    """MAP of on and off, or RMSE of the capacity factor; NaN where it is undefined."""
    return scored(task, truth, answer).get(SCORES[task], float("nan"))


def _task(target: str) -> Task:
    return "on" if target == "on" else "capacity_factor"


def _alone(settings: Settings) -> Settings:
    """The settings with this model as the only sounding model."""
    soundings = settings.soundings.model_copy(update={"models": (settings.model,)})
    return settings.model_copy(update={"soundings": soundings})

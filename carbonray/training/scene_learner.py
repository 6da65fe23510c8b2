"""Networks that find NO2 hotspots, as learners: simulated scenes, one fit on their shares or four on their folds.

Sources: SCIENCE 3.5 and 3.10; the rotation of 4.7. Scenes are independent draws, known by their index alone, so a fold
is any quarter of the shards; the test share of the scenes is in none. A search judges by the best pixel F1 on
validation scenes, which does not depend on the loss that it chooses.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from carbonray.contract import Unit
from carbonray.engine import cluster
from carbonray.engine.run import Run
from carbonray.execution import TrackRules
from carbonray.io import objectstore
from carbonray.io.model_store import open_bundle
from carbonray.models.detector import dataclass_of, network_of
from carbonray.models.fit import FitRules
from carbonray.models.lockstep import Lockstep
from carbonray.models.registry import MODELS
from carbonray.science.spatial.folds import N_FOLDS, Rotation, rotation, search_turns
from carbonray.settings import Settings
from carbonray.training.learner import Floats, HeldOutAnswers, Report, Target, flat
from carbonray.training.ray_windows import WINDOWS
from carbonray.training.samples import SceneShard, planned_shards
from carbonray.training.saved_fits import command_of, commit_bundles, fitted_states
from carbonray.training.scene_fit import (
    F1,
    TrainedModel,
    fold_shards,
    saved_bundle,
    scene_answers,
    scene_encoding,
    scene_fit,
    shard_folds,
    written_scenes,
)
from carbonray.training.torch_trial import TrialPlace, run_trial
from carbonray.training.train_job import TrainJob

TIER = "SYNTHETIC-T1"
SECTIONS = ("model", "training")
Shards = Mapping[str, tuple[SceneShard, ...]]


@dataclass(frozen=True)
class Scenes:
    """The job, and the shards of every split as they were written."""

    job: TrainJob
    shards: Shards
    run_url: str


@dataclass(frozen=True)
class SceneTrial:
    """Networks, one a split, that advance together."""

    job: TrainJob
    shards: Shards
    turns: tuple[Rotation, ...]
    run_url: str
    tracking: TrackRules

    def run(self, report: Report) -> None:
        """Reports after every epoch."""
        fits = []
        for turn in self.turns:
            train, validation, _ = fold_shards(self.shards, turn)
            encoding = scene_encoding(self.job, train, self.shards)
            name = f"{self.job.model}-{turn.test}-stopped-on-{turn.val}"
            windows = WINDOWS[self.job.train.reader]
            fit = scene_fit(
                self.job, encoding, train, validation, name=name, threshold=self.job.threshold, windows=windows
            )
            fits.append(fit)
        together = Lockstep(self.job.model, tuple(fits), F1, "max")
        told = {"config": dict(self.job.config), "fit": asdict(self.job.fit_rules)}
        run_trial(together, TrialPlace(self.run_url, self.job.train, self.tracking, told), report)


@dataclass(frozen=True)
class SceneLearner:
    """The networks of `models.registry`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the registry."""
        return tuple(MODELS)

    @property
    def sections(self) -> tuple[str, ...]:
        """Settings that can change a fit."""
        return SECTIONS[1:]

    def targets(self, model: str) -> tuple[Target, ...]:
        """The pixels of hotspots."""
        return (Target("hotspots", F1, "max", by_epoch=True),)

    def defaults(self, settings: Settings, target: str) -> Mapping[str, Any]:
        """Settings of the fit and of the network."""
        job = job_of(settings)
        network = network_of(job.model, job.config)
        return flat(asdict(job.fit_rules), "training.fit") | flat(asdict(network.config), "training.config")  # type: ignore[call-overload]

    def plan(self, settings: Settings, digest: str) -> tuple[Unit, ...]:
        """The shards of scenes that fits read, and the bundles."""
        job = job_of(settings)
        planned = planned_shards(job.samples, job.scenes, job.tiling, job.scenes_url).values()
        urls = [shard.url for of_split in planned for shard in of_split]
        scenes = [
            Unit("scenes", objectstore.sha256(url.encode())[:32], url.rsplit("/", 1)[-1], {}, (), ()) for url in urls
        ]
        keys = _keys(settings, settings.training.instances, "bundles")
        return (*scenes, *(_unit("bundles", key, digest) for key in keys))

    def prepare(self, run: Run, settings: Settings) -> Scenes:
        """Simulates the shards that are not there, a task each."""
        out_url, _, run_id = run.url.rpartition("/")
        cluster.connect(run.rules.local)
        job = job_of(settings, out_url, run_id)
        network_of(job.model, job.config)  # an unknown setting fails here, before an hour of work
        shards = {split: tuple(shards) for split, shards in written_scenes(job).items()}
        run.facts["data_tier"], run.facts["folds"] = TIER, shard_folds(shards)
        return Scenes(job, shards, run.url)

    def instances(self, prepared: Scenes, settings: Settings) -> tuple[int, ...]:
        """Four."""
        return tuple(range(N_FOLDS))

    def trial(self, prepared: Scenes, settings: Settings, target: str) -> SceneTrial:
        """Over the turns of the search."""
        job = _retold(prepared, settings)
        turns = search_turns(settings.tune.test_fold)[: settings.tune.splits]
        return SceneTrial(job, prepared.shards, turns, prepared.run_url, settings.tracking)

    def fit(self, run: Run, prepared: Scenes, settings: Settings, instances: tuple[int, ...], folder: str) -> None:
        """One fit on the shares, or one an instance, each in a process of its own, at once where there is room."""
        job, shards = _retold(prepared, settings), prepared.shards
        splits = [_split(shards, k) for k in instances] or [(shards["train"], shards["validation"])]
        keys, folds = _keys(settings, instances, folder), shard_folds(shards) if instances else {}
        fits = [
            scene_fit(
                job,
                scene_encoding(job, train, shards),
                train,
                validation,
                name=key.replace("/", "-"),
                windows=WINDOWS[job.train.reader],
            )
            for key, (train, validation) in zip(keys, splits, strict=True)
        ]
        told = {"config": dict(job.config), "fit": asdict(job.fit_rules)}
        lineage = {"command": job.command, "data_tier": TIER}
        states = fitted_states(run, settings, fits, job.train, lineage=lineage, parameters=lambda _: told)
        trained = [
            saved_bundle(job, objectstore.join(run.url, key), fit.encoding, fit.train, fit.validation, state, folds)
            for key, fit, state in zip(keys, fits, states, strict=True)
        ]
        commit_bundles(run, job.settings_digest, folder, keys)
        run.facts.setdefault("history", {}).update({key: each.history for key, each in zip(keys, trained, strict=True)})
        run.facts["summary"] = dict(item for key, each in zip(keys, trained, strict=True) for item in _told(key, each))

    def held_out(
        self, prepared: Scenes, settings: Settings, target: str, folder_url: str, instance: int
    ) -> HeldOutAnswers:
        """Pixels of the scenes of the fold, counted by scene; the trivial answer calls all of them hotspots."""
        url = objectstore.join(folder_url, settings.model, str(instance))
        _, _, test = fold_shards(prepared.shards, rotation(instance))
        counts = scene_answers(open_bundle(url), test, _retold(prepared, settings).threshold)
        groups = tuple(map(str, range(len(counts.true))))
        truth = counts.true.astype(np.float64)[:, None]
        answer, everything = (np.stack(pair, axis=1).astype(np.float64) for pair in (
            (counts.hits, counts.found), (counts.true, counts.pixels)
        ))  # fmt: skip
        return HeldOutAnswers(groups, truth, answer, everything, pixel_f1)


def pixel_f1(truth: Floats, answer: Floats) -> float:
    """F1 from (scene, 1) true pixels and (scene, 2) hits and found pixels."""
    hits, found = answer.sum(axis=0)
    return float(2.0 * hits / max(found + truth.sum(), 1.0))


def job_of(settings: Settings, out_url: str = "plan", run_id: str = "plan") -> TrainJob:
    """The training run in plain values.

    Raises:
        ContractError: `training.fit` names what no fit has.
    """
    rules = settings.training
    fit = {**vars(MODELS[settings.model].fit), **rules.fit}
    return TrainJob(
        model=settings.model,
        run_id=run_id,
        out_url=out_url,
        scenes_url=rules.scenes_url or objectstore.join(out_url, run_id, "scenes"),
        command=command_of(settings, ("training",)),
        settings_digest=settings.digest(SECTIONS),
        scenes=rules.scenes,
        samples=rules.samples,
        tiling=settings.hotspots.tiles,
        train=rules.run,
        threshold=rules.threshold,
        fit=dataclass_of(FitRules, fit, where="training.fit"),
        config=rules.config,
    )


def _retold(prepared: Scenes, settings: Settings) -> TrainJob:
    """The job of other settings on the same scenes."""
    return job_of(settings, prepared.job.out_url, prepared.job.run_id)


def _split(shards: Shards, k: int) -> tuple[tuple[SceneShard, ...], tuple[SceneShard, ...]]:
    train, validation, _ = fold_shards(shards, rotation(k))
    return train, validation


def _keys(settings: Settings, instances: tuple[int, ...], folder: str) -> list[str]:
    own = f"{folder}/{settings.model}"
    return [f"{own}/{k}" for k in instances] or [own]


def _unit(pass_name: str, key: str, digest: str) -> Unit:
    return Unit(pass_name, objectstore.sha256(f"{digest} {key}".encode())[:32], key, {}, (), ())


def _told(key: str, trained: TrainedModel) -> list[tuple[str, Any]]:
    figures = [(f"{key}: validation {name}", round(value, 4)) for name, value in trained.validation.items()]
    return [(key, f"sha256 {trained.sha256}, cut {trained.cut}"), *figures]

"""Trains one model of the registry on simulated scenes and commits its bundle."""

from dataclasses import dataclass
from typing import Any

from carbonray.contract import Reading, Unit, encode_object_rows, object_rows
from carbonray.engine import cluster
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.model_store import DIGEST, MANIFEST, WEIGHTS
from carbonray.models.detector import dataclass_of
from carbonray.models.fit import FitRules
from carbonray.models.registry import MODELS
from carbonray.settings import Settings, overrides_of
from carbonray.training.samples import planned_shards
from carbonray.training.torch_fit import TrainedModel, train_model
from carbonray.training.train_job import TrainJob

SUMMARY = "one model on simulated scenes, into a pinned bundle"
SECTIONS = ("model", "training")
PASS = "bundle"


@dataclass(frozen=True)
class ReadBundle:
    """Reader of the bundle that a fit left, whose rows are its objects.

    Attributes:
        url: the bundle.
        key: its folder under the run's folder.
    """

    url: str
    key: str

    def __call__(self, unit: Unit) -> Reading:
        """The bundle's three objects."""
        names = (DIGEST, MANIFEST, WEIGHTS)
        objects = {f"{self.key}/{name}": objectstore.read_bytes(objectstore.join(self.url, name)) for name in names}
        rows = {"read": len(objects), "kept": len(objects), "quarantined": 0}
        return Reading(object_rows(objects), rows)


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """The shards of scenes that the fit reads, and the bundle."""
    job = job_of(settings, digest, "plan", "plan")
    shards = [
        shard
        for of_split in planned_shards(job.samples, job.scenes, job.tiling, job.scenes_url).values()
        for shard in of_split
    ]
    scenes = [
        Unit("scenes", objectstore.sha256(s.url.encode())[:32], s.url.rsplit("/", 1)[-1], {}, (), ()) for s in shards
    ]
    return (*scenes, _unit(settings.model, digest))


def run(run: Run, settings: Settings) -> None:
    """Fits, or takes up a fit that died, and commits the bundle."""
    out_url, _, run_id = run.url.rpartition("/")
    cluster.connect(run.rules.local)
    trained = train_model(job_of(settings, run.settings_digest, out_url, run_id))
    reader = ReadBundle(trained.url, f"bundles/{settings.model}")
    run.execute(Pass(PASS, (_unit(settings.model, run.settings_digest),), reader, encode_object_rows, on_driver=True))
    run.facts["data_tier"] = "SYNTHETIC-T1"
    run.facts["history"] = trained.history
    run.facts["summary"] = _summary(trained)


def publish(run: Run, settings: Settings) -> None:
    """Nothing beside the bundle itself."""


def job_of(settings: Settings, digest: str, out_url: str, run_id: str) -> TrainJob:
    """The training run in plain values.

    Raises:
        SettingsError: the model is unknown.
        ContractError: `training.fit` names what no fit has.
    """
    rules = settings.training
    if settings.model not in MODELS:
        raise SettingsError(
            f"unknown model {settings.model!r}",
            where="--model",
            expected=f"one of {', '.join(MODELS)}",
            remedy="Name a model of carbonray/models/registry.py.",
        )
    changed = [part for text in overrides_of(settings, ("training",)) for part in ("--set", text)]
    return TrainJob(
        model=settings.model,
        run_id=run_id,
        out_url=out_url,
        scenes_url=rules.scenes_url or objectstore.join(out_url, run_id, "scenes"),
        command=" ".join(["python -m jobs.train --model", settings.model, *changed]),
        settings_digest=digest,
        scenes=rules.scenes,
        samples=rules.samples,
        tiling=settings.hotspots.tiles,
        train=rules.run,
        threshold=rules.threshold,
        fit=_fit_rules(settings.model, rules.fit),
        config=rules.config,
    )


def _fit_rules(model: str, changed: dict[str, Any]) -> FitRules:
    """The registry's rules for a model, with what the settings change."""
    return dataclass_of(FitRules, {**vars(MODELS[model].fit), **changed}, where="training.fit")


def _unit(model: str, digest: str) -> Unit:
    return Unit(PASS, objectstore.sha256(f"{digest} {model}".encode())[:32], model, {}, (), ())


def _summary(trained: TrainedModel) -> dict[str, Any]:
    figures = {f"validation {name}": round(value, 4) for name, value in trained.validation.items()}
    return {"bundle": trained.url, "sha256": trained.sha256, "cut": trained.cut, **figures}

"""Fits of a run that end as bundles: where they run, how they are watched, the command that repeats them, their commit.

What every learner of networks shares; what a bundle holds is the learner's own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, TypeVar

from carbonray.contract import Reading, Unit, encode_object_rows, object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.execution import TrainRules
from carbonray.io import objectstore
from carbonray.io.model_store import DIGEST, MANIFEST, WEIGHTS
from carbonray.models.fit import EpochFit, FitState
from carbonray.settings import Settings, overrides_of
from carbonray.training.launch import run_fits, runner
from carbonray.training.tracking import Tracked, lineage_of, open_tracker

Fit = TypeVar("Fit", bound=EpochFit)

VERSIONED = ("carbonray", "numpy", "ray", "safetensors", "torch")  # whose bytes a network can depend on


@dataclass(frozen=True)
class ReadBundle:
    """Reader of a bundle that a fit left, whose rows are its objects.

    Attributes:
        urls: key of its folder under the run's folder -> URL of the bundle.
    """

    urls: Mapping[str, str]

    def __call__(self, unit: Unit) -> Reading:
        """The bundle's three objects."""
        url = self.urls[unit.key]
        names = (DIGEST, MANIFEST, WEIGHTS)
        objects = {f"{unit.key}/{name}": objectstore.read_bytes(objectstore.join(url, name)) for name in names}
        return Reading(object_rows(objects), {"read": len(objects), "kept": len(objects), "quarantined": 0})


def command_of(settings: Settings, sections: Sequence[str]) -> str:
    """What trains a model or product again, but for the places of its inputs and stores."""
    changed = [part for text in overrides_of(settings, sections) for part in ("--set", text)]
    return " ".join(["python -m jobs.train --model", settings.model, *changed])


def training_place(settings: Settings, threads: int, device: str) -> TrainRules:
    """Where fits run, with the threads and the device of the networks' own settings."""
    return replace(settings.training.run, threads=threads, gpu=device == "cuda")


def versions() -> dict[str, str]:
    """Of the libraries that a network's bytes can depend on."""
    return {name: metadata.version(name) for name in VERSIONED}


def fitted_states(
    run: Run,
    settings: Settings,
    fits: Sequence[Fit],
    train: TrainRules,
    *,
    lineage: Mapping[str, Any],
    parameters: Callable[[Fit], dict[str, Any]],
) -> list[FitState]:
    """Runs fits to their end, or takes up those that died; without a cluster one after the other, here.

    Args:
        run: whose folders hold checkpoints and metrics.
        settings: of tracking.
        fits: the fits.
        train: where they run.
        lineage: what trackers are told beside the run's and the fit's digest.
        parameters: of a fit, as trackers are told them.
    """
    told = {**lineage_of(run), **lineage}
    tracking, checkpoints = (objectstore.join(run.url, name) for name in ("tracking", "checkpoints"))
    watched: list[EpochFit] = []
    for fit in fits:
        own = {**told, "fit_digest": fit.digest()}
        watched.append(Tracked(fit, open_tracker(settings.tracking, tracking, fit.name, parameters(fit), own)))
    folders = [objectstore.join(checkpoints, f"{fit.name}-{fit.digest()[:16]}") for fit in fits]
    if run.rules.backend == "ray":
        return run_fits(watched, folders, train)
    return [runner(train)(fit, url) for fit, url in zip(watched, folders, strict=True)]


def commit_bundles(run: Run, digest: str, folder: str, keys: Sequence[str]) -> None:
    """Puts saved bundles into the run's ledger, in a pass called as their folder.

    Args:
        run: under whose folder they lie.
        digest: of the settings that can change them.
        folder: the pass.
        keys: their folders.
    """
    units = tuple(Unit(folder, objectstore.sha256(f"{digest} {key}".encode())[:32], key, {}, (), ()) for key in keys)
    reader = ReadBundle({key: objectstore.join(run.url, key) for key in keys})
    run.execute(Pass(folder, units, reader, encode_object_rows, on_driver=True))

"""Trains one model, whatever its kind: the data its fits read, then its instances, each a committed bundle."""

from carbonray.contract import Unit
from carbonray.engine import cluster
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.settings import Settings
from carbonray.training.learners import learner_of

SUMMARY = "one model of the registries, cross-validated, into pinned bundles"
SECTIONS = ("model", "training")
FOLDER = "bundles"


def sections(model: str) -> tuple[str, ...]:
    """Settings that can change the bytes of a model's fits."""
    return ("model", *learner_of(model).sections)


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """What can be planned before anything is read."""
    return learner_of(settings.model).plan(settings, digest)


def run(run: Run, settings: Settings) -> None:
    """Fits the instances asked for, or takes up fits that died."""
    learner = learner_of(settings.model)
    if run.rules.backend == "ray":
        cluster.connect(run.rules.local)
    prepared = learner.prepare(run, settings)
    learner.fit(run, prepared, settings, asked_of(settings, learner.instances(prepared, settings)), FOLDER)


def asked_of(settings: Settings, known: tuple[int, ...]) -> tuple[int, ...]:
    """The rotations asked for; none given is the model's own habit.

    Args:
        settings: of the run.
        known: every rotation there is.

    Raises:
        SettingsError: one is no rotation.
    """
    chosen = settings.training.instances
    if set(chosen) - set(known):
        raise SettingsError(
            f"{list(chosen)} are no instances",
            where="training.instances",
            expected=f"some of {', '.join(map(str, known))}",
            remedy="Leave it empty for the model's own habit.",
        )
    return tuple(dict.fromkeys(chosen))

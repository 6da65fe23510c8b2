"""A learner whose fits are formulas: two targets, one that reports by epoch, and a fold that no trial may look at.

The score of a trial is the mean over its splits of (rate - 0.1)^2 + width / 100, approached over ten epochs.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carbonray.contract import Reading, Unit, encode_object_rows, object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.overlays import at
from carbonray.settings import Settings, load
from carbonray.training.learner import Floats, HeldOutAnswers, Report, Target
from carbonray.training.learners import LEARNERS
from tune.distributions import Choice, log_uniform
from tune.spaces import SPACES, Parameters, Space

BY_EPOCH = Target("slow", "validation_error", "min", by_epoch=True)
AT_ONCE = Target("fast", "validation_skill", "max", by_epoch=False)
PATH = "training.config.{target}"


def no_thin_and_wide(parameters: Parameters) -> str:
    return "a width of 9 diverges at such a rate" if parameters["width"] == 9 and parameters["rate"] > 0.5 else ""


SPACE = Space(
    PATH,
    {"rate": log_uniform(1e-3, 1.0), "width": Choice((1, 3, 9))},
    valid=no_thin_and_wide,
    notes={"rate": "range inferred"},
)


def error_of(settings: Settings, target: str) -> float:
    told = at(settings.model_dump(), PATH.format(target=target))
    return float((told["rate"] - 0.1) ** 2 + told["width"] / 100)


@dataclass(frozen=True)
class ToyTrial:
    target: str
    error: float
    epochs: int
    seconds: float
    fails: str

    def run(self, report: Report) -> None:
        if self.fails == "data":
            raise DataError("the fit diverged", where="toy", expected="a loss", remedy="A smaller rate.")
        if self.fails == "bug":
            raise RuntimeError("a bug")
        if self.target == "fast":
            report({AT_ONCE.metric: 1.0 - self.error})
            return
        for epoch in range(self.epochs):
            time.sleep(self.seconds)
            report({"epoch": float(epoch + 1), BY_EPOCH.metric: self.error + 1.0 / (epoch + 1)})


@dataclass(frozen=True)
class WriteToy:
    def __call__(self, unit: Unit) -> Reading:
        told = object_rows({f"{unit.key}/weights.txt": str(unit.partition["error"]).encode()})
        return Reading(told, {"read": 1, "kept": 1, "quarantined": 0})


@dataclass(frozen=True)
class ToyLearner:
    """Fits are formulas; `seconds` an epoch give a test the time to kill."""

    seconds: float = 0.0
    names: tuple[str, ...] = ("toy",)
    sections: tuple[str, ...] = ("training",)

    def targets(self, model: str) -> tuple[Target, ...]:
        return (BY_EPOCH, AT_ONCE)

    def defaults(self, settings: Settings, target: str) -> Mapping[str, Any]:
        told = at(settings.model_dump(), PATH.format(target=target))
        return {f"{PATH.format(target=target)}.{name}": told[name] for name in ("rate", "width")}

    def plan(self, settings: Settings, digest: str) -> tuple[Unit, ...]:
        return ()

    def prepare(self, run: Run, settings: Settings) -> int:
        run.facts["data_tier"] = "SYNTHETIC-TOY"
        return 7

    def trial(self, prepared: int, settings: Settings, target: str) -> ToyTrial:
        assert prepared == 7
        fails = settings.training.config["fails"]
        return ToyTrial(target, error_of(settings, target), 10, self.seconds, fails)

    def instances(self, prepared: int, settings: Settings) -> tuple[int, ...]:
        return (0, 1, 2, 3)

    def fit(self, run: Run, prepared: int, settings: Settings, instances: tuple[int, ...], folder: str) -> None:
        digest = settings.digest(self.sections)
        units = []
        for k in instances:
            key, error = f"{folder}/toy/{k}", str(error_of(settings, "slow") + error_of(settings, "fast"))
            units.append(
                Unit(folder, objectstore.sha256(f"{digest}{key}".encode())[:32], key, {"error": error}, (), ())
            )
        run.execute(Pass(folder, tuple(units), WriteToy(), encode_object_rows, on_driver=True))

    def held_out(
        self, prepared: int, settings: Settings, target: str, folder_url: str, instance: int
    ) -> HeldOutAnswers:
        error = float(objectstore.read_bytes(f"{folder_url}/toy/{instance}/weights.txt"))
        truth = np.random.default_rng(0).normal(size=60)
        groups = tuple(f"plant{n // 4}" for n in range(60))
        wrong = np.random.default_rng(1).normal(size=60)
        return HeldOutAnswers(
            groups, truth, truth + error * wrong, np.full(60, truth.mean()), rms if target == "slow" else skill
        )


def rms(truth: Floats, answer: Floats) -> float:
    return float(np.sqrt(np.mean((truth - answer) ** 2)))


def skill(truth: Floats, answer: Floats) -> float:
    return 1.0 - rms(truth, answer)


def settings_of(*overrides: str, rate: float = 0.5, width: int = 3, fails: str = "") -> Settings:
    told = {"slow": {"rate": rate, "width": width}, "fast": {"rate": rate, "width": width}, "fails": fails}
    return load([], ["model=toy", f"training.config={told}", *overrides])


def register(seconds: float = 0.0) -> None:
    """Makes this process know the toy, as one line in each registry would."""
    LEARNERS["toy"] = ToyLearner(seconds)
    SPACES["toy"] = SPACE

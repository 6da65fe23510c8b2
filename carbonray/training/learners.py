"""Every kind of model that can be trained, cross-validated and searched: one line a kind.

The models of a kind are entries of its own registry (`models.registry.MODELS`, `models.sounding_registry`); a new model
of a known kind touches that registry alone.
"""

from carbonray.errors import SettingsError
from carbonray.training.cell_learner import CellLearner
from carbonray.training.energy_learner import EnergyLearner
from carbonray.training.generation_learner import GenerationLearner
from carbonray.training.learner import Learner
from carbonray.training.scene_learner import SceneLearner
from carbonray.training.sounding_learner import SoundingLearner

LEARNERS: dict[str, Learner] = {
    "scenes": SceneLearner(),
    "soundings": SoundingLearner(),
    "generation": GenerationLearner(),
    "cells": CellLearner(),
    "energy": EnergyLearner(),
}


def learner_of(model: str) -> Learner:
    """The learner of a model.

    Raises:
        SettingsError: the model is unknown.
    """
    for learner in LEARNERS.values():
        if model in learner.names:
            return learner
    raise SettingsError(
        f"unknown model {model!r}",
        where="--model",
        expected=f"one of {', '.join(name for learner in LEARNERS.values() for name in learner.names)}",
        remedy="Name one of them; `plants` is the whole product, for jobs.train and jobs.evaluate alone.",
    )

"""Search spaces as data: for every family of models which settings are searched, and over what.

Sources: the sounding networks' is Appendix B of the plume paper as printed, minus signs of exponents restored (SCIENCE
4.5); weights of CLEAN's loss are those of SCIENCE 2.3, inferred, as is every other range. A parameter's name is a
dotted path of settings below its space's prefix, so that what a search finds is an overlay over the settings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from optuna.distributions import BaseDistribution

from carbonray.errors import SettingsError
from carbonray.models.backbones import STRIDES
from carbonray.models.cell_registry import CELL_MODELS
from carbonray.models.clean_registry import CLEAN_MODELS
from carbonray.models.opencarbon import MODALITIES
from carbonray.models.sounding_cnn import patch_fits
from carbonray.models.sounding_registry import SOUNDING_MODELS
from tune.distributions import Choice, Distribution, IntUniform, Uniform, log_uniform

Parameters = Mapping[str, Any]  # name -> value


def _anything(_parameters: Parameters) -> str:
    return ""


def small_patch(parameters: Parameters) -> str:
    """Why a patch and a truncation do not go together, empty where they do: fewer than 2 x 2 pixels would be left."""
    patch, truncation = parameters["patch_px"], parameters["truncation"]
    if patch_fits(patch, truncation):
        return ""
    return f"a patch of {patch} pixels is less than twice the stride {STRIDES[truncation]} of {truncation}"


@dataclass(frozen=True)
class Space:
    """What is searched for one family of models.

    Attributes:
        prefix: dotted path of the settings that parameters stand below; {model} and {target} are filled in.
        parameters: name -> distribution.
        only: name -> the one target it is searched for; absent for all.
        valid: why some parameters cannot be tried together, empty where they can.
        room: name -> setting that is made as large as its largest choice, so that all trials read the same data.
        notes: name -> what a reader should know of its range.
    """

    prefix: str
    parameters: Mapping[str, Distribution]
    only: Mapping[str, str] = field(default_factory=dict)
    valid: Callable[[Parameters], str] = _anything
    room: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """Dotted path of the setting that a parameter is."""
        return f"{self.prefix}.{name}"

    def distributions(self) -> dict[str, BaseDistribution]:
        """Name -> distribution, as Optuna has it."""
        return {name: parameter.optuna() for name, parameter in self.parameters.items()}

    def contains(self, parameters: Parameters) -> bool:
        """Whether these are parameters of this space."""
        named = set(parameters) == set(self.parameters)
        return named and all(one.contains(parameters[name]) for name, one in self.parameters.items())

    def nearest(self, parameters: Parameters) -> dict[str, Any]:
        """Parameters brought inside the space, each for itself."""
        return {name: parameter.nearest(parameters[name]) for name, parameter in self.parameters.items()}


def _inferred(prefix: str, parameters: Mapping[str, Distribution]) -> Space:
    return Space(prefix, parameters, notes=dict.fromkeys(parameters, "range inferred"))


_WEIGHTING = Choice(("normalised", "literal"))
_SCENES: dict[str, Distribution] = {
    "fit.learning_rate": log_uniform(1e-4, 1e-2),
    "fit.batch_size": Choice((16, 32, 64, 128)),
    "fit.loss": Choice(("mse", "weighted_mse")),
    "fit.epochs": Choice((3, 5, 8, 12)),
}
_DROPOUT = Uniform(0.0, 0.3)

_CELLS: Mapping[str, Distribution] = {
    "fit.learning_rate": log_uniform(1e-4, 1e-2),
    "fit.weight_decay": log_uniform(1e-5, 1e-1),
    "fit.batch_size": Choice((16, 32, 64)),
    "fit.augment": Choice((False, True)),
    "config.d": Choice((16, 32, 64)),
}

_MIXES: Mapping[str, Distribution] = {
    "fit.learning_rate": log_uniform(1e-4, 1e-2),
    "config.width": Choice((32, 64, 128, 256)),
    "config.dropout": _DROPOUT,
}

SPACES: dict[str, Space] = {
    "sounding_cnn": Space(
        "soundings.fit.tuned.{model}.{target}",
        {
            "patch_px": Choice((8, 16, 32, 48, 64)),
            "truncation": Choice(("block2_pool", "block3_pool", "block4_pool")),
            "heads": Choice((1, 8)),
            "augment.magnitude": Choice((0.5, 1.0, 1.5, 2.0, 2.5, 3.0)),
            "weight_decay": Choice((1e-6, 1e-5, 1e-4, 1e-3)),
            "patience": Choice((10, 20, 30)),
            "batch_size": Choice((32, 54, 128)),
            "learning_rate": log_uniform(1e-5, 1e-2),
            "epochs": Choice((40, 50, 60, 70, 80, 90, 100)),
            "loss.regression": Choice(("mse", "huber")),
        },
        only={"loss.regression": "capacity_factor"},
        valid=small_patch,
        room={"patch_px": "soundings.fit.bag_px"},
        notes={
            "batch_size": "54 as printed, perhaps meant as 64",
            "learning_rate": "printed without minus signs and without a scale: 1e-5 to 1e-2, logarithmic",
            "weight_decay": "printed without minus signs",
            "patch_px": "pairs with a truncation whose stride is more than half the patch are pruned (inferred)",
        },
    ),
    # the number of trees follows from the validation rows
    "sounding_trees": _inferred(
        "soundings.fit.tuned.{model}.{target}",
        {
            "learning_rate": log_uniform(0.01, 0.3),
            "max_depth": IntUniform(2, 9),
            "min_child_weight": log_uniform(1.0, 32.0),
            "rows_share": Uniform(0.5, 1.0),
            "features_share": Uniform(0.1, 1.0),
            "l1": Uniform(0.0, 4.0),
            "l2": log_uniform(0.1, 30.0),
            "min_split_gain": Uniform(0.0, 2.0),
        },
    ),
    "plume_net_paper": _inferred(
        "training", {**_SCENES, "fit.epochs": Choice((50, 100, 200)), "config.dropout": _DROPOUT}
    ),
    "plume_net": _inferred("training", {**_SCENES, "config.dropout": _DROPOUT}),
    "unet": _inferred("training", {**_SCENES, "config.width": Choice((16, 24, 32, 48))}),
    # its width is what makes it the large one
    "unet_large": _inferred("training", _SCENES),
    "finch": _inferred(
        "training",
        {
            "fit.learning_rate": log_uniform(1e-4, 1e-2),
            "fit.batch_size": Choice((4, 8, 16, 32)),
            "fit.epochs": Choice((10, 25, 50)),
        },
    ),
    "cells": _inferred("grid.training", _CELLS),
    "cells_contrasted": _inferred(
        "grid.training",
        {
            **_CELLS,
            "fit.loss.alpha": log_uniform(1e-4, 1.0),
            "fit.loss.tau": log_uniform(0.02, 0.5),
            "fit.loss.contrastive_normalize": Choice((False, True)),
        },
    ),
    # whether totals are read is what a model is asked, not how well it is fitted
    "clean_cycled": _inferred(
        "energy.training",
        {
            **_MIXES,
            "fit.loss.lambda_cycle": Choice((0.0, 0.1, 1.0, 10.0)),
            "fit.loss.lambda_latent": Choice((0.0, 0.1, 1.0)),
        },
    ),
    "clean_alone": _inferred("energy.training", _MIXES),
    "generation_ndt": _inferred(
        "generation", {"models.ndt_l1": log_uniform(1e-4, 1e-1), "lookback.weighting": _WEIGHTING}
    ),
    "generation_fgd": _inferred(
        "generation", {"models.fgd_l1": log_uniform(1e-4, 1e-1), "lookback.weighting": _WEIGHTING}
    ),
}


def family_of(model: str) -> str:
    """Key of `SPACES`: sounding models share theirs, as do networks of cells and of mixes, others have their own."""
    if model in SOUNDING_MODELS:
        return "sounding_cnn" if SOUNDING_MODELS[model].trunk else "sounding_trees"
    if model in CELL_MODELS:
        entry = CELL_MODELS[model]
        return "cells_contrasted" if entry.fit.loss.alpha and entry.config.modalities == MODALITIES else "cells"
    if model in CLEAN_MODELS:
        loss = CLEAN_MODELS[model].fit.loss
        return "clean_cycled" if loss.lambda_cycle and loss.lambda_latent else "clean_alone"
    return model


def space_of(model: str, target: str, told: Mapping[str, Any] | None = None) -> Space:
    """The space of one target of a model.

    Args:
        model: of any registry.
        target: such as 'on'.
        told: what narrows or widens it, see `narrowed`.

    Raises:
        SettingsError: nothing says what is searched for this model, or what is told does not fit.
    """
    family = family_of(model)
    if family not in SPACES:
        raise SettingsError(
            f"nothing says what is searched for {model!r}",
            where="--model",
            expected=f"a model of one of the families {', '.join(SPACES)}",
            remedy="Add its space to tune/spaces.py.",
        )
    space = narrowed(SPACES[family], told or {})
    kept = {name: one for name, one in space.parameters.items() if space.only.get(name, target) == target}
    return replace(space, prefix=space.prefix.format(model=model, target=target), parameters=kept)


def narrowed(space: Space, told: Mapping[str, Any]) -> Space:
    """A space with some of its distributions replaced.

    Args:
        space: of a family.
        told: name -> list of choices, or mapping of `low` and `high`; dotted names may be nested mappings.

    Raises:
        SettingsError: the space has no such name, or there is nothing to choose from.
    """
    flat = _flat(told)
    strange = sorted(set(flat) - set(space.parameters))
    if strange:
        raise SettingsError(
            f"nothing called {strange[0]!r} is searched",
            where=f"tune.space.{strange[0]}",
            expected=f"some of {', '.join(space.parameters)}",
            remedy="Correct the name; tune/spaces.py lists what is searched for every family.",
        )
    changed = {name: _told(name, value, space.parameters[name]) for name, value in flat.items()}
    return replace(space, parameters={**space.parameters, **changed})


def _flat(told: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Dotted name -> what is told of it."""
    found: dict[str, Any] = {}
    for name, value in told.items():
        nested = isinstance(value, Mapping) and not {"low", "high"} & set(value)
        found |= _flat(value, f"{before}{name}.") if nested else {f"{before}{name}": value}
    return found


def _told(name: str, value: Any, declared: Distribution) -> Distribution:
    plain = isinstance(value, list | tuple) and all(isinstance(one, str | int | float) for one in value)
    if plain and value and len(set(value)) == len(value):
        return Choice(tuple(value))
    ends = (
        [value[end] for end in ("low", "high")] if isinstance(value, Mapping) and set(value) == {"low", "high"} else []
    )
    log = not isinstance(declared, Choice) and declared.log
    known = len(ends) == 2 and all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
    if known and (0 if log else float("-inf")) < ends[0] <= ends[1]:
        whole = all(isinstance(end, int) for end in ends) and not isinstance(declared, Uniform)
        return IntUniform(ends[0], ends[1], log) if whole else Uniform(float(ends[0]), float(ends[1]), log)
    raise SettingsError(
        f"{name} = {value!r} is no range",
        where=f"tune.space.{name}",
        expected="a list of different choices, or {low: A, high: B} with A <= B, above 0 where logarithmic",
        remedy="Correct the value.",
    )

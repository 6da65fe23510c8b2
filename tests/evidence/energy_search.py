"""The searches of the evidence on energy and emissions: Optuna over the repository's own spaces, on rows that validate.

Source: SCIENCE 0.3 (tuning sees rows that teach and validate; what tests is opened once). A trial is `EnergyTrial`, run
in this process to its end; its study and its space are those of `tune`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import optuna

from carbonray.io import objectstore
from carbonray.overlays import merged
from carbonray.science.energy.splits import TRAIN
from carbonray.settings import Settings
from carbonray.stages.energy_roles import TrainingEnergy, divided_energy
from carbonray.training.energy_learner import TARGET, EnergyLearner
from tests.evidence.energy_fits import Material, Pace
from tests.evidence.energy_rows import Recipe
from tune.overlay import defaults_of, overlaid, overlay_of
from tune.spaces import space_of
from tune.study import DEFAULT, asked_first, draw, winner

LEARNER = EnergyLearner()


@dataclass(frozen=True)
class Search:
    """What is searched on.

    Attributes:
        world: key of `energy.WORLDS`.
        protocol: by which rows are divided.
        untouched: (turn, seed) that test afterwards; no trial sees their rows.
    """

    world: str
    protocol: str
    untouched: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Found:
    """What a search chose.

    Attributes:
        model: that was searched.
        total: whether totals are told.
        settings: of `energy.training`.
        trials: parameters and validation MAPE of each, the defaults first.
    """

    model: str
    total: bool
    settings: Mapping[str, Any]
    trials: list[dict[str, Any]]


def searched(recipe: Recipe, search: Search, material: Material, model: str, folder: Path, *, total: bool) -> Found:
    """The settings of the best trial, found once.

    Args:
        recipe: sizes.
        search: what is searched on.
        material: of the world.
        model: of the registry.
        folder: of the searches' files.
        total: whether totals are told.
    """
    name = f"{search.world}-{model}-{'total' if total else 'mix'}"
    data = left_alone(search, material.data)
    settings = settings_of(recipe, search, data, model, total=total)
    seals = [table.sha256 for table in data.tables]
    sizes = {key: value for key, value in recipe.told().items() if key != "longer"}  # no trial is
    told = [name, seals, data.left_out, sizes, settings.model_dump(mode="json")["tune"], search.protocol]
    path, digest = folder / f"{name}.json", objectstore.sha256(json.dumps(told, sort_keys=True).encode())
    if path.exists() and (kept := json.loads(path.read_text()))["digest"] == digest:
        return Found(**kept["found"])
    space, (target,) = space_of(model, TARGET, recipe.space), LEARNER.targets(model)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize", study_name=name)
    asked_first(study, defaults_of(LEARNER, settings, target, space), DEFAULT)
    place = replace(data, url=str(folder / name))
    for _ in range(recipe.trials):
        trial = draw(study, space, settings.tune)
        scores: list[Mapping[str, float]] = []
        LEARNER.trial(place, overlaid(settings, overlay_of(space, trial.params)), TARGET).run(scores.append)
        study.tell(trial, scores[-1][target.metric])
    trials = [{**trial.params, target.metric: trial.value} for trial in study.get_trials(deepcopy=False)]
    found = Found(model, total, overlay_of(space, winner(study).params)["energy"]["training"], trials)
    objectstore.put_bytes(str(path), json.dumps({"digest": digest, "found": asdict(found)}).encode())
    return found


def left_alone(search: Search, data: TrainingEnergy) -> TrainingEnergy:
    """The rows without the regions that test afterwards, but for the first, which the trial itself leaves alone."""
    if search.protocol != "region":
        return data
    return replace(data, left_out=(*data.left_out, *(turn for turn, _ in search.untouched[1:])))


def settings_of(recipe: Recipe, search: Search, data: TrainingEnergy, model: str, *, total: bool) -> Settings:
    """Of a trial with the defaults: as long as a fit of the table, in epochs of the first turn of the search."""
    tree: dict[str, Any] = {
        "model": model,
        "energy": {
            "splits": {"protocol": search.protocol},
            "synthesis": {"n": recipe.extra_size},
            "training": {"config": {"include_total": total}},
        },
        "tune": {"splits": recipe.splits, "startup_trials": recipe.trials // 2},
    }
    settings = overlaid(recipe.settings_of(), tree)
    rules = settings.energy
    divided = divided_energy(data, rules.splits, rules.synthesis)
    fold = divided.turns.index(search.untouched[0][0])
    turn = divided.search_turns(fold, recipe.splits)[0]
    batch, rows = rules.training.network_fit(model).batch_size, divided.rows_of(turn).count(TRAIN)
    fit = Pace(recipe.steps, recipe.patience).of(batch, rows)
    return overlaid(settings, merged({"tune": {"test_fold": fold}}, {"energy": {"training": {"fit": fit}}}))

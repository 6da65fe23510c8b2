"""The files of the fits as tables: scores, paired differences, what each seed says, and the negative controls.

A seed tests on one fold, so that the seeds of a division together answer for every cell once: the answers are pooled
and judged as one, their intervals over blocks of cells. Where all folds were tested again, that is another repetition.
What differs from seed to seed (fit and fold together) is told apart, each seed on its own cells.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from carbonray.models.cell_peers import CELL_PEERS
from carbonray.science.spatial.cells import positions
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.science.urban.labels import BackTransform
from carbonray.stages.cell_answers import FitAnswers, Judged, ModelAnswers, pooled, role_of
from carbonray.stages.cell_scores import CellScoreRules, negative_control, score_tables
from tests.evidence.grid_fits import LABEL, ORACLE

MODEL = "opencarbon"
ALIKE = ("opencarbon_no_neighborhood", ("concat",))  # that differ in nothing but how they join image and points
BY_SEED = ("r2_ln", "mae_ln", "spearman", "r2_t")  # what is told of single seeds
FEW = CellScoreRules(BootstrapRules(resamples=2))  # of tables whose intervals nobody reads
TRUTH, BY_LABEL = "truth", "label"
# control: world, model with the module, model without it
CONTROLS: Mapping[str, tuple[str, str]] = {
    "no_coupling": (MODEL, "opencarbon_no_neighborhood"),
    "points_dealt": (MODEL, "opencarbon_no_poi"),
}
ORDINARY = "ordinary"


@dataclass(frozen=True)
class Fitted:
    """One model's answers of one fit: seed, and what it said of the cells of a city."""

    seed: int
    answers: FitAnswers


@dataclass(frozen=True)
class Field:
    """The cells of a city under one way of dividing, and all that is said of them.

    Attributes:
        world, city, split: which.
        cells: of `grid.cells_of`.
        said: model -> its fits, by seed; the same seeds for every model.
    """

    world: str
    city: str
    split: str
    cells: Mapping[str, Any]
    said: Mapping[str, Sequence[Fitted]]

    def judged(self, by: str, cell: Any) -> Judged:
        """Some of the cells, to be judged by the label or by the truth."""
        at = positions(np.array(self.cells["cell"]), np.sort(cell))
        keys = {"city": self.city, "split": self.split, "judged_by": by, "data_tier": self.cells["tier"]}
        return Judged(keys, np.sort(cell), np.array(self.cells[f"ln_{by}"])[at])

    def models(self, by: str) -> list[str]:
        """Those that are judged: a label that is judged by itself says nothing."""
        return [model for model in sorted(self.said) if (model, by) != (LABEL, BY_LABEL)]


def fields_of(work: Path) -> list[Field]:
    """Everything that was fitted, by world, split and city."""
    cells = {path.stem: json.loads(path.read_text()) for path in sorted((work / "cells").glob("*.json"))}
    said: dict[tuple[str, str, str], dict[str, list[Fitted]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted((work / "fits").glob("*.json")):
        fit = json.loads(path.read_text())
        job = fit["job"]
        for name, told in cells.items():
            world, city = name.rsplit("-", 1)
            if world != job["world"] or job["city"] not in ("", city):
                continue
            for model, answer in fit["answers"].items():
                found = _of_cells(answer, np.array(told["cell"]))
                if len(found.cell):
                    said[world, city, job["split"]][model].append(Fitted(job["seed"], found))
    fields = [
        Field(world, city, split, cells[f"{world}-{city}"], _alike(models))
        for (world, city, split), models in sorted(said.items())
    ]
    return [field for field in fields if all(field.said.values())]


def tables_of(fields: Sequence[Field], rules: CellScoreRules) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and paired differences of all that was divided, every cell answered once a repetition."""
    found = []
    for field in fields:
        said = {model: _repetitions(fits) for model, fits in field.said.items()}
        for by in (BY_LABEL, TRUTH):
            chosen = {model: said[model] for model in field.models(by)}
            found += [_tables(field, by, chosen, rules)]
    scores, differences = (pd.concat(part, ignore_index=True) for part in zip(*found, strict=True))
    return scores, differences


def seeds_of(fields: Sequence[Field]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of every seed on the cells it held out, and its paired differences; no intervals."""
    parts = []
    for field in fields:
        for seed in sorted({fit.seed for fit in field.said[next(iter(field.said))]}):
            own = {
                model: {seed: pooled([fit.answers for fit in fits if fit.seed == seed])}
                for model, fits in field.said.items()
            }
            for by in (BY_LABEL, TRUTH):
                chosen = {model: own[model] for model in field.models(by)}
                parts.append([part.assign(seed=seed) for part in _tables(field, by, chosen, FEW)])
    every = (pd.concat(part, ignore_index=True) for part in zip(*parts, strict=True))
    scores, pairs = (part[part["metric"].isin(BY_SEED)] for part in every)
    keys = ["world", "city", "split", "judged_by", "seed"]
    return (
        scores[[*keys, "model", "metric", "units", "value", "cells", "data_tier"]],
        pairs[[*keys, "first", "second", "metric", "units", "difference", "cells", "data_tier"]],
    )


def controls_of(differences: pd.DataFrame) -> pd.DataFrame:
    """The gain of each control's module where there is nothing to gain, and the same pair in the ordinary city.

    A control fails where its interval lies above 0. One below 0 is no gain either, and is called a loss.
    """
    rows = []
    for world, (first, second) in CONTROLS.items():
        for place in (world, ORDINARY):
            chosen = differences[
                (differences["world"] == place)
                & (differences["first"] == first)
                & (differences["second"] == second)
                & (differences["metric"] == "r2_ln")
            ]
            for row in [dict(zip(chosen.columns, values, strict=True)) for values in chosen.to_numpy(object)]:
                found = negative_control(row)
                what = "cannot be told from none" if found.passes else "gain" if row["p05"] > 0 else "loss"
                passed = {True: "pass", False: "FAIL"}[what != "gain"] if place != ORDINARY else ""
                names = {"control": world, "world": place, "pair": f"{first} - {second}"}
                keys = {name: row[name] for name in ("city", "split", "judged_by", "p05", "p95", "data_tier")}
                told = {"gain_r2_ln": found.gain, "noticeable": found.noticeable, "found": what, "passes": passed}
                rows.append(names | keys | told)
    return pd.DataFrame(rows)


def kind_of(model: str) -> str:
    """Role of a model in the tables."""
    if model in (ORACLE, LABEL):
        return "oracle"
    if model in CELL_PEERS:
        return role_of(model)
    if model.startswith("opencarbon_no_"):
        return "ablation"
    return "model" if model.startswith(MODEL) else "peer"


def _tables(
    field: Field, by: str, said: Mapping[str, Mapping[int, Any]], rules: CellScoreRules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of one field, with its world; pairs are of the network and each other model, and of those alike."""
    judged = field.judged(by, next(iter(next(iter(said.values())).values())).cell)
    models = [ModelAnswers(model, kind_of(model), answers) for model, answers in said.items()]
    wanted = [(MODEL, model) for model in said if model != MODEL] + [(ALIKE[0], model) for model in ALIKE[1]]
    pairs = [pair for pair in wanted if said.keys() >= set(pair)]
    found: tuple[pa.Table, pa.Table] = score_tables(judged, models, pairs, rules)
    scores, differences = (table.to_pandas().assign(world=field.world) for table in found)
    return scores, differences


def _repetitions(fits: Sequence[Fitted]) -> dict[int, Any]:
    """Repetition -> answers about all cells that are held out: the first fit of every fold, then the second.

    A repetition that lacks a fold is left out.
    """
    parts: dict[bytes, list[FitAnswers]] = defaultdict(list)
    for fit in sorted(fits, key=lambda fit: fit.seed):
        parts[np.sort(fit.answers.cell).tobytes()].append(fit.answers)
    whole = min(map(len, parts.values()))
    return {number: pooled([answers[number] for answers in parts.values()]) for number in range(whole)}


def _alike(models: Mapping[str, list[Fitted]]) -> dict[str, list[Fitted]]:
    """Fits of the seeds that every model has."""
    seeds = set.intersection(*({fit.seed for fit in fits} for fits in models.values()))
    return {model: [fit for fit in fits if fit.seed in seeds] for model, fits in models.items()}


def _of_cells(answer: Mapping[str, Any], cells: Any) -> FitAnswers:
    """The part of a fit's answers that is about some cells."""
    cell = np.array(answer["cell"], np.int64)
    here = np.isin(cell, cells)
    width = np.inf if answer["half_width"] is None else answer["half_width"]
    return FitAnswers(cell[here], np.array(answer["ln_e"])[here], BackTransform(answer["factor"], width))

"""One fit of the evidence on 1 km cells: networks, graphs on their features, and all that needs no network.

A job fits on the labels that an ODIAC-like product gives and answers for the cells of its test fold, and of the city
that nobody learned from where there is one. What it leaves is one JSON: cells, answers in ln t CO2, factor and half
width of the back transform, all from validation cells.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from carbonray.errors import CarbonrayError
from carbonray.io import objectstore
from carbonray.io.table_store import decode_table
from carbonray.models.cell_graph import GraphSageRules, eight_neighbors, fitted_graph_sage
from carbonray.models.cell_registry import GRAPH_MODELS
from carbonray.models.cell_rows import CellRows
from carbonray.models.detector import load_tensors
from carbonray.models.fit import FitState, Workers
from carbonray.models.opencarbon import OpenCarbon
from carbonray.science.spatial.cells import neighbor_ids, positions
from carbonray.science.urban.cell_splits import TEST, TRAIN, VALIDATE, CellSplitRules, roles
from carbonray.science.urban.labels import back_transform
from carbonray.stages.cell_answers import FitAnswers, cell_rows, peer_fits
from carbonray.stages.cell_networks import CellFit, CellTrainRules, block_names, cell_fit, fitted_cells, stream_answers
from carbonray.stages.cell_roles import DividedCells, TrainingCells, divided_cells
from carbonray.stages.cell_streams import CellShard, stream_for
from carbonray.vocab.cell_sample_tables import CELL_SAMPLES

PEERS, ORACLE, LABEL = "peers", "oracle", "label"
IMAGES_OF_GRAPHS = "image_only"  # whose embeddings GraphSAGE reads
BATCH = 64  # cells in a call of a network that judges
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Job:
    """One fit.

    Attributes:
        world: key of `grid.WORLDS`.
        city: whose cells are divided; empty for three cities, of which one is left out.
        split: random, blocks or cities.
        seed: of the fit; its test fold is the seed modulo the number of folds.
        model: of the registry, or `peers` for all that needs no network.
    """

    world: str
    city: str
    split: str
    seed: int
    model: str

    @property
    def key(self) -> str:
        """Name of its file."""
        return f"{self.world}-{self.split}-{self.city or 'three'}-{self.seed}-{self.model}"


@dataclass(frozen=True)
class Pace:
    """Steps of a fit, the same for few cells and for many.

    Attributes:
        steps: batches that a fit learns from, in whole epochs.
        contrast_after: steps before the contrastive term enters.
    """

    steps: int = 120
    contrast_after: int = 40

    def of(self, rules: CellTrainRules, model: str, cells: int) -> CellTrainRules:
        """Rules with as many epochs as take that many steps."""
        batches = -(-cells // rules.network_fit(model).batch_size)
        loss = {**rules.fit.get("loss", {}), "contrastive_from": self.contrast_after // batches}
        return replace(rules, fit={**rules.fit, "epochs": -(-self.steps // batches), "loss": loss})


@dataclass(frozen=True)
class Material:
    """What the jobs of one place share.

    Attributes:
        data: store of the cells that are divided.
        beside: store of a city that is only ever tested, None for none.
        truth: cell -> (ln of true tonnes, that of the oracle).
        rules: of all fits, but for their length.
        pace: their length.
    """

    data: TrainingCells
    beside: TrainingCells | None
    truth: Mapping[int, tuple[float, float]]
    rules: CellTrainRules
    pace: Pace

    def rules_of(self, job: Job) -> CellTrainRules:
        """With the split and the seed of a job; the division itself has one seed, so that folds hold every cell."""
        split = replace(self.rules.split, by=job.split)
        return replace(self.rules, split=split, fit={**self.rules.fit, "seed": job.seed})

    def digest(self, job: Job) -> str:
        """Of all that can change a job's answers."""
        seals = [shard.sha256 for data in (self.data, self.beside) if data for shard in data.shards]
        told = [asdict(job), asdict(self.rules_of(job)), asdict(self.pace), seals, self.data.generator_sha256]
        return objectstore.sha256(json.dumps(told, sort_keys=True).encode())


@dataclass(frozen=True)
class Divided:
    """The cells of a job: those of the division by role, and beside them those that only test.

    Attributes:
        rows: features and labels of all, by number.
        role: (cell,) of `science.urban.cell_splits`.
        fold: that tests.
        cells: the division.
    """

    rows: CellRows
    role: NDArray[np.int8]
    fold: int
    cells: DividedCells


def run_job(job: Job, material: Material, folder: str, deadline: float) -> str:
    """Fits and writes `FOLDER/KEY.json`, or finds it there; answers what was done.

    Args:
        job: the fit.
        material: what it reads.
        folder: of the files.
        deadline: Unix time after which nothing new is begun.
    """
    path, digest = Path(folder) / f"{job.key}.json", material.digest(job)
    if path.exists() and json.loads(path.read_text())["digest"] == digest:
        return "there"
    if time.time() > deadline:
        return "left"
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        divided = divided_job(job, material)
        answers, told = (peers(job, material, divided), {}) if job.model == PEERS else networks(job, material, divided)
    except CarbonrayError as error:  # the others go on; the page counts what is there
        return f"refused: {error}"
    took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    facts = {"digest": digest, "job": asdict(job), "fold": divided.fold, **told, **took}
    stored = {name: _plain(answer) for name, answer in sorted(answers.items())}
    objectstore.put_bytes(str(path), json.dumps(facts | {"answers": stored}).encode())
    return "fitted"


def divided_job(job: Job, material: Material) -> Divided:
    """The cells of a job by their role."""
    split = material.rules_of(job).split
    cells = divided_cells(material.data, split)
    shards = (*cells.shards, *(material.beside.shards if material.beside else ()))
    rows = cell_rows(samples_of(shards))
    fold = job.seed % cells.folds.n_folds
    role = np.full(len(rows.cell), TEST, np.int8)
    role[positions(rows.cell, cells.rows.cell_id)] = roles(
        cells.rows.cell_id, cells.folds.fold, cells.turn(fold), split
    )
    return Divided(rows, role, fold, cells)


def samples_of(shards: tuple[CellShard, ...]) -> pa.Table:
    """Labelled cells by number; sums of points around a cell count no others."""
    tables = [decode_table(objectstore.read_bytes(shard.table_url), CELL_SAMPLES) for shard in shards]
    return pa.concat_tables(tables).sort_by("cell_id")


def networks(job: Job, material: Material, divided: Divided) -> tuple[dict[str, FitAnswers], dict[str, Any]]:
    """A network's answers, those of the graphs that read its embeddings, and how the fit went."""
    cells, turn = divided.cells, divided.cells.turn(divided.fold)
    rules = material.pace.of(material.rules_of(job), job.model, int((divided.role == TRAIN).sum()))
    fit = cell_fit(rules, job.model, material.data, cells, turn)
    state = FitState()
    for epoch in fit.epochs(Workers(device=rules.device)):
        state = epoch.state
    fitted = fitted_cells(fit, state, rules)
    network = OpenCarbon(fit.config)
    load_tensors(network, fitted.tensors, where=job.key)
    test = cells.shards_with(cells.of_role(turn, TEST, fit.config.modalities))
    told = [_answers(network, shards, rules) for shards in (test, *_beside(material))]
    cell, ln_e = (np.concatenate(part) for part in zip(*told, strict=True))
    found = FitAnswers(cell, ln_e, fitted.back)
    history = [entry for entry in state.facts["history"] if entry["judged"]]
    facts = {
        "epochs": state.epoch,
        "validation": fitted.scores,
        "history": [(entry["epoch"], entry["validation_r2"]) for entry in history],
        "cells": {"train": len(fit.train), "validation": len(fit.validation), "test": len(found.cell)},
    }
    answers = {job.model: found}
    if job.model == IMAGES_OF_GRAPHS:
        features = {"image": _embeddings(network, material, divided, fit), "poi": _counts(divided.rows)}
        answers |= _graphs(job, material, divided, features)
    return answers, facts


def peers(job: Job, material: Material, divided: Divided) -> dict[str, FitAnswers]:
    """Every peer that needs no network, the oracle, and the label taken for the truth."""
    rules, rows, role = material.rules_of(job), divided.rows, divided.role
    found = peer_fits(rows, role, band=rules.band, block_km=rules.split.block_km)
    found |= _graphs(job, material, divided, {"poi": _counts(rows)})
    true, oracle = np.array([material.truth[cell] for cell in rows.cell.tolist()]).T
    for name, said in ((ORACLE, oracle), (LABEL, rows.ln_e)):
        found[name] = _answered(divided, said, true, rules)
    return found


def _graphs(job: Job, material: Material, divided: Divided, features: Mapping[str, Floats]) -> dict[str, FitAnswers]:
    """GraphSAGE on what there is: those that read points alone, or all that read images."""
    rows, rules, found = divided.rows, material.rules_of(job), {}
    around = eight_neighbors(positions(rows.cell, neighbor_ids(rows.cell)))
    masks = {"train": divided.role == TRAIN, "validation": divided.role == VALIDATE}
    for name, reads in GRAPH_MODELS.items():
        if ("image" in reads) != ("image" in features):
            continue
        seen = np.concatenate([features[modality] for modality in reads], axis=1)
        peer = fitted_graph_sage(seen, around, rows.ln_e, masks, GraphSageRules(seed=job.seed))
        found[name] = _answered(divided, peer.answer(seen, around), rows.ln_e, rules)
    return found


def _answered(divided: Divided, said: Floats, target: Floats, rules: CellTrainRules) -> FitAnswers:
    """Answers about the cells that test, with factor and band from those that validate."""
    rows, judged, test = divided.rows, divided.role == VALIDATE, divided.role == TEST
    blocks = block_names(rows.cell[judged], rules.split)
    return FitAnswers(rows.cell[test], said[test], back_transform(target[judged] - said[judged], blocks, rules.band))


def _answers(network: OpenCarbon, shards: tuple[CellShard, ...], rules: CellTrainRules) -> tuple[Ints, Floats]:
    stream = stream_for(network.config, shards, BATCH, window_shards=rules.window_shards)
    told = stream_answers(network, stream, rules.device)
    return told.cell_id, told.answer


def _beside(material: Material) -> tuple[tuple[CellShard, ...], ...]:
    """The shards of the city that is only tested, asking for all its cells."""
    if material.beside is None:
        return ()
    every = divided_cells(material.beside, CellSplitRules(by="random"))
    return (every.shards_with(np.arange(len(every.rows.cell_id))),)


def _embeddings(network: OpenCarbon, material: Material, divided: Divided, fit: CellFit) -> Floats:
    """(cell, d) of every cell's own image, in the order of the rows."""
    cells, found = [], []
    every = divided.cells.shards_with(np.arange(len(divided.cells.rows.cell_id)))
    for shards in (every, *_beside(material)):
        stream = stream_for(fit.config, shards, BATCH, window_shards=material.rules.window_shards)
        with torch.inference_mode():
            for batch in stream.in_order():
                cells.append(batch.cell_ids.numpy())
                found.append(network(batch.to(torch.device(material.rules.device))).image.double().cpu().numpy())
    order = np.argsort(np.concatenate(cells))
    return np.asarray(np.concatenate(found)[order], np.float64)


def _counts(rows: CellRows) -> Floats:
    return np.log1p(rows.counts)


def _plain(answer: FitAnswers) -> dict[str, Any]:
    """As JSON has it: a width that is not known is none."""
    width = answer.back.half_width
    return {
        "cell": answer.cell.tolist(),
        "ln_e": answer.ln_e.tolist(),
        "factor": answer.back.factor,
        "half_width": width if np.isfinite(width) else None,
    }

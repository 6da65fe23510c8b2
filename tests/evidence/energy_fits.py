"""One fit of the evidence on energy and emissions: a network in a turn, or all that needs no network.

A fit answers for the rows of its test turn, and for the regions of the shift tier that nobody learned from where there
are any. What it leaves is one JSON: of each model, task and block of rows (a region, or a calendar year where time is
divided) the count of rows and the sums of |percentage error|, squared error of ln and error of ln.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import CarbonrayError
from carbonray.io import objectstore
from carbonray.models.baselines import SplitRows
from carbonray.models.clean import Clean, mix_batch
from carbonray.models.clean_fit import predicted_totals
from carbonray.models.detector import load_tensors
from carbonray.models.energy_peers import ENERGY_PEERS, EnergyPeerRules
from carbonray.models.energy_readings import Reading, ln_known
from carbonray.models.fit import FitState, Workers
from carbonray.models.fit_tensors import best_weights, stored
from carbonray.overlays import merged
from carbonray.science.energy.mix import MixRows, stacked
from carbonray.science.energy.splits import PAPER_TURN, TEST, TRAIN, VALIDATE, EnergySplitRules
from carbonray.science.energy.synthesis import SynthesisRules, is_synthesised
from carbonray.stages.energy_bundles import TASKS
from carbonray.stages.energy_networks import CleanTrainRules, energy_fit
from carbonray.stages.energy_roles import DividedEnergy, EnergyTurn, TrainingEnergy, TurnRows, divided_energy
from carbonray.stages.energy_streams import EnergyStream

PEERS, TRIVIAL, RATIO, ORACLE = "peers", "train_mean", "train_ratio", "oracle"
TUNED, RATIO_NETWORK, LONG = "_tuned", "clean_mlp_ratio", "long"
EVERY, REAL, SHIFT = "with synthesised", "real", "shift"
BATCH = 4096  # rows in a call of a network that judges
Floats = NDArray[np.float64]
Ceilings = Mapping[str, Mapping[tuple[str, int], tuple[float, float]]]  # who knows what -> row -> ln of both totals


@dataclass(frozen=True)
class Job:
    """One fit.

    Attributes:
        world: key of `energy.WORLDS`.
        part: 'main', 'tuned' of the turns that a search left alone, or 'long' of fits of more steps.
        protocol: paper, region or time.
        turn: what is tested on.
        seed: of the fit, of the synthesised countries, and of rows divided at random.
        n: synthesised countries.
        total: whether totals are told beside the mix.
        model: a network, or `peers` for all that needs none.
    """

    world: str
    part: str
    protocol: str
    turn: str
    seed: int
    n: int
    total: bool
    model: str

    @property
    def key(self) -> str:
        """Name of its file."""
        told = "total" if self.total else "mix"
        turn = self.turn.replace(" ", "_")
        return f"{self.world}-{self.part}-{self.protocol}-{turn}-{self.seed}-{self.n}-{told}-{self.model}"


@dataclass(frozen=True)
class Pace:
    """Length of the fits, the same for few rows and for many.

    Attributes:
        steps: batches that a fit learns from at most.
        patience: batches without a better validation score that end it, of whole epochs two at least.
    """

    steps: int = 200
    patience: int = 40

    def of(self, batch_size: int, rows: int) -> dict[str, int]:
        """Settings of a fit that takes so many, in whole epochs."""
        batches = -(-rows // batch_size)
        return {"epochs": -(-self.steps // batches), "stop_after": max(round(self.patience / batches), 2)}


@dataclass(frozen=True, eq=False)
class Material:
    """What the jobs of a world share.

    Attributes:
        data: tables of the rows that are divided.
        rules: of all networks, but for their length.
        split: how rows are divided, but for protocol and seed.
        pace: length of the fits.
        beside: rows of regions that are only ever tested; none where there are no such.
        ceilings: what could be known of each row at best; empty of what is real.
        tuned: (network, whether totals are told) -> settings of `energy.training` that a search chose.
        longer: how many times as many steps long fits take.
    """

    data: TrainingEnergy
    rules: CleanTrainRules
    split: EnergySplitRules
    pace: Pace
    beside: MixRows | None = None
    ceilings: Ceilings = field(default_factory=dict)
    tuned: Mapping[tuple[str, bool], Mapping[str, Any]] = field(default_factory=dict)
    longer: int = 1

    def divided(self, protocol: str, seed: int = 0, n: int = 0) -> DividedEnergy:
        """The rows, to be divided by a protocol, with so many synthesised countries."""
        split = EnergySplitRules(**asdict(self.split) | {"protocol": protocol, "seed": seed})
        return divided_energy(self.data, split, SynthesisRules(n=n, seed=seed))

    def rules_of(self, job: Job, rows: int) -> CleanTrainRules:
        """Those of a network of a job that so many rows teach."""
        name, more = job.model.removesuffix(TUNED), self.tuned.get((job.model.removesuffix(TUNED), job.total), {})
        told = {"fit": self.rules.fit, "config": self.rules.config | {"include_total": job.total}}
        told = merged(told, dict(more)) if job.model.endswith(TUNED) else told
        batch = replace(self.rules, fit=told["fit"]).network_fit(name_of(name)).batch_size
        own = {"ratio": True} if name == RATIO_NETWORK else {}
        times = self.longer if job.part == LONG else 1
        pace = Pace(times * self.pace.steps, times * self.pace.patience)
        fit = told["fit"] | pace.of(batch, rows) | {"seed": job.seed}
        return replace(self.rules, fit=fit, config=told["config"] | own)

    def digest(self, job: Job) -> str:
        """Of all that can change a job's answers."""
        seals = [table.sha256 for table in self.data.tables]
        beside = [] if self.beside is None else self.beside.energy.tolist() + self.beside.emissions.tolist()
        ceilings = [sorted(found.items()) for _, found in sorted(self.ceilings.items())] if job.model == PEERS else []
        rules = asdict(self.rules_of(job, 1)) if job.model != PEERS else {}
        told = [asdict(job), rules, asdict(self.split), asdict(self.pace), seals, beside, ceilings]
        told += [{name: list(members) for name, members in self.data.composites.items()}, self.data.left_out]
        return objectstore.sha256(json.dumps(told, sort_keys=True).encode())


@dataclass(frozen=True, eq=False)
class Turn:
    """The rows of a turn, with their amounts.

    Attributes:
        divided: all rows.
        turn: which.
        found: roles.
        rows: role -> rows.
    """

    divided: DividedEnergy
    turn: EnergyTurn
    found: TurnRows
    rows: Mapping[int, MixRows]


@lru_cache(maxsize=1)
def turn_of(material: Material, protocol: str, turn: str, seed: int, n: int) -> Turn:
    """The rows of a turn; the jobs of one follow each other."""
    divided = material.divided(protocol, seed, n)
    own = EnergyTurn(turn)
    found = divided.rows_of(own)
    streams = {role: EnergyStream(divided.shards(found, role), BATCH) for role in (TRAIN, VALIDATE, TEST)}
    return Turn(divided, own, found, {role: stacked(list(stream.parts())) for role, stream in streams.items()})


def name_of(model: str) -> str:
    """Its name in the registry."""
    return "clean_mlp" if model == RATIO_NETWORK else model.removesuffix(TUNED)


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
        turn = turn_of(material, job.protocol, job.turn, job.seed, job.n)
        said, told = peers(job, material, turn) if job.model == PEERS else network(job, material, turn)
    except CarbonrayError as error:  # the others go on; the page counts what is there
        return f"refused: {error}"
    took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    counts = {name: turn.found.count(role) for name, role in (("train", TRAIN), ("validate", VALIDATE), ("test", TEST))}
    facts = {"digest": digest, "job": asdict(job), "rows": counts, **told, **took, "sums": said}
    objectstore.put_bytes(str(path), json.dumps(facts).encode())
    return "fitted"


def network(job: Job, material: Material, turn: Turn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sums of a network's answers, and how the fit went."""
    rules = material.rules_of(job, turn.found.count(TRAIN))
    fit = energy_fit(rules, name_of(job.model), turn.divided, turn.turn)
    state = FitState()
    for epoch in fit.epochs(Workers(device=rules.device)):
        state = epoch.state
    fitted = Clean(fit.config)
    load_tensors(fitted, stored(best_weights(state.tensors), rules.weights), where=job.key)
    said: dict[str, Any] = {}
    for subset, rows in tested(material, turn):
        batch = mix_batch(rows.energy, rows.emissions)
        answer = np.column_stack(predicted_totals(fitted, [batch], device=rules.device))
        said[subset] = {job.model: sums(rows, answer, job.protocol)}
    scores = [entry["validation_mape"] for entry in state.facts["history"]]
    return said, {"epochs": state.epoch, "validation_mape": min(scores)}


def peers(job: Job, material: Material, turn: Turn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sums of every peer that needs no network, of the trivial answers and of the oracle; which peers refused."""
    taught, judged = turn.rows[TRAIN], turn.rows[VALIDATE]
    every = stacked([taught, judged])
    split = SplitRows(np.arange(len(taught)), np.arange(len(taught), len(every)))
    readings = [Reading(task, job.total) for task in TASKS]
    answers: dict[str, list[Any]] = {TRIVIAL: [_mean(taught, reading) for reading in readings]}
    if job.total:
        answers[RATIO] = [_ratio(taught, reading) for reading in readings]
    refused = {}
    for name, make in ENERGY_PEERS.items():
        try:
            answers[name] = [make(EnergyPeerRules()).fit(every, split, reading).predict for reading in readings]
        except CarbonrayError as error:
            refused[name] = str(error)
    said: dict[str, Any] = {}
    for subset, rows in tested(material, turn):
        own = {name: np.column_stack([of(rows) for of in both]) for name, both in answers.items()}
        if material.ceilings and subset != EVERY:
            own[ORACLE] = best_known(material.ceilings, rows, job, beside=subset == SHIFT)
        said[subset] = {name: sums(rows, answer, job.protocol) for name, answer in own.items()}
    return said, {"refused": refused}


def tested(material: Material, turn: Turn) -> Iterator[tuple[str, MixRows]]:
    """The rows that are judged: real ones, those with synthesised countries where they test too, the shift tier's."""
    rows = turn.rows[TEST]
    if turn.turn.test == PAPER_TURN:
        yield EVERY, rows
    yield REAL, rows.rows(~is_synthesised(rows.region))
    if material.beside is not None:
        yield SHIFT, material.beside


def best_known(ceilings: Ceilings, rows: MixRows, job: Job, *, beside: bool) -> Floats:
    """(row, task) of who knows the region, where it taught, or else how regions are drawn."""
    who = "unseen" if job.protocol == "region" or beside else "known"
    known = ceilings[f"{who}_{'mix_total' if job.total else 'mix'}"]
    return np.array([known[str(name), int(at)] for name, at in zip(rows.region, rows.start_ns, strict=True)])


def sums(rows: MixRows, answer: Floats, protocol: str) -> dict[str, dict[str, list[float]]]:
    """Task -> block -> rows, |percentage error|, squared error of ln, error of ln.

    Args:
        rows: with their amounts.
        answer: (row, task) ln of the totals.
        protocol: where time is divided, blocks are calendar years; else regions.
    """
    years = rows.start_ns.astype("datetime64[ns]").astype("datetime64[Y]").astype(str)
    names = years if protocol == "time" else rows.region.astype(str)
    found: dict[str, dict[str, list[float]]] = {}
    for at, task in enumerate(TASKS):
        off = answer[:, at] - Reading(task).asked(rows)
        table = np.column_stack([np.ones(len(off)), np.abs(np.expm1(off)), off**2, off])
        found[task] = {str(name): table[names == name].sum(axis=0).tolist() for name in np.unique(names)}
    return found


def _mean(taught: MixRows, reading: Reading) -> Any:
    """The mean ln of the totals that taught, whatever is told."""
    mean = float(reading.asked(taught).mean())
    return lambda rows: np.full(len(rows), mean)


def _ratio(taught: MixRows, reading: Reading) -> Any:
    """The told total times the mean ratio: size alone, whatever the mix."""
    mean = float((reading.asked(taught) - ln_known(reading.told(taught)[1])).mean())
    return lambda rows: ln_known(reading.told(rows)[1]) + mean

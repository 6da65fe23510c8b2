"""Trees of one task grown by workers of Ray Train, each on the rows of files of its own, with checkpoints.

Source: XGBoost's histogram method, whose workers agree on bins, then add up their histograms, so that all of them grow
the same trees. Draws follow from (seed, round): a fit taken up again after any round ends in the same bytes.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import xgboost
from ray.train.xgboost import XGBoostTrainer

from carbonray.io.objectstore import sha256
from carbonray.models.sounding_trees import SoundingTrees, Task, TreeRules, balanced, parameters, trees_from_bytes
from carbonray.models.tree_tables import GB
from carbonray.science.spatial.folds import Rotation
from carbonray.stages.sounding_tree_fits import read_tree_rows

_BOOSTER, _FACTS = "trees.ubj", "trees.json"
_WATCHED = "validation"
Hands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class TreeJob:
    """Trees of one task in plain values, as they travel to the workers.

    Attributes:
        task: what the trees tell.
        kind: NDT or FGD.
        turn: which folds train, which one stops.
        names: of the features.
        rules: hyperparameters.
        on_share: of all training rows, on; what both classes are weighed by.
        train: URLs of the tables that each worker grows on.
        stop: URLs of those that each worker judges.
        versions: of these tables.
        cpus: threads of a worker.
    """

    task: Task
    kind: str
    turn: Rotation
    names: tuple[str, ...]
    rules: TreeRules
    on_share: float
    train: Hands
    stop: Hands
    versions: tuple[str, ...]
    cpus: int

    def digest(self) -> str:
        """Of everything that can change the trees; places of tables cannot."""
        facts = asdict(self) | {name: _names(getattr(self, name)) for name in ("train", "stop")}
        return sha256(json.dumps(facts, sort_keys=True).encode())

    def matrix(self, urls: Sequence[str], folds: Sequence[int], **told: Any) -> xgboost.QuantileDMatrix:
        """The rows of some tables that have a label, weighed; built by all workers together."""
        rows = read_tree_rows(urls, self.kind, folds)
        target = rows.numbers(self.task)
        known = np.isfinite(target)
        wanted = np.clip(target[known], 0.0, 1.0)
        weight = balanced(wanted > 0.5, self.on_share) if self.task == "on" else np.ones(len(wanted))
        features = rows.features if known.all() else rows.features[known]
        told |= {"feature_names": list(self.names), "max_bin": self.rules.bins, "nthread": self.cpus}
        return xgboost.QuantileDMatrix(features, wanted, weight=weight, **told)


@dataclass(frozen=True)
class TreeWorkers:
    """Who grows trees on Ray Train.

    Attributes:
        count: how many; no more than a split of the rows has tables.
        cpus: threads of each.
        gb: memory that each asks its node for.
        url: folder of the fits' states.
        checkpoint_rounds: trees between two states.
        max_failures: deaths that are survived.
    """

    count: int
    cpus: int
    gb: float
    url: str
    checkpoint_rounds: int
    max_failures: int


def trees_on_train(job: TreeJob, workers: TreeWorkers) -> SoundingTrees:
    """Grows trees, going on from the last checkpoint of the same job; Ray must be initialised.

    Raises:
        TrainingFailedError: workers died more often than is survived.
    """
    trainer = XGBoostTrainer(
        _grow,
        train_loop_config={"job": job, "checkpoint_rounds": workers.checkpoint_rounds},
        scaling_config=ray.train.ScalingConfig(
            num_workers=len(job.train),
            resources_per_worker={"CPU": job.cpus, "memory": int(workers.gb * GB)},
        ),
        run_config=ray.train.RunConfig(
            name=f"trees-{job.task}-{job.digest()[:16]}",
            storage_path=workers.url,
            failure_config=ray.train.FailureConfig(max_failures=workers.max_failures),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=2),
        ),
    )
    checkpoint = trainer.fit().checkpoint
    assert checkpoint is not None  # the loop ends with one
    with checkpoint.as_directory() as folder:
        content = (Path(folder) / _BOOSTER).read_bytes()
    return trees_from_bytes(content, where=f"{workers.url}: {job.task}")


def _grow(loop: dict[str, Any]) -> None:
    """One worker's part: runs in a process of Ray Train, within XGBoost's communicator."""
    job: TreeJob = loop["job"]
    rules, rank = job.rules, ray.train.get_context().get_world_rank()
    grown_on = job.matrix(job.train[rank], job.turn.train)
    judged = [job.matrix(job.stop[rank], (job.turn.val,), ref=grown_on)] if rules.stop_rounds else []
    told = parameters(job.task, rules) | {"nthread": job.cpus, "seed_per_iteration": True}
    state, rounds, scores = _last_state()
    booster = xgboost.Booster(told, [grown_on, *judged], model_file=state)
    while rounds < rules.rounds and not _stopped(scores, rules.stop_rounds):
        booster.update(grown_on, iteration=rounds)
        rounds += 1
        for matrix in judged:
            said = booster.eval_set([(matrix, _WATCHED)], rounds)
            scores.append(float(said.rsplit(":", 1)[1]))
        if rounds % loop["checkpoint_rounds"] == 0:
            _report(booster, rounds, scores, f"round_{rounds:05d}")
    if scores:
        best = int(np.argmin(scores))
        booster = booster[: best + 1]
        booster.set_attr(best_iteration=str(best), best_score=str(scores[best]))
    booster.set_attr(task=job.task)
    _report(booster, rounds, scores, "grown")


def _stopped(scores: Sequence[float], stop_rounds: int) -> bool:
    """Whether so many rounds were no better than the best before them."""
    return 0 < stop_rounds <= len(scores) - 1 - int(np.argmin(scores or [0.0]))


def _report(booster: xgboost.Booster, rounds: int, scores: Sequence[float], name: str) -> None:
    """Every worker has the same trees: the first one keeps them."""
    metrics: dict[str, Any] = {"rounds": rounds} | ({"validation": scores[-1]} if scores else {})
    if ray.train.get_context().get_world_rank():
        ray.train.report(metrics, checkpoint_dir_name=name)
        return
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / _BOOSTER).write_bytes(booster.save_raw(raw_format="ubj"))
        (Path(folder) / _FACTS).write_text(json.dumps({"rounds": rounds, "scores": list(scores)}))
        ray.train.report(metrics, ray.train.Checkpoint.from_directory(folder), checkpoint_dir_name=name)


def _last_state() -> tuple[bytearray | None, int, list[float]]:
    """Trees, rounds and scores so far."""
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return None, 0, []
    with checkpoint.as_directory() as folder:
        facts = json.loads((Path(folder) / _FACTS).read_text())
        return bytearray((Path(folder) / _BOOSTER).read_bytes()), facts["rounds"], facts["scores"]


def _names(hands: Hands) -> list[list[str]]:
    return [["/".join(url.rsplit("/", 2)[1:]) for url in hand] for hand in hands]

"""Fits of the networks that find NO2 hotspots: simulated scenes as shards, a fit in plain values, its bundle.

Sources: SCIENCE 3.5 and 3.10, the rotation of folds of 4.7. Scenes are independent draws known by their index, so any
division of the shards is a fair one; those of the test share are read only where the column's range is measured over
everything, as the paper's min-max is.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Any

import ray
import torch
from torch import Tensor, nn

from carbonray.execution import ThresholdRules
from carbonray.io.model_store import Bundle, bundle_sha256, save_bundle
from carbonray.io.objectstore import sha256
from carbonray.io.read_ahead import ReadWindows, read_by_thread
from carbonray.models.detector import PlumeDetector, network_of
from carbonray.models.encoding import Encoding
from carbonray.models.fit import Epoch, FitRules, FitState, Workers, fit_epochs, weights_of
from carbonray.models.registry import MODELS
from carbonray.models.tiles import PackedTiles, TileBatch
from carbonray.science.spatial.folds import N_FOLDS, Rotation
from carbonray.training.samples import SceneShard, column_range_umol_m2, planned_shards, written_shard
from carbonray.training.streaming import SceneStream
from carbonray.training.threshold import SceneCounts, best_f1, choose_cut, scene_counts
from carbonray.training.train_job import TrainJob, lineage_of

logger = logging.getLogger(__name__)

F1 = "validation_f1"
JUDGED = 64  # tiles a batch where a network is judged
Shards = Mapping[str, Sequence[SceneShard]]


@dataclass(frozen=True)
class SceneFit:
    """The fit of one network of the registry.

    Attributes:
        name: for people.
        model: name in the registry.
        config: settings of the network that differ from the registry's.
        rules: of the fit.
        encoding: what the network reads and answers.
        train: shards to learn from.
        validation: shards that schedules and patience watch.
        window: shards of a lane among which scenes are shuffled.
        lanes: of the batches; workers share them.
        threshold: the cuts of the pixel F1 that is told of every epoch, None for none.
        windows: how windows of shards are read.
    """

    name: str
    model: str
    config: Mapping[str, Any]
    rules: FitRules
    encoding: Encoding
    train: tuple[SceneShard, ...]
    validation: tuple[SceneShard, ...]
    window: int = 8
    lanes: int = 1
    threshold: ThresholdRules | None = None
    windows: ReadWindows = field(default=read_by_thread)

    def digest(self) -> str:
        """Of everything that can change the weights or what is told of them; a shard's name is its content."""
        facts = {
            "model": (self.model, dict(self.config), asdict(self.encoding)),
            "rules": asdict(self.rules),
            "shards": [[_named(shard) for shard in split] for split in (self.train, self.validation)],
            "order": (self.window, self.lanes),
            "threshold": asdict(self.threshold) if self.threshold else None,
        }
        return sha256(json.dumps(facts, sort_keys=True).encode())

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        """The epochs after a state.

        Raises:
            ContractError: there are fewer shards than lanes, or fewer lanes than workers.
        """
        torch.manual_seed(self.rules.seed)
        network, entry, rules = network_of(self.model, self.config), MODELS[self.model], self.rules
        own = (rules.batch_size, self.window, rules.seed, workers.rank, workers.world)
        train = SceneStream(self.train, *own, self.lanes, self.windows)
        validation = SceneStream(self.validation, *own, windows=self.windows)

        def pair(tiles: TileBatch) -> tuple[Tensor, Tensor]:
            return entry.pair(tiles, self.encoding, network.config)

        def score(judged: nn.Module, tiles: Iterable[PackedTiles]) -> dict[str, float]:
            if self.threshold is None:
                return {}
            return {F1: best_f1(judged, self.encoding, tiles, self.threshold, workers.total)}

        return fit_epochs(
            network,
            pair,
            train.shuffled,
            validation.in_order,
            rules,
            state=state,
            workers=workers,
            lanes=train.served,
            score=score,
        )


@dataclass(frozen=True)
class TrainedModel:
    """What a fit leaves: the bundle, its digest, its cut, and the metrics of every epoch."""

    url: str
    sha256: str
    cut: float
    validation: dict[str, float]
    history: list[dict[str, float]]


def written_scenes(job: TrainJob, splits: Sequence[str] = ()) -> dict[str, list[SceneShard]]:
    """The shards of some splits, or of those that the job looks at; what is not there is simulated, a task each."""
    plan = planned_shards(job.samples, job.scenes, job.tiling, job.scenes_url)
    looked_at = ("train", "validation", "test") if _looks_at_everything(job) else ("train", "validation")
    write = ray.remote(num_cpus=1)(written_shard)
    tasks = {
        split: [write.remote(shard, job.samples, job.scenes, job.tiling) for shard in plan[split]]
        for split in splits or looked_at
    }
    return {split: ray.get(pending) for split, pending in tasks.items()}


def fold_shards(shards: Shards, turn: Rotation) -> tuple[tuple[SceneShard, ...], ...]:
    """Shards to train on, to validate on and to test on in a rotation; those of the test share are in no fold."""
    own = shard_folds(shards)
    kept = [shard for split in ("train", "validation") for shard in shards[split]]
    chosen = (turn.train, (turn.val,), (turn.test,))
    return tuple(tuple(shard for shard in kept if own[_named(shard)] in folds) for folds in chosen)


def shard_folds(shards: Shards) -> dict[str, int]:
    """Name of each shard of the training and validation shares -> fold, in turn."""
    kept = [*shards["train"], *shards["validation"]]
    return {_named(shard): number % N_FOLDS for number, shard in enumerate(kept)}


def scene_encoding(job: TrainJob, train: Sequence[SceneShard], shards: Shards) -> Encoding:
    """What the job's network reads and answers.

    Args:
        job: the training run.
        train: shards to learn from, over which the column's range is measured.
        shards: all that were written, for a range over everything.
    """
    encoding = replace(MODELS[job.model].encoding, q_max_kg_s=job.samples.q_max_kg_s)
    if encoding.no2 != "minmax":
        return encoding
    looked_at = list(chain(*shards.values())) if _looks_at_everything(job) else list(train)
    return encoding.with_range(*column_range_umol_m2(looked_at))


def scene_fit(
    job: TrainJob,
    encoding: Encoding,
    train: Sequence[SceneShard],
    validation: Sequence[SceneShard],
    *,
    name: str,
    threshold: ThresholdRules | None = None,
    windows: ReadWindows = read_by_thread,
) -> SceneFit:
    """The fit of the job's network on some shards; with a threshold every epoch tells its best pixel F1."""
    lanes = job.train.lanes or job.train.workers
    window = job.samples.window_shards
    splits = (tuple(train), tuple(validation))
    return SceneFit(name, job.model, job.config, job.fit_rules, encoding, *splits, window, lanes, threshold, windows)


def saved_bundle(
    job: TrainJob,
    url: str,
    encoding: Encoding,
    train: Sequence[SceneShard],
    validation: Sequence[SceneShard],
    state: FitState,
    fold_table: Mapping[str, int] | None = None,
) -> TrainedModel:
    """Chooses the cut of fitted weights and saves their bundle.

    Args:
        job: the training run.
        url: of the bundle.
        encoding: of the network.
        train: shards it was fitted on.
        validation: shards that the cut is chosen on.
        state: after the last epoch.
        fold_table: fold of each shard, by `shard_folds`; the bundle keeps those that the fit saw.

    Raises:
        ConflictError: another bundle is there.
    """
    kind = torch.float16 if job.train.weights == "fp16" else torch.float32
    stored = {name: t.to(kind) if t.is_floating_point() else t for name, t in weights_of(state).items()}
    network = network_of(job.model, job.config)
    # judged as stored: rounded to 16 bits
    network.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in stored.items()})
    chosen = choose_cut(network.eval(), encoding, SceneStream(tuple(validation), JUDGED).in_order(), job.threshold)
    names = {_named(shard) for shard in (*train, *validation)}
    seen = {name: fold for name, fold in (fold_table or {}).items() if name in names}
    bundle = Bundle(
        model=job.model,
        config=asdict(network.config),  # type: ignore[call-overload]
        encoding=asdict(encoding),
        cut=chosen.cut,
        lineage=lineage_of(job, state, train, validation, chosen.metrics, seen),
        tensors={name: t.numpy() for name, t in stored.items()},
    )
    save_bundle(url, bundle)
    logger.info("bundle %s, cut %.3f, %s", url, chosen.cut, chosen.metrics)
    return TrainedModel(url, bundle_sha256(url), chosen.cut, chosen.metrics, state.facts["history"])


def scene_answers(bundle: Bundle, shards: Sequence[SceneShard], rules: ThresholdRules) -> SceneCounts:
    """What a bundle finds in the scenes of some shards, at its own cut."""
    detector = PlumeDetector(bundle.model, bundle.config, bundle.encoding, bundle.tensors)
    tiles = SceneStream(tuple(shards), JUDGED).in_order()
    return scene_counts(detector.network, detector.encoding, tiles, rules.target, bundle.cut)


def _looks_at_everything(job: TrainJob) -> bool:
    return MODELS[job.model].encoding.no2 == "minmax" and job.train.column_range == "all_samples"


def _named(shard: SceneShard) -> str:
    return "/".join(shard.url.rsplit("/", 2)[1:])

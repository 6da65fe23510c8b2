"""Training on Ray: scenes written by tasks, the fit under Ray Train, the bundle saved at the end; resumable by run id.

The fit loop is `carbonray.models.fit`; here it gets workers, checkpoints (safetensors and JSON) and failures. A run
that died is taken up again under its run id: scenes that exist are not written again, and the fit goes on from the last
epoch's checkpoint, to the same bytes.
"""

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
import safetensors.torch
import torch
from torch import Tensor, nn

from carbonray.io.model_store import Bundle, bundle_sha256, save_bundle
from carbonray.io.objectstore import join
from carbonray.models.detector import network_of
from carbonray.models.encoding import Encoding
from carbonray.models.fit import FitState, Workers, fit, seed_everything, weights_of
from carbonray.models.registry import MODELS
from carbonray.models.tiles import TileBatch
from carbonray.training.samples import SceneShard, column_range_umol_m2, planned_shards, written_shard
from carbonray.training.streaming import SceneStream
from carbonray.training.threshold import choose_cut
from carbonray.training.train_job import TrainJob, job_digest, lineage_of

logger = logging.getLogger(__name__)

_STATE = "state.safetensors"
_FACTS = "state.json"


@dataclass(frozen=True)
class TrainedModel:
    """What a training run leaves: the bundle, its digest, its cut, and the metrics of every epoch."""

    url: str
    sha256: str
    cut: float
    validation: dict[str, float]
    history: list[dict[str, float]]


def train_model(job: TrainJob) -> TrainedModel:
    """Trains a model on simulated scenes and saves its bundle under `out_url/run_id/bundles/model`.

    Ray must be initialised. Called again with the same job, it goes on, or returns what there is.

    Raises:
        ContractError: the model, or a setting of it, is unknown.
        ConflictError: the run id holds a bundle of another job.
    """
    network_of(job.model, job.config)  # an unknown name fails here, before an hour of work
    shards = written_scenes(job)
    encoding = _encoding(job, shards)
    state = _fitted(job, encoding, shards)
    return _saved(job, encoding, shards, state)


def written_scenes(job: TrainJob) -> dict[str, list[SceneShard]]:
    """The shards of every split the job looks at; those that are not there are simulated, a task each."""
    plan = planned_shards(job.samples, job.scenes, job.tiling, job.scenes_url)
    splits = ("train", "validation", "test") if _looks_at_test(job) else ("train", "validation")
    write = ray.remote(num_cpus=1)(written_shard)
    tasks = {s: [write.remote(shard, job.samples, job.scenes, job.tiling) for shard in plan[s]] for s in splits}
    return {split: ray.get(pending) for split, pending in tasks.items()}


def _looks_at_test(job: TrainJob) -> bool:
    return MODELS[job.model].encoding.no2 == "minmax" and job.train.column_range == "all_samples"


def _encoding(job: TrainJob, shards: Mapping[str, list[SceneShard]]) -> Encoding:
    encoding = replace(MODELS[job.model].encoding, q_max_kg_s=job.samples.q_max_kg_s)
    if encoding.no2 != "minmax":
        return encoding
    looked_at = shards["train"] if job.train.column_range == "train_only" else [*chain(*shards.values())]
    return encoding.with_range(*column_range_umol_m2(looked_at))


def _fitted(job: TrainJob, encoding: Encoding, shards: Mapping[str, list[SceneShard]]) -> FitState:
    trainer = ray.train.torch.TorchTrainer(
        _train_loop,
        train_loop_config={
            "job": job,
            "encoding": encoding,
            "train": tuple(shards["train"]),
            "validation": tuple(shards["validation"]),
        },
        scaling_config=ray.train.ScalingConfig(
            num_workers=job.train.workers,
            use_gpu=job.train.gpu,
            resources_per_worker={"CPU": job.train.threads} | ({"GPU": 1} if job.train.gpu else {}),
        ),
        run_config=ray.train.RunConfig(
            name=f"{job.model}-{job_digest(job)[:16]}",
            storage_path=join(job.out_url, job.run_id, "checkpoints"),
            failure_config=ray.train.FailureConfig(max_failures=job.train.max_failures),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=2),
        ),
    )
    checkpoint = trainer.fit().checkpoint
    assert checkpoint is not None  # the loop reports one every epoch
    return _read_state(checkpoint)


def _train_loop(loop: dict[str, Any]) -> None:
    """One worker's part of the fit: runs in a process of Ray Train."""
    job: TrainJob = loop["job"]
    encoding: Encoding = loop["encoding"]
    rules, entry = job.fit_rules, MODELS[job.model]
    torch.set_num_threads(job.train.threads)
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    seed_everything(rules)
    network = network_of(job.model, job.config)
    streams = [
        SceneStream(loop[split], rules.batch_size, job.samples.window_shards, rules.seed, rank, world)
        for split in ("train", "validation")
    ]
    checkpoint = ray.train.get_checkpoint()

    def pair(tiles: TileBatch) -> tuple[Tensor, Tensor]:
        return entry.pair(tiles, encoding, network.config)

    fit(
        network,
        pair,
        streams[0].shuffled,
        streams[1].in_order,
        rules,
        on_epoch=_report if rank == 0 else _report_without_checkpoint,
        state=_read_state(checkpoint) if checkpoint else None,
        workers=_workers(rank, world),
    )


def _workers(rank: int, world: int) -> Workers:
    device = str(ray.train.torch.get_device())
    if world == 1:
        return Workers(rank, device)

    def wrap(network: nn.Module) -> nn.Module:
        wrapped: nn.Module = ray.train.torch.prepare_model(network, move_to_device=False)
        return wrapped

    def total(numbers: Tensor) -> Tensor:
        moved = numbers.to(device)
        torch.distributed.all_reduce(moved)
        return moved.cpu()

    return Workers(rank, device, wrap, total)


def _report(metrics: dict[str, float], state: FitState) -> None:
    with tempfile.TemporaryDirectory() as folder:
        safetensors.torch.save_file(state.tensors, Path(folder) / _STATE)
        (Path(folder) / _FACTS).write_text(json.dumps({"epoch": state.epoch, "facts": state.facts}))
        checkpoint = ray.train.Checkpoint.from_directory(folder)
        ray.train.report(metrics, checkpoint=checkpoint, checkpoint_dir_name=f"epoch_{state.epoch:04d}")


def _report_without_checkpoint(metrics: dict[str, float], state: FitState) -> None:
    ray.train.report(metrics, checkpoint_dir_name=f"epoch_{state.epoch:04d}")


def _read_state(checkpoint: ray.train.Checkpoint) -> FitState:
    with checkpoint.as_directory() as folder:
        facts = json.loads((Path(folder) / _FACTS).read_text())
        return FitState(facts["epoch"], safetensors.torch.load_file(Path(folder) / _STATE), facts["facts"])


def _saved(job: TrainJob, encoding: Encoding, shards: Mapping[str, list[SceneShard]], state: FitState) -> TrainedModel:
    kind = torch.float16 if job.train.weights == "fp16" else torch.float32
    stored = {name: t.to(kind) if t.is_floating_point() else t for name, t in weights_of(state).items()}
    network = network_of(job.model, job.config)
    # judged as stored: rounded to 16 bits
    network.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in stored.items()})
    chosen = choose_cut(
        network.eval(), encoding, SceneStream(tuple(shards["validation"]), 64).in_order(), job.threshold
    )
    bundle = Bundle(
        model=job.model,
        config=asdict(network.config),  # type: ignore[call-overload]
        encoding=asdict(encoding),
        cut=chosen.cut,
        lineage=lineage_of(job, state, shards, chosen.metrics),
        tensors={name: t.numpy() for name, t in stored.items()},
    )
    url = join(job.out_url, job.run_id, "bundles", job.model)
    save_bundle(url, bundle)
    logger.info("bundle %s, cut %.3f, %s", url, chosen.cut, chosen.metrics)
    return TrainedModel(url, bundle_sha256(url), chosen.cut, chosen.metrics, state.facts["history"])

"""How runs and fits use machines and scenes: the settings whose consumers, engine and training, stand above the tree.

Frozen dataclasses of plain values. Every other setting is declared beside its consumer.
"""

import statistics
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class WatchRules:
    """When a pass counts as stalled.

    Attributes:
        stall_s: no unit finished for so long: the pass is ended.
        min_stall_s: never ended sooner than this, whatever the units' pace.
        straggler_factor: once three units are done, no unit finished for so many times their median wall time.
        max_passes: how often uncommitted units are planned again before the run counts as incomplete.
        poll_s: how often the driver looks.
    """

    stall_s: float = 1800.0
    min_stall_s: float = 120.0
    straggler_factor: float = 20.0
    max_passes: int = 3
    poll_s: float = 0.5

    def limit_s(self, unit_seconds: list[float]) -> float:
        """Seconds without progress that end the pass, given the wall time of each finished unit."""
        if len(unit_seconds) < 3:
            return self.stall_s
        pace = self.straggler_factor * statistics.median(unit_seconds)
        return min(self.stall_s, max(self.min_stall_s, pace))


@dataclass(frozen=True)
class LocalRules:
    """The Ray that is started on this machine where no cluster is given.

    Attributes:
        num_cpus: CPUs to offer, 0 for all of the machine's.
        object_store_mb: shared memory for blocks on their way, MiB.
    """

    num_cpus: int = 0
    object_store_mb: int = 512


@dataclass(frozen=True)
class EngineRules:
    """How a run uses its machines; nothing here changes a byte of what it commits.

    Attributes:
        backend: `ray`, or `memory`: the same functions in one process, without Ray.
        read_cpus: CPUs a read task holds.
        model_actors: processes in the pool of models; each runs one thread.
        model_cpus: CPUs each of them holds.
        model_gpus: GPUs each of them holds.
        max_quarantine_rate: share of units that may be set aside before the run fails.
        watch: when a pass counts as stalled.
        local: the Ray that is started where no cluster is given.
    """

    backend: Literal["ray", "memory"] = "ray"
    read_cpus: float = 1.0
    model_actors: int = 1
    model_cpus: float = 1.0
    model_gpus: float = 0.0
    max_quarantine_rate: float = 0.05
    watch: WatchRules = field(default_factory=WatchRules)
    local: LocalRules = field(default_factory=LocalRules)


@dataclass(frozen=True)
class Rates:
    """What a plan is priced with, on one core each: granules by `run.json` of `make demo`, the rest by benchmarks.

    Attributes:
        read_s_per_mb: seconds of one reader a megabyte of granule.
        model_s_per_mb: seconds of one model process a megabyte of granule.
        cell_read_s: seconds of one reader a 1 km cell, image and points, at 256 pixels (`cells_stream`).
        cell_model_s: seconds of one model process a cell and instance, both encoders, at 256 pixels (`cells_stream`).
        energy_read_s: seconds of one reader a region and day, from daily tables to a row (`energy_stream`).
        energy_model_s: seconds of one model process a region, day, answer and instance (`energy_stream`).
        cpu_usd_per_h: price of a CPU core and hour (inferred: a cloud's list price).
        gpu_usd_per_h: price of a GPU and hour (inferred: a cloud's list price).
    """

    read_s_per_mb: float
    model_s_per_mb: float
    cell_read_s: float
    cell_model_s: float
    energy_read_s: float
    energy_model_s: float
    cpu_usd_per_h: float
    gpu_usd_per_h: float


@dataclass(frozen=True)
class SampleRules:
    """How many scenes there are and how they are divided; the defaults are the paper's.

    Attributes:
        scenes: simulated scenes, all splits together.
        test_share: of the scenes, for testing only: 36 000 of 210 000.
        validation_share: of the scenes, for schedules and the cut, inferred.
        seed: of the generator.
        q_max_kg_s: source strength that is relative emission 1.
        shard_scenes: scenes of a full shard, about 20 MB unpacked.
        window_shards: shards in memory at once, among which scenes are shuffled.
    """

    scenes: int = 210_000
    test_share: float = 36.0 / 210.0
    validation_share: float = 0.04
    seed: int = 0
    q_max_kg_s: float = 3.0
    shard_scenes: int = 512
    window_shards: int = 8


@dataclass(frozen=True)
class ThresholdRules:
    """How a cut is chosen.

    Attributes:
        target: relative emission above which a pixel of the truth is a hotspot, inferred.
        lowest: smallest cut that is tried.
        highest: largest cut that is tried.
        step: between cuts.
    """

    target: float = 0.05
    lowest: float = 0.02
    highest: float = 0.6
    step: float = 0.01


@dataclass(frozen=True)
class TrainRules:
    """Where a fit runs; nothing of it changes a one-worker fit's bytes but `lanes` and `weights`.

    Attributes:
        workers: training processes that act as one.
        lanes: shares into which every global batch is dealt, which the workers serve together; 0 for one a worker.
            The same lanes give the same batches on any number of workers.
        ray_train: whether a fit of one worker goes through Ray Train too; more than one always does.
        reader: who reads windows of data ahead: a thread of the fit, or tasks of Ray Data on any node; the same bytes.
        gpu: whether a worker takes one GPU.
        threads: of a worker.
        max_failures: workers' deaths that are survived, each by going back to the last epoch.
        column_range: 'train_only', or 'all_samples' as the paper's min-max, which looks at the test scenes too.
        weights: 'fp16' or 'fp32', as the bundle stores them.
    """

    workers: int = 1
    lanes: int = 0
    ray_train: bool = False
    reader: Literal["threads", "ray_data"] = "threads"
    gpu: bool = False
    threads: int = 1
    max_failures: int = 3
    column_range: str = "train_only"
    weights: str = "fp16"


@dataclass(frozen=True)
class TuneRules:
    """How hyperparameters are searched.

    Attributes:
        storage_url: Optuna storage of the studies, such as postgresql://...; empty: a journal in the sweep's folder.
        targets: what is searched for, such as on and capacity_factor; none given is all that the model has.
        test_fold: fold that no trial sees: tuned and default are judged on it.
        splits: turns among the other three folds whose validation scores a trial is judged by, 1 to 3.
        trials_at_once: trials in flight, 0 for as many as the cluster has room for; with 1 a seed repeats a sweep.
        cpus: CPUs of a trial.
        gpus: GPUs of a trial.
        seed: of the sampler.
        startup_trials: trials drawn at random before the sampler learns (Optuna's default).
        grace_epochs: epochs before which no trial is stopped.
        reduction_factor: one in so many trials goes on at each rung (ASHA's paper: 3 or 4).
        budget_s: seconds after which no further trial starts, 0 for no limit.
        max_failures: deaths of a trial's process that are survived, each by going back to the last epoch.
        warm_start: finished trials of other studies that count here too, as STORAGE#STUDY.
        space: what narrows or widens the model's space: name -> list of choices, or {low, high}.
    """

    storage_url: str = ""
    targets: tuple[str, ...] = ()
    test_fold: int = 0
    splits: int = 3
    trials_at_once: int = 0
    cpus: float = 1.0
    gpus: float = 0.0
    seed: int = 0
    startup_trials: int = 10
    grace_epochs: int = 5
    reduction_factor: int = 3
    budget_s: float = 0.0
    max_failures: int = 2
    warm_start: tuple[str, ...] = ()
    space: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrackRules:
    """Where metrics go beside the run's own folder; user and password come from the environment, as MLflow reads them.

    Attributes:
        mlflow_url: tracking server or database of MLflow, such as https://HOST:5000 or sqlite:///FILE; empty: files
            only.
        experiment: of MLflow, that the runs are listed under.
    """

    mlflow_url: str = ""
    experiment: str = "carbonray"

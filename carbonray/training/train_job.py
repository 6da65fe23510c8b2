"""One training run in plain values: what is trained, on which scenes, where, and how its bundle will say so.

Frozen dataclasses of plain values, as they travel to other processes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from carbonray.execution import SampleRules, ThresholdRules, TrainRules
from carbonray.io.model_store import Lineage
from carbonray.models.fit import FitRules, FitState
from carbonray.models.registry import MODELS
from carbonray.science.no2.scenes import SceneRules, generator_sha256
from carbonray.science.spatial.tiling import TileRules
from carbonray.training.samples import SceneShard

_VERSIONED = ("carbonray", "numpy", "ray", "safetensors", "scipy", "torch")


@dataclass(frozen=True)
class TrainJob:
    """One training run in plain values, as it travels to the workers.

    Attributes:
        model: name in the registry.
        run_id: a run of the same id goes on where it stopped.
        out_url: the run's folder is `out_url/run_id`.
        scenes_url: store of scenes, shared by runs.
        command: the command line that repeats the run, for the bundle's lineage.
        settings_digest: of the settings the run was made from, likewise.
        scenes: the generator's rules.
        samples: how many scenes, and how they are divided.
        tiling: how gaps are filled.
        train: where the fit runs.
        threshold: how the cut is chosen.
        fit: of the fit; the registry's defaults where None.
        config: settings of the network that differ from the registry's.
    """

    model: str
    run_id: str
    out_url: str
    scenes_url: str
    command: str
    settings_digest: str
    scenes: SceneRules = field(default_factory=SceneRules)
    samples: SampleRules = field(default_factory=SampleRules)
    tiling: TileRules = field(default_factory=TileRules)
    train: TrainRules = field(default_factory=TrainRules)
    threshold: ThresholdRules = field(default_factory=ThresholdRules)
    fit: FitRules | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fit_rules(self) -> FitRules:
        """The job's own rules, or the registry's."""
        return self.fit or MODELS[self.model].fit


def lineage_of(
    job: TrainJob,
    state: FitState,
    train: Sequence[SceneShard],
    validation: Sequence[SceneShard],
    metrics: dict[str, float],
    fold_table: Mapping[str, int],
) -> Lineage:
    """How the bundle of a job came about; the same job gives the same lineage, whenever it ran."""
    return Lineage(
        command=job.command,
        run_id=job.run_id,
        seed=job.fit_rules.seed,
        scenes=sum(shard.complete for shard in train),
        validation_scenes=sum(shard.complete for shard in validation),
        epochs=state.epoch,
        generator_sha256=generator_sha256(),
        settings_digest=job.settings_digest,
        versions={name: metadata.version(name) for name in _VERSIONED},
        fit=asdict(job.fit_rules),
        validation=metrics,
        fold_table=dict(fold_table),
    )

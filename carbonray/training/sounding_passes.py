"""The passes that fit sounding models: a unit a model and rotation, in pools whose size is a value.

A fit reads the files of its own folds and no others. With one worker it runs in the process of its actor; with more,
the actor waits for a run of Ray Train, which holds the processors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass, Pool
from carbonray.io import objectstore
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.pipelines.planning import unit_of
from carbonray.science.spatial.folds import rotation
from carbonray.settings import Settings
from carbonray.stages.sounding_fits import FitSoundings, NameFit
from carbonray.synthetic.frozen import image_generator_sha256
from carbonray.training.launch import runner
from carbonray.training.plant_samples import Samples
from carbonray.training.ray_windows import WINDOWS
from carbonray.training.tracking import TrackedRun
from carbonray.training.trees import grower

SECTIONS = ("plants", "soundings", "training.run")
WAITING_CPUS = 0.01  # of an actor that waits for a run of Ray Train


def fit_pass(
    name: str,
    settings: Settings,
    samples: Samples,
    models: Sequence[str],
    instances: Sequence[int],
    *,
    command: str,
    digest: str,
    lineage: Mapping[str, Any],
    folder: str = "bundles",
) -> Pass:
    """A pass over models and instances, of trees or of networks: a pass's watchdog learns from its units' pace.

    Args:
        name: of the pass.
        settings: of the fits.
        samples: what they read.
        models: all trees, or all networks.
        instances: which rotations.
        command: what trains the same again, for the lineage.
        digest: of the settings that can change a fit.
        lineage: of the run, for the files of tracking.
        folder: of the bundles in the run.
    """
    networks = any(SOUNDING_MODELS[model].trunk for model in models)
    checkpoints, how = objectstore.join(samples.url, "checkpoints"), settings.soundings.fit
    told = {**lineage, "command": command, "data_tier": samples.tier}
    tracking = objectstore.join(samples.url, "tracking", *([] if folder == "bundles" else [folder]))
    run = runner(settings.training.run, device=how.device)
    make = partial(
        FitSoundings,
        how,
        checkpoints,
        command,
        run=TrackedRun(run, settings.tracking, tracking, asdict(how), told),
        grow=grower(how.distributed, checkpoints),
        windows=WINDOWS[settings.training.run.reader],
        settings_digest=digest,
        generator_sha256=image_generator_sha256() if samples.tier.startswith("SYNTHETIC") else "",
        folder=folder,
    )
    units = _units(name, samples, models, instances, digest)
    return Pass(name, units, NameFit(), encode_object_rows, (_pool(make, settings, networks=networks),))


def planned_fits(models: Sequence[str], instances: Sequence[int]) -> tuple[Unit, ...]:
    """The units as a plan lists them, before samples are known."""
    return tuple(
        Unit("networks" if SOUNDING_MODELS[name].trunk else "trees", f"{name}-{k}", f"{name}-{k}", {}, (), ())
        for name in models
        for k in instances
    )


def _units(
    pass_name: str, samples: Samples, models: Sequence[str], instances: Sequence[int], digest: str
) -> tuple[Unit, ...]:
    """A unit a model and instance, over the samples of its own folds."""
    units = []
    for model in models:
        for k in instances:
            inputs = samples.inputs(model, (*rotation(k).train, rotation(k).val))
            partition: dict[str, int | str] = {"model": model, "instance": k}
            units.append(unit_of(digest, pass_name, f"{model}-{k}", inputs, partition))
    return tuple(units)


def _pool(make: partial[FitSoundings], settings: Settings, *, networks: bool) -> Pool:
    engine, train = settings.engine, settings.training.run
    if networks and (train.workers > 1 or train.ray_train):
        return Pool(make, engine.model_actors, WAITING_CPUS)
    return Pool(make, engine.model_actors, engine.model_cpus, engine.model_gpus if networks else 0.0)

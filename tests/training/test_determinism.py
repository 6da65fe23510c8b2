"""The same seed gives the same bundle bytes on a CPU: in another process, another folder, and after other work.

Every fit here is a whole one: samples from files (scenes are simulated anew), epochs with augmentation and dropout,
stored weights, the bundle's objects. The processes differ in what Python may put in another order (`PYTHONHASHSEED`).
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from carbonray.execution import SampleRules, TrainRules
from carbonray.io.objectstore import listing, read_bytes, sha256
from carbonray.models.augment import AugmentRules
from carbonray.models.fit import FitRules
from carbonray.models.sounding_fit import SoundingFitRules
from carbonray.models.sounding_trees import TreeRules
from carbonray.stages.fit_checkpoints import run_here
from carbonray.stages.sounding_fits import FitSoundings, NameFit
from carbonray.stages.sounding_rules import SoundingRules
from carbonray.training.samples import planned_shards, written_shard
from carbonray.training.scene_fit import saved_bundle, scene_encoding, scene_fit
from carbonray.training.train_job import TrainJob
from tests.stages.small_stores import samples
from tests.stages.test_sounding_fits import unit_of

TREES, NETWORK, SCENES = "landsat8_xgb_ndt", "landsat8_resisc_ndt", "plume_net"
SOUNDINGS = SoundingRules(
    trees=TreeRules(rounds=6, min_child_weight=0.1, stop_rounds=3),
    fit=SoundingFitRules(epochs=2, batch_size=8, augment=AugmentRules(magnitude=1.0)),
    config={"width": 4, "attention_width": 4},
)
SAMPLES = SampleRules(scenes=48, test_share=0.0, validation_share=0.25, shard_scenes=12, window_shards=2)
Digests = dict[str, str]


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What trees read, and what networks read."""
    return dict(zip((TREES, NETWORK), samples(str(tmp_path_factory.mktemp("samples"))), strict=True))


@pytest.fixture(scope="module")
def elsewhere(urls: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Digests:
    """Digests of all three models, made by another process."""
    told = json.dumps([urls, str(tmp_path_factory.mktemp("elsewhere"))])
    code = f"import json; from tests.training import test_determinism as t; print(json.dumps(t.everything(*{told})))"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    found: Digests = json.loads(done.stdout.splitlines()[-1])
    return found


def everything(urls: dict[str, list[str]], folder: str) -> Digests:
    soundings = [of_soundings(name, urls[name], f"{folder}/{name}", 0) for name in (TREES, NETWORK)]
    return soundings[0] | soundings[1] | of_scenes(f"{folder}/{SCENES}", 0)


def of_soundings(name: str, urls: list[str], folder: str, seed: int) -> Digests:
    """sha256 by key of the objects of one bundle."""
    rules = replace(SOUNDINGS, fit=replace(SOUNDINGS.fit, seed=seed), trees=replace(SOUNDINGS.trees, seed=seed))
    emitted = FitSoundings(rules, folder, "train")(NameFit()(unit_of(name, 1, urls)).batch)
    return {key: sha256(data) for key, data in zip(emitted["object_key"], emitted["data"], strict=True)}


def of_scenes(folder: str, seed: int) -> Digests:
    """The same of a network for hotspots."""
    fit = FitRules(epochs=2, batch_size=8, loss="weighted_mse", augment=True, seed=seed)
    job = TrainJob(SCENES, "run", folder, f"{folder}/scenes", "train", "digest", samples=SAMPLES, fit=fit,
                   config={"width": 4}, train=TrainRules(weights="fp32"))  # fmt: skip
    plan = planned_shards(job.samples, job.scenes, job.tiling, job.scenes_url)
    shards = {
        split: [written_shard(shard, job.samples, job.scenes, job.tiling) for shard in of] for split, of in plan.items()
    }
    splits = (shards["train"], shards["validation"])
    encoding = scene_encoding(job, shards["train"], shards)
    state = run_here(scene_fit(job, encoding, *splits, name="fit"), f"{folder}/states")
    url = saved_bundle(job, f"{folder}/bundles/{SCENES}", encoding, *splits, state).url
    return {f"bundles/{SCENES}/{key}": sha256(read_bytes(f"{url}/{key}")) for key in listing(url)}


def of_model(digests: Digests, name: str) -> Digests:
    return {key: digest for key, digest in digests.items() if key.startswith(f"bundles/{name}/")}


@pytest.mark.parametrize("name", [TREES, NETWORK, SCENES])
def test_a_seed_decides_every_byte_of_a_bundle(
    name: str, urls: dict[str, list[str]], elsewhere: Digests, tmp_path: Path
) -> None:
    def fitted(folder: str, seed: int) -> Digests:
        own = f"{tmp_path}/{folder}"
        return of_scenes(own, seed) if name == SCENES else of_soundings(name, urls[name][::-1], own, seed)

    torch.rand(100)  # other work
    assert fitted("here", 0) == of_model(elsewhere, name) and len(of_model(elsewhere, name)) == 3
    changed = {key.rsplit("/", 1)[1] for key, digest in fitted("other seed", 1).items() if digest != elsewhere[key]}
    assert len(changed) == 3, "another seed leaves some of the bundle as it was"

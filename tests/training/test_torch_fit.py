"""One tiny fit under Ray Train: scenes, checkpoints, a death, a bundle; and the same fit in one process."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from ray.train import TrainingFailedError

from carbonray.execution import SampleRules, TrainRules
from carbonray.io.model_store import open_bundle
from carbonray.models.detector import network_of
from carbonray.models.encoding import CHANNELS, Encoding
from carbonray.models.fit import FitRules, fit, seed_everything, weights_of
from carbonray.models.registry import MODELS
from carbonray.training.samples import planned_shards, written_shard
from carbonray.training.streaming import SceneStream
from carbonray.training.torch_fit import train_model
from carbonray.training.train_job import TrainJob

SAMPLES = SampleRules(scenes=96, test_share=0.0, validation_share=0.25, shard_scenes=24, window_shards=2)
RULES = FitRules(epochs=4, batch_size=8, learning_rate=1e-3, schedule="cosine", augment=True)


def job(folder: Path) -> TrainJob:
    return TrainJob(
        model="unet",
        run_id="tiny",
        out_url=f"file://{folder}",
        scenes_url=f"file://{folder}/scenes",
        command="python -m jobs.train --model unet --run-id tiny",
        settings_digest="0" * 64,
        samples=SAMPLES,
        train=TrainRules(weights="fp32", max_failures=0),
        fit=RULES,
        config={"width": 4},
    )


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)  # two starts of Ray Train, beside other tests
@pytest.mark.usefixtures("ray_local")
def test_a_fit_that_died_goes_on_under_its_run_id_and_equals_the_fit_in_one_process(tmp_path: Path) -> None:
    killer = threading.Thread(target=_kill_after_first_epoch, args=(tmp_path,))
    killer.start()
    try:
        with pytest.raises(TrainingFailedError):
            train_model(job(tmp_path))
        trained = train_model(job(tmp_path))
    finally:
        killer.join()
    bundle = open_bundle(trained.url, trained.sha256)
    assert (bundle.lineage.epochs, bundle.lineage.seed) == (4, 0) and 0 < bundle.lineage.scenes < 72
    assert bundle.lineage.command.startswith("python -m jobs.train")
    expected = _fitted_in_process(job(tmp_path))
    assert bundle.tensors.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(bundle.tensors[name], value.numpy(), err_msg=name)


def _kill_after_first_epoch(folder: Path) -> None:
    """Kills the worker of Ray Train, once, as soon as there is a checkpoint to go back to."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        time.sleep(0.02)
        if any(folder.glob("tiny/checkpoints/*/epoch_0001")):
            workers = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in p.name()]
            for process in workers:
                process.kill()
            if workers:
                return


def _fitted_in_process(job: TrainJob) -> dict[str, torch.Tensor]:
    shards = {split: [written_shard(s, job.samples, job.scenes, job.tiling) for s in plan] for split, plan in
              planned_shards(job.samples, job.scenes, job.tiling, job.scenes_url).items()}  # fmt: skip
    torch.set_num_threads(1)
    seed_everything(RULES)
    network, encoding = network_of(job.model, job.config), replace(MODELS["unet"].encoding, q_max_kg_s=3.0)
    assert encoding == Encoding(channels=CHANNELS, no2="asinh", target="sqrt")
    state = fit(
        network,
        lambda tiles: MODELS["unet"].pair(tiles, encoding, network.config),
        SceneStream(tuple(shards["train"]), RULES.batch_size, SAMPLES.window_shards, RULES.seed).shuffled,
        SceneStream(tuple(shards["validation"]), RULES.batch_size).in_order,
        RULES,
        on_epoch=lambda *_: None,
    )
    return weights_of(state)

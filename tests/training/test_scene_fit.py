"""Fits of scenes in plain values: folds of shards, digests, the F1 of an epoch, the bundle and what it answers."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from carbonray.execution import SampleRules, ThresholdRules, TrainRules
from carbonray.io.model_store import open_bundle
from carbonray.models.detector import network_of
from carbonray.models.fit import FitRules, Workers, weights_of
from carbonray.science.spatial.folds import rotation
from carbonray.training.samples import SceneShard
from carbonray.training.scene_fit import (
    F1,
    SceneFit,
    fold_shards,
    saved_bundle,
    scene_answers,
    scene_encoding,
    scene_fit,
    shard_folds,
)
from carbonray.training.streaming import SceneStream
from carbonray.training.threshold import best_f1, choose_cut
from carbonray.training.train_job import TrainJob
from tests.training.small_fits import ENCODING, scene_shards, scenes

CUTS = ThresholdRules(step=0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def fit(folder: Path) -> SceneFit:
    return replace(scenes(folder, "unet"), threshold=CUTS)


def job(model: str = "unet", **train: object) -> TrainJob:
    rules = FitRules(epochs=1, batch_size=4)
    return TrainJob(model, "run", "file:///nowhere", "", "python -m jobs.train", "0" * 64, samples=SampleRules(),
                    train=TrainRules(**train), threshold=CUTS, fit=rules, config={"width": 4})  # fmt: skip


def planned(train: int, validation: int, test: int) -> dict[str, list[SceneShard]]:
    counts = {"train": train, "validation": validation, "test": test}
    return {split: [SceneShard(split, n, n + 1, f"file:///s/{split}-{n}") for n in range(many)]
            for split, many in counts.items()}  # fmt: skip


def test_every_shard_is_tested_by_one_instance_and_never_seen_by_it() -> None:
    shards = planned(9, 4, 3)
    folds = shard_folds(shards)
    assert len(folds) == 13 and [list(folds.values()).count(fold) for fold in range(4)] == [4, 3, 3, 3]
    tested = []
    for k in range(4):
        train, validation, test = fold_shards(shards, rotation(k))
        assert len({*train, *validation, *test}) == 13 == len(train) + len(validation) + len(test)
        of = lambda part: {folds[shard.url.removeprefix("file:///")] for shard in part}
        assert (of(train), of(validation), of(test)) == (set(rotation(k).train), {rotation(k).val}, {k})
        tested += test
    assert sorted(shard.url.removeprefix("file:///") for shard in tested) == sorted(folds)
    assert not any(shard.split == "test" for shard in tested)


def test_a_digest_changes_with_what_changes_the_weights_and_not_with_places(fit: SceneFit) -> None:
    moved = tuple(replace(s, url=f"s3://else/{'/'.join(s.url.rsplit('/', 2)[1:])}") for s in fit.train)
    same = [replace(fit, name="another"), replace(fit, train=moved), pickle.loads(pickle.dumps(fit))]
    assert {one.digest() for one in same} == {fit.digest()}
    other = [
        replace(fit, rules=replace(fit.rules, seed=1)),
        replace(fit, config={"width": 5}),
        replace(fit, encoding=replace(ENCODING, target="linear")),
        replace(fit, train=fit.train[1:]),
        replace(fit, validation=fit.validation[1:]),
        replace(fit, lanes=1),
        replace(fit, window=3),
        replace(fit, model="unet_large"),
        replace(fit, threshold=None),
    ]
    assert len({one.digest() for one in [fit, *other]}) == 10


def test_the_f1_of_an_epoch_is_the_one_of_the_cut_that_would_be_chosen(fit: SceneFit) -> None:
    torch.manual_seed(0)
    [*_, last] = fit.epochs(Workers())
    network = network_of("unet", {"width": 4}).eval()
    network.load_state_dict(weights_of(last.state))
    chosen = choose_cut(network, ENCODING, SceneStream(fit.validation, 64).in_order(), CUTS)
    assert last.metrics[F1] == pytest.approx(chosen.metrics["f1_at_cut"], abs=1e-6) and last.metrics[F1] > 0.0
    assert F1 not in next(replace(fit, threshold=None).epochs(Workers())).metrics


def test_workers_pool_their_pixels_before_they_judge(fit: SceneFit) -> None:
    """F1 of all tiles, which is not the mean of the workers' F1."""
    network = network_of("unet", {"width": 4}).eval()
    told: list[torch.Tensor] = []

    def kept(counts: torch.Tensor) -> torch.Tensor:
        told.append(counts)
        return counts

    def judged(rank: int, world: int, total: object) -> float:
        tiles = SceneStream(fit.validation, 64, rank=rank, world=world).in_order()
        return best_f1(network, ENCODING, tiles, CUTS, total)

    whole = judged(0, 1, kept)
    alone = [judged(rank, 2, kept) for rank in range(2)]
    assert torch.equal(told[0], told[1] + told[2])
    assert judged(0, 2, lambda counts: counts + told[2]) == whole != pytest.approx(sum(alone) / 2, abs=1e-9)


def test_settings_make_the_fit_and_its_lanes(folder: Path) -> None:
    shards = scene_shards(folder)
    told = scene_fit(job(workers=3), ENCODING, shards["train"], shards["validation"], name="unet-2")
    assert (told.name, told.lanes, told.window, told.rules.batch_size, told.threshold) == ("unet-2", 3, 8, 4, None)
    assert scene_fit(job(workers=3, lanes=4), ENCODING, (), (), name="x").lanes == 4


def test_the_range_of_the_column_is_that_of_training_shards_unless_asked(folder: Path) -> None:
    shards = scene_shards(folder)
    own, everything = (
        scene_encoding(job("plume_net_paper", column_range=kind), shards["train"][:1], shards)
        for kind in ("train_only", "all_samples")
    )
    assert everything.no2_low_umol_m2 < own.no2_low_umol_m2 < own.no2_high_umol_m2 < everything.no2_high_umol_m2
    assert scene_encoding(job("unet"), shards["train"], shards).no2 == "asinh"


def test_a_bundle_says_its_folds_and_answers_scene_by_scene(fit: SceneFit, folder: Path) -> None:
    shards, own = scene_shards(folder), job(weights="fp32")
    [*_, last] = fit.epochs(Workers())
    splits = (fit.train, fit.validation)
    trained = saved_bundle(own, f"{folder}/bundle", ENCODING, *splits, last.state, shard_folds(shards))
    bundle = open_bundle(trained.url, trained.sha256)
    assert bundle.lineage.fold_table == shard_folds(shards) and bundle.lineage.epochs == 2
    assert bundle.lineage.scenes == sum(shard.complete for shard in fit.train) and trained.history
    counts = scene_answers(bundle, fit.validation, CUTS)
    assert counts.true.shape == (sum(shard.complete for shard in fit.validation),) and set(counts.pixels) == {64 * 64}
    f1 = 2.0 * counts.hits.sum() / (counts.found.sum() + counts.true.sum())
    assert f1 == pytest.approx(trained.validation["f1_at_cut"], abs=1e-6)
    assert np.all(counts.hits <= np.minimum(counts.found, counts.true))

"""The bundles that ship: small, traceable, and of use on scenes that no fit has seen."""

from importlib import resources

import numpy as np
import pytest

from carbonray.io.model_store import open_bundle, packaged_bundle_url
from carbonray.io.objectstore import listing
from carbonray.models.detector import PlumeDetector
from carbonray.models.registry import MODELS
from carbonray.science.no2.scenes import SceneRules, paint_targets, simulate_g1
from carbonray.science.no2.scoring import score_maps
from carbonray.science.spatial.tiling import TileRules, fill_gaps
from carbonray.training.samples import SampleRules, split_ranges

SHIPPED = ("plume_net", "unet")
F1_AT_CUT = {"plume_net": 0.3, "unet": 0.55}  # about .42 and .71 on 1 643 validation scenes


def test_all_that_ship_are_tested_and_stay_under_six_megabytes() -> None:
    sizes = listing(f"file://{resources.files('carbonray') / 'bundles'}")
    assert {name.split("/")[0] for name in sizes} == set(SHIPPED)
    assert sum(sizes.values()) <= 6_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_lineage_says_how_to_train_it_again(name: str) -> None:
    bundle = open_bundle(packaged_bundle_url(name))
    lineage = bundle.lineage
    assert lineage.command.startswith(f"python -m jobs.train --model {name} ") and "/" not in lineage.command
    assert lineage.scenes > 20_000 and lineage.validation_scenes > 1_000 and lineage.epochs == lineage.fit["epochs"]
    assert lineage.fit == {**vars(MODELS[name].fit)}  # so the command needs no more than the number of scenes
    assert len(lineage.generator_sha256) == len(lineage.settings_digest) == 64
    assert lineage.validation["f1_at_cut"] > F1_AT_CUT[name]


@pytest.mark.parametrize("name", SHIPPED)
def test_detects_on_test_scenes_at_its_stored_cut(name: str) -> None:
    rules = SampleRules()
    first, _ = split_ranges(rules)["test"]
    scenes = simulate_g1(SceneRules(), np.arange(first, first + 96), rules.seed)
    seen = np.isfinite(scenes.no2_umol_m2)
    complete = seen.mean(axis=(1, 2)) > TileRules().min_covered
    bundle = open_bundle(packaged_bundle_url(name))
    detector = PlumeDetector(bundle.model, bundle.config, bundle.encoding, bundle.tensors)
    no2 = fill_gaps(scenes.no2_umol_m2[complete], seen[complete])
    found = detector(no2, seen[complete], scenes.wind_u_m_s[complete], scenes.wind_v_m_s[complete])
    truth = paint_targets(scenes, bundle.encoding["q_max_kg_s"])[complete]
    counts = score_maps(truth, found, theta=0.05, cut=bundle.cut).total()
    assert counts.f1() > F1_AT_CUT[name]
    assert counts.false_area() < 0.03

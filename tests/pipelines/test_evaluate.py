"""The job evaluate in one process: frozen before a bundle is opened, every method beside every other, honest labels."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from carbonray import settings as tree
from carbonray.catalogue import run_job
from carbonray.errors import ContractError, DataError, SettingsError
from carbonray.io import ledger
from carbonray.io.model_store import bundle_sha256, packaged_bundle_url
from carbonray.pipelines import evaluate
from carbonray.science.no2.scenes import generator_sha256
from carbonray.stages.quantifying import TOLD, TRIVIAL
from carbonray.stages.score_tables import better_on_shift, class_names, count_names
from tests.evidence import evaluation
from tests.untrained import untrained_bundle

EVIDENCE = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "no2-evaluation"
SMALL = (
    "engine.backend=memory",
    "evaluation.held_out.g1_scenes=10",
    "evaluation.held_out.g2_scenes=5",
    "evaluation.held_out.validation_scenes=8",
    "evaluation.held_out.unit_scenes=6",
    "evaluation.bootstrap.resamples=20",
)
OTHER = "0" * 64


def small(*bundles: str) -> tree.Settings:
    return tree.load([], [*SMALL, f"evaluation.bundles={json.dumps(bundles)}"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tree.Settings, dict[str, Any]]:
    """One small run with a U-Net, and a presence classifier of another generator."""
    folder = tmp_path_factory.mktemp("evaluate")
    unet = untrained_bundle(f"{folder}/bundles/unet")
    finch = untrained_bundle(f"{folder}/bundles/finch", "finch", generator=OTHER)
    settings = small(unet, finch)
    return folder / "out" / "one", settings, run_job("evaluate", settings, str(folder / "out"), "one")


def rows_of(folder: Path, name: str = "scores") -> list[dict[str, Any]]:
    return pq.read_table(folder / "evaluation" / f"{name}.parquet").to_pylist()


def test_every_method_meets_the_same_scenes(run: tuple[Path, tree.Settings, dict[str, Any]]) -> None:
    folder, _, facts = run
    everyone = [row for row in rows_of(folder) if row["stratum"] == "all" and row["generator"] != "published"]
    methods = {"zero", "all positive", "VCD threshold", "z-test mask", "divergence", "oracle", "finch"}
    methods |= {"unet", "unet, no wind", "unet, reversed wind"}
    assert {row["method"] for row in everyone} == methods
    assert len(everyone) == len(methods) * 2 * 2 * 2  # generators, thetas, ways of detecting
    for generator in ("g1", "g2"):
        assert len({row["n_scenes"] for row in everyone if row["generator"] == generator}) == 1
    recalls = {row["method"]: row["ra"] for row in everyone if (row["generator"], row["theta"]) == ("g1", 0.05)}
    assert (recalls["all positive"], recalls["zero"]) == (1.0, 0.0)
    assert facts["status"] == "complete"
    assert facts["rows"]["read"] == 10 + 5 + 8
    assert facts["rows"]["kept"] + facts["rows"]["rejected: incomplete tile"] == 10 + 5 + 8


def test_what_is_frozen_stands_in_the_run_and_on_the_page(run: tuple[Path, tree.Settings, dict[str, Any]]) -> None:
    folder, settings, facts = run
    frozen = json.loads((folder / "evaluation" / "frozen.json").read_text())
    assert frozen == facts["frozen"] == json.loads((folder / "run.json").read_text())["frozen"]
    assert frozen["generator_sha256"] == generator_sha256()
    page = (folder / "evaluation" / "table.md").read_text()
    assert frozen["test_set_sha256"] in page
    assert frozen["generator_sha256"] in page
    held_out = settings.evaluation.held_out.__class__
    moved = settings.evaluation.model_copy(update={"held_out": held_out(g1_scenes=10, g2_scenes=6)})
    other = evaluate.frozen_facts(settings.model_copy(update={"evaluation": moved}))
    assert other["test_set_sha256"] != frozen["test_set_sha256"]


def test_no_bundle_is_opened_before_the_test_set_is_frozen(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        run_job("evaluate", small(f"{tmp_path}/no/such/bundle"), str(tmp_path), "broken")
    assert (tmp_path / "broken" / "evaluation" / "frozen.json").is_file()
    assert (
        json.loads((tmp_path / "broken" / "run.json").read_text())["frozen"]["generator_sha256"] == generator_sha256()
    )
    assert len(ledger.read(f"file://{tmp_path}/broken", "freeze")) == 1
    assert not ledger.read(f"file://{tmp_path}/broken", "score")


def test_synthetic_and_published_figures_never_share_a_column(run: tuple[Path, tree.Settings, dict[str, Any]]) -> None:
    folder, _, _ = run
    ours = {"ra", "ra_q1", "ra_median", "precision", "f1", "bias_kg_s"}
    for row in rows_of(folder):
        if row["generator"] == "published":
            assert row["data_tier"] == "published (other data)"
            assert all(math.isnan(row[name]) for name in ours)
        else:
            assert row["data_tier"] == {"g1": "SYNTHETIC-T1", "g2": "SYNTHETIC-T2"}[row["generator"]]
            assert row["published_ra_q1"] is None
            assert row["published_ra_median"] is None
    page = (folder / "evaluation" / "table.md").read_text()
    assert "| all, published (other data) |" in page
    assert "| 0.800 / 0.940 | 0.790 / – |  | – / 0.830 |" in page  # SCIENCE 3.2
    for line in page.splitlines():
        if line.startswith("## ") and "Recognition accuracy by strength" not in line:
            assert "SYNTHETIC" in line


def test_a_bundle_of_another_generator_is_flagged_and_judged(run: tuple[Path, tree.Settings, dict[str, Any]]) -> None:
    folder, _, facts = run
    flags = {row["method"]: row["flag"] for row in rows_of(folder)}
    assert flags["finch"] == f"trained on generator {OTHER[:12]}"
    assert flags["unet"] == flags["oracle"] == ""
    assert [bundle["flag"] != "" for bundle in facts["bundles"]] == [False, True]
    assert "| finch * |" in (folder / "evaluation" / "table.md").read_text()


def test_curves_and_figures_are_there(run: tuple[Path, tree.Settings, dict[str, Any]]) -> None:
    folder, settings, _ = run
    curves = rows_of(folder, "detection_curves")
    everything = [row for row in curves if row["method"] == "all positive" and row["n_sources"]]
    assert all(row["hit_rate"] == 1.0 for row in everything)
    assert {row["q_low_kg_s"] for row in curves} == set(settings.evaluation.strata.q_kg_s[:-1])
    points = rows_of(folder, "precision_recall")
    recall = [row["recall"] for row in points if (row["method"], row["generator"]) == ("oracle", "g1")]
    assert max(recall) > min(recall)
    for name in ("detection_curves", "precision_recall", "f1_by_stratum"):
        assert (folder / "evaluation" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_differences_are_of_the_same_scenes(run: tuple[Path, tree.Settings, dict[str, Any]]) -> None:
    folder, _, _ = run
    f1 = {
        (row["generator"], row["method"]): row["f1"]
        for row in rows_of(folder)
        if (row["stratum"], row["found_at"], row["theta"]) == ("all", "cut", 0.05)
    }
    page = (folder / "evaluation" / "table.md").read_text().splitlines()
    line = next(line for line in page if line.startswith("| SYNTHETIC-T1 | unet minus divergence |"))
    assert f"{f1['g1', 'unet'] - f1['g1', 'divergence']:.3f}" == line.split("|")[3].strip()


def test_emissions_of_methods_told_the_place_stand_apart_from_those_that_found_it(
    run: tuple[Path, tree.Settings, dict[str, Any]],
) -> None:
    folder, _, facts = run
    rows = rows_of(folder, "emission_scores")
    assert {row["method"] for row in rows if row["told_place"]} == set(TOLD)
    found = {"divergence", "unet", "unet, no wind", "unet, reversed wind"}  # finch says presence, and not emission
    assert {row["method"] for row in rows if not row["told_place"]} == found
    targets = {
        row["generator"]: row["n_sources"]
        for row in rows_of(folder)
        if (row["method"], row["stratum"], row["theta"], row["found_at"]) == ("oracle", "all", 0.05, "cut")
    }
    everyone = [row for row in rows if row["stratum"] == "all"]
    assert len(everyone) == 2 * (len(TOLD) + len(found))
    assert all(row["n_sources"] == targets[row["generator"]] >= row["n_estimated"] for row in everyone)
    trivial = next(row for row in everyone if (row["method"], row["generator"]) == (TRIVIAL, "g1"))
    truth = pq.read_table(folder / "evaluation" / "emissions").to_pylist()
    own = [row["q_kg_s"] for row in truth if (row["method"], row["generator"]) == (TRIVIAL, "g1")]
    assert trivial["bias_kg_s"] == pytest.approx(facts["validation"]["mean_kg_s"] - np.mean(own))


def test_the_page_heads_each_group_of_emissions(run: tuple[Path, tree.Settings, dict[str, Any]]) -> None:
    page = (run[0] / "evaluation" / "table.md").read_text()
    for generator, tier in (("G1", "SYNTHETIC-T1"), ("G2", "SYNTHETIC-T2")):
        for group, methods in (("told", TOLD), ("found", ("divergence", "unet"))):
            title = f"## {tier}: emissions of {generator} sources above 0.05, {group} the place\n"
            section = page.split(title)[1].split("\n## ")[0]
            names = [line.split(" | ")[0][2:] for line in section.splitlines() if line.startswith("| ")][2:]
            assert names[: len(methods)] == list(methods)
            assert all(name in TOLD or group == "found" for name in names)


def test_a_finished_evaluation_does_nothing_again(run: tuple[Path, tree.Settings, dict[str, Any]]) -> None:
    folder, settings, facts = run
    again = run_job("evaluate", settings, str(folder.parent), folder.name)
    assert again["passes"] == facts["passes"]
    assert "SYNTHETIC-T2" in again["summary"]["scores"]


def test_a_kept_evaluation_says_how_it_was_made(
    run: tuple[Path, tree.Settings, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, settings, facts = run
    monkeypatch.setattr(evaluation, "better_on_shift", lambda *_: "unet")
    evaluation.write(folder, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "--set evaluation.held_out.g2_scenes=5" in page
    assert facts["frozen"]["test_set_sha256"] in page
    assert settings.evaluation.bundles[0] in page
    assert (tmp_path / "scores.parquet").read_bytes() == (folder / "evaluation" / "scores.parquet").read_bytes()


def test_test_scenes_never_meet_training_scenes() -> None:
    settings = tree.load([], ["evaluation.held_out.first_scene=209000"])
    with pytest.raises(SettingsError, match="training or validation"):
        evaluate.plan(settings, "d")
    with pytest.raises(SettingsError, match="training or validation"):
        evaluate.plan(tree.load([], ["evaluation.held_out.first_validation_scene=10000100"]), "d")
    other_seed = tree.load([], ["evaluation.held_out.first_scene=0", "evaluation.held_out.seed=7"])
    assert evaluate.frozen_facts(other_seed)["g1"] == [0, 1000]


def test_the_model_flag_names_the_one_bundle_that_ships() -> None:
    with pytest.raises(ContractError, match="no bundle 'nothing'"):
        evaluate.plan(tree.load([], ["model=nothing"]), "d")


def test_classes_are_named_by_what_they_hold() -> None:
    assert class_names((3.0, 6.0)) == ["< 3", "3 to 6", ">= 6"]
    assert count_names((1, 2, 4)) == ["0", "1", "2-3", ">= 4"]


def test_the_shipped_default_is_the_better_one_on_the_shift_tier() -> None:
    """`hotspots.model` is whichever shipped bundle the committed evaluation finds better on G2."""
    if not (EVIDENCE / "scores.parquet").is_file():
        pytest.skip("no evaluation is kept: see tests/evidence/evaluation.py")
    scores, settings = pq.read_table(EVIDENCE / "scores.parquet"), tree.load()
    shipped = settings.evaluation.bundles
    judged = {row["method"]: row["bundle_sha256"] for row in scores.to_pylist()}
    for name in shipped:
        assert judged[name] == bundle_sha256(packaged_bundle_url(name)), f"{name} was replaced: evaluate again"
    assert settings.hotspots.model == better_on_shift(scores, shipped, settings.evaluation.scoring.thetas[0])

"""The evidence on 1 km cells: a study of the demo's city from files to page, and its tables against hand-made fits."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carbonray.science.spatial.cells import cell_id
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.science.stats.metrics import r2
from carbonray.settings import load
from carbonray.stages.cell_scores import CellScoreRules
from tests.evidence import grid, grid_page
from tests.evidence.grid import ORDINARY, Study, World, fit_all, jobs_of
from tests.evidence.grid_fits import PEERS, Job, Pace
from tests.evidence.grid_scores import controls_of, fields_of, seeds_of, tables_of

RULES = CellScoreRules(BootstrapRules(resamples=40))
CELLS = cell_id(*np.divmod(np.arange(400) + 5_000 * 20, 20))  # 20 x 20 cells, some blocks of 5 km
CHANGES = ("cities.px=32", "grid.basemap.image_px=32", "grid.training.config={width: 4, d: 8}",
           "grid.training.least_cells=5")  # fmt: skip


def made(work: Path, world: str, errors: dict[str, float], *, seeds: range = range(5), folds: int = 5) -> np.ndarray:
    """Fits that answer the truth but for noise of a size a model, seed s on fold s mod `folds`; answers the truth."""
    truth = np.random.default_rng(0).normal(8.0, 1.0, len(CELLS))
    told = {"cell": CELLS.tolist(), "ln_label": truth.tolist(), "ln_truth": (truth + 0.1).tolist(),
            "tier": "SYNTHETIC-T1"}  # fmt: skip
    put(work / "cells" / f"{world}-london_like.json", told)
    for seed in seeds:
        own = np.arange(len(CELLS)) % folds == seed % folds
        for number, (model, error) in enumerate(errors.items()):
            noise = error * np.random.default_rng((seed, number)).normal(size=own.sum())
            answer = {"cell": CELLS[own].tolist(), "ln_e": (truth[own] + noise).tolist(), "factor": 1.0}
            job = Job(world, "london_like", "random", seed, model)
            facts = {"job": vars(job), "fold": seed % folds, "wall_s": 2.0, "cpu_s": 1.0}
            put(work / "fits" / f"{job.key}.json", facts | {"answers": {model: answer | {"half_width": None}}})
    return truth


def put(path: Path, told: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told))


def test_seeds_answer_for_every_cell_once_and_are_judged_together(tmp_path: Path) -> None:
    truth = made(tmp_path, ORDINARY, {"opencarbon": 0.1, "xgboost": 0.5})
    fields = fields_of(tmp_path)
    scores, differences = tables_of(fields, RULES)
    own = scores[(scores["model"] == "xgboost") & (scores["judged_by"] == "label")].set_index("metric")["value"]
    noise = np.concatenate([0.5 * np.random.default_rng((seed, 1)).normal(size=80) for seed in range(5)])
    order = np.concatenate([np.flatnonzero(np.arange(400) % 5 == seed) for seed in range(5)])
    assert own["r2_ln"] == pytest.approx(r2(truth[order], truth[order] + noise))
    by_truth = scores[(scores["judged_by"] == "truth") & (scores["metric"] == "mbe_ln")].set_index("model")["value"]
    assert by_truth["opencarbon"] == pytest.approx(-0.1, abs=0.02), "what models learned is not what is true"
    gain = differences[(differences["metric"] == "r2_ln") & (differences["judged_by"] == "label")]
    assert gain["better"].tolist() == ["opencarbon"] and gain["second"].tolist() == ["xgboost"]
    by_seed, pairs = seeds_of(fields)
    assert set(by_seed["seed"]) == set(range(5)) and set(by_seed["cells"]) == {80}
    assert (pairs[pairs["metric"] == "r2_ln"]["difference"] > 0).all()


def test_a_fold_that_is_tested_again_is_another_repetition_or_none(tmp_path: Path) -> None:
    made(tmp_path, ORDINARY, {"opencarbon": 0.1}, folds=4)
    scores, _ = tables_of(fields_of(tmp_path), RULES)
    assert set(scores["seeds"]) == {1} and set(scores["cells"]) == {400}, "the fifth seed has no whole repetition"
    made(tmp_path, ORDINARY, {"opencarbon": 0.1}, seeds=range(8), folds=4)
    scores, _ = tables_of(fields_of(tmp_path), RULES)
    assert set(scores["seeds"]) == {2} and set(scores["cells"]) == {400}


def test_models_are_judged_by_the_seeds_that_all_have(tmp_path: Path) -> None:
    made(tmp_path, ORDINARY, {"opencarbon": 0.1, "xgboost": 0.5})
    (tmp_path / "fits" / f"{ORDINARY}-random-london_like-2-xgboost.json").unlink()
    scores, _ = tables_of(fields_of(tmp_path), RULES)
    assert set(scores["cells"]) == {320}


@pytest.mark.parametrize(("without", "found"), [(0.3, "cannot be told from none"), (0.9, "gain"), (0.05, "loss")])
def test_a_control_fails_where_there_is_a_gain(without: float, found: str, tmp_path: Path) -> None:
    made(tmp_path, "points_dealt", {"opencarbon": 0.3, "opencarbon_no_poi": without})
    controls = controls_of(tables_of(fields_of(tmp_path), RULES)[1])
    row = controls[(controls["control"] == "points_dealt") & (controls["judged_by"] == "label")].iloc[0]
    assert (row["found"], row["passes"]) == (found, "FAIL" if found == "gain" else "pass")
    assert row["noticeable"] > 0.0


def test_no_published_number_stands_in_a_table(tmp_path: Path) -> None:
    models = {"opencarbon": 0.3, "opencarbon_no_se": 0.3, "xgboost": 0.1, "oracle": 0.01, "label": 0.01}
    made(tmp_path, ORDINARY, models)
    put(tmp_path / "study.json", study_of(tmp_path))
    grid_page.write(tmp_path, tmp_path / "out", RULES)
    page = (tmp_path / "out" / "README.md").read_text()
    ruled = [line for line in page.splitlines() if line.startswith("|")]
    assert "SYNTHETIC" in page and "0.553" in page and not any("0.553" in line for line in ruled)
    assert "behind xgboost (london_like)" in page and "Not fitted." in page
    claims = [line for line in ruled if line.startswith("| better than LASSO and XGBoost")]
    assert claims == ["| better than LASSO and XGBoost on points | 0, 0, 1 | no, the contrary |"]
    assert not [line for line in ruled if line.startswith("| label | label |")], "a label judged by itself"
    assert (tmp_path / "out" / "scores.csv").read_text().count("SYNTHETIC-T1") > 100


def study_of(work: Path) -> dict[str, Any]:
    rules = load([grid.OVERLAY]).model_dump(mode="json")["grid"]["training"]
    return {"training": rules, "pace": vars(Pace()), "image_px": 64, "generator_sha256": "0" * 64, "world_seed": 1,
            "changes": []}  # fmt: skip


def test_every_seed_comes_before_the_next_and_controls_have_their_two_models() -> None:
    jobs = list(jobs_of(Study(Path("none"))))
    assert [job.seed for job in jobs] == sorted(job.seed for job in jobs) and len({job.key for job in jobs}) == len(
        jobs
    )
    alone = {job.model for job in jobs if job.world == "no_coupling"}
    assert alone == {"opencarbon", "opencarbon_no_neighborhood"}
    assert {job.city for job in jobs if job.split == "cities"} == {""}
    assert not any(job.city == grid.SHIFT for job in jobs), "nobody learns from the shift city"


def test_steps_are_the_same_for_few_cells_and_for_many() -> None:
    rules, pace = load([grid.OVERLAY]).grid.training, Pace(steps=240, contrast_after=80)
    few, many = (pace.of(rules, "opencarbon", cells).network_fit("opencarbon") for cells in (160, 800))
    assert (few.epochs, many.epochs) == (48, 10)
    assert (few.loss.contrastive_from, many.loss.contrastive_from) == (16, 3)
    none = pace.of(rules, "opencarbon_no_contrastive", 160).network_fit("opencarbon_no_contrastive")
    assert none.loss.alpha == 0.0, "what makes the model what it is stays"


def test_a_study_of_the_demos_city_goes_on_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(grid, "WORLDS", {ORDINARY: World(("demo",))})
    models = (PEERS, "opencarbon", "image_only")
    study = Study(tmp_path, CHANGES, (ORDINARY,), ("demo",), ("random",), models, (1,), Pace(2, 1))
    fit_all(study, 1, np.inf)
    grid_page.write(tmp_path, tmp_path / "out", RULES)
    scores = (tmp_path / "out" / "scores.csv").read_text()
    for model in ("graphsage_both", "graphsage_poi", "kriging", "oracle", "train_mean", "opencarbon"):
        assert f",{model}," in scores
    first = {path.name: path.read_bytes() for path in (tmp_path / "fits").iterdir()}
    gone = f"{ORDINARY}-random-demo-1-opencarbon.json"
    (tmp_path / "fits" / gone).unlink()
    capsys.readouterr()
    fit_all(study, 1, np.inf)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"was"' in line]
    assert [row["was"] for row in told] == ["there", "fitted", "there"]
    again = {path.name: path.read_bytes() for path in (tmp_path / "fits").iterdir()}
    assert {name: json.loads(data)["answers"] for name, data in again.items()} == {
        name: json.loads(data)["answers"] for name, data in first.items()
    }
    (tmp_path / "fits" / gone).unlink()
    fit_all(study, 1, 0.0)
    assert not (tmp_path / "fits" / gone).exists(), "after the deadline no fit is begun"
    few = (*CHANGES[:-1], "grid.training.least_cells=95")
    capsys.readouterr()
    fit_all(replace(study, changes=few, models=("poi_only",), seeds=(2, 3)), 1, np.inf)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"was"' in line]
    assert ["cells to learn from" in row["was"] for row in told] == [True, True], "what is refused ends no study"

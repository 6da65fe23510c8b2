"""The evidence on energy and emissions: a study of a few regions from files to page, its tables of hand-made fits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carbonray.science.stats.bootstrap import BootstrapRules
from tests.evidence import energy, energy_page
from tests.evidence.energy import Study, fit_all, jobs_of, search_of
from tests.evidence.energy_claims import CLAIMS, PUBLISHED, published_columns, verdict
from tests.evidence.energy_fits import ORACLE, RATIO, TRIVIAL, Job, Pace, name_of
from tests.evidence.energy_rows import World
from tests.evidence.energy_scores import EnergyScoreRules, tables_of
from tests.evidence.energy_search import left_alone
from tests.evidence.energy_sheets import ROWS

RULES = EnergyScoreRules(BootstrapRules(resamples=40))
SMALL = (
    "settings.regions={count: 6, days: 30}",
    "settings.region_ceiling={fates: 1, others: 20, near: 60}",
    "settings.energy.training={config: {width: 4, d: 4}, fit: {batch_size: 64}, least_rows: 5}",
    "study.every=2", "study.seeds=2", "study.sizes=[0, 2]", "study.extra_size=2", "study.trials=1", "study.splits=1",
    "study.steps=2", "study.longer=1", "study.space={config: {width: [4, 8]}}",
)  # fmt: skip


def made(work: Path, errors: dict[str, float], *, world: str = "synthetic", told: str = "mix", n: int = 10) -> None:
    """Fits of five seeds and ten regions, two a seed: every answer is off by the model's share of a region's own ln."""
    for seed in range(5):
        for turn in (f"region {seed}", f"region {seed + 5}"):
            for model, error in errors.items():
                job = Job(world, "main", "region", turn, seed, n, told != "mix", model)
                off = error * (1.0 + 0.1 * np.random.default_rng((seed, len(turn))).normal())
                sums = [4.0, 4.0 * abs(np.expm1(off)), 4.0 * off**2, 4.0 * off]
                said = {"real": {model: {task: {turn: sums} for task in ("emissions", "energy")}}}
                put(work / "fits" / f"{job.key}.json", {"job": vars(job), "cpu_s": 1.0, "sums": said})


def put(path: Path, told: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told))


def test_a_block_counts_as_one_and_pairs_are_of_the_same_fits(tmp_path: Path) -> None:
    made(tmp_path, {"clean_mlp": 0.1, "mlp": 0.3, TRIVIAL: 0.3})
    tables = tables_of(tmp_path, {"synthetic": "SYNTHETIC-T1"}, RULES)
    own = tables.scores[(tables.scores["task"] == "energy") & (tables.scores["metric"] == "ln_bias")]
    assert own.set_index("model")["value"]["mlp"] == pytest.approx(0.3, abs=0.05)
    assert set(own["blocks"]) == {10} and set(own["rows"]) == {40} and set(own["data_tier"]) == {"SYNTHETIC-T1"}
    pairs = tables.differences[tables.differences["metric"] == "mape"]
    assert set(pairs.loc[pairs["second"] == "mlp", "better"]) == {"clean_mlp"}
    assert set(tables.seeds["seed"]) == set(range(5)) and (tables.seeds["difference"] <= 0.0).all()
    gone = Job("synthetic", "main", "region", "region 7", 2, 10, False, "mlp").key
    (tmp_path / "fits" / f"{gone}.json").unlink()
    again = tables_of(tmp_path, {"synthetic": ""}, RULES)
    assert set(again.scores["fits"]) == {9}, "models are judged by the fits that all networks have"


@pytest.mark.parametrize(("error", "found"), [(0.3, "pass"), (0.5, "pass"), (0.1, "FAIL")])
def test_the_control_fails_where_a_network_gains(error: float, found: str, tmp_path: Path) -> None:
    made(tmp_path, {"clean_mlp": error, "mlp": 0.3, TRIVIAL: 0.3}, world="control")
    made(tmp_path, {"clean_mlp": error, "mlp": 0.3, TRIVIAL: 0.9, RATIO: 0.3}, world="control", told="mix and total")
    controls = tables_of(tmp_path, {"control": "SYNTHETIC-T1"}, RULES).controls
    own = controls[controls["model"] == "clean_mlp"]
    assert set(own["passes"]) == {found}
    assert set(zip(own["told"], own["trivial"], strict=True)) == {("mix", TRIVIAL), ("mix and total", RATIO)}
    assert set(own.loc[own["told"] != "mix", "task"]) == {"emissions"}, "a total tells of the size, and so of energy"


def test_more_countries_are_compared_on_the_same_rows(tmp_path: Path) -> None:
    made(tmp_path, {"clean_mlp": 0.3, TRIVIAL: 0.3}, n=0)
    made(tmp_path, {"clean_mlp": 0.1, TRIVIAL: 0.3}, n=100)
    changes = tables_of(tmp_path, {"synthetic": ""}, RULES).countries
    assert set(changes["n"]) == {100} and (changes["p95"] < 0.0).all() and set(changes["model"]) == {"clean_mlp"}


def test_what_is_printed_holds_as_often_as_it_is_read() -> None:
    columns = published_columns()
    assert [claim.holds(columns) for claim in CLAIMS] == [(10, 12), (5, 6), (6, 6), (16, 16)]
    assert tuple(PUBLISHED) == ROWS and PUBLISHED["clean_cnn"][4] == 0.048


def test_a_verdict_needs_the_published_share_and_no_contrary_interval() -> None:
    assert verdict(10, 12, 10 / 12) == "reproduces" and verdict(10, 12, 10 / 12, 3, 1) == "reproduces in part"
    assert verdict(8, 12, 10 / 12) == "reproduces in part" and verdict(6, 12, 10 / 12) == "does not reproduce"
    assert verdict(12, 12, 10 / 12, 0, 0) == "does not reproduce" and verdict(0, 0, 1.0) == "was not fitted"


def test_a_fit_takes_as_many_steps_of_few_rows_as_of_many() -> None:
    pace = Pace(steps=300, patience=60)
    assert pace.of(128, 1000) == {"epochs": 38, "stop_after": 8}
    assert pace.of(128, 16_000) == {"epochs": 3, "stop_after": 2}
    assert name_of("clean_mlp_tuned") == name_of("clean_mlp_ratio") == "clean_mlp"


@pytest.mark.slow
def test_a_study_goes_from_files_to_page_and_on_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    worlds = {"synthetic": World(("region",), models=("clean_mlp", "mlp"), searches="region", later=("paper",))}
    monkeypatch.setattr(energy, "WORLDS", worlds)
    monkeypatch.setattr(energy, "EXTRA", ("clean_mlp_ratio",))
    monkeypatch.setattr(energy, "SEARCHED", ("mlp",))
    study = Study(tmp_path / "none", tmp_path / "work", SMALL, ("synthetic",))
    jobs = list(jobs_of(study))
    assert len({job.key for job in jobs}) == len(jobs) and not any("Union" in job.turn for job in jobs)
    alone = {turn for turn, _ in search_of(study, "synthetic").untouched}
    assert len(alone) == 2 and {seed for _, seed in search_of(study, "synthetic").untouched} == {0, 1}
    fit_all(study, 1, np.inf)
    energy_page.write(study.work, tmp_path / "out", RULES)
    page = (tmp_path / "out" / "README.md").read_text()
    assert "SYNTHETIC-T1, SYNTHETIC-T2" in page and "## Shift tier (SYNTHETIC)" in page
    measured, _, printed = page.partition("## Published")
    ruled = "| lr | 0.423 | 0.347 | 0.243 | 0.128 | 0.104 | 0.101 |"
    assert ruled in printed and ruled not in measured and "CMEE" not in measured, "printed figures have their own table"
    scores = (tmp_path / "out" / "scores.csv").read_text()
    assert all(f",{model}," in scores for model in (ORACLE, TRIVIAL, RATIO, "xgb", "clean_mlp_ratio", "mlp_tuned"))
    found = json.loads((tmp_path / "out" / "searches.json").read_text())
    assert {(one["model"], one["total"]) for one in found} == {("mlp", False), ("mlp", True)}
    capsys.readouterr()
    gone = next((study.work / "fits").glob("*-mlp.json"))
    gone.unlink()
    fit_all(study, 1, np.inf)
    told = [json.loads(line)["was"] for line in capsys.readouterr().out.splitlines() if '"was"' in line]
    assert told.count("fitted") == 1 and told.count("there") == len(told) - 1
    gone.unlink()
    fit_all(study, 1, 0.0)
    assert not gone.exists(), "after the deadline no fit is begun"


def test_what_is_left_alone_is_no_row_of_a_trial(tmp_path: Path) -> None:
    study = Study(tmp_path / "none", tmp_path, (*SMALL, "settings.regions={count: 6, days: 10}"), ("synthetic",))
    search = search_of(study, "synthetic")
    left = left_alone(search, study.material("synthetic").data)
    assert {turn for turn, _ in search.untouched[1:]} <= set(left.left_out)
    assert search.untouched[0][0] not in left.left_out, "the trial's own test turn leaves it alone"

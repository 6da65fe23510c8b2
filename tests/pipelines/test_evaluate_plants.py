"""The evaluation of the plant product over runs made by hand: all tables, all methods, resumed and refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from carbonray.catalogue import run_job
from carbonray.errors import SettingsError
from carbonray.models.baselines import PEERS
from carbonray.models.generation_peers import GENERATION_MODELS, PRODUCTION
from carbonray.pipelines import evaluate_plants
from carbonray.pipelines.judged_plants import judged_plants
from carbonray.settings import Settings, load
from carbonray.stages.generation_folds import LITERAL_WEIGHTS, ORACLE
from carbonray.stages.reported_years import OTHER_PLANTS
from tests.pipelines.small_judged import GENERATOR, OUTSIDE, SHIFT, TRAINED, YEARS, small_runs
from tests.stages.small_soundings import TIER

SMALL = (
    "model=plants",
    "engine.backend=memory",
    "evaluation.plants.bootstrap.resamples=40",
    "soundings.fit.trees.rounds=5",
    "generation.models.trees.rounds=5",
    "generation.models.first_year=2020",
    "generation.models.last_year=2021",
    "generation.models.tolerance=1e-3",
    "generation.lookback.ndt_windows_days=[30]",
)


def settings_of(out: Path, *more: str) -> Settings:
    return load(overrides=[*SMALL, f"inputs.plants=[{out}/plants]", *more])


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The evaluation, under `scores`."""
    out = tmp_path_factory.mktemp("judged")
    settings = settings_of(out)
    small_runs(str(out), settings.generation.folds())
    return out, run_job("evaluate", settings, str(out), "scores")


def rows_of(out: Path, name: str) -> pd.DataFrame:
    return pq.read_table(out / "scores" / "evaluation" / f"{name}.parquet").to_pandas()


def test_soundings_stand_beside_every_peer_that_can_answer(judged: tuple[Path, dict[str, Any]]) -> None:
    out, facts = judged
    rows = rows_of(out, "soundings")

    assert facts["status"] == "complete"
    oracles = {name for name in PEERS if name.startswith("oracle")}  # nobody knows the vapor of these images
    assert set(rows["model"]) == {"xgb", "xgb_weather", *PEERS} - oracles
    assert set(rows["validation"]) == {"cross"}
    assert len(set(rows["n_images"])) == 1
    assert rows["n_plants"].unique().tolist() == [TRAINED]
    best = rows.set_index("model")
    assert best.loc["plume_area", "rmse"] == pytest.approx(0.0, abs=1e-6)  # its area is the truth
    assert best.loc["xgb", "rmse"] < best.loc["train_mean", "rmse"]
    assert best.loc["xgb", "published_rmse"] == 0.21


def test_generation_is_judged_cross_and_external_by_tier_beside_all_models(judged: tuple[Path, dict[str, Any]]) -> None:
    out, facts = judged
    rows = rows_of(out, "generation")

    assert {tuple(row) for row in rows[["validation", "data_tier", "n_plants"]].itertuples(index=False)} == {
        ("cross", TIER, TRAINED),
        ("external", SHIFT, OUTSIDE),
    }
    for _, own in rows.groupby("validation"):
        assert set(own["model"]) == {*GENERATION_MODELS, LITERAL_WEIGHTS, ORACLE}
        assert len(set(own["n_days"])) == 1
        errors = own.set_index("model")["rmse"]
        assert errors[ORACLE] < errors["train mean"]
        assert errors[PRODUCTION] < errors["train mean"]
    # the product was made of the same soundings under the same rules
    assert float(facts["judged"]["product less the models fitted again here, at most"]) < 1e-9


def test_years_are_judged_in_every_quantity_and_region(judged: tuple[Path, dict[str, Any]]) -> None:
    out, facts = judged
    rows = rows_of(out, "annual")

    own = rows[rows["model"] == PRODUCTION].set_index(["quantity", "region", "validation"])
    assert set(rows["quantity"]) == {"capacity_factor", "generation_twh", "emissions_mt_co2"}
    assert own.loc[("capacity_factor", "US", "cross"), "n_plants"] == TRAINED
    assert own.loc[("capacity_factor", "Türkiye", "external"), "n_years"] == OUTSIDE * len(YEARS)
    assert (
        own.loc[("capacity_factor", "US", "cross"), "rmse"]
        < own.loc[("capacity_factor", "US", "cross"), "baseline_rmse"]
    )
    assert OTHER_PLANTS in set(rows["model"])
    assert facts["judged"]["baseline of the annual tables"] == OTHER_PLANTS
    assert np.isfinite(rows["rmse"]).all()


def test_coverage_counts_the_sets_and_the_page_says_what_is_missing(judged: tuple[Path, dict[str, Any]]) -> None:
    out, _ = judged
    covered = rows_of(out, "coverage").set_index("approach")
    page = (out / "scores" / "evaluation" / "table.md").read_text()

    assert covered.loc["Climate TRACE ML, all inference", "n_plants"] == TRAINED + OUTSIDE
    assert covered.loc["Climate TRACE ML, cross-validation", "n_countries"] == 1
    assert "landsat8_xgb_ndt was not trained: no image" in page
    assert "oracle for sentinel2-NDT" in page
    assert f"{TIER}, {SHIFT}" in page
    assert GENERATOR in page


def test_a_second_run_gives_the_same_bytes_and_a_finished_one_does_nothing(judged: tuple[Path, dict[str, Any]]) -> None:
    out, facts = judged
    again = run_job("evaluate", settings_of(out), str(out), "again")
    assert again["sha256"] == facts["sha256"]
    same = run_job("evaluate", settings_of(out), str(out), "scores")
    assert same["updated_unix_s"] == facts["updated_unix_s"]


def test_runs_that_cannot_be_judged_are_refused(judged: tuple[Path, dict[str, Any]]) -> None:
    out, _ = judged
    with pytest.raises(SettingsError, match="0 runs"):
        judged_plants(load(overrides=list(SMALL)))
    with pytest.raises(SettingsError, match="absent"):
        evaluate_plants.plan(load(overrides=[*SMALL, f"inputs.plants=[{out}/nowhere]"]), "d")

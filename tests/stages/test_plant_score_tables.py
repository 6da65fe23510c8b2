"""Tables in the paper's form: scores, baselines, significance, and published figures in columns of their own."""

import numpy as np
import pytest

from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.stages.plant_score_tables import (
    Answers,
    PlantScoreRules,
    SoundingAnswers,
    annual_scores,
    coverage,
    generation_scores,
    sounding_scores,
)
from carbonray.vocab.plant_score_tables import ANNUAL_SCORES, COVERAGE, GENERATION_SCORES, SOUNDING_SCORES

RULES = PlantScoreRules(BootstrapRules(resamples=50))


def answers(keys, skill=0.9, kind=Answers, **more):
    rng = np.random.default_rng(0)
    observed = rng.random(200)
    predicted = skill * observed + (1 - skill) * rng.random(200)
    return kind(keys, np.arange(200) % 10, observed, predicted, np.full(200, 0.5), **more)


def sounding(**keys):
    named = {"validation": "cross", "structure_kind": "NDT", "imager": "sentinel2", "model": "xgb", "role": "model"}
    rng = np.random.default_rng(1)
    on = rng.random(200) < 0.8
    told = {"is_on": on, "on_score": np.clip(on - 0.2 + 0.4 * rng.random(200), 0, 1)}
    return answers(named | {"initialisation": "none", "data_tier": "SYNTHETIC-T1"} | keys, kind=SoundingAnswers, **told)


def test_tables_3_and_4_stand_beside_the_paper_s_figures_and_not_among_them() -> None:
    table = sounding_scores([sounding(), sounding(model="of mine"), sounding(validation="SYNTHETIC-T2")], RULES)
    assert table.schema == SOUNDING_SCORES
    ours, mine, shift = table.to_pylist()
    assert (ours["published_map"], ours["published_rmse"], ours["published_mbe_p05"]) == (0.932, 0.21, -0.034)
    assert np.isnan([mine["published_map"], shift["published_map"]]).all()
    assert ours["map"] == mine["map"] > 0.9
    assert (ours["baseline_map"], ours["map_significant"], ours["rmse_significant"]) == (0.5, True, True)
    assert ours["baseline_rmse"] == pytest.approx(np.sqrt(1 / 12), abs=0.03)
    assert (ours["n_plants"], ours["n_images"]) == (10, 200)
    assert ours["rmse_p05"] < ours["rmse"] < ours["rmse_p95"]


def test_table_5_has_the_mean_as_its_baseline_and_peers_stand_beside_no_published_figure() -> None:
    keys = {
        "validation": "cross",
        "structure_kind": "FGD",
        "model": "lasso",
        "role": "model",
        "data_tier": "SYNTHETIC-T1",
    }
    table = generation_scores([answers(keys), answers(keys | {"role": "peer", "model": "ridge"}, skill=0.0)], RULES)
    assert table.schema == GENERATION_SCORES
    model, peer = table.to_pylist()
    assert (model["published_n_plants"], model["published_rmse"], model["published_baseline_rmse"]) == (97, 0.196, 0.27)
    assert (peer["published_n_plants"], np.isnan(peer["published_rmse"])) == (0, True)
    assert model["rmse"] < model["baseline_rmse"] < peer["rmse"]
    assert model["rmse_significant"]
    assert abs(model["mbe"]) < 0.1


def test_tables_6_to_8_know_region_and_quantity() -> None:
    keys = {"validation": "external", "model": "lasso", "role": "model", "data_tier": "REAL"}
    table = annual_scores(
        [
            answers(keys | {"quantity": "capacity_factor", "region": "India"}),
            answers(keys | {"quantity": "emissions_mt_co2", "region": "a region of ours"}),
        ],
        RULES,
    )
    assert table.schema == ANNUAL_SCORES
    assert table.column("published_n_plants").to_pylist() == [50, 0]
    assert table.column("published_rmse").to_pylist() == pytest.approx([0.14, np.nan], nan_ok=True)


def test_table_2_puts_our_counts_and_the_published_ones_in_different_columns() -> None:
    table = coverage([{"approach": "ours", "data_tier": "SYNTHETIC-T1", "n_plants": 12, "n_observations": 900}])
    assert table.schema == COVERAGE
    ours, *others = table.to_pylist()
    assert (ours["n_plants"], ours["published_n_plants"]) == (12, 0)
    assert {row["n_plants"] for row in others} == {0}
    whole = next(row for row in others if row["approach"].endswith("all inference"))
    assert (whole["published_n_plants"], whole["published_n_observations"]) == (1042, 1_198_167)

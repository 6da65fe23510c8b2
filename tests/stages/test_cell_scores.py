"""Scores of cells are those of `metrics`; pairs are exact on themselves, blind to shared luck, and know their sign."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from carbonray.errors import ContractError
from carbonray.science.stats import metrics
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.science.urban.labels import Tonnes, back_transform, tonnes
from carbonray.stages.cell_answers import Judged, ModelAnswers, Said
from carbonray.stages.cell_scores import METRICS, CellScoreRules, negative_control, score_tables
from carbonray.vocab.cell_score_tables import CELL_DIFFERENCES, CELL_SCORES
from tests.models.small_city import small_city

CITY = small_city(side=20)
KEYS = {"city": "a", "split": "blocks", "judged_by": "truth", "data_tier": "SYNTHETIC-T1"}
JUDGED = Judged(KEYS, CITY.cell, CITY.ln_e)
RULES = CellScoreRules(BootstrapRules(resamples=200))
ENDS = ("mean_t_co2", "low_t_co2", "high_t_co2")
SEEDS = st.integers(0, 2**32 - 1)


def said(ln_e: np.ndarray) -> Said:
    residual = CITY.ln_e - ln_e
    back = back_transform(residual, np.arange(len(residual)) // 20)
    return Said(CITY.cell, ln_e, tonnes(ln_e, back))


def model(name: str, error: float, seeds: tuple[int, ...] = (0, 1, 2), shared: float = 0.0) -> ModelAnswers:
    """Answers off by an error of each seed, and by one that all models share."""
    common = shared * np.random.default_rng(99).normal(size=len(CITY.cell))
    by_seed = {
        seed: said(CITY.ln_e + common + error * np.random.default_rng((seed, int(100 * error))).normal(size=400))
        for seed in seeds
    }
    return ModelAnswers(name, "model", by_seed)


def rows_of(table, **keys):  # type: ignore[no-untyped-def]
    found = [row for row in table.to_pylist() if all(row[name] == value for name, value in keys.items())]
    return found[0] if len(found) == 1 else found


def test_scores_are_those_of_metrics_in_ln_and_in_tonnes() -> None:
    one = model("a", 0.5, (4,))
    scores, differences = score_tables(JUDGED, [one], [], RULES)
    assert scores.schema == CELL_SCORES and differences.schema == CELL_DIFFERENCES and not len(differences)
    answer, truth = one.by_seed[4], np.exp(CITY.ln_e)
    sides = {"ln": (CITY.ln_e, answer.ln_e), "t": (truth, answer.tonnes.mean_t_co2)}
    for name in METRICS:
        row = rows_of(scores, metric=name)
        stem, _, of = name.partition("_")
        if of:
            assert row["value"] == getattr(metrics, stem)(*sides[of])
        assert row["p05"] <= row["value"] <= row["p95"] and (row["p05"] < row["p95"] or name == "banded")
        assert (row["seeds"], row["cells"], row["undefined"]) == (1, 400, 0) and np.isnan(row["seed_sd"])
        assert 4 <= row["blocks"] < 60 and row["city"] == "a"
    inside = (answer.tonnes.low_t_co2 <= truth) & (truth <= answer.tonnes.high_t_co2)
    assert rows_of(scores, metric="coverage")["value"] == inside.mean()
    assert 0.88 < inside.mean() < 0.97  # the band was made from these very residuals
    assert rows_of(scores, metric="r2_ln")["value"] != pytest.approx(rows_of(scores, metric="r2_t")["value"], abs=0.02)


def test_an_unbounded_band_is_no_coverage() -> None:
    """Two fits: one whose band is known, and right, and one with too few blocks to know any."""
    known = said(CITY.ln_e + 0.1)
    unknown = tonnes(CITY.ln_e, back_transform(np.ones(8), np.arange(8)))
    half = np.arange(400) < 100
    parts = (np.where(half, getattr(known.tonnes, end), getattr(unknown, end)) for end in ENDS)
    mixed, none = replace(known, tonnes=Tonnes(*parts)), replace(known, tonnes=unknown)
    models = [ModelAnswers("m", "model", {0: mixed}), ModelAnswers("n", "model", {0: none})]
    scores, _ = score_tables(JUDGED, models, [], RULES)
    assert np.isinf(unknown.high_t_co2).all()
    assert [rows_of(scores, metric="banded", model=name)["value"] for name in "mn"] == [0.25, 0.0]
    inside = (known.tonnes.low_t_co2 <= np.exp(CITY.ln_e)) & (np.exp(CITY.ln_e) <= known.tonnes.high_t_co2)
    assert rows_of(scores, metric="coverage", model="m")["value"] == pytest.approx(inside[half].mean())
    assert np.isnan(rows_of(scores, metric="coverage", model="n")["value"])


def test_the_mean_explains_nothing_and_ranks_nothing() -> None:
    mean = ModelAnswers("mean", "trivial", {0: said(np.full(400, CITY.ln_e.mean()))})
    scores, _ = score_tables(JUDGED, [mean], [], RULES)
    assert rows_of(scores, metric="r2_ln")["value"] == 0.0
    assert np.isnan(rows_of(scores, metric="spearman")["value"])
    assert rows_of(scores, metric="spearman")["undefined"] == 200
    assert rows_of(scores, metric="mbe_ln")["value"] == pytest.approx(0.0, abs=1e-12)


def test_values_are_means_over_seeds_and_their_spread_is_told() -> None:
    three = model("a", 0.5)
    scores, _ = score_tables(JUDGED, [three], [], RULES)
    each = [metrics.r2(CITY.ln_e, answer.ln_e) for answer in three.by_seed.values()]
    row = rows_of(scores, metric="r2_ln")
    assert (row["value"], row["seed_sd"]) == pytest.approx((np.mean(each), np.std(each, ddof=1)))
    assert row["seeds"] == 3


@settings(max_examples=5)
@given(SEEDS)
def test_a_model_differs_from_itself_by_exactly_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = ModelAnswers("a", "model", {s: said(CITY.ln_e + rng.normal(size=400)) for s in (0, 1)})
    twin = replace(own, model="b")
    _, differences = score_tables(JUDGED, [own, twin], [("a", "b")], RULES)
    for row in differences.to_pylist():
        assert (row["difference"], row["seed_sd"], row["p05"], row["p95"]) == (0.0, 0.0, 0.0, 0.0)
        assert not row["significant"] and row["better"] == "" and negative_control(row).passes


def test_the_better_model_is_told_whatever_way_its_metric_points_and_whoever_is_first() -> None:
    good, bad = model("good", 0.3), model("bad", 0.9)
    _, differences = score_tables(JUDGED, [good, bad], [("good", "bad"), ("bad", "good")], RULES)
    for name in ("mae_ln", "rmse_ln", "r2_ln", "spearman", "mae_t", "mape_t"):
        one, other = (rows_of(differences, metric=name, first=first) for first in ("good", "bad"))
        assert one["better"] == other["better"] == "good" and one["significant"]
        assert one["difference"] == -other["difference"] and one["p05"] == pytest.approx(-other["p95"])
        assert (one["difference"] > 0.0) == (METRICS[name].good == "large")
    neither = [row for row in differences.to_pylist() if not METRICS[row["metric"]].good]
    assert {row["better"] for row in neither} == {""} and len(neither) == 8
    assert not negative_control(rows_of(differences, metric="r2_ln", first="good")).passes


def test_what_is_hard_for_both_does_not_blur_a_pair() -> None:
    pair = [model("a", 0.20, (0,), shared=0.6), model("b", 0.32, (0,), shared=0.6)]
    scores, differences = score_tables(JUDGED, pair, [("a", "b")], RULES)
    own = rows_of(scores, metric="r2_ln", model="a")
    between = rows_of(differences, metric="r2_ln")
    assert between["p95"] - between["p05"] < 0.7 * (own["p95"] - own["p05"])
    assert between["better"] == "a"


def test_one_fit_stands_beside_every_seed_of_another() -> None:
    many, one = model("many", 0.5), model("one", 0.8, (7,))
    _, differences = score_tables(JUDGED, [many, one], [("many", "one")], RULES)
    row = rows_of(differences, metric="r2_ln")
    own = metrics.r2(CITY.ln_e, one.by_seed[7].ln_e)
    each = [metrics.r2(CITY.ln_e, answer.ln_e) - own for answer in many.by_seed.values()]
    assert (row["difference"], row["seed_sd"], row["seeds"]) == pytest.approx((np.mean(each), np.std(each, ddof=1), 3))
    with pytest.raises(ContractError, match="seeds"):
        score_tables(JUDGED, [many, model("one", 0.8, (1, 2))], [("many", "one")], RULES)


def test_chance_of_seeds_widens_an_interval_and_may_be_left_out() -> None:
    rng = np.random.default_rng(0)
    uneven = {seed: said(CITY.ln_e + 0.1 * (1 + 4 * seed) * rng.normal(size=400)) for seed in range(4)}
    widths = []
    for drawn in (True, False):
        rules = replace(RULES, draw_seeds=drawn)
        row = rows_of(score_tables(JUDGED, [ModelAnswers("a", "model", uneven)], [], rules)[0], metric="r2_ln")
        widths.append(row["p95"] - row["p05"])
    assert widths[0] > 1.5 * widths[1] > 0.0


def test_a_control_passes_only_where_there_is_an_interval() -> None:
    row = {"difference": 0.01, "p05": -0.02, "p95": 0.04}
    found = negative_control(row)
    assert found.passes and (found.gain, found.noticeable) == pytest.approx((0.01, 0.03))
    assert not negative_control(row | {"p05": 0.001}).passes
    assert not negative_control(row | {"p05": float("nan"), "p95": float("nan")}).passes


def test_a_missing_answer_is_loud_and_a_missing_cell_is_refused() -> None:
    answer = CITY.ln_e.copy()
    answer[5] = np.nan
    own = Said(CITY.cell, answer, tonnes(answer, back_transform(np.ones(400), np.arange(400))))
    scores, _ = score_tables(JUDGED, [ModelAnswers("a", "model", {0: own})], [], RULES)
    assert all(np.isnan(row["value"]) and np.isnan(row["p05"]) for row in scores.to_pylist())
    more = Judged(KEYS, np.append(CITY.cell, CITY.cell[-1] + 1), np.append(CITY.ln_e, 8.0))
    with pytest.raises(ContractError, match="says nothing of 1 of 401 cells"):
        score_tables(more, [model("a", 0.5)], [], RULES)

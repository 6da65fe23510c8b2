"""Scores from counts that can be added up by hand, strata that divide the scenes, pairs on the same draws."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from carbonray.errors import ContractError
from carbonray.science.no2.detection_limit import CurveRules
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.stages.score_curves import detection_rows, precision_recall
from carbonray.stages.score_pairs import f1_differences
from carbonray.stages.score_tables import (
    ScoreSheet,
    StrataRules,
    better_on_shift,
    published_rows,
    score_rows,
    score_sheet,
    scores_table,
    strata_of,
)
from carbonray.vocab import evaluation_tables as tables

Q_MAX = 3.0
BOOTSTRAP = BootstrapRules(resamples=200)
# method -> (tp, fp, fn) of the four scenes below, of which the last has no target
COUNTS = {
    "good": ((12, 0, 4), (16, 4, 0), (8, 0, 8), (0, 2, 0)),
    "poor": ((4, 8, 12), (8, 8, 8), (0, 0, 16), (0, 0, 0)),
}
WIND, CLOUD, N_SOURCES = (2.0, 4.0, 5.0, 8.0), (0.0, 0.05, 0.15, 0.2), (1, 3, 1, 0)
# scene, true emission, detected by "good", distance, estimate
SOURCES = (
    (100, 0.3, True, 2.0, 0.6),
    (101, 2.4, True, 4.0, 2.0),
    (101, 0.03, False, np.nan, 0.0),
    (102, 1.5, False, np.nan, 0.5),
)


def scene_rows() -> list[dict[str, Any]]:
    rows = []
    for method, counts in COUNTS.items():
        for number, (tp, fp, fn) in enumerate(counts):
            rows.append(
                dict.fromkeys(tables.SCENE_SCORES.names, 0)
                | {"generator": "g2", "method": method, "theta": 0.05, "found_at": "cut", "scene": 100 + number}
                | {"wind_speed_m_s": WIND[number], "cloud_fraction": CLOUD[number], "n_sources": N_SOURCES[number]}
                | {"tp": tp, "fp": fp, "fn": fn, "n_pixels": 4096, "fp_km2": 25.0 * fp, "n_pixels_km2": 25.0 * 4096}
                | {"tp_weak": tp, "n_weak": tp + fn, "n_blobs": 2, "n_false_blobs": 1}
            )
    return rows


def source_rows() -> list[dict[str, Any]]:
    key = {"generator": "g2", "theta": 0.05, "found_at": "cut"}
    names = ("scene", "q_kg_s", "detected", "error_km", "q_found_kg_s")
    good = [key | {"method": "good", "source": i} | dict(zip(names, row, strict=True)) for i, row in enumerate(SOURCES)]
    missed = {"method": "poor", "detected": False, "error_km": np.nan, "q_found_kg_s": np.nan}
    return good + [row | missed for row in good]


def sheet_of(scenes: list[dict[str, Any]]) -> ScoreSheet:
    made = pa.Table.from_pylist(scenes, schema=tables.SCENE_SCORES)
    return score_sheet(made, pa.Table.from_pylist(source_rows(), schema=tables.SOURCE_SCORES), ("poor", "good"))


@pytest.fixture(scope="module")
def sheet() -> ScoreSheet:
    return sheet_of(scene_rows()[::-1])  # the order of rows does not matter


@pytest.fixture(scope="module")
def scores(sheet: ScoreSheet) -> pa.Table:
    return scores_table(score_rows(sheet, "g2", Q_MAX, StrataRules(), BOOTSTRAP, 0), {"good": ("abc", "careful")})


def row_of(scores: pa.Table, method: str, stratum: str = "all") -> dict[str, Any]:
    return next(row for row in scores.to_pylist() if (row["method"], row["stratum"]) == (method, stratum))


def test_scores_are_those_of_the_added_counts(scores: pa.Table) -> None:
    good = row_of(scores, "good")
    assert good["ra"] == pytest.approx(36 / 48)
    assert good["precision"] == pytest.approx(36 / 42)
    assert good["iou"] == pytest.approx(36 / 54)
    assert good["f1"] == pytest.approx(72 / 90)
    assert (good["ra_q1"], good["ra_median"], good["ra_q3"]) == (
        0.625,
        0.75,
        0.875,
    )  # of .5, .75 and 1; no target, no RA
    assert good["false_area"] == pytest.approx(6 / (4 * 4096))
    assert good["false_blobs"] == 1.0
    assert good["ra_p05"] <= good["ra"] <= good["ra_p95"]
    assert good["f1_p05"] < good["f1"] < good["f1_p95"]
    assert (good["data_tier"], good["bundle_sha256"], good["flag"]) == ("SYNTHETIC-T2", "abc", "careful")


def test_sources_below_theta_are_no_targets(scores: pa.Table) -> None:
    good = row_of(scores, "good")
    assert (good["n_sources"], good["n_detected"]) == (3, 2)
    assert good["error_km_median"] == 3.0
    assert good["bias_kg_s"] == pytest.approx((0.3 - 0.4 - 1.0) / 3)
    assert good["rmse_kg_s"] == pytest.approx(np.sqrt((0.09 + 0.16 + 1.0) / 3))
    poor = row_of(scores, "poor")
    assert np.isnan(poor["bias_kg_s"])
    assert np.isnan(poor["error_km_median"])


def test_strata_divide_the_scenes(sheet: ScoreSheet, scores: pa.Table) -> None:
    for of in ("wind", "cloud", "sources"):
        masks = [stratum.scenes for stratum in strata_of(sheet, StrataRules()) if stratum.of == of]
        np.testing.assert_array_equal(np.sum(masks, axis=0), 1)
    assert row_of(scores, "good", "3 to 6 m/s")["ra"] == pytest.approx(24 / 32)
    assert row_of(scores, "good", "2-3")["n_sources"] == 1
    assert np.isnan(row_of(scores, "good", "0")["ra"])  # nothing to find
    weak = row_of(scores, "good", "<.33")
    assert weak["ra"] == pytest.approx(36 / 48)
    assert np.isnan(weak["f1"])  # false pixels have no strength
    assert np.isnan(weak["f1_p05"])
    assert weak["n_sources"] == 1
    assert np.isnan(row_of(scores, "good", ">.66")["ra"])


def test_methods_that_saw_other_scenes_are_not_compared() -> None:
    with pytest.raises(ContractError, match="not 2 answers to 4 scenes"):
        sheet_of(scene_rows()[1:])
    moved = [row | {"scene": row["scene"] + (row["method"] == "good")} for row in scene_rows()]
    with pytest.raises(ContractError, match="5 scenes"):
        sheet_of(moved)


def test_pairs_are_resampled_together(sheet: ScoreSheet) -> None:
    [pair] = f1_differences(sheet, "g2", ("good", "poor"), 0.05, BOOTSTRAP, 0)
    assert pair["difference"] == pytest.approx(72 / 90 - 24 / 76)
    assert pair["significant"]
    assert pair["p05"] <= pair["difference"] <= pair["p95"]
    [none] = f1_differences(sheet, "g2", ("good", "good"), 0.05, BOOTSTRAP, 0)
    assert (none["difference"], none["p05"], none["p95"], none["significant"]) == (0.0, 0.0, 0.0, False)


def test_the_better_network_is_the_one_of_more_f1_on_the_shift_tier(scores: pa.Table) -> None:
    assert better_on_shift(scores, ("poor", "good"), 0.05) == "good"
    with pytest.raises(ContractError, match="not evaluated on g2"):
        better_on_shift(scores, ("good", "absent"), 0.05)


def test_published_figures_fill_nothing_but_their_own_columns() -> None:
    table = scores_table(published_rows(0.05), {})
    found = {row["stratum"]: (row["published_ra_q1"], row["published_ra_median"]) for row in table.to_pylist()}
    assert found["all"] == (0.80, 0.94)
    assert found["<.33"][0] == 0.79
    assert found[">.66"][1] == 0.83
    for name in ("ra", "ra_q1", "f1", "bias_kg_s"):
        assert np.isnan(table.column(name).to_numpy()).all()


def test_curves_count_all_sources_and_add_up_over_units(sheet: ScoreSheet) -> None:
    rows = [row for row in detection_rows(sheet, "g2", (0.01, 0.1, 1.0, 3.0), CurveRules()) if row["method"] == "good"]
    assert [(row["n_sources"], row["n_detected"]) for row in rows] == [(1, 0), (1, 1), (2, 1)]
    key = {"generator": "g2", "method": "good", "theta": 0.05}
    units = [key | {"cut": cut, "tp": tp, "fp": 1, "fn": 2} for tp in (3, 4) for cut in (0.1, 0.2)]
    summed = precision_recall(pa.Table.from_pylist(units, schema=tables.CUT_COUNTS)).to_pylist()
    assert [row["cut"] for row in summed] == [0.1, 0.2]
    assert summed[0]["precision"] == pytest.approx(7 / 9)
    assert summed[0]["recall"] == pytest.approx(7 / 11)
    assert summed[0]["f1"] == pytest.approx(14 / 20)

"""Errors of emissions that can be added up by hand: two groups that never share a row, refusals, laws of the scores."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.stages.emission_scores import (
    COMMON,
    MIN_ESTIMATES,
    NOT_FOUND,
    EmissionRules,
    emission_rows,
    found_estimates,
    refusals,
)
from carbonray.stages.quantifying import ORACLE, TRIVIAL, WITH_GAIN
from carbonray.stages.score_tables import ScoreSheet, StrataRules
from carbonray.vocab import evaluation_tables as tables

RULES = EmissionRules(0.05, 3.0, StrataRules(), BootstrapRules(resamples=100), 0)
# scene, slot, true emission: two sources in scene 100, one in 101, none in 102
SOURCES = ((100, 0, 0.3), (100, 1, 1.5), (101, 0, 2.4))
SHEET = ScoreSheet([], np.array([100, 101, 102]), {"n_sources": np.array([2, 1, 0])}, {})
# method -> estimates of the three sources, None where it refuses
TOLD = {"slabs": (0.4, 1.2, None), TRIVIAL: (1.0, 1.0, 1.0), ORACLE: (0.3, 1.5, 2.4)}


def told_table(found: dict[str, tuple[float | None, ...]]) -> pa.Table:
    rows = [
        {"generator": "g2", "method": method, "told_place": True, "scene": scene, "source": slot, "q_kg_s": q}
        | {"q_found_kg_s": np.nan if value is None else value, "refused": "calm" if value is None else ""}
        for method, values in found.items()
        for (scene, slot, q), value in zip(SOURCES, values, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=tables.EMISSION_ESTIMATES)


def detections() -> pa.Table:
    """Rows of detectors: a network that misses the second source, at both thetas, and a source below theta."""
    rows = [
        {"generator": "g2", "method": method, "theta": theta, "found_at": found_at, "error_km": 1.0}
        | {"scene": scene, "source": slot, "q_kg_s": q, "q_found_kg_s": 0.5 * q, "detected": slot == 0}
        for method in ("unet", "finch", ORACLE)
        for theta in (0.05, 0.2)
        for found_at in ("cut", "theta")
        for scene, slot, q in (*SOURCES, (101, 1, 0.02))
    ]
    return pa.Table.from_pylist(rows, schema=tables.SOURCE_SCORES)


def scored(estimates: pa.Table, *methods: tuple[str, bool]) -> list[dict[str, Any]]:
    return list(emission_rows(estimates, SHEET, "g2", methods, RULES))


def row_of(rows: list[dict[str, Any]], method: str, stratum: str = "all") -> dict[str, Any]:
    [row] = [row for row in rows if (row["method"], row["stratum"]) == (method, stratum)]
    return row


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return scored(told_table(TOLD), *((method, True) for method in TOLD))


def test_scores_are_those_of_the_estimated_sources(rows: list[dict[str, Any]]) -> None:
    slabs = row_of(rows, "slabs")
    assert (slabs["n_sources"], slabs["n_estimated"]) == (3, 2)
    assert slabs["bias_kg_s"] == pytest.approx((0.1 - 0.3) / 2)
    assert slabs["rmse_kg_s"] == pytest.approx(np.sqrt((0.01 + 0.09) / 2))
    assert slabs["relative_error"] == pytest.approx((0.1 / 0.3 + 0.3 / 1.5) / 2)
    perfect = row_of(rows, ORACLE)
    assert (perfect["bias_kg_s"], perfect["rmse_kg_s"], perfect["relative_error"]) == (0.0, 0.0, 0.0)
    table = pa.Table.from_pylist(rows, schema=tables.EMISSION_SCORES)  # every column, none that is not declared
    assert set(rows[0]) == set(table.column_names)
    assert set(table.column("data_tier").to_pylist()) == {"SYNTHETIC-T2"}


def test_strata_are_of_strength_of_number_and_of_what_nobody_refused(rows: list[dict[str, Any]]) -> None:
    assert row_of(rows, TRIVIAL, COMMON)["n_sources"] == 2  # without the one that `slabs` refuses
    assert row_of(rows, TRIVIAL, COMMON)["bias_kg_s"] == pytest.approx((0.7 - 0.5) / 2)
    assert row_of(rows, TRIVIAL, "1")["bias_kg_s"] == pytest.approx(-1.4)
    assert row_of(rows, TRIVIAL, "2-3")["n_sources"] == 2
    assert np.isnan(row_of(rows, "slabs", "1")["rmse_kg_s"])
    for of in ("strength", "sources"):
        own = [row for row in rows if (row["stratum_of"], row["method"]) == (of, TRIVIAL)]
        assert sum(row["n_sources"] for row in own) == 3
        assert all(row["n_sources"] for row in own)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.2, 3.0), min_size=2, max_size=40), st.floats(0.2, 3.0))
def test_the_trivial_answer_errs_by_the_spread_about_its_mean(truth: list[float], elsewhere: float) -> None:
    """RMSE^2 = sd^2 + bias^2: with the sources' own mean the RMSE is their sd."""
    sheet = ScoreSheet([], np.arange(len(truth)), {"n_sources": np.ones(len(truth), int)}, {})
    for answer in (float(np.mean(truth)), elsewhere):
        made = [
            {"generator": "g1", "method": TRIVIAL, "told_place": True, "scene": scene, "source": 0, "q_kg_s": q}
            | {"q_found_kg_s": answer, "refused": ""}
            for scene, q in enumerate(truth)
        ]
        estimates = pa.Table.from_pylist(made, schema=tables.EMISSION_ESTIMATES)
        row = next(iter(emission_rows(estimates, sheet, "g1", [(TRIVIAL, True)], RULES)))
        assert row["bias_kg_s"] == pytest.approx(answer - np.mean(truth), abs=1e-12)
        assert row["rmse_kg_s"] ** 2 == pytest.approx(np.var(truth) + row["bias_kg_s"] ** 2, abs=1e-12)
        assert np.isnan(row["rmse_kg_s_p05"]) == (len(truth) < MIN_ESTIMATES)
        if len(truth) >= MIN_ESTIMATES:
            for name in ("bias_kg_s", "rmse_kg_s", "relative_error"):
                assert row[f"{name}_p05"] <= row[f"{name}_p95"]


def test_what_is_told_and_what_is_found_never_share_a_row() -> None:
    found = found_estimates(detections(), ("unet", ORACLE), 0.05, 3.0)
    both = pa.concat_tables([told_table(TOLD), found])
    rows = scored(both, *((method, True) for method in TOLD), ("unet", False), (ORACLE, False))
    keys = [(row["method"], row["told_place"], row["stratum_of"], row["stratum"]) for row in rows]
    assert len(set(keys)) == len(keys)
    oracles = {row["told_place"]: row for row in rows if (row["method"], row["stratum"]) == (ORACLE, "all")}
    assert (oracles[True]["n_estimated"], oracles[False]["n_estimated"]) == (3, 2)
    assert (oracles[True]["bias_kg_s"], oracles[False]["bias_kg_s"]) == (0.0, pytest.approx(-(0.15 + 1.2) / 2))


def test_a_source_that_was_not_detected_has_no_estimate() -> None:
    found = found_estimates(detections(), ("unet",), 0.05, 3.0).to_pylist()
    assert {row["method"] for row in found} == {"unet"}  # finch's answer is no emission
    assert [(row["scene"], row["source"]) for row in found] == [(100, 0), (100, 1), (101, 0)]
    assert [row["refused"] for row in found] == ["", NOT_FOUND, ""]
    assert np.isnan(found[1]["q_found_kg_s"])
    assert not any(row["told_place"] for row in found)


def test_refusals_are_counted_by_reason() -> None:
    assert refusals(told_table(TOLD | {"slabs" + WITH_GAIN: TOLD["slabs"]})) == [
        {"generator": "g2", "method": "slabs", "told_place": True, "refused": "calm", "n_sources": 1}
    ]


def test_every_column_has_units_and_a_meaning() -> None:
    for schema in (tables.EMISSION_ESTIMATES, tables.EMISSION_SCORES):
        for field in schema:
            assert field.metadata[b"units"] == (b"kg s-1" if "kg_s" in field.name else b"1"), field.name
            assert len(field.metadata[b"long_name"]) > 5
            assert "published" not in field.name  # no published figure is of this task
    keys = ("generator", "method", "told_place", "scene", "source")
    assert tuple(name for name in tables.EMISSION_ESTIMATES.names if name in keys) == keys

"""Scenes of both generators: reproducible, every class filled, truth and label agree, the hash covers the source."""

import ast
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from carbonray.science.no2 import scenes as scenes_module
from carbonray.science.no2.retrieval import RetrievalRules
from carbonray.science.no2.scenes import (
    GENERATOR_FILES,
    SceneRules,
    Scenes,
    generator_sha256,
    paint_targets,
    simulate_g1,
    simulate_g2,
)
from carbonray.science.no2.swath_noise import SwathRules

RULES = SceneRules()
CLEAN = replace(
    RULES,
    retrieval=RetrievalRules(factor_limits=(1.0, 1.0), stratosphere_umol_m2=0.0),
    swath=SwathRules(
        noise_umol_m2=(0.0, 0.0),
        stripe_umol_m2=(0.0, 0.0),
        amf_relative_sd=(0.0, 0.0),
        cloud_max=0.0,
        lost_line_share=0.0,
    ),
)
GENERATORS = {"g1": simulate_g1, "g2": simulate_g2}


@pytest.fixture(scope="module")
def many():
    return simulate_g1(RULES, np.arange(600), seed=11)


def same(first: Scenes, second: Scenes, rows: list[int]) -> None:
    for f in fields(Scenes):
        np.testing.assert_array_equal(getattr(first, f.name), getattr(second, f.name)[rows], err_msg=f.name)


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_scene_is_the_same_in_any_batch_to_the_last_bit(generator):
    whole = GENERATORS[generator](RULES, np.arange(40), 7)
    same(GENERATORS[generator](RULES, np.array([33, 5]), 7), whole, [33, 5])


def test_seeds_and_generators_share_no_scene():
    a, b, c = (
        simulate_g1(RULES, np.arange(2), 1),
        simulate_g1(RULES, np.arange(2), 2),
        simulate_g2(RULES, np.arange(2), 1),
    )
    assert len({float(s.wind_speed_m_s[0]) for s in (a, b, c)}) == 3


@pytest.mark.parametrize("generator", GENERATORS)
def test_shapes_types_and_ranges(generator):
    s = GENERATORS[generator](RULES, np.arange(12), 3)
    for name in ("no2_umol_m2", "no2_true_umol_m2", "plume_umol_m2", "wind_u_m_s", "wind_v_m_s"):
        assert getattr(s, name).shape == (12, 64, 64)
        assert getattr(s, name).dtype == np.float32
    assert s.source_row.shape == s.source_col.shape == s.source_q_kg_s.shape == s.source_size_px.shape == (12, 6)
    assert np.isfinite(s.no2_true_umol_m2).all()
    assert (s.plume_umol_m2 >= 0).all()
    assert (s.no2_true_umol_m2 >= s.plume_umol_m2).all()
    assert (s.no2_umol_m2[np.isfinite(s.no2_umol_m2)] < 0).any()  # negative columns are kept
    present = s.source_size_px > 0
    np.testing.assert_array_equal(present.sum(axis=1), s.n_sources)
    for name in ("source_row", "source_col", "source_q_kg_s"):
        np.testing.assert_array_equal(np.isfinite(getattr(s, name)), present)
    assert not s.plume_umol_m2[s.n_sources == 0].any()


def test_no_scenes_is_an_answer_too():
    assert simulate_g1(RULES, np.array([], np.int64), 0).no2_umol_m2.shape == (0, 64, 64)


def test_every_strength_class_is_filled_and_15_percent_are_empty(many):
    q = many.source_q_kg_s[np.isfinite(many.source_q_kg_s)]
    assert (q.min() >= 0.01) & (q.max() <= 3.0)
    shares = np.histogram(q, bins=[0.01, 0.1, 1.0, 2.0, 3.0])[0] / len(q)
    assert (shares > 0.1).all()
    assert (many.n_sources == 0).mean() == pytest.approx(0.15, abs=0.04)
    assert set(many.n_sources) == set(range(7))
    assert set(many.source_size_px[many.source_size_px > 0]) == {1, 2, 3, 4, 5, 6}


def test_sources_are_anywhere_in_the_tile(many):
    for place in (many.source_row, many.source_col):
        inside = place[np.isfinite(place)]
        shares = np.histogram(inside, bins=8, range=(0, 64))[0] / len(inside)
        np.testing.assert_allclose(shares, 1 / 8, atol=0.035)


def test_most_scenes_pass_the_75_percent_rule_and_none_is_empty(many):
    valid = np.isfinite(many.no2_umol_m2).mean(axis=(1, 2))
    assert valid.min() > 0.2
    assert 0.55 < (valid > 0.75).mean() < 0.8
    # clouds are the chief reason
    assert (valid <= 1.0 - many.cloud_fraction + 1e-9).all()


def test_without_noise_and_kernel_what_is_seen_is_what_is_there():
    s = simulate_g1(CLEAN, np.arange(24), 5)
    assert np.isfinite(s.no2_umol_m2).all()
    np.testing.assert_allclose(s.no2_umol_m2.mean(axis=(1, 2)), s.no2_true_umol_m2.mean(axis=(1, 2)), rtol=2e-4)


def test_the_plume_of_a_scene_is_linear_in_its_emission():
    sources = replace(CLEAN.sources, q_kg_s=(0.5, 0.5), even_share=0.0)
    weak = simulate_g1(replace(CLEAN, sources=sources), np.arange(8), 5)
    strong = simulate_g1(replace(CLEAN, sources=replace(sources, q_kg_s=(1.0, 1.0))), np.arange(8), 5)
    np.testing.assert_allclose(strong.plume_umol_m2, 2.0 * weak.plume_umol_m2, rtol=1e-5)


def test_inflow_reaches_the_tile_without_a_label():
    only = replace(CLEAN.sources, empty_share=1.0, inflow_share=1.0, inflow_q_kg_s=(3.0, 3.0), inflow_km=(5.0, 10.0))
    with_, without = (
        simulate_g1(replace(CLEAN, sources=replace(only, inflow_share=share)), np.arange(40), 5) for share in (1.0, 0.0)
    )
    entering = with_.no2_true_umol_m2 - without.no2_true_umol_m2
    edge = np.concatenate([entering[:, 0], entering[:, -1], entering[:, :, 0], entering[:, :, -1]], axis=1)
    assert (edge.max(axis=1) > 5.0).mean() > 0.9
    assert not with_.n_sources.any()
    assert not paint_targets(with_, 3.0).any()


def test_targets_are_the_emission_on_the_footprint(many):
    targets = paint_targets(many, 3.0)
    lone = np.flatnonzero(many.n_sources == 1)
    inner = [k for k in lone if 6 < many.source_row[k, 0] < 58 and 6 < many.source_col[k, 0] < 58]
    for k in inner:
        side = max(4, many.source_size_px[k, 0])
        painted = np.argwhere(targets[k] > 0)
        assert len(painted) == side**2
        np.testing.assert_allclose(targets[k][targets[k] > 0], many.source_q_kg_s[k, 0] / 3.0, rtol=1e-6)
        centre = painted.mean(axis=0) + 0.5
        assert np.abs(centre - (many.source_row[k, 0], many.source_col[k, 0])).max() <= 0.5 + 1e-9
    assert targets.max() <= 1.0
    assert paint_targets(many, 0.5).max() == 1.0
    assert (paint_targets(many, 3.0, row_px=1) <= targets).all()


def test_where_footprints_overlap_the_greater_emission_stands(many):
    k = int(np.flatnonzero(many.n_sources >= 2)[0])
    one = {f.name: getattr(many, f.name)[[k]].copy() for f in fields(Scenes)}
    one["source_row"][0, :2], one["source_col"][0, :2] = 30.0, (30.0, 32.0)
    one["source_q_kg_s"][0, :2], one["source_size_px"][0, :2] = (2.0, 1.0), 4
    target = paint_targets(Scenes(**one), 4.0)[0]
    np.testing.assert_allclose(target[30, 28:34], [0.5, 0.5, 0.5, 0.5, 0.25, 0.25])


def test_g2_takes_the_emission_of_a_fleet():
    hours = np.ones((4, 6, 16))
    full = simulate_g2(CLEAN, np.arange(4), 9, hours)
    hours[:, :, -2:] = 0.5
    reduced = simulate_g2(CLEAN, np.arange(4), 9, hours)
    np.testing.assert_allclose(reduced.source_q_kg_s, 0.5 * full.source_q_kg_s)
    assert reduced.plume_umol_m2.sum() < full.plume_umol_m2.sum()
    shut = simulate_g2(CLEAN, np.arange(4), 9, np.zeros((4, 6, 16)))
    assert not shut.n_sources.any()
    assert not shut.plume_umol_m2.any()


def test_g2_reports_a_curved_wind_and_g1_a_uniform_one(many):
    assert not np.ptp(many.wind_u_m_s, axis=(1, 2)).any()
    assert (np.ptp(simulate_g2(RULES, np.arange(6), 9).wind_u_m_s, axis=(1, 2)) > 0.05).all()


def test_the_hash_covers_every_file_the_generator_imports():
    """What `scenes` reaches among its neighbours is what is hashed, so a change anywhere shows."""
    room, reached, todo = Path(scenes_module.__file__).parent, set(), ["scenes"]
    while todo:
        name = todo.pop()
        reached.add(name)
        for node in ast.walk(ast.parse((room / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("carbonray.science.no2"):
                tail = (node.module or "").removeprefix("carbonray.science.no2").strip(".")
                todo += [n for n in ([tail] if tail else [a.name for a in node.names]) if n not in reached]
    assert reached == set(GENERATOR_FILES)
    assert len(generator_sha256()) == 64

"""The peers on generated scenes: trivial maps, the classical ones, and a ceiling that is one."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.science.no2 import peers
from carbonray.science.no2.masks import MaskRules
from carbonray.science.no2.scene_weather import Weather, draw_weather
from carbonray.science.no2.scenes import SceneRules, Scenes, SourceRules, paint_targets, simulate_g1
from carbonray.science.no2.scoring import score_maps
from carbonray.science.no2.variates import SceneVariates

Q_MAX = 3.0
SEED = 11


@pytest.fixture(scope="module")
def drawn() -> tuple[Scenes, Weather]:
    rules, indices = SceneRules(), np.arange(24)
    return simulate_g1(rules, indices, SEED), draw_weather(rules.weather, SceneVariates.of(SEED, "g1", indices))


def lone_sources(n: int) -> tuple[Scenes, Weather]:
    """Scenes of one strong point source each."""
    alone = SourceRules(empty_share=0.0, count_weights=(1.0,), size_weights=(1.0,), q_kg_s=(0.3, 2.9), inflow_share=0.0)
    rules, indices = SceneRules(sources=alone), np.arange(n)
    return simulate_g1(rules, indices, SEED), draw_weather(rules.weather, SceneVariates.of(SEED, "g1", indices))


def f1(scenes: Scenes, predicted: np.ndarray) -> float:
    return float(score_maps(paint_targets(scenes, Q_MAX), predicted, 0.2).total().f1())


def test_every_peer_answers_in_the_shape_of_a_network(drawn):
    scenes, weather = drawn
    maps = peers.classical_maps(scenes, Q_MAX, peers.PeerRules(), MaskRules())
    maps["oracle"] = peers.oracle(scenes, weather, Q_MAX, peers.OracleRules())
    assert list(maps) == ["all positive", "zero", "VCD threshold", "z-test mask", "divergence", "oracle"]
    for name, answer in maps.items():
        assert answer.shape == scenes.no2_umol_m2.shape, name
        assert answer.dtype == np.float32, name
        assert (answer >= 0.0).all(), name
        assert (answer <= 1.0).all(), name


def test_wind_helps_and_the_oracle_is_above_all(drawn):
    scenes, weather = drawn
    maps = peers.classical_maps(scenes, Q_MAX, peers.PeerRules(), MaskRules())
    ceiling = f1(scenes, peers.oracle(scenes, weather, Q_MAX, peers.OracleRules()))
    assert f1(scenes, maps["all positive"]) < 0.05
    assert f1(scenes, maps["zero"]) == 0.0
    assert f1(scenes, maps["divergence"]) > f1(scenes, maps["VCD threshold"])
    assert ceiling > 1.3 * max(f1(scenes, answer) for answer in maps.values())


def test_the_oracle_recovers_emissions_from_columns_without_noise():
    scenes, weather = lone_sources(12)
    clean = replace(scenes, no2_umol_m2=scenes.plume_umol_m2 + np.float32(20.0))
    rules = peers.OracleRules(noise_umol_m2=0.1, noise_relative=0.0, q_prior_sd_kg_s=100.0)
    estimated = peers.oracle_emissions(clean, weather, rules)
    np.testing.assert_array_equal(np.isnan(estimated), np.isnan(scenes.source_q_kg_s))
    seen = clean.plume_umol_m2.max(axis=(1, 2)) > 20.0  # a source that leaves the tile at once shows no plume
    assert seen.sum() > 8
    np.testing.assert_allclose(estimated[seen, 0], scenes.source_q_kg_s[seen, 0], rtol=0.02)


def test_the_gain_takes_a_known_factor_out(drawn):
    scenes, weather = drawn
    halved = replace(scenes, no2_umol_m2=np.float32(0.5) * scenes.plume_umol_m2)
    rules = peers.OracleRules(noise_umol_m2=0.1, noise_relative=0.0)
    gain = peers.fitted_gain(scenes.source_q_kg_s, peers.oracle_emissions(halved, weather, rules))
    assert gain == pytest.approx(2.0, rel=0.05)
    corrected = peers.oracle_emissions(halved, weather, replace(rules, column_gain=gain))
    assert peers.fitted_gain(scenes.source_q_kg_s, corrected) == pytest.approx(1.0, rel=0.05)


def test_divergence_of_a_single_source_is_its_emission_at_the_source():
    scenes, weather = lone_sources(16)
    row, col = scenes.source_row[:, 0], scenes.source_col[:, 0]
    central = np.flatnonzero((np.abs(row - 32) < 26) & (np.abs(col - 32) < 26))
    assert len(central) > 6
    for index in central:
        pixel_m = (np.array([5566.0 * np.cos(np.radians(scenes.lat_deg[index]))]), 5566.0)
        wind_u, wind_v = (np.full((1, 64, 64), wind[index]) for wind in (weather.u_m_s, weather.v_m_s))
        rules = peers.PeerRules(lifetime_h=float(weather.tau_h[index]))
        plume = scenes.plume_umol_m2[index][None]
        answer = peers.divergence(plume, wind_u, wind_v, pixel_m, Q_MAX, rules, MaskRules())
        there = answer[0, int(row[index]), int(col[index])] * Q_MAX
        assert there == pytest.approx(scenes.source_q_kg_s[index, 0], rel=0.2)


def test_gaps_are_no_sources():
    blind = np.full((2, 64, 64), np.nan, np.float32)
    wind = np.ones((2, 64, 64), np.float32)
    pixel_m = (np.full(2, 5000.0), 5566.0)
    assert not peers.vcd_threshold(blind, 10.0).any()
    assert not peers.ztest(blind, MaskRules()).any()
    assert not peers.divergence(blind, wind, wind, pixel_m, Q_MAX, peers.PeerRules(), MaskRules()).any()

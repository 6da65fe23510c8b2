"""The true plumes of the shift tier, one source at a time: together they are the scene's own."""

import numpy as np

from carbonray.science.no2.peers import OracleRules, oracle_emissions
from carbonray.science.no2.scene_weather import draw_weather
from carbonray.science.no2.scenes import SceneRules, simulate_g2
from carbonray.science.no2.variates import SceneVariates
from carbonray.science.no2.wandering_units import wandering_unit_plumes

RULES, INDICES, SEED = SceneRules(), np.arange(500, 506), 5
HOURS = int(np.ceil(RULES.puffs.max_age_h))


def test_unit_plumes_times_emissions_are_the_plumes_of_even_stacks_and_give_their_emissions_back() -> None:
    even = simulate_g2(RULES, INDICES, SEED, np.ones((len(INDICES), 6, HOURS)))
    units = wandering_unit_plumes(RULES, INDICES, SEED, 6)
    q_kg_s = np.nan_to_num(even.source_q_kg_s)
    together = np.einsum("ns,nsyx->nyx", q_kg_s, units)
    np.testing.assert_allclose(together, even.plume_umol_m2, rtol=1e-4, atol=1e-3)
    assert not units[even.source_size_px == 0].any()

    weather = draw_weather(RULES.weather, SceneVariates.of(SEED, "g2", INDICES))
    clean = type(even)(**{**vars(even), "no2_umol_m2": even.plume_umol_m2 + np.float32(20.0)})
    rules = OracleRules(noise_umol_m2=0.1, noise_relative=0.0, q_prior_sd_kg_s=100.0)
    found = oracle_emissions(clean, weather, rules, units)
    strong = units.max(axis=(2, 3)) * q_kg_s > 20.0  # a source at the edge leaves nothing to see
    assert strong.sum() > 5
    np.testing.assert_allclose(found[strong], q_kg_s[strong], rtol=0.05)

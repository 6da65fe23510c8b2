"""Ceilings are conditional means: right where they are known, above a mean, and no better than it in the control."""

import dataclasses

import numpy as np
import pytest

from carbonray.synthetic.regions.ceiling import CeilingRules, known_ceilings, local_mean, population, unseen_ceilings
from carbonray.synthetic.regions.knobs import RegionKnobs, chosen_regions
from carbonray.synthetic.regions.world import Region, drawn_series, regions_of
from tests.synthetic.regions.drawn import CONTROL, FEW, RULES, series

NEAR = CeilingRules(near=300)


def test_a_line_is_given_back_exactly():
    rng = np.random.default_rng(1)
    points, at = rng.random((2000, 3)), rng.random((300, 3))
    flat = dataclasses.replace(NEAR, ridge=0.0)
    slope = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(local_mean(points, points @ slope, at, flat), at @ slope, atol=1e-9)


def test_noise_is_averaged_out():
    rng = np.random.default_rng(1)
    points, at = rng.random((20_000, 2)), 0.1 + 0.8 * rng.random((500, 2))
    truth = [np.sin(3 * each[:, 0]) + each[:, 1] ** 2 for each in (points, at)]
    found = local_mean(points, truth[0] + 0.3 * rng.standard_normal(20_000), at, NEAR)
    assert np.sqrt(np.mean((found - truth[1]) ** 2)) < 0.05  # 0.3 over the root of 300 nearest, and a little bend


def test_parts_that_never_vary_do_no_harm():
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.random(500), np.zeros(500)])
    found = local_mean(points, np.full(500, 3.0), np.array([[0.5, 0.0], [0.2, 0.4]]), NEAR)
    np.testing.assert_allclose(found, 3.0)


def ln(amounts):
    return np.log(amounts.sum(axis=1))


def errors(values, own):
    truth = {"ln_t_co2": ln(own.emissions), "ln_gwh": ln(own.energy)}
    return {
        name: np.sqrt(np.mean((found - truth["ln_t_co2" if "t_co2" in name else "ln_gwh"]) ** 2))
        for name, found in values.items()
    }


@pytest.mark.parametrize("number", [1, 3])
def test_who_knows_a_region_beats_its_mean_by_far(number):
    own = series(number=number)
    found = errors(known_ceilings(RULES, FEW, (regions_of(RULES)[number],), own), own)
    assert found["known_mix_ln_t_co2"] < 0.6 * ln(own.emissions).std()
    assert found["known_mix_ln_gwh"] < 0.8 * ln(own.energy).std()
    assert found["known_mix_total_ln_gwh"] < 1.05 * found["known_mix_ln_gwh"]


def test_in_the_control_who_knows_a_region_knows_its_mean():
    own = series(CONTROL, 3)
    values = known_ceilings(CONTROL, FEW, (regions_of(CONTROL)[3],), own)
    assert errors(values, own)["known_mix_ln_t_co2"] > 0.95 * ln(own.emissions).std()


def unseen_errors(rules):
    """ln errors over regions that are neither in files nor learned from, one day each."""
    found = []
    for key in range(7000, 7030):
        own = drawn_series(rules, Region("new", key), rules.span[:2])
        values = unseen_ceilings(rules, FEW, "usual", own)
        day = {name: value[0] for name, value in values.items()}
        found.append({**day, "t": ln(own.emissions)[0], "g": ln(own.energy)[0]})
    return {name: np.array([each[name] for each in found]) for name in found[0]}


def test_an_unseen_regions_total_needs_a_total():
    of = unseen_errors(RULES)
    spread = (of["t"] - of["g"]).std()
    assert np.std(of["unseen_mix_total_ln_t_co2"] - of["t"]) < 0.75 * spread
    assert np.std(of["unseen_mix_total_ln_gwh"] - of["g"]) < 0.9 * spread
    assert np.std(of["unseen_mix_ln_t_co2"] - of["t"]) > 0.7 * RULES.place.size_spread


def test_in_the_control_an_unseen_regions_mix_tells_nothing():
    of = unseen_errors(CONTROL)
    spread = (of["t"] - of["g"]).std()
    assert np.std(of["unseen_mix_total_ln_t_co2"] - of["t"]) > 0.9 * spread


def test_a_population_is_drawn_once_and_holds_the_days_it_should():
    of = population(RULES, FEW, "usual")
    assert of is population(RULES, FEW, "usual")
    assert of.energy.shape == (FEW.others * FEW.window_d // FEW.every_d, 8)
    assert np.unique(of.size_gwh).size == FEW.others


def test_without_spread_of_size_a_mix_tells_as_much_as_with_its_total():
    of = unseen_errors(chosen_regions(RegionKnobs(count=8, size_spread=0.0)))
    alone, with_total = (np.std(of[f"unseen_{told}_ln_t_co2"] - of["t"]) for told in ("mix", "mix_total"))
    assert alone < 1.3 * with_total < 0.3

"""Held-out instances alone score training plants; intervals cover; sums, shares and baselines obey their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.science.power.annual import (
    Bounded,
    IntervalRules,
    bounded_capacity_factor,
    country_fuel_capacity_factor,
    emissions_t_co2,
    half_width,
    plant_baseline,
    scoring_instances,
    service_share,
    unit_generation_mwh,
)
from carbonray.science.power.capacity import ALWAYS_NS, NEVER_NS
from carbonray.science.power.capacity_factor import first_day, hours_in_year
from carbonray.science.spatial.folds import N_FOLDS, rotation
from carbonray.science.spatial.geodesy import DAY_NS

SEEDS = st.integers(0, 2**32 - 1)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=20))
def test_a_training_plant_is_scored_by_the_one_instance_that_never_saw_it(plants) -> None:
    fold, trained = (np.array(column) for column in zip(*plants, strict=True))
    allowed = scoring_instances(fold, trained)
    assert (allowed.sum(axis=1) == np.where(trained, 1, N_FOLDS)).all()
    for plant, instance in np.argwhere(allowed & trained[:, None]):
        turn = rotation(int(instance))
        assert fold[plant] == turn.test
        assert fold[plant] not in (*turn.train, turn.val, turn.generation_train)


def test_a_plant_without_a_fold_is_new_or_an_error() -> None:
    assert scoring_instances([-1], [False]).all()
    with pytest.raises(ValueError, match="no fold"):
        scoring_instances([-1], [True])


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(12, 60), st.sampled_from(["normal", "skewed", "heavy"]))
def test_the_interval_of_a_new_plant_covers_it_at_the_level(seed, n_plants, shape) -> None:
    """Split-conformal: at least 90 % of new plants, whatever the errors; less is the chance of 400 fleets."""
    rng = np.random.default_rng(seed)
    draw = {
        "normal": lambda n: rng.normal(0.03, 0.1, n),
        "skewed": lambda n: 0.1 * (rng.exponential(1.0, n) - 0.3),
        "heavy": lambda n: 0.05 * rng.standard_t(3, n),
    }[shape]
    inside = 0
    for _ in range(400):
        of_plant, plant = draw(n_plants), np.repeat(np.arange(n_plants), rng.integers(1, 5, n_plants))
        error = of_plant[plant] + rng.normal(0, 0.02, len(plant))
        inside += abs(draw(1)[0] + rng.normal(0, 0.02)) <= half_width(error, plant)
    assert inside / 400 > 0.9 - 4.5 * np.sqrt(0.09 / 400)


def test_a_width_is_the_quantile_of_plants_not_of_rows_and_few_plants_tell_nothing() -> None:
    error = np.arange(1, 10) / 100.0
    assert half_width(error, np.arange(9)) == 0.09  # nine of ten plants: nine seen and one unbounded
    assert half_width(error[:8], np.arange(8)) == 1.0
    assert half_width(-error, np.arange(9)) == 0.09
    many = np.append(np.full(1000, 0.5), error)  # one bad plant of a thousand rows weighs as one plant
    assert half_width(many, np.append(np.full(1000, 99), np.arange(9)), IntervalRules(0.5)) == 0.06
    assert half_width([], []) == 1.0
    assert half_width([np.nan, 0.2], [0, 1], IntervalRules(0.5)) == 0.2


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 5000), st.floats(0, 2), st.integers(2015, 2030))
def test_generation_is_at_most_what_the_capacity_gives_and_intervals_hold_their_value(
    factor, width, mw, ef, year
) -> None:
    generation = unit_generation_mwh(bounded_capacity_factor([factor], width), [mw], year)
    emitted = emissions_t_co2(generation, [ef])
    for of in (generation, emitted):
        assert of.low[0] <= of.value[0] <= of.high[0]
    assert generation.low[0] >= 0.0
    assert generation.high[0] <= mw * hours_in_year(year) * (1 + 1e-12)
    assert emitted.value[0] == pytest.approx(factor * mw * hours_in_year(year) * ef, rel=1e-12)


def test_idle_units_emit_nothing_whatever_is_unknown_of_them() -> None:
    unknown = Bounded(*(np.array([np.nan]) for _ in range(3)))
    generation = unit_generation_mwh(unknown, [np.nan], 2020, [0.0])
    assert generation.value == 0.0
    assert emissions_t_co2(generation, [np.nan]).value == 0.0
    assert np.isnan(unit_generation_mwh(unknown, [100.0], 2020).value)


def test_service_is_the_part_of_the_year_between_commissioning_and_retirement() -> None:
    begin, after = int(first_day(2019)) * DAY_NS, int(first_day(2020)) * DAY_NS
    middle = begin + (after - begin) // 2
    start, end = [ALWAYS_NS, middle, ALWAYS_NS, after], [NEVER_NS, NEVER_NS, begin, NEVER_NS]
    assert service_share(start, end, begin, after) == pytest.approx([1.0, 0.5, 0.0, 0.0])


@given(SEEDS)
def test_the_baseline_is_all_generation_over_all_capacity_and_a_plant_s_the_mean_of_its_units(seed) -> None:
    rng = np.random.default_rng(seed)
    group, capacity, factor = rng.integers(0, 3, 12), rng.uniform(1, 100, 12), rng.random(3)
    hours = np.full(12, 8760.0)
    found = country_fuel_capacity_factor(group, 4, factor[group] * capacity * hours, capacity, hours)
    there = np.isin(np.arange(4), group)
    assert found[there] == pytest.approx(factor[there[:3]])
    assert np.isnan(found[~there]).all()
    plant = rng.integers(0, 2, 12)
    mean = plant_baseline(plant, 3, factor[group], capacity)
    assert mean[0] == pytest.approx(
        np.average(factor[group][plant == 0], weights=capacity[plant == 0]) if 0 in plant else np.nan, nan_ok=True
    )
    assert np.isnan(mean[2])


def test_rows_with_unknown_numbers_do_not_dilute_the_baseline() -> None:
    found = country_fuel_capacity_factor([0, 0], 1, [4380.0, np.nan], [1.0, 1.0], [8760.0, 8760.0])
    assert found == pytest.approx([0.5])
    assert plant_baseline([0, 0], 1, [0.5, np.nan], [1.0, 0.0]) == pytest.approx([0.5])
    assert np.isnan(plant_baseline([0, 0], 1, [0.5, np.nan], [1.0, 1.0]))

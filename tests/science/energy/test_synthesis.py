"""Synthesised countries: additive, the same in any order, nested in number, made on days that all parts have."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from carbonray.science.energy.mix import MixRows, proportions, stacked
from carbonray.science.energy.synthesis import SynthesisRules, is_synthesised, parts_of, recipes, synthesised
from tests.science.energy.energy_rows import DAY_NS, START_NS, TWELVE, daily_rows


def same(one: MixRows, other: MixRows) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("region", "start_ns", "end_ns", "energy", "emissions")
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), n=st.integers(0, 12), days=st.integers(1, 4))
def test_totals_are_additive_in_the_weights_and_shares_stay_shares(seed: int, n: int, days: int) -> None:
    rows, rules = daily_rows(TWELVE, days), SynthesisRules(n=n, seed=seed)
    made = synthesised(rows, rules)
    assert len(made) == n * days
    for recipe in recipes(rows, rules):
        own = made.rows(made.region == recipe.name)
        assert 2 <= len(set(recipe.regions)) == len(recipe.regions) <= 3
        assert sum(recipe.weights) == pytest.approx(1.0) and 0.2 <= recipe.size <= 5.0
        for name in ("energy", "emissions"):
            parts = [getattr(rows.rows(rows.region == region), name) for region in recipe.regions]
            mixed = sum(recipe.size * weight * part for weight, part in zip(recipe.weights, parts, strict=True))
            assert np.allclose(getattr(own, name), mixed)
            totals = [recipe.size * w * p.sum(axis=1) for w, p in zip(recipe.weights, parts, strict=True)]
            shares, total = proportions(getattr(own, name))
            assert np.allclose(total, np.sum(totals, axis=0)) and np.allclose(shares.sum(axis=1), 1.0)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_the_order_of_rows_decides_nothing_and_fewer_are_the_first_of_more(seed: int) -> None:
    rows = daily_rows(TWELVE, 3)
    shuffled = rows.rows(np.random.default_rng(seed).permutation(len(rows)))
    ten, hundred = synthesised(rows, SynthesisRules(n=10)), synthesised(rows, SynthesisRules(n=100))
    assert same(ten, synthesised(shuffled, SynthesisRules(n=10)))
    assert same(ten, hundred.rows(np.arange(len(ten))))
    assert not same(ten, synthesised(rows, SynthesisRules(n=10, seed=seed + 43)))


def test_sizes_and_numbers_of_parts_are_spread_as_told() -> None:
    found = recipes(daily_rows(TWELVE, 1), SynthesisRules(n=2000))
    size = np.log([recipe.size for recipe in found])
    # even in the logarithm over ln 0.2 to ln 5: mean 0, standard deviation 2 ln 5 / sqrt 12 = 0.929
    assert abs(size.mean()) < 0.07 and size.std() == pytest.approx(0.929, abs=0.03)
    assert np.mean([len(recipe.regions) == 2 for recipe in found]) == pytest.approx(0.5, abs=0.04)
    assert {region for recipe in found for region in recipe.regions} == set(TWELVE)
    # of two even weights the smaller is 1/4 in the mean
    assert np.mean([min(r.weights) for r in found if len(r.regions) == 2]) == pytest.approx(0.25, abs=0.02)


def test_names_cannot_be_mistaken_and_tell_their_parts() -> None:
    rows, rules = daily_rows(TWELVE, 2), SynthesisRules(n=8)
    made = synthesised(rows, rules)
    assert made.region[-1] == "synthesised-0007"
    assert is_synthesised(made.region).all() and not is_synthesised(rows.region).any()
    assert parts_of(rows, rules) == {recipe.name: recipe.regions for recipe in recipes(rows, rules)}
    with pytest.raises(ValueError, match="twice"):
        synthesised(stacked([rows, made]), rules)


def test_a_country_has_the_days_that_all_its_parts_know() -> None:
    early, late = daily_rows(("A",), 10), daily_rows(("B",), 10, start_ns=START_NS + 4 * DAY_NS)
    late.energy[2, 3] = np.nan
    made = synthesised(stacked([early, late]), SynthesisRules(n=1))
    assert ((made.start_ns - START_NS) // DAY_NS).tolist() == [4, 5, 7, 8, 9]
    assert np.isfinite(made.energy).all()


def test_regions_without_a_common_day_are_never_mixed() -> None:
    apart = stacked([daily_rows(("A", "B"), 3), daily_rows(("C", "D"), 3, start_ns=START_NS + 9 * DAY_NS)])
    found = parts_of(apart, SynthesisRules(n=20, most_parts=2)).values()
    assert {frozenset(parts) for parts in found} == {frozenset("AB"), frozenset("CD")}
    with pytest.raises(ValueError, match="lower most_parts"):
        recipes(apart, SynthesisRules(n=20))
    with pytest.raises(ValueError, match="share an interval"):
        synthesised(daily_rows(("A",), 3), SynthesisRules(n=1))


def test_a_day_told_twice_is_refused() -> None:
    rows = daily_rows(("A", "B"), 3)
    with pytest.raises(ValueError, match="two rows"):
        synthesised(stacked([rows, rows.rows([1])]), SynthesisRules())


def test_no_countries_are_no_rows() -> None:
    assert len(synthesised(daily_rows(("A",), 3), SynthesisRules(n=0))) == 0


@pytest.mark.parametrize(
    "wrong", [{"n": -1}, {"least_parts": 0}, {"most_parts": 1}, {"concentration": 0.0}, {"least_size": 6.0}]
)
def test_rules_that_no_draw_can_follow_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SynthesisRules(**wrong)  # type: ignore[arg-type]

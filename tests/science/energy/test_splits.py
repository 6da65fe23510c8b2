"""Division of rows of regions: nothing that judges is copied, summed or neighboured by what teaches."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from carbonray.science.energy.mix import MixRows, stacked
from carbonray.science.energy.splits import (
    DAY_NS,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATE,
    EnergySplitRules,
    overlap,
    roles,
    sample,
    turns,
)
from carbonray.science.energy.synthesis import SynthesisRules, is_synthesised, recipes, synthesised
from tests.science.energy.energy_rows import COMPOSITES, EU, TWELVE, daily_rows

REGION = EnergySplitRules(protocol="region")
MEMBERS = COMPOSITES[EU]


def regions_of(rows: MixRows, role: np.ndarray, name: int) -> set[str]:  # type: ignore[type-arg]
    return set(rows.region[role == name])


@given(
    chosen=st.sets(st.sampled_from(TWELVE), min_size=8),
    share=st.floats(0.0, 0.5),
    data=st.data(),
)
def test_no_region_judges_while_one_that_overlaps_it_teaches(
    chosen: set[str], share: float, data: st.DataObject
) -> None:
    rows, rules = daily_rows(sorted(chosen), 2), EnergySplitRules(protocol="region", validate_share=share)
    turn = data.draw(st.sampled_from(turns(rows, rules)))
    try:
        role = roles(rows, turn, rules, COMPOSITES)
    except ValueError:
        assert turn == EU  # most of the others are in it
        return
    teach, validate, test = (regions_of(rows, role, name) for name in (TRAIN, VALIDATE, TEST))
    assert test == {turn} and teach and validate
    for judges, others in ((test, teach | validate), (validate, teach)):
        for judge in judges:
            assert not any(overlap(judge, other, COMPOSITES) for other in others)
    if turn in MEMBERS:
        assert EU not in teach | validate
    if turn == EU:
        assert not set(MEMBERS) & (teach | validate)
    # nothing is left out but for the rule
    for region in regions_of(rows, role, UNUSED):
        assert any(overlap(region, judge, COMPOSITES) for judge in test | validate)


def test_the_twelve_of_carbon_monitor() -> None:
    rows = daily_rows(TWELVE, 2)
    assert turns(rows, REGION) == TWELVE
    role = roles(rows, "Germany", REGION, COMPOSITES)
    assert regions_of(rows, role, UNUSED) == {EU}
    assert regions_of(rows, role, VALIDATE) == {"India", "Italy"}  # a quarter of ten, those after it
    role = roles(rows, EU, REGION, COMPOSITES)
    assert regions_of(rows, role, UNUSED) == set(MEMBERS)
    assert regions_of(rows, role, VALIDATE) == {"India", "Japan"}
    assert regions_of(rows, role, TRAIN) == {"Brazil", "China", "Russia", "United States"}
    # without the rule the sum would teach what it is tested on
    assert EU in regions_of(rows, roles(rows, "Germany", REGION, {}), TRAIN)


def test_sums_of_sums_overlap_what_is_in_them() -> None:
    nested = {"World": ("EU", "Brazil"), "EU": ("France", "Germany"), "West": ("France", "Spain")}
    assert overlap("World", "France", nested) and overlap("EU", "West", nested) and overlap("France", "France", {})
    assert not overlap("EU", "Brazil", nested) and not overlap("France", "Germany", nested)


def test_too_few_regions_are_told() -> None:
    for names in (("A", "B"), (EU, "France", "Germany", "Brazil")):
        with pytest.raises(ValueError, match="too few others"):
            roles(daily_rows(names, 2), names[0], REGION, COMPOSITES)


@settings(max_examples=25)
@given(
    days=st.integers(400, 900),
    blocks=st.sampled_from(["months", "years"]),
    embargo=st.floats(0.0, 20.0),
    offset_h=st.integers(-12, 12),
    at=st.integers(0, 4),
)
def test_time_blocks_are_never_split_and_an_embargo_lies_between(
    days: int, blocks: str, embargo: float, offset_h: int, at: int
) -> None:
    folds = 5 if blocks == "months" else 3
    rules = EnergySplitRules("time", blocks=blocks, folds=folds, embargo_days=embargo)  # type: ignore[arg-type]
    rows = daily_rows(("A", "B"), days if blocks == "months" else days + 730)
    local = MixRows(rows.region, rows.start_ns + offset_h * DAY_NS // 24, rows.end_ns + offset_h * DAY_NS // 24,
                    rows.energy, rows.emissions)  # fmt: skip
    role = roles(local, turns(local, rules)[at % folds], rules, {})
    # the day that a local day's middle is in names its block, whatever the offset
    block = (rows.start_ns + DAY_NS // 2 + offset_h * DAY_NS // 24).astype("datetime64[ns]")
    block = block.astype("datetime64[M]" if blocks == "months" else "datetime64[Y]")
    for name in (VALIDATE, TEST):
        judged = set(block[role == name].astype(str).tolist())
        assert judged and not judged & set(block[role == TRAIN].astype(str).tolist())
    for name, off in ((TRAIN, (VALIDATE, TEST)), (VALIDATE, (TEST,))):
        own, judge = local.start_ns[role == name], local.start_ns[np.isin(role, off)]
        gap = np.abs(own[:, None] - judge[None]).min(initial=10**18) - DAY_NS
        assert gap >= embargo * DAY_NS - 1
    # and no more is left out than the embargo asks
    dealt = roles(local, turns(local, rules)[at % folds], EnergySplitRules("time", blocks=blocks, folds=folds,
                  embargo_days=0.0), {})  # type: ignore[arg-type]  # fmt: skip
    assert not (dealt == UNUSED).any() and (role == UNUSED).sum() <= 2 * 4 * (np.ceil(embargo) + 1)


def test_intervals_of_unequal_length_keep_the_embargo_too() -> None:
    rows = daily_rows(("A",), 120)
    month = MixRows(rows.region[:1], rows.start_ns[:1], rows.start_ns[90:91], rows.energy[:1], rows.emissions[:1])
    rules = EnergySplitRules("time", folds=4, embargo_days=0.0)
    mixed = stacked([rows, month])
    # three months in one row, whose middle is in February, lie across what tests in January and March
    assert roles(mixed, turns(mixed, rules)[3], rules, {})[-1] == UNUSED
    # where it tests, no day within it teaches or validates, though days that begin later end before
    role = roles(mixed, turns(mixed, rules)[1], rules, {})
    assert role[-1] == TEST and set(role[:90].tolist()) == {TEST, UNUSED}


def test_at_random_is_sixty_twenty_twenty_in_any_order() -> None:
    rows, rules = daily_rows(TWELVE, 50), EnergySplitRules(protocol="paper")
    role = roles(rows, "random", rules, COMPOSITES)
    assert [int((role == name).sum()) for name in (TRAIN, VALIDATE, TEST)] == [360, 120, 120]
    order = np.random.default_rng(1).permutation(len(rows))
    assert np.array_equal(roles(rows.rows(order), "random", rules, COMPOSITES), role[order])
    other = EnergySplitRules(protocol="paper", seed=7)
    assert not np.array_equal(roles(rows, "random", other, COMPOSITES), role)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), data=st.data(), protocol=st.sampled_from(["region", "time"]))
def test_countries_are_made_only_of_what_teaches(seed: int, data: st.DataObject, protocol: str) -> None:
    rows = daily_rows(TWELVE, 200)
    rules, synthesis = EnergySplitRules(protocol=protocol), SynthesisRules(n=6, seed=seed)  # type: ignore[arg-type]
    turn = data.draw(st.sampled_from(turns(rows, rules)))
    drawn = sample(rows, turn, rules, synthesis, COMPOSITES)
    made = is_synthesised(drawn.rows.region)
    assert made.any() and (drawn.role[made] == TRAIN).all()
    assert np.array_equal(drawn.role[~made], roles(rows, turn, rules, COMPOSITES))
    real = drawn.rows.rows(~made & (drawn.role == TRAIN))
    teaching = set(zip(real.region, real.start_ns.tolist(), strict=True))
    for recipe in recipes(real, synthesis):
        own = drawn.rows.rows(drawn.rows.region == recipe.name)
        assert {(region, start) for region in recipe.regions for start in own.start_ns.tolist()} <= teaching
    assert not is_synthesised(drawn.of(TEST).region).any() and not is_synthesised(drawn.of(VALIDATE).region).any()


def test_what_tests_decides_nothing_of_what_teaches() -> None:
    rows = daily_rows(TWELVE, 40)
    other = MixRows(rows.region, rows.start_ns, rows.end_ns, rows.energy.copy(), rows.emissions.copy())
    other.energy[rows.region == "Japan"] *= 3.0
    one, two = (sample(of, "Japan", REGION, SynthesisRules(), COMPOSITES) for of in (rows, other))
    assert np.array_equal(one.of(TRAIN).energy, two.of(TRAIN).energy)
    assert not np.array_equal(one.of(TEST).energy, two.of(TEST).energy)


def test_the_paper_divides_synthesised_rows_like_any_other() -> None:
    rows, synthesis = daily_rows(TWELVE, 50), SynthesisRules(n=10)
    drawn = sample(rows, "random", EnergySplitRules(protocol="paper"), synthesis, COMPOSITES)
    made = is_synthesised(drawn.rows.region)
    assert len(drawn.rows) == 12 * 50 + len(synthesised(rows, synthesis))
    assert {*drawn.role[made].tolist()} == {*drawn.role[~made].tolist()} == {TRAIN, VALIDATE, TEST}


def test_what_cannot_be_divided_is_told() -> None:
    rows = daily_rows(TWELVE, 60)
    with pytest.raises(ValueError, match="'paper', 'region' or 'time'"):
        turns(rows, EnergySplitRules(protocol="weather"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a block for each"):
        turns(rows, EnergySplitRules(protocol="time"))
    with pytest.raises(ValueError, match="expected one of Brazil, China"):
        roles(rows, "Atlantis", REGION, COMPOSITES)
    both = stacked([rows, synthesised(rows, SynthesisRules(n=1))])
    with pytest.raises(ValueError, match="their role follows"):
        roles(both, "Japan", REGION, COMPOSITES)

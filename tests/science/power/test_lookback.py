"""Features of appendix C: the paper's counts, the laws of windows, and a plain loop that says the same."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import DataError
from carbonray.science.power.lookback import (
    ABOVE,
    LITERAL,
    PAPER_COUNT,
    LookbackRules,
    ModelPair,
    Soundings,
    feature_names,
    features,
    lookback_features,
    outputs_of,
    sounding_counts,
)
from tests.golden_numbers import golden
from tests.science.power.lookback_loop import plain_loop

PAPER = golden("plume_paper")
PAIRS = tuple(
    ModelPair(imager, model, model != "xgb")
    for imager, models in {
        "planetscope": ("xgb", "resisc"),
        "sentinel2": ("xgb", "resisc", "ben"),
        "landsat8": ("xgb", "resisc", "ben"),
    }.items()
    for model in models
)
OUTPUTS = outputs_of(PAIRS)
LITERAL_OUTPUTS = outputs_of(PAIRS, LITERAL)
WINDOWS = (30, 60, 180)
DAY = 18_700
SEEDS = st.integers(0, 2**32 - 1)


def some_soundings(seed, n_plants=3, images=25, missing=0.2, outputs=OUTPUTS):
    """Images of three plants over 300 days, each with the outputs of one imager, some of them absent."""
    rng = np.random.default_rng(seed)
    imagers = sorted({output.imager for output in outputs})
    rows = []
    for image in range(n_plants * images):
        imager = imagers[rng.integers(len(imagers))]
        plant, day = image % n_plants, DAY - int(rng.integers(300))
        for number, output in enumerate(outputs):
            if output.imager == imager and rng.random() > missing:
                rows.append((plant, day, image, number, rng.choice([rng.random(), 0.5, 0.0, 1.0])))
    plant, day, image, output = (np.array([row[at] for row in rows], np.int64) for at in range(4))
    return Soundings(plant, day, image, output, np.array([row[4] for row in rows], np.float64))


def taken(soundings, rows):
    return Soundings(**{name: column[rows] for name, column in vars(soundings).items()})


@pytest.mark.parametrize(("heads", "ndt", "fgd"), [(LITERAL, 132, 264), (PAPER_COUNT, 162, 324)])
def test_the_number_of_features_is_that_of_the_reading(heads, ndt, fgd) -> None:
    outputs, rules = outputs_of(PAIRS, heads), LookbackRules()
    towers = feature_names(outputs, rules.windows_days("NDT"), indicators=False)
    stacks = feature_names(outputs, rules.windows_days("FGD"), indicators=True)
    assert (len(set(towers)), len(set(stacks))) == (len(towers), len(stacks)) == (ndt, fgd)
    assert sum(name.endswith("/missing") for name in stacks) == fgd // 2


def test_the_paper_s_own_counts_are_those_of_the_default() -> None:
    counts = PAPER["generation_models"]
    names = [
        feature_names(OUTPUTS, counts[f"{kind}_windows_days"], indicators=kind == "fgd") for kind in ("ndt", "fgd")
    ]
    assert [len(of_kind) for of_kind in names] == [counts["ndt_features"], counts["fgd_features"]]
    rules = LookbackRules()
    assert [list(rules.ndt_windows_days), list(rules.fgd_windows_days)] == [
        counts["ndt_windows_days"], counts["fgd_windows_days"]
    ]  # fmt: skip


def test_names_come_from_the_registry_and_nothing_is_padded() -> None:
    one = outputs_of([ModelPair("a_new_imager", "a_new_model", False)])
    assert feature_names(one, (30,), indicators=False) == (
        "30d/a_new_imager/a_new_model/cls/mean",
        "30d/a_new_imager/a_new_model/reg/mean",
        "30d/a_new_imager//cls/mean",
        "30d/a_new_imager//reg/mean",
        "30d/a_new_imager/a_new_model/reg/weighted",
        "30d/a_new_imager//reg/weighted",
        "30d/a_new_imager/a_new_model/cls/above",
        "30d/a_new_imager//cls/above",
    )
    assert feature_names((), (30,), indicators=True) == ()
    assert lookback_features(some_soundings(0, images=0), (), [0, 1], [DAY, DAY], (30,)).shape == (2, 0)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.sampled_from([OUTPUTS, LITERAL_OUTPUTS]), st.sampled_from(["normalised", "literal"]))
def test_a_plain_loop_over_appendix_c_says_the_same(seed, outputs, weighting) -> None:
    soundings, rules = some_soundings(seed, outputs=outputs), LookbackRules(weighting=weighting)
    plants, days = np.array([0, 1, 2, 7]), np.array([DAY, DAY - 100, DAY - 290, DAY])
    found = lookback_features(soundings, outputs, plants, days, WINDOWS, rules)
    for row in range(4):
        twin = plain_loop(soundings, outputs, plants[row], days[row], WINDOWS, rules)
        assert found[row] == pytest.approx(twin, rel=1e-6, abs=1e-9, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_the_order_of_soundings_changes_no_bit(seed) -> None:
    soundings = some_soundings(seed)
    shuffled = taken(soundings, np.random.default_rng(seed + 1).permutation(len(soundings.value)))
    asked = (np.arange(3), np.full(3, DAY - 20), WINDOWS)
    assert np.array_equal(
        lookback_features(soundings, OUTPUTS, *asked), lookback_features(shuffled, OUTPUTS, *asked), equal_nan=True
    )


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(30, 250))
def test_soundings_outside_every_window_and_of_other_plants_leave_no_trace(seed, back) -> None:
    soundings, day = some_soundings(seed), DAY - back
    inside = (soundings.plant == 1) & (soundings.day <= day) & (soundings.day > day - 180)
    whole, part = (
        lookback_features(table, OUTPUTS, [1], [day], WINDOWS) for table in (soundings, taken(soundings, inside))
    )
    assert np.array_equal(whole, part, equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from(["normalised", "literal"]))
def test_shares_lie_in_0_to_1_and_averages_within_what_they_average(seed, weighting) -> None:
    soundings = some_soundings(seed)
    found = lookback_features(
        soundings, OUTPUTS, np.arange(3), np.full(3, DAY), WINDOWS, LookbackRules(weighting=weighting)
    )
    bounded = [f.statistic != "weighted" or weighting == "normalised" for f in features(OUTPUTS, WINDOWS)]
    seen = found[:, bounded]
    assert np.nanmin(seen) >= 0.0
    assert np.nanmax(seen) <= 1.0 + 1e-12
    above = found[:, [f.statistic == ABOVE for f in features(OUTPUTS, WINDOWS)]]
    assert np.nanmin(above) >= 0.0
    assert np.nanmax(above) <= 1.0


def test_without_soundings_everything_is_missing_and_zero_is_not_missing() -> None:
    soundings = some_soundings(3)
    assert np.isnan(lookback_features(taken(soundings, slice(0, 0)), OUTPUTS, [0], [DAY], WINDOWS)).all()
    assert np.isnan(lookback_features(soundings, OUTPUTS, [99], [DAY], WINDOWS)).all()
    off = dataclasses.replace(soundings, value=np.zeros_like(soundings.value))
    found = lookback_features(off, OUTPUTS, [0], [DAY], (300,))
    assert not np.isnan(found).any()
    assert (found == 0.0).all()


def test_a_window_holds_its_own_day_and_not_the_day_before_it_begins() -> None:
    outputs = outputs_of([ModelPair("sentinel2", "xgb", False)])
    zero = np.zeros(4, np.int64)
    soundings = Soundings(zero, DAY + np.array([-30, -29, 0, 1]), np.arange(4), zero, np.array([1.0, 0.2, 0.4, 1.0]))
    assert outputs[0].head == "cls"
    assert lookback_features(soundings, outputs, [0], [DAY], (30,))[0, 0] == pytest.approx(0.3)
    assert sounding_counts(soundings, [0, 0, 1], [DAY, DAY + 1, DAY], 30).tolist() == [2, 2, 0]


@pytest.mark.parametrize(("score", "factor"), [(0.99, 0.98 / 0.99), (0.5, 0.0), (0.1, 8.0), (0.01, 98.0)])
def test_the_printed_denominator_is_singular_for_plants_that_are_off(score, factor) -> None:
    """SCIENCE 4.6: the multiplier on z in a window of constant Y is 2|Y - .5| / Y."""
    outputs = outputs_of([ModelPair("sentinel2", "xgb", False)])
    image, output = np.repeat(np.arange(5), 2), np.tile([0, 1], 5)
    zero = np.zeros(10, np.int64)
    soundings = Soundings(zero, zero + DAY, image, output, np.tile([score, 0.6], 5))
    column = feature_names(outputs, (30,), indicators=False).index("30d/sentinel2//reg/weighted")
    literal, normalised = (
        lookback_features(soundings, outputs, [0], [DAY], (30,), LookbackRules(weighting=weighting))[0, column]
        for weighting in ("literal", "normalised")
    )
    assert literal == pytest.approx(factor * 0.6, rel=1e-9, abs=1e-9)
    assert normalised == pytest.approx(np.nan if score == 0.5 else 0.6, nan_ok=True)


def test_values_that_are_said_twice_or_by_nobody_are_refused() -> None:
    soundings = some_soundings(1)
    twice = taken(soundings, np.append(np.arange(len(soundings.value)), 0))
    with pytest.raises(DataError, match="two values of one output"):
        lookback_features(twice, OUTPUTS, [0], [DAY], WINDOWS)
    with pytest.raises(DataError, match="belongs to no output"):
        lookback_features(soundings, OUTPUTS[:5], [0], [DAY], WINDOWS)
    with pytest.raises(DataError, match="too large"):
        lookback_features(dataclasses.replace(soundings, value=soundings.value + 2e3), OUTPUTS, [0], [DAY], WINDOWS)

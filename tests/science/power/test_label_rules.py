"""An image has the record it falls into, or the last of the hour before; what contradicts itself is no label."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.power.label_rules import (
    LabelRules,
    Records,
    clipped,
    is_on,
    label_verdict,
    match_records,
)
from carbonray.science.spatial.geodesy import HOUR_NS

MINUTE_NS = HOUR_NS // 60
T0 = 1_600_000_000 * 10**9 // HOUR_NS * HOUR_NS


def records(generation, *, plant=None, step=HOUR_NS, start=None, capacity=100.0) -> Records:
    n = len(generation)
    begins = T0 + np.arange(n) * step if start is None else np.asarray(start)
    return Records(
        plant=np.zeros(n, np.int64) if plant is None else np.asarray(plant),
        start_utc_ns=begins,
        end_utc_ns=begins + step,
        generation_mwh=np.asarray(generation, np.float64),
        capacity_mw=np.full(n, capacity),
    )


def rule(given: Records, time: int, seen: float = np.nan, plant: int = 0, **rules: object) -> str:
    matched = match_records(given, [plant], [time])
    return str(label_verdict(given, matched, [seen], LabelRules(**rules)).rule[0])  # type: ignore[arg-type]


def test_an_image_in_an_interval_has_that_record_and_a_negative_age() -> None:
    matched = match_records(records([10.0, 20.0, 30.0]), [0, 0, 0, 0], T0 + np.array([0, 59, 60, 150]) * MINUTE_NS)
    assert matched.record.tolist() == [0, 0, 1, 2]
    assert matched.age_s.tolist() == [-3600.0, -60.0, -3600.0, -1800.0]


def test_after_the_last_record_an_hour_is_the_limit() -> None:
    given = records([10.0])
    assert rule(given, T0 + 2 * HOUR_NS) == ""
    assert rule(given, T0 + 2 * HOUR_NS + 1_000_000_000) == "record too old"
    assert rule(given, T0 - 1) == "no record"
    assert rule(given, T0, plant=1) == "no record"
    assert rule(records([]), T0) == "no record"


def test_a_five_minute_record_that_ended_before_the_image_serves() -> None:
    given = records([5.0, 5.0], step=5 * MINUTE_NS)
    matched = match_records(given, [0], [T0 + 12 * MINUTE_NS])
    assert matched.age_s.tolist() == [120.0]
    assert given.capacity_factor()[matched.record[0]] == pytest.approx(0.6)


def test_daily_records_tell_no_moment() -> None:
    assert rule(records([1200.0], step=24 * HOUR_NS), T0 + HOUR_NS) == "record too long"


@pytest.mark.parametrize(
    ("generation", "named"),
    [
        (np.nan, "generation unknown"),
        (151.0, "implausible capacity factor"),
        (-21.0, "implausible capacity factor"),
        (130.0, ""),
    ],
)
def test_what_cannot_be_true_is_dropped(generation: float, named: str) -> None:
    assert rule(records([generation]), T0) == named


def test_a_plant_without_capacity_on_the_date_has_no_label() -> None:
    assert rule(records([10.0], capacity=0.0), T0) == "generation unknown"
    assert rule(records([10.0], capacity=np.nan), T0) == "generation unknown"


def test_vapor_at_a_plant_that_has_been_off_for_an_hour_is_an_error_of_report() -> None:
    off = records([50.0, 0.0, 0.0])
    assert rule(off, T0 + 61 * MINUTE_NS, seen=1.0) == "vapor while off"
    assert rule(off, T0 + 61 * MINUTE_NS, seen=0.0) == ""
    assert rule(off, T0 + 61 * MINUTE_NS) == ""
    short = records([5.0] + [0.0] * 13, step=5 * MINUTE_NS)
    assert rule(short, T0 + 62 * MINUTE_NS, seen=1.0) == "vapor while off"
    assert rule(short, T0 + 57 * MINUTE_NS, seen=1.0) == ""
    hole = records([0.0, 0.0], start=[T0, T0 + 2 * HOUR_NS])
    assert match_records(hole, [0], [T0 + 2 * HOUR_NS]).zero_s.tolist() == [3600.0]


def test_a_running_plant_that_was_seen_without_vapor_is_dropped_on_demand() -> None:
    on = records([50.0])
    assert rule(on, T0, seen=0.0) == "no vapor while on"
    assert rule(on, T0, seen=0.0, drop_silent=False) == ""


def test_on_is_more_than_five_percent_and_factors_are_clipped() -> None:
    assert is_on([0.05, 0.0501, np.nan], LabelRules()).tolist() == [False, True, False]
    assert clipped([-0.1, 0.5, 1.3]).tolist() == [0.0, 0.5, 1.0]


@given(st.integers(0, 2**32 - 1))
def test_the_match_is_the_latest_record_of_the_plant_that_began(seed: int) -> None:
    rng = np.random.default_rng(seed)
    plant = np.sort(rng.integers(0, 4, 40))
    start = np.concatenate([np.sort(rng.choice(500, (plant == p).sum(), replace=False)) for p in range(4)]) * HOUR_NS
    given_records = records(rng.random(40), plant=plant, start=start)
    asked, time = rng.integers(0, 5, 60), rng.integers(0, 600, 60) * HOUR_NS
    found = match_records(given_records, asked, time).record
    for of, at, index in zip(asked, time, found, strict=True):
        before = np.flatnonzero((plant == of) & (start <= at))
        assert index == (before[np.argmax(start[before])] if len(before) else -1)

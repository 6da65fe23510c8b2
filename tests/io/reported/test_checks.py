"""Whatever a source reports twice, in part or in other units is set aside by name, and no line is lost."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.io.reported.checks import checked
from carbonray.io.reported.reading import (
    NOTES,
    QUARANTINED,
    ReportedReading,
    ReportedRules,
    SourceFacts,
    frame_of,
)
from carbonray.io.text_tables import NEVER_NS
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.vocab.plant_tables import REPORTED

RULES = ReportedRules()


def hourly(hours, generation, *, unit="u1", length=1.0, rules=RULES, facts=None, **more) -> ReportedReading:
    start = (np.asarray(hours) * HOUR_NS).astype(np.int64)
    rows = frame_of(
        line=np.arange(1, len(start) + 1),
        source_id=np.broadcast_to(np.asarray(unit, object), len(start)),
        start_utc_ns=start,
        end_utc_ns=start + (np.broadcast_to(length, len(start)) * HOUR_NS).astype(np.int64),
        generation_mwh=generation,
        **more,
    )
    reading = checked("TEST", [rows], rules, facts or SourceFacts())
    assert reading.reported.schema.equals(REPORTED)
    assert reading.quarantined.schema.equals(QUARANTINED)
    assert reading.notes.schema.equals(NOTES)
    counts = reading.rows()
    assert counts["read"] == counts["kept"] + counts["quarantined"] == len(start)
    return reading


def reasons(reading: ReportedReading) -> list[str]:
    return sorted(str(reason).split(":")[0] for reason in reading.quarantined.column("reason").to_pylist())


def test_clean_rows_are_kept_in_order() -> None:
    reading = hourly([2, 0, 1], [3.0, 1.0, 2.0])
    assert reading.reported.column("generation_mwh").to_pylist() == [1.0, 2.0, 3.0]
    assert reading.reported.column("source").to_pylist() == ["TEST"] * 3
    assert reasons(reading) == []


def test_repeated_intervals_with_one_value_stand_once_and_with_two_not_at_all() -> None:
    reading = hourly([0, 0, 1, 1, 2, 2, 2, 2], [5.0, 5.0, 6.0, 7.0, 8.0, 8.0, 9.0, 9.0])
    assert reading.reported.column("start_utc_ns").to_pylist() == [0]
    words = [str(word) for word in reading.quarantined.column("reason").to_pylist()]
    assert sum("same values" in word for word in words) == 1
    assert sum("different values" in word for word in words) == 6


def test_two_unknown_values_are_the_same_value() -> None:
    reading = hourly([0, 0], [np.nan, np.nan])
    assert reading.rows()["kept"] == 1


def test_the_latest_update_stands() -> None:
    reading = hourly([0, 0, 0], [1.0, 2.0, 3.0], updated_ns=np.array([5, 9, NEVER_NS]))
    assert reading.reported.column("generation_mwh").to_pylist() == [2.0]
    assert all("superseded" in str(word) for word in reading.quarantined.column("reason").to_pylist())


def test_an_interval_inside_another_is_set_aside_and_the_rest_goes_on() -> None:
    reading = hourly([0, 0.25, 0.25, 0.5, 0.75, 1.0], [1.0] * 6, length=[0.25, 1.0, 0.25, 0.25, 0.25, 0.25])
    assert reading.rows()["kept"] == 5
    assert reasons(reading) == ["overlap"]
    assert reading.quarantined.column("line").to_pylist() == [2]


def test_gaps_are_listed_with_their_ends_and_have_no_line() -> None:
    reading = hourly([0, 1, 4, 5], [1.0] * 4)
    assert reading.rows() == {"read": 4, "kept": 4, "quarantined": 0, "gaps": 1}
    gap = reading.quarantined.to_pylist()[0]
    assert (gap["start_utc_ns"], gap["end_utc_ns"]) == (2 * HOUR_NS, 4 * HOUR_NS)
    assert gap["reason"] == "gap: 2 h without a line"
    assert gap["line"] is None


def test_a_bad_line_is_no_gap_and_units_do_not_continue_each_other() -> None:
    reading = hourly([0, 1, 2], [1.0, 1.0, 1.0], fault=np.array(["", "generation: no number: 'x'", ""], dtype=object))
    assert reading.rows() == {"read": 3, "kept": 2, "quarantined": 1, "gaps": 0}
    assert hourly([0, 9], [1.0, 1.0], unit=["a", "b"]).rows()["gaps"] == 0


@pytest.mark.parametrize(("clip", "value", "note"), [(False, -3.0, "kept"), (True, 0.0, "set to 0")])
def test_negative_generation_is_noted_and_kept_or_clipped(clip: bool, value: float, note: str) -> None:
    reading = hourly([0, 1], [-3.0, 5.0], rules=ReportedRules(clip_negative=clip))
    assert reading.reported.column("generation_mwh").to_pylist() == [value, 5.0]
    assert note in reading.notes.column("note").to_pylist()[0]


def test_rows_that_say_nothing_are_kept_and_noted() -> None:
    reading = hourly([0], [np.nan])
    assert np.isnan(reading.reported.column("generation_mwh").to_pylist()[0])
    assert reading.notes.column("note").to_pylist() == ["neither generation nor emissions given"]


def test_generation_beyond_capacity_is_in_other_units() -> None:
    facts = SourceFacts(capacity_mw={"u1": 100.0})
    reading = hourly([0, 1, 2], [149.0, 151.0, 90_000.0], facts=facts)
    assert reading.reported.column("generation_mwh").to_pylist() == [149.0]
    assert reasons(reading) == ["units", "units"]
    own = hourly([0], [151.0], facts=facts, capacity_mw=np.array([200.0]))
    assert own.rows()["kept"] == 1  # the row's own capacity counts


def test_a_series_a_thousand_times_too_small_is_in_other_units() -> None:
    facts = SourceFacts(capacity_mw={"u1": 100.0})
    assert hourly(np.arange(24), np.full(24, 0.08), facts=facts).rows()["kept"] == 0
    assert hourly(np.arange(23), np.full(23, 0.08), facts=facts).rows()["kept"] == 23
    assert hourly(np.arange(24), np.zeros(24), facts=facts).rows()["kept"] == 24
    assert hourly(np.arange(24), np.r_[np.full(23, 0.08), 80.0], facts=facts).rows()["kept"] == 24


def test_rows_without_id_or_length_are_bad() -> None:
    assert reasons(hourly([0, 1], [1.0, 1.0], unit=["", "a"])) == ["id"]
    assert reasons(hourly([0, 1], [1.0, 1.0], length=[0.0, 1.0])) == ["time"]


def test_a_time_that_could_not_be_read_is_null() -> None:
    rows = frame_of(
        line=[1], source_id=["a"], start_utc_ns=[NEVER_NS], end_utc_ns=[NEVER_NS], fault=["time: unreadable: 'x'"]
    )
    reading = checked("TEST", [rows], RULES, SourceFacts())
    assert reading.quarantined.select(["start_utc_ns", "end_utc_ns"]).to_pylist() == [
        {"start_utc_ns": None, "end_utc_ns": None}
    ]


def test_an_empty_file_is_an_empty_reading() -> None:
    reading = checked("TEST", [], RULES, SourceFacts())
    assert reading.rows() == {"read": 0, "kept": 0, "quarantined": 0, "gaps": 0}


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_kept_intervals_never_overlap_and_every_line_is_accounted_for_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    start, length = rng.integers(0, 20, n) / 2, rng.choice([0.5, 1.0, 2.0], n)
    unit = rng.choice(["a", "b"], n).astype(object)
    value = rng.integers(0, 2, n).astype(float)
    one = hourly(start, value, unit=unit, length=length)
    for name in "ab":
        kept = [row for row in one.reported.to_pylist() if row["source_id"] == name]
        assert all(a["end_utc_ns"] <= b["start_utc_ns"] for a, b in itertools.pairwise(kept))
    order = rng.permutation(n)
    other = hourly(start[order], value[order], unit=unit[order], length=length[order])
    assert one.reported.to_pandas().equals(other.reported.to_pandas())

"""Reported generation as targets: closed forms, coverage, implausible hours, and overpasses."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.table_store import encode_table
from carbonray.science.power.capacity_factor import first_day
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS
from carbonray.stages.generation_targets import (
    TargetRules,
    labelled_soundings,
    reported_by_plant,
    reported_days,
)
from carbonray.vocab.plant_tables import REPORTED
from tests.stages.small_soundings import PAIRS, fleet, unit_rows

START = int(first_day(2020)) * DAY_NS
KEYS = ("plant_id", "source_id", "start_utc_ns")


def reports(mwh, plant="plant 00", hours=1, start=START, unit="u1"):
    """Records one after the other."""
    n = len(mwh)
    begin = start + np.arange(n) * hours * HOUR_NS
    columns = [[plant] * n, ["CAMPD"] * n, [unit] * n, begin, begin + hours * HOUR_NS, mwh, [np.nan] * n, [False] * n]
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, REPORTED, strict=True)], schema=REPORTED
    )


def images(*times, plant="plant 00"):
    rows = [{"plant_id": plant, "imager": "sentinel2", "image_id": f"i{at}", "time_utc_ns": START + at} for at in times]
    return pa.Table.from_pylist(rows + rows[:1])  # an image has many rows


def test_a_plant_at_a_constant_load_has_that_capacity_factor_on_every_covered_day():
    found = reported_days([reports([50.0] * 24 * 60)], unit_rows(("u1", "lignite", "ST", 100.0)))

    first = int(first_day(2020))
    # 0.8 of 30 days are 24 days: from the 24th day to 6 days after the last
    assert found.day.tolist() == list(range(first + 23, first + 60 + 6))
    assert found.mean == pytest.approx(0.5)
    assert found.plants == ("plant 00",)


def test_the_mean_is_that_of_the_30_days_that_end_with_the_day():
    daily = np.random.default_rng(0).uniform(0, 100, 90)
    found = reported_days([reports(np.repeat(daily, 24))], unit_rows(("u1", "lignite", "ST", 100.0)))

    full = [(day, mean) for day, mean in zip(found.day, found.mean, strict=True) if 29 <= day - first_day(2020) < 90]
    assert len(full) == 61
    for day, mean in full:
        at = day - int(first_day(2020))
        assert mean == pytest.approx(daily[at - 29 : at + 1].mean() / 100.0)


def test_hours_that_cannot_be_are_unknown_and_the_possible_ones_are_clipped():
    units = unit_rows(("u1", "lignite", "ST", 100.0))
    mwh = np.full(24 * 30, 40.0)
    mwh[:24] = 1000.0  # ten times the capacity
    mwh[24:48] = 120.0  # a little above it: 1

    found = reported_days([reports(mwh)], units)

    last = found.mean[found.day == first_day(2020) + 29]
    assert last == pytest.approx((24 * 1.0 + 24 * 28 * 0.4) / (24 * 29))


def test_records_of_a_year_make_no_30_day_means_and_those_of_a_day_do():
    units = unit_rows(("u1", "lignite", "ST", 100.0))
    year = reported_days([reports([50.0 * 8784], hours=8784)], units)
    days = reported_days([reports([1200.0] * 40, hours=24)], units)

    assert len(year.day) == 0
    assert days.mean == pytest.approx(0.5)
    assert len(days.mean) == 40 - 23 + 6


def test_an_overpass_has_the_capacity_factor_of_its_hour_and_none_where_nothing_was_reported():
    told = images(HOUR_NS // 2, HOUR_NS * 3 // 2, 10 * HOUR_NS)
    found = reported_days([reports([10.0, 90.0])], unit_rows(("u1", "lignite", "ST", 100.0)), told)

    truth = {row["image_id"]: row["capacity_factor"] for row in found.overpasses.to_pylist()}
    assert found.overpasses.num_rows == 3
    assert truth[f"i{HOUR_NS // 2}"] == pytest.approx(0.1)
    assert truth[f"i{HOUR_NS * 3 // 2}"] == pytest.approx(0.9)
    assert np.isnan(truth[f"i{10 * HOUR_NS}"])


def test_records_that_overlap_are_named():
    twice = pa.concat_tables([reports([10.0] * 48), reports([10.0] * 2, hours=24)])
    with pytest.raises(DataError, match="plant 00"):
        reported_days([twice], unit_rows(("u1", "lignite", "ST", 100.0)), None, TargetRules(least_coverage=0.0))


def test_only_plants_with_soundings_and_reports_are_fitted_to():
    small = fleet(plants=4, years=(2020,))
    units = pa.concat_tables([unit_rows(("u1", "lignite", "ST", 100.0), plant=name) for name in small.plants])
    told = [reports([30.0] * 24 * 60, plant=name) for name in ("plant 01", "plant 03", "plant 99")]
    labelled = labelled_soundings("NDT", PAIRS, small.soundings, {"plant 01": 2}, reported_days(told, units))

    assert labelled.plants == ("plant 01", "plant 03")
    assert np.unique(labelled.plant).tolist() == [0, 1]
    assert labelled.target == pytest.approx(0.3)
    assert labelled_soundings("FGD", PAIRS, small.soundings, {}, reported_days(told, units)).plants == ()


def test_a_plants_reports_are_read_from_every_table_it_is_in(tmp_path):
    later = START + 48 * HOUR_NS
    files = {
        "a": pa.concat_tables([reports([1.0] * 48), reports([2.0] * 48, plant="plant 01")]),
        "b": reports([3.0] * 24, start=later),
    }
    urls = []
    for name, table in files.items():
        urls.append(objectstore.join(str(tmp_path), f"{name}.parquet"))
        objectstore.put_bytes(urls[-1], encode_table(table, KEYS))

    both = list(reported_by_plant(urls, ["plant 00", "plant 01", "plant 02"]))

    assert [(t.num_rows, set(t.column("plant_id").to_pylist())) for t in both] == [
        (72, {"plant 00"}),
        (48, {"plant 01"}),
    ]
    assert [t.num_rows for t in reported_by_plant(urls, ["plant 01"])] == [48]

"""Bad inputs are refused by name, good ones become amounts a day."""

from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.io.energy.records import REFUSED_ROWS, MixReading, MixRules, mix_rows
from carbonray.io.energy.row_tables import row_table, rows_of
from carbonray.vocab.energy import SECTORS, SOURCES
from carbonray.vocab.energy_tables import ENERGY_RECORDS, ENERGY_ROWS
from tests.io.energy.energy_files import days, records, region_parts

RULES = MixRules()
WEEK = days("2023-05-01", 7)
YEAR_2020 = [(pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2021-01-01", tz="UTC"))]
YEAR_2023 = [(pd.Timestamp("2023-01-01", tz="UTC"), pd.Timestamp("2024-01-01", tz="UTC"))]
MIX_OF_A_YEAR = dict.fromkeys(SOURCES, 36500.0)
SECTORS_OF_A_DAY = dict.fromkeys(SECTORS, 100000.0)


def reasons(reading: MixReading) -> list[str]:
    return [str(reason) for reason in reading.refused["reason"].to_pylist()]


def of_a_week(**changed: float) -> pa.Table:
    """A week of two regions; the first day of Alpha is changed."""
    parts = region_parts()
    good = records({"Alpha": parts}, WEEK[1:])
    return pa.concat_tables([good, records({"Alpha": region_parts(**changed)}, WEEK[:1]), records({"Beta": {
        name: 3 * value for name, value in parts.items()}}, WEEK)])  # fmt: skip


def test_good_records_become_rows_in_the_order_of_the_vocabulary() -> None:
    parts = {name: float(number) for number, name in enumerate(SOURCES, start=1)}
    parts |= {name: 1e4 * number for number, name in enumerate(SECTORS, start=1)}
    reading = mix_rows(records({"Alpha": parts}, WEEK), RULES)

    assert len(reading.rows) == 7 and reading.refused.num_rows == 0
    assert reading.rows.energy.tolist() == [[1, 2, 3, 4, 5, 6, 7, 8]] * 7
    assert reading.rows.emissions.tolist() == [[1e4, 2e4, 3e4, 4e4, 5e4, 6e4]] * 7
    assert not reading.constant_mix.any() and set(reading.data_tier) == {"REAL"}
    assert reading.rows.start_ns[0] == pd.Timestamp("2023-05-01").value


@settings(max_examples=25)
@given(st.integers(1, 400), st.floats(1.0, 1e4))
def test_amounts_of_any_interval_become_amounts_a_day(length: int, gwh: float) -> None:
    start = pd.Timestamp("2020-01-01", tz="UTC")
    whole = {name: value * length for name, value in region_parts(gwh).items()}
    reading = mix_rows(records({"Alpha": whole}, [(start, start + pd.Timedelta(days=length))]), RULES)

    assert reading.rows.energy.sum() == pytest.approx(gwh)
    assert reading.rows.emissions.sum() == pytest.approx(gwh * 1e3)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"coal": -1.0}, "negative: coal of -1 GWh a day"),
        ({"industry": -5.0}, "negative: industry of -5 t CO2 a day"),
        ({"coal": np.nan, "wind": np.nan}, "missing: coal, wind"),
        ({"residential": np.nan}, "missing: residential"),
        (dict.fromkeys(SOURCES, np.nan), "missing: all energy"),
        (dict.fromkeys(SECTORS, np.nan), "missing: all emissions"),
        (dict.fromkeys(SOURCES, 0.0), "total: no electricity"),
        (dict.fromkeys(SECTORS, 0.0), "total: no emissions"),
        (dict.fromkeys(SOURCES, 12.5e3), "units: 0.001 t CO2 a MWh (limits 0.05 and 20)"),  # MWh taken for GWh
        (dict.fromkeys(SOURCES, 12.5e-3), "units: 1e+03 t CO2 a MWh (limits 0.05 and 20)"),  # TWh taken for GWh
        (dict.fromkeys(SECTORS, 2e7), "units: 1.2e+03 t CO2 a MWh (limits 0.05 and 20)"),  # kt taken for Mt
        (dict.fromkeys(SOURCES, 5e4), "units: 4e+05 GWh a day (limit 100000)"),
        (dict.fromkeys(SECTORS, 1e8), "units: 6e+08 t CO2 a day (limit 1.5e+08)"),
    ],
)
def test_a_bad_day_is_refused_by_name_and_the_others_stand(changed: dict[str, float], reason: str) -> None:
    reading = mix_rows(of_a_week(**changed), RULES)

    assert reasons(reading) == [reason]
    refused = reading.refused.to_pylist()[0]
    assert refused["region"] == "Alpha" and refused["start"] == WEEK[0][0]
    assert len(reading.rows) == 13


def test_a_whole_series_in_another_unit_is_seen_in_its_emissions() -> None:
    twh = records({"Alpha": region_parts() | dict.fromkeys(SOURCES, 0.0125)}, WEEK)

    assert len(mix_rows(twh, RULES).rows) == 0


def test_a_leap_of_both_totals_is_seen_in_the_history() -> None:
    reading = mix_rows(of_a_week(**{name: value * 900 for name, value in region_parts(100.0).items()}), RULES)

    assert reasons(reading) == ["units: a total 900 times off its region's median (limit 50)"]


def test_a_day_said_twice_counts_once_or_not_at_all() -> None:
    week = of_a_week()
    again = records({"Alpha": {"coal": 12.5}}, WEEK[:2])
    other = records({"Alpha": {"gas": 13.0, "coal": 11.0}}, WEEK[1:2])
    reading = mix_rows(pa.concat_tables([week, again, other]), RULES)

    assert reasons(reading) == ["doubled: different values of coal, gas"]
    assert reading.refused["start"].to_pylist() == [WEEK[1][0]]
    assert reading.notes == {"said twice with equal values, counted once": 2}


def test_a_month_and_its_days_are_not_both_rows() -> None:
    month = records({"Alpha": {name: 31 * value for name, value in region_parts().items()}}, [(WEEK[0][0], WEEK[6][1])])
    reading = mix_rows(pa.concat_tables([records({"Alpha": region_parts()}, WEEK), month]), RULES)

    assert reasons(reading) == ["overlap: begins before the interval before it has ended"]
    assert len(reading.rows) == 7


def test_the_own_consumption_of_an_idle_unit_is_no_negative_generation() -> None:
    reading = mix_rows(of_a_week(oil=-0.01), RULES)

    assert reading.refused.num_rows == 0
    assert reading.rows.energy[0, SOURCES.index("oil")] == 0.0
    assert reading.notes == {"negative generation of idle units, taken as 0": 1}


def test_real_and_synthetic_records_make_no_row() -> None:
    energy = dict.fromkeys(SOURCES, 12.5)
    mixed = pa.concat_tables(
        [records({"Alpha": energy}, WEEK), records({"Alpha": SECTORS_OF_A_DAY}, WEEK, "SYNTHETIC-T1")]
    )

    assert set(reasons(mix_rows(mixed, RULES))) == {"tier: real and synthetic records in one row"}


def test_an_account_of_power_alone_needs_no_other_sector() -> None:
    parts = dict.fromkeys(SOURCES, 12.5) | {"power": 500.0}
    week = records({"Alpha": parts}, WEEK)

    assert set(reasons(mix_rows(week, RULES))) == {"missing: " + ", ".join(SECTORS[1:])}
    rows = mix_rows(week, MixRules(sectors=("power",))).rows
    assert rows.emissions.tolist() == [[500.0, 0, 0, 0, 0, 0]] * 7


def test_a_yearly_mix_joins_the_days_in_it_and_marks_them() -> None:
    both = pa.concat_tables([records({"Alpha": MIX_OF_A_YEAR}, YEAR_2023), records({"Alpha": SECTORS_OF_A_DAY}, WEEK)])

    assert len(mix_rows(both, RULES).rows) == 0
    reading = mix_rows(both, MixRules(join="constant"))
    assert reading.rows.energy == pytest.approx(np.full((7, 8), 100.0))
    assert reading.constant_mix.all() and reading.refused.num_rows == 0


def test_the_latest_mix_before_a_day_is_taken_until_it_is_too_old() -> None:
    older = records({"Alpha": dict.fromkeys(SOURCES, 1.0)}, [(pd.Timestamp("2019-01-01", tz="UTC"), YEAR_2020[0][0])])
    year = records({"Alpha": MIX_OF_A_YEAR}, YEAR_2020)
    both = pa.concat_tables([older, year, records({"Alpha": SECTORS_OF_A_DAY}, WEEK)])
    age_days = (WEEK[0][0] - YEAR_2020[0][1]).days

    rows = mix_rows(both, MixRules(join="constant", max_mix_age_days=age_days + 6)).rows
    assert rows.energy == pytest.approx(np.full((7, 8), 36_500.0 / 366))
    young = mix_rows(both, MixRules(join="constant", max_mix_age_days=age_days + 5))
    assert len(young.rows) == 6 and reasons(young) == ["missing: all energy"]


def test_a_mix_of_later_years_of_another_region_or_incomplete_is_not_taken() -> None:
    later = records({"Alpha": MIX_OF_A_YEAR}, [(YEAR_2023[0][1], YEAR_2023[0][1] + pd.Timedelta(days=366))])
    elsewhere = records({"Beta": MIX_OF_A_YEAR}, YEAR_2023)
    half = records({"Alpha": {"coal": 1e3}}, YEAR_2023)
    both = pa.concat_tables([later, elsewhere, half, records({"Alpha": SECTORS_OF_A_DAY}, WEEK)])

    assert sorted(set(reasons(mix_rows(both, MixRules(join="constant"))))) == [
        "missing: all energy",
        "missing: gas, oil, nuclear, hydro, solar, wind, other",
    ]


def test_a_row_with_its_own_energy_keeps_it() -> None:
    both = pa.concat_tables([records({"Alpha": MIX_OF_A_YEAR}, YEAR_2020), records({"Alpha": region_parts()}, WEEK)])
    reading = mix_rows(both, MixRules(join="constant"))

    assert reading.rows.energy == pytest.approx(np.full((7, 8), 12.5))
    assert not reading.constant_mix.any()


@settings(max_examples=5)
@given(st.randoms(use_true_random=False))
def test_the_order_of_records_means_nothing(random: Random) -> None:
    table = of_a_week(coal=-1.0, wind=np.nan)
    order = random.sample(range(table.num_rows), table.num_rows)

    sorted_rows, shuffled = mix_rows(table, RULES), mix_rows(table.take(order), RULES)
    assert row_table(shuffled).equals(row_table(sorted_rows))
    assert shuffled.refused.equals(sorted_rows.refused)


def test_rows_travel_as_a_table_and_back() -> None:
    reading = mix_rows(of_a_week(coal=-1.0), RULES)
    table = row_table(reading)
    back = rows_of(table)

    assert table.schema.equals(ENERGY_ROWS, check_metadata=True)
    assert reading.refused.schema.equals(REFUSED_ROWS, check_metadata=True)
    for name in ("region", "start_ns", "end_ns", "energy", "emissions"):
        assert np.array_equal(getattr(back, name), getattr(reading.rows, name))


@pytest.mark.parametrize("rules", [RULES, MixRules(join="constant")])
def test_no_records_are_no_rows(rules: MixRules) -> None:
    reading = mix_rows(ENERGY_RECORDS.empty_table(), rules)

    assert len(reading.rows) == 0 and reading.refused.num_rows == 0
    assert row_table(reading).num_rows == 0

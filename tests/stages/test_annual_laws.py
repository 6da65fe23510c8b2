"""Laws of a plant's annual rows for any units and years (SCIENCE 4.12): they hold for the table, not only its parts."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.science.power.capacity_factor import annual_window_days, hours_in_year
from carbonray.stages.annual_rows import YearOfPlant, annual_rows
from tests.stages.small_soundings import plant_row, unit_rows

YEARS = st.integers(2015, 2030)
UNITS = st.lists(
    st.tuples(st.sampled_from([("bituminous", "ST"), ("gas", "CC"), ("lignite", "ST")]), st.floats(1.0, 4000.0)),
    min_size=1,
    max_size=4,
)
LINEAGE = {"fold": -1, "instances": "0,1,2,3", "model_version": "v"}


def year_of(year: int, factor: np.ndarray, width: float) -> YearOfPlant:
    day, _ = annual_window_days(year)
    seen = np.ones(len(day), np.bool_)
    return YearOfPlant(year, "NDT", day, factor, np.zeros(len(day)), seen, 100, width, LINEAGE)


def rows_of(units: list[tuple[tuple[str, str], float]], told: YearOfPlant) -> tuple[dict, list[dict]]:
    """The plant's row and its units'."""
    named = [(f"U{number}", fuel, mover, mw) for number, ((fuel, mover), mw) in enumerate(units)]
    table: pa.Table = annual_rows(plant_row(), unit_rows(*named), told)
    plant, *rest = table.to_pylist()
    return plant, rest


@settings(max_examples=40)
@given(UNITS, YEARS, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_constant_capacity_factor_is_that_of_the_plant_and_of_all_its_units(units, year, factor, width) -> None:
    days = len(annual_window_days(year)[0])
    plant, rest = rows_of(units, year_of(year, np.full(days, factor), width))

    for row in (plant, *rest):
        assert row["capacity_factor"] == pytest.approx(factor)
        assert row["coverage"] == pytest.approx(1.0)
    for row, (_, mw) in zip(rest, units, strict=True):
        assert row["generation_mwh"] == pytest.approx(factor * mw * int(hours_in_year(year)))


@settings(max_examples=40)
@given(UNITS, YEARS, st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_no_unit_generates_more_than_it_can_and_a_plant_is_the_sum_of_its_units(units, year, seed, width) -> None:
    day, _ = annual_window_days(year)
    factor = np.random.default_rng(seed).uniform(0, 1, len(day))
    plant, rest = rows_of(units, year_of(year, factor, width))

    for row, (_, mw) in zip(rest, units, strict=True):
        most = mw * int(hours_in_year(year)) * (1 + 1e-9)
        for name in ("generation_mwh", "emissions_t_co2"):
            assert 0 <= row[f"{name}_p05"] <= row[name] <= row[f"{name}_p95"]
        assert row["generation_mwh_p95"] <= most
        assert row["emissions_t_co2"] == pytest.approx(row["generation_mwh"] * row["intensity_t_per_mwh"])
    for name in ("generation_mwh", "emissions_t_co2"):
        for end in ("", "_p05", "_p95"):
            assert plant[f"{name}{end}"] == pytest.approx(sum(row[f"{name}{end}"] for row in rest))


@settings(max_examples=20)
@given(UNITS, YEARS, st.floats(0.0, 0.5), st.integers(1, 2))
def test_twice_the_capacity_factor_is_twice_the_generation_and_co2(units, year, factor, times) -> None:
    days = len(annual_window_days(year)[0])
    once, more = (rows_of(units, year_of(year, np.full(days, of), 0.1))[0] for of in (factor, times * factor))
    for name in ("generation_mwh", "emissions_t_co2"):
        assert more[name] == pytest.approx(times * once[name])

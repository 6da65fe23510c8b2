"""Years as they were reported, and means of countries and fuels that leave the judged plant out."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from carbonray.stages.reported_years import (
    OTHER_PLANTS,
    STATISTICS,
    country_fuel,
    national_statistics,
    reported_years,
)
from tests.stages.small_years import YEAR, plants, reports, units


def asked(*rows):
    return pd.DataFrame(rows, columns=["plant_id", "country", "family", "year"])


def test_a_year_at_one_load_is_that_load_times_capacity_times_hours():
    found = reported_years([reports("a", 0.5, tons=0.9)], units("a"), [YEAR])

    row = found.iloc[0]
    assert row["generation_mwh"] == pytest.approx(0.5 * 100 * 8760)
    assert row["capacity_mwh"] == pytest.approx(100 * 8760)
    assert row["emissions_t_co2"] == pytest.approx(0.9 * 0.5 * 100 * 8760)
    assert (row["plant_id"], row["year"], len(found)) == ("a", YEAR, 1)


def test_a_year_is_scaled_from_what_is_known_and_left_out_where_too_little_is():
    nearly = reported_years([reports("a", 0.5, days=340)], units("a"), [YEAR])
    half = reported_years([reports("a", 0.5, days=180)], units("a"), [YEAR])

    assert nearly["generation_mwh"].tolist() == pytest.approx([0.5 * 100 * 8760])
    assert np.isnan(nearly["emissions_t_co2"]).all()
    assert not len(half)


def test_a_fiscal_year_is_shared_out_over_the_calendar_years_it_touches():
    from_april = [reports("a", load, year=YEAR - 1, days=365, first=90 + 365 * n) for n, load in enumerate((0.2, 0.6))]
    found = reported_years([pa.concat_tables(from_april)], units("a"), [YEAR - 1, YEAR])

    # 1 January 2021 is day 366 of the leap year 2020: 89 days of the first fiscal year are left
    assert found["year"].tolist() == [YEAR]
    assert found["generation_mwh"].tolist() == pytest.approx([100 * 24 * (0.2 * 89 + 0.6 * 276)])


def test_a_capacity_factor_that_cannot_be_is_no_year():
    assert not len(reported_years([reports("a", 3.0)], units("a"), [YEAR]))


def test_the_mean_of_a_country_and_fuel_leaves_the_judged_plant_out():
    names = ("a", "b", "c")
    told = [reports(name, factor) for name, factor in zip(names, (0.2, 0.6, 0.8), strict=True)]
    years = reported_years(told, units(*names), [YEAR])
    of = country_fuel(years, plants(a="USA", b="USA", c="POL"))

    assert of.name == OTHER_PLANTS
    found = of(asked(("a", "USA", "coal", YEAR), ("b", "USA", "coal", YEAR), ("new", "USA", "coal", YEAR)))
    assert found == pytest.approx([0.6, 0.2, 0.4])
    # nobody else in Poland: the fuel's mean anywhere; no gas anywhere: the year's
    found = of(asked(("c", "POL", "coal", YEAR), ("a", "USA", "gas", YEAR), ("a", "USA", "coal", YEAR + 1)))
    assert found[:2] == pytest.approx([0.4, 0.7])
    assert np.isnan(found[2])


def test_what_a_plant_reports_changes_nothing_about_its_own_baseline():
    def baseline(load):
        years = reported_years([reports("a", load), reports("b", 0.6)], units("a", "b"), [YEAR])
        return country_fuel(years, plants(a="USA", b="USA"))(asked(("a", "USA", "coal", YEAR)))

    assert baseline(0.1) == pytest.approx(baseline(0.9), abs=1e-12)


def test_national_statistics_come_first_and_the_name_says_so(tmp_path):
    path = tmp_path / "statistics.csv"
    path.write_text(
        "country,fuel,year,generation_mwh,capacity_mw\n"
        f"USA,bituminous,{YEAR},{0.5 * 1000 * 8760},1000\n"
        f"USA,lignite,{YEAR},{0.2 * 500 * 8760},500\n"
    )
    years = reported_years([reports("a", 0.9), reports("c", 0.3)], units("a", "c"), [YEAR])
    of = country_fuel(years, plants(a="USA", c="POL"), national_statistics(str(path)))

    assert of.name == STATISTICS
    found = of(asked(("a", "USA", "coal", YEAR), ("a", "POL", "coal", YEAR)))
    assert found == pytest.approx([0.4, 0.3])

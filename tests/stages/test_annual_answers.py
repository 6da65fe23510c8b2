"""Annual answers beside reports: closed forms, regions, blends, and a baseline on the same rows."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.science.power.capacity_factor import annual_window_days, hours_in_year
from carbonray.stages.annual_answers import REGIONS, annual_answers, judged_years, peer_years
from carbonray.stages.generation_answers import DAY_ANSWERS
from carbonray.stages.generation_folds import ORACLE
from carbonray.stages.plant_score_tables import annual_scores
from carbonray.stages.published_plants import PAPER_ANNUAL
from carbonray.stages.reported_years import OTHER_PLANTS, country_fuel, reported_years
from tests.stages.small_years import INTENSITY, YEAR, annual, plants, reports, units

LOADS = {"a": 0.2, "b": 0.6, "c": 0.8}
COUNTRIES = {"a": "USA", "b": "USA", "c": "POL"}


def judged(said, fold=lambda _name: 0, tons=INTENSITY):
    years = reported_years([reports(n, load, tons=tons) for n, load in LOADS.items()], units(*LOADS), [YEAR])
    table = pa.concat_tables([annual(n, COUNTRIES[n], said(load), fold(n)) for n, load in LOADS.items()])
    return judged_years(table, years, country_fuel(years, plants(**COUNTRIES)))


def days(factors, kind="NDT", model=ORACLE):
    day, _ = annual_window_days(YEAR)
    parts = [
        pa.table(
            {
                "plant_id": [name] * len(day),
                "day": day.astype(np.int32),
                "structure_kind": [kind] * len(day),
                "model": [model] * len(day),
                "capacity_factor": np.full(len(day), factor),
            },
            schema=DAY_ANSWERS,
        )
        for name, factor in factors.items()
    ]
    return pa.concat_tables(parts)


def scores(rows, peers=None):
    told = peer_years(DAY_ANSWERS.empty_table() if peers is None else peers)
    table = annual_scores(annual_answers(rows, OTHER_PLANTS, told)).to_pylist()
    return {(row["quantity"], row["region"], row["validation"], row["model"]): row for row in table}


def test_a_perfect_product_has_no_error_in_any_quantity_and_the_baseline_has_the_one_it_must():
    found = scores(judged(lambda load: load))

    twh = 100 * int(hours_in_year(YEAR)) / 1e6
    for quantity, unit in (("capacity_factor", 1.0), ("generation_twh", twh), ("emissions_mt_co2", twh * INTENSITY)):
        row = found[quantity, "US", "cross", "lasso"]
        assert row["rmse"] == pytest.approx(0.0, abs=1e-12)
        assert row["mbe"] == pytest.approx(0.0, abs=1e-12)
        # a is judged by b and b by a: both are off by 0.4
        assert row["baseline_rmse"] == pytest.approx(0.4 * unit)
        assert row["baseline_mbe"] == pytest.approx(0.0, abs=1e-12)
        assert (row["n_plants"], row["n_years"], row["role"]) == (2, 2, "model")
        assert found[quantity, "US", "cross", OTHER_PLANTS]["rmse"] == pytest.approx(0.4 * unit)
        assert found[quantity, "US", "cross", OTHER_PLANTS]["role"] == "trivial"


def test_a_product_that_says_too_much_has_that_bias():
    found = scores(judged(lambda load: load + 0.1))
    twh = 100 * int(hours_in_year(YEAR)) / 1e6
    assert found["capacity_factor", "all", "cross", "lasso"]["mbe"] == pytest.approx(0.1)
    assert found["generation_twh", "all", "cross", "lasso"]["rmse"] == pytest.approx(0.1 * twh)


def test_regions_and_validations_are_rows_and_the_papers_figures_stand_beside_the_model_alone():
    found = scores(judged(lambda load: load, fold=lambda name: 1 if name == "a" else -1))

    places = {key[:3] for key in found if key[0] == "emissions_mt_co2"}
    assert places == {
        ("emissions_mt_co2", *place)
        for place in (
            ("US", "cross"), ("US", "external"), ("EU", "external"), ("all", "cross"), ("all", "external"),
            ("all", "cross and external"),
        )
    }  # fmt: skip
    assert ("capacity_factor", "Europe", "external", "lasso") in found
    assert found["generation_twh", "US", "external", "lasso"]["published_rmse"] == 2.92
    assert np.isnan(found["generation_twh", "US", "external", OTHER_PLANTS]["published_rmse"])
    assert found["capacity_factor", "all", "cross and external", "lasso"]["n_plants"] == 3


def test_every_region_of_the_paper_has_countries():
    assert {region for _, region, _ in PAPER_ANNUAL} - {"EU"} == set(REGIONS.values())


def test_emissions_are_judged_only_where_they_are_reported():
    found = scores(judged(lambda load: load, tons=None))
    assert {key[0] for key in found} == {"capacity_factor", "generation_twh"}


def test_a_peers_days_make_its_year_and_its_tonnes():
    rows = judged(lambda load: load + 0.1)
    found = scores(rows, days(LOADS))

    assert found["capacity_factor", "US", "cross", ORACLE]["rmse"] == pytest.approx(0.0, abs=1e-12)
    assert found["emissions_mt_co2", "US", "cross", ORACLE]["rmse"] == pytest.approx(0.0, abs=1e-12)
    assert found["capacity_factor", "US", "cross", ORACLE]["role"] == "oracle"


def test_towers_and_stacks_of_a_plant_are_blended_and_short_years_left_out():
    both = pa.concat_tables([days({"a": 0.9}, "NDT"), days({"a": 0.3}, "FGD")])
    assert peer_years(both)["capacity_factor"].tolist() == pytest.approx([(2 * 0.9 + 0.3) / 3])
    half = days({"a": 0.9}).slice(0, 150)
    assert not len(peer_years(half))

"""A plant's year from its soundings: schemas, lineage, units, blend, coverage, and the same bytes from any order."""

import dataclasses
import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from carbonray.io.bundle_json import parsed_json
from carbonray.models.generation import GenerationRules
from carbonray.models.generation_ensemble import encode_ensemble, ensemble_sha256, opened_ensemble
from carbonray.models.generation_peers import PRODUCTION
from carbonray.science.power.annual import half_width
from carbonray.science.power.capacity_factor import annual_window_days, first_day
from carbonray.science.power.emissions import Calibration, unit_factors
from carbonray.science.spatial.geodesy import DAY_NS
from carbonray.stages.generation import SoundingsToGeneration
from carbonray.stages.generation_folds import GenerationFoldRules, ensemble_of, fit_rotations, held_out_years
from carbonray.vocab.plant_score_tables import ANNUAL_SCORES, COVERAGE, GENERATION_SCORES, SOUNDING_SCORES
from carbonray.vocab.product_tables import PLANTS_30DAY, PLANTS_ANNUAL, SOUNDINGS
from tests.stages.small_soundings import TIER, fleet, plant_row, unit_rows

SCORE_TABLES = (SOUNDING_SCORES, GENERATION_SCORES, ANNUAL_SCORES, COVERAGE)
RULES = GenerationFoldRules(generation=GenerationRules())
UNITS = unit_rows(("u1", "bituminous", "ST", 600.0), ("u2", "gas", "CC", 400.0))


@functools.cache
def small_fleet():
    return fleet(kinds=("NDT", "FGD"))


@functools.cache
def ensemble(kind):
    data = small_fleet().labelled(kind)
    soundings = data.soundings.filter(pc.equal(data.soundings.column("structure_kind"), kind))
    data = dataclasses.replace(data, soundings=soundings)
    return ensemble_of(data, fit_rotations(data, (PRODUCTION,), RULES), RULES, data_tier=TIER)


def told(kinds=("NDT",), soundings=None, plant=None, units=UNITS, year=2020, ensembles=None, calibration=()):
    stage = SoundingsToGeneration(ensembles or [ensemble(kind) for kind in kinds], calibration)
    return stage(small_fleet().soundings if soundings is None else soundings, plant or plant_row(), units, kinds, year)


def test_days_and_year_are_of_the_declared_schemas_and_near_the_truth() -> None:
    found = told()
    assert found.days.schema == PLANTS_30DAY
    assert found.annual.schema == PLANTS_ANNUAL
    days = found.days.to_pandas()
    assert (len(days), days["date"].min().isoformat(), days["date"].max().isoformat()) == (
        366,
        "2020-01-01",
        "2020-12-31",
    )
    truth = small_fleet().mean_30_days(first_day(2020) + np.arange(366))[0]
    assert np.sqrt(np.mean((days["capacity_factor"] - truth) ** 2)) < 0.1
    assert (days["capacity_factor_p05"] <= days["capacity_factor"]).all()
    assert (days["capacity_factor"] <= days["capacity_factor_p95"]).all()
    year = found.annual.to_pandas().iloc[0]
    assert year["capacity_factor"] == pytest.approx(small_fleet().daily[0, 365 : 365 + 366].mean(), abs=0.05)
    assert year["coverage"] > 0.95
    assert year["imputed_fraction"] < 0.05
    mine = pc.and_(
        pc.equal(small_fleet().soundings.column("plant_id"), "plant 00"),
        pc.equal(pc.year(small_fleet().soundings.column("time_utc_ns").cast(pa.timestamp("ns"))), 2020),
    )
    images = pc.count_distinct(small_fleet().soundings.filter(mine).column("image_id")).as_py()
    assert year["n_soundings"] == images


def test_the_plant_is_the_sum_of_its_units_and_a_unit_is_factor_times_capacity_times_hours() -> None:
    calibration = [Calibration("USA", "coal", 1.06, "test")]
    plant, *units = told(calibration=calibration).annual.to_pylist()
    assert plant["unit_id"] is None
    assert [unit["unit_id"] for unit in units] == ["u1", "u2"]
    for name in ("generation_mwh", "emissions_t_co2", "capacity_mw", "generation_mwh_p05", "emissions_t_co2_p95"):
        assert plant[name] == pytest.approx(sum(unit[name] for unit in units), rel=1e-12)
    intensity, rules = unit_factors(["bituminous", "gas"], ["ST", "CC"], ["USA"] * 2, calibration)
    for unit, capacity, factor, rule in zip(units, (600.0, 400.0), intensity, rules, strict=True):
        assert unit["generation_mwh"] == pytest.approx(plant["capacity_factor"] * capacity * 8784)
        assert unit["emissions_t_co2"] == pytest.approx(unit["generation_mwh"] * factor)
        assert (unit["intensity_t_per_mwh"], unit["intensity_rule"]) == (factor, rule)
    assert plant["intensity_t_per_mwh"] == pytest.approx(plant["emissions_t_co2"] / plant["generation_mwh"])
    assert plant["emissions_t_co2_p05"] < plant["emissions_t_co2"] < plant["emissions_t_co2_p95"]


def test_a_training_plant_is_told_by_its_held_out_instance_and_a_new_one_by_four() -> None:
    model = ensemble("NDT")
    found = told(plant=plant_row("plant 02")).days
    assert set(found.column("fold").to_pylist()) == {2}
    assert set(found.column("instances").to_pylist()) == {"2"}
    assert set(found.column("model_version").to_pylist()) == {ensemble_sha256(model)}
    soundings = small_fleet().soundings
    mine = soundings.filter(pc.equal(soundings.column("instance"), 2))
    assert told(plant=plant_row("plant 02"), soundings=mine).days.equals(found)
    new = dataclasses.replace(model, training_folds={})
    told_by_all = told(plant=plant_row("plant 02"), ensembles=[new]).days
    assert set(told_by_all.column("fold").to_pylist()) == {-1}
    assert set(told_by_all.column("instances").to_pylist()) == {"0,1,2,3"}
    assert not np.allclose(told_by_all.column("capacity_factor"), found.column("capacity_factor"))


def test_other_plants_and_the_order_of_rows_change_no_bit() -> None:
    soundings = small_fleet().soundings
    mine = soundings.filter(pc.equal(soundings.column("plant_id"), "plant 00"))
    shuffled = mine.take(np.random.default_rng(0).permutation(mine.num_rows))
    for kinds in (("NDT",), ("NDT", "FGD")):
        whole, alone = told(kinds), told(kinds, soundings=shuffled)
        assert whole.days.equals(alone.days)
        assert whole.annual.equals(alone.annual)


def test_towers_and_stacks_are_blended_two_to_one() -> None:
    days = told(("NDT", "FGD")).days.to_pandas().set_index(["structure_kind", "date"])
    ndt, fgd, both = (days.loc[kind] for kind in ("NDT", "FGD", "BOTH"))
    blend = (2 * ndt["capacity_factor"] + fgd["capacity_factor"]) / 3
    assert both["capacity_factor"].to_numpy() == pytest.approx(blend.to_numpy())
    assert (both["n_soundings"] == ndt["n_soundings"] + fgd["n_soundings"]).all()
    assert set(both["model_version"]) == {f"{ensemble_sha256(ensemble('NDT'))};{ensemble_sha256(ensemble('FGD'))}"}
    annual = told(("NDT", "FGD")).annual.to_pylist()
    assert {row["structure_kind"] for row in annual} == {"BOTH"}
    assert len(annual) == 3


def test_without_soundings_the_plant_is_imputed_and_says_so() -> None:
    model = ensemble("NDT")
    nothing = told(soundings=small_fleet().soundings.slice(0, 0))
    year = nothing.annual.to_pylist()[0]
    assert (year["coverage"], year["n_soundings"], year["imputed_fraction"]) == (0.0, 0, 1.0)
    assert year["capacity_factor"] == pytest.approx(model.instances[0].intercept)
    assert year["data_tier"] == TIER
    assert set(nothing.days.column("n_soundings").to_pylist()) == {0}


def test_units_count_while_they_are_in_service_and_an_unknown_plant_is_not_one_that_is_off() -> None:
    middle = (int(first_day(2020)) + 183) * DAY_NS
    units = unit_rows(
        ("old", "bituminous", "ST", 600.0, None, middle),
        ("gone", "bituminous", "ST", 600.0, None, 0),
        ("unknown fuel factor", "coal", "OT", 100.0),
    )
    plant, *rows = told(units=units).annual.to_pylist()
    assert [row["unit_id"] for row in rows] == ["old", "unknown fuel factor"]
    assert rows[0]["capacity_mw"] == pytest.approx(300.0)
    assert rows[0]["generation_mwh"] == pytest.approx(plant["capacity_factor"] * 300.0 * 8784)
    nobody = told(units=unit_rows()).annual.to_pylist()
    assert len(nobody) == 1
    assert np.isnan([nobody[0]["generation_mwh"], nobody[0]["emissions_t_co2"], nobody[0]["capacity_mw"]]).all()


@pytest.mark.parametrize("schema", [SOUNDINGS, PLANTS_30DAY, PLANTS_ANNUAL, *SCORE_TABLES])
def test_every_column_has_units_and_a_meaning_and_intervals_stand_in_pairs(schema) -> None:
    for field in schema:
        assert field.metadata[b"units"]
        assert len(field.metadata[b"long_name"]) > 5
        assert (f"{field.name}_p05" in schema.names) == (f"{field.name}_p95" in schema.names)
    assert "data_tier" in schema.names


def test_an_ensemble_passes_the_guard_of_hostile_json() -> None:
    document = parsed_json(encode_ensemble(ensemble("FGD")), where="test")
    assert ensemble_sha256(opened_ensemble(document, where="test")) == ensemble_sha256(ensemble("FGD"))


def test_a_plant_without_a_structure_that_models_know_has_no_rows() -> None:
    found = told(kinds=("FGD",), ensembles=[ensemble("NDT")])
    assert (found.days.num_rows, found.annual.num_rows) == (0, 0)
    assert found.annual.schema == PLANTS_ANNUAL


def test_annual_intervals_cover_new_plants_at_their_level() -> None:
    """Widths from one fleet's held-out years, judged on another: 24 plants, so the level less four standard errors."""
    first, other = fleet(seed=1, plants=16, every=8), fleet(seed=2, plants=24, every=8)
    data = first.labelled(step=1)
    held_out = fit_rotations(data, (PRODUCTION,), RULES)
    trained = ensemble_of(data, held_out, RULES, data_tier=TIER)
    years = held_out_years(held_out, PRODUCTION)
    assert trained.width_annual == half_width(years.predicted - years.observed, years.plant)
    assert trained.width_annual < 0.3
    day, count = annual_window_days(2020)
    inside = []
    stage = SoundingsToGeneration([dataclasses.replace(trained, training_folds={})])
    for number, name in enumerate(other.plants):
        row = stage(other.soundings, plant_row(name), UNITS, ("NDT",), 2020).annual.to_pylist()[0]
        truth = np.average(other.mean_30_days(day)[number], weights=count)
        inside.append(row["capacity_factor_p05"] <= truth <= row["capacity_factor_p95"])
    assert np.mean(inside) > 0.9 - 4.0 * np.sqrt(0.09 / len(inside))

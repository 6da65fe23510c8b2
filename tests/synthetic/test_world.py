"""The small Earth: pure functions of their keys, in layouts the real readers take, with mass conserved."""

import dataclasses
import io

import h5py
import numpy as np
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import SettingsError
from carbonray.io import tropomi, weather
from carbonray.io.co2_grids import read_co2_grid
from carbonray.io.references import read_sources
from carbonray.science.no2.dispersion import kg_m2_from_umol_m2
from carbonray.science.no2.puffs import PuffRules
from carbonray.science.spatial.gridding import grid_swath, lattice_area_km2
from carbonray.synthetic.columns import (
    Emitters,
    TransportRules,
    fine_grid,
    inside_region,
    plume_columns,
    seen_by_pixels,
)
from carbonray.synthetic.orbits import orbits_over, swath_geometry
from carbonray.synthetic.retrieval import RetrievalRules
from carbonray.synthetic.winds import Wind, WindRules, wind_at, wind_of
from carbonray.synthetic.world import (
    SOURCES_TRUTH,
    WorldRules,
    co2_grid,
    granule_bytes,
    granule_keys,
    simulated_swath,
    sources_csv,
    sources_table,
    weather_bytes,
)
from carbonray.vocab.sensors import SWATHS

SMALL = WorldRules(region=(110.0, 30.0, 114.0, 34.0), days=3, sources=4, weak_sources=2)
FIJI = dataclasses.replace(SMALL, region=(178.0, -20.0, -178.0, -16.0))
CALM = RetrievalRules(cloudiness=0.0, noise_umol_m2=0.0, stripe_umol_m2=0.0, lost_line_share=0.0)


@pytest.fixture(scope="module", params=[SMALL, FIJI], ids=["china", "across-180"])
def rules(request):
    return request.param


def test_a_granule_is_a_pure_function_of_its_key(rules):
    first, second = granule_keys(rules)[:2]
    once = granule_bytes(rules, *first)
    assert granule_bytes(rules, *second)[1] != once[1]
    assert granule_bytes(rules, *first) == once
    assert granule_bytes(dataclasses.replace(rules, seed=1), *first)[1] != once[1]
    assert weather_bytes(rules, 1) == weather_bytes(rules, 1)


def test_the_reader_of_real_granules_reads_it_back(rules, tmp_path):
    day, orbit = granule_keys(rules)[0]
    name, data = granule_bytes(rules, day, orbit)
    (tmp_path / name).write_bytes(data)
    swath, truth = tropomi.read_granule(str(tmp_path / name)), simulated_swath(rules, day, orbit)
    assert (swath.orbit, swath.data_tier, swath.granule) == (orbit, "SYNTHETIC-T2", name.removesuffix(".nc"))
    np.testing.assert_array_equal(swath.time_utc_ns, truth.geometry.time_utc_ns)
    np.testing.assert_allclose(swath.no2_mol_m2, truth.retrieval.no2_mol_m2, rtol=1e-5)
    np.testing.assert_allclose(swath.qa_value, truth.retrieval.qa_value, atol=0.0051)
    np.testing.assert_allclose(swath.lat_corners, truth.geometry.lat_corners, atol=1e-5)


def test_it_has_the_official_groups_types_and_scales():
    data = granule_bytes(SMALL, *granule_keys(SMALL)[0])[1]
    with h5py.File(io.BytesIO(data)) as file:
        column = file["PRODUCT/nitrogendioxide_tropospheric_column"]
        assert (column.dtype, column.ndim, column.shape[0]) == (np.dtype("<f4"), 3, 1)
        assert column.attrs["_FillValue"] == np.float32(9.96921e36)
        quality = file["PRODUCT/qa_value"]
        assert (quality.dtype, quality.attrs["_FillValue"]) == (np.dtype("u1"), 255)
        assert quality.attrs["scale_factor"] == np.float32(0.01)
        assert file["PRODUCT/SUPPORT_DATA/GEOLOCATIONS/latitude_bounds"].shape == (*column.shape, 4)
        assert "cloud_fraction_crb_nitrogendioxide_window" in file["PRODUCT/SUPPORT_DATA/DETAILED_RESULTS"]
        assert file.attrs["data_tier"] == "SYNTHETIC-T2"


def test_clouds_lower_the_quality_and_lines_are_lost():
    cloudy = dataclasses.replace(SMALL, retrieval=RetrievalRules(cloudiness=0.6, lost_line_share=0.1), seed=3)
    swath = simulated_swath(cloudy, *granule_keys(cloudy)[0])
    inside = inside_region(cloudy.region, swath.geometry.lat, swath.geometry.lon)
    there = np.isfinite(swath.retrieval.no2_mol_m2)
    assert not there[~inside].any()
    lost = ~there.any(axis=1) & inside.any(axis=1)
    assert 0 < lost.sum() < 0.4 * inside.any(axis=1).sum()
    cloud, quality = swath.retrieval.cloud_fraction[there], swath.retrieval.qa_value[there]
    assert quality[cloud < 0.05].min() > 0.75 > np.median(quality[cloud > 0.8])


def test_without_noise_the_retrieval_is_plume_times_factor_plus_background():
    clear = dataclasses.replace(SMALL, retrieval=dataclasses.replace(CALM, amf_factor=(1.0, 1.0), amf_relative_sd=0.0))
    swath = simulated_swath(clear, *granule_keys(clear)[0])
    there = np.isfinite(swath.retrieval.no2_mol_m2)
    truth = swath.plume_umol_m2 + swath.background_umol_m2
    np.testing.assert_allclose(1e6 * swath.retrieval.no2_mol_m2[there], truth[there], rtol=1e-12)


@pytest.mark.parametrize(("day", "name"), [(18110, "7 km"), (18125, "5.5 km")])
def test_the_swath_holds_the_mass_that_was_emitted(day, name):
    # SCIENCE 3.9: the integral of the column is Q tau (1 - exp(-L / (U tau))); here the oldest puff is the end
    region, tau_h, q, age_h = (110.0, 30.0, 118.0, 38.0), 2.0, 1.5, 8.0
    transport = TransportRules(puffs=PuffRules(step_s=360.0, max_age_h=age_h), no2_curve="jaenschwalde")
    grid = fine_grid(region, transport)
    wind = wind_of(WindRules(), np.random.default_rng(5))
    middle, nobody = (
        Emitters(np.zeros(1), np.zeros(1), np.full((1, 10), q)),
        Emitters(np.zeros(0), np.zeros(0), np.zeros((0, 10))),
    )
    field = plume_columns(24.0 * day, middle, nobody, wind, tau_h, grid, transport)
    geometry = swath_geometry(orbits_over(region, day, SWATHS["tropomi"], 1)[0], region, SWATHS["tropomi"])
    seen = seen_by_pixels(field, grid, geometry.lat_corners, geometry.lon_corners).reshape(-1, 1)
    corners = (geometry.lat_corners.reshape(-1, 4), geometry.lon_corners.reshape(-1, 4))
    pixels = grid_swath(*corners, seen, np.ones(len(seen), bool))
    area_m2 = 1e6 * lattice_area_km2(pixels.row) * pixels.coverage
    mass_kg = np.nansum(kg_m2_from_umol_m2(pixels.values[:, 0].astype(np.float64)) * area_m2)
    # emission as NO2 is NOx / 1.32; Jaenschwalde's curve gives 1 / (1.6 exp(-t / 1638 s) + 1.31) of the NOx
    ages = (np.arange(8 * 3600) + 0.5) / 1.0
    expected = q * np.sum(np.exp(-ages / (3600 * tau_h)) * 1.32 / (1.6 * np.exp(-ages / 1638.0) + 1.31))
    assert mass_kg == pytest.approx(expected, rel=0.02), name


def test_the_weather_file_is_the_known_wind_turned_to_north(rules, tmp_path):
    name, data = weather_bytes(rules, 0)
    (tmp_path / name).write_bytes(data)
    field = weather.open_wind([str(tmp_path / name)], weather.PlumeWindRules())
    orbit = granule_keys(rules)[0][1]
    geometry = swath_geometry(orbit, rules.region, SWATHS["tropomi"])
    assert field.time_ns[0] < geometry.time_utc_ns[0] < geometry.time_utc_ns[-1] < field.time_ns[-1]
    grid = fine_grid(rules.region, rules.transport)
    hour = int(field.time_ns[13])
    u, v = field.wind_at(np.array([grid.lat_centre]), np.array([grid.lon_centre]), np.array([hour]))
    wind = wind_of(rules.wind, np.random.default_rng(np.random.SeedSequence((rules.seed, 2))))
    known = wind_at(wind.synoptic, np.zeros(1), np.zeros(1), hour / 3.6e12)
    assert (u[0], v[0]) == pytest.approx((known[0][0], known[1][0]), abs=0.02)  # at the centre north is up


@given(x=st.floats(-400, 400), y=st.floats(-400, 400), hours=st.floats(4e5, 4.1e5))
def test_the_wind_neither_gathers_nor_spreads_air(x, y, hours):
    wind: Wind = wind_of(WindRules(), np.random.default_rng(0))
    step = 0.5
    east, west = (wind_at(wind.synoptic, np.array(x + d), np.array(y), hours)[0] for d in (step, -step))
    north, south = (wind_at(wind.synoptic, np.array(x), np.array(y + d), hours)[1] for d in (step, -step))
    shear = 2.5 * 2 * np.pi / 700  # the steepest wave there is
    assert abs(east - west + north - south) < 1e-3 * shear


def test_sources_are_known_apart_and_span_the_strengths(rules, tmp_path):
    table = sources_table(rules)
    assert table.schema == SOURCES_TRUTH
    assert table.column("q_kg_s").to_numpy()[[0, -1]] == pytest.approx(rules.q_kg_s[::-1])
    lat, lon = table.column("lat").to_numpy(), table.column("lon").to_numpy()
    assert inside_region(rules.region, lat, lon).all()
    assert np.all((lon >= -180) & (lon < 180))
    (tmp_path / "sources.csv").write_bytes(sources_csv(rules))
    inventory = read_sources(str(tmp_path / "sources.csv"))
    assert inventory.sources.num_rows == rules.sources
    assert set(inventory.sources.column("strength_units").to_pylist()) == {"kg s-1"}
    assert pyarrow.csv.read_csv(io.BytesIO(sources_csv(rules))).num_rows == rules.sources


def test_the_co2_grid_holds_every_source_in_tonnes_of_carbon(rules, tmp_path):
    data = co2_grid(rules)
    assert co2_grid(rules) == data
    (tmp_path / "co2.tif").write_bytes(data)
    grid = read_co2_grid(str(tmp_path / "co2.tif"), rules.region)
    strong = grid.emissions_t_co2 > 1000
    q = sources_table(rules).column("q_kg_s").to_numpy()
    assert strong.sum() == len(q)
    # 1 kg s-1 of CO2 is 2629.8 t in an average month
    assert np.sort(grid.emissions_t_co2[strong]) == pytest.approx(np.sort(q) * 500 * 2629.8 + 20 * 44 / 12, rel=1e-4)


def test_too_many_sources_are_refused():
    with pytest.raises(SettingsError, match=r"of 60 sources fit .*world.sources"):
        sources_table(dataclasses.replace(SMALL, sources=60))

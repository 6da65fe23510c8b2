"""Weather at plants is exact where it is linear, the same however ERA5 is written, and unknown where it is unknown."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import DataError
from carbonray.io.plant_weather import (
    ZERO_C_K,
    PlantWeatherRules,
    Sites,
    gridded_weather,
    relative_humidity_pct,
    sites_of,
    weather_at,
)
from carbonray.science.spatial.geodesy import HOUR_NS
from carbonray.vocab.plant_tables import PLANT_WEATHER

RULES = PlantWeatherRules()
NOON = int(np.datetime64("2021-07-25T12", "ns").astype(np.int64))
DIMS = ("valid_time", "latitude", "longitude")


def sites(*places: tuple[float, float]) -> Sites:
    lat, lon = np.array(places).T
    return Sites(np.array([f"p{n}" for n in range(len(places))], dtype=object), lat, lon)


def linear(t: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    return 285.0 + 0.5 * t + 0.3 * lat - 0.2 * lon


def era5(
    lat=(-26.0, -22.0), lon=(25.0, 29.0), hours=(0, 1, 2), of: Callable[..., np.ndarray] = linear, dewpoint=True
) -> xr.Dataset:
    axes = {
        "valid_time": np.array(NOON + np.array(hours) * HOUR_NS, dtype="datetime64[ns]"),
        "latitude": np.arange(lat[1], lat[0] - 1e-9, -0.5),
        "longitude": np.arange(lon[0], lon[1] + 1e-9, 0.5),
    }
    grid = np.meshgrid(np.array(hours, float), axes["latitude"], axes["longitude"], indexing="ij")
    t2m = of(*grid).astype(np.float32)
    variables = {
        "t2m": (DIMS, t2m, {"units": "K"}),
        "u10": (DIMS, np.full_like(t2m, 3.0), {"units": "m s**-1"}),
        "v10": (DIMS, np.full_like(t2m, -2.0), {"units": "m s**-1"}),
        "tcc": (DIMS, np.full_like(t2m, 0.25), {"units": "(0 - 1)"}),
    }
    if dewpoint:
        variables["d2m"] = (DIMS, t2m - 10.0, {"units": "K"})
    return xr.Dataset(variables, coords=axes)


def read(dataset: xr.Dataset, folder: Path, where: Sites, rules=RULES, between=None) -> dict[str, np.ndarray]:
    path = folder / "era5.nc"
    dataset.to_netcdf(path, engine="h5netcdf")
    table = pa.concat_tables(gridded_weather(str(path), where, rules, between))
    assert table.schema.equals(PLANT_WEATHER)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def test_a_linear_field_is_exact_at_plants_and_humidity_is_the_dewpoint_s(tmp_path: Path) -> None:
    found = read(era5(), tmp_path, sites((-24.13, 27.31), (-25.99, 25.01)))
    assert found["plant_id"].tolist() == ["p0", "p1"] * 3
    hour = (found["time_utc_ns"] - NOON) / HOUR_NS
    lat, lon = np.tile([-24.13, -25.99], 3), np.tile([27.31, 25.01], 3)
    assert found["temperature_c"] + ZERO_C_K == pytest.approx(linear(hour, lat, lon), abs=1e-3)
    dew = found["temperature_c"] - 10.0
    assert found["relative_humidity_pct"] == pytest.approx(relative_humidity_pct(found["temperature_c"], dew), abs=0.01)
    assert (found["wind_u_m_s"] == 3.0).all()
    assert (found["wind_v_m_s"] == -2.0).all()
    assert (found["cloud_cover"] == 0.25).all()


@pytest.mark.parametrize("form", ["ascending", "transposed", "0 to 360", "old names", "zarr", "packed", "backward"])
def test_the_same_weather_in_another_form_is_the_same_weather(tmp_path: Path, form: str) -> None:
    where = sites((-24.13, -1.69), (-25.99, 1.01))
    plain = era5(lon=(-4.0, 4.0))
    expected = read(plain, tmp_path, where)
    changed = {
        "ascending": plain.sortby("latitude"),
        "transposed": plain.transpose("longitude", "valid_time", "latitude"),
        "0 to 360": plain.assign_coords(longitude=np.mod(plain["longitude"], 360.0)).sortby("longitude"),
        "old names": plain.rename(valid_time="time", latitude="lat", longitude="lon"),
        "backward": plain.isel(valid_time=[2, 1, 0]),
    }.get(form, plain)
    if form == "zarr":
        changed.to_zarr(tmp_path / "era5.zarr", consolidated=False)
        table = pa.concat_tables(gridded_weather(str(tmp_path / "era5.zarr"), where, RULES))
        found = {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
    else:
        if form == "packed":
            packing = {"dtype": "int16", "scale_factor": 0.002, "add_offset": 285.0, "_FillValue": -32768}
            changed.to_netcdf(tmp_path / "packed.nc", engine="h5netcdf", encoding={"t2m": packing, "d2m": packing})
            changed = xr.open_dataset(tmp_path / "packed.nc", engine="h5netcdf", mask_and_scale=False)
        found = read(changed, tmp_path, where)
    for name in ("temperature_c", "relative_humidity_pct"):
        assert found[name] == pytest.approx(expected[name], abs=0.05)
    assert found["time_utc_ns"].tolist() == expected["time_utc_ns"].tolist()


def test_plants_on_both_sides_of_the_date_line_and_a_field_around_the_globe(tmp_path: Path) -> None:
    where = sites((-24.0, 179.9), (-24.0, -179.9), (-24.0, 180.0))
    wave = era5(lon=(170.0, 190.0), of=lambda t, lat, lon: 285.0 + (lon - 180.0))
    assert read(wave, tmp_path, where)["temperature_c"][:3] + ZERO_C_K == pytest.approx([284.9, 285.1, 285.0], abs=1e-3)
    globe = era5(lon=(0.0, 359.5), of=lambda t, lat, lon: 285.0 + np.cos(np.radians(lon)))
    found = read(globe, tmp_path, sites((-24.0, -0.25), (-24.0, 359.75)))["temperature_c"]
    assert found[0] == pytest.approx(found[1])
    assert found[0] + ZERO_C_K == pytest.approx(286.0, abs=1e-3)


def test_plants_outside_the_box_have_no_rows_and_a_missing_dewpoint_is_nan(tmp_path: Path) -> None:
    found = read(era5(dewpoint=False), tmp_path, sites((-26.2, 25.0), (-26.3, 25.0), (10.0, 25.0)))
    assert set(found["plant_id"]) == {"p0"}
    assert np.isnan(found["relative_humidity_pct"]).all()
    assert np.isfinite(found["temperature_c"]).all()


def test_times_come_in_blocks_of_any_size_and_only_those_asked_for(tmp_path: Path) -> None:
    where = sites((-24.0, 27.0))
    whole, blocks = (read(era5(hours=range(7)), tmp_path, where, PlantWeatherRules(steps_at_once=n)) for n in (24, 2))
    assert all(np.array_equal(whole[name], blocks[name]) for name in whole)
    some = read(era5(hours=range(7)), tmp_path, where, between=(NOON + 3 * HOUR_NS + 1, NOON + 4 * HOUR_NS))
    assert ((some["time_utc_ns"] - NOON) // HOUR_NS).tolist() == [3, 4]


@pytest.mark.parametrize("fault", ["celsius", "units", "no temperature", "no time", "ensemble", "fill"])
def test_what_is_no_weather_in_known_units_is_refused(tmp_path: Path, fault: str) -> None:
    plain = era5()
    bad = {
        "celsius": plain.assign(t2m=(plain["t2m"] - ZERO_C_K).assign_attrs(units="K")),
        "units": plain.assign(t2m=plain["t2m"].assign_attrs(units="degC")),
        "no temperature": plain.drop_vars("t2m"),
        "no time": plain.isel(valid_time=0, drop=True),
        "ensemble": plain.expand_dims(number=[0, 1]),
        "fill": plain.assign(t2m=plain["t2m"].where(plain["latitude"] > -25, 9.97e36).assign_attrs(units="K")),
    }[fault]
    with pytest.raises(DataError):
        read(bad, tmp_path, sites((-24.0, 27.0)))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    era5().to_netcdf(tmp_path / "whole.nc", engine="h5netcdf")
    (tmp_path / "cut.nc").write_bytes((tmp_path / "whole.nc").read_bytes()[:3000])
    with pytest.raises(DataError):
        list(gridded_weather(str(tmp_path / "cut.nc"), sites((-24.0, 27.0)), RULES))


def test_weather_at_a_moment_is_linear_in_time_and_bridges_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "era5.nc"
    era5(hours=(0, 1, 2, 9)).to_netcdf(path, engine="h5netcdf")
    table = pa.concat_tables(gridded_weather(str(path), sites((-24.0, 27.0), (-25.0, 28.0)), RULES))
    ids, hours = np.array(["p0", "p1", "p0", "p0", "p0", "new"]), np.array([0.5, 1.25, 2.0, 5.0, 9.1, 1.0])
    found = weather_at(table, ids, NOON + (hours * HOUR_NS).astype(np.int64), RULES)
    expected = linear(hours, np.array([-24.0, -25.0, -24.0, *[np.nan] * 3]), np.array([27.0, 28.0, 27.0, 0, 0, 0]))
    assert found["temperature_c"] + ZERO_C_K == pytest.approx(expected, abs=1e-3, nan_ok=True)
    wide = weather_at(table, ["p0"], [NOON + 5 * HOUR_NS], PlantWeatherRules(max_gap_h=7.0))
    assert np.isfinite(wide["temperature_c"][0])


@given(st.floats(-40, 45), st.floats(0, 30))
def test_humidity_falls_as_the_dewpoint_does(temperature_c: float, spread: float) -> None:
    humid = relative_humidity_pct(temperature_c, temperature_c - np.array([0.0, spread, spread + 1.0]))
    assert humid[0] == pytest.approx(100.0)
    assert humid[2] < humid[1] <= 100.0


def test_humidity_beside_published_values() -> None:
    # National Weather Service's table of dewpoint and humidity: 30 C and 20 C is 55 %, 10 C and 0 C is 50 %
    assert relative_humidity_pct([30.0, 10.0], [20.0, 0.0]) == pytest.approx([55.1, 49.8], abs=0.3)
    assert np.isnan(relative_humidity_pct(20.0, np.nan))


def test_era5_at_matimba_has_temperature_and_no_humidity(shared_data: Path) -> None:
    plants = pa.table({"plant_id": ["matimba"], "lat": [-23.668], "lon": [27.611]})
    url = str(shared_data / "tropomi/matimba/Matimba_ERA5-sl-20210725.nc")
    table = pa.concat_tables(gridded_weather(url, sites_of(plants), RULES))
    assert table.num_rows == 24
    warm = table.column("temperature_c").to_numpy()
    assert 4.0 < warm.min() < 8.0
    assert 16.0 < warm.max() < 21.0  # a winter's day on the Limpopo
    assert warm.argmax() == 13  # 13 UTC is 15 h local
    assert np.isnan(table.column("relative_humidity_pct").to_numpy()).all()  # the file holds no dewpoint
    assert (table.column("cloud_cover").to_numpy() <= 1).all()

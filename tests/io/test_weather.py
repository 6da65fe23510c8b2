"""The plume wind is exact where it is linear, the same however ERA5 is written, and unknown where it is unknown."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.weather import GRAVITY_M_S2, PlumeWindRules, open_wind
from carbonray.science.spatial.geodesy import HOUR_NS

RULES = PlumeWindRules()
NOON = np.datetime64("2021-07-25T12", "ns").astype(np.int64)
SPEED = {"units": "m s**-1"}


def grid(lat=(-26.0, -22.0), lon=(25.0, 29.0), step=0.5, hours=(10, 11, 12, 13)):
    return {
        "valid_time": np.datetime64("2021-07-25T00", "ns") + np.array(hours) * np.timedelta64(1, "h"),
        "latitude": np.arange(lat[1], lat[0] - 1e-9, -step),
        "longitude": np.arange(lon[0], lon[1] + 1e-9, step),
    }


def linear(axes, of=lambda t, lat, lon: 0.5 * t + 0.3 * lat - 0.2 * lon):
    """A field linear in hours after noon, latitude and longitude, on a grid's axes."""
    hours = (axes["valid_time"].astype(np.int64) - NOON) / HOUR_NS
    return of(hours[:, None, None], axes["latitude"][None, :, None], axes["longitude"][None, None, :])


def single_level(axes, u=None, v=None, **more):
    u = linear(axes) if u is None else u
    v = -2.0 * linear(axes) if v is None else v
    dims = ("valid_time", "latitude", "longitude")
    variables = {"u100": (dims, u.astype(np.float32), SPEED), "v100": (dims, v.astype(np.float32), SPEED), **more}
    return xr.Dataset(variables, coords=axes)


def written(dataset, path):
    dataset.to_netcdf(path, engine="h5netcdf")
    return str(path)


@pytest.fixture
def field(tmp_path):
    return open_wind([written(single_level(grid()), tmp_path / "sl.nc")], RULES)


@pytest.mark.parametrize("at", [(-24.13, 27.31, 0.0), (-25.999, 28.99, 0.77), (-22.0, 25.0, -2.0)])
def test_a_linear_field_is_interpolated_exactly(field, at):
    lat, lon, hours = at
    u, v = field.wind_at(lat, lon, NOON + int(hours * HOUR_NS))
    expected = 0.5 * hours + 0.3 * lat - 0.2 * lon
    assert (u, v) == pytest.approx((expected, -2 * expected), abs=1e-4)
    assert field.layer == "100 m above ground"


def test_points_broadcast_and_longitudes_count_any_number_of_turns(field):
    u, _ = field.wind_at(np.array([[-24.0], [-25.0]]), np.array([26.0, 27.0, 28.0]) - 360.0, NOON)
    assert u.shape == (2, 3)
    assert u.dtype == np.float32
    assert np.allclose(u, field.wind_at(np.array([[-24.0], [-25.0]]), np.array([26.0, 27.0, 28.0]), NOON)[0], atol=1e-5)


def test_outside_its_box_the_wind_holds_so_far_and_is_then_unknown(field):
    edge, _ = field.wind_at(-26.0, 29.0, NOON)
    assert field.wind_at(-27.9, 30.9, NOON)[0] == edge
    assert np.isnan(field.wind_at(-28.1, 29.0, NOON)[0])
    assert np.isnan(field.wind_at(-26.0, 31.1, NOON)[1])
    last, _ = field.wind_at(-24.0, 27.0, NOON + HOUR_NS)
    assert field.wind_at(-24.0, 27.0, NOON + int(1.9 * HOUR_NS))[0] == last
    assert np.isnan(field.wind_at(-24.0, 27.0, NOON + int(2.1 * HOUR_NS))[0])


@pytest.mark.parametrize("form", ["ascending", "transposed", "old names", "0 to 360", "singletons", "packed"])
def test_the_same_wind_in_another_form_is_the_same_wind(tmp_path, field, form):
    plain = single_level(grid())
    packing = {"dtype": "int16", "scale_factor": 1e-3, "_FillValue": -32768}
    forms = {
        "ascending": lambda: plain.sortby("latitude"),
        "transposed": lambda: plain.transpose("longitude", "latitude", "valid_time"),
        "old names": lambda: plain.rename(valid_time="time", latitude="lat", longitude="lon"),
        "0 to 360": lambda: plain.assign_coords(longitude=plain["longitude"] + 360.0).sortby("longitude"),
        "singletons": lambda: plain.expand_dims(number=[0]),
        "packed": lambda: plain,
    }
    path = tmp_path / "other.nc"
    encoding = {"u100": packing, "v100": packing} if form == "packed" else {}
    forms[form]().to_netcdf(path, engine="h5netcdf", encoding=encoding)
    other = open_wind([str(path)], RULES)
    points = np.linspace(-26, -22, 7), np.linspace(25, 29, 7), NOON
    assert np.allclose(other.wind_at(*points), field.wind_at(*points), atol=1e-3 if form == "packed" else 1e-5)


def test_a_zarr_store_is_the_same_wind(tmp_path, field):
    store = tmp_path / "wind.zarr"
    single_level(grid()).to_zarr(store, zarr_format=3, consolidated=False)
    other = open_wind([f"file://{store}"], RULES)
    assert np.array_equal(other.u_m_s, field.u_m_s)


@pytest.mark.parametrize("lon", [(-180.0, 179.5), (0.0, 359.5)])
def test_a_field_around_the_globe_has_no_seam(tmp_path, lon):
    axes = grid(lon=lon)
    wave = linear(axes, lambda t, lat, x: np.cos(np.radians(x)) + 0 * t + 0 * lat)
    field = open_wind(
        [written(single_level(axes, wave, wave), tmp_path / "globe.nc")], PlumeWindRules(max_extrapolation_deg=0.0)
    )
    points = np.linspace(-540.0, 540.0, 997)
    assert np.allclose(field.wind_at(-24.0, points, NOON)[0], np.cos(np.radians(points)), atol=1e-4)


@pytest.mark.parametrize("shift", [0.0, 360.0])
def test_a_box_across_the_antimeridian_is_one_box(tmp_path, shift):
    axes = grid(lon=(178.0, 182.0))
    u = linear(axes)
    axes["longitude"] = np.mod(axes["longitude"] + 180.0, 360.0) - 180.0 + shift * (axes["longitude"] >= 180.0)
    field = open_wind([written(single_level(axes, u, u), tmp_path / "box.nc")], RULES)
    assert field.wind_at(-24.0, [179.25, 180.0, -179.25], NOON)[0] == pytest.approx(
        0.3 * -24.0 - 0.2 * np.array([179.25, 180.0, 180.75]), abs=1e-4
    )
    assert np.isnan(field.wind_at(-24.0, 0.0, NOON)[0])


def levels(axes, wind_of_height, ground_m, hpa=(1000.0, 950.0, 900.0, 850.0, 800.0), units="hPa"):
    """Pressure levels 450 m apart from sea level up, the wind a function of height above ground."""
    dims = ("valid_time", "pressure_level", "latitude", "longitude")
    shape = tuple(len(axes[name]) for name in ("valid_time", "latitude", "longitude"))
    height = np.broadcast_to((450.0 * np.arange(5))[None, :, None, None], (shape[0], 5, *shape[1:]))
    u = wind_of_height(height - ground_m).astype(np.float32)
    coords = {**axes, "pressure_level": ("pressure_level", np.array(hpa), {"units": units})}
    geopotential = (dims, (height * GRAVITY_M_S2).astype(np.float32), {"units": "m**2 s**-2"})
    return xr.Dataset({"u": (dims, u, SPEED), "v": (dims, -u, SPEED), "z": geopotential}, coords=coords)


def ground(axes, ground_m):
    field = np.full(tuple(len(axes[name]) for name in ("valid_time", "latitude", "longitude")), ground_m * GRAVITY_M_S2)
    return ("valid_time", "latitude", "longitude"), field.astype(np.float32), {"units": "m**2 s**-2"}


@pytest.mark.parametrize("ground_m", [0.0, 300.0, 700.0])
@pytest.mark.parametrize("order", [1, -1])
def test_the_plume_layer_is_told_above_ground_wherever_the_ground_is(tmp_path, ground_m, order):
    axes = grid()
    pressure = levels(axes, lambda above: np.where(above < 0, 99.0, above / 100.0), ground_m)
    pressure = pressure.isel(pressure_level=slice(None, None, order))
    surface = single_level(axes, z=ground(axes, ground_m))
    urls = [written(surface, tmp_path / "sl.nc"), written(pressure, tmp_path / "pl.nc")]
    field = open_wind(urls, RULES)
    # linear profile: its mean over 100 to 1000 m is its value at 550 m, less where the lowest level is held downward
    targets = np.linspace(100.0, 1000.0, 10)
    lowest = min(h for h in 450.0 * np.arange(5) - ground_m if h >= 0)
    assert field.wind_at(-24.2, 27.3, NOON)[0] == pytest.approx(np.maximum(targets, lowest).mean() / 100.0, abs=1e-3)
    assert field.layer == "mean over 100 to 1000 m above ground"


@pytest.mark.parametrize(("scale", "units"), [(1.0, "hPa"), (100.0, "Pa")])
def test_without_heights_the_named_levels_are_averaged(tmp_path, scale, units):
    pressure = levels(
        grid(), lambda above: above, 0.0, tuple(scale * p for p in (1000.0, 950.0, 900.0, 850.0, 800.0)), units
    )
    rules = PlumeWindRules(levels_hpa=(950.0, 900.0))
    field = open_wind(
        [written((pressure / 100.0).drop_vars("z").map(lambda v: v.assign_attrs(SPEED)), tmp_path / "pl.nc")], rules
    )
    assert field.wind_at(-24.0, 27.0, NOON)[0] == pytest.approx(6.75)
    assert "950" in field.layer


def test_days_come_in_any_order_and_may_overlap(tmp_path):
    later = written(single_level(grid(hours=(12, 13))), tmp_path / "later.nc")
    early = written(single_level(grid(hours=(10, 11, 12))), tmp_path / "early.nc")
    field = open_wind([later, early], RULES)
    assert ((field.time_ns - NOON) // HOUR_NS).tolist() == [-2, -1, 0, 1]


def test_only_the_hours_around_an_interval_are_loaded(tmp_path, field):
    path = written(single_level(grid()), tmp_path / "wind.nc")
    part = open_wind([path], RULES, between_ns=(NOON - HOUR_NS // 2, NOON - HOUR_NS // 4))
    assert ((part.time_ns - NOON) // HOUR_NS).tolist() == [-1, 0]
    at = (-24.1, 27.7, NOON - HOUR_NS // 3)
    assert part.wind_at(*at) == field.wind_at(*at)


def knots(dataset):
    dataset["u100"].attrs["units"] = "knots"
    return dataset


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        (knots(single_level(grid())), "'knots'"),
        (single_level(grid(), u=np.full((4, 9, 9), 9.97e36)), "up to 9.97e"),
        (single_level(grid()).drop_vars("v100"), "no plume wind among"),
        (single_level(grid()).isel(latitude=0, drop=True), "axes \\['lat'\\] are missing"),
        (single_level(grid()).expand_dims(number=[0, 1]), "axes .*number"),
        (
            levels(grid(), lambda above: above / 100, 0.0).assign(z=lambda d: d["z"].assign_attrs(units="m")),
            "geopotential in 'm'",
        ),
    ],
)
def test_a_wind_that_cannot_be_used_is_refused_with_the_reason(tmp_path, dataset, reason):
    with pytest.raises(DataError, match=reason):
        open_wind([written(dataset, tmp_path / "wind.nc")], RULES)


def test_files_of_different_grids_are_refused(tmp_path):
    one = written(single_level(grid()), tmp_path / "one.nc")
    other = written(single_level(grid(step=1.0)), tmp_path / "other.nc")
    with pytest.raises(DataError, match="different lat axes"):
        open_wind([one, other], RULES)


@pytest.mark.parametrize("data", [b"", b"u100,v100\n1,2\n"])
def test_a_broken_or_absent_wind_file_is_refused(tmp_path, data):
    path = tmp_path / "wind.nc"
    path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        open_wind([str(path)], RULES)
    whole = tmp_path / "whole.nc"
    written(single_level(grid()), whole)
    path.write_bytes(whole.read_bytes()[:-500])
    with pytest.raises(DataError):
        open_wind([str(path)], RULES)
    for absent in ("nowhere.nc", "nowhere.zarr"):
        with pytest.raises(DataError):
            open_wind([str(tmp_path / absent)], RULES)


def test_no_file_is_no_wind():
    with pytest.raises(DataError, match="no plume wind"):
        open_wind([], RULES)


def test_the_real_wind_over_matimba_and_beyond_its_box(shared_data):
    urls = [str(path) for path in sorted((shared_data / "tropomi/matimba").glob("*ERA5*.nc"))]
    overpass = np.datetime64("2021-07-25T11:44:52", "ns").astype(np.int64)
    field = open_wind(urls, RULES)
    assert field.layer == "mean over 100 to 1000 m above ground"
    u, v = field.wind_at(-23.67, 27.61, overpass)
    u_100, v_100 = open_wind(urls[1:], RULES).wind_at(-23.67, 27.61, overpass)
    assert np.hypot(u - u_100, v - v_100) < 1.5  # a mixed layer: little shear at noon
    assert u < -4  # toward the west, where Matimba's plume is
    held = field.wind_at([-26.27, -25.2], [29.05, 29.0], overpass)
    assert np.isfinite(held).all()
    assert held[0][0] == held[0][1]
    assert np.isnan(open_wind(urls, PlumeWindRules(max_extrapolation_deg=1.0)).wind_at(-26.27, 29.05, overpass)[0])


@pytest.mark.s3
def test_wind_files_and_stores_are_read_from_s3(tmp_path, s3_server, field):
    path, store = tmp_path / "sl.nc", tmp_path / "wind.zarr"
    objectstore.put_bytes(f"{s3_server}/sl.nc", Path(written(single_level(grid()), path)).read_bytes())
    single_level(grid()).to_zarr(store, zarr_format=3, consolidated=False)
    for key in objectstore.listing(str(store)):
        objectstore.put_bytes(f"{s3_server}/wind.zarr/{key}", (store / key).read_bytes())
    for name in ("sl.nc", "wind.zarr"):
        assert np.array_equal(open_wind([f"{s3_server}/{name}"], RULES).u_m_s, field.u_m_s)
    with pytest.raises(DataError, match="no such object"):
        open_wind([f"{s3_server}/nowhere.zarr"], RULES)

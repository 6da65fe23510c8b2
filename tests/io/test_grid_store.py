"""Annual grids: laws of the store, and what xarray and zarr see of it from outside."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.io.grid_layout import HOTSPOT_VARIABLES, NO2_LATTICE, GridLayout, GridRules, Lattice
from carbonray.io.grid_store import encode_shard, open_grid, shard_fields, shard_slices, template

WORLD = GridLayout((2019, 2021), HOTSPOT_VARIABLES, NO2_LATTICE, attributes=(("data_tier", "SYNTHETIC-T2"),))
TOY = GridLayout((2019, 2020), HOTSPOT_VARIABLES, Lattice(36, 72, 5.0), GridRules(shard_px=12, chunk_px=6))


def put(folder: Path, objects: dict[str, bytes]) -> str:
    for key, data in objects.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(data)
    return str(folder)


def some_fields(layout: GridLayout, seed: int = 0) -> dict[str, np.ndarray]:
    rng, side = np.random.default_rng(seed), layout.rules.shard_px
    return {v.name: (100 * rng.random((side, side))).astype(v.dtype) for v in layout.variables}


def test_a_written_shard_reads_back_where_it_belongs(tmp_path):
    fields = some_fields(WORLD)
    grid = open_grid(put(tmp_path, template(WORLD) | encode_shard(WORLD, 2021, 3, 5, fields)))
    rows, cols = shard_slices(WORLD, 3, 5)
    for name, field in fields.items():
        np.testing.assert_array_equal(grid[name][1, rows, cols].values, field.astype(np.float32))
    # row 0 is north: the shard's first pixel is centred 0.5 pixels south of 90 - 3 * 18 and east of -180 + 5 * 18
    there = grid.n_valid_days.isel(time=1).sel(lat=35.975, lon=-89.975, method="nearest")
    assert there.values == fields["n_valid_days"][0, 0]


def test_missing_shards_and_years_read_as_missing(tmp_path):
    grid = open_grid(put(tmp_path, template(TOY) | encode_shard(TOY, 2020, 1, 1, some_fields(TOY))))
    written = np.zeros((2, 36, 72), bool)
    written[1, 12:24, 12:24] = True
    for variable in TOY.variables:
        np.testing.assert_array_equal(np.isfinite(grid[variable.name].values), written)


def test_axes_are_cf_and_north_up(tmp_path):
    grid = open_grid(put(tmp_path, template(WORLD)))
    assert grid.lat.values[[0, -1]] == pytest.approx([89.975, -89.975])
    assert grid.lon.values[[0, -1]] == pytest.approx([-179.975, 179.975])
    assert np.all(np.diff(grid.lat) < 0)
    assert grid.lat.attrs["standard_name"] == "latitude"
    assert grid.lon.attrs["units"] == "degrees_east"
    assert grid.time.values.astype("datetime64[D]").astype(str).tolist() == ["2019-01-01", "2021-01-01"]
    assert grid.time_bnds.values.astype("datetime64[D]").astype(str).tolist()[1] == ["2021-01-01", "2022-01-01"]
    assert grid.attrs["Conventions"] == "CF-1.11"
    assert grid.attrs["data_tier"] == "SYNTHETIC-T2"
    assert {v.attrs["grid_mapping"] for v in grid.data_vars.values()} == {"spatial_ref"}
    assert grid.spatial_ref.attrs["grid_mapping_name"] == "latitude_longitude"
    west, step_x, _, north, _, step_y = map(float, grid.spatial_ref.attrs["GeoTransform"].split())
    assert (west, step_x, north, step_y) == (-180.0, 0.05, 90.0, -0.05)
    assert grid.attrs["spatial:bbox"] == [-180.0, -90.0, 180.0, 90.0]


def test_it_is_zarr_3_sharded_with_declared_fill(tmp_path):
    store = put(tmp_path, template(WORLD))
    for variable in WORLD.variables:
        array = zarr.open_array(store, path=variable.name, mode="r")
        assert (array.metadata.zarr_format, array.shards, array.chunks) == (3, (1, 360, 360), (1, 120, 120))
        assert array.dtype == np.dtype(variable.dtype)
        assert array.fill_value == variable.fill or np.isnan([array.fill_value, variable.fill]).all()
    with xr.open_dataset(store, engine="zarr", consolidated=False, chunks=None) as plain:
        assert set(plain.data_vars) == {v.name for v in WORLD.variables}


def test_the_bytes_are_the_same_every_time():
    assert template(WORLD) == template(WORLD)
    first, again = (encode_shard(TOY, 2019, 2, 5, some_fields(TOY)) for _ in range(2))
    assert first == again
    assert sorted(first) == [f"{name}/c/0/2/5" for name in sorted(v.name for v in TOY.variables)]
    assert encode_shard(TOY, 2019, 2, 5, some_fields(TOY, seed=1)) != first


def test_a_field_of_fill_puts_no_object():
    empty = shard_fields(TOY, 0, 0, {"row": np.zeros(0, np.int16), "col": np.zeros(0, np.int16)} | {
        v.name: np.zeros(0, v.dtype) for v in TOY.variables
    })  # fmt: skip
    assert encode_shard(TOY, 2019, 0, 0, empty) == {}


@given(
    pixels=st.sets(st.tuples(st.integers(12, 23), st.integers(24, 35)), min_size=1, max_size=40),
    seed=st.integers(0, 2**16),
)
def test_sparse_pixels_become_dense_fields(pixels, seed):
    row, col = np.array(sorted(pixels), np.int16).T
    rng = np.random.default_rng(seed)
    columns = {v.name: rng.integers(0, 300, len(row)).astype(v.dtype) for v in TOY.variables}
    fields = shard_fields(TOY, 1, 2, {"row": row, "col": col} | columns)
    for variable in TOY.variables:
        np.testing.assert_array_equal(fields[variable.name][row - 12, col - 24], columns[variable.name])
        assert fields[variable.name].dtype == np.dtype(variable.dtype)
        known = np.isfinite(fields[variable.name]) & (fields[variable.name] != -1)
        assert known.sum() == len(row)


def test_pixels_of_another_shard_are_refused():
    with pytest.raises(ContractError, match="outside its shard"):
        shard_fields(TOY, 1, 2, {"row": np.array([11]), "col": np.array([24])})


@pytest.mark.parametrize(
    ("year", "row", "col", "change"),
    [
        (2018, 0, 0, {}),
        (2019, 3, 0, {}),
        (2019, 0, -1, {}),
        (2019, 0, 0, {"n_valid_days": np.zeros((12, 12), np.int64)}),
        (2019, 0, 0, {"rel_emission": np.zeros((12, 11), np.float32)}),
    ],
)
def test_what_does_not_fit_is_refused(year, row, col, change):
    with pytest.raises(ContractError, match="do not fit the grid"):
        encode_shard(TOY, year, row, col, some_fields(TOY) | change)
    with pytest.raises(ContractError, match="rel_emission: missing"):
        encode_shard(TOY, 2019, 0, 0, {k: v for k, v in some_fields(TOY).items() if k != "rel_emission"})


@pytest.mark.parametrize("rules", [GridRules(shard_px=10, chunk_px=5), GridRules(shard_px=12, chunk_px=5)])
def test_shards_that_do_not_divide_are_refused(rules):
    with pytest.raises(ContractError, match="chunks of 5"):
        template(GridLayout((2019,), HOTSPOT_VARIABLES, Lattice(36, 72, 5.0), rules))

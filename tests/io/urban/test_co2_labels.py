"""Annual labels of cells from monthly grids: tonnes of CO2, months, zeros, and grids that do not fit."""

import gzip

import numpy as np
import pytest
import xarray as xr
from rasterio.transform import Affine

from carbonray.errors import DataError
from carbonray.io.urban.co2_labels import LabelRules, grid_t_co2, monthly_files, read_cell_labels
from carbonray.io.urban.nightlights import read_night_lights
from carbonray.vocab.grid_tables import CELL_LABELS, CELL_LIGHTS
from tests.io.urban import city_files

ROW, COL = 4620, 21_580
NUMBERS = city_files.grid_of(ROW, COL, 2, 3)
CARBON = np.arange(1.0, 7.0).reshape(2, 3)


def month(path, values=CARBON, row=ROW, col=COL, **options):
    return city_files.raster(path, np.asarray(values, np.float32)[None], city_files.north_up(row, col, 1), **options)


def year(folder, count=12, **options):
    return [
        month(folder / f"odiac2020b_1km_excl_intl_18{at:02d}.tif", CARBON * at, **options) for at in range(1, count + 1)
    ]


def test_a_year_is_the_sum_of_its_months_in_co2(tmp_path):
    found = read_cell_labels(monthly_files(year(tmp_path), 2018), NUMBERS, 2018, "REAL")
    tonnes = CARBON.ravel() * 78 * 44 / 12  # 1 + 2 + ... + 12 = 78

    assert found.table.schema.equals(CELL_LABELS, check_metadata=True)
    assert np.array_equal(found.table["cell_id"].to_numpy(), NUMBERS)
    assert np.allclose(found.table["emissions_t_co2"].to_numpy(), tonnes, rtol=1e-6)
    assert np.allclose(found.table["ln_t_co2"].to_numpy(), np.log(tonnes), rtol=1e-6)
    assert set(found.table["year"].to_pylist()) == {2018} and set(found.table["months"].to_pylist()) == {12}
    assert (found.zeros, found.unknown) == (0, 0)


def test_zeros_are_counted_and_cells_off_the_grid_are_unknown(tmp_path):
    urls = [month(tmp_path / f"a_2018{at:02d}.tif", CARBON * (CARBON != 2), nodata=-1) for at in range(1, 12)]
    urls.append(month(tmp_path / "a_201812.tif", np.where(CARBON == 5, -1, CARBON * (CARBON != 2)), nodata=-1))
    asked = city_files.grid_of(ROW, COL, 2, 4)
    found = read_cell_labels(monthly_files(urls, 2018), asked, 2018, "REAL")

    assert (found.zeros, found.unknown) == (1, 3)  # the fourth column, and what one month does not know
    zero = found.table["emissions_t_co2"].to_numpy() == 0
    assert np.array_equal(np.isnan(found.table["ln_t_co2"].to_numpy()), zero) and zero.sum() == 1


def test_all_twelve_months_are_asked_for_unless_the_rules_say_less(tmp_path):
    urls = year(tmp_path, 6)
    with pytest.raises(DataError, match=r"6 months of 2018: \[1, 2, 3, 4, 5, 6\]"):
        monthly_files(urls, 2018)
    rules = LabelRules(least_months=6)
    found = read_cell_labels(monthly_files(urls, 2018, rules), NUMBERS, 2018, "REAL", rules)

    assert np.allclose(found.table["emissions_t_co2"].to_numpy(), CARBON.ravel() * 21 * 2 * 44 / 12, rtol=1e-6)
    assert set(found.table["months"].to_pylist()) == {6}
    with pytest.raises(DataError, match="0 months of 2019"):
        monthly_files(urls, 2019, rules)


@pytest.mark.parametrize(
    "name", ["a_1803.tif", "a_201803.tif", "a_2018-03.nc", "odiac2022_1km_excl_intl_1803.tif", "2018_03.tiff"]
)
def test_names_say_year_and_month(name):
    assert monthly_files([name], 2018, LabelRules(least_months=1)) == {3: (name,)}


def test_a_name_without_a_month_is_refused():
    with pytest.raises(DataError, match="no year and month"):
        monthly_files(["annual_2018.tif"], 2018)


def test_windows_of_several_cities_make_one_month(tmp_path):
    urls = [month(tmp_path / "a_201801.tif"), month(tmp_path / "b_201801.tif", CARBON * 10, ROW + 50)]
    both = np.sort(np.concatenate([NUMBERS, city_files.grid_of(ROW + 50, COL, 2, 3)]))
    rules = LabelRules(least_months=1)
    found = read_cell_labels(monthly_files(urls, 2018, rules), both, 2018, "REAL", rules)

    assert found.unknown == 0
    assert found.table["emissions_t_co2"].to_numpy()[6] == pytest.approx(10 * 12 * 44 / 12)


def test_a_netcdf_grid_is_the_same(tmp_path):
    lat = 90 - (np.arange(ROW - 1, ROW + 3) + 0.5) / 120
    lon = (np.arange(COL - 1, COL + 4) + 0.5) / 120 - 180
    values = np.pad(CARBON, 1)
    data = xr.Dataset({"land": (("lat", "lon"), values[::-1])}, {"lat": lat[::-1], "lon": lon})
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")

    assert np.allclose(grid_t_co2(str(tmp_path / "a.nc"), NUMBERS), CARBON.ravel() * 44 / 12)


def test_a_grid_on_s3_is_the_same(tmp_path, s3_server):
    from carbonray.io import objectstore

    url = month(tmp_path / "a.tif")
    objectstore.put_bytes(f"{s3_server}/a.tif", (tmp_path / "a.tif").read_bytes())

    assert np.array_equal(grid_t_co2(f"{s3_server}/a.tif", NUMBERS), grid_t_co2(url, NUMBERS))


def test_negative_labels_are_bad_data(tmp_path):
    with pytest.raises(DataError, match="negative"):
        grid_t_co2(month(tmp_path / "a.tif", -CARBON), NUMBERS)


@pytest.mark.parametrize("factor", [120, 12, 10, 2, 0.5])
def test_coarser_and_finer_grids_are_refused(tmp_path, factor):
    step = factor / 120
    size = max(int(4 / step), 4)
    west, north = np.floor(COL / 120 - 180), np.ceil(90 - ROW / 120)
    place = Affine(step, 0, west - 1, 0, -step, north + 1)
    url = city_files.raster(tmp_path / "a.tif", np.ones((1, size, size), np.float32), place)
    with pytest.raises(DataError, match="30 arc seconds"):
        grid_t_co2(url, NUMBERS)


def test_a_grid_off_the_lattice_is_refused_and_one_elsewhere_is_unknown(tmp_path):
    shifted = city_files.north_up(ROW, COL, 1) @ Affine.translation(0.5, 0)
    url = city_files.raster(tmp_path / "a.tif", np.ones((1, 4, 4), np.float32), shifted)
    with pytest.raises(DataError, match="longitude"):
        grid_t_co2(url, NUMBERS)
    assert np.isnan(grid_t_co2(month(tmp_path / "b.tif", row=ROW + 900), NUMBERS)).all()


def test_a_packed_file_is_refused(tmp_path):
    path = tmp_path / "a_1801.tif.gz"
    month(tmp_path / "a.tif")
    path.write_bytes(gzip.compress((tmp_path / "a.tif").read_bytes()))
    with pytest.raises(DataError, match=r"a_1801\.tif\.gz"):
        grid_t_co2(str(path), NUMBERS)


def test_night_light_is_the_mean_over_a_cell(tmp_path):
    values = np.arange(24.0, dtype=np.float32).reshape(1, 4, 6)
    values[0, 0, 0], values[0, :2, 4:] = np.nan, -1.0
    url = city_files.raster(tmp_path / "a.tif", values, city_files.north_up(ROW, COL, 2), nodata=-1.0)
    asked = city_files.grid_of(ROW, COL, 2, 4)
    found = read_night_lights(url, asked)

    assert found.schema.equals(CELL_LIGHTS, check_metadata=True)
    assert np.array_equal(found["cell_id"].to_numpy(), asked)
    expected = [(1 + 6 + 7) / 3, 5.5, np.nan, np.nan, 15.5, 17.5, 19.5, np.nan]
    assert np.allclose(found["radiance"].to_numpy(), expected, equal_nan=True)

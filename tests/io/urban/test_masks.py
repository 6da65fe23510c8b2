"""Cells of cities: by centre or by share, across the date line, once each; what has no cell is told."""

import numpy as np
import pytest
from rasterio.transform import Affine

from carbonray.errors import DataError
from carbonray.io.urban.masks import MaskRules, raster_cells, read_city_cells
from carbonray.science.spatial import cells
from carbonray.vocab.grid_tables import CELLS, CITY_REJECTIONS
from tests.io.urban import city_files

ROW, COL = 4620, 21_580
SHARE = MaskRules(kept="share", least_share=0.5)


def city(path, *features):
    return city_files.geojson(path, [({"city": name}, shape) for name, shape in features])


def numbers(found):
    return found.cells["cell_id"].to_numpy()


def test_a_city_is_the_cells_whose_centres_lie_in_it(tmp_path):
    found = read_city_cells(city(tmp_path / "a.geojson", ("London", city_files.square(ROW, COL, 30, 25, inset=0.4))))
    asked = city_files.grid_of(ROW, COL, 30, 25)
    row, col = cells.row_col(asked)

    assert found.cells.schema.equals(CELLS, check_metadata=True)
    assert np.array_equal(numbers(found), asked)
    assert set(found.cells["city"].to_pylist()) == {"London"}
    assert np.allclose(found.cells["area_km2"].to_numpy(), cells.area_km2(row))
    assert np.allclose(np.stack([found.cells["lat"], found.cells["lon"]]), cells.cell_centre(row, col))
    share = found.cells["urban_share"].to_numpy().reshape(30, 25)
    assert np.allclose(share[1:-1, 1:-1], 1.0)
    assert np.allclose(share[0, 1:-1], 0.6, atol=1e-6) and share[0, 0] == pytest.approx(0.36, abs=1e-6)
    assert found.rejections.num_rows == 0


def test_a_share_of_the_area_decides_where_asked(tmp_path):
    url = city(tmp_path / "a.geojson", ("London", city_files.square(ROW, COL, 3, 3, inset=0.4)))

    assert len(numbers(read_city_cells(url, SHARE))) == 5  # corners have 0.36
    assert len(numbers(read_city_cells(url, MaskRules(kept="share", least_share=0.35)))) == 9


def test_features_of_one_name_are_one_city_and_holes_are_outside(tmp_path):
    outer, inner = city_files.square(ROW, COL, 5, 5), city_files.square(ROW + 2, COL + 2)
    ring = {"type": "Polygon", "coordinates": [*outer["coordinates"], inner["coordinates"][0][::-1]]}
    url = city(tmp_path / "a.geojson", ("A", ring), ("A", city_files.square(ROW + 9, COL)), ("B", inner))
    found = read_city_cells(url)

    assert len(numbers(found)) == 26
    assert found.cells["city"].to_pylist().count("B") == 1
    assert (np.diff(numbers(found)) > 0).all()


def test_a_cell_of_two_cities_is_that_ones_which_has_more_of_it(tmp_path):
    left, right = city_files.square(ROW, COL, 1, 2, inset=0.1), city_files.square(ROW, COL + 1, 1, 2)
    found = read_city_cells(city(tmp_path / "a.geojson", ("A", left), ("B", right)))

    assert dict(zip(numbers(found).tolist(), found.cells["city"].to_pylist(), strict=True)) == {
        int(cells.cell_id(ROW, COL)): "A", int(cells.cell_id(ROW, COL + 1)): "B", int(cells.cell_id(ROW, COL + 2)): "B",
    }  # fmt: skip


@pytest.mark.parametrize("how", ["split", "stepping over", "beyond"])
def test_a_city_across_180_has_cells_on_both_sides(tmp_path, how):
    south, north = 90 - (ROW + 2) / 120, 90 - ROW / 120

    def box(west, east):
        return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]

    west, east = 180 - 2 / 120, -180 + 2 / 120
    shape = {
        "split": {"type": "MultiPolygon", "coordinates": [box(west, 180.0), box(-180.0, east)]},
        "stepping over": {"type": "Polygon", "coordinates": box(west, east)},
        "beyond": {"type": "Polygon", "coordinates": box(west, 180 + 2 / 120)},
    }[how]
    found = read_city_cells(city(tmp_path / "a.geojson", ("Suva", shape)))

    expected = np.sort(cells.cell_id(np.repeat([ROW, ROW + 1], 4), [43_198, 43_199, 0, 1] * 2))
    assert np.array_equal(numbers(found), expected)
    assert np.allclose(found.cells["urban_share"].to_numpy(), 1.0)


def test_what_gives_no_cell_is_told(tmp_path):
    url = city(
        tmp_path / "a.geojson",
        ("A", city_files.square(ROW, COL)),
        ("", city_files.square(ROW, COL)),
        ("point", {"type": "Point", "coordinates": [0.0, 51.0]}),
        ("nothing", None),
        ("hamlet", city_files.square(ROW, COL + 0.6, 1, 0.3)),
    )
    found = read_city_cells(url)
    told = dict(zip(found.rejections["city"].to_pylist(), found.rejections["reason"].to_pylist(), strict=True))

    assert found.rejections.schema.equals(CITY_REJECTIONS, check_metadata=True)
    assert {name: reason.split(":")[0] for name, reason in told.items()} == {
        "": "no name", "point": "no area", "nothing": "no area", "hamlet": "no cell",
    }  # fmt: skip
    assert set(found.cells["city"].to_pylist()) == {"A"}


def test_a_geopackage_in_another_system_is_the_same_city(tmp_path):
    url = city(tmp_path / "a.geojson", ("London", city_files.square(ROW, COL, 6, 5, inset=0.2)))
    wanted = read_city_cells(url)
    for name, crs in (("a.gpkg", None), ("b.gpkg", "EPSG:3857")):
        found = read_city_cells(city_files.geopackage(tmp_path / name, url, crs))
        assert np.array_equal(numbers(found), numbers(wanted))


def test_the_property_of_the_name_is_a_rule(tmp_path):
    url = city_files.geojson(tmp_path / "a.geojson", [({"NAME": "York"}, city_files.square(ROW, COL))])

    assert read_city_cells(url, MaskRules(name_property="NAME")).cells["city"].to_pylist() == ["York"]
    with pytest.raises(DataError, match="no property 'city'"):
        read_city_cells(url)
    for name, text in (("b.geojson", "{"), ("c.geojson", None)):
        if text:
            (tmp_path / name).write_text(text)
        with pytest.raises(DataError):
            read_city_cells(str(tmp_path / name))


def test_a_raster_tells_town_from_country(tmp_path):
    values = np.zeros((1, 6, 8), np.uint8)
    values[0, 1:4, 2:5], values[0, 2, 3] = 30, 11
    url = city_files.raster(tmp_path / "a.tif", values, city_files.north_up(ROW, COL, 1))
    (found,) = raster_cells(url)
    town = np.setdiff1d(city_files.grid_of(ROW + 1, COL + 2, 3, 3), cells.cell_id(ROW + 2, COL + 3))

    assert found.schema.equals(CELLS, check_metadata=True)
    assert np.array_equal(found["cell_id"].to_numpy(), town)
    assert set(found["city"].to_pylist()) == {"urban"}


def test_a_raster_across_180_has_cells_on_both_sides(tmp_path):
    place = Affine(1 / 120, 0, 180 - 2 / 120, 0, -1 / 120, 90 - ROW / 120)
    url = city_files.raster(tmp_path / "a.tif", np.full((1, 1, 4), 30, np.uint8), place)
    (found,) = raster_cells(url)

    assert found["cell_id"].to_pylist() == sorted(cells.cell_id(ROW, [43_198, 43_199, 0, 1]).tolist())


def test_a_finer_raster_gives_shares_and_bands_come_north_to_south(tmp_path):
    values = np.zeros((1, 4 * 400, 4), np.uint8)
    values[0, 0, :3], values[0, 1, 0] = 30, 30  # 4 of 16 pixels of the first cell
    values[0, -4:] = 30
    url = city_files.raster(tmp_path / "a.tif", values, city_files.north_up(ROW, COL, 4))
    quarter = list(raster_cells(url, MaskRules(least_share=0.25)))

    assert [table.num_rows for table in quarter] == [1, 1]
    assert [table["urban_share"][0].as_py() for table in quarter] == [0.25, 1.0]
    assert quarter[0]["cell_id"][0].as_py() < quarter[1]["cell_id"][0].as_py()
    assert len(list(raster_cells(url, MaskRules(least_share=0.3)))) == 1
    assert list(raster_cells(url, MaskRules(least_value=31))) == []

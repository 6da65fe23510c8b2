"""A city's files: read back by the readers of real ones, the same bytes each time, summing to what is true."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio

from carbonray.contract import Unit
from carbonray.io.urban.basemap import BasemapRules, read_cell_images
from carbonray.io.urban.basemap_index import index_basemap
from carbonray.io.urban.co2_labels import monthly_files, read_cell_labels
from carbonray.io.urban.masks import read_city_cells
from carbonray.io.urban.nightlights import read_night_lights
from carbonray.io.urban.poi_categories import read_category_map
from carbonray.io.urban.poi_files import read_poi_file
from carbonray.synthetic.city.cities import cell_image, city_points
from carbonray.synthetic.city.files import CITY_TRUTH, MakeCities, basemap_file, basemap_tiles, city_tables, truth_table
from carbonray.synthetic.city.points import CATEGORIES
from tests.synthetic.city.drawn import DEMO, demo

CITY = demo()
PX = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("cities")
    for name, data in [*city_tables(CITY).items(), *(basemap_file(CITY, tile, PX) for tile in basemap_tiles(CITY))]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def test_the_mask_gives_back_the_cells(folder):
    found = read_city_cells(str(folder / "mask/demo.geojson"))
    np.testing.assert_array_equal(found.cells.column("cell_id").to_numpy(), CITY.cells)
    assert set(found.cells.column("city").to_pylist()) == {"demo"}
    assert found.rejections.num_rows == 0


def test_the_points_give_back_every_place_and_class(folder):
    chunks = list(read_poi_file(str(folder / "poi/demo.csv"), read_category_map(), within=CITY.cells))
    wrong = sum(chunk.rejections.num_rows for chunk in chunks)
    drawn = list(city_points(CITY))
    unknown = sum(int((points.category < 0).sum()) for _, points in drawn)
    assert wrong == unknown > 0
    known = {
        (cell, *place)
        for cell, points in drawn
        for place in zip(points.category.tolist(), points.y.tolist(), points.x.tolist(), strict=True)
        if place[0] >= 0
    }
    names = ("cell_id", "category", "y", "x")
    rows = {
        row for chunk in chunks for row in zip(*(chunk.points.column(name).to_pylist() for name in names), strict=True)
    }
    assert rows == known
    assert {row[1] for row in rows} == set(range(len(CATEGORIES)))


@pytest.mark.parametrize(("kind", "truth"), [("odiac_like", "label_t_co2"), ("truth", "emissions_t_co2")])
def test_twelve_months_of_carbon_give_back_a_year_of_carbon_dioxide(folder, kind, truth):
    urls = [str(path) for path in (folder / "co2" / kind).iterdir()]
    months = monthly_files(urls, CITY.rules.label.year)
    labels = read_cell_labels(months, CITY.cells, CITY.rules.label.year, CITY.rules.tier)
    assert labels.unknown == 0
    expected = truth_table(CITY).column(truth).to_numpy()
    np.testing.assert_allclose(labels.table.column("emissions_t_co2").to_numpy(), expected, rtol=1e-5)


def test_the_basemap_gives_back_every_picture(folder):
    index = index_basemap([str(path) for path in (folder / "basemap/demo").iterdir()])
    asked = CITY.cells[::9]
    found = read_cell_images(index, asked, BasemapRules(image_px=PX))
    assert found.present.all()
    for cell, image in zip(asked.tolist(), found.images, strict=True):
        np.testing.assert_array_equal(image, cell_image(CITY, cell, PX))
    outside = read_cell_images(index, np.array([CITY.cells[0] - 3]), BasemapRules(image_px=PX))
    assert not outside.present.any()


def test_night_lights_come_back(folder):
    found = read_night_lights(str(folder / "lights/demo.tif"), CITY.cells).column("radiance").to_numpy()
    np.testing.assert_allclose(found, truth_table(CITY).column("night_light").to_numpy(), rtol=1e-5)


def test_the_truth_adds_up_and_says_its_tier(folder):
    table = pq.read_table(io.BytesIO((folder / "truth/demo.parquet").read_bytes()))
    assert table.schema.equals(CITY_TRUTH)
    frame = table.to_pandas()
    sectors = [name for name in frame if name.endswith("_t_co2") and name.split("_")[0] not in ("emissions", "label")]
    sectors.remove("oracle_ln_t_co2")
    np.testing.assert_allclose(frame[sectors].sum(axis=1), frame["emissions_t_co2"])
    assert set(frame["data_tier"]) == {"SYNTHETIC-T1"}
    assert frame["cell_id"].is_monotonic_increasing


def test_rasters_say_what_they_are(folder):
    row, col = basemap_tiles(CITY)[0]
    with rasterio.open(folder / f"basemap/demo/r{row:04d}c{col:04d}.tif") as raster:
        assert (raster.count, raster.shape, raster.nodata) == (3, (20 * PX, 20 * PX), 0)
        assert raster.crs == rasterio.CRS.from_epsg(4326)
        assert raster.tags()["data_tier"] == "SYNTHETIC-T1"
        assert raster.colorinterp[0].name == "red"


def test_units_make_the_same_bytes():
    make = MakeCities((DEMO,), PX)
    row, col = basemap_tiles(CITY)[-1]
    for part in ({"kind": "tables", "city": 0}, {"kind": "basemap", "city": 0, "row": row, "col": col}):
        unit = Unit("world", "id", "key", part, (), ())
        one, two = make(unit).batch, make(unit).batch
        assert list(one["object_key"]) == list(two["object_key"])
        assert list(one["data"]) == list(two["data"])
        assert make(unit).facts == {"data_tier": "SYNTHETIC-T1"}


def test_a_mask_across_the_date_line_is_cut_there(tmp_path):
    across = demo(lon=179.99)
    path = tmp_path / "mask.geojson"
    path.write_bytes(city_tables(across)["mask/demo.geojson"])
    np.testing.assert_array_equal(read_city_cells(str(path)).cells.column("cell_id").to_numpy(), across.cells)

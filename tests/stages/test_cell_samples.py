"""Samples of a tile: labels, images and points of its cells and of those around it, and why they are absent."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from carbonray.contract import Unit, to_batch
from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.cell_store import decode_samples
from carbonray.io.table_store import decode_table
from carbonray.io.urban.basemap import BasemapRules
from carbonray.io.urban.basemap_index import index_basemap
from carbonray.io.urban.co2_labels import LabelRules, monthly_files
from carbonray.science.spatial.cells import COLS, ROWS, area_km2, cell_centre, cell_id, row_col
from carbonray.stages.cell_answers import cell_rows
from carbonray.stages.cell_readers import CELLS_ENCODING, POINTS_ENCODING, EncodePlaced
from carbonray.stages.cell_samples import (
    CellSources,
    ReadCellSamples,
    grid_tier,
    night_lights,
    tiles_beside,
)
from carbonray.vocab.cell_sample_tables import CELL_SAMPLES
from carbonray.vocab.grid_tables import CELLS, POINTS
from tests.io.urban import city_files

ROW, COL, TILE = 4620, 43_196, 4  # a town of 6 x 8 cells across the date line: the last four columns and the first
PX, CATEGORIES = 8, 3
DOWN, ALONG = (part.ravel() for part in np.mgrid[0:6, 0:8])
NUMBER = cell_id(ROW + DOWN, COL + ALONG)
CARBON = 1.0 + np.arange(48).reshape(6, 8)


@pytest.fixture
def place(tmp_path):
    """URLs of tables, and the sources: every cell has an image but the first, points but the last."""
    columns = {
        "cell_id": np.sort(NUMBER),
        "city": np.where(np.sort(NUMBER) % COLS < 100, "East", "West"),
        **dict(zip(("lat", "lon"), cell_centre(*row_col(np.sort(NUMBER))), strict=True)),
        "area_km2": area_km2(row_col(np.sort(NUMBER))[0]),
        "urban_share": np.ones(48, np.float32),
        "data_tier": ["SYNTHETIC-T1"] * 48,
    }
    cells = pa.table({name: columns[name] for name in CELLS.names}, schema=CELLS)
    spots = np.repeat(np.sort(NUMBER), 2)
    points = {
        "cell_id": spots,
        "category": (np.arange(96) % CATEGORIES).astype(np.int16),
        "y": (np.arange(96) * 600).astype(np.uint16),
        "x": (np.arange(96) * 300).astype(np.uint16),
        "point_key": np.arange(96),
    }
    urls = []
    for encoding, table in ((CELLS_ENCODING, cells), (POINTS_ENCODING, pa.table(points, schema=POINTS))):
        unit = Unit("x", "", "town", {}, (), ())
        encoded = EncodePlaced(*encoding, TILE)(unit, to_batch(table), {"rejected": {}})
        for key, data in encoded.objects.items():
            urls.append(f"{tmp_path}/{key}")
            objectstore.put_bytes(urls[-1], data)
    return tuple(urls), sources(tmp_path)


def sources(folder, carbon=CARBON, **changes):
    halves = {"west": (COL, carbon[:, :4]), "east": (0, carbon[:, 4:])}
    for month in range(1, 13):
        for name, (col, values) in halves.items():
            raster = np.asarray(values, np.float32)[None]
            city_files.raster(folder / f"co2/{name}_18{month:02d}.tif", raster, city_files.north_up(ROW, col, 1))
    for name, (col, values) in halves.items():
        picture = np.nan_to_num(values)[None].repeat(PX, 1).repeat(PX, 2).repeat(3, 0).astype(np.uint8)
        city_files.raster(folder / f"map/{name}.tif", picture, city_files.north_up(ROW, col, PX), nodata=1)
        light = np.asarray(values, np.float32)[None] * 2
        city_files.raster(folder / f"lights/{name}.tif", light, city_files.north_up(ROW, col, 1))
    made = CellSources(
        basemap=index_basemap(sorted(objectstore.expand(f"{folder}/map/*.tif"))),
        images=BasemapRules(image_px=PX),
        co2=monthly_files(objectstore.expand(f"{folder}/co2/*.tif"), 2018),
        labels=LabelRules(),
        year=2018,
        tier="REAL",
        lights=tuple(objectstore.expand(f"{folder}/lights/*.tif")),
        told_cities=frozenset({"East", "West"}),
        categories=CATEGORIES,
    )
    return replace(made, **changes)


def read(urls, of, tile=(ROW // TILE, COL // TILE), ring=1):
    """The reading, the samples where there are any, and their table."""
    partition = {"tile_row": tile[0], "tile_col": tile[1]}
    reading = ReadCellSamples(of, TILE, ring)(Unit("samples", "", "tile", partition, urls, ()))
    objects = dict(zip(reading.batch["object_key"], reading.batch["data"], strict=True))
    table = decode_table(objects.pop("samples/tile.parquet"), CELL_SAMPLES)
    group = {key.removeprefix("samples/tile.zarr/"): data for key, data in objects.items()}
    return reading, decode_samples(group, "tile") if group else None, table


def test_a_tile_is_its_cells_and_those_around_it_across_the_date_line(place):
    urls, of = place
    reading, samples, table = read(urls, of)
    own = NUMBER[(DOWN < 4) & (ALONG < 4)]
    ring = NUMBER[(DOWN < 5) & (ALONG < 5)]
    assert samples.cell_id.tolist() == sorted(ring.tolist())
    assert samples.cell_id[samples.own].tolist() == table["cell_id"].to_pylist() == sorted(own.tolist())
    tonnes = dict(zip(NUMBER.tolist(), (CARBON.ravel() * 12 * 44 / 12).tolist(), strict=True))
    expected = [tonnes[number] for number in table["cell_id"].to_pylist()]
    np.testing.assert_allclose(table["emissions_t_co2"], expected, rtol=1e-6)
    np.testing.assert_allclose(samples.ln_t_co2[samples.own], np.log(expected), rtol=1e-6)
    assert np.isnan(samples.ln_t_co2[~samples.own]).all(), "a cell is labelled in its own tile alone"
    np.testing.assert_allclose(samples.radiance, [2 * tonnes[n] / 44 for n in samples.cell_id.tolist()], rtol=1e-6)
    assert reading.rows == {"read": 16, "kept": 16, "quarantined": 0}
    assert reading.facts["data_tier"] == "REAL, SYNTHETIC-T1" and reading.facts["shown"] == 25


def test_images_and_points_are_those_of_their_cells(place):
    urls, of = place
    reading, samples, table = read(urls, of)
    assert samples.image_present.sum() == 24 and not samples.image_present[samples.cell_id == NUMBER[0]].any()
    assert sum(reading.facts["absent"].values()) == 1
    seen = samples.cell_id[samples.image_present]
    value = dict(zip(NUMBER.tolist(), CARBON.ravel().tolist(), strict=True))
    assert (samples.images == np.array([value[n] for n in seen.tolist()])[:, None, None, None]).all()
    assert samples.n_points.tolist() == [2] * 25
    first = np.searchsorted(np.sort(NUMBER), samples.cell_id)
    np.testing.assert_array_equal(samples.points.reshape(25, 2, 3)[..., 1].min(axis=1), first * 2 * 600)
    counts = cell_rows(table).counts
    assert counts.shape == (table.num_rows, CATEGORIES) and (counts.sum(axis=1) == 2).all()


def test_cities_that_no_file_tells_of_have_unknown_points(place):
    urls, of = place
    _, samples, _ = read(urls, replace(of, told_cities=frozenset({"West"})))
    east = samples.cell_id % COLS < 100
    assert east.sum() == 5 and samples.poi_present.tolist() == (~east).tolist()
    assert samples.n_points[east].sum() == 0 and len(samples.points) == 40


def test_cells_without_emissions_or_label_teach_nobody_and_are_counted(place, tmp_path):
    urls, _ = place
    carbon = CARBON.copy()
    carbon[0, :3] = carbon[1, 0] = 0.0
    carbon[1, 1] = np.nan
    reading, samples, table = read(urls, sources(tmp_path / "other", carbon))
    assert reading.rows == {
        "read": 16, "kept": 11, "quarantined": 0, "rejected: no emissions": 4, "rejected: no label": 1
    }  # fmt: skip
    assert table.num_rows == 11 and NUMBER[1] not in table["cell_id"].to_pylist()
    assert len(samples) == 24, "neighbours of labelled cells stay, a cell beside none goes"
    assert NUMBER[0] not in samples.cell_id and NUMBER[8] in samples.cell_id
    none = read(urls, sources(tmp_path / "dark", carbon * 0.0))
    assert none[1] is None and none[2].num_rows == 0 and none[0].facts["data_tier"] == "none"


def test_negative_emissions_are_bad_data(place, tmp_path):
    urls, _ = place
    with pytest.raises(DataError, match="negative"):
        read(urls, sources(tmp_path / "bad", -CARBON))


def test_without_images_points_and_lights_cells_say_so(place):
    urls, of = place
    told = replace(of, basemap=None, told_cities=frozenset(), lights=())
    reading, samples, table = read(urls[:1], told)
    assert not samples.image_present.any() and not samples.poi_present.any() and samples.images.shape == (0, 3, PX, PX)
    assert np.isnan(samples.radiance).all() and np.isnan(table["radiance"].to_numpy()).all()
    assert reading.facts["absent"] == {"no basemap is given": 25}


def test_the_same_inputs_give_the_same_bytes(place):
    urls, of = place
    first, again = (read(urls, of)[0].batch for _ in range(2))
    assert first["data"].tolist() == again["data"].tolist()


@given(st.integers(0, ROWS // 20 - 1), st.integers(0, COLS // 20 - 1))
def test_tiles_beside_hold_every_cell_around(row, col):
    found = tiles_beside((row, col), 20)
    assert len(found) == len(set(found)) == (6 if row in (0, ROWS // 20 - 1) else 9)
    assert all((r, (col + step) % (COLS // 20)) in found for r in {f[0] for f in found} for step in (-1, 0, 1))


def test_grids_tell_their_tier_and_the_first_light_counts(tmp_path):
    values, at = np.ones((1, 2, 2), np.float32), city_files.north_up(ROW, 10, 1)
    plain = city_files.raster(tmp_path / "a.tif", values, at)
    second = city_files.raster(tmp_path / "b.tif", values * 5, at)
    with rasterio.open(second, "r+") as file:
        file.update_tags(data_tier="SYNTHETIC-T2")
    assert grid_tier([plain]) == "REAL" and grid_tier([second, plain]) == "REAL, SYNTHETIC-T2"
    assert grid_tier(["grid.nc"]) == "REAL"
    assert night_lights([second, plain], city_files.grid_of(ROW, 10)).tolist() == [1.0]

"""Images of cells: the same picture from every kind of basemap, and a reason where there is none."""

import pickle

import numpy as np
import pytest
from rasterio.enums import ColorInterp
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject

from carbonray.errors import DataError, SettingsError
from carbonray.io import objectstore
from carbonray.io.urban.basemap import BasemapRules, read_cell_images
from carbonray.io.urban.basemap_index import index_basemap
from carbonray.science.spatial import cells
from tests.io.urban import city_files

ROW, COL, PX = 4620, 21_580, 32  # in London
RULES = BasemapRules(image_px=PX)
PICTURE = city_files.smooth_picture(4, 4, PX)
INNER = city_files.grid_of(ROW + 1, COL + 1, 2, 2)


def part(row, col, rows=1, cols=1):
    return PICTURE[:, row * PX : (row + rows) * PX, col * PX : (col + cols) * PX]


WANTED = np.stack([part(row, col) for row in (1, 2) for col in (1, 2)])


def images(urls, numbers=INNER, rules=RULES):
    return read_cell_images(index_basemap(urls), numbers, rules)


def tree(folder, zoom, end="png", side=256):
    """The picture as map tiles."""
    count, half = 2**zoom, np.pi * 6_378_137.0
    width = 2 * half / count
    lon = COL / 120
    x0, x1 = (int(turned / 360 * count) for turned in (lon, lon + 4 / 120))
    lat = [float(cells.cell_bounds(row, COL)[3]) for row in (ROW, ROW + 4)]
    y0, y1 = (int((1 - np.arcsinh(np.tan(np.radians(each))) / np.pi) / 2 * count) for each in lat)
    for x in range(x0, x1 + 1):
        for y in range(y0, y1 + 1):
            values = np.zeros((3, side, side), np.uint8)
            place = Affine(width / side, 0, x * width - half, 0, -width / side, half - y * width)
            reproject(
                PICTURE, values, src_transform=city_files.north_up(ROW, COL, PX), src_crs="EPSG:4326",
                dst_transform=place, dst_crs="EPSG:3857", resampling=Resampling.bilinear,
            )  # fmt: skip
            driver, options = {
                "png": ("PNG", {}),
                "jpg": ("JPEG", {"quality": 98}),
                "webp": ("WEBP", {"lossless": True}),
            }[end]
            city_files.raster(folder / str(zoom) / str(x) / f"{y}.{end}", values, None, None, driver, **options)


def test_a_basemap_on_the_cells_lattice_gives_its_pixels_as_they_are(tmp_path):
    url = city_files.raster(tmp_path / "a.tif", PICTURE, city_files.north_up(ROW, COL, PX))
    found = images([url])

    assert found.images.dtype == np.uint8 and found.present.all() and not any(found.reason)
    assert np.array_equal(found.images, WANTED)


def test_finer_pixels_are_averaged_by_area_and_coarser_ones_repeated(tmp_path):
    url = city_files.raster(tmp_path / "a.tif", PICTURE, city_files.north_up(ROW, COL, PX))
    halves = WANTED.reshape(4, 3, PX // 2, 2, PX // 2, 2).mean((3, 5))

    assert np.abs(images([url], rules=BasemapRules(PX // 2)).images - halves).max() <= 0.5
    assert np.array_equal(images([url], rules=BasemapRules(2 * PX)).images, WANTED.repeat(2, 2).repeat(2, 3))


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:32630", "EPSG:27700", "EPSG:4258", "ESRI:54034"])
def test_every_coordinate_system_shows_the_same_city(tmp_path, crs):
    url = city_files.reprojected(tmp_path / "a.tif", PICTURE, city_files.north_up(ROW, COL, PX), crs)
    found = images([url])

    assert found.present.all(), found.reason
    assert np.abs(found.images.astype(int) - WANTED).mean() < 3.0
    assert np.abs(found.images.mean((2, 3)) - WANTED.mean((2, 3))).max() < 1.0


@pytest.mark.parametrize("end", ["png", "jpg", "webp"])
def test_a_folder_of_map_tiles_shows_the_same_city(tmp_path, end):
    tree(tmp_path, 12, end)
    tree(tmp_path, 13, end)
    (tmp_path / "readme.txt").write_text("not a tile")
    listed, named = images([str(tmp_path)]), images([f"{tmp_path}/13/{{x}}/{{y}}.{end}"])

    assert listed.present.all()
    assert np.abs(listed.images.astype(int) - WANTED).mean() < 3.0
    assert np.array_equal(listed.images, named.images)


@pytest.mark.parametrize("listed", [True, False])
def test_a_missing_map_tile_leaves_its_cells_absent(tmp_path, listed):
    tree(tmp_path, 13)
    inside = index_basemap([str(tmp_path)]).trees[0].span((-0.1583, 51.4834, -0.1500, 51.4916))
    (tmp_path / "13" / str(inside[0][0]) / f"{inside[1][0]}.png").unlink()
    found = images([str(tmp_path) if listed else f"{tmp_path}/13/{{x}}/{{y}}.png"])
    gone = [reason for reason in found.reason if reason]

    assert 0 < len(gone) == np.count_nonzero(~found.present)
    assert all("imagery" in reason for reason in gone)
    assert not found.images[~found.present].any()


def test_a_cell_is_told_by_itself(tmp_path):
    url = city_files.reprojected(tmp_path / "a.tif", PICTURE, city_files.north_up(ROW, COL, PX), "EPSG:3857")
    together = images([url]).images
    backwards = images([url], INNER[::-1]).images[::-1]

    assert np.array_equal(together, backwards)
    assert all(np.array_equal(images([url], INNER[at : at + 1]).images[0], together[at]) for at in range(4))


def test_the_first_file_by_name_counts_and_the_next_fills(tmp_path):
    whole = city_files.raster(tmp_path / "b.tif", PICTURE, city_files.north_up(ROW, COL, PX))
    left = city_files.raster(tmp_path / "a.tif", 255 - part(0, 0, 4, 2), city_files.north_up(ROW, COL, PX))
    expected = np.stack([255 - part(1, 1), part(1, 2), 255 - part(2, 1), part(2, 2)])

    for urls in ([whole, left], [left, whole]):
        assert np.array_equal(images(urls).images, expected)


def test_a_cell_between_two_files_is_put_together(tmp_path):
    half = PX // 2
    halves = [
        city_files.raster(tmp_path / "a.tif", PICTURE[:, :, : PX + half], city_files.north_up(ROW, COL, PX)),
        city_files.raster(
            tmp_path / "b.tif",
            PICTURE[:, :, PX + half :],
            city_files.north_up(ROW, COL, PX) @ Affine.translation(PX + half, 0),
        ),
    ]
    assert np.array_equal(images(halves).images, WANTED)
    alone = images(halves[:1], INNER[:1])
    assert alone.reason == ("imagery covers 50% of the cell (limit 99%)",)


def test_what_is_missing_of_a_nearly_whole_cell_takes_its_mean(tmp_path):
    values = np.concatenate([PICTURE, np.full((1, *PICTURE.shape[1:]), 255, np.uint8)])
    values[:, PX, PX] = 0  # a pixel of the first inner cell, transparent
    kinds = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    url = city_files.raster(tmp_path / "a.tif", values, city_files.north_up(ROW, COL, PX), colours=kinds)
    found = images([url])
    mean = np.rint(WANTED[0].reshape(3, -1)[:, 1:].mean(1))

    assert found.present.all()
    assert np.array_equal(found.images[0, :, 0, 0], mean)
    assert np.array_equal(found.images[:, :, 1:], WANTED[:, :, 1:])
    assert images([url], rules=BasemapRules(PX, 1.0)).present.tolist() == [False, True, True, True]


def test_files_of_other_bands_are_understood(tmp_path):
    place = city_files.north_up(ROW, COL, PX)
    kinds = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined]
    swapped = city_files.raster(tmp_path / "a.tif", np.concatenate([PICTURE[::-1], PICTURE[:1]]), place, colours=kinds)
    grey = city_files.raster(tmp_path / "b.tif", PICTURE[:1], place)
    palette = {number: (number, 255 - number, 7, 255) for number in range(256)}
    looked_up = city_files.raster(tmp_path / "c.tif", PICTURE[:1], place, colormap=palette)

    assert np.array_equal(images([swapped]).images, WANTED)
    assert np.array_equal(images([grey]).images, WANTED[:, [0, 0, 0]])
    found = images([looked_up]).images
    assert np.array_equal(found[:, 0], WANTED[:, 0]) and np.array_equal(found[:, 1], 255 - WANTED[:, 0])
    assert (found[:, 2] == 7).all()


def test_sixteen_bits_are_refused(tmp_path):
    url = city_files.raster(tmp_path / "a.tif", PICTURE.astype(np.uint16), city_files.north_up(ROW, COL, PX))
    with pytest.raises(DataError, match="uint16"):
        images([url])


def test_overviews_give_the_mean_of_much_finer_pixels(tmp_path):
    fine = city_files.smooth_picture(1, 1, 1024)
    url = city_files.raster(tmp_path / "a.tif", fine, city_files.north_up(ROW, COL, 1024))
    found = images([url], city_files.grid_of(ROW, COL)).images[0]

    assert np.abs(found - fine.reshape(3, PX, 32, PX, 32).mean((2, 4))).max() <= 1.0


@pytest.mark.parametrize("west", [180.0 - 2 / 120, -180.0 - 2 / 120])
def test_a_basemap_across_180_serves_both_sides(tmp_path, west):
    step = cells.STEP_DEG / PX
    url = city_files.raster(tmp_path / "a.tif", PICTURE, Affine(step, 0, west, 0, -step, 90 - ROW / 120))
    found = images([url], cells.cell_id([ROW] * 4, [43_198, 43_199, 0, 1]))

    assert found.present.all()
    assert np.array_equal(found.images, np.stack([part(0, at) for at in range(4)]))
    assert images([url], cells.cell_id([ROW], [21_600])).reason[0].startswith("no imagery")


def test_a_projected_basemap_across_180_serves_both_sides(tmp_path):
    step = cells.STEP_DEG / PX
    place = Affine(step, 0, 180.0 - 2 / 120, 0, -step, 90 - ROW / 120)
    url = city_files.reprojected(tmp_path / "a.tif", PICTURE, place, "EPSG:32601")
    found = images([url], cells.cell_id([ROW + 1] * 2, [43_199, 0]))

    assert found.present.all(), found.reason
    wanted = np.stack([part(1, 1), part(1, 2)])
    assert np.abs(found.images.astype(int) - wanted).mean() < 3.0


def test_the_index_finds_files_by_bounds_and_travels(tmp_path):
    step = cells.STEP_DEG / PX
    urls = [
        city_files.raster(tmp_path / f"{name}.tif", PICTURE, Affine(step, 0, west, 0, -step, 10.0))
        for name, west in (("a", -180.0), ("b", 0.0), ("c", 179.99))
    ]
    index = pickle.loads(pickle.dumps(index_basemap(reversed(urls))))

    assert list(index.rasters) == urls
    assert index.files_of((-180.0, 9.98, -179.99, 10.0)) == (urls[0], urls[2])
    assert index.files_of((179.995, 9.98, 180.0, 10.0)) == (urls[2],)
    assert index.files_of((0.0, 9.98, 0.01, 10.0)) == (urls[1],)
    assert index.files_of((0.0, 10.0, 0.01, 10.1)) == ()


def test_a_basemap_on_s3_is_the_same(tmp_path, s3_server):
    path = tmp_path / "a.tif"
    city_files.raster(path, PICTURE, city_files.north_up(ROW, COL, PX))
    tree(tmp_path, 13)
    for name in ("a.tif", *(str(tile.relative_to(tmp_path)) for tile in tmp_path.glob("13/*/*.png"))):
        objectstore.put_bytes(f"{s3_server}/map/{name}", (tmp_path / name).read_bytes())

    assert np.array_equal(images([f"{s3_server}/map/a.tif"]).images, WANTED)
    tiles = images([str(tmp_path)]).images
    assert np.array_equal(images([f"{s3_server}/map"]).images, tiles)
    assert np.array_equal(images([f"{s3_server}/map/13/{{x}}/{{y}}.png"]).images, tiles)


def test_a_truncated_file_is_told_by_name_among_others(tmp_path):
    good = city_files.raster(tmp_path / "a.tif", PICTURE[:, :PX], city_files.north_up(ROW, COL, PX))
    path = tmp_path / "b.tif"
    city_files.raster(path, PICTURE, city_files.north_up(ROW, COL, PX))
    index = index_basemap([good, str(path)])
    path.write_bytes(path.read_bytes()[:-20_000])

    with pytest.raises(DataError, match=r"b\.tif"):
        read_cell_images(index, city_files.grid_of(ROW, COL, 4, 1), RULES)


def test_nothing_given_is_no_imagery():
    assert images([]).reason == ("no imagery: no file of the basemap holds the cell",) * 4


def test_a_folder_without_tiles_or_a_wrong_template_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("")
    for url in (str(tmp_path), "s3://bucket/{z}/{x}/{y}.png", "s3://bucket/3/{x}.png"):
        with pytest.raises(SettingsError, match="basemap"):
            index_basemap([url])


def test_a_broken_or_unplaced_raster_is_told_by_name(tmp_path):
    broken, unplaced = tmp_path / "broken.tif", tmp_path / "unplaced.tif"
    broken.write_bytes(b"II*\0 and no more")
    city_files.raster(unplaced, PICTURE, None, None)
    for path, words in ((broken, "broken.tif"), (unplaced, "where it lies"), (tmp_path / "none.tif", "no such file")):
        with pytest.raises(DataError, match=words):
            index_basemap([str(path)])

"""Items of images: from catalogs, collections and bare folders, and which places they hold."""

import json
from pathlib import Path

import numpy as np
import pystac
import pytest

from carbonray.errors import DataError, SettingsError
from carbonray.io.imagery.items import ItemPlace, imager_of, item_places, load_item
from tests.io.imagery.native_files import chip_item, grid_of, write_landsat, write_psscene, write_safe

PLANT = (np.array([51.43]), np.array([6.99]))


def item(name: str, **properties: str) -> dict[str, object]:
    told = chip_item(Path(f"{name}.tif"), [], constellation="sentinel-2") | {"bbox": [6.5, 51.0, 7.5, 52.0]}
    told["properties"] |= properties
    return told


def test_the_bare_folders_of_three_providers_make_items(tmp_path: Path) -> None:
    write_safe(tmp_path, grid_of("sentinel2"), offsets=None)
    write_landsat(tmp_path / "l8", grid_of("landsat8"))
    write_psscene(tmp_path / "ps", grid_of("planetscope"), bands=8)

    found = list(item_places(f"{tmp_path}/{glob}" for glob in ("*.SAFE", "l8/*_MTL.txt", "ps/*_metadata.json")))

    assert [each.imager for each in found] == ["sentinel2", "landsat8", "planetscope"]
    assert all(each.holds(*PLANT).all() for each in found)
    assert [load_item(each.url).id for each in found] == [each.item_id for each in found]


def test_a_collection_of_items_is_many_and_each_has_a_place(tmp_path: Path) -> None:
    content = {"type": "FeatureCollection", "features": [item("one"), item("two")]}
    (tmp_path / "found.json").write_text(json.dumps(content))

    places = list(item_places([f"{tmp_path}/*.json"]))

    assert [place.item_id for place in places] == ["one", "two"]
    assert load_item(places[1].url).id == "two"
    assert load_item(places[1].url).assets["chip"].get_absolute_href().endswith(f"{tmp_path}/two.tif")
    with pytest.raises(DataError, match="no item 'three'"):
        load_item(places[0].url.replace("#one", "#three"))


def test_a_catalog_is_walked_to_its_items(tmp_path: Path) -> None:
    catalog = pystac.Catalog("c", "test")
    child = pystac.Catalog("d", "test")
    catalog.add_child(child)
    child.add_items([pystac.Item.from_dict(item(name)) for name in ("one", "two")])
    catalog.normalize_and_save(tmp_path.as_posix(), pystac.CatalogType.SELF_CONTAINED)

    places = list(item_places([f"{tmp_path}/catalog.json"]))

    assert sorted(place.item_id for place in places) == ["one", "two"]
    assert {load_item(place.url).id for place in places} == {"one", "two"}


@pytest.mark.s3
def test_a_catalog_is_walked_on_s3_too(tmp_path: Path, s3_server: str) -> None:
    from carbonray.io import objectstore

    catalog = pystac.Catalog("c", "test")
    catalog.add_item(pystac.Item.from_dict(item("one")))
    catalog.normalize_and_save(tmp_path.as_posix(), pystac.CatalogType.SELF_CONTAINED)
    for path in tmp_path.rglob("*.json"):
        objectstore.put_bytes(f"{s3_server}/{path.relative_to(tmp_path).as_posix()}", path.read_bytes())

    (place,) = item_places([f"{s3_server}/catalog.json"])

    assert place.item_id == "one" and load_item(place.url).id == "one"


@pytest.mark.parametrize(
    ("properties", "imager"),
    [({"constellation": "sentinel-2"}, "sentinel2"), ({"platform": "Sentinel-2B"}, "sentinel2"),
     ({"platform": "LANDSAT_8"}, "landsat8"), ({"platform": "landsat-9"}, ""), ({"platform": "landsat-7"}, ""),
     ({"constellation": "planetscope", "platform": "2401"}, "planetscope"), ({"platform": "Terra"}, ""), ({}, "")],
)  # fmt: skip
def test_an_imager_is_known_by_what_items_say(properties: dict[str, str], imager: str) -> None:
    told = chip_item(Path("x.tif"), [], **properties)

    assert imager_of(pystac.Item.from_dict(told)) == imager


@pytest.mark.parametrize(
    ("lon", "inside"), [(179.5, True), (-179.5, True), (180.0, True), (-178.0, False), (178.0, False), (0.0, False)]
)
def test_a_box_across_the_180th_meridian_holds_both_sides(lon: float, inside: bool) -> None:
    place = ItemPlace("u", "i", "sentinel2", 0, (179.0, -20.0, -179.0, -10.0))

    assert place.holds(np.array([-16.0]), np.array([lon])).tolist() == [inside]


def test_a_box_around_the_earth_holds_all() -> None:
    assert ItemPlace("u", "i", "x", 0, (-180.0, -90.0, 180.0, 90.0)).holds(np.array([80.0]), np.array([179.9])).all()


@pytest.mark.parametrize(
    "content", ["", "[]", '{"type": "Feature"}', '{"type": "Topology"}', "{" * 90_000, "[" * 90_000]
)
def test_what_is_no_item_is_bad_data(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)

    with pytest.raises(DataError):
        load_item((tmp_path / "a.json").as_posix())


def test_a_glob_that_matches_nothing_is_a_setting_to_correct(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no input matches"):
        list(item_places([f"{tmp_path}/*.json"]))

"""Points of interest from every kind of file: the same points, and a reason for every other row."""

import collections

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from carbonray.errors import DataError
from carbonray.io.urban.poi_categories import read_category_map
from carbonray.io.urban.poi_files import merged_points, read_poi_file
from carbonray.io.urban.poi_rows import PoiRules
from carbonray.science.spatial import cells
from carbonray.vocab.grid_tables import POINT_REJECTIONS, POINTS
from tests.io.urban import city_files

MAP = read_category_map()
GOOD = [("1", "cafe", 40.7001, -74.0), ("2", "bank", 40.7101, -73.99), ("3", "school", -33.9, 179.9999)]
BAD = {
    "no coordinates": ("4", "cafe", "", ""),
    "latitude": ("5", "cafe", "north", "-74.0"),
    "outside the world": ("6", "cafe", "95.0", "10.0"),
    "unknown class": ("7", "resta", "40.7", "-74.0"),
    "no class": ("8", "", "40.7", "-74.0"),
    "class of no category": ("9", "bench", "40.7", "-74.0"),
    "duplicate id": ("2", "cafe", "40.7", "-74.0"),
}
ROWS = [tuple(map(str, row)) for row in GOOD] + list(BAD.values())
HEAD = ("osm_id", "fclass", "lat", "lon")


def table(path, rows=ROWS, head=HEAD, separator=","):
    path.write_text("\n".join(separator.join(cells) for cells in [head, *rows]) + "\n")
    return str(path)


def read(url, rules=None, within=None):
    chunks = list(read_poi_file(url, MAP, rules, within))
    points = pa.concat_tables([chunk.points for chunk in chunks])
    rejections = pa.concat_tables([chunk.rejections for chunk in chunks])
    assert sum(chunk.read for chunk in chunks) == points.num_rows + rejections.num_rows
    return points, rejections


def reasons(rejections):
    return [reason.split(":")[0] for reason in rejections["reason"].to_pylist()]


def test_rows_are_placed_or_told(tmp_path):
    points, rejections = read(table(tmp_path / "a.csv"))
    expected = {(int(cells.cell_id(*cells.cell_at(lat, lon))), MAP.of_class(kind)) for _, kind, lat, lon in GOOD}

    assert points.schema.equals(POINTS, check_metadata=True)
    assert rejections.schema.equals(POINT_REJECTIONS, check_metadata=True)
    assert set(zip(points["cell_id"].to_pylist(), points["category"].to_pylist(), strict=True)) == expected
    assert reasons(rejections) == list(BAD)
    assert rejections["row"].to_pylist() == [4, 5, 6, 7, 8, 9, 10]
    assert rejections["point_id"].to_pylist() == [row[0] for row in BAD.values()]
    row, col = cells.row_col(points["cell_id"].to_numpy())
    assert np.array_equal(points["cell_id"].to_numpy(), np.sort(points["cell_id"].to_numpy()))
    north = cells.cell_bounds(row, col)[3]
    lat = north - points["y"].to_numpy() / cells.PARTS * cells.STEP_DEG
    assert sorted(np.round(lat, 4)) == sorted(place[2] for place in GOOD)


def test_the_size_of_a_chunk_changes_nothing(tmp_path):
    url = table(tmp_path / "a.csv", ROWS * 40)
    whole, _ = read(url)
    parts, rejections = read(url, PoiRules(chunk_bytes=256))

    assert merged_points([parts])[0].equals(merged_points([whole])[0])
    assert (
        collections.Counter(reasons(rejections))["duplicate id"] == 39 * 4 + 40 - 39
    )  # three good ids, one told twice


def test_tables_and_features_hold_the_same_points(tmp_path):
    wanted, _ = read(table(tmp_path / "a.csv"))
    shown = [
        ({"osm_id": name, "fclass": kind}, {"type": "Point", "coordinates": [float(lon), float(lat)]})
        for name, kind, lat, lon in GOOD
    ]
    urls = [
        table(tmp_path / "a.tsv", separator="\t"),
        table(tmp_path / "b.csv", head=("OSM ID", "Category", "Latitude", "Longitude"), separator=";"),
        city_files.geojson(tmp_path / "a.geojson", shown),
        city_files.geopackage(tmp_path / "a.gpkg", str(tmp_path / "a.geojson")),
        city_files.geopackage(tmp_path / "m.gpkg", str(tmp_path / "a.geojson"), "EPSG:3857"),
    ]
    for url in urls:
        found, _ = read(url)
        assert found.drop(["y", "x"]).equals(wanted.drop(["y", "x"])), url
        for part in ("y", "x"):  # another system moves a place by less than the width of a hair
            moved = found[part].to_numpy().astype(int) - wanted[part].to_numpy()
            assert np.abs(moved).max() <= (1 if url.endswith("m.gpkg") else 0)


def test_areas_count_at_their_centroid_and_tags_as_classes(tmp_path):
    shape = city_files.square(6000, 12_700, inset=0.25)
    url = city_files.geojson(
        tmp_path / "a.geojson",
        [({"@id": "way/1", "shop": "car"}, shape), ({"@id": "n/2"}, shape), ({"shop": "car"}, None)],
    )
    points, rejections = read(url)

    assert points["cell_id"].to_pylist() == [cells.cell_id(6000, 12_700)]
    assert abs(points["y"][0].as_py() - 32_768) <= 1 and abs(points["x"][0].as_py() - 32_768) <= 1
    assert MAP.names[points["category"][0].as_py()] == "vehicles"
    assert reasons(rejections) == ["no class", "no coordinates"]


def test_openstreetmap_gives_nodes_and_ways(tmp_path):
    corner = [
        (10 + at, -74.0 + dx, 40.7 + dy, {}) for at, (dx, dy) in enumerate([(0, 0), (2e-3, 0), (2e-3, 2e-3), (0, 2e-3)])
    ]
    url = city_files.osm_extract(
        tmp_path / "a.osm.pbf",
        nodes=[(1, -74.0, 40.7, {"amenity": "cafe", "name": "A"}), (2, -74.0, 40.7, {"amenity": "bench"}), *corner],
        ways=[
            (5, [10, 11, 12, 13, 10], {"building": "apartments"}),
            (6, [10, 11, 12, 13, 10], {"building": "yes"}),
            (7, [98, 99], {"amenity": "school"}),
        ],
        relations=[(8, [("w", 5, "outer")], {"amenity": "university", "type": "multipolygon"})],
    )
    points, rejections = read(url)
    nodes_only, _ = read(url, PoiRules(osm_ways=False))

    assert [MAP.names[kind] for kind in sorted(points["category"].to_pylist())] == ["food", "residential"]
    at = {MAP.names[kind]: y for kind, y in zip(points["category"].to_pylist(), points["y"].to_pylist(), strict=True)}
    assert cells.place_at(40.701, -73.999)[2] == pytest.approx(at["residential"], abs=1)
    assert dict(zip(rejections["point_id"].to_pylist(), reasons(rejections), strict=True)) == {
        "n2": "class of no category", "w7": "no coordinates", "r8": "relation",
    }  # fmt: skip
    assert nodes_only.num_rows == 1


def test_a_point_outside_the_city_is_told(tmp_path):
    inside = int(cells.cell_id(*cells.cell_at(40.7001, -74.0)))
    points, rejections = read(table(tmp_path / "a.csv"), within=np.array([inside]))

    assert points["cell_id"].to_pylist() == [inside]
    assert reasons(rejections).count("outside the cells") == 2


def test_points_without_ids_are_told_apart_by_their_lines(tmp_path):
    rows = [("cafe", "40.7", "-74.0")] * 3
    points, _ = read(table(tmp_path / "a.csv", rows, ("class", "lat", "lon")))

    assert points.num_rows == len(set(points["point_key"].to_pylist())) == 3


def test_what_two_files_tell_counts_once_whatever_their_order(tmp_path):
    one, _ = read(table(tmp_path / "a.csv", ROWS[:2]))
    other, _ = read(table(tmp_path / "b.csv", ROWS[1:3]))
    merged, again = merged_points([one, other])

    assert (merged.num_rows, again) == (3, 1)
    assert merged_points([other, one])[0].equals(merged)
    assert merged_points([])[0].schema.equals(POINTS)


def test_named_columns_are_taken(tmp_path):
    url = table(tmp_path / "a.csv", ROWS[:2], ("key", "kind", "breite", "laenge"))
    rules = PoiRules(class_column="kind", lat_column="breite", lon_column="Laenge", id_column="key")

    assert read(url, rules)[0].num_rows == 2


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.shp", "", "no known kind"),
        ("a.csv", "osm_id,fclass\n1,cafe\n", "missing"),
        ("a.csv", "osm_id,lat,lon\n1,2,3\n", "what the points are"),
        ("a.xls", "no workbook", "table"),
        ("a.geojson", "{", "layer"),
        ("a.geojson", '{"type": "FeatureCollection", "features": []}', "class"),
        ("a.pbf", "no extract", "OpenStreetMap"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read(str(path))


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.gpkg", "a.osm.pbf"])
def test_a_file_that_is_not_there_is_told(tmp_path, name):
    with pytest.raises(DataError):
        read(str(tmp_path / name))


def test_new_york_of_2017_is_read_whole(shared_data):
    points, rejections = read(str(shared_data / "urban" / "POI_NYC-2017.xls"))
    counts = collections.Counter(MAP.names[kind] for kind in points["category"].to_pylist())
    lost = collections.Counter(reasons(rejections))

    assert points.num_rows + rejections.num_rows == 16_936
    assert counts == {
        "food": 3905, "community": 1986, "education": 1797, "transport": 747, "government": 657, "finance": 525,
        "health": 478, "vehicles": 209, "services": 197, "recreation": 190, "shopping": 17, "offices": 1,
    }  # fmt: skip
    assert lost == {"class of no category": 6116, "no class": 98, "unknown class": 13}
    assert pd.Series(points["cell_id"].to_numpy()).nunique() == 1558


def test_rejections_are_the_same_wherever_a_local_file_lies(tmp_path):
    def rejected(folder):
        (tmp_path / folder).mkdir()
        return read(table(tmp_path / folder / "points.csv"))[1]

    assert rejected("a").equals(rejected("b"))
    assert set(rejected("c")["source_url"].to_pylist()) == {"points.csv"}

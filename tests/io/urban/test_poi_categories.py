"""The category map: fifteen categories, words in one list each, tags, overlays."""

import pytest
import yaml

from carbonray.errors import SettingsError
from carbonray.io.urban.poi_categories import DROPPED, NONE, UNKNOWN, class_word, decided, read_category_map

PARTS = {
    "names": ["food", "other"],
    "keys": ["amenity"],
    "classes": {"food": ["cafe"]},
    "dropped": ["bench"],
    "tags": {},
}


@pytest.fixture(scope="module")
def built_in():
    return read_category_map()


def test_the_built_in_map_has_the_models_fifteen_channels(built_in):
    assert len(built_in.names) == len(set(built_in.names)) == 15
    assert set(range(15)) <= set(built_in.known.values())
    assert all(word == class_word(word) for word in built_in.known)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("fast_food", "food"), ("Fast Food", "food"), ("clothing store", "shopping"), ("bakery;cafe", "shopping"),
        ("place_of_worship", "community"), ("railway_station", "transport"), ("factory", "industry"),
    ],
)  # fmt: skip
def test_a_class_counts_however_it_is_written(built_in, written, name):
    assert built_in.names[built_in.of_class(written)] == name


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("amenity", "restaurant", "food"), ("shop", "whatever", "shopping"), ("shop", "car", "vehicles"),
        ("office", "lawyer", "offices"), ("office", "insurance", "finance"), ("building", "apartments", "residential"),
        ("power", "plant", "industry"), ("leisure", "park", "recreation"), ("craft", "brewery", "industry"),
    ],
)  # fmt: skip
def test_a_tag_counts_by_value_then_by_key(built_in, key, value, name):
    assert built_in.names[built_in.of_tag(key, value)] == name


def test_what_is_no_category_says_why(built_in):
    assert built_in.of_class("bench") == built_in.of_tag("amenity", "bench") == DROPPED
    assert built_in.of_class("resta") == built_in.of_tag("amenity", "resta") == UNKNOWN
    assert built_in.of_tag("building", "yes") == built_in.of_class(" ") == NONE
    assert decided([UNKNOWN, 4, 2]) == 4
    assert decided([UNKNOWN, DROPPED, NONE]) == DROPPED
    assert decided([]) == NONE


def test_an_overlay_replaces_the_map(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(yaml.safe_dump(PARTS))
    found = read_category_map(str(path))

    assert found.names == ("food", "other")
    assert (found.of_class("cafe"), found.of_class("bench"), found.of_class("bank")) == (0, DROPPED, UNKNOWN)


@pytest.mark.parametrize(
    "wrong",
    [
        "a: [", "[1]", {**PARTS, "more": 1}, {**PARTS, "names": ["food", "food"]}, {**PARTS, "names": []},
        {**PARTS, "classes": {"fodo": ["cafe"]}}, {**PARTS, "dropped": ["Cafe"]},
    ],
)  # fmt: skip
def test_a_wrong_map_is_refused(tmp_path, wrong):
    path = tmp_path / "map.yaml"
    path.write_text(wrong if isinstance(wrong, str) else yaml.safe_dump(wrong))
    with pytest.raises(SettingsError, match="category map"):
        read_category_map(str(path))

"""Which acquisitions see which plant: by box, imager and year, in an order of their own."""

import numpy as np

from carbonray.io.imagery.image import Structure
from carbonray.io.imagery.items import ItemPlace
from carbonray.pipelines.plant_images import sites_of

PLANTS = {
    "P1": (Structure("a", "NDT", 50.5, 7.5), Structure("b", "FGD", 50.6, 7.5)),
    "P2": (Structure("c", "NDT", 0.0, 0.0),),
}
BOX = (7.0, 50.0, 8.0, 51.0)


def at(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def test_a_plant_has_the_items_of_its_place_by_imager_and_year() -> None:
    places = [
        ItemPlace("late", "late", "sentinel2", at("2020-12-31T23:59:59.999999999"), BOX),
        ItemPlace("early", "early", "sentinel2", at("2020-01-01"), BOX),
        ItemPlace("next", "next", "sentinel2", at("2021-01-01"), BOX),
        ItemPlace("other", "other", "landsat8", at("2020-06-01"), BOX),
        ItemPlace("undeclared", "undeclared", "", at("2020-06-01"), BOX),
        ItemPlace("far", "far", "sentinel2", at("2020-06-01"), (8.5, 51.5, 9.0, 52.0)),
        ItemPlace("unplaced", "unplaced", "sentinel2", at("2020-06-01"), None),
        ItemPlace("bad", "", "", 0, None, "no items"),
    ]
    found = {site: [place.item_id for place in seen] for site, seen in sites_of(places, PLANTS).items()}
    assert found == {
        ("P1", "landsat8", 2020): ["other"],
        ("P1", "sentinel2", 2020): ["early", "unplaced", "late"],
        ("P1", "sentinel2", 2021): ["next"],
        ("P2", "sentinel2", 2020): ["unplaced"],
    }
    assert sites_of(reversed(places), PLANTS) == sites_of(places, PLANTS)

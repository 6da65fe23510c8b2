"""STAC items of images: from items, item collections and catalogs, or made of the bare folders providers deliver.

Source: STAC 1.0 and 1.1, GeoJSON. An item's URL is what a work unit reads: a file of its own, a place in a collection
(`URL#ID`), a SAFE folder, an MTL file or the metadata of a PSScene. Times are UTC ns, places WGS84 degrees.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pystac
from numpy.typing import NDArray
from pystac.errors import STACError, STACTypeError
from pystac.stac_io import DefaultStacIO

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.imagery.assets import time_ns
from carbonray.io.imagery.landsat8 import mtl_item
from carbonray.io.imagery.metadata import read_json
from carbonray.io.imagery.planetscope import scene_item
from carbonray.io.imagery.sentinel2 import safe_item
from carbonray.vocab.sensors import IMAGERS, Imager

# name of what a provider delivers -> what makes an item of it
PRODUCTS: Mapping[str, Callable[[str], pystac.Item]] = MappingProxyType(
    {r"\.SAFE/?$": safe_item, r"_MTL\.(txt|json)$": mtl_item, r"_metadata\.(json|xml)$": scene_item}
)


@dataclass(frozen=True)
class ItemPlace:
    """What a planner needs to know of an item.

    Attributes:
        url: by which `load_item` finds it.
        item_id: its id.
        imager: key of the imager, empty where it is none that is declared.
        time_utc_ns: of the acquisition.
        bbox: west, south, east, north, degrees; west > east across the 180th meridian. None where it has none.
        fault: why the file at `url` cannot be read as items, empty where it can.
    """

    url: str
    item_id: str
    imager: str
    time_utc_ns: int
    bbox: tuple[float, float, float, float] | None
    fault: str = ""

    def holds(self, lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) whether the box holds each place, degrees; an item without a box might hold any."""
        if self.bbox is None:
            return np.ones(len(lat), np.bool_)
        west, south, east, north = self.bbox
        width = (east - west) % 360.0 or (360.0 if east != west else 0.0)
        held: NDArray[np.bool_] = (lat >= south) & (lat <= north) & ((lon - west) % 360.0 <= width)
        return held


def item_places(patterns: Iterable[str], imagers: Mapping[str, Imager] = IMAGERS) -> Iterator[ItemPlace]:
    """The items that URLs and globs of anything above stand for, without their pixels; a file that is none is a fault.

    Raises:
        SettingsError: a pattern matches nothing.
        TransportError: a file could not be moved.
    """
    for pattern in patterns:
        for url in objectstore.expand(pattern):
            try:
                for item, place in _items(url):
                    yield ItemPlace(place, item.id, imager_of(item, imagers), time_ns(item), _box(item))
            except DataError as error:
                yield ItemPlace(url, "", "", 0, None, str(error))


def load_item(url: str) -> pystac.Item:
    """One item by its URL.

    Raises:
        DataError: there is none, or it is not readable.
        TransportError: it could not be moved.
    """
    place, _, item_id = url.partition("#")
    for item, _ in _items(place):
        if item_id in ("", item.id):
            return item
    raise _no_item(url, f"no item {item_id!r}")


def imager_of(item: pystac.Item, imagers: Mapping[str, Imager] = IMAGERS) -> str:
    """Key of the imager that took an image, by its constellation, platform, instrument or collection; else empty."""
    properties = item.properties
    named = [properties.get(key) for key in ("carbonray:imager", "constellation", "platform")]
    said = [*named, *(properties.get("instruments") or []), item.collection_id]
    words = [re.sub(r"[^a-z0-9]", "", str(word).lower()) for word in said if word]
    return next((name for word in words for name in imagers if word.startswith(name)), "")


def _items(url: str) -> Iterator[tuple[pystac.Item, str]]:
    """Items and the URL of each."""
    for pattern, make in PRODUCTS.items():
        if re.search(pattern, url):
            yield make(url), url
            return
    content = read_json(url)
    try:
        yield from _stac_items(url, content)
    except (STACError, STACTypeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_item(url, f"{type(error).__name__}: {error}") from error


def _stac_items(url: str, content: dict[str, Any]) -> Iterator[tuple[pystac.Item, str]]:
    kind = content.get("type")
    if kind == "Feature":
        yield _placed(pystac.Item.from_dict(content), url), url
    elif kind == "FeatureCollection":
        for feature in content["features"]:
            item = pystac.Item.from_dict(feature)
            yield _placed(item, url), f"{url}#{item.id}"
    elif kind in ("Catalog", "Collection"):
        catalog = pystac.Catalog.from_file(url, stac_io=_StoreIO())
        for item in catalog.get_items(recursive=True):
            yield item, item.get_self_href() or url
    else:
        raise _no_item(url, f"type {kind!r}")


def _placed(item: pystac.Item, url: str) -> pystac.Item:
    """The item, its relative links read from where it lies."""
    item.set_self_href(url)
    return item


def _box(item: pystac.Item) -> tuple[float, float, float, float] | None:
    box = item.bbox
    if not box:
        return None
    half = len(box) // 2  # heights may stand between
    return (box[0], box[1], box[half], box[half + 1])


class _StoreIO(DefaultStacIO):
    """Links of a catalog, followed through the object store."""

    def read_text_from_href(self, href: str) -> str:
        return objectstore.read_bytes(href).decode("utf-8")


def _no_item(url: str, error: str) -> DataError:
    return DataError(
        f"no STAC item can be read ({error})",
        where=url,
        expected="an item, an item collection, a catalog, a SAFE folder, an MTL file or a PSScene's metadata",
        remedy="Check inputs.imagery, or leave the file out.",
    )

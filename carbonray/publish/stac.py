"""A product described for catalogues: one STAC item a run and year, its files as assets.

Source: STAC 1.1.0 with the extensions projection 2.0 and file; made by pystac. Links are relative to the run's folder,
so that a copy of the folder is as good as the folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pystac
import shapely
from pystac.extensions.projection import ProjectionExtension

COG_TYPE = pystac.MediaType.COG
ZARR_TYPE = "application/vnd.zarr; version=3"
PARQUET_TYPE = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class AssetFacts:
    """One file or store of a product.

    Attributes:
        href: relative to the run's folder.
        title: what it is.
        media_type: as catalogues name it.
        roles: 'data', 'overview' or 'metadata'.
    """

    href: str
    title: str
    media_type: str
    roles: tuple[str, ...] = ("data",)


def stac_item(
    name: str,
    bounds: tuple[float, float, float, float],
    year: int,
    assets: Mapping[str, AssetFacts],
    properties: Mapping[str, Any],
) -> bytes:
    """The item as JSON; the same facts give the same bytes.

    Args:
        name: id of the item.
        bounds: (west, south, east, north) degrees, east beyond 180 where the product lies across the date line.
        year: calendar year that it stands for.
        assets: by key.
        properties: further properties, such as `carbonray:data_tier`.
    """
    start = datetime(year, 1, 1, tzinfo=UTC)
    item = pystac.Item(
        id=name,
        geometry=shapely.geometry.mapping(_outline(bounds)),
        bbox=[bounds[0], bounds[1], _wrapped(bounds[2]), bounds[3]],
        datetime=None,
        start_datetime=start,
        end_datetime=datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC),
        properties=dict(properties),
    )
    ProjectionExtension.ext(item, add_if_missing=True).apply(epsg=4326)
    for key, asset in assets.items():
        item.add_asset(key, pystac.Asset(asset.href, asset.title, None, asset.media_type, list(asset.roles)))
    return json.dumps(item.to_dict(include_self_link=False), indent=1, sort_keys=True).encode() + b"\n"


def _wrapped(lon: float) -> float:
    return lon - 360.0 if lon > 180.0 else lon


def _outline(bounds: tuple[float, float, float, float]) -> shapely.Geometry:
    """Counter-clockwise; cut in two at the date line, as RFC 7946 asks."""
    west, south, east, north = bounds
    if east <= 180.0:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180.0, north), shapely.box(-180.0, south, east - 360, north)])

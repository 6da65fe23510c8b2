"""What an item says of its bands: which asset holds each, how its integers scale, where the sun stood.

Source: STAC 1.0 and 1.1 with the eo, raster and view extensions. Catalogs name bands in many ways: a band is found by
its own name, else by its common name, else by its centre wavelength.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import pystac
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry import MultiPoint, mapping, shape

from carbonray.errors import DataError
from carbonray.io.imagery.crop import BandSource, BandStack
from carbonray.io.imagery.image import QUALITY_BITS, RegionGrid, RegionImage
from carbonray.io.imagery.metadata import utc_ns
from carbonray.vocab.sensors import Band, Imager

WAVELENGTH_TOLERANCE = 0.02  # relative: catalogs round to 10 nm, and neighbours differ by 2.7 % at least
NM_PER_UM = 1000.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DATA_TIER = "carbonray:data_tier"  # property of an item that is not of the real Earth


@dataclass(frozen=True)
class AssetBand:
    """One band of one asset as the item describes it."""

    url: str
    index: int
    names: tuple[str, ...]
    common: str
    centre_nm: float
    scale: float | None
    offset: float | None
    nodata: float | None


@dataclass(frozen=True)
class Scaling:
    """How integers become values, (band,) float64 each: value = dn * scale + offset, thermal constants or NaN."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    k1: NDArray[np.float64]
    k2: NDArray[np.float64]
    quality: int = 0

    @classmethod
    def reflective(cls, scale: Sequence[float], offset: Sequence[float], quality: int = 0) -> "Scaling":
        """Of bands none of which is thermal."""
        nothing = np.full(len(scale), np.nan)
        return cls(np.asarray(scale, np.float64), np.asarray(offset, np.float64), nothing, nothing, quality)


@dataclass(frozen=True)
class Sun:
    """Where the sun stood, degrees; NaN where not given."""

    elevation_deg: float = field(default=float("nan"))
    azimuth_deg: float = field(default=float("nan"))


def matched_bands(
    item: pystac.Item, imager: Imager, aliases: Mapping[str, str] = MappingProxyType({})
) -> list[AssetBand | None]:
    """For each band of the imager the asset's band that holds it, or None.

    Args:
        item: of the image.
        imager: whose bands.
        aliases: a catalog's name -> the band's own.
    """
    offered = [each for each in asset_bands(item) if each.url]
    return [_match(band, offered, aliases) for band in imager.bands]


def asset_bands(item: pystac.Item) -> Iterator[AssetBand]:
    """Every band of every asset."""
    for key, asset in item.assets.items():
        extra = asset.extra_fields
        described = [extra.get(name) or [] for name in ("bands", "eo:bands", "raster:bands")]
        count = max(map(len, described), default=0) or 1
        for place in range(count):
            parts = [bands[place] for bands in described if place < len(bands)]
            yield _asset_band(item, key, place, count, {**extra, **{k: v for part in parts for k, v in part.items()}})


def band_sources(bands: Sequence[AssetBand | None]) -> list[BandSource | None]:
    """Where to read each band."""
    return [BandSource(band.url, band.index, band.nodata) if band else None for band in bands]


def asset_url(item: pystac.Item, *keys: str) -> str | None:
    """URL of the first of these assets that the item has."""
    for key in keys:
        if key in item.assets:
            return item.assets[key].get_absolute_href()
    return None


def sun_of(item: pystac.Item) -> Sun:
    """Where the sun stood, by the view extension."""
    named = (item.properties.get(f"view:sun_{name}") for name in ("elevation", "azimuth"))
    return Sun(*(float("nan") if value is None else float(value) for value in named))


def assembled(
    item: pystac.Item,
    imager: Imager,
    grid: RegionGrid,
    stack: BandStack,
    scaling: Scaling,
    masks: NDArray[np.uint8],
    *,
    sun: Sun,
    quality: int,
) -> RegionImage:
    """The image of a region from its parts; `masks` are flags beside those of the bands, (y, x)."""
    made = item.properties.get("updated") or item.properties.get("created")
    return RegionImage(
        image_id=item.id,
        imager=imager.name,
        time_utc_ns=time_ns(item),
        dn=stack.dn,
        flags=stack.flags | masks,
        scale=scaling.scale,
        offset=scaling.offset,
        k1=scaling.k1,
        k2=scaling.k2,
        grid=grid,
        covered_km2=_covered_km2(item, stack),
        sun_elevation_deg=sun.elevation_deg,
        sun_azimuth_deg=sun.azimuth_deg,
        downloaded_utc_ns=utc_ns(made, item.id) if made else time_ns(item),
        quality=stack.quality | scaling.quality | quality,
        source_url=item.get_self_href() or "",
        data_tier=str(item.properties.get(DATA_TIER, "REAL")),
    )


def time_ns(item: pystac.Item) -> int:
    """Time of the acquisition, UTC ns.

    Raises:
        DataError: the item has none.
    """
    time = item.datetime or item.common_metadata.start_datetime
    if time is None:
        raise DataError(
            "the item has no time", where=item.id, expected="datetime", remedy="Complete the item, or leave it out."
        )
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000


def outlined(points: Sequence[Sequence[float]]) -> tuple[dict[str, Any], list[float]]:
    """Geometry and box (west, south, east, north) around (lon, lat) points; west > east across the 180th meridian."""
    lon, lat = np.array(points, np.float64).T
    if np.ptp(lon) > 180.0:
        lon = lon % 360.0
    hull = MultiPoint(np.column_stack([lon, lat])).convex_hull
    west, east = ((edge + 180.0) % 360.0 - 180.0 for edge in (lon.min(), lon.max()))
    return mapping(hull), [float(west), float(lat.min()), float(east), float(lat.max())]


def require_level1(item: pystac.Item) -> None:
    """Only reflectance at the top of the atmosphere is wanted.

    Raises:
        DataError: the item is of a product corrected for the atmosphere.
    """
    level = str(item.properties.get("processing:level", ""))
    if level.upper().startswith(("L2", "L3")) or re.search(r"MSIL2A|_L2S[PR]_|_3B_AnalyticMS_SR", item.id):
        raise DataError(
            f"the image is of level {level or '2'}",
            where=item.id,
            expected="reflectance at the top of the atmosphere, level 1",
            remedy="Take the level-1 product of the same acquisition.",
        )


def no_mask(*names: str) -> int:
    """Quality bits of a product without masks: of `cloud`, of `haze`."""
    return sum(QUALITY_BITS[f"no_{name}_mask"] for name in names)


def _asset_band(item: pystac.Item, key: str, place: int, count: int, told: Mapping[str, Any]) -> AssetBand:
    centre = told.get("center_wavelength", told.get("eo:center_wavelength"))
    names = [told.get("name"), key if count == 1 else None]
    return AssetBand(
        url=item.assets[key].get_absolute_href() or "",
        index=place + 1,
        names=tuple(_plain(name) for name in names if name),
        common=str(told.get("common_name", told.get("eo:common_name", ""))),
        centre_nm=float(centre) * NM_PER_UM if centre else float("nan"),
        scale=told.get("scale", told.get("raster:scale")),
        offset=told.get("offset", told.get("raster:offset")),
        nodata=_number_or_none(told.get("nodata")),
    )


def _match(band: Band, offered: Sequence[AssetBand], aliases: Mapping[str, str]) -> AssetBand | None:
    own, common = _plain(band.name), band.common
    for each in offered:
        if own in each.names or own in {_plain(aliases.get(name, "")) for name in each.names}:
            return each
    for each in offered:
        if common and common in (each.common, *each.names):
            return each
    near = [(abs(each.centre_nm / band.centre_nm - 1.0), place) for place, each in enumerate(offered)]
    closest = min((found for found in near if found[0] <= WAVELENGTH_TOLERANCE), default=None)
    return offered[closest[1]] if closest else None


def _plain(name: str) -> str:
    """A band's name without case and leading zeros: B04, b4 and B4 are one."""
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", str(name).lower())


def _number_or_none(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float | str) else None


def _covered_km2(item: pystac.Item, stack: BandStack) -> float:
    """Area of the whole image: of its outline where the item has one, but no more than its largest file."""
    if not item.geometry:
        return stack.covered_km2
    outline = abs(Geod(ellps="WGS84").geometry_area_perimeter(shape(item.geometry))[0]) / 1e6
    return min(outline, stack.covered_km2) if stack.covered_km2 > 0 else outline

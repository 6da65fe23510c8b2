"""What the real granule is asked for: the two places, how far off a detection may lie, and how distances are told.

Source: issue 2 ("Shown by" 2) and DATA.md: the crop around Matimba has its maximum on the Highveld. Degrees are plain
differences of latitude and longitude put together, which is stricter than an angle on the sphere; km are great circles.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.io.references import ReferenceRules
from carbonray.science.no2.hotspots import label_pixels, summarise_blobs
from carbonray.science.spatial.geodesy import distance_km
from carbonray.science.spatial.gridding import lattice_area_km2, lattice_lat, lattice_lon

KNOWN_WITHIN_KM = 50.0  # a plant farther from a detection's strongest pixel does not explain it (inferred)


@dataclass(frozen=True)
class Target:
    """A place where there must be a detection, within `limit_deg`."""

    name: str
    lat: float
    lon: float
    limit_deg: float

    def offset_deg(self, lat: Any, lon: Any) -> NDArray[np.float64]:
        """Distance in degrees of latitude and longitude alike."""
        return np.hypot(np.asarray(lat, np.float64) - self.lat, np.asarray(lon, np.float64) - self.lon)

    def offset_km(self, lat: Any, lon: Any) -> NDArray[np.float64]:
        """Great-circle distance."""
        return distance_km(lat, lon, self.lat, self.lon)


TARGETS = (Target("Matimba", -23.67, 27.61, 0.15), Target("Highveld", -26.27, 29.05, 0.4))


@dataclass(frozen=True)
class Region:
    """One connected region of pixels at or above a cut."""

    lat: float
    lon: float
    peak_lat: float
    peak_lon: float
    peak: float
    n_pixels: int
    area_km2: float


def regions(row: NDArray[Any], col: NDArray[Any], strength: NDArray[Any], cut: float) -> list[Region]:
    """Connected regions at or above a cut, the strongest first."""
    hit = strength >= cut
    labels = label_pixels(row[hit], col[hit])
    blobs = summarise_blobs(labels, row[hit], col[hit], strength[hit], lattice_area_km2(row[hit]))
    found = [
        Region(*(float(v) for v in values[:5]), int(values[5]), float(values[6]))
        for values in zip(
            lattice_lat(blobs.row),
            lattice_lon(blobs.col),
            lattice_lat(blobs.peak_row),
            lattice_lon(blobs.peak_col),
            blobs.peak,
            blobs.n_pixels,
            blobs.area_km2,
            strict=True,
        )
    ]
    return sorted(found, key=lambda region: -region.peak)


def nearest(target: Target, found: Iterable[Region]) -> dict[str, Any]:
    """How near the regions' strongest pixels and centres come to a target; None where there are no regions."""
    some = list(found)
    told: dict[str, Any] = {"limit_deg": target.limit_deg}
    for kind in ("peak", "centre"):
        lat = np.array([r.peak_lat if kind == "peak" else r.lat for r in some])
        lon = np.array([r.peak_lon if kind == "peak" else r.lon for r in some])
        offsets = target.offset_deg(lat, lon)
        best = int(np.argmin(offsets)) if some else -1
        told[f"{kind}_deg"] = round(float(offsets[best]), 3) if some else None
        told[f"{kind}_km"] = round(float(target.offset_km(lat[best], lon[best])), 1) if some else None
        told[f"{kind}_number"] = best + 1 if some else None
    told["found"] = bool(some) and told["peak_deg"] <= target.limit_deg
    return told


def strength_at(target: Target, pixels: Mapping[str, NDArray[Any]], name: str) -> dict[str, Any]:
    """A field at the pixel nearest to a target, and its largest value within the limit."""
    lat, lon = lattice_lat(pixels["row"]), lattice_lon(pixels["col"])
    offset = target.offset_deg(lat, lon)
    near = int(np.argmin(offset))
    inside = np.flatnonzero(offset <= target.limit_deg)
    best = int(inside[np.argmax(pixels[name][inside])]) if len(inside) else None
    return {
        "pixel_deg": round(float(offset[near]), 3),
        "at_pixel": round(float(pixels[name][near]), 4),
        "largest_within_limit": None if best is None else round(float(pixels[name][best]), 4),
        "largest_deg": None if best is None else round(float(offset[best]), 3),
    }


def known_plants(csv: str) -> pd.DataFrame:
    """Plants of the Global Power Plant Database that burn what makes NO2: name, lat, lon, capacity_mw, fuel."""
    table = pd.read_csv(csv)
    placed = table.dropna(subset=["latitude", "longitude"])
    burning = placed[placed["fuel1"].isin(ReferenceRules().fuels)]
    names = {"name": "name", "latitude": "lat", "longitude": "lon", "capacity_mw": "capacity_mw", "fuel1": "fuel"}
    return burning[list(names)].rename(columns=names).reset_index(drop=True)


def explanation(region: Region, plants: pd.DataFrame) -> str:
    """The known plants within reach of a detection's strongest pixel, the nearest named, or 'unknown'."""
    away = distance_km(plants["lat"], plants["lon"], region.peak_lat, region.peak_lon)
    inside = int((away <= KNOWN_WITHIN_KM).sum())
    if not inside:
        return "unknown"
    plant = plants.iloc[int(np.argmin(away))]
    others = f", and {inside - 1} more" if inside > 1 else ""
    return f"{plant['name']} ({plant['fuel'].lower()}, {plant['capacity_mw']:.0f} MW) {away.min():.0f} km{others}"

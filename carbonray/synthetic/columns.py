"""True NO2 columns of a region at one moment: puffs carried by the wind, laid on a fine grid, seen by swath pixels.

Source: SCIENCE 3.10; the transport is `science.no2.puffs` (G2). Fields are (y, x) on a grid of the plane that touches
the Earth at the region's centre, row 0 north, in umol m-2; swath arrays are (scanline, ground pixel). A puff is laid
on the grid by its integral over each cell and a swath pixel sees the mean over its area, so mass is neither made nor
lost. Positions are metres east and north of the centre, so that 180 degrees is nowhere special.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from carbonray.science.no2.dispersion import NO2_CURVES, NOX_OVER_NO2, umol_m2_from_kg_m2
from carbonray.science.no2.puffs import PuffRules, puff_column
from carbonray.science.spatial.geodesy import longitude_difference, tangent_plane_m, wrapped_longitude
from carbonray.synthetic.winds import Wind, true_wind_at

Floats = NDArray[np.float64]
Region = tuple[float, float, float, float]  # west, south, east, north, degrees; west > east lies across 180

_SUBPOINTS = 4  # a swath pixel's mean is taken over 4 x 4 points of it


@dataclass(frozen=True)
class TransportRules:
    """How emissions become columns; numbers are inferred.

    Attributes:
        grid_km: step of the fine grid.
        margin_km: how far the fine grid reaches beyond the region.
        lifetime_h: lifetime of NO2, drawn once a day between these.
        no2_curve: how NOx turns into NO2 as it ages, a key of `dispersion.NO2_CURVES`.
        intermittency: relative standard deviation of the hourly emission.
        weak_sd_km: size of the unlabelled areas.
        puffs: steps and spread of the puffs.
    """

    grid_km: float = 2.5
    margin_km: float = 60.0
    lifetime_h: tuple[float, float] = (3.0, 6.0)
    no2_curve: str = "jaenschwalde"
    intermittency: float = 0.3
    weak_sd_km: float = 15.0
    puffs: PuffRules = field(default_factory=lambda: PuffRules(step_s=360.0, max_age_h=14.0))


@dataclass(frozen=True)
class FineGrid:
    """The fine grid of a region: (x,) eastings rising, (y,) northings falling, m, about a centre in degrees."""

    lat_centre: float
    lon_centre: float
    x_m: Floats
    y_m: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y_m.size, self.x_m.size

    def plane_m(self, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
        """Eastings and northings of positions in degrees."""
        return tangent_plane_m(lat, lon, lat_centre=self.lat_centre, lon_centre=self.lon_centre)


@dataclass(frozen=True)
class Emitters:
    """Sources on the plane: (n,) positions in metres and (n, hour) emissions in kg s-1 as NO2, the last hour last.

    An emission is NOx over the customary constant 1.32, so that aged air holds about as much NO2 as was emitted.
    """

    x_m: Floats
    y_m: Floats
    q_kg_s: Floats


def fine_grid(region: Region, rules: TransportRules) -> FineGrid:
    """The grid that covers a region and its margin."""
    west, south, east, north = region
    width = (east - west) % 360.0
    lat, lon = (south + north) / 2, float(wrapped_longitude(west + width / 2))
    edge_lat, edge_lon = np.meshgrid(np.linspace(south, north, 9), lon + width * np.linspace(-0.5, 0.5, 9))
    x, y = tangent_plane_m(edge_lat, edge_lon, lat_centre=lat, lon_centre=lon)
    step, margin = rules.grid_km * 1e3, rules.margin_km * 1e3
    cols, rows = (int(np.ceil((np.ptp(axis) + 2 * margin) / step)) for axis in (x, y))
    easting = x.min() - margin + step * np.arange(cols, dtype=np.float64)
    return FineGrid(lat, lon, easting, y.max() + margin - step * np.arange(rows, dtype=np.float64))


def inside_region(region: Region, lat: Floats, lon: Floats) -> NDArray[np.bool_]:
    """Whether positions lie in the region, its southern and western edges included."""
    west, south, east, north = region
    width = (east - west) % 360.0
    from_middle = longitude_difference(lon, west + width / 2)
    return (lat >= south) & (lat < north) & (from_middle >= -width / 2) & (from_middle < width / 2)


def plume_columns(
    time_h: float, points: Emitters, areas: Emitters, wind: Wind, tau_h: float, grid: FineGrid, rules: TransportRules
) -> Floats:
    """(y, x) NO2 column of all sources, umol m-2.

    Args:
        time_h: hours since 1970-01-01 UTC.
        points: stacks.
        areas: unlabelled areas; their plumes are smeared to the areas' size.
        wind: the true wind.
        tau_h: lifetime of NO2, hours.
        grid: the fine grid.
        rules: how emissions become columns.
    """

    def air(x_m: Floats, y_m: Floats, after_s: float) -> tuple[Floats, Floats]:
        return true_wind_at(wind, x_m / 1e3, y_m / 1e3, time_h + after_s / 3600.0)

    def column(emitters: Emitters) -> Floats:
        return puff_column(
            emitters.x_m,
            emitters.y_m,
            emitters.q_kg_s * NOX_OVER_NO2,
            air,
            grid.x_m,
            grid.y_m,
            tau_s=3600.0 * tau_h,
            rules=rules.puffs,
            curve=NO2_CURVES[rules.no2_curve],
        )

    smeared = gaussian_filter(column(areas), rules.weak_sd_km / rules.grid_km, mode="nearest", truncate=3.0)
    return umol_m2_from_kg_m2(column(points) + smeared)


def seen_by_pixels(field_umol_m2: Floats, grid: FineGrid, lat_corners: Floats, lon_corners: Floats) -> Floats:
    """(s, p) mean of a field over each pixel's area, from points spread evenly over the quadrilateral.

    Args:
        field_umol_m2: (y, x) on the fine grid; beyond its edge the edge's value holds.
        grid: the fine grid.
        lat_corners, lon_corners: (s, p, 4) corners around each pixel, degrees.
    """
    x, y = grid.plane_m(lat_corners, lon_corners)
    total = np.zeros(x.shape[:2])
    steps = (np.arange(_SUBPOINTS) + 0.5) / _SUBPOINTS
    for a in steps:
        for b in steps:
            weights = np.array([(1 - a) * (1 - b), a * (1 - b), a * b, (1 - a) * b])
            total += at_points(field_umol_m2, grid, x @ weights, y @ weights)
    return total / _SUBPOINTS**2


def at_points(values: Floats, grid: FineGrid, x_m: Floats, y_m: Floats) -> Floats:
    """Field at points of the plane, linear between the centres of cells."""
    step = grid.x_m[1] - grid.x_m[0]
    places = np.stack([(grid.y_m[0] - y_m) / step, (x_m - grid.x_m[0]) / step])
    return np.asarray(map_coordinates(values, places, order=1, mode="nearest"), np.float64)


def geographic_wind(grid: FineGrid, lat: Floats, lon: Floats, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Wind along the plane's axes as wind toward east and north: away from the centre, north is not up."""
    shift = 1e-3
    (x, y), (x_north, y_north) = grid.plane_m(lat, lon), grid.plane_m(lat + shift, lon)
    length = np.hypot(x_north - x, y_north - y)
    north_x, north_y = (x_north - x) / length, (y_north - y) / length
    return u * north_y - v * north_x, u * north_x + v * north_y

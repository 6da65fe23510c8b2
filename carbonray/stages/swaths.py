"""Reads one orbit: a granule's good pixels laid on the global lattice, with the wind that blew there.

Sources: SCIENCE 3.6 (qa_value above 0.75, area-weighted regrid to 0.05 degrees), Sentinel-5P NO2 user manual. Rows of
the batch are lattice pixels, sorted by row, then column.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.contract import Batch, Reading, Unit
from carbonray.errors import DataError
from carbonray.io.tropomi import Swath, read_granule
from carbonray.io.weather import PlumeWindRules, open_wind
from carbonray.io.wind_index import WindFile, files_around
from carbonray.science.spatial import geodesy
from carbonray.science.spatial.gridding import GriddedPixels, GridRules, grid_swath, lattice_lat, lattice_lon
from carbonray.vocab.sensors import SWATHS

UMOL_PER_MOL = 1e6
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class PixelRules:
    """Which pixels of a swath are used.

    Attributes:
        instrument: key of `vocab.sensors.SWATHS`, which gives the least quality.
        min_pixel_coverage: a lattice pixel counts as measured above this covered share (inferred).
        max_abs_column_mol_m2: columns beyond it, either sign, are no measurement (inferred: ten times the highest).
    """

    instrument: str = "tropomi"
    min_pixel_coverage: float = 0.5
    max_abs_column_mol_m2: float = 0.02


@dataclass(frozen=True)
class ReadOrbit:
    """Reader of one granule.

    Attributes:
        swath: which pixels are used.
        grid: limits of the regridding.
        weather: files of the wind and their times, empty for none: the wind is then NaN everywhere.
        wind: which wind is taken.
    """

    swath: PixelRules
    grid: GridRules
    weather: tuple[WindFile, ...]
    wind: PlumeWindRules

    def __call__(self, unit: Unit) -> Reading:
        """The granule on the lattice: rows of `vocab.tables.FIELD_PIXELS`.

        Raises:
            DataError: the granule cannot be read, or holds no good pixel.
        """
        swath = read_granule(unit.inputs[0])
        rejections = pixel_rejections(swath, self.swath)
        pixels, rejected = _gridded(swath, rejections, self.grid)
        total = swath.no2_mol_m2.size
        rows = {"read": total, "kept": total - sum(rejected.values()), "quarantined": 0}
        rows |= {f"rejected: {rule}": count for rule, count in rejected.items()}
        if not rows["kept"]:
            raise DataError(
                f"no good pixel among {total} ({', '.join(f'{n} {rule}' for rule, n in rejected.items())})",
                where=swath.granule,
                expected="at least one pixel of good quality inside the lattice",
                remedy="Leave the granule out, or look at its qa_value.",
            )
        batch = self._field(swath, pixels)
        facts = {
            "data_tier": swath.data_tier,
            "orbit": swath.orbit,
            "repairs": list(swath.repairs),
            "pixels_without_wind": self._windless(swath, batch),
        }
        return Reading(batch, rows, facts=facts)

    def _windless(self, swath: Swath, batch: Batch) -> int:
        """Pixels whose wind is unknown; a granule of nothing else is bad where there is weather at all."""
        windless = int(np.isnan(batch["wind_u_m_s"]).sum())
        if self.weather and windless == len(batch["row"]):
            raise DataError(
                "no weather file knows the wind at this granule's time and place",
                where=swath.granule,
                expected=f"wind within {self.wind.max_extrapolation_deg} degrees and {self.wind.max_extrapolation_h} h",
                remedy="Add the missing hours or area to inputs.weather.",
            )
        return windless

    def _field(self, swath: Swath, pixels: GriddedPixels) -> Batch:
        measured = (pixels.coverage > self.swath.min_pixel_coverage) & np.isfinite(pixels.values[:, 0])
        row, col, values = pixels.row[measured], pixels.col[measured], pixels.values[measured]
        lat, lon = lattice_lat(row), lattice_lon(col)
        time_ns = int(swath.time_utc_ns[0]) + np.rint(values[:, 1].astype(np.float64) * _NS_PER_S).astype(np.int64)
        u, v = self._wind_at(lat, lon, time_ns)
        return {
            "row": row,
            "col": col,
            "day": geodesy.local_solar_day(time_ns, lon),
            "no2_umol_m2": (values[:, 0] * UMOL_PER_MOL).astype(np.float32),
            "coverage": pixels.coverage[measured],
            "wind_u_m_s": u,
            "wind_v_m_s": v,
        }

    def _wind_at(
        self, lat: NDArray[np.float64], lon: NDArray[np.float64], time_ns: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        between = (int(time_ns.min()), int(time_ns.max())) if len(time_ns) else (0, 0)
        urls = files_around(self.weather, *between, self.wind)
        if not urls:
            nothing = np.full(len(lat), np.nan, np.float32)
            return nothing, nothing
        return open_wind(urls, self.wind, between).wind_at(lat, lon, time_ns)


def pixel_rejections(swath: Swath, rules: PixelRules) -> dict[str, NDArray[np.bool_]]:
    """Rule -> (scanline, pixel) mask of the pixels it rejects; a pixel is rejected by the first rule that fits."""
    least = SWATHS[rules.instrument].min_qa_value
    missing = ~np.isfinite(swath.no2_mol_m2)
    poor = ~missing & ~(swath.qa_value > least)
    absurd = ~missing & ~poor & (np.abs(swath.no2_mol_m2) > rules.max_abs_column_mol_m2)
    return {
        "no value": missing,
        f"qa_value at most {least}": poor,
        f"column beyond {rules.max_abs_column_mol_m2} mol m-2": absurd,
    }


def _gridded(
    swath: Swath, rejections: dict[str, NDArray[np.bool_]], grid: GridRules
) -> tuple[GriddedPixels, dict[str, int]]:
    """The accepted pixels on the lattice, and how many each rule rejected."""
    good = ~np.logical_or.reduce(list(rejections.values()))
    seconds = (swath.time_utc_ns - swath.time_utc_ns[0]) / _NS_PER_S
    offset = np.broadcast_to(seconds[:, None], good.shape)
    values = np.stack([swath.no2_mol_m2.ravel(), offset.ravel()], axis=1)
    corners = (swath.lat_corners.reshape(-1, 4), swath.lon_corners.reshape(-1, 4))
    pixels = grid_swath(*corners, values, good.ravel(), grid)
    counts = {rule: int(mask.sum()) for rule, mask in rejections.items() if mask.any()}
    return pixels, counts | dict(pixels.rejected)

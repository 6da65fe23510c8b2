"""The picture of the evidence: what was measured, what was detected, and both targets close up."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from carbonray.science.spatial.gridding import PIXEL_DEG, lattice_lat, lattice_lon
from tests.evidence.matimba_runs import Pixels
from tests.evidence.matimba_targets import TARGETS

ARROW_EVERY_PX = 10
CLOSE_UPS = ((27.0, 28.2, -24.1, -23.3), (27.9, 30.1, -26.42, -25.15))  # west, east, south, north
HALO = [patheffects.withStroke(linewidth=2.2, foreground="white")]
INK, TARGET, COAL, HATCH = "#1b1b1b", "#005a8d", "#4d4d4d", "#b5b5b5"
COLUMN = {"cmap": "magma_r", "norm": PowerNorm(0.5, 0.0, 600.0)}
EMISSION = {"cmap": "YlOrRd", "norm": PowerNorm(0.5, 0.0, 1.0)}

Box = tuple[float, float, float, float]


def draw(field: Pixels, judged: Pixels, run: dict[str, Any], plants: pd.DataFrame, path: Path) -> None:
    """Writes the PNG: column and wind, relative emission with numbered detections, and close-ups of the targets."""
    box = _box(field)
    coal = plants[plants["fuel"] == "Coal"]
    figure = Figure(figsize=(15.2, 6.2), layout="constrained")
    panels = figure.subplot_mosaic([["column", "emission", "0"], ["column", "emission", "1"]], width_ratios=(1, 1, 0.8))
    shown = _field(panels["column"], field, "no2_umol_m2", box, COLUMN)
    figure.colorbar(shown, ax=panels["column"], label="µmol m$^{-2}$", extend="both", shrink=0.7, pad=0.01)
    _arrows(panels["column"], field)
    panels["column"].set_title("Measured: NO$_2$ column, ERA5 wind", loc="left")
    for name, part in (("emission", box), ("0", CLOSE_UPS[0]), ("1", CLOSE_UPS[1])):
        shown = _field(panels[name], judged, "rel_emission", part, EMISSION)
        _detections(panels[name], judged, run, part)
        _plants(panels[name], coal, part, named=name != "emission")
    figure.colorbar(shown, ax=panels["emission"], label="relative emission", shrink=0.7, pad=0.01)
    panels["emission"].set_title(f"Detected: {run['method']}, relative emission ≥ {run['cut']:g}", loc="left")
    _plants(panels["column"], coal, box, named=False)
    for name, axes in panels.items():
        _targets(axes, named=name == "column")
    panels["0"].set_title("Close up", loc="left")
    figure.suptitle("TROPOMI orbit 19594, 2021-07-25 11:44 UTC, over South Africa", x=0.01, ha="left", weight="bold")
    figure.legend(handles=_handles(), loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, dpi=90, metadata={"Software": None})


def _box(pixels: Pixels) -> Box:
    """West, east, south, north of the pixels, with a margin."""
    lat, lon, margin = lattice_lat(pixels["row"]), lattice_lon(pixels["col"]), 3 * PIXEL_DEG
    return float(lon.min() - margin), float(lon.max() + margin), float(lat.min() - margin), float(lat.max() + margin)


def _dense(pixels: Pixels, name: str, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The pixels in a box as (lon, lat, field), a pixel beyond its edges."""
    lon = np.arange(np.floor(box[0] / PIXEL_DEG) - 1, np.ceil(box[1] / PIXEL_DEG) + 1) * PIXEL_DEG + PIXEL_DEG / 2
    lat = np.arange(np.ceil(box[3] / PIXEL_DEG) + 1, np.floor(box[2] / PIXEL_DEG) - 1, -1) * PIXEL_DEG - PIXEL_DEG / 2
    y = np.rint((lat[0] - lattice_lat(pixels["row"])) / PIXEL_DEG).astype(int)
    x = np.rint((lattice_lon(pixels["col"]) - lon[0]) / PIXEL_DEG).astype(int)
    inside = (x >= 0) & (x < len(lon)) & (y >= 0) & (y < len(lat))
    field = np.full((len(lat), len(lon)), np.nan)
    field[y[inside], x[inside]] = pixels[name][inside]
    return lon, lat, field


def _field(axes: Axes, pixels: Pixels, name: str, box: Box, colours: dict[str, Any]) -> Any:
    """A field in colour, hatched where there is none."""
    lon, lat, field = _dense(pixels, name, box)
    shown = axes.pcolormesh(lon, lat, field, shading="nearest", rasterized=True, **colours)
    with mpl.rc_context({"hatch.color": HATCH, "hatch.linewidth": 0.6}):
        missing = np.isnan(field).astype(float)
        axes.contourf(lon, lat, missing, levels=[0.5, 1.5], colors=["#f2f2f2"], hatches=["////"])
    axes.set(xlim=box[:2], ylim=box[2:])
    axes.set_aspect(1.0 / np.cos(np.radians((box[2] + box[3]) / 2)))
    axes.xaxis.set_major_formatter("{x:g}°")
    axes.yaxis.set_major_formatter("{x:g}°")
    return shown


def _arrows(axes: Axes, field: Pixels) -> None:
    chosen = (field["row"] % ARROW_EVERY_PX == 0) & (field["col"] % ARROW_EVERY_PX == 0)
    chosen &= np.isfinite(field["wind_u_m_s"])
    place = lattice_lon(field["col"][chosen]), lattice_lat(field["row"][chosen])
    wind = field["wind_u_m_s"][chosen], field["wind_v_m_s"][chosen]
    drawn = axes.quiver(*place, *wind, color=TARGET, scale=110.0, width=0.0035, zorder=4)
    axes.quiverkey(drawn, 0.86, 0.965, 5.0, "5 m s$^{-1}$", labelpos="W", coordinates="axes")


def _detections(axes: Axes, judged: Pixels, run: dict[str, Any], box: Box) -> None:
    """Outlines at the cut, pixel by pixel, and the number of each detection beside its strongest pixel."""
    lon, lat, field = _dense(judged, "rel_emission", box)
    fine = np.kron(np.nan_to_num(field) >= run["cut"], np.ones((8, 8)))  # an outline along the pixels' own edges
    steps = (np.arange(8) + 0.5) / 8 * PIXEL_DEG - PIXEL_DEG / 2
    axes.contour(
        (lon[:, None] + steps).ravel(), (lat[:, None] - steps).ravel(), fine, levels=[0.5], colors=INK, linewidths=1.0
    )
    for found in run["detections"]:
        at = (found["peak_lon"], found["peak_lat"])
        if box[0] <= at[0] <= box[1] and box[2] <= at[1] <= box[3]:
            axes.plot(*at, "x", color=INK, markersize=5, zorder=6, path_effects=HALO)
            axes.annotate(
                str(found["number"]), at, (-9, 5), textcoords="offset points", weight="bold", fontsize=9,
                path_effects=HALO, zorder=8,
            )  # fmt: skip


def _plants(axes: Axes, coal: pd.DataFrame, box: Box, *, named: bool) -> None:
    here = coal[coal["lon"].between(*box[:2]) & coal["lat"].between(*box[2:])]
    axes.plot(here["lon"], here["lat"], "^", color="white", mec=COAL, mew=1.2, markersize=6, zorder=5)
    for place, plant in enumerate(here.sort_values("lat").to_dict("records") if named else ()):
        offset = (6, 2 if place % 2 else -8)  # neighbours' names above and below each other
        axes.annotate(
            str(plant["name"]).split(" ")[0], (plant["lon"], plant["lat"]), offset, textcoords="offset points",
            fontsize=7.5, color=COAL, path_effects=HALO, zorder=7,
        )  # fmt: skip


def _targets(axes: Axes, *, named: bool) -> None:
    turn = np.linspace(0.0, 2.0 * np.pi, 90)
    for target in TARGETS:
        ring = target.limit_deg * np.cos(turn), target.limit_deg * np.sin(turn)
        axes.plot(target.lon + ring[0], target.lat + ring[1], "--", color=TARGET, linewidth=1.3, zorder=5)
        axes.plot(target.lon, target.lat, "+", color=TARGET, markersize=10, mew=1.8, zorder=6)
        if named:
            axes.annotate(
                target.name, (target.lon, target.lat + target.limit_deg), (0, 4), textcoords="offset points",
                ha="center", color=TARGET, weight="bold", path_effects=HALO, zorder=7,
            )  # fmt: skip


def _handles() -> list[Any]:
    return [
        Line2D([], [], marker="+", linestyle="--", color=TARGET, markersize=10, label="target and its limit"),
        Line2D([], [], marker="^", linestyle="", color="white", mec=COAL, mew=1.2, label="coal plant (GPPD 2018)"),
        Line2D([], [], color=INK, marker="x", label="detection, its strongest pixel and number"),
        Patch(facecolor="#f2f2f2", edgecolor=HATCH, hatch="////", label="not measured, or in no complete tile"),
    ]

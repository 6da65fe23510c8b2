"""Pictures of the synthetic fleet: where its plants stand, and how some of them ran over a year."""

import json
from importlib import resources
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carbonray.synthetic.fleet import FleetRules, generation_of, plant_of, weather_of
from carbonray.synthetic.fleet_regions import REGIONS
from tests.evidence.fleet_moments import Seen

YEAR = 2021
SHOWN = (0, 2, 4, 6)  # us_east, europe_central, australia_east, india_north
KIND = {
    ("FGD",): ("#b35806", "^", "stacks"),
    ("NDT",): ("#2166ac", "o", "towers"),
    ("FGD", "NDT"): ("#1b7837", "s", "both"),
}
INK, GREY, LAND, HEAT, RAIN = "#1b1b1b", "#8c96a6", "#e4e4de", "#b2182b", "#4393c3"
VIEWS = ((-106.0, -76.0, 29.0, 49.0), (4.0, 42.0, 35.0, 55.0), (72.0, 88.0, 15.0, 30.0), (142.0, 156.0, -37.0, -21.0))


def draw_map(fleet: list[Seen], path: Path) -> None:
    """Writes a PNG: plants by structure kind on land, part of the world by part, with the regions' boxes."""
    figure = Figure(figsize=(12.5, 7.4), layout="constrained")
    panels = figure.subplots(2, 2)
    for axes, view in zip(panels.ravel(), VIEWS, strict=True):
        _land(axes)
        for region in REGIONS.values():
            for _, (west, south, east, north) in region.boxes:
                edge = "--" if region.shift else "-"
                axes.plot([west, east, east, west, west], [south, south, north, north, south], edge, color=INK, lw=0.7)
        for kinds, (colour, marker, _) in KIND.items():
            here = [one.plant for one in fleet if one.plant.kinds == kinds]
            size = [sum(unit.capacity_mw for unit in plant.units) / 100.0 for plant in here]
            place = [plant.lon for plant in here], [plant.lat for plant in here]
            axes.scatter(
                *place, size, color=colour, marker=marker, alpha=0.75, linewidths=0.3, edgecolors="white", zorder=3
            )
        axes.set(xlim=view[:2], ylim=view[2:], facecolor="white")
        axes.set_aspect(1.0 / np.cos(np.radians((view[2] + view[3]) / 2)))
        axes.xaxis.set_major_formatter("{x:g}°")
        axes.yaxis.set_major_formatter("{x:g}°")
    handles = [
        panels[0, 0].scatter([], [], 15, color=colour, marker=marker, label=words)
        for colour, marker, words in KIND.values()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    title = f"SYNTHETIC fleet: {len(fleet)} plants, area by capacity; regions of the shift tier dashed"
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.savefig(path, dpi=80, metadata={"Software": None})


def draw_series(rules: FleetRules, path: Path) -> None:
    """Writes a PNG: a year of hourly capacity factor, its 30-day mean, and weather, of a few plants."""
    figure = Figure(figsize=(12.5, 10.5), layout="constrained")
    panels = figure.subplots(2 * len(SHOWN), 1, sharex=True, height_ratios=(2.0, 1.0) * len(SHOWN))
    for power, air, index in zip(panels[::2], panels[1::2], SHOWN, strict=True):
        plant = plant_of(rules, index)
        weather = weather_of(rules, plant)
        factor = generation_of(rules, plant, weather).capacity_factor
        times = weather.time_utc_ns.astype("datetime64[ns]")
        year = times.astype("datetime64[Y]").astype(int) + 1970 == YEAR
        month = np.convolve(np.nan_to_num(factor), np.full(720, 1 / 720))[: factor.size]
        power.plot(times[year], factor[year], color=GREY, lw=0.5, label="hourly")
        power.plot(times[year], month[year], color=INK, lw=1.6, label="mean of the 30 days before")
        power.set(ylim=(0, 1.02), ylabel="capacity\nfactor")
        parts = f"units: {len(plant.units)}, structures: {len(plant.structures)}"
        power.set_title(f"{plant.plant_id}, {plant.region}: {'+'.join(plant.kinds)}, {parts}", loc="left", fontsize=10)
        for values, colour, words in (
            (weather.temperature_c, HEAT, "temperature, daily mean, °C"),
            (weather.relative_humidity_pct, RAIN, "humidity, daily mean, %"),
        ):
            air.plot(times[year][12::24], values[year].reshape(-1, 24).mean(axis=1), color=colour, lw=0.9, label=words)
        air.set(ylim=(-20, 100), ylabel="°C, %")
    handles = [line for axes in panels[:2] for line in axes.get_lines()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"SYNTHETIC fleet: four plants in {YEAR}", x=0.01, ha="left", weight="bold")
    figure.savefig(path, dpi=80, metadata={"Software": None})


def _land(axes: Axes) -> None:
    data = json.loads(resources.files("carbonray.publish").joinpath("land_110m.json").read_text(encoding="utf-8"))
    for ring in data["rings"]:
        coast = np.cumsum(np.asarray(ring, float).reshape(-1, 2), axis=0) / data["units_per_degree"]
        axes.fill(*coast.T, color=LAND, zorder=0)

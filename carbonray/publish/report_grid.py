"""The parts of the report about 1 km cells: where CO2 is emitted, how sure that is, what the model looked at.

Maps are of the urban areas that emit most; errors are drawn only where labels were given, and only of cells that the
answering instance had not seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.publish import charts
from carbonray.publish.charts import Curve, CurveChart
from carbonray.publish.maps import Shading, Window, region_map
from carbonray.publish.page import fact_list, figure, section, side_by_side, table, tall
from carbonray.publish.svg import Markup, tag
from carbonray.science.spatial.cells import COLS, cell_centre, row_col
from carbonray.science.stats.metrics import mae, r2, rmse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_CITIES = 3  # that are drawn
_LEVELS = 5  # of emission, equally many cells each
_ESTIMATED = "estimated"


@dataclass(frozen=True)
class GridFacts:
    """What is known of the cells.

    Attributes:
        cities: `vocab.cell_tables.GRID_CITIES`.
        cells: `vocab.cell_tables.GRID_CELLS` of the cities that are drawn.
        absent_images: cells without an image, by reason.
        labels: (cell,) t CO2 of the year by number of the cell, where labels were given.
        held_out: how cells were held out from training, in words.
    """

    cities: pa.Table
    cells: pa.Table
    absent_images: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[int, float] = field(default_factory=dict)
    held_out: str = ""


def most_telling(cities: pa.Table) -> pa.Array:
    """Names of the cities to draw: those that emit most, then those of most cells."""
    order = pc.sort_indices(cities, [("emissions_t_co2", "descending"), ("cells", "descending")])
    return pc.unique(cities.take(order).column("city").combine_chunks())[:MOST_CITIES]


def grid_sections(facts: GridFacts) -> dict[str, Markup | None]:
    """The page's sections by their names."""
    return {"Cities": _cities(facts), "Cells": _cells(facts), "Attention": _attention(facts), "Errors": _errors(facts)}


def grid_sentence(facts: GridFacts) -> str:
    """What the run found, in a sentence."""
    cities = facts.cities
    cells, estimated = (int(pc.sum(cities.column(name)).as_py() or 0) for name in ("cells", "estimated"))
    tonnes = float(pc.sum(cities.column("emissions_t_co2")).as_py() or 0.0)
    names = len(pc.unique(cities.column("city")))
    words = f"{cells:,} urban cells of 1 km in {names:,} urban area{'s' if names != 1 else ''}"
    if not estimated:
        return f"{words}; no emission is claimed: what the model has to see is absent."
    return f"{words}: {tonnes / 1e6:,.2f} Mt CO₂ a year in the {estimated:,} that have an estimate."


def _cities(facts: GridFacts) -> Markup:
    rows = sorted(facts.cities.to_pylist(), key=lambda row: -row["emissions_t_co2"])
    heads = ("urban area", "cells", "estimated", "km²", "Mt CO₂", "Mt C", "data tier")
    listed = [(r["city"], r["cells"], r["estimated"], r["area_km2"], *_megatonnes(r), r["data_tier"]) for r in rows]
    absent = {f"no image: {reason}": count for reason, count in facts.absent_images.items()}
    lead = "Sums over the cells with an estimate. A cell without image or points of interest has none, and says so."
    return section("cities", "Cities", lead, tall(table(heads, listed)), fact_list(absent) if absent else "")


def _megatonnes(row: Mapping[str, float]) -> tuple[float | None, float | None]:
    """Mt of CO2 and of carbon; nothing where nothing is claimed."""
    if not row["estimated"]:
        return None, None
    return row["emissions_t_co2"] / 1e6, row["emissions_t_c"] / 1e6


def _cells(facts: GridFacts) -> Markup | None:
    drawn = [_city_maps(name, own) for name, own in _by_city(facts.cells)]
    if not drawn:
        return None
    lead = (
        "One pixel is a cell of 30 arc seconds. The interval is that of 90 % of cells nobody had seen while fitting: "
        "read the second map before the first."
    )
    return section("cells", "Cells", lead, *drawn)


def _city_maps(name: str, cells: pa.Table) -> Markup:
    window, place, shape = _window(name, cells)
    tonnes, low, high = (_column(cells, f"emissions_t_co2{end}") for end in ("", "_p05", "_p95"))
    top = _round(float(np.nanpercentile(tonnes, 98)) if np.isfinite(tonnes).any() else 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.log10(high / low)
    widest = max(float(np.nanmax(width)), 0.1) if np.isfinite(width).any() else 1.0
    maps = (
        (_field(tonnes, place, shape), Shading("t CO2 a cell and year", "YlOrRd", top)),
        (_field(width, place, shape), Shading("decades between the interval's ends", "PuBuGn", _round(widest))),
    )
    captions = (f"{name}: tonnes of CO₂ a cell and year.", "How many powers of ten the 90 % interval spans.")
    pictures = (figure(region_map(window, f, s), c) for (f, s), c in zip(maps, captions, strict=True))
    return tag("div", tag("h3", name), side_by_side(*pictures))


def _attention(facts: GridFacts) -> Markup | None:
    done = facts.cells.filter(pc.equal(facts.cells.column("status"), _ESTIMATED))
    weight = _column(done, "poi_attention")
    if not np.isfinite(weight).any():
        return None
    name, own = next(_by_city(done))
    window, place, shape = _window(name, own)
    shading = Shading("weight of points", "PuOr", 1.0, from_white=False)
    drawn = figure(
        region_map(window, _field(_column(own, "poi_attention"), place, shape), shading),
        f"{name}: weight of points of interest beside the image, 0 to 1.",
    )
    level, around, cell = _levels(_column(done, "ln_t_co2"), _column(done, "poi_attention_around"), weight)
    curves = (Curve("the cell itself", level, cell), Curve("the cells around it", level, around))
    chart = CurveChart(
        "Weight of points of interest by emission",
        "Mean weight of points of interest in fifths of the cells, by estimated emission. The paper finds that points "
        "matter more where more is emitted.",
        "ln t CO₂ of the cell",
        "weight of points",
        curves,
        y_limits=(0.0, 1.0),
    )
    legend = [
        tag("span", charts.curve_key(curve, k), curve.name, class_="entry") for k, curve in enumerate(chart.curves)
    ]
    lead = "What the fusion attends to is no proof of what matters; it is what the network did."
    curve = figure(charts.curve_chart(chart), chart.caption, *legend)
    return section("attention", "Attention", lead, side_by_side(drawn, curve))


def _errors(facts: GridFacts) -> Markup | None:
    done = facts.cells.filter(pc.equal(facts.cells.column("status"), _ESTIMATED))
    truth = np.array([facts.labels.get(number, np.nan) for number in done.column("cell_id").to_pylist()])
    judged = np.isfinite(truth) & (truth > 0) & _unseen(done)
    if judged.sum() < 2:
        return None
    observed, answer = np.log(truth[judged]), _column(done, "ln_t_co2")[judged]
    told = done.filter(pa.array(judged))
    error = answer - observed
    scores = {
        "cells with a label": int(judged.sum()),
        "R² of ln t CO₂": r2(observed, answer),
        "MAE of ln t CO₂": mae(observed, answer),
        "RMSE of ln t CO₂": rmse(observed, answer),
        "labels inside the interval": _inside(told, truth[judged]),
    }
    name, own = next(_by_city(told))
    chosen = np.asarray(pc.equal(told.column("city"), name))
    window, place, shape = _window(name, own)
    shading = Shading("ln of estimate over label", "RdBu_r", 2.0, low=-2.0, from_white=False)
    drawn = figure(
        region_map(window, _field(error[chosen], place, shape), shading),
        f"{name}: natural logarithm of the estimate over the label; red is too much.",
    )
    lead = f"Against labels, which are proxies too; only cells that the answering instance had not seen{_how(facts)}."
    return section("errors", "Errors", lead, side_by_side(drawn, fact_list(scores)))


def _unseen(cells: pa.Table) -> NDArray[np.bool_]:
    """(cell,) whether no instance that answers was trained on the cell or let it choose its epoch."""
    fold, instances = cells.column("fold").to_numpy(), cells.column("instances").to_pylist()
    return np.array([own < 0 or said == str(own) for own, said in zip(fold, instances, strict=True)], np.bool_)


def _how(facts: GridFacts) -> str:
    return f", held out {facts.held_out}" if facts.held_out else ""


def _inside(cells: pa.Table, truth: Floats) -> str:
    low, high = _column(cells, "emissions_t_co2_p05"), _column(cells, "emissions_t_co2_p95")
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return "no interval"
    return f"{np.mean((truth >= low)[known] & (truth <= high)[known]):.0%} (90 % meant)"


def _by_city(cells: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    for name in pc.unique(cells.column("city")).to_pylist():
        yield name, cells.filter(pc.equal(cells.column("city"), name))


def _window(name: str, cells: pa.Table) -> tuple[Window, tuple[Ints, Ints], tuple[int, int]]:
    """What a map of some cells shows, the place of each in it, and its size; longitudes go on beyond 180."""
    row, col = row_col(cells.column("cell_id").to_numpy())
    across = (col - col[0] + COLS // 2) % COLS - COLS // 2  # columns east of the first cell's, westward negative
    y, x = row - row.min(), across - across.min()
    shape = (int(y.max()) + 1, int(x.max()) + 1)
    west = int(col[0] + across.min())
    lat, _ = cell_centre(row.min() + np.arange(shape[0]), 0)
    _, lon = cell_centre(0, west + np.arange(shape[1]))
    return Window(lat, lon, name), (y, x), shape


def _field(values: Floats, place: tuple[Ints, Ints], shape: tuple[int, int]) -> Floats:
    field = np.full(shape, np.nan)
    field[place] = values
    return field


def _column(cells: pa.Table, name: str) -> Floats:
    return np.asarray(cells.column(name).to_numpy(), np.float64)


def _levels(level: Floats, around: Floats, cell: Floats) -> tuple[Floats, Floats, Floats]:
    """Means by equally large groups of ascending level."""
    groups = [part for part in np.array_split(np.argsort(level, kind="stable"), _LEVELS) if part.size]
    means = [[values[part].mean() for part in groups] for values in (level, around, cell)]
    return np.array(means[0]), np.array(means[1]), np.array(means[2])


def _round(value: float) -> float:
    """Up to two figures, so that the scale's end is a number to read."""
    step = 10.0 ** (np.floor(np.log10(max(value, 1e-9))) - 1)
    return float(np.ceil(value / step) * step)

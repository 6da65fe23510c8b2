"""Pictures of what a network of 1 km cells looks at: three cells taken apart, gates by category, attention by level."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from carbonray.stages.cell_attribution import CellAttribution
from carbonray.stages.cell_levels import EVERY
from tests.evidence.cell_insight_maps import Shown

INK, GREY, BLUE, BROWN = "#1b1b1b", "#8c96a6", "#2166ac", "#b35806"
COLOURS = "RdBu_r"  # red: raises the answer
SMOOTH_PX = 1.0  # width of the blur over maps of pixels, for the eye; numbers are of the bare maps
TOLD_BY = {
    "own": ("attention of the cell", BLUE),
    "around": ("attention of its window", BROWN),
    "blanked": ("points beside images, blanked", "#1b7837"),
}
META = {"Software": None}


def draw_cells(shown: Sequence[Shown], categories: Sequence[str], tier: str, path: Path) -> None:
    """Writes a PNG: a row a cell; its image, what it owes to pixels and points, its window, an untaught network."""
    figure = Figure(figsize=(16.5, 3.5 * len(shown) + 0.4), layout="constrained")
    for axes, one in zip(figure.subplots(len(shown), 5, squeeze=False), shown, strict=True):
        image, points = one.fitted.own
        axes[0].imshow(one.image)
        axes[0].set_ylabel(f"{one.name}: {one.label:,.0f} t CO$_2$\nanswer {np.exp(one.fitted.answer):,.0f} t", size=10)
        _heat(axes[1], image, one.image)
        axes[1].set_title(f"owed to the image: {image.sum():+.2f}", size=9)
        _points(axes[2], points, one.image, categories)
        axes[2].set_title(f"owed to the points: {points.sum():+.2f}", size=9)
        _heat(axes[3], _mosaic(one.fitted), None)
        around = one.fitted.image.sum() + one.fitted.poi.sum() - image.sum() - points.sum()
        axes[3].set_title(f"image of the window; owed to all around: {around:+.2f}", size=9)
        _heat(axes[4], one.untaught.own[0], one.image)
        axes[4].set_title("the same of a network that learned nothing", size=9)
        for axis in axes:
            axis.set(xticks=[], yticks=[])
    figure.suptitle(f"{tier}: parts of ln t CO$_2$ a year; red raises the answer, blue lowers it", x=0.01, ha="left")
    figure.savefig(path, dpi=80, metadata=META)


def draw_gates(gates: pa.Table, tier: str, path: Path) -> None:
    """Writes a PNG: a bar a category over all cells with its interval, a dot an instance, points a cell beside it."""
    rows = [row for row in gates.to_pylist() if row["level"] == 0]
    whole = sorted((row for row in rows if row["instance"] == EVERY), key=lambda row: row["weight"])
    whole = whole or sorted(rows, key=lambda row: row["weight"])
    place = {row["category"]: at for at, row in enumerate(whole)}
    figure = Figure(figsize=(10.0, 0.33 * len(whole) + 1.4), layout="constrained")
    bars, counts = figure.subplots(1, 2, sharey=True, width_ratios=(2.0, 1.0))
    weight = np.array([row["weight"] for row in whole])
    ends = np.abs(np.array([[row["p05"], row["p95"]] for row in whole]).T - weight)
    bars.barh(range(len(whole)), weight, color="#9ecae1", xerr=ends, ecolor=INK, capsize=2)
    apart = [row for row in rows if row["instance"] != EVERY]
    bars.plot([row["weight"] for row in apart], [place[row["category"]] for row in apart], ".", color=BROWN, alpha=0.8)
    bars.axvline(1.0 / len(whole), color=GREY, ls=":", label="all alike")
    bars.plot([], [], ".", color=BROWN, label="one instance")
    bars.set(yticks=range(len(whole)), yticklabels=[row["category"] for row in whole])
    bars.set_xlabel(f"share in what the first gates let through ({tier})")
    bars.legend(frameon=False, fontsize=8)
    counts.barh(range(len(whole)), [row["points"] for row in whole], color="#d9d9d9")
    counts.set_xlabel("points a cell")
    figure.savefig(path, dpi=80, metadata=META)


def draw_attention(levels: pa.Table, tier: str, path: Path) -> None:
    """Writes a PNG: weight of points of interest by level of emission, a panel a ranking; thin lines are instances."""
    rows = levels.to_pylist()
    panels = sorted({(row["city"], row["judged_by"]) for row in rows})
    figure = Figure(figsize=(4.6 * len(panels), 4.2), layout="constrained")
    for axes, (city, judged_by) in zip(np.ravel([figure.subplots(1, len(panels), sharey=True)]), panels, strict=True):
        here = [row for row in rows if (row["city"], row["judged_by"]) == (city, judged_by)]
        whole = EVERY if any(row["instance"] == EVERY for row in here) else here[0]["instance"]
        for told_by, (words, colour) in TOLD_BY.items():
            for instance in sorted({row["instance"] for row in here}):
                line = [row for row in here if (row["instance"], row["told_by"]) == (instance, told_by)]
                _line(axes, line, colour, words if instance == whole else "")
        axes.set(title=f"{city}, ranked by {judged_by}", xlabel="level of emission, 5: most", xticks=range(1, 6))
        axes.set_ylim(0.0, 1.02)
    figure.axes[0].set_ylabel(f"weight of points beside images\n({tier})")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=80, metadata=META)


def _line(axes: Axes, line: list[dict[str, Any]], colour: str, words: str) -> None:
    x, y = [row["level"] for row in line], [row["poi_weight"] for row in line]
    if not words:
        axes.plot(x, y, color=colour, lw=0.7, alpha=0.5)
        return
    axes.fill_between(x, [row["p05"] for row in line], [row["p95"] for row in line], color=colour, alpha=0.2, lw=0)
    axes.plot(x, y, "o-", color=colour, lw=2, label=words)


def _heat(axes: Axes, part: NDArray[np.float32], image: NDArray[np.uint8] | None) -> None:
    """A map of pixels over the greyed image; the scale is its own, to the 99th percentile."""
    if image is not None:
        axes.imshow(image.mean(axis=2), cmap="gray", vmin=0, vmax=255)
    smooth = gaussian_filter(part, SMOOTH_PX)
    most = float(np.quantile(np.abs(smooth), 0.99)) or 1.0
    shade = np.clip(np.abs(smooth) / most, 0.0, 1.0) * 0.85 if image is not None else None
    axes.imshow(smooth, cmap=COLOURS, vmin=-most, vmax=most, alpha=shade)


def _points(axes: Axes, part: NDArray[np.float32], image: NDArray[np.uint8], categories: Sequence[str]) -> None:
    """Points over the greyed image, coloured by what is owed to them; the three categories that matter most named."""
    axes.imshow(image.mean(axis=2), cmap="gray", vmin=0, vmax=255, alpha=0.55)
    category, y, x = np.nonzero(part)
    value = part[category, y, x]
    most = float(np.quantile(np.abs(value), 0.95)) if len(value) else 1.0
    order = np.argsort(np.abs(value))
    axes.scatter(
        x[order], y[order], 26, value[order], cmap=COLOURS, vmin=-most, vmax=most, edgecolors=INK, linewidths=0.4
    )
    sums = part.sum((1, 2))
    named = np.argsort(-np.abs(sums))[:3]
    words = "\n".join(f"{categories[at]} {sums[at]:+.2f}" for at in named if sums[at])
    axes.text(0.02, 0.98, words, transform=axes.transAxes, va="top", size=8, backgroundcolor="#ffffffcc")


def _mosaic(found: CellAttribution) -> NDArray[np.float32]:
    """(M s, M s) the maps of a window's images side by side."""
    side = found.image.shape[0] * found.image.shape[2]
    return found.image.transpose(0, 2, 1, 3).reshape(side, side)

"""The figures of an evaluation: detection curves, precision against recall, F1 by stratum, as PNG.

Tables are `vocab.evaluation_tables.DETECTION_CURVES`, `PRECISION_RECALL` and `SCORES`; every panel names its data tier.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Row = Mapping[str, Any]
_DPI = 80
_STRATA = ("wind", "cloud", "sources")


def evaluation_figures(scores: pa.Table, curves: pa.Table, cuts: pa.Table, methods: Sequence[str]) -> dict[str, bytes]:
    """PNG by file name.

    Args:
        scores: of every stratum.
        curves: detection curves.
        cuts: precision and recall by cut.
        methods: what is drawn, in this order; the tables hold more.
    """
    theta = min(scores.column("theta").to_pylist())
    chosen = [row for row in scores.to_pylist() if row["theta"] == theta and row["found_at"] == "cut"]
    curve_rows = [row for row in curves.to_pylist() if row["theta"] == theta and row["found_at"] == "cut"]
    cut_rows = [row for row in cuts.to_pylist() if row["theta"] == theta]
    return {
        "detection_curves.png": _by_generator(curve_rows, methods, _draw_detection),
        "precision_recall.png": _by_generator(cut_rows, methods, _draw_precision_recall),
        "f1_by_stratum.png": _f1_by_stratum(chosen, methods),
    }


def _by_generator(rows: Sequence[Row], methods: Sequence[str], draw: Any) -> bytes:
    generators = sorted({row["generator"] for row in rows})
    figure = Figure(figsize=(5.2 * len(generators), 4.2), layout="constrained")
    for place, generator in enumerate(generators):
        axes = figure.add_subplot(1, len(generators), place + 1)
        own = [row for row in rows if row["generator"] == generator]
        for number, method in enumerate(methods):
            draw(axes, [row for row in own if row["method"] == method], method, f"C{number}")
        axes.set_title(f"{own[0]['data_tier']} ({generator.upper()})", fontsize=10)
        axes.grid(alpha=0.3)
    _name_methods(figure)
    return _png(figure)


def _draw_detection(axes: Axes, rows: Sequence[Row], method: str, colour: str) -> None:
    """Hit rate of each bin with its interval, and the logistic curve."""
    seen = [row for row in rows if row["n_sources"]]
    if not seen:
        return
    middle = np.sqrt([row["q_low_kg_s"] * row["q_high_kg_s"] for row in seen])
    rate = np.array([row["hit_rate"] for row in seen])
    away = np.abs([[row["hit_rate_p05"], row["hit_rate_p95"]] for row in seen] - rate[:, None]).T
    axes.errorbar(middle, rate, yerr=away, fmt="o", ms=3, lw=1, color=colour, label=method)
    q = np.geomspace(seen[0]["q_low_kg_s"], seen[-1]["q_high_kg_s"], 100)
    if np.isfinite(seen[0]["slope"]):
        axes.plot(q, 1.0 / (1.0 + np.exp(-(seen[0]["intercept"] + seen[0]["slope"] * np.log(q)))), color=colour, lw=1)
    axes.set(xscale="log", ylim=(-0.02, 1.02), xlabel="emission, kg s$^{-1}$ as NO$_2$", ylabel="detected")


def _draw_precision_recall(axes: Axes, rows: Sequence[Row], method: str, colour: str) -> None:
    ordered = sorted(rows, key=lambda row: row["cut"])
    recall, precision = ([row[name] for row in ordered] for name in ("recall", "precision"))
    axes.plot(recall, precision, ".-", ms=3, lw=1, color=colour, label=method)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="recall (recognition accuracy)", ylabel="precision")


def _f1_by_stratum(rows: Sequence[Row], methods: Sequence[str]) -> bytes:
    generators = sorted({row["generator"] for row in rows if row["stratum_of"] in _STRATA})
    figure = Figure(figsize=(10.4, 3.0 * len(generators)), layout="constrained")
    for place, (generator, of) in enumerate((g, of) for g in generators for of in _STRATA):
        axes = figure.add_subplot(len(generators), len(_STRATA), place + 1)
        own = [row for row in rows if row["generator"] == generator and row["stratum_of"] == of]
        own = [row for row in own if row["stratum"] != "0"]  # F1 says nothing of scenes without a target
        for number, method in enumerate(methods):
            drawn = [row for row in own if row["method"] == method]
            f1 = np.array([row["f1"] for row in drawn])
            away = np.abs([[row["f1_p05"], row["f1_p95"]] for row in drawn] - f1[:, None]).T
            x = np.arange(len(drawn)) + 0.06 * (number - len(methods) / 2)
            axes.errorbar(x, f1, yerr=away, fmt="o-", ms=3, lw=1, color=f"C{number}", label=method)
            axes.set_xticks(np.arange(len(drawn)), [row["stratum"] for row in drawn], fontsize=7)
        axes.set_title(f"{own[0]['data_tier']} ({generator.upper()}): F1 by {of}", fontsize=9)
        axes.set_ylim(0.0, 1.0)
        axes.grid(alpha=0.3)
    _name_methods(figure)
    return _png(figure)


def _name_methods(figure: Figure) -> None:
    """One legend for all panels, below them, where it covers nothing."""
    named = {
        name: handle for axes in figure.axes for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=5, fontsize=8)


def _png(figure: Figure) -> bytes:
    """The figure as PNG without a time or a version in it."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, dpi=_DPI, format="png", metadata={"Software": None})
    return buffer.getvalue()

"""What networks of 1 km cells weigh: points of interest beside images by level of emission, and categories by gates.

Sources: SCIENCE 1.3; the claim put to the test is the paper's that points of interest matter more where more is emitted
(arXiv 2506.03224). Levels hold equally many cells. Intervals are over blocks drawn whole, with the levels kept as all
cells dealt them (inferred). Networks are fitted apart and weigh apart, so that each is also looked at alone. Arrays are
(cell,).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from carbonray.errors import ContractError, DataError
from carbonray.models.opencarbon import OpenCarbon
from carbonray.science.stats.block_scores import resampled_mean, resampled_spearman
from carbonray.science.stats.bootstrap import BlockDraws, BootstrapRules, block_draws, interval
from carbonray.science.stats.metrics import spearman
from carbonray.science.urban.cell_splits import CellSplitRules, group_names
from carbonray.stages.cell_streams import CellStream
from carbonray.vocab.cell_insight_tables import CELL_ATTENTION_LEVELS, CELL_ATTENTION_TRENDS, CELL_CATEGORY_WEIGHTS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
EVERY = "all"
Trend = Literal["rises", "falls", "none"]


@dataclass(frozen=True)
class LevelRules:
    """How cells are put into levels of emission, and intervals drawn.

    Attributes:
        levels: equally large, from the least emitters up.
        bootstrap: number of resamples and percentiles.
        block_km: least side of the blocks that are drawn whole.
        seed: of the draws (inferred).
    """

    levels: int = 5
    bootstrap: BootstrapRules = field(default_factory=BootstrapRules)
    block_km: float = 5.0
    seed: int = 0


@dataclass(frozen=True)
class WeighedCells:
    """Cells of which a network, or several, each of its own cells, told what it weighed.

    Attributes:
        keys: `city`, `judged_by` and `data_tier`.
        cell_id: (cell,) numbers.
        ln_e: (cell,) what ranks them, ln of t CO2 a year.
        instance: (cell,) who was asked.
    """

    keys: Mapping[str, str]
    cell_id: Ints
    ln_e: Floats
    instance: NDArray[Any]

    def rows(self, chosen: Bools) -> "WeighedCells":
        """Some of the cells."""
        return WeighedCells(self.keys, self.cell_id[chosen], self.ln_e[chosen], self.instance[chosen])

    def by_instance(self) -> Iterator[tuple[str, Bools]]:
        """All cells, and where there are several instances those of each."""
        names = np.unique(self.instance).tolist()
        yield EVERY if len(names) > 1 else str(names[0]), np.ones(len(self.cell_id), np.bool_)
        if len(names) > 1:
            for name in names:
                yield str(name), self.instance == name


@dataclass(frozen=True)
class GatedCells:
    """What the first gates of a network let through of the categories of points of interest.

    Attributes:
        cell_id: (cell,) numbers.
        weight: (cell, category) shares, of sum 1.
        points: (cell, category) numbers of points.
    """

    cell_id: Ints
    weight: Floats
    points: Floats


def emission_levels(ln_e: Floats, levels: int) -> Ints:
    """(cell,) level from 1, the least emitters, up; equally large to one cell.

    Raises:
        DataError: there are fewer cells than levels.
    """
    if len(ln_e) < levels:
        raise DataError(
            f"{len(ln_e)} cells for {levels} levels of emission",
            where="emission_levels",
            expected="a cell a level at least",
            remedy="Look at more cells, or at fewer levels.",
        )
    rank = np.empty(len(ln_e), np.int64)
    rank[np.argsort(ln_e, kind="stable")] = np.arange(len(ln_e))
    return np.asarray(1 + rank * levels // len(ln_e), np.int64)


def attention_tables(
    cells: WeighedCells, weights: Mapping[str, Floats], rules: LevelRules | None = None
) -> tuple[pa.Table, pa.Table]:
    """Schemas `CELL_ATTENTION_LEVELS` and `CELL_ATTENTION_TRENDS`.

    Args:
        cells: those with an image and points: where one is absent, nothing is weighed.
        weights: `told_by` -> (cell,) weight of points of interest beside images, 0 to 1.
        rules: levels and intervals.

    Raises:
        DataError: there are fewer cells than levels, or nothing was weighed in one of them.
    """
    rules = rules or LevelRules()
    levels: list[dict[str, Any]] = []
    trends: list[dict[str, Any]] = []
    for instance, chosen in cells.by_instance():
        own = cells.rows(chosen)
        for told_by, weight in weights.items():
            _require_weights(weight[chosen], told_by)
            named = {**cells.keys, "instance": instance, "told_by": told_by}
            levels += [named | row for row in _level_rows(own, weight[chosen], rules)]
            trends += [named | row for row in _trend_rows(own, weight[chosen], rules)]
    return pa.Table.from_pylist(levels, CELL_ATTENTION_LEVELS), pa.Table.from_pylist(trends, CELL_ATTENTION_TRENDS)


def category_table(
    cells: WeighedCells, gated: GatedCells, categories: Sequence[str], rules: LevelRules | None = None
) -> pa.Table:
    """Schema `CELL_CATEGORY_WEIGHTS`: level 0, all cells, and every level of emission, by instance.

    Args:
        cells: in the order of the gated ones.
        gated: what their networks' gates let through.
        categories: names.
        rules: levels and intervals.

    Raises:
        DataError: there are fewer cells than levels.
    """
    rules = rules or LevelRules()
    rows: list[dict[str, Any]] = []
    for instance, chosen in cells.by_instance():
        own = cells.rows(chosen)
        weight, points = gated.weight[chosen], gated.points[chosen]
        level, draws = emission_levels(own.ln_e, rules.levels), _draws(own, rules)
        for number in range(rules.levels + 1):
            within = level == number if number else np.ones(len(level), np.bool_)
            named = {**cells.keys, "instance": instance, "level": number, **_counted(own, within, draws)}
            for at, name in enumerate(categories):
                ends = interval(_mean_within(weight[:, at], within, draws), rules.bootstrap)
                means = {"weight": float(weight[within, at].mean()), "points": float(points[within, at].mean())}
                rows.append({**named, "category": name, **means, "p05": ends.low, "p95": ends.high})
    return pa.Table.from_pylist(rows, CELL_CATEGORY_WEIGHTS)


def gated_cells(network: OpenCarbon, stream: CellStream, device: str = "cpu") -> GatedCells:
    """What a network's first gates let through, of the cells of a stream whose points of interest are known.

    Raises:
        ContractError: the network reads no points, or gates none.
    """
    config = network.config
    if "poi" not in config.modalities or not config.se:
        raise ContractError(
            "a network without gates",
            where="gated_cells",
            expected="one that reads points of interest through squeeze and excitation",
            remedy="Ask the model opencarbon, or another of the registry with se=True and poi among its modalities.",
        )
    network.to(device).eval()
    found: list[tuple[NDArray[Any], ...]] = []
    for batch in stream.in_order():
        alone = batch.cropped(0)
        known = alone.poi_present[alone.windows()[:, 0, 0]]
        if not bool(known.any()):
            continue
        tile = alone.windows()[known, 0, 0]
        with torch.inference_mode():
            counts = alone.to(torch.device(device)).raster(config.poi_categories, config.image_px)[tile.to(device)]
            weight = network.category_weights(counts).double().cpu().numpy()
            found.append((alone.cell_ids[known].numpy(), weight, counts.sum((-2, -1)).double().cpu().numpy()))
    none = (np.zeros(0, np.int64), *(np.zeros((0, config.poi_categories)) for _ in range(2)))
    return GatedCells(*(np.concatenate(parts) for parts in zip(none, *found, strict=True)))


def trend_of(low: float, high: float) -> Trend:
    """What an interval says of a trend."""
    return "rises" if low > 0.0 else "falls" if high < 0.0 else "none"


def _level_rows(cells: WeighedCells, weight: Floats, rules: LevelRules) -> Iterator[dict[str, Any]]:
    level, draws = emission_levels(cells.ln_e, rules.levels), _draws(cells, rules)
    for number in range(1, rules.levels + 1):
        within = level == number
        ends = interval(_mean_within(weight, within, draws), rules.bootstrap)
        means = {"ln_t_co2": float(cells.ln_e[within].mean()), "poi_weight": float(weight[within].mean())}
        yield {"level": number, **means, "p05": ends.low, "p95": ends.high, **_counted(cells, within, draws)}


def _trend_rows(cells: WeighedCells, weight: Floats, rules: LevelRules) -> Iterator[dict[str, Any]]:
    level, draws = emission_levels(cells.ln_e, rules.levels), _draws(cells, rules)
    top, bottom = level == rules.levels, level == 1
    apart = _mean_within(weight, top, draws) - _mean_within(weight, bottom, draws)
    measured = {
        "top_minus_bottom": (float(weight[top].mean() - weight[bottom].mean()), apart),
        "spearman": (spearman(cells.ln_e, weight), resampled_spearman(cells.ln_e, weight, draws)),
    }
    for measure, (value, drawn) in measured.items():
        ends = interval(drawn, rules.bootstrap)
        told = {"measure": measure, "value": value, "p05": ends.low, "p95": ends.high}
        yield {**told, "trend": trend_of(ends.low, ends.high), **_counted(cells, level > 0, draws)}


def _draws(cells: WeighedCells, rules: LevelRules) -> BlockDraws:
    split = CellSplitRules(by="blocks", block_km=rules.block_km)
    blocks = np.array(group_names(cells.cell_id, [""] * len(cells.cell_id), split))
    return block_draws(blocks, rules.bootstrap, rules.seed)


def _mean_within(value: Floats, within: Bools, draws: BlockDraws) -> Floats:
    """(resample,) mean over some of the cells; NaN where none of them was drawn."""
    whole = resampled_mean(within, draws)
    return np.asarray(resampled_mean(value * within, draws) / np.where(whole > 0.0, whole, np.nan), np.float64)


def _counted(cells: WeighedCells, within: Bools, draws: BlockDraws) -> dict[str, Any]:
    return {
        "cells": int(within.sum()),
        "blocks": len(np.unique(draws.block[within])),
        "data_tier": cells.keys["data_tier"],
    }


def _require_weights(weight: Floats, told_by: str) -> None:
    if not np.isfinite(weight).all():
        raise DataError(
            f"{np.count_nonzero(~np.isfinite(weight))} of {len(weight)} cells without weights told by {told_by!r}",
            where="attention_tables",
            expected="cells with an image and points of interest, answered by a network that weighs them",
            remedy="Leave out the other cells, or run a model with attention such as opencarbon.",
        )

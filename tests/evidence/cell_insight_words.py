"""What the numbers on what networks of 1 km cells look at say in words, the paper's claim among them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from carbonray.science.stats.metrics import spearman
from carbonray.stages.cell_blanks import MovedAnswers
from carbonray.stages.cell_levels import EVERY

PLACES = ("own", "around")
LITTLE = 0.25  # of the spread of the answers: what moves them by less hardly counts (inferred)
HOLDS, REVERSED, NOT_SHOWN = "holds", "is reversed", "is not shown"


def verdict(trends: Sequence[Mapping[str, Any]]) -> str:
    """Whether points of interest weigh more where more is emitted.

    It holds where the weight rises over all cells, for more than half of the instances, and falls for none; it is
    reversed where the same is true of falling.

    Args:
        trends: rows `top_minus_bottom` of one city, ranking and witness.
    """
    alone = [row["trend"] for row in trends if row["instance"] != EVERY]
    whole = next((row["trend"] for row in trends if row["instance"] == EVERY), alone[0])
    for trend, against, words in (("rises", "falls", HOLDS), ("falls", "rises", REVERSED)):
        if whole == trend and 2 * alone.count(trend) > len(alone) and against not in alone:
            return words
    return NOT_SHOWN


def attributed(parts: Sequence[Mapping[str, Any]], level_of: Mapping[int, int]) -> str:
    """Whether more is owed to points where more is emitted."""
    means = level_means(parts, level_of)
    low, high = (means[level]["share"] for level in (min(means), max(means)))
    way = "more" if high > low else "less"
    words = "no difference" if f"{low:.0%}" == f"{high:.0%}" else f"{way} where more is emitted"
    return (
        f"What answers owe to their inputs is one more witness. Of the least emitters {low:.0%} of it is owed to "
        f"points of interest, of the most {high:.0%}: {words}, of few cells and without interval."
    )


def moved_words(moved: MovedAnswers) -> str:
    """What it means how far answers move; a modality is named that hardly moves them."""
    spread = float(moved.answer.std())
    far = {
        name: float(np.sqrt(np.mean(by**2))) / spread
        for name, by in (("images", moved.by_image), ("points", moved.by_points))
    }
    told = f"Images move the answers by {far['images']:.0%} of their spread, points by {far['points']:.0%}."
    blind = [name for name, share in far.items() if share < LITTLE]
    if not blind:
        return told
    return (
        f"{told} This network hardly looks at {' or '.join(blind)}, whatever its attention says, and its weights of "
        "attention are no measure of what matters."
    )


def unread(facts: Mapping[str, Any]) -> str:
    """What of a cell the convolutions of points never reach; empty where they reach all."""
    read, px = facts["read_px"], facts["px"]
    if read == px:
        return ""
    return (
        f"Of rasters of {px} pixels the convolutions of points reach {read} rows from the north and {read} columns "
        f"from the west: {1.0 - (read / px) ** 2:.0%} of a cell is seen by the gates alone."
    )


def categories_words(gates: pa.Table) -> str:
    """What the gates say of categories, and whether instances agree."""
    rows = [row for row in gates.to_pylist() if row["level"] == 0]
    by_instance: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        by_instance.setdefault((row["city"], row["instance"]), {})[row["category"]] = row["weight"]
    alone = [weights for (_, name), weights in by_instance.items() if name != EVERY]
    pairs = [
        spearman(list(one.values()), list(two.values())) for at, one in enumerate(alone) for two in alone[at + 1 :]
    ]
    whole = next((w for (_, name), w in by_instance.items() if name == EVERY), alone[0])
    order = sorted(whole, key=lambda name: -whole[name])
    even = 1.0 / len(whole)
    spread = max(abs(weight / even - 1.0) for weight in whole.values())
    like = f" The instances rank categories with a mean correlation of {np.mean(pairs):.2f}." if pairs else ""
    return (
        f"Bars are means over all cells, dots single instances; the dotted line is where every category counts alike. "
        f"Most is let through of {order[0]}, {order[1]} and {order[2]}, least of {order[-1]}; no category is further "
        f"from an equal share than {spread:.0%} of it.{like} Where instances do not agree, a bar tells of one fit's "
        "first weights and not of emissions."
    )


def check_words(checks: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Whether maps show something that was learned."""
    words = []
    for modality, name in (("image", "images"), ("poi", "points")):
        nothing, others = (known_mean([found[modality] for found in checks[key]]) for key in ("untaught", "fitted"))
        if others > abs(nothing) + 0.1:
            than, so = "more", "some of what they show was learned, and would be learned again"
        else:
            than, so = "no more", "their details say nothing that another fit would say too"
        words.append(
            f"Maps of {name} resemble those of other instances {than} than those of an untaught network: {so}."
        )
    return " ".join(words)


def level_means(parts: Sequence[Mapping[str, Any]], level_of: Mapping[int, int]) -> dict[int, dict[str, float]]:
    """Level -> means over its cells of what answers owe to their inputs."""
    sums = _sums(parts)
    means: dict[int, dict[str, float]] = {}
    for level in sorted(set(level_of.values())):
        here = [own for cell, own in sums.items() if level_of[cell] == level]
        names = {"image": "image", "points": "poi"}
        told = {
            f"{place} {name}": float(np.mean([own[place, modality] for own in here]))
            for place in PLACES
            for name, modality in names.items()
        }
        size = {
            name: float(np.mean([abs(own["own", modality] + own["around", modality]) for own in here]))
            for name, modality in names.items()
        }
        means[level] = {"cells": float(len(here)), **told, "share": size["points"] / (size["points"] + size["image"])}
    return means


def known_mean(values: Sequence[float]) -> float:
    """Mean of what is no NaN."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _sums(parts: Sequence[Mapping[str, Any]]) -> dict[int, dict[tuple[str, str], float]]:
    """Cell -> place and modality -> its part of the answer."""
    found: dict[int, dict[tuple[str, str], float]] = {}
    for row in parts:
        own = found.setdefault(row["cell_id"], {})
        key = (row["place"], row["modality"])
        own[key] = own.get(key, 0.0) + row["ln_t_co2"]
    return found

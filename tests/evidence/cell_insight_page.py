"""The page of the evidence on what networks of 1 km cells look at, and what it says of the paper's claim."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.io.model_store import Lineage
from carbonray.publish.markdown import number, table
from carbonray.stages.cell_blanks import MovedAnswers
from carbonray.stages.cell_levels import EVERY
from tests.evidence.cell_insight_maps import Shown
from tests.evidence.cell_insight_words import (
    attributed,
    categories_words,
    check_words,
    known_mean,
    level_means,
    moved_words,
    unread,
    verdict,
)

COMMAND = (
    "python -m tests.evidence.cell_insight --training RUN --grid RUN --truth FILE --out docs/evidence/cell-insight"
)
WIDTH = 120
TOLD_BY = {
    "own": "attention of the cell",
    "around": "attention of its window",
    "blanked": "points beside images, blanked",
}


def readme(
    facts: Mapping[str, Any],
    tables: Mapping[str, pa.Table],
    shown: Sequence[Shown],
    checks: Mapping[str, Sequence[Mapping[str, float]]],
    level_of: Mapping[int, int],
) -> str:
    """What was looked at, what it says of the claim, and what it cannot say."""
    parts, lineages = tables["attributions"].to_pylist(), facts["lineages"]
    return f"""# What a network of 1 km cells looks at

{fill(_about(facts), WIDTH)} Made by

    {COMMAND}

from the grid of the same city and the bundles of

    {lineages[min(lineages)].command}

{_instance_table(lineages)}

## Do points of interest matter more where more is emitted?

The paper says so of its attention weights (arXiv 2506.03224). Here, with cells in five levels of equally many, and a
third witness beside the two attentions: how far an answer moves when all points are taken away, over that and how far
it moves when all images are one flat colour.

{_verdicts(tables["attention_trends"])}

The claim holds where the weight rises from the lowest level to the highest over all cells and in more than half of the
instances, and falls in none. Top less bottom is of the levels' mean weights.

![Weight of points of interest by level of emission](attention.png)

Bands are 90 % intervals over blocks of 5 km drawn whole, thin lines single instances. `attention_levels.parquet` and
`attention_trends.parquet` hold the numbers; ranked by label:

{_trend_table(tables["attention_trends"])}

{fill(attributed(parts, level_of), WIDTH)}

{_level_table(parts, level_of)}

Parts are of ln t CO2, the mean over the level's cells; `points beside images` is the mean size of what is owed to
points, over that and the mean size of what is owed to images.

## Without images, without points

{_moved_table(facts["moved"], facts["instance"])}

Root mean square of how far answers move, ln t CO2, beside the standard deviation of the answers.

{fill(moved_words(facts["moved"]), WIDTH)}

## Three cells taken apart

![Three cells](cells.png)

Every map has a scale of colours of its own; what it sums to stands above it.

{_shown_table(shown)}

{fill(_sums_words(facts, parts), WIDTH)}

## Categories

![Weights of the categories](categories.png)

{fill(categories_words(tables["category_weights"]), WIDTH)}

## Is any of it owed to what the network learned?

Rank correlation of maps, signs kept, of the cells above: of the instance that held the cell out with a network of the
same shape that learned nothing (Adebayo et al. 2018), and with the other instances, which learned from other
parts of the city.

{_check_table(checks)}

{fill(check_words(checks), WIDTH)}

## What this cannot show

- A weight of attention scales two vectors whose lengths the network chose itself: a larger weight is not a larger part
  in the answer. The table of parts above, and the ablations of the study, are the better witnesses.
- The gates are carried back to categories through the size of the first filters: our reading, not the paper's.
- An image of one flat colour lies outside of what the network has seen; another blank image gives other parts.
- Of synthetic cities: that points tell of emissions there is how they were made.
"""


def _about(facts: Mapping[str, Any]) -> str:
    made_up = " Nothing here is about a real city." if "SYNTHETIC" in facts["tier"] else ""
    return (
        f"Data tier: {facts['tier']}.{made_up} Model `{facts['model']}` at {facts['px']} pixels, cells divided by "
        f"{facts['split']}; every cell is looked at through the instance that held it out."
    )


def _instance_table(lineages: Mapping[int, Lineage]) -> str:
    heads = ("instance", "cells that taught", "cells that chose the epoch", "epochs", "validation R2 of ln E")
    lines = [
        (instance, told.scenes, told.validation_scenes, told.epochs, number(told.validation["r2"]))
        for instance, told in lineages.items()
    ]
    return table(heads, lines)


def _sums_words(facts: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> str:
    cells = len({row["cell_id"] for row in parts})
    return (
        f"Integrated gradients over {facts['rules'].steps} steps, from an image of one flat colour and no points: the "
        "parts of a cell, those of the cells around it among them, sum to its answer less the blank one. `missed` is "
        f"what they do not sum to. The mean size of it over {cells} cells is {_missed(parts)}. {unread(facts)}"
    )


def _verdicts(trends: pa.Table) -> str:
    """A line a city, ranking and witness."""
    rows = [row for row in trends.to_pylist() if row["measure"] == "top_minus_bottom"]
    keys = ("city", "judged_by", "told_by")
    lines = []
    for key in dict.fromkeys(tuple(row[name] for name in keys) for row in rows):
        here = [row for row in rows if tuple(row[name] for name in keys) == key]
        whole = next((row for row in here if row["instance"] == EVERY), here[0])
        alone = [row["trend"] for row in here if row["instance"] != EVERY]
        counts = (f"{alone.count(trend)} of {len(alone)}" for trend in ("rises", "falls"))
        lines.append((*key[:2], TOLD_BY[key[2]], f"**{verdict(here)}**", number(whole["value"]), _ends(whole), *counts))
    heads = ("city", "ranked by", "told by", "the claim", "top less bottom", "90 %", "instances rise", "instances fall")
    return table(heads, lines)


def _trend_table(trends: pa.Table) -> str:
    heads = ("city", "told by", "instance", "top less bottom", "90 %", "Spearman", "90 %", "cells", "blocks")
    rows = [row for row in trends.to_pylist() if row["judged_by"] == "label"]
    lines = []
    for apart, rank in zip(rows[::2], rows[1::2], strict=True):
        told = (number(apart["value"]), _ends(apart), number(rank["value"]), _ends(rank))
        lines.append(
            (apart["city"], TOLD_BY[apart["told_by"]], apart["instance"], *told, apart["cells"], apart["blocks"])
        )
    return table(heads, lines)


def _ends(row: Mapping[str, Any]) -> str:
    return f"{number(row['p05'])} to {number(row['p95'])}"


def _level_table(parts: Sequence[Mapping[str, Any]], level_of: Mapping[int, int]) -> str:
    names = ("own image", "own points", "around image", "around points", "share")
    lines = [
        (level, f"{means['cells']:.0f}", *(number(means[name], 2) for name in names))
        for level, means in level_means(parts, level_of).items()
    ]
    return table(("level", "cells", *names[:-1], "points beside images"), lines)


def _moved_table(moved: MovedAnswers, instance: NDArray[Any]) -> str:
    def spread(values: NDArray[np.float64]) -> str:
        return number(float(np.sqrt(np.mean(values**2))))

    lines = []
    for name in np.unique(instance.astype(np.str_)).tolist():
        own = instance.astype(np.str_) == name
        image, points = spread(moved.by_image[own]), spread(moved.by_points[own])
        lines.append((name, int(own.sum()), number(float(moved.answer[own].std())), image, points))
    return table(("instance", "cells", "sd of answers", "without images", "without points"), lines)


def _shown_table(shown: Sequence[Shown]) -> str:
    lines = []
    for one in shown:
        image, points = (float(part.sum()) for part in one.fitted.own)
        around = float(one.fitted.image.sum() + one.fitted.poi.sum()) - image - points
        told = (one.fitted.answer, one.fitted.blank, image, points, around, one.fitted.missed)
        lines.append((one.name, one.fitted.cell_id, f"{one.label:,.0f}", *(number(value, 2) for value in told)))
    heads = ("cell", "number", "label, t", "answer, ln t", "blank", "own image", "own points", "around", "missed")
    return table(heads, lines)


def _missed(parts: Sequence[Mapping[str, Any]]) -> str:
    missed = {row["cell_id"]: abs(row["missed_ln_t_co2"]) for row in parts}
    moved = {row["cell_id"]: abs(row["answer_ln_t_co2"] - row["blank_ln_t_co2"]) for row in parts}
    return f"{np.mean(list(missed.values())):.3f}, beside a mean difference of {np.mean(list(moved.values())):.2f}"


def _check_table(checks: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    words = {"untaught": "learned nothing", "fitted": "other instances"}
    lines = []
    for key, name in words.items():
        means = [known_mean([found[modality] for found in checks[key]]) for modality in ("image", "poi")]
        lines.append((name, len(checks[key]), *(number(mean, 2) for mean in means)))
    return table(("compared with", "pairs", "maps of the image", "maps of points"), lines)

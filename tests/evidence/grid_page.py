"""The page and the tables of the evidence on models of 1 km cells, made from the files of the fits alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd

from carbonray.models.cell_registry import CELL_MODELS
from carbonray.publish.markdown import number, table
from carbonray.stages.cell_scores import CellScoreRules
from tests.evidence.grid_fits import LABEL, ORACLE
from tests.evidence.grid_scores import ALIKE, BY_LABEL, MODEL, ORDINARY, controls_of, fields_of, seeds_of, tables_of
from tests.evidence.grid_sheets import HEADLINES, SPLITS, figure, sheet

COMMAND = "python -m tests.evidence.grid --work out/grid --out docs/evidence/grid --processes 2"
WIDTH = 120
PUBLISHED_R2, PUBLISHED_GAIN = 0.70, 0.266  # mean of three cities, and over the best other model (arXiv 2506.03224)
# claim -> the model that is to be better, and those that it is to beat
CLAIMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "SE gates help": (MODEL, ("opencarbon_no_se",)),
    "the neighbourhood helps": (MODEL, ("opencarbon_no_neighborhood",)),
    "the contrastive term helps": (MODEL, ("opencarbon_no_contrastive",)),
    "images help": (MODEL, ("opencarbon_no_image",)),
    "points of interest help": (MODEL, ("opencarbon_no_poi",)),
    "attention is better than side by side": ALIKE,
    "better than one modality of the cell alone": (MODEL, ("image_only", "poi_only")),
    "better than place alone": (MODEL, ("nearest", "kriging")),
    "better than LASSO and XGBoost on points": (MODEL, ("lasso", "xgboost")),
    "better than GraphSAGE": (MODEL, ("graphsage_poi", "graphsage_image", "graphsage_both")),
    "better than night light": (MODEL, ("lights_ln", "lights_asinh")),
    "a mask is better than the authors' padding": (MODEL, ("opencarbon_authors",)),
}


def write(work: Path, out: Path, rules: CellScoreRules | None = None) -> None:
    """Writes README.md and the tables beside it.

    Args:
        work: folder with `fits`, `cells` and `study.json`.
        out: folder of the evidence.
        rules: of intervals.
    """
    fields = fields_of(work)
    scores, differences = tables_of(fields, rules or CellScoreRules())
    by_seed, pairs_by_seed = seeds_of(fields)
    controls = controls_of(differences)
    out.mkdir(parents=True, exist_ok=True)
    tables = {
        "scores": scores,
        "differences": differences,
        "seeds": by_seed,
        "seed_differences": pairs_by_seed,
        "controls": controls,
    }
    for name, each in tables.items():
        each.to_csv(out / f"{name}.csv", index=False, lineterminator="\n", float_format="%.6g")
    study = json.loads((work / "study.json").read_text())
    (out / "README.md").write_text(page(study, fits_of(work), tables), encoding="utf-8")


def fits_of(work: Path) -> pd.DataFrame:
    """What every fit took, a row a file."""
    told = [json.loads(path.read_text()) for path in sorted((work / "fits").glob("*.json"))]
    return pd.DataFrame(
        [{**fit["job"], "fold": fit["fold"], **{key: fit[key] for key in ("wall_s", "cpu_s")}} for fit in told]
    )


def page(study: Mapping[str, Any], fits: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> str:
    """The evidence as Markdown."""
    scores, pairs = (tables[name][tables[name]["world"] == ORDINARY] for name in ("scores", "differences"))
    seeds = tables["seed_differences"]
    splits = [split for split in SPLITS if split in set(scores["split"])]
    sections = "\n\n".join(sheet(split, scores, pairs, seeds) for split in splits)
    return f"""# Models of 1 km cells on synthetic cities: who answers best, and what each part adds

    {COMMAND}

{fill(_tier(study, scores), WIDTH)}

{_recipe(study, fits)}

## What reproduces, and what does not

{_claims(pairs, splits)}

{_ranks(scores)}

## Negative controls

{_controls(tables["controls"])}

{sections}

## Published

{fill(_published(scores), WIDTH)}

## How to read this

- Models learn an ODIAC-like label: night light, blurred and saturating, with power stations beside where they stand.
  `label` scores say how well that is answered, `truth` scores what the city emits. `label` as a model is the label
  taken for the truth: who learns the label to perfection scores like it. `oracle` knows activities, not efficiencies.
- R2, MAE and RMSE without more are of ln t CO2 a year; `_t` is in tonnes a cell and year, after each fit's own smearing
  from its own validation cells. `coverage` is the share of cells whose truth, or label, lies in the 90 % band; a dash
  says that too few blocks validated for a band.
- On the labels the oracle is no ceiling: it knows what is emitted, not what the night shows. Night light itself is
  what the labels are made from, and the lines along it are near the best that there can be. It is blurred, so that
  neighbours tell of a label even where they tell nothing of the truth.
- A seed tests on one fold of one division; the seeds answer for all cells together. A value is of every cell once, its
  interval of resampled blocks of 5 km. Where there are fewer folds than seeds, the later seeds are in the spread over
  seeds alone. That spread, mean ± standard deviation of paired differences, holds what differs between folds too.
- Claims are read from intervals: a difference whose interval holds 0 is undecided. Many differences are read here, and
  at this level one in ten of those that are nothing looks like something.
- For a city that nobody learned from, peers that know places alone answer the mean of what they learned; answers that
  are all alike have no ranks, and a dash.
- Sums of points around a cell, which LASSO and XGBoost read, count labelled cells only.

[scores.csv](scores.csv), [differences.csv](differences.csv): every model, metric, city and split;
[seeds.csv](seeds.csv), [seed_differences.csv](seed_differences.csv): the same seed by seed;
[controls.csv](controls.csv).
"""


def _tier(study: Mapping[str, Any], scores: pd.DataFrame) -> str:
    tiers = ", ".join(sorted(scores["data_tier"].unique()))
    return (
        f"SYNTHETIC throughout (tiers {tiers}; generator `{study['generator_sha256'][:16]}`, world seed "
        f"{study['world_seed']}). No figure here stands beside a published one: those are under "
        "[Published](#published)."
    )


def _recipe(study: Mapping[str, Any], fits: pd.DataFrame) -> str:
    """What was scaled, and what it took."""
    rules = study["training"]
    own = fits[fits["model"].isin(CELL_MODELS)]
    width, pace, side = rules["config"]["width"], study["pace"], rules["patch_cells"]
    text = f"""Scaled recipe, the published in brackets: images of {study["image_px"]} pixels (256), a network {width}
wide (64), {pace["steps"]} steps of Adam at {rules["fit"]["learning_rate"]:g}, in whole epochs (3000 epochs at most),
the contrastive term with the published weight after {pace["contrast_after"]} steps (100 epochs), batches of 32 made of
squares of {side} x {side} cells (single cells); random first weights where the authors' were ImageNet's. So few steps
favour what learns fast: a part of the network that needs longer is undersold here. The recipe was chosen on validation
cells of the London-like city, the number of steps by the hours that two cores had. {len(own)} fits of
networks took {own["cpu_s"].sum() / 3600:.1f} core-hours,
{own["cpu_s"].median():.0f} s each in the median; seeds {", ".join(map(str, sorted(set(fits["seed"]))))}."""
    changes = " ".join(f"`{change}`" for change in study["changes"])
    more = f" Changed from `tests/evidence/grid.yaml`: {changes}." if changes else ""
    return fill(" ".join(text.split()) + more, WIDTH)


def _claims(pairs: pd.DataFrame, splits: Sequence[str]) -> str:
    """A line a claim: in how many cities the difference on the labels is for it, undecided, against it."""
    headline = pairs["metric"] == pairs["split"].map(HEADLINES)
    chosen = pairs[headline & (pairs["judged_by"] == BY_LABEL)]
    lines = []
    for claim, (first, others) in CLAIMS.items():
        rows = chosen[(chosen["first"] == first) & chosen["second"].isin(others)]
        if len(rows):
            lines.append((claim, *(_tally(rows[rows["split"] == split]) for split in splits), _verdict(rows)))
    told = (_best(chosen[chosen["split"] == split], split) for split in splits)
    best = "\n".join(fill(f"- {sentence}", WIDTH, subsequent_indent="  ") for sentence in told)
    heads = ("claim", *splits, "reproduces")
    why = (
        f"`{MODEL}` minus the models that the claim names (for attention: `{ALIKE[0]}` minus `{ALIKE[1][0]}`, which "
        "look at the cell alone), on the labels: R2 of ln t CO2, and ranks (Spearman) where a city is left out; a "
        "count is of cities and models: better, undecided, worse."
    )
    return f"{best}\n\n{fill(why, WIDTH)}\n\n{table(heads, lines)}"


def _ranks(scores: pd.DataFrame) -> str:
    """What is left of the order of cells in a city that nobody learned from."""
    rows = scores[(scores["split"] == "cities") & (scores["metric"] == "spearman") & (scores["model"] == MODEL)]
    if rows.empty:
        return "No city was left out."
    named = [f"{row['city']} {figure(row, 'value')} by the {row['judged_by']}" for _, row in rows.iterrows()]
    held = "All intervals lie above 0: ranks survive." if (rows["p05"] > 0.0).all() else "Not all lie above 0."
    text = f"Ranks of `{MODEL}` in cities that it did not learn from (Spearman): {'; '.join(named)}. {held}"
    return fill(text, WIDTH)


def _tally(rows: pd.DataFrame) -> str:
    better = int((rows["better"] == rows["first"]).sum())
    worse = int((rows["better"] != "").sum()) - better
    return f"{better}, {len(rows) - better - worse}, {worse}" if len(rows) else "–"


def _verdict(rows: pd.DataFrame) -> str:
    """In words, from all splits: yes or no where every difference says so."""
    better = rows["better"] == rows["first"]
    worse = (rows["better"] != "") & ~better
    if better.all():
        return "yes"
    if not better.any():
        return "no, the contrary" if worse.all() else "no"
    return "in part, with contrary cases" if worse.any() else "in part"


def _best(rows: pd.DataFrame, split: str) -> str:
    """A sentence on whether the network is the best there is."""
    peers = rows[(rows["first"] == MODEL) & ~rows["second"].isin((ORACLE, LABEL))]
    ahead = peers[(peers["better"] != "") & (peers["better"] != MODEL)]
    if peers.empty:
        return f"{split}: nothing to compare with."
    named = ", ".join(f"{row.second} ({row.city})" for row in ahead.itertuples())
    beaten = int((peers["better"] == MODEL).sum())
    tail = f"; significantly behind {named}" if named else "; behind none significantly"
    return f"{split}: `{MODEL}` is significantly ahead in {beaten} of {len(peers)} comparisons{tail}."


def _controls(controls: pd.DataFrame) -> str:
    """The controls, and the same pairs where there is something to gain."""
    if controls.empty:
        return "Not fitted."
    rows = controls[controls["split"] == "random"]
    lines = [
        (
            row["control"], row["world"], row["pair"], row["judged_by"], number(row["gain_r2_ln"]),
            f"[{number(row['p05'])}, {number(row['p95'])}]", number(row["noticeable"]), row["found"], row["passes"],
        )
        for row in rows[rows["city"] == "london_like"].to_dict("records")
    ]  # fmt: skip
    heads = ("control", "world", "pair", "by", "gain in R2", "interval", "noticeable", "found", "passes")
    why = (
        "`no_coupling`: emissions of neighbours are not mixed and whole cells are dealt anew, so that a window shows "
        "strangers. `points_dealt`: points of interest are dealt anew among cells. A control passes unless its "
        "interval lies above 0; a gain smaller than `noticeable` would have been missed. Lines of the ordinary world "
        "say what the same pair gains where there is something to gain."
    )
    return f"{table(heads, lines)}\n\n{fill(why, WIDTH)}"


def _published(scores: pd.DataFrame) -> str:
    rows = scores[(scores["metric"] == "r2_ln") & (scores["split"] == "random") & (scores["judged_by"] == BY_LABEL)]
    means = rows[rows["role"] == "peer"].groupby("model")["value"].mean()
    best = f"{means.idxmax()}, beside whom the network is compared above" if len(means) else "none yet"
    return (
        f"The paper reports a mean R2 of {PUBLISHED_R2:.2f} over London, Beijing and Yinchuan, "
        f"{100 * PUBLISHED_GAIN:.1f} % above the best other model, which implies "
        f"{PUBLISHED_R2 / (1 + PUBLISHED_GAIN):.3f} for that one, if the share is of the means. These are of real "
        "cities, of labels and splits that were not published cell by cell; nothing on this page confirms or refutes "
        f"them. The best peer of this page at random splits is {best}."
    )

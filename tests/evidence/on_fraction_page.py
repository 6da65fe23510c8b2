"""The page and the figure of the evidence on on-fractions and reported capacity factors."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from carbonray.publish.markdown import number, table
from tests.evidence.on_fraction_scores import STATISTICS, OnFractionRules, intercept, slope

COMMAND = "python -m tests.evidence.on_fraction --data ../shared/data --out docs/evidence/on-fraction"
WIDTH = 120  # of lines of text
INK, GREY = "#1b1b1b", "#8c96a6"
PLACES = (("USA", "#2166ac", "o", lambda country: country == "USA"), ("Europe", "#b35806", "s", lambda c: c != "USA"))


def draw(used: pd.DataFrame, rules: OnFractionRules, path: Path) -> None:
    """Writes an SVG: a mark a plant-year, its area by labels, those with too few hollow; the same bytes every time."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], ":", color=GREY, lw=1.0, label="as it is")
    enough = used[used["labels"] >= rules.headline]
    x, y = (enough[name].to_numpy(np.float64) for name in ("on_fraction", "capacity_factor"))
    none = np.zeros(len(x), np.int64)
    line = [slope(none, x, y) * at + intercept(none, x, y) for at in (0.0, 1.0)]
    axes.plot([0, 1], line, color=INK, lw=1.2, label=f"line of {rules.headline} labels or more")
    for name, colour, marker, here in PLACES:
        rows = used[used["country"].map(here)]
        filled = [colour if labels >= rules.headline else "none" for labels in rows["labels"]]
        place = rows["on_fraction"], rows["capacity_factor"]
        axes.scatter(*place, 12.0 * rows["labels"], color=filled, edgecolors=colour, marker=marker, alpha=0.7)
        axes.scatter([], [], 40.0, color=colour, marker=marker, label=name)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.set(xlabel="share of the year's labelled images that is on", ylabel="reported capacity factor of the year")
    axes.legend(frameon=False, loc="upper left", fontsize=9)
    with mpl.rc_context({"svg.hashsalt": "carbonray", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None, "Creator": None})


def readme(hashes: Mapping[str, str], tables: Mapping[str, pd.DataFrame], rules: OnFractionRules) -> str:
    """What was compared, what came of it, and what so few plants cannot show."""
    found, years = tables["scores"], tables["plant_years"]
    verdicts = years.groupby("verdict").agg(plants=("plant_id", "nunique"), plant_years=("year", "size"))
    verdicts = verdicts.join(years.groupby("verdict")["labels"].sum()).sort_values("plant_years", ascending=False)
    head = _headline(found, "all", rules)
    usa, count = _headline(found, "USA", rules), head.iloc[0]
    return f"""# The yearly share of on labels beside the reported capacity factor, from real files

Data tier: REAL. Made by

    {COMMAND}

{count["plants"]} coal plants, {count["plant_years"]} plant-years with {rules.headline} labels or more. Values
and their intervals:

- correlation of on-fraction and capacity factor: {_figure(head.loc["correlation"])}, in the USA alone
  {_figure(usa.loc["correlation"])}; between the years of one plant: {_figure(head.loc["correlation_within"])};
- error of the on-fraction taken for the capacity factor: {_figure(head.loc["rmse_as_it_is"])}, its bias
  {_figure(head.loc["mbe_as_it_is"])};
- error of a line fitted to the other plants: {_figure(head.loc["rmse_line"])}; of the other plants' mean:
  {_figure(head.loc["rmse_mean"])}; the line's gain over the mean: {_figure(head.loc["gain"])}.

{fill(_verdict(head.loc["gain"]), WIDTH)}

![Scatter of on-fraction and capacity factor](scatter.svg)

A mark is a plant-year, its area the number of labels; hollow marks have fewer than {rules.headline}.

## Scores

Intervals are percentiles {rules.bootstrap.lower_pct:g} and {rules.bootstrap.upper_pct:g} of {rules.bootstrap.resamples}
resamples of whole plants. `min_labels` is the least number of labels of a plant-year.

{_scores(found, "all")}

Plants in the USA only, whose reports are of calendar years by one agency:

{_scores(found, "USA")}

With values of exactly zero kept, which are set aside above:

{_scores(found, "with zeros")}

- `correlation_within` is of the deviations from each plant's own mean: whether the years of one plant differ as its
  labels say.
- `rmse_as_it_is`, `mbe_as_it_is`: the on-fraction taken for the capacity factor, bias as prediction minus observation.
- `rmse_line`, `rmse_mean`: the least-squares line and the mean, each fitted to all other plants and judged on the one.
  `gain` is 1 - rmse_line / rmse_mean.

## What this can show, and what it cannot

- An on-fraction is a share of moments, a capacity factor a share of energy: a plant that always runs at half its load
  has 1 and 0.5. The two agree only in so far as plants are idle, so the line's slope is below 1 and the bias positive.
  This is the part of a capacity factor that on and off alone can tell. No image and no model of ours is judged here.
- The labels are few a year, taken at one hour of the morning, under skies clear enough to see.
{fill(_scatter_of(years), WIDTH, initial_indent="  ", subsequent_indent="  ")}
- The file does not say how a label was made, or how images were chosen. Where labels were taken from generation that
  the same plant reported, agreement is no evidence about images, only about sampling.
- {count["plants"]} plants are few, and years of one plant are alike: the intervals are over plants for that reason, and
  with so few of them they are themselves rough. Most of the spread in on-fractions comes from a handful of plants.
- Capacity is GPPD's, one number a plant, of its edition's year: units that retired before are missing from it, which
  makes earlier capacity factors too large.

## Labels, and which plant-years count

{_frame(verdicts.reset_index())}

- `nothing reported`: GPPD has no value for that plant and year. It has none after 2019, and for Europe only some of
  2015 and 2016, in its edition of 2018, whose sources the file does not name. Its column of estimates is empty in
  every file at hand and is not read.
- `beyond capacity`: a capacity factor above {rules.max_capacity_factor:g}.
- `no coal in GPPD`: it says that the plant burns something else.
- `exactly zero`: not believed, for a reason that has nothing to do with labels. Of GPPD's US coal plants, by what they
  say of 2014, beside WRI's own collection of that year:

{_frame(tables["zeros"])}

{_frame(tables["plants"])}

`a_year` counts labels in the plant-years that count. All plant-years are in `plant_years.csv`. Labels fall to plants as
in [labels](../labels/README.md): the nearest with 100 MW of coal units, within 5 km. Plants find their rows of GPPD by
the inventory's ids, rows of other fuels are left out, and several coal rows of one plant are added.

## Inputs

{_frame(pd.DataFrame([{"file": f"`{path}`", "sha256": f"`{digest}`"} for path, digest in hashes.items()]))}
"""


def _headline(found: pd.DataFrame, case: str, rules: OnFractionRules) -> pd.DataFrame:
    return found[(found["case"] == case) & (found["min_labels"] == rules.headline)].set_index("statistic")


def _verdict(gain: "pd.Series[float]") -> str:
    if gain["low"] > 0:
        return "The labels tell something of the capacity factor of a plant that the line has not seen."
    return (
        "That gain cannot be told from none: these plants do not show that the on-fraction of a year says more about "
        "the capacity factor of a plant that the line has not seen than the mean of the others does."
    )


def _figure(row: "pd.Series[float]") -> str:
    return f"{number(row['value'], 2)} [{number(row['low'], 2)}, {number(row['high'], 2)}]"


def _scores(found: pd.DataFrame, case: str) -> str:
    """A line a minimum of labels, a column a statistic."""
    rows = found[found["case"] == case]
    counts = ["min_labels", "plants", "plant_years", "labels"]
    lines = []
    for told, group in rows.groupby(counts, sort=True):
        figures = group.set_index("statistic")
        lines.append([*told, *(_figure(figures.loc[name]) for name in STATISTICS)])
    return table([*counts, *STATISTICS], lines)


def _scatter_of(years: pd.DataFrame) -> str:
    """How unsure an on-fraction is for the number of its labels alone."""
    used = years[years["verdict"] == "used"]
    share, labels = used["on_fraction"], used["labels"]
    mixed = used[(share > 0) & (share < 1)]
    error = np.sqrt(mixed["on_fraction"] * (1 - mixed["on_fraction"]) / mixed["labels"])
    return (
        f"Of the {len(used)} plant-years that count, {int((share == 1).sum())} have every label on and "
        f"{int((share == 0).sum())} every label off; the median has {labels.median():.0f} labels. Were labels "
        f"independent draws, the on-fraction of the {len(mixed)} others would have a standard error of "
        f"{error.median():.2f} in the median."
    )


def _frame(frame: pd.DataFrame) -> str:
    cells = ([("" if pd.isna(cell) else str(cell).replace("|", "/")) for cell in row] for row in frame.to_numpy(object))
    return table(list(map(str, frame.columns)), cells)

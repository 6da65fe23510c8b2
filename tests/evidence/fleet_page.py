"""The words of the fleet's evidence: its moments beside the published ones, in columns of their own."""

from collections.abc import Iterable
from typing import Any

from carbonray.vocab.plants import FGD, NDT
from carbonray.vocab.sensors import IMAGERS
from tests.evidence.fleet_moments import MOMENTS, PUBLISHED, PUBLISHED_SOUNDINGS

COMMAND = "python -m tests.evidence.fleet --out docs/evidence/fleet"


def readme(results: dict[str, Any]) -> str:
    """What was drawn, its moments, soundings and regions."""
    whole = results["fleet"]
    return f"""# The synthetic fleet beside what is published of real plants

{results["plants"]} plants of the synthetic fleet with the default rules (seed {results["rules"]["seed"]}), hour by hour
over 2015 to 2022. Data tier: SYNTHETIC-T1 (five regions of training) and SYNTHETIC-T2 (Türkiye and India, the shift
tier). Published numbers are references, from the plume paper: the defaults were chosen so that the fleet of the
training regions comes near them. That it does shows that the generator is credible, and nothing about any model.

- `map.png`: where the plants stand.
- `series.png`: four plants over 2021.
- `results.json`: all numbers, and the rules that gave them.

Made by

    {COMMAND}

## Moments

Pooled over plants and days; 90 % intervals in brackets, from resampling plants. On means a capacity factor above 0.05;
11 h is local solar time; 30-day means are taken for every day. Plants with both structure kinds count in both columns.

{_moments(results)}

## Soundings per plant, 2015 to 2022

All images; those with less than 20 % cloud; and, of these, those in weather in which the vapor of a stack can be seen
(SCIENCE 4.4). Published are the images left after all filters, by plant: the paper applies the weather filter to stacks
only, and its cloud masks, duplicates and missing labels cost images that are not counted here.

{_soundings(results)}

## Regions

Mean over plants and hours of the capacity factor, by day and at 11 h: where they differ, images of the morning mislead.
Clear and unseen are shares of Sentinel-2 images, and of the clear ones, those the weather filter would reject.

{_regions(results)}

## Also counted

- Capacity of a plant, 5th, 50th and 95th percentile: {", ".join(f"{gw:.2f}" for gw in whole["capacity_gw"])} GW.
- Structures: {whole["structures"][NDT]} towers and {whole["structures"][FGD]} stacks, of which
  {whole["wrong_labels"][NDT]:.1%} and {whole["wrong_labels"][FGD]:.1%} never show vapor (label noise);
  {whole["wrong_plants"]:.1%} of the plants have such a structure.
- CO2 of units by year against that of plants by hour: largest relative difference {whole["conservation"]:.1e}.
"""


def _moments(results: dict[str, Any]) -> str:
    head = ["", *(f"SYNTHETIC {name} ({g['plants']})" for name, g in results["groups"].items())]
    head += ["published NDT", "published FGD"]
    rows = []
    for name in MOMENTS:
        found = [group["moments"][name] for group in results["groups"].values()]
        cells = [f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]" for one in found]
        rows.append([name, *cells, PUBLISHED[name][NDT], PUBLISHED[name][FGD]])
    return _table(head, rows)


def _soundings(results: dict[str, Any]) -> str:
    head = ["", *(f"SYNTHETIC {name}" for name in results["groups"]), "published NDT", "published FGD"]
    rows = []
    for imager in IMAGERS:
        published = PUBLISHED_SOUNDINGS[imager]
        for what, words in (("images", "all"), ("clear", "clear"), ("left", "clear, weather in which stacks are seen")):
            cells = [f"{group['soundings'][f'{imager} {what}']:.0f}" for group in results["groups"].values()]
            compared = {
                "images": ("", ""),
                "clear": (f"{published[NDT]:.0f}", ""),
                "left": ("", f"{published[FGD]:.0f}"),
            }
            rows.append([f"{imager}: {words}", *cells, *compared[what]])
    return _table(head, rows)


def _regions(results: dict[str, Any]) -> str:
    head = [
        "SYNTHETIC", "plants", "on at 11 h", "capacity factor", "at 11 h", "mean °C", "humidity %", "cloud", "wind m/s",
        "clear", "unseen",
    ]  # fmt: skip
    rows = [
        (
            name, region["plants"], f"{region['on']:.2f}", f"{region['cf_day']:.3f}", f"{region['cf_11']:.3f}",
            f"{region['temperature_c']:.1f}", f"{region['humidity_pct']:.0f}", f"{region['cloud']:.2f}",
            f"{region['wind_m_s']:.1f}", f"{region['clear']:.2f}", f"{region['unseen']:.2f}",
        )
        for name, region in results["regions"].items()
    ]  # fmt: skip
    return _table(head, rows)


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *([str(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

"""The page of the evidence on reported generation and labels."""

import pandas as pd

COMMAND = "python -m tests.evidence.labels --data ../shared/data --out docs/evidence/labels"


def readme(inputs: dict[str, str], tables: dict[str, pd.DataFrame], labels: dict[str, float]) -> str:
    """What was read, what came of it, and what is odd."""
    files = pd.DataFrame([{"file": f"`{path}`", "sha256": f"`{digest}`"} for path, digest in inputs.items()])
    facts = pd.DataFrame([{"what": name, "value": f"{value:.6g}"} for name, value in labels.items()])
    week = tables["nem_week"]
    return f"""# Reported generation and labels, from the real files at hand

Data tier: REAL. Made by

    {COMMAND}

Every line of a file is kept or set aside with a reason; lines that nothing can be learned from are never dropped
silently. The tables below are beside this page as CSV.

## Lines

{_rows(tables["files"])}

{_rows(tables["set_aside"])}

Gaps are intervals between the first and the last line of a plant or unit of which no line speaks.

## WRI's collection, beside the totals in its own side columns

{_rows(tables["wri_totals"])}

- Egypt's 55 lines have neither an id nor a name: none can belong to a plant, so all are set aside.
- Nearly every plant of Brazil stands three times, with the same capacity, different generation and no year (as if of
  three years): nothing says which is right, so they are set aside, but for those that stand once or alike. The total
  in the file's side columns sums all lines, so it is about three times the country's generation.
- The USA's kept sum is short of the stated total by the four plants whose generation is beyond their capacity.

## The USA in 2014

{_rows(tables["usa_2014"])}

eGRID's file holds capacity factors of three digits, and none for some plants; its CO2 is CO2 equivalent.

## A week of New South Wales's coal units, 2021-02-01 to 08, market time

{_rows(week)}

All units together: {week[week["level"] == "unit"]["gwh"].sum():.1f} GWh. Energy is 5-minute power times 1/12 h. LD03
stood still all week. Stations are the inventory's plants, found by unit id; their capacity is that on the date. Units
that the inventory's NEM file does not hold have no capacity here and stay unlinked, listed with their energy:
{_unlinked(week)}.

## Labels of coal plants

{_rows(facts)}

{_rows(tables["labelled_plants"])}

A labelled tower or stack goes to the nearest plant of the merged inventory that has 100 MW of coal units or more, if
one lies within 5 km. Rows of one plant and time count once. No kind of structure is known for them: the inventory at
hand holds no annotations. As Pontes stands twice because the inventory holds it twice (once without capacity): a
duplicate that its matching has not joined.

## Weather at Matimba, 2021-07-25

{_rows(tables["weather"])}

The file holds no dewpoint: humidity is unknown, and so an image of a stack on that day would be rejected as
`weather unknown`.

## Inputs

{_rows(files)}
"""


def _unlinked(week: pd.DataFrame) -> str:
    lost = week[(week["level"] == "unit") & week["capacity_mw"].isna()]
    return ", ".join(f"{name} {gwh:.1f} GWh" for name, gwh in zip(lost["name"], lost["gwh"], strict=True)) or "none"


def _rows(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    head = f"| {' | '.join(map(str, table.columns))} |\n|{'---|' * len(table.columns)}\n"
    lines = ("| " + " | ".join("" if pd.isna(cell) else str(cell) for cell in row) + " |" for row in table.to_numpy())
    return head + "\n".join(lines)
